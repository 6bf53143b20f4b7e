import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import type { Finding } from '../model/finding.js';

/** A function that napi-rs gives to JavaScript. */
interface NapiExport {
  readonly rust: string;
  /** `hash`, `Pool` for a constructor, `Pool.finish` for a method. */
  readonly js: string;
  readonly file: string;
  /** Offsets into the file: from the attribute to the end of the body. */
  readonly start: number;
  readonly end: number;
  /** Without comments and the contents of strings. */
  readonly text: string;
}

interface Item {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** More than these say nothing about one finding. */
const mostExports = 8;

/** Comments and the contents of strings blanked out; offsets stay what they are. */
function blank(text: string): string {
  return text.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\]|\\[\s\S])*"/gu, (found) => found.replace(/[^\n]/gu, ' '));
}

/** The offset behind the bracket that closes the first one at or after `from`; the end of the text when there is none. */
function closing(text: string, from: number, open: string, close: string): number {
  let depth = 0;
  for (let i = text.indexOf(open, from); i >= 0 && i < text.length; i++) {
    if (text[i] === open) depth++;
    else if (text[i] === close && --depth === 0) return i + 1;
  }
  return text.length;
}

/** The items with a body that the pattern finds; its first group is their name. */
function itemsOf(code: string, pattern: RegExp): Item[] {
  return [...code.matchAll(pattern)].flatMap((match) => {
    const [whole, name] = match;
    const body = code.indexOf('{', match.index + whole.length);
    const stop = code.indexOf(';', match.index + whole.length);
    if (name === undefined || body < 0 || (stop >= 0 && stop < body)) return [];
    return [{ name, start: match.index, end: closing(code, body, '{', '}') }];
  });
}

const functionItem = /\bfn\s+(\w+)/gu;
const typeItem = /\b(?:struct|enum|union)\s+(\w+)/gu;
const implItem = /\bimpl\b(?:\s*<[^{;]*?>)?\s+(?:[\w:]+(?:<[^{;]*?>)?\s+for\s+)?(?:\w+::)*(\w+)/gu;

/** The name that napi-rs gives by itself: snake case becomes camel case. */
function camelCase(name: string): string {
  return name.replace(/^_+/u, '').replace(/_+(\w)/gu, (_, letter: string) => letter.toUpperCase());
}

/** The exports of one file, by their `#[napi]` attributes. */
function exportsOf(file: string, raw: string): NapiExport[] {
  const code = blank(raw);
  const functions = itemsOf(code, functionItem);
  const impls = itemsOf(code, implItem);
  return [...code.matchAll(/#\[\s*(?:\w+::)*napi\b/gu)].flatMap((match): NapiExport[] => {
    const attributeEnd = closing(code, match.index, '[', ']');
    const attribute = raw.slice(match.index, attributeEnd);
    // Only attributes, visibility and qualifiers stand between the attribute and its function.
    const head = /^\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\s*\([^)]*\))?\s+)?(?:(?:async|unsafe|const)\s+)*fn\s/u.exec(
      code.slice(attributeEnd, attributeEnd + 2000),
    );
    const found = head === null ? undefined : functions.find(({ start }) => start >= attributeEnd);
    if (found === undefined) return [];
    const name = /js_name\s*=\s*"([^"]+)"/u.exec(attribute)?.[1] ?? camelCase(found.name);
    const owner = impls.find(({ start, end }) => start < match.index && match.index < end)?.name;
    const isConstructor = /\bconstructor\b/u.test(attribute);
    return [
      {
        rust: owner === undefined ? found.name : `${owner}::${found.name}`,
        js: owner === undefined ? name : isConstructor ? owner : `${owner}.${name}`,
        file,
        start: match.index,
        end: found.end,
        text: code.slice(match.index, found.end),
      },
    ];
  });
}

function rustFiles(folder: string, depth = 12): string[] {
  if (depth < 0) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory())
      return /^(?:target|node_modules|\..*)$/u.test(entry.name) || existsSync(join(path, 'Cargo.toml'))
        ? []
        : rustFiles(path, depth - 1);
    return entry.isFile() && entry.name.endsWith('.rs') ? [path] : [];
  });
}

function crateOf(file: string, base: string): string | undefined {
  for (let at = dirname(file); !relative(base, at).startsWith('..'); at = dirname(at)) {
    if (existsSync(join(at, 'Cargo.toml'))) return at;
    if (at === dirname(at)) break;
  }
  return undefined;
}

function offsetOfLine(text: string, line: number): number {
  let at = 0;
  for (let i = 1; i < line; i++) at = text.indexOf('\n', at) + 1;
  return at;
}

/** Reads each crate once. */
class NapiExports {
  private readonly crates = new Map<string, readonly NapiExport[]>();

  constructor(private readonly base: string) {}

  /** The exports whose body holds a line of the finding; else those that name its type or the function around it. */
  reaching(finding: Finding): readonly NapiExport[] {
    const path = join(this.base, ...finding.location.path.split('/'));
    const crate = crateOf(path, this.base);
    if (!path.endsWith('.rs') || crate === undefined || !existsSync(path)) return [];
    const all = this.ofCrate(crate);
    const raw = readFileSync(path, 'utf8');
    const at = offsetOfLine(raw, finding.location.startLine);
    const direct = all.filter(({ file, start, end }) => file === path && start <= at && at < end);
    if (direct.length > 0) return direct;
    const code = blank(raw);
    const lineEnd = `${code}\n`.indexOf('\n', at);
    const around = (pattern: RegExp): string[] =>
      itemsOf(code, pattern)
        .filter(({ start, end }) => start <= lineEnd && at < end)
        .map(({ name }) => name);
    const names = [...around(typeItem), ...around(implItem)];
    const byType = all.filter(({ rust, text }) =>
      names.some((name) => rust.startsWith(`${name}::`) || new RegExp(`\\b${name}\\b`, 'u').test(text)),
    );
    if (byType.length > 0) return byType;
    return all.filter(({ text }) =>
      around(functionItem).some((name) => new RegExp(`\\b${name}\\s*(?:::\\s*<[^>]*>\\s*)?\\(`, 'u').test(text)),
    );
  }

  private ofCrate(folder: string): readonly NapiExport[] {
    const known = this.crates.get(folder);
    if (known !== undefined) return known;
    const made = rustFiles(folder).flatMap((file) => {
      const raw = readFileSync(file, 'utf8');
      return raw.includes('napi') ? exportsOf(file, raw) : [];
    });
    this.crates.set(folder, made);
    return made;
  }
}

/**
 * Says of findings in Rust through which exports of napi-rs JavaScript reaches them, where the rule did not say so: the function
 * that is exported itself, or those that make or name its type, or call it, in the same crate. `base` is the folder that the
 * findings' paths start from.
 */
export function addReachableExports(findings: readonly Finding[], base: string): readonly Finding[] {
  const exports = new NapiExports(base.endsWith(sep) ? base.slice(0, -1) : base);
  return findings.map((finding) => {
    if (finding.reachableFrom !== undefined) return finding;
    const found = exports.reaching(finding);
    if (found.length === 0 || found.length > mostExports) return finding;
    return { ...finding, reachableFrom: found.map(({ rust, js }) => ({ rust, js })) };
  });
}
