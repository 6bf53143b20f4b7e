import type { FileIr, TypeDecl } from '../model/ir.js';
import type { Span } from '../model/source.js';
import type { UnitFacts } from './unit.js';

/** A field of a struct that foreign code fills, and the call by which Rust frees what it points to. */
export interface ForeignResult {
  readonly type: string;
  readonly field: string;
  readonly maker: { readonly how: string; readonly span: Span };
  readonly taker: { readonly how: string; readonly span: Span };
}

const CALLBACK =
  /\btype\s+(\w+)\s*=\s*(?:Option\s*<\s*)?(?:unsafe\s+)?extern\s+"C"\s+fn\s*\([^;={}]*?\)\s*->\s*([A-Z]\w*)\s*>?\s*;/gu;
const TAKER = /\b(CString|String|Box|Vec)::(from_raw|from_raw_parts)\s*\(\s*(?:\w+\s*\.\s*)*?(\w+)\s*\.\s*(\w+)\b/gu;
/** Where a package exports a function that hands out memory of its own, foreign code may have it from there. */
const HANDS_OUT = /\bextern\s+"C"\s+fn\s+\w+\s*\([^;{}]*?\)\s*->\s*\*mut\s+(?:(?:\w+::)*c_(?:char|void)|[iu]8)\b/u;

/**
 * Structs that only a foreign callback makes: `type Provider = extern "C" fn(..) -> Headers`, which an exported function is given, and
 * nothing of the file builds a `Headers`. What their fields point to, and those of the structs of which they hold lists, is memory of
 * foreign code; `CString::from_raw(headers.text)` gives it to Rust's allocator.
 */
export function findForeignResults(unit: UnitFacts, file: FileIr): readonly ForeignResult[] {
  const text = unit.textOf(file.path) ?? '';
  if (!text.includes('extern "C" fn') || !/::from_raw/u.test(text) || HANDS_OUT.test(text)) return [];
  const found: ForeignResult[] = [];
  for (const match of text.matchAll(CALLBACK)) {
    const [, callback = '', name = ''] = match;
    const types = reachedFrom(file, name).filter((decl) => !isBuilt(text, file, decl.name));
    if (!types.some((decl) => decl.name === name) || !isGiven(file, callback)) continue;
    const span = { start: match.index, end: match.index + match[0].length };
    const word = new RegExp(`\\b${name}\\b`, 'u');
    for (const fn of file.functions) {
      if (!fn.bodySpan || fn.isTest || fn.parent !== undefined || unit.isDevelopmentOnly(file, fn)) continue;
      if (!fn.params.some((p) => word.test(p.type?.text ?? ''))) continue;
      for (const taken of text.slice(fn.bodySpan.start, fn.bodySpan.end).matchAll(TAKER)) {
        const [whole, owner = '', how = '', , field = ''] = taken;
        const type = types.find((decl) => decl.fields.some((f) => f.name === field && f.type?.kind === 'pointer'));
        const start = fn.bodySpan.start + taken.index;
        if (type)
          found.push({
            type: type.name,
            field,
            maker: { how: callback, span },
            taker: { how: `${owner}::${how}`, span: { start, end: start + whole.length } },
          });
      }
    }
  }
  return found;
}

/** A struct with the layout of C, and those to which its pointers lead. */
function reachedFrom(file: FileIr, name: string): readonly TypeDecl[] {
  const found: TypeDecl[] = [];
  const queue = [name];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const decl = file.types.find((t) => t.name === next && t.kind === 'struct');
    if (!decl || found.includes(decl) || !decl.attributes.some((a) => a.name === 'repr' && /\bC\b/u.test(a.args ?? '')))
      continue;
    found.push(decl);
    for (const { type } of decl.fields) if (type?.kind === 'pointer' && type.element) queue.push(type.element.name);
  }
  return found;
}

/** Whether something but a test makes a value of the type, or a method or another trait of it might. */
function isBuilt(text: string, file: FileIr, name: string): boolean {
  if (file.impls.some((i) => i.target.name === name)) return true;
  const literal = new RegExp(`(?<!\\b(?:struct|impl|for)\\s+|->\\s*)\\b${name}\\s*\\{`, 'gu');
  return [...text.matchAll(literal)].some(
    ({ index }) => !file.functions.some((f) => f.isTest && f.span.start <= index && index < f.span.end),
  );
}

/** Whether a function that foreign code calls is given the callback. */
function isGiven(file: FileIr, callback: string): boolean {
  const word = new RegExp(`\\b${callback}\\b`, 'u');
  return file.functions.some(
    (f) =>
      f.attributes.some((a) => /\b(?:no_mangle|export_name)\b/u.test(`${a.name} ${a.args ?? ''}`)) &&
      f.params.some((p) => word.test(p.type?.text ?? '')),
  );
}
