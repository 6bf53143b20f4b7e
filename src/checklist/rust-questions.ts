import { lineOf } from '../facts/lines.js';
import type { Walked } from '../model/walk-body.js';
import { describePlace } from '../flow/place.js';
import type { Expr, FunctionIr, ImplDecl } from '../model/ir.js';
import { isInside } from '../model/source.js';
import type { Fact, Question } from './checklist.js';
import { foreignFacts, foreignKeys } from './foreign-facts.js';
import { containersPointedInto, escapeFacts, growthFacts, staleFacts } from './pointer-facts.js';
import { distinct, factAt, type Subject } from './subject.js';

const PRECONDITIONS = {
  aliasing: [
    'Aliasing and mutability',
    'Is everything written through unaliased while it is written, and is nothing immutable written?',
  ],
  alignment: ['Alignment', 'Is every pointer aligned for the type that is read or written through it?'],
  bounds: ['Bounds', 'Does every offset, index and length stay inside one allocation?'],
  initialisation: ['Initialisation', 'Is everything that is read initialised?'],
  lifetimes: ['Lifetimes', 'Does what is pointed to live, and stay where it is, as long as the pointer is used?'],
  provenance: ['Provenance', 'Does every pointer come from the allocation that it is used for?'],
  validity: ['Validity', 'Is every value valid for its type?'],
  thread: ['Thread', 'May this run and may its data be used on every thread that can reach it?'],
  allocator: ['Allocator', 'Is memory freed once, and by the allocator and with the layout that made it?'],
} as const;

type Precondition = keyof typeof PRECONDITIONS;

/** What a call of this name bears on. Methods and functions of one name share a row. */
const OPERATIONS: Readonly<Record<string, readonly Precondition[]>> = {
  from_raw_parts: ['aliasing', 'alignment', 'bounds', 'initialisation', 'lifetimes'],
  from_raw_parts_mut: ['aliasing', 'alignment', 'bounds', 'initialisation', 'lifetimes'],
  slice_from_raw_parts: ['bounds'],
  slice_from_raw_parts_mut: ['bounds'],
  get_unchecked: ['bounds'],
  get_unchecked_mut: ['bounds', 'aliasing'],
  offset: ['bounds', 'provenance'],
  offset_from: ['provenance'],
  byte_add: ['bounds', 'alignment', 'provenance'],
  byte_offset: ['bounds', 'alignment', 'provenance'],
  set_len: ['bounds', 'initialisation'],
  copy_nonoverlapping: ['aliasing', 'alignment', 'bounds', 'initialisation'],
  copy_to_nonoverlapping: ['aliasing', 'alignment', 'bounds', 'initialisation'],
  copy_from_nonoverlapping: ['aliasing', 'alignment', 'bounds', 'initialisation'],
  read_unaligned: ['initialisation', 'lifetimes', 'validity'],
  write_unaligned: ['aliasing', 'lifetimes'],
  read_volatile: ['alignment', 'initialisation', 'lifetimes'],
  write_volatile: ['aliasing', 'alignment', 'lifetimes'],
  drop_in_place: ['lifetimes', 'aliasing'],
  assume_init: ['initialisation', 'validity'],
  assume_init_ref: ['initialisation', 'validity'],
  assume_init_mut: ['initialisation', 'validity'],
  assume_init_read: ['initialisation', 'validity'],
  zeroed: ['initialisation', 'validity'],
  uninitialized: ['initialisation', 'validity'],
  transmute: ['alignment', 'lifetimes', 'provenance', 'validity'],
  transmute_copy: ['alignment', 'bounds', 'lifetimes', 'validity'],
  transmute_unchecked: ['alignment', 'lifetimes', 'provenance', 'validity'],
  from_utf8_unchecked: ['validity'],
  from_utf8_unchecked_mut: ['validity'],
  as_bytes_mut: ['validity'],
  as_mut_vec: ['validity'],
  from_u32_unchecked: ['validity'],
  new_unchecked: ['validity'],
  unwrap_unchecked: ['validity'],
  unwrap_err_unchecked: ['validity'],
  unreachable_unchecked: ['validity'],
  assert_unchecked: ['validity'],
  align_to: ['alignment', 'validity'],
  align_to_mut: ['alignment', 'validity', 'aliasing'],
  from_raw: ['lifetimes', 'provenance'],
  from_raw_in: ['allocator', 'lifetimes', 'provenance'],
  from_ptr: ['initialisation', 'lifetimes', 'bounds'],
  alloc: ['allocator', 'initialisation'],
  alloc_zeroed: ['allocator'],
  realloc: ['allocator', 'lifetimes'],
  dealloc: ['allocator', 'lifetimes'],
  free: ['allocator', 'lifetimes'],
  malloc: ['allocator', 'initialisation'],
  increment_strong_count: ['lifetimes', 'allocator'],
  decrement_strong_count: ['lifetimes', 'allocator'],
  with_exposed_provenance: ['provenance'],
  with_exposed_provenance_mut: ['provenance'],
  from_exposed_addr: ['provenance'],
  set_var: ['thread'],
  remove_var: ['thread'],
};

