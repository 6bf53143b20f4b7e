import { dirname, join } from 'node:path';
import type { Discovered } from '../discover/inputs.js';
import { createFileReader, decodeText } from '../discover/read-source.js';
import { blankComments } from '../facts/plain-text.js';
import type { Finding } from '../model/finding.js';
import type { Attribute, FileIr, FunctionIr } from '../model/ir.js';
import { findLineStarts, type Span } from '../model/source.js';
import { rustPack } from '../parsers/rust/pack.js';

/** A Rust file of a crate. */
interface Source {
  readonly file: FileIr;
  readonly lineStarts: Uint32Array;
  /** Without comments and the contents of strings; offsets are those of the file. */
  readonly code: string;
}

/** A function that napi-rs gives to JavaScript. */
interface NapiExport {
  readonly rust: string;
  /** `hash`, `Pool` for a constructor, `Pool.finish` for a method. */
  readonly js: string;
  readonly path: string;
  /** From the attribute to the end of the body. */
  readonly span: Span;
  readonly code: string;
}

/** More than these say nothing about one finding. */
const mostExports = 8;

/** Heads are enough: what a body names is looked for in its text. */
const noBody = { test: () => false };

/** The name that napi-rs gives by itself: snake case becomes camel case. */
function camelCase(name: string): string {
  return name.replace(/^_+/u, '').replace(/_+(\w)/gu, (_, letter: string) => letter.toUpperCase());
}

/** The attribute on the function itself; that of its impl block exports nothing alone. */
function napiAttribute({ attributes }: FunctionIr): Attribute | undefined {
  return attributes.find((a) => (a.name === 'napi' || a.name.endsWith('::napi')) && a.inherited !== true);
}

function exportsOf({ file, code }: Source): NapiExport[] {
  return file.functions.flatMap((fn) => {
    const attribute = napiAttribute(fn);
    if (attribute === undefined) return [];
    const { name, owner } = fn;
    const given = /\bjs_name\s*=\s*"([^"]+)"/u.exec(attribute.args ?? '')?.[1] ?? camelCase(name);
    const isConstructor = /\bconstructor\b/u.test(attribute.args ?? '');
    const span = { start: Math.min(attribute.span.start, fn.span.start), end: fn.span.end };
    return [
      {
        rust: owner === undefined ? name : `${owner}::${name}`,
        js: owner === undefined ? given : isConstructor ? owner : `${owner}.${given}`,
        path: file.path,
        span,
        code: code.slice(span.start, span.end),
      },
    ];
  });
}

/** The crates around findings; each is read once. */
class NapiExports {
  private readonly crates = new Map<string, { sources: readonly Source[]; exports: readonly NapiExport[] }>();
  private readonly manifests: ReadonlySet<string>;
  private readonly reader = createFileReader();

  constructor(private readonly inputs: Pick<Discovered, 'base' | 'listing'>) {
    this.manifests = new Set(
      inputs.listing.filter((path) => /(?:^|\/)Cargo\.toml$/u.test(path)).map((path) => dirname(path)),
    );
  }

  /** The exports whose body holds a line of the finding; else those that name its type or call the function around it. */
  reaching({ location }: Finding): readonly NapiExport[] {
    const folder = this.crateOf(location.path);
    if (folder === undefined || !location.path.endsWith('.rs')) return [];
    const { sources, exports } = this.crate(folder);
    const source = sources.find(({ file }) => file.path === location.path);
    const start = source?.lineStarts[location.startLine - 1];
    if (source === undefined || start === undefined) return [];
    const end = source.lineStarts[location.startLine] ?? source.code.length;
    const isAround = ({ span }: { readonly span: Span }): boolean => span.start < end && start < span.end;
    const direct = exports.filter((one) => one.path === location.path && isAround(one));
    if (direct.length > 0) return direct;
    const { file } = source;
    const types = [
      ...file.types.filter(isAround).map(({ name }) => name),
      ...file.impls.filter(isAround).map(({ target }) => target.name),
    ];
    const byType = exports.filter(({ rust, code }) =>
      types.some((name) => rust.startsWith(`${name}::`) || new RegExp(`\\b${name}\\b`, 'u').test(code)),
    );
    if (byType.length > 0) return byType;
    const functions = file.functions.filter((fn) => fn.kind === 'function' && isAround(fn));
    return exports.filter(({ code }) =>
      functions.some(({ name }) => new RegExp(`\\b${name}\\s*(?:::\\s*<[^>]*>\\s*)?\\(`, 'u').test(code)),
    );
  }

  private crateOf(path: string): string | undefined {
    for (let at = dirname(path); ; at = dirname(at)) {
      if (this.manifests.has(at)) return at;
      if (at === '.') return undefined;
    }
  }

  private crate(folder: string): { sources: readonly Source[]; exports: readonly NapiExport[] } {
    const known = this.crates.get(folder);
    if (known !== undefined) return known;
    const sources = this.inputs.listing
      .filter((path) => path.endsWith('.rs') && this.crateOf(path) === folder)
      .flatMap((path): Source[] => {
        const { bytes } = this.reader.read(join(this.inputs.base, path), path);
        const text = bytes && decodeText(bytes, path).text;
        // What could not be read is a gap of the scan before.
        if (text === undefined) return [];
        const file = rustPack.lower({ path, text }, noBody);
        return [{ file, lineStarts: findLineStarts(text), code: blankComments(text) }];
      });
    const made = { sources, exports: sources.flatMap(exportsOf) };
    this.crates.set(folder, made);
    return made;
  }
}

/**
 * Says of findings in Rust through which exports of napi-rs JavaScript reaches them, where the rule did not say so: the function
 * that is exported itself, or those that make or name its type, or call it, in the same crate. Rejects when the grammar was not
 * built.
 */
export async function addReachableExports(
  findings: readonly Finding[],
  inputs: Pick<Discovered, 'base' | 'listing'>,
): Promise<readonly Finding[]> {
  if (!findings.some(({ location }) => location.path.endsWith('.rs'))) return findings;
  await rustPack.load();
  const exports = new NapiExports(inputs);
  return findings.map((finding) => {
    if (finding.reachableFrom !== undefined) return finding;
    const found = exports.reaching(finding);
    if (found.length === 0 || found.length > mostExports) return finding;
    return { ...finding, reachableFrom: found.map(({ rust, js }) => ({ rust, js })) };
  });
}
