import ignore from 'ignore';

/**
 * A test for base-relative paths against .gitignore-style patterns that are relative to a base-relative folder.
 * Paths outside the folder never match, and without patterns nothing does.
 */
export function matchPatterns(patterns: readonly string[], root: string): (path: string) => boolean {
  if (patterns.length === 0) return () => false;
  const matcher = ignore().add([...patterns]);
  const prefix = root === '' ? '' : `${root}/`;
  return (path) =>
    path !== prefix && path.startsWith(prefix) && path.length > 0 && matcher.ignores(path.slice(prefix.length));
}