type Walk = readonly (readonly [Walked, FunctionIr])[];

/** The preconditions of an unsafe block or function, with what the code shows. */
export function askAboutUnsafe(subject: Subject, walk: Walk): readonly Question[] {
  const facts = emptyFacts();
  for (const [walked] of walk) addOperation(subject, walked, facts);
  const foreign = foreignFacts(subject, walk);
  for (const id of foreignKeys) facts[id].push(...foreign[id]);

  facts.lifetimes.push(
    ...staleFacts(subject),
    ...escapeFacts(subject, new Set(['return', 'store', 'collect', 'spawn', 'throw'])),
  );
  for (const [key, place] of containersPointedInto(subject))
    facts.lifetimes.push(...growthFacts(subject, key, describePlace(place)));
  const flow = subject.flow();
  for (const span of flow?.suspensions ?? [])
    if (isInside(span, subject.span))
      facts.lifetimes.push(factAt(subject, span, "The function waits here ('await'), and other code runs meanwhile."));
  for (const { span, rawType, how } of flow?.adoptions ?? [])
    if (isInside(span, subject.span))
      facts.allocator.push(factAt(subject, span, `'${rawType}' takes the memory over by '${how}' and will free it.`));
  for (const { pointer, span, kind } of flow?.escapes ?? [])
    if (kind === 'spawn' && isInside(pointer.site, subject.span))
      facts.thread.push(
        factAt(subject, span, `A pointer to '${describePlace(pointer.target)}' goes to another thread or task.`),
      );
  for (const access of flow?.accesses ?? [])
    if (access.place.root.kind === 'global' && isInside(access.span, subject.span)) {
      const isMutable = subject.unit.globalsNamed(access.place.root.name, 'rust').some(({ item }) => item.mutable);
      if (!isMutable) continue;
      const fact = factAt(subject, access.span, `The mutable static '${describePlace(access.place)}' is touched.`);
      facts.thread.push(fact);
      facts.aliasing.push(fact);
    }
  return finish(facts);
}

/** What an `unsafe impl` promises; for `Send` and `Sync` only what those two speak of. */
export function askAboutImpl(subject: Subject, impl: ImplDecl): readonly Question[] {
  const facts = emptyFacts();
  const trait = impl.trait?.name ?? '';
  const isMarker = trait === 'Send' || trait === 'Sync';
  if (isMarker) {
    const target = impl.target.name;
    const type = subject.unit.typesNamed(target, 'rust')[0];
    facts.thread.push(factAt(subject, impl.headSpan, `'${target}' is declared '${trait}' by hand.`));
    for (const field of type?.item.fields ?? []) {
      const text = field.type?.text ?? '';
      if (
        type === undefined ||
        !/\*(?:const|mut)\b|\b(?:Rc|Weak|Cell|RefCell|UnsafeCell|NonNull|MutexGuard|Env|JsObject|dyn)\b/u.test(text)
      )
        continue;
      facts.thread.push({
        text: `The field '${field.name}' is '${text}', which is the reason why the compiler doesn't do it.`,
        path: type.file.path,
        line: lineOf(subject.unit, type.file, field.span.start),
      });
    }
    for (const { name, bounds } of impl.generics)
      if (!name.startsWith("'") && !bounds.some((bound) => bound.includes(trait)))
        facts.thread.push(factAt(subject, impl.headSpan, `The parameter '${name}' isn't bound by '${trait}'.`));
  }
  const wanted: readonly Precondition[] = isMarker ? ['aliasing', 'lifetimes', 'thread'] : preconditions();
  return finish(facts).filter(({ id }) => wanted.some((one) => one === id));
}

