/** Threadsafe functions in closures that an object of JavaScript keeps: handlers of a router, entries of a list of listeners. */
import { isTakenOut, letsGo } from './callback-holders.js';
import { declaringFile } from './declarations.js';
import { plainText } from './plain-text.js';
import { isClassDecl, isStrong } from './threadsafe-functions.js';
import type { UnitFacts } from './unit.js';
import type { FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';

export interface KeptByClosure {
  readonly name: string;
  readonly span: Span;
  /** The field, with its class. */
  readonly keeper: string;
  readonly type: string;
  readonly at: Span;
}

/**
 * A strong threadsafe function that a method of a class calls in a closure, which goes into a field of `self`, alone or as part of what
 * a variable holds (`let app = Router::new().route(path, get(|r| cb.call(r)))`), in a class that lets go of nothing.
 */
export function findKeptByClosure(unit: UnitFacts, file: FileIr, fn: FunctionIr): KeptByClosure | undefined {
  if (fn.self === undefined || fn.owner === undefined || !fn.bodySpan) return undefined;
  const params = fn.params.filter((p) => p.type && isStrong(unit, file, p.type, true));
  if (params.length === 0) return undefined;
  const decl = unit.oracle('rust').declaration(fn.owner, file.path);
  const declaring = decl && isClassDecl(decl) ? declaringFile(unit, file, decl) : undefined;
  if (!decl || !declaring || letsGo(unit, declaring, decl.name)) return undefined;
  const text = plainText(unit, file, fn.bodySpan);
  const stores = /\bself\.(\w+)(?:\s*\.\s*\w+\s*\([^()]*\)\??)*\s*(?:\.\s*(?:push|push_back|insert)\s*\(|=(?!=))/gu;
  for (const { 0: whole, 1: field = '', index } of text.matchAll(stores)) {
    if (isTakenOut(unit, declaring, decl.name, field)) continue;
    const stored = text.slice(index + whole.length, endOfStatement(text, index + whole.length));
    for (const param of params) {
      const parts = [stored, ...(stored.match(/\b[a-z_]\w*\b/gu) ?? []).map((name) => initOf(text, name))];
      const called = new RegExp(
        `\\|[^|]*\\|(?:[^|]|\\|\\|)*?(?<![.\\w])${param.name}\\s*\\.\\s*call\\w*\\s*(?:::\\s*<[^;]*?>\\s*)?\\(`,
        'u',
      );
      if (!parts.some((part) => called.test(part))) continue;
      const start = fn.bodySpan.start + index;
      return {
        name: param.name,
        span: param.span,
        keeper: `${decl.name}.${field}`,
        type: decl.name,
        at: { start, end: start + whole.length },
      };
    }
  }
  return undefined;
}

/** What a variable is declared with; empty where it is not. */
function initOf(text: string, name: string): string {
  const made = new RegExp(`\\blet\\s+(?:mut\\s+)?${name}\\s*(?::[^=;]*)?=(?!=)`, 'u').exec(text);
  if (!made) return '';
  const start = made.index + made[0].length;
  return text.slice(start, endOfStatement(text, start));
}

/** The first semicolon outside of brackets. */
function endOfStatement(text: string, from: number): number {
  let depth = 0;
  for (let i = from; i < text.length; i++) {
    const char = text[i] ?? '';
    if ('([{'.includes(char)) depth++;
    else if (')]}'.includes(char)) depth--;
    else if (char === ';' && depth <= 0) return i;
  }
  return text.length;
}
