/** Versions that lockfiles pin, each with its line. Lockfiles are searched as text: they are long and two facts are wanted. */
import type { CargoPackage, Fact, NpmPackage } from '../model/project.js';
import { findAncestors, folderOf, isWithin, joinPath, nameOf, type ProjectFiles } from './input.js';

/** `a` against `b` by numbers, a pre-release before its release: negative, 0 or positive. Build metadata is ignored. */
export function compareVersions(a: string, b: string): number {
  const split = (version: string): readonly [readonly number[], string] => {
    const [core = '', ...pre] = version
      .replace(/^[v=\s]+/, '')
      .replace(/\+.*$/, '')
      .split('-');
    return [core.split('.').map((part) => Number.parseInt(part, 10) || 0), pre.join('-')];
  };
  const [left, leftPre] = split(a);
  const [right, rightPre] = split(b);
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  if (leftPre === rightPre) return 0;
  return leftPre === '' ? 1 : rightPre === '' ? -1 : leftPre < rightPre ? -1 : 1;
}

export class Lockfiles {
  private readonly cargoLocks: readonly string[];

  constructor(private readonly files: ProjectFiles) {
    this.cargoLocks = files.input.listing.filter(
      (path) => path.endsWith('Cargo.lock') && nameOf(path) === 'Cargo.lock' && isWithin(path, files.input.root),
    );
  }

  /**
   * Versions of a crate in the Cargo.lock at or above the package (else above the unit, else anywhere in it), newest first. When
   * several are locked and the lockfile says which one `from` uses, only that one.
   */
  lockedVersions(crate: string, from?: CargoPackage): readonly Fact<string>[] {
    const path = this.lockFor(from);
    if (path !== undefined) return this.versionsIn(path, crate, from);
    return from === undefined
      ? this.cargoLocks.flatMap((lock) => this.versionsIn(lock, crate, undefined)).sort(newestFirst)
      : [];
  }

  private lockFor(from: CargoPackage | undefined): string | undefined {
    return findAncestors(from?.dir ?? this.files.input.root)
      .map((dir) => joinPath(dir, 'Cargo.lock'))
      .find((path) => this.files.has(path));
  }

  private versionsIn(path: string, crate: string, from: CargoPackage | undefined): readonly Fact<string>[] {
    const text = this.files.text(path);
    if (text === undefined) return [];
    const found: Fact<string>[] = [];
    const needle = `name = "${crate}"`;
    for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + 1)) {
      if (at > 0 && text[at - 1] !== '\n') continue;
      const version = /^name = "[^"]*"\r?\nversion = "([^"]+)"/.exec(text.slice(at, at + 300))?.[1];
      if (version !== undefined) found.push({ value: version, path, line: lineAt(text, at) + 1 });
    }
    found.sort(newestFirst);
    if (found.length < 2 || from === undefined) return found;
    const own = text.indexOf(`name = "${from.name}"\n`);
    const block =
      own < 0
        ? ''
        : text.slice(own, text.indexOf('[[package]]', own) < 0 ? undefined : text.indexOf('[[package]]', own));
    const exact = new RegExp(`"${crate} ([^" ]+)`).exec(block)?.[1];
    const used = found.filter((fact) => fact.value === exact);
    return used.length > 0 ? used : found;
  }

  /** The version of an npm package: from the nearest lockfile, else the requirement (a pnpm catalog entry is looked up). */
  npmVersion(name: string, from: NpmPackage | undefined): (Fact<string> & { readonly locked: boolean }) | undefined {
    const start = from?.dir ?? this.files.input.root;
    for (const dir of findAncestors(start)) {
      for (const [file, find] of npmLocks) {
        const path = joinPath(dir, file);
        const text = this.files.text(path);
        if (text === undefined) continue;
        const hits = find(text, name, relativeTo(start, dir));
        const best = [...hits].sort((a, b) => compareVersions(b.value, a.value))[0];
        if (best !== undefined) return { value: best.value, path, line: lineAt(text, best.at), locked: true };
      }
    }
    const required = from?.dependencies.get(name);
    if (required === undefined) return undefined;
    return { ...(this.catalogEntry(name, required, folderOf(required.path)) ?? required), locked: false };
  }

  private catalogEntry(name: string, required: Fact<string>, folder: string): Fact<string> | undefined {
    if (!required.value.startsWith('catalog:')) return undefined;
    for (const dir of findAncestors(folder)) {
      const path = joinPath(dir, 'pnpm-workspace.yaml');
      const text = this.files.text(path);
      const match =
        text === undefined ? null : new RegExp(`^\\s+["']?${escape(name)}["']?:\\s*["']?([^"'\\s#]+)`, 'm').exec(text);
      if (text !== undefined && match?.[1] !== undefined)
        return { value: match[1], path, line: lineAt(text, match.index + (/^\s*\n/.exec(match[0])?.[0].length ?? 0)) };
    }
    return undefined;
  }
}