/** Reads and writes by pointer methods; `add`, `read` and the like are also names of safe methods. */
const POINTER_METHODS: Readonly<Record<string, readonly Precondition[]>> = {
  add: ['bounds', 'provenance'],
  sub: ['bounds', 'provenance'],
  read: ['alignment', 'initialisation', 'lifetimes', 'validity'],
  write: ['alignment', 'aliasing', 'lifetimes'],
  as_ref: ['alignment', 'aliasing', 'initialisation', 'lifetimes'],
  as_mut: ['alignment', 'aliasing', 'initialisation', 'lifetimes'],
  as_uninit_ref: ['alignment', 'aliasing', 'lifetimes'],
};

function addOperation(subject: Subject, { expr, around }: Walked, facts: Record<Precondition, Fact[]>): void {
  const add = (ids: readonly Precondition[], text: string): void => {
    for (const id of ids) facts[id].push(factAt(subject, expr.span, text));
  };
  const name =
    expr.kind === 'method'
      ? expr.method
      : expr.kind === 'call' && expr.callee.kind === 'name'
        ? expr.callee.path.at(-1)
        : undefined;
  const full = expr.kind === 'call' && expr.callee.kind === 'name' ? expr.callee.path.slice(-2).join('::') : name;
  if (name !== undefined && full !== undefined) {
    const own = Object.hasOwn(OPERATIONS, name) ? OPERATIONS[name] : undefined;
    // Only these take memory over; the `from_raw` of a handle wraps it.
    const row = /^(?:Box|Rc|Arc|Weak|CString)::from_raw$/u.test(full) ? [...(own ?? []), 'allocator' as const] : own;
    const isPointerLike = expr.kind === 'method' ? subject.kind === 'unsafe-block' : /\bptr::/u.test(`${full}`);
    const pointerRow = isPointerLike && Object.hasOwn(POINTER_METHODS, name) ? POINTER_METHODS[name] : undefined;
    const ids = row ?? pointerRow;
    if (ids !== undefined)
      add(
        ids,
        `'${full}' is called${row === undefined && expr.kind === 'method' ? ', if its receiver is a pointer' : ''}.`,
      );
  }
  if (expr.kind === 'deref') {
    const parent = around.at(-1);
    const isWritten =
      (parent?.kind === 'assign' && parent.target === expr) || (parent?.kind === 'address' && parent.mutable);
    add(
      isWritten ? ['aliasing', 'alignment', 'lifetimes'] : ['alignment', 'initialisation', 'lifetimes'],
      `${describeExpr(expr.base)} is dereferenced${isWritten ? ' to write' : ''}.`,
    );
  }
  if (expr.kind === 'cast' && expr.type.kind === 'pointer') {
    add(['alignment'], `A cast makes a '${expr.type.text}'.`);
    if (expr.value.kind === 'literal' || (expr.value.kind === 'cast' && expr.value.type.name === 'usize'))
      add(['provenance'], `A cast makes a '${expr.type.text}' of a number.`);
  }
  if (
    expr.kind === 'cast' &&
    expr.value.kind === 'cast' &&
    expr.value.type.kind === 'pointer' &&
    expr.type.name === 'usize'
  )
    add(['provenance'], 'A cast makes a number of a pointer.');
}

function describeExpr(expr: Expr): string {
  if (expr.kind === 'name') return `'${expr.path.join('::')}'`;
  if (expr.kind === 'field') return `'.${expr.name}'`;
  if (expr.kind === 'method') return `The result of '${expr.method}'`;
  return 'An expression';
}

function preconditions(): readonly Precondition[] {
  // Object.keys of a constant object gives exactly its keys.
  return Object.keys(PRECONDITIONS) as Precondition[];
}

function emptyFacts(): Record<Precondition, Fact[]> {
  return {
    aliasing: [],
    alignment: [],
    bounds: [],
    initialisation: [],
    lifetimes: [],
    provenance: [],
    validity: [],
    thread: [],
    allocator: [],
  };
}

function finish(facts: Readonly<Record<Precondition, readonly Fact[]>>): readonly Question[] {
  return preconditions().map((id) => ({
    id,
    title: PRECONDITIONS[id][0],
    text: PRECONDITIONS[id][1],
    facts: distinct(facts[id]),
  }));
}
