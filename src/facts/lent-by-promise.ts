/** References to objects of JavaScript that come out of a promise with the lifetime `'static`. */
import { blankComments } from './plain-text.js';
import { isClass } from './threadsafe-functions.js';
import type { UnitFacts } from './unit.js';
import type { FileIr } from '../model/ir.js';
import type { Span } from '../model/source.js';

export interface PromisedReference {
  /** The class whose object is lent. */
  readonly type: string;
  /** From `Promise` to the name of the class. */
  readonly span: Span;
  readonly isMutable: boolean;
}

/** Nothing that ends a type stands between the promise and the reference. */
const promised = /\bPromise\s*<(?:[^;{}()=]*?[<,\s])?&\s*'static\s+(mut\s+)?(?:\w+::)*([A-Z]\w*)/gu;

/**
 * `Promise<Option<&'static Class>>` in a type of the file, where napi-rs makes objects of JavaScript of the class. The promise keeps
 * its value alive until it is settled and read on the JavaScript thread; who awaits it elsewhere gets a bare pointer into the object.
 */
export function findPromisedReferences(unit: UnitFacts, file: FileIr): readonly PromisedReference[] {
  const text = unit.textOf(file.path) ?? '';
  if (!/\bPromise\s*</u.test(text) || !file.imports.some((i) => /^napi(?:_ohos)?$/u.test(i.path[0] ?? ''))) return [];
  return [...blankComments(text).matchAll(promised)].flatMap((match) => {
    const [whole, mutable, type] = match;
    const isTested = file.functions.some((f) => f.isTest && f.span.start <= match.index && match.index < f.span.end);
    if (type === undefined || isTested || !isClass(unit, file, type)) return [];
    return [{ type, span: { start: match.index, end: match.index + whole.length }, isMutable: mutable !== undefined }];
  });
}
