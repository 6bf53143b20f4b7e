import type { CallSite, FunctionFlow } from '../flow/result.js';
import { dependsOnAnotherField } from '../flow/released-by-drop.js';
import { isNumber, withoutAlias } from '../flow/types.js';
import type { FileIr, FunctionIr } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';
import { walkBody, walkExpression } from '../model/walk-body.js';
import { aggregateOf, calledName, methodsOf, withBodyOf } from './d-code.js';
import { isDecidedByOthers } from './released-by-hand.js';
import { type FieldRelease, releasesOfCopies, releasesOfTaken } from './released-fields.js';
import type { UnitFacts } from './unit.js';

/** A field that a method releases and leaves set, though the type's own `Drop` releases it too. */
export interface DoubleRelease {
  readonly field: string;
  readonly how: string;
  readonly span: Span;
  readonly drop: { readonly file: FileIr; readonly span: Span; readonly how: string };
}

/** Last word of functions of a library that end what they are given. */
const ENDS =
  /(?:^|[_a-z0-9])(?:close|free|freelibrary|destroy|release|delete|dispose|deinit|finalize|fini)(?:_?(?:r|ex|[a-z]|v?\d+))?$/iu;

/** Fields of `self` whose memory a method gives back, though `Drop` of the same type does it again. */
export function findDoubleReleases(unit: UnitFacts, file: FileIr, fn: FunctionIr): readonly DoubleRelease[] {
  if (fn.owner === undefined || fn.self === undefined || fn.trait === 'Drop') return [];
  const flow = unit.flowOf(file, fn);
  const known = [...releasesOf(flow), ...releasesOfCopies(flow)];
  const released = known.length > 0 || fn.isUnsafe ? known : endsOf(unit, file, fn.owner, flow);
  if (released.length === 0 || isSettled(flow) || isSetByHelper(unit, flow) || isFilled(flow, released)) return [];
  const drop = unit.oracle('rust').method(fn.owner, 'drop', file.path);
  if (drop?.fn.trait !== 'Drop') return [];
  const dropFile = unit.fileAt(drop.path);
  const called = dropFile && known.length > 0 ? findCallInDrop(unit, dropFile, drop.fn, fn) : undefined;
  if (dropFile && called)
    return onePerField(known.filter((one) => !isDecided(fn, one))).map(({ field, span, how }) => ({
      field,
      span,
      how,
      drop: { file: dropFile, span: called, how: fn.name },
    }));
  if (!dropFile || !drop.fn.body) return [];
  const dropFlow = unit.flowOf(dropFile, drop.fn);
  // A helper of `drop` is where the release stands, not a second one.
  if (dropFlow.calls.some((c) => c.callee.split('::').at(-1) === fn.name)) return [];
  const { body } = drop.fn;
  const dropped = (): readonly FieldRelease[] => [
    ...releasesOf(dropFlow),
    ...releasesOfCopies(dropFlow),
    ...releasesOfTaken(unit.textOf(dropFile.path) ?? '', body, dropFlow),
  ];
  const again =
    known.length > 0
      ? dropped().filter((r) => !BY_HAND.test(r.how) || !dependsOnAnotherField(body, r.span, r.field))
      : endsOf(unit, dropFile, fn.owner, dropFlow).filter((r) => !dependsOnAnotherField(body, r.span, r.field));
  return onePerField(released).flatMap(({ field, span, how }) => {
    if (isGivenAddress(unit, file, fn.owner ?? '', flow, { field, span })) return [];
    // Functions of other names end in `_delete` or `_free`, too, and remove an entry instead.
    const second = again.find((r) => r.field === field && isSameWay(r.how, how));
    return second ? [{ field, span, how, drop: { file: dropFile, span: second.span, how: second.how } }] : [];
  });
}

/** The first release of each field: what is taken over and dropped is named by what takes it over. */
function onePerField(released: readonly FieldRelease[]): readonly FieldRelease[] {
  return released.filter(({ field }, i) => released.findIndex((one) => one.field === field) === i);
}

