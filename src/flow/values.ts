import { syntheticType } from './builtin-types.js';
import { describePlace, type Place } from './place.js';
import type { LockScope, Pointer, Value } from './result.js';
import { elementType, isVector, unwrapped } from './types.js';
import type { Expr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { NONE } from '../model/lists.js';

/** A value of which nothing is known. */
export const NOTHING: Value = { places: NONE, pointers: NONE };

/** Adapters whose closure gets the receiver's content and whose result is what the closure returned. */
export const CONTENT_ADAPTERS = new Set([
  'map',
  'map_or',
  'map_or_else',
  'and_then',
  'then',
  'filter_map',
  'flat_map',
  'for_each',
  'inspect',
  'is_some_and',
  'is_ok_and',
  'try_for_each',
  'find_map',
  'fold',
  'any',
  'all',
  'filter',
  'with',
  'unwrap_or_else',
  'or_else',
  'map_err',
  'ok_or_else',
  'get_or_insert_with',
  'get_or_init',
  'call_once',
  'each',
  'tap',
]);

/** A function of the unit and the file that declares it. */
export interface Resolved {
  readonly path: string;
  readonly fn: FunctionIr;
  /** It was found by what it lets grow. */
  readonly grows?: true;
}

/** Locks whose guards a value was reached through, by way of other pointers as well. */
export function guardsOf(value: Value): LockScope[] {
  const found: LockScope[] = [];
  for (const lock of [...value.pointers, ...(value.via ?? [])].flatMap(locksOf))
    if (!found.some((l) => l.span.start === lock.span.start)) found.push(lock);
  return found;
}

/** The locks under which a pointer was made; what a guard shows is under the guard's own. */
export function locksOf(pointer: Pointer): readonly LockScope[] {
  return pointer.form === 'guard'
    ? [...pointer.locks, { span: pointer.site, what: describePlace(pointer.target) }]
    : pointer.locks;
}

/** What an adapter's closure is given: the content of an Option or Result, an element of anything else. */
export function contentType(type: TypeRef | undefined): TypeRef | undefined {
  const bare = unwrapped(type);
  return bare === type && type?.kind !== 'path'
    ? (elementType(type) ?? type)
    : bare === type &&
        type !== undefined &&
        /^(Vec|VecDeque|HashSet|BTreeSet|HashMap|BTreeMap|SmallVec|Box|IntoIter)$/.test(type.name)
      ? elementType(type)
      : bare;
}

/** The type of what an adapter makes of its closure's result: `map` wraps it, `and_then` hands it on. */
export function adaptedType(method: string, results: readonly Value[], span: Span): TypeRef | undefined {
  const type = results.find((r) => r.type)?.type;
  if (!type) return undefined;
  if (method === 'map') return syntheticType('Option', span, [type]);
  return method === 'and_then' || method === 'map_or' || method === 'unwrap_or_else' || method === 'or_else'
    ? type
    : undefined;
}

/** The type of `result.map(Some)`: what is in it is wrapped once more; undefined for any other call. */
export function wrappedContent(
  method: string,
  given: Expr | undefined,
  receiver: TypeRef | undefined,
  span: Span,
): TypeRef | undefined {
  const wrapper = given?.kind === 'name' && given.path.length === 1 ? given.path[0] : undefined;
  if (method !== 'map' || receiver?.kind !== 'path' || !/^(?:Option|Result)$/u.test(receiver.name)) return undefined;
  const [content, ...rest] = receiver.args;
  if (content === undefined || (wrapper !== 'Some' && wrapper !== 'Ok')) return undefined;
  return { ...receiver, args: [syntheticType(wrapper === 'Some' ? 'Option' : 'Result', span, [content]), ...rest] };
}

/** The type of `Some(x)` or `Ok(x)`; undefined when that of `x` is not known. */
export function wrapping(name: 'Option' | 'Result', type: TypeRef | undefined, span: Span): TypeRef | undefined {
  return type && syntheticType(name, span, [type]);
}

/** Where a variable's content was before, when it was one known place. */
export function originFrom(value: Value): { origin?: Place } {
  const place =
    value.places.length === 1
      ? value.places[0]
      : value.places.length === 0 && value.pointers.length === 1
        ? value.pointers[0]?.target
        : undefined;
  return place && place.root.kind !== 'temp' ? { origin: place } : {};
}

/** For spreading: the type, when there is one. */
export function optionalType(type: TypeRef | undefined): { type?: TypeRef } {
  return type ? { type } : {};
}

/** Each pointer once, in order. */
export function uniquePointers(pointers: readonly Pointer[]): Pointer[] {
  return [...new Map(pointers.map((p) => [p.id, p])).values()];
}

/** What a value is that may be any of these. */
export function merged(values: readonly Value[]): Value {
  if (values.length === 1 && values[0]) return values[0];
  const pointers = uniquePointers(values.flatMap((v) => v.pointers));
  const adopts = values.flatMap((v) => v.adopts ?? []);
  const closure = values.find((v) => v.closure !== undefined)?.closure;
  return {
    places: values.flatMap((v) => v.places),
    pointers,
    ...optionalType(values.find((v) => v.type)?.type),
    ...(values.some((v) => v.owned) ? { owned: true } : {}),
    ...(adopts.length > 0 ? { adopts } : {}),
    ...(closure !== undefined ? { closure } : {}),
  };
}

/** Rust: an iterator that goes on over two values together. */
export function zipped(first: Value, second: Value): Value {
  return { ...first, pointers: uniquePointers([...first.pointers, ...second.pointers]), pair: [first, second] };
}

/** For spreading: what `part` makes of each side of a pair, when the value is one. */
export function pairOf({ pair }: Value, part: (one: Value) => Value): Pick<Value, 'pair'> {
  return pair ? { pair: [part(pair[0]), part(pair[1])] } : {};
}

/** The value, which frees nothing when it ends. */
export function withoutAdopts({ adopts: _, ...value }: Value): Value {
  return value;
}

/** Whether the value is what its place owns: it holds no pointers, or is a vector of some. */
export function isWhole({ pointers, type }: Value): boolean {
  return pointers.length === 0 || isVector(type);
}

/** D: the type of a range or array of pieces of a text or an array, as far as the flow core needs to know it. */
export const PARTS = '<parts>';

/** D: the pieces that something was cut into. */
export function isParts(value: Value): boolean {
  return value.type?.kind === 'path' && value.type.name === PARTS;
}
