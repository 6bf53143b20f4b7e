/** Callbacks in the options that JavaScript passes in, and the closures into which they are moved for good. */
import { blankComments, closingBracket } from './plain-text.js';
import { isStrong, napiAttribute } from './threadsafe-functions.js';
import type { UnitFacts } from './unit.js';
import type { Field, FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';

export interface MappedCallback {
  readonly file: FileIr;
  readonly fn: FunctionIr;
  readonly field: Field;
  /** Where the shared closure begins. */
  readonly span: Span;
}

/** A closure that somebody else keeps: in a counted box, a box, or what a constructor of that name makes of it. */
const KEPT =
  /\b(?:(?:Arc|Rc|Box)::new|[A-Z]\w*(?:::<[^()]*>)?::(?:new|from\w*))\s*\(\s*(?:(?:Arc|Rc|Box)::new\s*\(\s*)?move\s*\|/u;
const LETS_GO = /\.\s*(?:unref|abort|weak)\s*(?:::\s*<[^>]*>\s*)?\(/u;

/**
 * Strong threadsafe functions in the fields of an options object (`#[napi(object)]`, by value) that some function of the package
 * takes out and moves into a closure which outlives the call: `options.filter.map(|f| Arc::new(move |x| f.call(x, mode)))`.
 */
export function findMappedCallbacks(unit: UnitFacts, declaring: FileIr, decl: TypeDecl): readonly MappedCallback[] {
  if (decl.kind !== 'struct' || decl.isTest || !/\bobject\b/u.test(napiAttribute(decl)?.args ?? '')) return [];
  const fields = decl.fields.filter((f) => f.type && isStrong(unit, declaring, withoutOption(f.type), true));
  if (fields.length === 0) return [];
  const found: MappedCallback[] = [];
  for (const file of unit.filesMatching('rust', new RegExp(`\\b${decl.name}\\b`, 'u'))) {
    const text = blankComments(unit.textOf(file.path) ?? '');
    for (const field of fields)
      for (const taken of takersOf(text, field.name)) {
        const kept = KEPT.exec(text.slice(taken.start, taken.end));
        if (!kept) continue;
        const start = taken.start + kept.index;
        const inside = text.slice(start, taken.end);
        const fn = file.functions.find(
          (f) => f.parent === undefined && f.bodySpan && f.bodySpan.start <= start && start < f.bodySpan.end,
        );
        if (!fn || fn.isTest || !names(fn, decl.name) || !new RegExp(`\\b${taken.name}\\b`, 'u').test(inside)) continue;
        if (LETS_GO.test(text.slice(taken.start, taken.end))) continue;
        found.push({ file, fn, field, span: { start, end: start + kept[0].length } });
      }
  }
  return found;
}

function withoutOption(type: TypeRef): TypeRef {
  return type.kind === 'path' && type.name === 'Option' ? (type.args[0] ?? type) : type;
}

/** The function is given the options, or is a method of theirs. */
function names(fn: FunctionIr, type: string): boolean {
  return fn.owner === type || fn.params.some((p) => new RegExp(`\\b${type}\\b`, 'u').test(p.type?.text ?? ''));
}

interface Taker {
  /** What the callback is called there. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** `x.field.map(|f| ..)` and `if let Some(f) = x.field { .. }`, with the code in which the callback has a name. */
function takersOf(text: string, field: string): readonly Taker[] {
  const found: Taker[] = [];
  const mapped = new RegExp(
    `\\.\\s*${field}\\s*\\.\\s*(?:take\\s*\\(\\s*\\)\\s*\\.\\s*)?(?:map|and_then)\\s*\\(\\s*(?:move\\s*)?\\|\\s*(\\w+)\\s*\\|`,
    'gu',
  );
  for (const match of text.matchAll(mapped)) {
    const start = match.index + match[0].length;
    found.push({ name: match[1] ?? '', start, end: closingBracket(text, start) });
  }
  const matched = new RegExp(
    `\\bSome\\s*\\(\\s*(\\w+)\\s*\\)\\s*=\\s*\\w+(?:\\s*\\.\\s*\\w+)*\\s*\\.\\s*${field}(?:\\s*\\.\\s*take\\s*\\(\\s*\\))?\\s*\\{`,
    'gu',
  );
  for (const match of text.matchAll(matched)) {
    const start = match.index + match[0].length;
    found.push({ name: match[1] ?? '', start, end: closingBracket(text, start) });
  }
  return found;
}