/** `fn drop(&mut self) { self.close(); }` of a `close` that everybody may call before. */
function findCallInDrop(unit: UnitFacts, file: FileIr, drop: FunctionIr, fn: FunctionIr): Span | undefined {
  if (!fn.isPublic || fn.isUnsafe || fn.trait !== undefined || fn.self?.mode === 'value' || !drop.bodySpan)
    return undefined;
  // Nobody outside of its module calls a method of a private type.
  if (!isShown(unit, file, fn)) return undefined;
  const text = (unit.textOf(file.path) ?? '').slice(drop.bodySpan.start, drop.bodySpan.end);
  const call = new RegExp(
    String.raw`^\{\s*(?:let\s+_\s*=\s*)?(?:unsafe\s*\{\s*)?(self\s*\.\s*${fn.name}\s*\(\s*\))\s*;?\s*(?:\}\s*)?\}$`,
    'du',
  ).exec(text)?.indices?.[1];
  return call ? { start: drop.bodySpan.start + call[0], end: drop.bodySpan.start + call[1] } : undefined;
}

/** Whether the type of a method is public, and stands in no module that is not. */
function isShown(unit: UnitFacts, file: FileIr, { owner = '' }: FunctionIr): boolean {
  const declared = file.types.find((t) => t.name === owner);
  if (declared?.isPublic !== true) return false;
  const before = (unit.textOf(file.path) ?? '').slice(0, declared.span.start);
  return ![...before.matchAll(PRIVATE_MODULES)].some(({ 0: head, index }) => {
    const inside = before.slice(index + head.length);
    return inside.split('{').length >= inside.split('}').length;
  });
}

