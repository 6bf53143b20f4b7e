import type { FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { plainText } from './plain-text.js';
import { implAround } from './rust-code.js';
import type { UnitFacts } from './unit.js';

/** Memory that a safe function only borrows and puts into a value whose `drop` frees it. */
export interface FreedView {
  readonly fn: FunctionIr;
  readonly param: string;
  /** Where the value is made. */
  readonly made: Span;
  readonly type: string;
  readonly release: string;
  readonly released: Span;
}

/** `WebPFree(self.0.as_mut_ptr())`, `free(self.data as *mut c_void)`; the first of several arguments is what the freed object belongs to. */
const FREES =
  /\b((?:\w+\s*::\s*)*\w*(?:[fF]ree|_destroy|_delete|_release))\s*\(\s*self\s*\.\s*(\w+)(?:\s*\.\s*as_(?:mut_)?ptr\s*\(\s*\))?(?:\s*as\b[^,()]*|\s*\.\s*cast\b[^,]*?)?\s*\)/u;

/**
 * For `drop`, the destructor of a struct of the file that frees what a reference in it leads to: the public functions, and those of traits, that make
 * such a value of a reference that they are given. Its owner frees the memory, too, or it was never allocated that way.
 */
export function findFreedViews(unit: UnitFacts, file: FileIr, drop: FunctionIr): readonly FreedView[] {
  if (drop.trait !== 'Drop' || drop.name !== 'drop' || !drop.bodySpan || drop.isTest) return [];
  const body = plainText(unit, file, drop.bodySpan);
  const freed = FREES.exec(body);
  const declared = file.types.find((t) => t.name === drop.owner && t.kind === 'struct');
  const field = declared?.fields.find((f) => f.name === freed?.[2]);
  if (!freed || !declared || field?.type?.kind !== 'reference') return [];
  // A flag says who owns it.
  if (/\b(?:if|match)\b/u.test(body.slice(0, freed.index))) return [];
  const { name: type } = declared;
  const start = drop.bodySpan.start + freed.index;
  const released: Span = { start, end: start + freed[0].length };
  return file.functions.flatMap((fn) => {
    if (!fn.bodySpan || fn.isUnsafe || fn.isTest || fn.parent !== undefined) return [];
    if (!fn.isPublic && fn.trait === undefined) return [];
    const lent = fn.params.filter((p) => p.type?.kind === 'reference').map((p) => p.name);
    if (fn.self?.mode === 'value' && implAround(file, fn)?.target.kind === 'reference') lent.push('self');
    if (lent.length === 0) return [];
    const made = new RegExp(
      `\\b(?:${type}${fn.owner === type ? '|Self' : ''})\\s*(?:\\(\\s*|\\{[^{}]*\\b${field.name}\\s*:\\s*)(${lent.join('|')})\\s*[,)}]`,
      'u',
    ).exec(plainText(unit, file, fn.bodySpan));
    if (!made) return [];
    const from = fn.bodySpan.start + made.index;
    const span: Span = { start: from, end: from + made[0].length };
    return [{ fn, param: made[1] ?? '', made: span, type, release: freed[1] ?? '', released }];
  });
}
