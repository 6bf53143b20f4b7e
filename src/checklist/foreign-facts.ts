import { lineOf } from '../facts/lines.js';
import type { UnitFacts } from '../facts/unit.js';
import type { Walked } from '../model/walk-body.js';
import type { Argument, Expr, FunctionIr } from '../model/ir.js';
import type { Fact } from './checklist.js';
import { factAt, type Subject } from './subject.js';

/** What a call into foreign code bears on: keys of the preconditions of Rust. */
export const foreignKeys = ['allocator', 'bounds', 'initialisation', 'lifetimes', 'validity'] as const;

type ForeignKey = (typeof foreignKeys)[number];
type ForeignFacts = Readonly<Record<ForeignKey, readonly Fact[]>>;

type Walk = readonly (readonly [Walked, FunctionIr])[];

const releases = /(?:^|_)(?:destroy|free|release|unref|delete|drop|dispose|close|dealloc|finalize)(?:_|$)/iu;
const acquires = /(?:^|_)(?:ref|retain|create|new|make|alloc|clone|copy|dup|open|acquire)(?:_|$)/iu;
const lengths = /(?:^|_)(?:len|length|size|count|n|num|capacity|bytes)(?:_|$)/iu;

/** What the calls of functions that an `extern` block declares show, and who releases what `self` points to. */
export function foreignFacts(subject: Subject, walk: Walk): ForeignFacts {
  const facts: Record<ForeignKey, Fact[]> = {
    allocator: [],
    bounds: [],
    initialisation: [],
    lifetimes: [],
    validity: [],
  };
  let usesSelf = false;
  for (const [{ expr }] of walk) {
    if (isSelfField(expr)) usesSelf = true;
    if (expr.kind === 'method' && expr.method === 'is_null')
      facts.validity.push(factAt(subject, expr.span, `${named(expr.receiver)}is compared with null.`));
    const declared = foreignCallee(subject.unit, expr);
    if (declared === undefined || expr.kind !== 'call') continue;
    const { name, params, returns } = declared;
    const add = (id: ForeignKey, text: string): void => {
      facts[id].push(factAt(subject, expr.span, text));
    };
    if (releases.test(name)) add('allocator', `The foreign '${name}' is called, by its name a release.`);
    else if (acquires.test(name))
      add('allocator', `The foreign '${name}' is called, by its name it gives something that has to be released.`);
    params.forEach(({ type, name: parameter }, at) => {
      if (type?.kind !== 'pointer') return;
      const argument = expr.args[at];
      const given = argument === undefined ? undefined : pathOf(argument);
      const what = given === undefined ? '' : ` ('${given}')`;
      const isFilled = argument !== undefined && isMutableAddress(argument.value);
      if (isFilled) add('initialisation', `The foreign '${name}' gets the address of '${parameter}' to write to.`);
      else add('lifetimes', `The foreign '${name}' gets a pointer${what} as '${parameter}'.`);
      const next = params[at + 1];
      if (next !== undefined && next.type?.kind !== 'pointer' && lengths.test(next.name))
        add('bounds', `The foreign '${name}' takes '${parameter}' together with the length '${next.name}'.`);
    });
    if (returns?.kind === 'pointer')
      add('validity', `The foreign '${name}' gives back a '${returns.text}', which may be null.`);
  }
  const owner = subject.fn?.owner;
  if (usesSelf && owner !== undefined) facts.lifetimes.push(...ownerFacts(subject, owner));
  facts.validity.push(...nullChecksAround(subject, facts.lifetimes.length > 0));
  return facts;
}

/** The declaration in an `extern` block that a call means, by its last name. */
function foreignCallee(unit: UnitFacts, expr: Expr): FunctionIr | undefined {
  if (expr.kind !== 'call' || expr.callee.kind !== 'name') return undefined;
  const name = expr.callee.path.at(-1);
  if (name === undefined) return undefined;
  return unit
    .functionsNamed(name, 'rust')
    .map(({ item }) => item)
    .find(({ abi, body, skipped }) => abi !== undefined && body === undefined && skipped !== true);
}

/** How the type of `self` ends what its raw pointer leads to. */
function ownerFacts(subject: Subject, owner: string): readonly Fact[] {
  const { unit } = subject;
  const holdsPointer = unit
    .typesNamed(owner, 'rust')
    .some(({ item }) =>
      item.fields.some(({ type }) => type?.kind === 'pointer' || /\bNonNull\b/u.test(type?.text ?? '')),
    );
  if (!holdsPointer) return [];
  return (['drop', 'clone'] as const).flatMap((name) => {
    const found = unit
      .functionsNamed(name, 'rust')
      .find(({ item }) => item.owner === owner && item.trait !== undefined);
    if (found === undefined || found.item.id === subject.fn?.id)
      return name === 'drop' && found === undefined
        ? [factAt(subject, subject.span, `'${owner}' holds a raw pointer and has no 'drop' of its own.`)]
        : [];
    const text =
      name === 'drop'
        ? `'${owner}' has a 'drop', after which its pointer is dead.`
        : `'${owner}' has a 'clone' written by hand, so several may hold one pointer.`;
    return [{ text, path: found.file.path, line: lineOf(unit, found.file, found.item.span.start) }];
  });
}

/** `if !p.is_null() { unsafe { … } }`: the check stands outside of the block. */
function nullChecksAround(subject: Subject, usesPointers: boolean): readonly Fact[] {
  if (!usesPointers || subject.kind !== 'unsafe-block') return [];
  return (subject.flow()?.calls ?? [])
    .filter(
      ({ callee, span }) => callee === 'is_null' && (span.end <= subject.span.start || span.start >= subject.span.end),
    )
    .map(({ span }) => factAt(subject, span, "'is_null' is asked in the function around it."));
}

function isSelfField(expr: Expr): boolean {
  return expr.kind === 'field' && expr.base.kind === 'name' && expr.base.path[0] === 'self';
}

function isMutableAddress(expr: Expr): boolean {
  return expr.kind === 'address' && expr.mutable;
}

function named(expr: Expr): string {
  const path = pathOfExpr(expr);
  return path === undefined ? 'A pointer ' : `'${path}' `;
}

function pathOf(argument: Argument): string | undefined {
  return pathOfExpr(argument.value);
}

/** `self.inner.ptr`: names and fields only, never other text of the source. */
function pathOfExpr(expr: Expr): string | undefined {
  if (expr.kind === 'name') return expr.path.join('::');
  if (expr.kind !== 'field') return undefined;
  const base = pathOfExpr(expr.base);
  return base === undefined ? undefined : `${base}.${expr.name}`;
}
