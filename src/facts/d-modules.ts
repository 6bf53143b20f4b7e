import type { Import } from '../model/ir.js';

/** D: finds the files that imports mean, by the end of their paths. */
export class ModuleFiles {
  private readonly byName = new Map<string, string[]>();

  /** Takes the base-relative paths of all D files of the unit. */
  constructor(paths: readonly string[]) {
    for (const path of paths) {
      const name = nameOf(path);
      const named = this.byName.get(name);
      if (named) named.push(path);
      else this.byName.set(name, [path]);
    }
  }

  /**
   * The files that a file at `fromPath` with these imports imports: `a/b.d` or `a/b/package.d` for `import a.b;`, and `a.d` where `b` may be
   * one of its symbols. Of variants of a module, for other systems perhaps, the one that stands nearest is meant, and of those the one least deep.
   */
  importedBy(imports: readonly Import[], fromPath: string): readonly string[] {
    const near = (file: string): number => commonStart(file, fromPath);
    return imports.flatMap(({ path, isGlob }) =>
      [path, ...(isGlob === true ? [] : [path.slice(0, -1)])].flatMap((one) =>
        [...this.withPath(one)].sort((a, b) => near(b) - near(a) || a.length - b.length).slice(0, 1),
      ),
    );
  }

  private withPath(path: readonly string[]): readonly string[] {
    const last = path.at(-1);
    if (last === undefined) return [];
    return [`/${path.join('/')}.d`, `/${path.join('/')}/package.d`].flatMap((end) =>
      (this.byName.get(nameOf(end)) ?? []).filter((file) => `/${file}`.endsWith(end)),
    );
  }
}

/** `b.d`, and `a/package.d` for a package. */
function nameOf(path: string): string {
  return path
    .split('/')
    .slice(path.endsWith('/package.d') ? -2 : -1)
    .join('/');
}

/** How many folders two paths have in common from the start. */
function commonStart(a: string, b: string): number {
  const others = b.split('/');
  const at = a.split('/').findIndex((folder, i) => folder !== others[i]);
  return at < 0 ? others.length : at;
}