interface Hit {
  readonly value: string;
  readonly at: number;
}

type Find = (text: string, name: string, folder: string) => readonly Hit[];

const npmLocks: readonly (readonly [string, Find])[] = [
  ['pnpm-lock.yaml', findInPnpm],
  ['package-lock.json', findInNpm],
  ['npm-shrinkwrap.json', findInNpm],
  ['yarn.lock', findInYarn],
  ['bun.lock', findInBun],
];

function findInPnpm(text: string, name: string, folder: string): readonly Hit[] {
  // The importer of the package knows its own version; else every version in the file counts.
  const importer = new RegExp(`^  ["']?${escape(folder === '' ? '.' : folder)}["']?:\\r?\\n`, 'm').exec(text);
  if (importer !== null) {
    const start = importer.index + importer[0].length;
    const end = text.slice(start).search(/^ {0,2}\S/m);
    const block = text.slice(start, end < 0 ? undefined : start + end);
    const own = new RegExp(
      `^      ["']?${escape(name)}["']?:\\r?\\n(?:\\s+specifier:.*\\r?\\n)?\\s+version: ["']?([\\w.+-]+)`,
      'm',
    ).exec(block);
    if (own?.[1] !== undefined) return [{ value: own[1], at: start + own.index + own[0].length }];
  }
  return findAll(text, new RegExp(`^  ["']?/?${escape(name)}[@/](\\d[\\w.+-]*)`, 'gm'));
}

function findInNpm(text: string, name: string): readonly Hit[] {
  const modern = findAll(text, new RegExp(`"node_modules/${escape(name)}": \\{\\s*"version": "([^"]+)"`, 'g'));
  return modern.length > 0
    ? modern
    : findAll(text, new RegExp(`^    "${escape(name)}": \\{\\s*"version": "([^"]+)"`, 'gm'));
}

function findInYarn(text: string, name: string): readonly Hit[] {
  return findAll(text, new RegExp(`^"?${escape(name)}@[^\\n]*:\\r?\\n\\s+version:? "?([^"\\s]+)`, 'gm'));
}

function findInBun(text: string, name: string): readonly Hit[] {
  return findAll(text, new RegExp(`"${escape(name)}": \\["${escape(name)}@([^"]+)"`, 'g'));
}

function findAll(text: string, pattern: RegExp): readonly Hit[] {
  return [...text.matchAll(pattern)].flatMap((match) => {
    const value = match[1];
    return value === undefined ? [] : [{ value, at: match.index + match[0].length - 1 }];
  });
}

function newestFirst(a: Fact<string>, b: Fact<string>): number {
  return compareVersions(b.value, a.value);
}

function relativeTo(dir: string, above: string): string {
  return above === '' ? dir : dir === above ? '' : dir.slice(above.length + 1);
}

function escape(text: string): string {
  return text.replace(/[.*+?^$(){}|[\]\\/]/g, '\\$&');
}

function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i >= 0 && i < offset; i = text.indexOf('\n', i + 1)) line++;
  return line;
}
