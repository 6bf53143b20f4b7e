import type { FileIr, FunctionIr } from '../model/ir.js';
import type { UnitFacts } from './unit.js';

/**
 * Rust: whether a function never lets the storage of a field move: before it adds, it asks for the capacity, and where that is used up
 * it puts the full storage aside whole (`let old = mem::replace(&mut self.current, next); self.full.push(old);`).
 */
export function putsAside(unit: UnitFacts, file: FileIr, fn: FunctionIr, field: string): boolean {
  if (!/^\w+$/u.test(field)) return false;
  const body = (unit.textOf(file.path) ?? '').slice(fn.span.start, fn.span.end);
  if (!body.includes('mem::replace') || !body.includes('capacity()')) return false;
  if (!new RegExp(String.raw`\.\s*${field}\s*\.\s*capacity\(\)`, 'u').test(body)) return false;
  const replace = String.raw`(?:(?:std|core)::)?mem::replace\(\s*&mut\s+(?:\w+\.)+${field}\s*,`;
  if (new RegExp(String.raw`\.\s*push(?:_back)?\(\s*${replace}`, 'u').test(body)) return true;
  const old = new RegExp(String.raw`\blet\s+(?:mut\s+)?(\w+)(?:\s*:[^=;]*)?\s*=\s*${replace}`, 'u').exec(body)?.[1];
  return old !== undefined && new RegExp(String.raw`\.\s*push(?:_back)?\(\s*${old}\s*\)`, 'u').test(body);
}
