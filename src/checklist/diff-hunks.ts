/** A run of lines of the new text, 1-based and inclusive; for pure removals the two lines around the gap. */
export interface Hunk {
  readonly start: number;
  readonly end: number;
  /** Nothing was added: only code that holds both lines was touched. */
  readonly isRemoval: boolean;
}

/**
 * Reads `git diff --unified=0 --src-prefix=a/ --dst-prefix=b/`: changed lines of the new side by path. Deleted files are left
 * out. Inside a hunk the counted lines are skipped, so that a line such as `+++ b/x` in a text is not taken for a header.
 */
export function readHunks(diff: string): ReadonlyMap<string, readonly Hunk[]> {
  const hunks = new Map<string, Hunk[]>();
  let current: Hunk[] | undefined;
  let skip = 0;
  for (const line of diff.split('\n')) {
    if (skip > 0 && /^[-+ ]/u.test(line)) {
      skip--;
      continue;
    }
    if (line.startsWith('+++ ')) {
      const path = readPath(line.slice(4));
      current = path === undefined ? undefined : (hunks.get(path) ?? []);
      if (path !== undefined && current !== undefined) hunks.set(path, current);
      continue;
    }
    const head = /^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/u.exec(line);
    if (head === null) continue;
    const count = Number(head[3] ?? 1);
    const start = Number(head[2]);
    skip = Number(head[1] ?? 1) + count;
    current?.push(
      count === 0 ? { start, end: start + 1, isRemoval: true } : { start, end: start + count - 1, isRemoval: false },
    );
  }
  return hunks;
}

/** Whether a hunk touches the lines `first` to `last`. */
export function touches({ start, end, isRemoval }: Hunk, first: number, last: number): boolean {
  return isRemoval ? start >= first && end <= last : start <= last && end >= first;
}

/** `b/path`, `"b/with \"quotes\""` with git's C escapes, `/dev/null`; git ends names with blanks in them by a tab. */
function readPath(written: string): string | undefined {
  const text = written.replace(/[\t\r]+$/u, '');
  if (text === '/dev/null') return undefined;
  const plain = text.startsWith('"') ? unquote(text.slice(1, -1)) : text;
  return plain.startsWith('b/') ? plain.slice(2) : undefined;
}

function unquote(text: string): string {
  const short: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' };
  return text.replace(/\\(?:([0-7]{3})|(.))/gu, (_whole, octal: string | undefined, letter: string | undefined) =>
    octal !== undefined ? String.fromCharCode(Number.parseInt(octal, 8)) : (short[letter ?? ''] ?? letter ?? ''),
  );
}
