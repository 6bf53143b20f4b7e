import type { Gap } from '../model/finding.js';
import { DocumentError, type DocumentNode } from './document.js';
import { readJson } from './json.js';
import { readToml } from './toml.js';

/** What the model may ask of the outside: everything it reads comes through here, so that tests need no disk. */
export interface ProjectInput {
  /** Folder of the unit relative to `base`, with `/`; `''` is the base itself. */
  readonly root: string;
  /** Absolute folder to which all paths are relative. */
  readonly base: string;
  /**
   * Base-relative paths of all files known below the base (sources, manifests, lockfiles, workflows, `.cargo/config.toml`),
   * with `/`. Files outside the unit are only looked at where Cargo or npm would look upward.
   */
  readonly listing: readonly string[];
  /** Text of a file; undefined when it can't be read (the reader records its own gap). */
  readonly readText: (path: string) => string | undefined;
  readonly gap: (gap: Gap) => void;
}

/** The files of a listing by folder, and their texts and documents, each read once and only when asked for. */
export class ProjectFiles {
  private readonly folders = new Map<string, string[]>();
  private readonly known: ReadonlySet<string>;
  private readonly texts = new Map<string, string | undefined>();
  private children: Map<string, Set<string>> | undefined;
  private readonly reported = new Set<string>();
  private readonly documents = new Map<string, DocumentNode | undefined>();

  constructor(readonly input: ProjectInput) {
    this.known = new Set(input.listing);
    for (const path of input.listing) {
      const folder = folderOf(path);
      const files = this.folders.get(folder);
      if (files === undefined) this.folders.set(folder, [path]);
      else files.push(path);
    }
  }

  has(path: string): boolean {
    return this.known.has(path);
  }

  /** Files directly in a folder. */
  filesIn(folder: string): readonly string[] {
    return this.folders.get(folder) ?? [];
  }

  /** Names of the folders directly in a folder that hold files at some depth. */
  foldersIn(folder: string): readonly string[] {
    if (this.children === undefined) {
      this.children = new Map();
      for (const path of this.folders.keys()) {
        for (let at = path; at !== ''; at = folderOf(at)) {
          const parent = folderOf(at);
          const names = this.children.get(parent) ?? new Set();
          if (names.has(nameOf(at))) break;
          names.add(nameOf(at));
          this.children.set(parent, names);
        }
      }
    }
    return [...(this.children.get(folder) ?? [])];
  }

  text(path: string): string | undefined {
    if (!this.known.has(path)) return undefined;
    if (!this.texts.has(path)) this.texts.set(path, this.input.readText(path));
    return this.texts.get(path);
  }

  /** A `.toml` or `.json` file as data; a broken one becomes a gap and undefined. */
  document(path: string): DocumentNode | undefined {
    if (this.documents.has(path)) return this.documents.get(path);
    const text = this.text(path);
    let node: DocumentNode | undefined;
    if (text !== undefined) {
      try {
        node = path.endsWith('.json') ? readJson(text) : readToml(text);
        if (node.kind !== 'table') {
          this.broken(path, 1, 'it is not a table of keys and values');
          node = undefined;
        }
      } catch (error) {
        if (!(error instanceof DocumentError)) throw error;
        this.broken(path, error.line, error.message);
      }
    }
    this.documents.set(path, node);
    return node;
  }

  /** Records, once per file, that a manifest could not be read, so that what it says is missing from the model. */
  broken(path: string, line: number, why: string): void {
    // Tools that read package.json keep broken ones among their test data, and nothing of ours hangs on those.
    if (
      this.reported.has(path) ||
      (path.endsWith('package.json') && /(?:^|\/)(?:fixtures?|__fixtures__|tests?|__tests__)\//.test(path))
    )
      return;
    this.reported.add(path);
    const message = `'${path}' could not be read at line ${line}: ${why}; mend it, because what it declares is missing from this scan.`;
    this.input.gap({ kind: 'manifest', path, line, message });
  }
}

/** The folder of a `/`-separated path; `''` for a file at the top. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Joins and folds `.` and `..`; a path that leaves the base keeps its leading `..`. */
export function joinPath(...parts: readonly string[]): string {
  const folded: string[] = [];
  for (const part of parts.join('/').split(/[/\\]/)) {
    if (part === '' || part === '.') continue;
    if (part === '..' && folded.length > 0 && folded[folded.length - 1] !== '..') folded.pop();
    else folded.push(part);
  }
  return folded.join('/');
}

/** True when `path` is `folder` or lies below it; everything lies below `''`. */
export function isWithin(path: string, folder: string): boolean {
  return folder === '' || path === folder || path.startsWith(`${folder}/`);
}

/** The folder and its parents up to the base, nearest first. */
export function findAncestors(folder: string): readonly string[] {
  const found = [folder];
  for (let at = folder; at !== '';) {
    at = folderOf(at);
    found.push(at);
  }
  return found;
}

/** A glob of workspace members or pnpm filters (`*`, `**`, `?`, `[ab]`, `{a,b}`) as a pattern for whole paths. */
export function globPattern(glob: string): RegExp {
  let source = '';
  const text = joinPath(glob);
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? '';
    if (char === '*' && text[i + 1] === '*') {
      const slash = text[i + 2] === '/';
      source += slash ? '(?:.*/)?' : '.*';
      i += slash ? 2 : 1;
    } else if (char === '*') source += '[^/]*';
    else if (char === '?') source += '[^/]';
    else if (char === '[' && text.indexOf(']', i) > 0) {
      const end = text.indexOf(']', i);
      source += `[${text
        .slice(i + 1, end)
        .replace(/^!/, '^')
        .replace(/\\/g, '\\\\')}]`;
      i = end;
    } else if (char === '{' && text.indexOf('}', i) > 0) {
      const end = text.indexOf('}', i);
      source += `(?:${text
        .slice(i + 1, end)
        .split(',')
        .map((word) => word.replace(/[.+^$()|\\]/g, '\\$&'))
        .join('|')})`;
      i = end;
    } else source += char.replace(/[.+^$()|\\{}[\]]/g, '\\$&');
  }
  return new RegExp(`^${source}$`);
}
