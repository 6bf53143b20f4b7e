/**
 * Which targets a Rust source file belongs to, by the `mod` declarations that lead to it. Files are read upward, from the file
 * to the target's root, because a question is nearly always about one file.
 */
import type { CargoPackage, TargetKind } from '../model/project.js';
import { folderOf, joinPath, nameOf, type ProjectFiles } from './input.js';

interface Declaration {
  readonly parent: string;
  /** cfgs on the `mod` item, as written between `cfg(` and `)`. */
  readonly conditions: readonly string[];
}

export class ModuleTree {
  private readonly declarations = new Map<string, readonly Declaration[]>();
  private readonly inner = new Map<string, readonly string[]>();

  constructor(private readonly files: ProjectFiles) {}

  /** Roots of targets of `pkg` that reach the file, each with the cfgs on the way, outermost first. */
  rootsOf(
    path: string,
    pkg: CargoPackage,
  ): readonly { readonly root: string; readonly conditions: readonly string[] }[] {
    const roots = new Set(pkg.targets.map((target) => target.path));
    const found = new Map<string, readonly string[]>();
    const visit = (file: string, inner: readonly string[], seen: ReadonlySet<string>): void => {
      if (roots.has(file) && !found.has(file)) found.set(file, inner);
      if (seen.has(file) || seen.size > 40) return;
      for (const { parent, conditions } of this.declarationsOf(file, roots)) {
        visit(parent, [...this.innerConditions(parent), ...conditions, ...inner], new Set([...seen, file]));
      }
    };
    visit(path, this.innerConditions(path), new Set());
    return [...found].map(([root, conditions]) => ({ root, conditions }));
  }

  /** Kinds of target that hold the file: by `mod` declarations, else by the folder that Cargo would look in. */
  kindsOf(path: string, pkg: CargoPackage): readonly TargetKind[] {
    const roots = this.rootsOf(path, pkg);
    const kinds = new Set<TargetKind>();
    for (const { root } of roots) {
      for (const target of pkg.targets) if (target.path === root) kinds.add(target.kind);
    }
    if (kinds.size > 0) return [...kinds];
    const relative = pkg.dir === '' ? path : path.slice(pkg.dir.length + 1);
    const [first = '', second = '', third] = relative.split('/');
    if (first === 'benches') return ['bench'];
    // Cargo looks for tests in `tests/*.rs` and `tests/*/main.rs`; what lies deeper and is in no module tree is input of some
    // other tool, and stands for code as people write it.
    if (first === 'tests') return third === undefined ? ['test'] : [];
    if (first === 'examples') return ['example'];
    if (first === 'src' && second === 'bin') return ['bin'];
    if (first === 'build') return ['build-script'];
    // Included by a macro or a `#[path]` that was not found: any target that shares the folder may hold it.
    const around = pkg.targets.filter(
      (target) => (target.kind === 'lib' || target.kind === 'bin') && path.startsWith(`${folderOf(target.path)}/`),
    );
    return [...new Set(around.map((target) => target.kind))];
  }

  private declarationsOf(path: string, roots: ReadonlySet<string>): readonly Declaration[] {
    const known = this.declarations.get(path);
    if (known !== undefined) return known;
    const folder = folderOf(path);
    const stem = nameOf(path).replace(/\.rs$/, '');
    const isMod = stem === 'mod';
    const name = isMod ? nameOf(folder) : stem;
    const found: Declaration[] = [];
    // Inline modules add folders without files, so every folder above may hold the declaration: `mod a { mod b; }` is a/b.rs.
    let inline: readonly string[] = [];
    for (let at = isMod ? folderOf(folder) : folder; ;) {
      const candidates = [
        joinPath(at, 'mod.rs'),
        `${at}.rs`,
        ...this.files
          .filesIn(at)
          .filter((file) => roots.has(file) || file.endsWith('/lib.rs') || file.endsWith('/main.rs')),
      ];
      for (const parent of new Set(candidates)) {
        if (parent === path || !this.files.has(parent)) continue;
        const conditions = findModule(this.files.text(parent) ?? '', name, inline);
        if (conditions !== undefined) found.push({ parent, conditions });
      }
      if (found.length > 0 || at === '' || inline.length > 3) break;
      inline = [nameOf(at), ...inline];
      at = folderOf(at);
    }
    if (found.length === 0) found.push(...this.declarationsByPath(path));
    if (found.length === 0) found.push(...this.declarationsBeside(path, isMod ? folderOf(folder) : folder, name));
    this.declarations.set(path, found);
    return found;
  }