/** `mod inner {` */
const PRIVATE_MODULES = /^[ \t]*mod\s+\w+\s*\{/gmu;

/**
 * Whether something else than the field decides that a method releases it: a condition on another field or by another method of the value
 * (`if self.begin_close()`), or what runs the closure that does it (`self.once.call_once(..)`).
 */
function isDecided({ body }: FunctionIr, { span, field }: FieldRelease): boolean {
  if (!body || dependsOnAnotherField(body, span, field)) return true;
  let isOther = false;
  walkBody(body, ({ expr }) => {
    if (expr.kind === 'closure') isOther ||= isInside(span, expr.span);
    if (expr.kind !== 'if' && expr.kind !== 'match') return;
    walkExpression(expr.kind === 'if' ? expr.condition : expr.scrutinee, ({ expr: part }) => {
      isOther ||= part.kind === 'method' && part.receiver.kind === 'name' && part.receiver.path[0] === 'self';
    });
  });
  return isOther;
}

/** `self.clear()` of a method that sets a field. */
function isSetByHelper(unit: UnitFacts, flow: FunctionFlow): boolean {
  return flow.calls.some(({ method, receiver, resolved }) => {
    const place = receiver?.places[0];
    if (!method || !resolved || place?.root.kind !== 'self' || place.path.length > 0) return false;
    const helper = unit.fileAt(resolved.path)?.functions.find(({ id }) => id === resolved.functionId);
    if (!helper?.bodySpan) return false;
    return SETS_FIELD.test((unit.textOf(resolved.path) ?? '').slice(helper.bodySpan.start, helper.bodySpan.end));
  });
}

/** `self.handle = null_mut()`, `self.closed.set(true)`, `mem::take(&mut self.handle)` */
const SETS_FIELD =
  /\bself(?:\s*\.\s*\w+)+\s*(?:=(?!=)|\.\s*(?:set|store|take|replace|swap)\s*\()|\b(?:replace|swap|take)\s*\(\s*&\s*mut\s+self\s*\./u;

/** `self.handle.insert(other)` of an option that was released. */
function isFilled(flow: FunctionFlow, released: readonly FieldRelease[]): boolean {
  return flow.calls.some(({ method, callee, receiver }) => {
    const { root, path } = receiver?.places[0] ?? {};
    return (
      method &&
      /^(?:insert|get_or_insert|get_or_insert_with)$/u.test(callee) &&
      root?.kind === 'self' &&
      path?.length === 1 &&
      released.some(({ field }) => field === path[0])
    );
  });
}

/**
 * D: fields whose memory a public method gives back and leaves set, though the destructor of the same aggregate gives it back, too,
 * by itself or by calling the method. A method that sets any field is believed.
 */
export function findDoubleFrees(unit: UnitFacts, file: FileIr, fn: FunctionIr): readonly DoubleRelease[] {
  if (fn.kind !== 'method' || fn.isStatic || !fn.isPublic || fn.parent !== undefined || fn.name === 'opAssign')
    return [];
  const type = aggregateOf(file, fn);
  const destructor = type && methodsOf(file, type).find((one) => one.kind === 'destructor');
  if (type === undefined || destructor === undefined) return [];
  const flow = unit.flowOf(file, fn);
  // What was destroyed is marked as dead or set to its initial value: a second `destroy` does nothing, and `free` belongs to it.
  const released = releasesOf(flow).filter(({ how }) => !/(?:^|[.:])destroy$/u.test(how));
  if (released.length === 0 || isSettled(flow)) return [];
  // A helper of the package, or who is given the field's address, may set it anew.
  const text = (unit.textOf(file.path) ?? '').slice(fn.span.start, fn.span.end);
  if (flow.calls.some((call) => call.resolved !== undefined) || /(?<!&)&(?!&)\s*(?:this\s*\.\s*)?\w/u.test(text))
    return [];
  const called = findOwnCall(unit, file, destructor, fn.name);
  if (called !== undefined)
    // A struct ends where its variable does, and who closes one by hand takes care; an object is finalised by the collector all the same.
    return type.kind === 'class' && called.isToldNothing
      ? onePerField(released.filter((one) => fn.body && !isDecidedByOthers(fn.body, one.span, one.field))).map(
          (one) => ({
            ...one,
            drop: { file, span: called.span, how: fn.name },
          }),
        )
      : [];
  if (destructor.body === undefined) return [];
  const last = unit.flowOf(file, destructor);
  const again = releasesOf(last);
  return released.flatMap(({ field, span, how }) => {
    const second = again.find((one) => one.field === field);
    return second ? [{ field, span, how, drop: { file, span: second.span, how: second.how } }] : [];
  });
}

interface OwnCall {
  readonly span: Span;
  readonly isToldNothing: boolean;
}

/** `close()` in the destructor, where that need not have been read for anything else. */
function findOwnCall(unit: UnitFacts, file: FileIr, destructor: FunctionIr, name: string): OwnCall | undefined {
  const text = (unit.textOf(file.path) ?? '').slice(destructor.span.start, destructor.span.end);
  const full = text.includes(name) ? withBodyOf(unit, file, destructor) : undefined;
  let found: OwnCall | undefined;
  if (full !== undefined)
    walkBody(full.body, ({ expr }) => {
      if ((expr.kind !== 'call' && expr.kind !== 'method') || calledName(expr) !== name) return;
      if (expr.kind === 'call' || (expr.receiver.kind === 'name' && expr.receiver.path[0] === 'self'))
        found ??= { span: expr.span, isToldNothing: expr.args.length === 0 };
    });
  return found;
}

/** Fields of `self` that are given to a function of a library whose name says that it ends them. Descriptors are numbers, not memory. */
function endsOf(unit: UnitFacts, file: FileIr, owner: string, flow: FunctionFlow): readonly FieldRelease[] {
  const fields = unit.oracle('rust').declaration(owner, file.path)?.fields ?? [];
  return flow.calls.flatMap((call) => {
    const how = call.callee.split('::').at(-1) ?? '';
    const field = fieldOfSelf(call);
    if (call.method || field === undefined || !ENDS.test(how) || how === 'close') return [];
    if (
      call.resolved &&
      !isOfParameter(file, call) &&
      unit.functionsNamed(how, 'rust').some(({ item }) => item.abi === undefined || item.bodySpan)
    )
      return [];
    const type = fields.find((f) => f.name === field)?.type;
    return type === undefined || isNumber(type) || /fd$|^(?:SOCKET|HANDLE)$/iu.test(type.name)
      ? []
      : [{ field, span: call.span, how }];
  });
}

/** `T::free(self.raw)` of a type parameter of the impl: it is resolved only where each type that has the method releases in it. */
function isOfParameter(file: FileIr, { callee, span }: CallSite): boolean {
  const [parameter, ...others] = callee.split('::');
  return (
    others.length === 1 &&
    file.impls.some((i) => isInside(span, i.span) && i.generics.some(({ name }) => name === parameter))
  );
}

/** `handle_destroy(&mut self.handle)` of a field that is a pointer: the function is given its address to set it to null. */
function isGivenAddress(
  unit: UnitFacts,
  file: FileIr,
  owner: string,
  flow: FunctionFlow,
  { field, span }: Pick<FieldRelease, 'field' | 'span'>,
): boolean {
  const [given] = flow.calls.find((call) => call.span.start === span.start && !call.method)?.args ?? [];
  const address = given?.places.length === 0 ? given.pointers[0] : undefined;
  if (address === undefined || address.target.path.at(-1) !== field || !/^(?:&mut|addr_of!)$/u.test(address.how))
    return false;
  const declared = unit
    .oracle('rust')
    .declaration(owner, file.path)
    ?.fields.find((f) => f.name === field)?.type;
  return (
    withoutAlias(declared, unit.oracle('rust'), file.path)?.kind === 'pointer' ||
    new RegExp(String.raw`\bself\s*\.\s*${field}\s*\.\s*is_null\s*\(`, 'u').test(unit.textOf(file.path) ?? '')
  );
}

/** `self.handle` as the first argument. */
function fieldOfSelf({ args: [first] }: CallSite): string | undefined {
  const place = first?.places[0] ?? first?.pointers[0]?.target;
  const path = place?.path.filter((segment) => segment !== '*') ?? [];
  // In a closure `self` is a variable of the function around it.
  const isSelf = place?.root.kind === 'self' || (place?.root.kind === 'captured' && place.root.name === 'self');
  return isSelf && path.length === 1 ? path[0] : undefined;
}

function releasesOf(flow: FunctionFlow): readonly FieldRelease[] {
  const given = [...flow.summary.releases.filter((r) => r.renewed !== true), ...flow.summary.adopts].flatMap(
    ({ place, span, how }) =>
      place.root.kind === 'self' && place.path.length === 2 && place.path[1] === '*'
        ? [{ field: place.path[0] ?? '', span, how }]
        : [],
  );
  return [...given, ...droppedByHand(flow)];
}

/** Rust: fields that drop nothing by themselves and whose content is dropped or taken out. */
function droppedByHand(flow: FunctionFlow): readonly FieldRelease[] {
  return flow.calls.flatMap((call) => {
    const how = BY_HAND.exec(call.callee)?.[0];
    const field = how === undefined ? undefined : fieldOfSelf(call);
    return how === undefined || field === undefined ? [] : [{ field, span: call.span, how }];
  });
}

const BY_HAND = /ManuallyDrop::(?:drop|take)$/u;

/** Whether two releases speak of the same: dropped and taken out is one, since nothing remembers either. */
function isSameWay(one: string, other: string): boolean {
  return one === other || (BY_HAND.test(one) && BY_HAND.test(other));
}

/** The method notes what it did in a field, or keeps `Drop` from running: of itself, or of what it took apart for a look. */
function isSettled(flow: FunctionFlow): boolean {
  return (
    flow.accesses.some(
      (a) => a.place.root.kind === 'self' && (a.kind === 'write' || /^(?:set|store|take|replace|swap)$/u.test(a.what)),
    ) ||
    flow.calls.some((c) =>
      c.rows.some((row) =>
        row.effects.some(
          (e) =>
            e.kind === 'forget' ||
            (e.kind === 'grow' &&
              e.how === 'replace' &&
              c.args.some((a) => a.places.some((p) => p.root.kind === 'self'))),
        ),
      ),
    )
  );
}
