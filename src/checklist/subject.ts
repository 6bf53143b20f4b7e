import { createHash } from 'node:crypto';
import { outermost } from '../facts/d-code.js';
import { lineOf } from '../facts/lines.js';
import type { UnitFacts } from '../facts/unit.js';
import type { FunctionFlow } from '../flow/result.js';
import type { FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import type { EntryKind, Fact } from './checklist.js';

/** A piece of code to be vouched for, with what is needed to ask about it. */
export interface Subject {
  readonly unit: UnitFacts;
  readonly file: FileIr;
  readonly kind: EntryKind;
  readonly name: string;
  readonly span: Span;
  /** The function that it is or stands in; absent for impls. */
  readonly fn?: FunctionIr;
  /** The outermost function around it: a change anywhere in it touches the subject. */
  readonly outer?: FunctionIr;
  /** Found out on demand. */
  readonly flow: () => FunctionFlow | undefined;
}

export function makeSubject(unit: UnitFacts, file: FileIr, kind: EntryKind, span: Span, fn: FunctionIr): Subject {
  const outer = outermost(file, fn);
  let flow: FunctionFlow | undefined;
  const flowOf = (): FunctionFlow | undefined =>
    outer.body === undefined || outer.hasError === true ? undefined : (flow ??= unit.flowOf(file, outer));
  return { unit, file, kind, name: fn.qualifiedName, span, fn, outer, flow: flowOf };
}

/** A fact about a place of the subject's file. */
export function factAt({ unit, file }: Subject, span: Span, text: string): Fact {
  return { text, path: file.path, line: lineOf(unit, file, span.start) };
}

/** The same sentence at the same place is said once. */
export function distinct(facts: readonly Fact[]): readonly Fact[] {
  return [...new Map(facts.map((fact) => [`${fact.path}\0${String(fact.line)}\0${fact.text}`, fact])).values()];
}

export function digest(parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 16);
}