  /** `mod name;` in a file that `#[path]` leads to: rustc looks for its modules beside it, whatever the file is called. */
  private declarationsBeside(path: string, folder: string, name: string): readonly Declaration[] {
    const found: Declaration[] = [];
    for (const parent of this.files.filesIn(folder)) {
      if (!parent.endsWith('.rs') || parent === path) continue;
      const conditions = findModule(this.files.text(parent) ?? '', name, []);
      if (conditions !== undefined && this.declarationsByPath(parent).length > 0) found.push({ parent, conditions });
    }
    return found;
  }

  /** `#[path = "other/place.rs"] mod name;` in a file of the same folder, of the two above it, or of `src` beside one of them. */
  private declarationsByPath(path: string): readonly Declaration[] {
    const file = nameOf(path);
    const found: Declaration[] = [];
    const above = [folderOf(path), folderOf(folderOf(path)), folderOf(folderOf(folderOf(path)))];
    for (const folder of new Set([...above, ...above.map((one) => joinPath(one, 'src'))])) {
      for (const candidate of this.files.filesIn(folder)) {
        if (!candidate.endsWith('.rs') || candidate === path) continue;
        const text = this.files.text(candidate) ?? '';
        for (const match of text.matchAll(/#\[path\s*=\s*"([^"]+)"\][^;{]*?\bmod\s+\w+\s*;/g)) {
          if (match[1]?.endsWith(file) === true && joinPath(folder, match[1]) === path) {
            found.push({
              parent: candidate,
              conditions: conditionsBefore(text, match.index + match[0].lastIndexOf('mod')),
            });
          }
        }
      }
    }
    return found;
  }

  private innerConditions(path: string): readonly string[] {
    let found = this.inner.get(path);
    if (found === undefined) this.inner.set(path, (found = this.readInnerConditions(path)));
    return found;
  }

  private readInnerConditions(path: string): readonly string[] {
    const text = this.files.text(path) ?? '';
    const at = text.indexOf('#![cfg(');
    const condition = at < 0 ? undefined : argumentsAt(text, at + '#![cfg'.length);
    return condition === undefined ? [] : [condition];
  }
}

/** The cfgs on `mod NAME;` in a text, looking inside the named inline modules; undefined when it is not declared there. */
function findModule(text: string, name: string, inline: readonly string[]): readonly string[] | undefined {
  let start = 0;
  const outer: string[] = [];
  for (const module of inline) {
    const open = new RegExp(`\\bmod\\s+${module}\\s*\\{`, 'g');
    open.lastIndex = start;
    const found = open.exec(text);
    if (found === null) return undefined;
    outer.push(...conditionsBefore(text, found.index));
    start = open.lastIndex;
  }
  const pattern = new RegExp(`\\bmod\\s+(?:r#)?${name.replace(/[^\w]/g, '\\$&')}\\s*;`, 'g');
  pattern.lastIndex = start;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const line = text.slice(text.lastIndexOf('\n', match.index) + 1, match.index);
    if (!line.includes('//')) return [...outer, ...conditionsBefore(text, match.index)];
  }
  return undefined;
}

/** The arguments of the `cfg` attributes that stand directly before an item. */
export function conditionsBefore(text: string, item: number): readonly string[] {
  const found: string[] = [];
  let before = text
    .slice(Math.max(0, item - 4000), item)
    .replace(/\b(?:pub(?:\s*\([^)]*\))?|mod|unsafe)\s*$/, '')
    .replace(/\b(?:pub(?:\s*\([^)]*\))?)\s*$/, '');
  for (;;) {
    before = before.replace(/\s+$/, '');
    const line = before.slice(before.lastIndexOf('\n') + 1);
    const comment = /^\s*\/\//.test(line) ? before.lastIndexOf('\n') + 1 : -1;
    if (comment >= 0) {
      before = before.slice(0, comment);
      continue;
    }
    if (!before.endsWith(']')) return found;
    let depth = 0;
    let start = before.length - 1;
    for (; start >= 0; start--) {
      if (before[start] === ']') depth++;
      else if (before[start] === '[' && --depth === 0) break;
    }
    if (before[start - 1] !== '#') return found;
    const attribute = before.slice(start + 1, -1).trim();
    const condition = /^cfg\s*\(([\s\S]*)\)$/.exec(attribute)?.[1];
    if (condition !== undefined) found.unshift(condition.trim());
    before = before.slice(0, start - 1);
  }
}

function argumentsAt(text: string, open: number): string | undefined {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')' && --depth === 0) return text.slice(open + 1, i).trim();
  }
  return undefined;
}
