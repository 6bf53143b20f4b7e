import { isAlwaysRun } from './always-run.js';
import type { Match } from './api-index.js';
import type { ApiRow, Effect, Operand } from './api.js';
import {
  builtinCallType,
  builtinMethodType,
  givenOutType,
  ownsContent,
  removedType,
  syntheticType,
} from './builtin-types.js';
import { Closures } from './closures.js';
import { isCountedClone } from './counted-clones.js';
import { describePlace, extend, isElementOf, isWithin, leadingMember, placeKey, type Place } from './place.js';
import type { Growth, Invalidation, Pointer, PointerForm, Summary, Value } from './result.js';
import { isDropped } from './owned-values.js';
import { elementType, isGrowable, isNumber, isVector, peel, SCALAR, unwrapped } from './types.js';
import {
  adaptedType,
  CONTENT_ADAPTERS,
  guardsOf,
  isParts,
  isWhole,
  NOTHING,
  optionalType,
  type Resolved,
  uniquePointers,
  wrappedContent,
  zipped,
} from './values.js';
import type { Expr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { NONE } from '../model/lists.js';

/** Methods that make a pointer to another element out of one. */
const ARITHMETIC = new Set([
  'add',
  'sub',
  'offset',
  'wrapping_add',
  'wrapping_sub',
  'wrapping_offset',
  'byte_add',
  'byte_sub',
  'byte_offset',
]);

/** Methods of an iterator that yield one element. */
const ITERATOR_STEPS = new Set(['next', 'next_back', 'nth', 'find', 'rfind', 'max_by_key', 'min_by_key']);

/** Ends of the names of functions that open an object where it is. */
const OPENS: readonly string[] = ['_open', '_reopen', '_init', '_start', '_connect', '_setup'];

/** What makes a block that its maker frees, whatever a library does with the object in it. */
const OWN_BLOCK = /(?:^|::)(?:(?:into_raw|leak)(?:_with_allocator)?|[mc]alloc|alloc(?:_zeroed)?)$/u;

/** Types of the standard library whose methods are called by path, too. */
const STANDARD =
  /^(?:Vec|VecDeque|String|str|CStr|CString|OsStr|OsString|Path|PathBuf|Option|Result|NonNull|BytesMut)$/u;

/** What shows the block of a vector as a whole. */
const SHOWS_BLOCK: ReadonlySet<string> = new Set(['as_ptr', 'as_mut_ptr', 'as_slice', 'as_mut_slice']);

const MAKES_SLICE = /(?:^|::)(?:slice_)?from_raw_parts(?:_mut)?$/u;
const BOXES = /(?:^|::)(?:Box|Rc|Arc|Cell|RefCell|Mutex)::(?:new|pin)$/u;
const PLAIN = /^(?:[iu](?:8|16|32|64|128|size)|f32|f64|bool|char|String|CString|OsString|PathBuf)$/u;
/** Methods that take an Option or Result apart and give its content by value. */
const CONSUMES: ReadonlySet<string> = new Set([
  'unwrap',
  'expect',
  'unwrap_or',
  'unwrap_or_default',
  'unwrap_or_else',
  'unwrap_unchecked',
]);

/** `*mut [T]` for a `*mut T`. */
function sliceOf(pointer: TypeRef, element: TypeRef): TypeRef {
  return {
    ...pointer,
    text: `*${pointer.mutable === true ? 'mut' : 'const'} [${element.text}]`,
    element: { ...syntheticType('', pointer.span), kind: 'slice', text: `[${element.text}]`, path: [], element },
  };
}

/** What a known call does: the effects of a row of the API tables, and the summary of a function of the unit. */
export abstract class Effects extends Closures {
  /** Rust: `CString::as_ptr(&text)` is `text.as_ptr()`. */
  protected methodByPath(path: readonly string[]): readonly Match[] {
    const owner = path.at(-2);
    if (!this.rust || owner === undefined || !STANDARD.test(owner)) return [];
    return this.settings.apis.method(path.at(-1) ?? '', syntheticType(owner, this.fn.nameSpan));
  }

  /** D: memory on the function's own stack, which ends with it as a local does. */
  private stackMemory(name: string, span: Span, row: ApiRow): Value {
    const type: TypeRef = { ...syntheticType('', span), kind: 'static-array', text: 'void[N]', path: [] };
    const root = this.makeRoot({ kind: 'local', name, span, byValue: true, declared: 'call', storage: 'stack', type });
    return { places: NONE, pointers: [this.borrow({ root, path: ['[]'] }, 'raw', true, span, name, row)] };
  }

  /**
   * D: the block of an array literal whose elements are addresses, as a slice: what is read from the array is what was put into it.
   * Undefined for other literals, of which nothing has to be known.
   */
  protected arrayBlock(elements: Value, span: Span): Pointer | undefined {
    const held = elements.pointers.filter((p) => p.form === 'raw');
    if (held.length === 0) return undefined;
    const root = this.makeBlock('array literal', span, 'gc');
    const target = { root, path: ['[]'] };
    this.state.write(target, { pointers: held });
    return this.borrow(target, 'slice', false, span, '[..]');
  }

  /** Rust: a function that is named where a closure could stand (`.map(CStr::as_ptr)`), applied to `given`. */
  private applyNamed(expr: Expr | undefined, given: Value | undefined): Value | undefined {
    if (!this.rust || expr?.kind !== 'name' || !given || given.pointers.length === 0) return undefined;
    const { path, span } = expr;
    if (path.length === 1 && this.lookup(path[0] ?? '')) return undefined;
    const matches = this.settings.apis.path(path);
    const name = path.at(-1) ?? '';
    if (matches.length > 0)
      return this.applyMatches(matches, undefined, [given], [expr], expr, path.join('::'), false, undefined);
    const resolved = this.resolveCall(path);
    if (resolved && (resolved.fn.body || resolved.fn.skipped === true)) {
      const { self, params } = resolved.fn;
      return this.applySummary(
        resolved,
        self ? given : undefined,
        self ? [] : [this.coerce(given, params[0]?.type)],
        span,
        name,
        path.at(-2),
      );
    }
    const byPath = this.methodByPath(path);
    return byPath.length > 0 ? this.applyMatches(byPath, given, [], [], expr, name, true, undefined) : undefined;
  }

  /** A call that rows of the API tables describe; returns what they say that it returns. */
  protected applyMatches(
    matches: readonly Match[],
    receiver: Value | undefined,
    values: readonly Value[],
    exprs: readonly Expr[],
    expr: Expr,
    name: string,
    method: boolean,
    typeArgs: readonly TypeRef[] | undefined,
  ): Value {
    let pointers: Pointer[] = [];
    let adopts: Pointer[] = [];
    let owned = false;
    let places: readonly Place[] = [];
    let takenFrom: Value['takenFrom'];
    let pair: Value['pair'];
    let type = method
      ? builtinMethodType(name, receiver?.type, expr.span)
      : this.plain(builtinCallType(name.split(/::|\./), expr.span, typeArgs));
    const content = values[0]?.type;
    if (!method && type && content && type.args.length === 0 && BOXES.test(name) && type.kind === 'path')
      type = { ...type, args: [content] };
    // `list.pop()` of owners gives one that nobody holds yet.
    const removed =
      method && this.rust
        ? (removedType(name, receiver?.type, expr.span) ?? this.givenOut(name, receiver, expr.span))
        : undefined;
    if (removed) {
      owned = true;
      type = removed;
    }
    let ranClosures = false;
    const adapted: Value[] = [];
    for (const { row, weak } of matches) {
      for (const effect of row.effects) {
        const result = this.applyEffect(effect, row, receiver, values, exprs, expr.span, name, weak, typeArgs);
        if (effect.kind === 'call-now') {
          ranClosures = true;
          if (result) adapted.push(result);
        }
        if (!result) continue;
        pointers = [...pointers, ...result.pointers];
        adopts = [...adopts, ...(result.adopts ?? [])];
        owned ||= result.owned === true;
        if (result.places.length > 0) places = result.places;
        pair ??= result.pair;
        takenFrom ??= result.takenFrom;
        type ??= result.type;
      }
    }
    if (!ranClosures) {
      const spawned = matches.some((m) => m.row.effects.some((e) => e.kind === 'spawn'));
      if (!spawned)
        for (const r of this.runClosureArguments(values, exprs, receiver, name, 'unknown')) {
          pointers = [...pointers, ...r.pointers];
          adapted.push(r);
        }
    }
    // `.map(CString::new)` makes what the constructor makes.
    if (method && this.rust && adapted.every((r) => !r.type))
      for (const given of exprs) {
        const made =
          given.kind === 'name' && given.path.length > 1 ? builtinCallType(given.path, given.span) : undefined;
        if (made) adapted.push({ ...NOTHING, type: made });
      }
    if (method)
      type = wrappedContent(name, exprs[0], receiver?.type, expr.span) ?? adaptedType(name, adapted, expr.span) ?? type;
    // A pointer and a length make a pointer to all of the elements.
    if (!method && type?.kind === 'pointer' && type.element && MAKES_SLICE.test(name))
      type = sliceOf(type, type.element);
    // Where `cast` says no type, the place that it is used at does.
    const inferred = this.rust && type?.kind === 'pointer' ? syntheticType('_', expr.span) : undefined;
    const aim = method && name === 'cast' ? (typeArgs?.[0] ?? inferred) : undefined;
    if (aim)
      type = { ...syntheticType('', expr.span), kind: 'pointer', text: `*mut ${aim.text}`, path: [], element: aim };
    return {
      places,
      pointers: uniquePointers(pointers),
      ...optionalType(type),
      ...(owned ? { owned } : {}),
      ...(adopts.length > 0 ? { adopts } : {}),
      ...(pair ? { pair } : {}),
      ...(takenFrom ? { takenFrom } : {}),
    };
  }

  /** Rust: the type of what `list.into_iter()` yields one by one, which nobody holds yet. */
  protected givenOut(name: string, receiver: Value | undefined, span: Span): TypeRef | undefined {
    const isOwn =
      name === 'drain' ||
      receiver?.owned === true ||
      (receiver?.pointers.length === 0 &&
        receiver.places.length > 0 &&
        receiver.places.every(({ root, path }) => root.byValue && path.every((step) => step !== '*' && step !== '[]')));
    return isOwn ? givenOutType(name, receiver?.type, span, (type) => this.isPlainOwner(type)) : undefined;
  }

  /** A struct of the unit that owns all it holds, and shows some of it: texts and vectors, no borrows, counts or bare pointers. */
  private isPlainOwner(type: TypeRef): boolean {
    if (type.kind !== 'path' || type.args.length > 0) return false;
    const decl = this.settings.oracle.declaration(type.name, this.file.path);
    if (decl?.kind !== 'struct' || decl.generics.length > 0) return false;
    const isWhole = (t: TypeRef | undefined): boolean =>
      ownsContent(t) || isNumber(t) || (t?.kind === 'static-array' && isNumber(t.element));
    return decl.fields.every((f) => isWhole(f.type)) && decl.fields.some((f) => ownsContent(f.type));
  }

  /** What is read through a reference: the pointers stored there, or whatever else it leads to. */
  private contentOf(value: Value, span: Span, how: string, row: ApiRow): Value {
    return {
      places: NONE,
      pointers: value.pointers.flatMap(
        (p) =>
          this.state.read(p.target)?.pointers ?? [
            this.borrow(extend(p.target, '*'), 'reference', true, span, how, row),
          ],
      ),
    };
  }

  /** Applies one effect of a row; returns what it contributes to the call's result. */
  protected applyEffect(
    effect: Effect,
    row: ApiRow,
    receiver: Value | undefined,
    values: readonly Value[],
    exprs: readonly Expr[],
    span: Span,
    name: string,
    weak: boolean,
    typeArgs?: readonly TypeRef[],
  ): Value | undefined {
    const operand = (o: Operand): Value =>
      o === 'receiver' ? (receiver ?? values[0] ?? NOTHING) : o === 'result' ? NOTHING : (values[o] ?? NOTHING);
    const operandSpan = (o: Operand): Span => (typeof o === 'number' ? (exprs[o]?.span ?? span) : span);
    switch (effect.kind) {
      case 'grow': {
        const value = operand(effect.target);
        this.grow(this.subjects(value), [...(value.via ?? []), ...value.pointers], span, effect.how, name, weak, row);
        if (effect.reads) for (const added of values) this.use(added, span, 'argument', name);
        return undefined;
      }
      case 'borrow': {
        const value = operand(effect.from);
        // What is not a reference is converted, not pointed to.
        if (effect.element === false && effect.from !== 'receiver' && this.rust && isMade(value)) return undefined;
        // `pointers.as_mut_ptr()` shows the vector's own block, whatever its elements point to.
        const view = this.isView(value);
        if (
          this.rust &&
          SHOWS_BLOCK.has(name) &&
          value.places.length > 0 &&
          isVector(value.type) &&
          value.pointers.every((p) => p.form === 'raw')
        ) {
          const form = effect.as === 'raw-pointer' ? 'raw' : effect.as;
          const locks = guardsOf(value);
          return {
            places: NONE,
            pointers: value.places.map((p) => this.borrow(extend(p, '[]'), form, false, span, name, row, locks)),
          };
        }
        // `items.collect::<Vec<_>>().as_ptr()` shows the block of a vector that ends with the statement.
        if (value.collected === true && SHOWS_BLOCK.has(name)) {
          const block: Place = { root: this.makeTemp(operandSpan(effect.from), value.type), path: ['[]'] };
          const form = effect.as === 'raw-pointer' ? 'raw' : effect.as;
          return { places: NONE, pointers: [this.borrow(block, form, false, span, name, row)] };
        }
        if (value.pointers.length > 0 && (view || value.pointers.every((p) => p.form === 'raw'))) {
          // A pointer taken from a pointer still points where that one did.
          const pointers =
            effect.as === 'raw-pointer'
              ? value.pointers.map((p) =>
                  p.form === 'raw' ? p : this.borrow(p.target, 'raw', p.erased, p.site, p.how, row, p.locks),
                )
              : value.pointers;
          return { places: NONE, pointers };
        }
        const form: PointerForm = effect.as === 'raw-pointer' ? 'raw' : effect.as;
        // A reference of unknown target, given where a reference is wanted, leads beyond the variable that holds it.
        const isLent = effect.element === false && value.pointers.length === 0 && value.places.length > 0;
        // A cell with a container gives the container itself.
        const isContainerCell = effect.cell === true && isGrowable(value.type?.args[0], 'rust') === true;
        // `entry.as_mut()` of a box that a container lends leads to the content of the box, which stays where it is.
        const lent = value.type?.kind === 'reference' ? value.type.element : undefined;
        const isBoxContent =
          this.rust && /^as_(?:ref|mut)$/u.test(name) && lent?.kind === 'path' && lent.name === 'Box';
        const targets = this.materialise(value, operandSpan(effect.from)).map((p) =>
          isLent || (isBoxContent && p.path.at(-1) === '[]')
            ? extend(p, '*')
            : effect.as === 'guard' ||
                effect.element === false ||
                isContainerCell ||
                (p.path.at(-1) === '[]' && !this.ownsBlock(p) && !this.isArrayItem(p))
              ? p
              : extend(p, '[]'),
        );
        const guards = guardsOf(value);
        // What is reached through the pointer that a cell gives is not checked by the compiler either.
        const erased = value.pointers.some((p) => p.erased && isFromCell(p));
        return { places: NONE, pointers: targets.map((t) => this.borrow(t, form, erased, span, name, row, guards)) };
      }
      case 'pass': {
        const value = operand(effect.from);
        if (effect.reads === true) this.use(value, span, 'argument', name);
        if (effect.parts === true) return this.partsOf(value, name, span);
        // What each piece is made into may be a number as well.
        if (isParts(value) && name === 'map') return NOTHING;
        if (this.rust && ARITHMETIC.has(name) && value.pointers.some((p) => this.isElementGone(p)))
          return { ...value, places: NONE, pointers: value.pointers.map((p) => this.nextElement(p, span)) };
        if (row.id === 'manually-drop-into-inner')
          for (const place of value.places) this.useDropped(place, span, 'release', name);
        // `opt.unwrap()` of an Option that owns its content makes a value that nobody holds yet.
        if (CONSUMES.has(name) && effect.from === 'receiver' && this.rust && this.isOwnedContent(value)) {
          this.moveOut(value);
          return { places: NONE, pointers: NONE, owned: true, ...optionalType(unwrapped(value.type)) };
        }
        const made = exprs.length === 0 && name === 'collect' ? typeArgs?.[0] : undefined;
        if (made && this.rust && isPlainOwner(made)) return { places: NONE, pointers: NONE, owned: true, type: made };
        const beside = effect.beside === undefined ? NOTHING : operand(effect.beside);
        const passed =
          effect.raw === true ? this.asRaw(value) : beside.pointers.length > 0 ? zipped(value, beside) : value;
        const pointers = ITERATOR_STEPS.has(name) ? this.elementsOf(passed.pointers) : passed.pointers;
        if (made && this.rust && isVector(made))
          return { places: NONE, pointers, owned: true, collected: true, type: made };
        const owner = name === 'into' && this.rust ? this.intoOwner(value) : undefined;
        if (owner) {
          this.moveOut(value);
          return { places: NONE, pointers: NONE, owned: true, type: owner };
        }
        const wanted = made ?? (name === 'into' ? this.convertedType(value.type, span) : undefined);
        const isBoxed = this.rust && BOXES.test(name) && value.places.length === 0 && pointers.length === 0;
        return {
          ...passed,
          pointers,
          ...(isBoxed ? { owned: true } : {}),
          ...optionalType(wanted ?? unwrapped(value.type)),
        };
      }
      case 'element': {
        const value = operand(effect.of);
        const type = elementType(value.type);
        // An entry that is an array leads elsewhere.
        const isKnown =
          type?.kind === 'path' &&
          (SCALAR.test(type.name) || this.settings.oracle.declaration(type.name, this.file.path)?.kind === 'struct');
        if (!isKnown) return { places: NONE, pointers: NONE, ...optionalType(type) };
        const places = this.storageOf(value).map((p) => extend(p, '[]'));
        const read = places[0] ? this.valueOf(places[0], type) : NOTHING;
        return { places, pointers: read.pointers, ...optionalType(type) };
      }
      case 'erase': {
        const given = operand(effect.from);
        const value = effect.through === true ? this.contentOf(given, span, name, row) : given;
        const made = this.rust ? typeArgs?.[1] : undefined;
        // `transmute::<&T, Box<T>>(&x)` makes an owner of what was only pointed to.
        if (
          made?.kind === 'path' &&
          made.name === 'Box' &&
          /^(?:reference|pointer)$/u.test(typeArgs?.[0]?.kind ?? '')
        ) {
          const taken = value.pointers
            .filter((p) => p.form !== 'closure')
            .map((p) => this.borrow(p.target, 'raw', true, p.site, p.how, p.row, p.locks));
          this.adopt(taken, 'Box', name, span, made.args[0]);
          return { places: NONE, pointers: NONE, adopts: taken, owned: true, type: made };
        }
        // The end of the string is looked for in it.
        if (row.id === 'cstr-from-ptr') this.use(value, span, 'argument', name);
        const pointers = value.pointers.map((p) => {
          const gone = this.state.invalid.get(p.id) ?? [];
          const view = this.borrow(
            p.target,
            p.form === 'raw' ? 'slice' : p.form,
            true,
            p.site,
            p.how,
            p.row ?? row,
            p.locks,
          );
          for (const invalidation of gone) this.state.addInvalid(view.id, invalidation);
          return view;
        });
        const views =
          pointers.length > 0
            ? pointers
            : (value.type === undefined ||
              value.type.kind === 'reference' ||
              value.type.kind === 'pointer' ||
              (value.type.kind === 'path' && (value.type.lifetimes?.length ?? 0) > 0)
                ? value.places
                : []
              ).map((p) => this.borrow(extend(p, '*'), 'reference', true, span, name, row));
        return { places: NONE, pointers: views, ...optionalType(value.type) };
      }
      case 'duplicate': {
        const value = operand(effect.from);
        this.use(value, span, 'argument', name);
        const adopts = this.duplicate(value.pointers, name, span);
        for (const { target } of value.pointers)
          if (target.path.at(-1) === '[]')
            this.empty({ root: target.root, path: target.path.slice(0, -1) }, span, name, row, true);
        return {
          places: NONE,
          pointers: NONE,
          owned: true,
          ...optionalType(
            value.type?.kind === 'pointer' || value.type?.kind === 'reference' ? value.type.element : undefined,
          ),
          ...(adopts.length > 0 ? { adopts } : {}),
        };
      }
      case 'take': {
        const value = operand(effect.from);
        if (effect.from === 'receiver') {
          for (const place of value.places) this.empty(place, span, name, row, effect.isDropped !== true);
          return { places: NONE, pointers: NONE, owned: true, ...optionalType(peel(value.type)?.args[0]) };
        }
        for (const p of value.pointers) this.dropByHand(p, span, name, row, true);
        return { places: NONE, pointers: NONE, owned: true };
      }
      case 'copy': {
        const value = operand(effect.from);
        this.use(value, span, 'argument', name);
        // D: an array of pieces, each of which shows what it was cut out of.
        if (isParts(value) && (name === 'array' || name === 'dup')) return value;
        // One value, not the bytes of it.
        if (row.id === 'copy-nonoverlapping' && values[2]?.literal === '1' && value.type?.element?.kind === 'path')
          this.duplicate(
            value.pointers.filter((p) => p.target.path.length === 0),
            name,
            span,
          );
        // D: the copy of a static array is a slice of memory of the collector.
        const type =
          !this.rust && value.type?.kind === 'static-array' ? { ...value.type, kind: 'slice' as const } : value.type;
        return { places: NONE, pointers: NONE, owned: true, ...optionalType(type) };
      }
      case 'release': {
        const value = operand(effect.target);
        if (!this.rust) {
          const given = typeof effect.target === 'number' ? exprs[effect.target] : undefined;
          // Half of a mapping: what lies before it stays.
          if (given?.kind === 'binary' || given?.kind === 'if') return undefined;
          // `part.dispose(reason)`: a number or an enumerator is told, not released.
          const { type } = value;
          if (type?.kind === 'path' && (SCALAR.test(type.name) || this.isEnum(type))) return undefined;
          if (effect.by === 'destroy') this.runDestructor(value, span);
          if (
            effect.by === 'destroy' &&
            (this.staysUsable(value.type) || value.places.some((p) => p.root.kind === 'unknown'))
          )
            return undefined;
        }
        // A number has nothing to drop.
        if (effect.by === 'drop_in_place' && isNumber(value.type?.element)) return undefined;
        if (
          'suffix' in row.match &&
          row.unlessBeside &&
          !this.isLastEnd(name, row.match.suffix, row.unlessBeside, value)
        )
          return undefined;
        // A name that merely ends like a release must at least be given a pointer.
        if ('suffix' in row.match && !this.isPointerType(value.type) && !value.pointers.some((p) => p.form === 'raw'))
          return undefined;
        // `lib_free(context, block as *mut c_void)`: the block goes back to what it came from, which stays.
        if (OF_LIBRARY.test(name) && exprs.length === 2 && isBlock(exprs[1]) && !isBlock(exprs[0])) {
          this.release(operand(1), span, name, row);
          return undefined;
        }
        this.release(value, span, name, row);
        if (this.rust && effect.by === 'drop_in_place') {
          this.dropVariable(value.pointers, span, name, row);
          for (const { target } of value.pointers)
            if (target.path.at(-1) === '[]')
              this.empty({ root: target.root, path: target.path.slice(0, -1) }, span, name, row, false);
        }
        return undefined;
      }
      case 'drop': {
        const value = operand(effect.target);
        this.endTakenOut(value, span);
        for (const guard of value.pointers) this.endGuard(guard, span, name);
        for (const p of value.adopts ?? []) {
          this.invalidate('release', p.target, span, name, (t) => this.endsWith(t, p.target), row);
          this.endCopies(p, span, name);
          this.noteReleased(p, span, name);
        }
        if (name.endsWith('ManuallyDrop::drop'))
          for (const p of value.pointers) {
            this.dropByHand(p, span, name, row);
            for (const held of this.state.read(p.target)?.pointers ?? [])
              this.invalidate('release', held.target, span, name, (t) => this.endsWith(t, held.target), row);
          }
        for (const place of value.places) {
          if (value.pointers.some((p) => p.form === 'raw')) continue;
          if (place.path.length === 0 && !this.state.moved.has(place.root.id)) this.endTakenBy(place.root, span);
          this.invalidate(
            'drop',
            place,
            span,
            name,
            place.path.length === 0 && this.rust
              ? this.endsWithRoot(place.root)
              : (t) => isWithin(t, place) && !t.path.includes('*'),
            row,
          );
          if (this.rust && place.path.length === 0) this.endOwner(place.root, span);
          if (place.path.length === 0) this.state.moved.add(place.root.id);
        }
        return undefined;
      }
      case 'forget': {
        const value = operand(effect.target);
        for (const place of value.places) if (place.path.length === 0) this.state.moved.add(place.root.id);
        this.giveBack(value.adopts ?? []);
        // What was taken over from a raw pointer goes back to it; what a box merely holds stays inside.
        const same = /(?:into_raw|leak|into_non_null)$/u.test(name) ? (value.adopts ?? []) : value.pointers;
        if (same.length > 0) return { places: NONE, pointers: same };
        const root = this.makeBlock(name, span, 'heap', value.type);
        if (value.pointers.length > 0) this.state.write({ root, path: ['[]'] }, { pointers: value.pointers });
        return { places: NONE, pointers: [this.borrow({ root, path: [] }, 'raw', true, span, name, row)] };
      }
      case 'adopt': {
        const given = operand(effect.from);
        // `Box::from_raw(boxed.as_mut())`: the reference becomes a pointer by coercion.
        const value = this.rust && given.pointers.every((p) => p.how === 'as_mut') ? this.asRaw(given) : given;
        this.use(value, span, 'argument', name);
        const pointers = value.pointers.filter((p) => p.form !== 'closure');
        const place = value.places[0];
        const made = pointers.length > 0 ? pointers : place ? [this.implicitPointer(place)] : [];
        if (pointers.length === 0 && place && made.length > 0)
          this.state.write(place, { pointers: made, ...optionalType(value.type) });
        const written = typeArgs?.[0] ?? (value.type?.kind === 'pointer' ? value.type.element : undefined);
        // Without a capacity nothing is freed.
        if (values.at(-1)?.literal !== '0') this.adopt(made, effect.rawType, name, span, this.plain(written));
        return { places: NONE, pointers: NONE, adopts: made, owned: true };
      }
      case 'acquire': {
        if (effect.as === 'stack') return this.stackMemory(name, span, row);
        if (typeof effect.out === 'number') {
          const { type } = operand(effect.out);
          const taken = type?.kind === 'reference' && type.element?.kind === 'path' ? type.element : undefined;
          return { ...NOTHING, takenFrom: this.lentPlaces(operand(effect.out)), ...optionalType(taken) };
        }
        if (effect.out !== undefined)
          return { places: NONE, pointers: NONE, owned: true, takenFrom: operand(effect.out).places };
        const root = this.makeBlock(name, span, effect.as);
        return effect.as === 'heap' || effect.as === 'gc'
          ? { places: NONE, pointers: NONE, owned: true }
          : { places: NONE, pointers: [this.borrow({ root, path: [] }, 'raw', true, span, name, row)] };
      }
      case 'spawn': {
        const value = operand(effect.what);
        this.escape(value, effect.scoped ? 'argument' : 'spawn', span, { callee: name });
        if (value.closure !== undefined) {
          const fn = this.functions.get(value.closure);
          if (fn && fn.kind !== 'async-block')
            this.runClosure(fn, [], effect.scoped ? 'called' : 'spawned', span, effect.on);
        }
        return undefined;
      }
      case 'call-now': {
        const value = operand(effect.what);
        const fn = value.closure === undefined ? undefined : this.functions.get(value.closure);
        if (fn?.kind === 'async-block') return undefined;
        const content =
          receiver && CONTENT_ADAPTERS.has(name)
            ? this.yieldedTo(name, receiver)
            : this.elementGiven(fn, effect.elementsOf === undefined ? undefined : operand(effect.elementsOf));
        if (!fn) return this.applyNamed(typeof effect.what === 'number' ? exprs[effect.what] : undefined, content);
        const result = this.runClosure(
          fn,
          content ? fn.params.map(() => content) : [],
          'called',
          operandSpan(effect.what),
        );
        if (effect.rounds && receiver) this.use(receiver, span, 'deref', 'next element');
        return { places: NONE, pointers: result.pointers, ...optionalType(result.type) };
      }
      case 'store': {
        const given = operand(effect.what);
        const isRaw =
          receiver !== undefined &&
          (peel(receiver.type)?.name === 'AtomicPtr' || this.isPointerType(elementType(receiver.type)));
        const value = this.rust && isRaw ? this.asRaw(given) : given;
        const into = this.subjects(operand(effect.into))[0];
        if (into) {
          if (!effect.assigns) this.escape(value, 'collect', span, { into });
          else if (this.outlives(into)) this.escape(value, 'store', span, { into });
          if (row.id === 'ptr-write' || row.id === 'pointer-write') {
            this.state.renew(into);
            this.state.settle(into);
          }
          if (this.outlives(into)) this.noteStores(value, into, span);
          if (this.rust && value.pointers.length > 0) {
            const held = extend(into, '[]');
            const pointers = effect.assigns ? value.pointers : this.gathered(value.pointers, held, span);
            this.state.write(held, { pointers, ...optionalType(value.type) }, true);
          }
        }
        if (isWhole(value)) this.moveOut(value);
        return undefined;
      }
      case 'retain': {
        const value = operand(effect.what);
        // A record that is copied: what its fields point to is kept, not the record.
        const kept = effect.contents
          ? this.subjects(value).flatMap((place) => this.state.below(place).flatMap(([, stored]) => stored.pointers))
          : value.pointers;
        this.escape({ places: NONE, pointers: uniquePointers(kept) }, 'store', span, { callee: name });
        return undefined;
      }
      case 'lock': {
        const value = operand(effect.target);
        const what = value.places[0] ? describePlace(value.places[0]) : name;
        if (!effect.returnsGuard) {
          this.state.locks.push({ span, what });
          return undefined;
        }
        // A lock behind a reference of unknown target is not in the variable that holds the reference.
        const isLent = this.rust && value.pointers.length === 0 && value.type?.kind === 'reference';
        return {
          places: value.places,
          pointers: this.subjects(value).map((p) =>
            this.borrow(isLent ? extend(p, '*') : p, 'guard', false, span, name, row),
          ),
          ...optionalType(value.type),
        };
      }
      case 'unlock': {
        const value = operand(effect.target);
        const what = value.places[0] ? describePlace(value.places[0]) : undefined;
        this.unlock(span, (l) => what === undefined || l.what === what);
        return undefined;
      }
      case 'wait':
        if (effect.guard !== undefined)
          for (const guard of operand(effect.guard).pointers) this.endGuard(guard, span, name);
        return undefined;
      case 'root':
      case 'unroot':
        return undefined;
    }
  }

  /**
   * Whether a foreign function of the unit ends its object for good: it tells no result, so that it can't refuse, and the unit declares
   * no function of the name with another one of these ends (`stream_free` beside `stream_close`). What the caller has allocated itself, or
   * what is opened where it is (`port_open(port)`), is only closed.
   */
  private isLastEnd(name: string, suffix: string, others: readonly string[], { pointers }: Value): boolean {
    const own = name.split('::').at(-1) ?? name;
    const declare = (end: string): FunctionIr | undefined =>
      this.settings.oracle.freeFunction(`${own.slice(0, -suffix.length)}${end}`, this.file.path)?.fn;
    const declared = declare(suffix);
    if (declared?.abi === undefined || declared.returns !== undefined) return false;
    if (pointers.some(({ target: { root } }) => root.kind === 'allocation' && OWN_BLOCK.test(root.name))) return false;
    const object = declared.params[0]?.type?.text;
    if (OPENS.some((end) => declare(end)?.params.some(({ type }) => type?.text === object) === true)) return false;
    return !others.some((other) => declare(other) !== undefined);
  }

  /** Rust: what is behind a reference that a call is given: the variable or field of `&mut self.name`, or that which holds the reference. */
  private lentPlaces({ pointers, places }: Value): readonly Place[] {
    return pointers.length > 0 ? pointers.filter((p) => p.form === 'reference').map((p) => p.target) : places;
  }

  /** D: what an algorithm gives a function with a parameter by `ref`: an element of the array. */
  private elementGiven(fn: FunctionIr | undefined, range: Value | undefined): Value | undefined {
    if (!range || !fn?.params.some((p) => p.modifiers.includes('ref'))) return undefined;
    const elements = this.storageOf(range).map((p) => (this.isView(range) ? p : extend(p, '[]')));
    return { places: elements, pointers: NONE, ...optionalType(elementType(range.type)) };
  }

  /** D: `destroy(x)` of a struct runs its destructor. */
  private runDestructor(value: Value, span: Span): void {
    const { type } = value;
    if (type?.kind !== 'path' || this.settings.oracle.declaration(type.name, this.file.path)?.kind !== 'struct') return;
    const destructor = this.settings.oracle.method(type.name, '~this', this.file.path);
    if (destructor) this.applySummary(destructor, value, [], span, 'destroy', type.name);
  }

  /** Rust: what `x.into()` makes of a parameter whose type is only said to be `Into<Vec<u8>>` or into another type that owns its content. */
  private intoOwner({ type, pointers }: Value): TypeRef | undefined {
    if (pointers.length > 0 || (type?.kind !== 'path' && type?.kind !== 'impl-trait')) return undefined;
    const bounds =
      type.kind === 'path'
        ? (this.fn.generics.find((g) => g.name === type.name)?.bounds ?? [])
        : [type.text.replace(/^impl\s+/u, '')];
    for (const bound of bounds) {
      const [, name, element] =
        /^Into\s*<\s*(String|CString|OsString|PathBuf|Vec)\s*(?:<\s*(\w+)\s*>\s*)?>$/u.exec(bound.trim()) ?? [];
      if (name !== undefined)
        return syntheticType(name, type.span, element === undefined ? [] : [syntheticType(element, type.span)]);
    }
    return undefined;
  }

  /** Rust: what `x.into()` makes of a parameter whose type is only said to be `Into<Option<T>>`. */
  private convertedType(type: TypeRef | undefined, span: Span): TypeRef | undefined {
    const bounds = type?.kind === 'path' ? this.fn.generics.find((g) => g.name === type.name)?.bounds : undefined;
    for (const bound of bounds ?? []) {
      const content = /^Into\s*<\s*Option\s*<\s*(\w+)\s*>\s*>$/u.exec(bound.trim())?.[1];
      if (content !== undefined) return syntheticType('Option', span, [syntheticType(content, span)]);
    }
    return undefined;
  }

  /** The function of the unit that a path names. */
  protected resolveCall(path: readonly string[]): Resolved | undefined {
    const last = path.at(-1);
    if (!last) return undefined;
    if (path.length > 1) {
      const owner = path.at(-2) === 'Self' || path.at(-2) === 'self' ? this.fn.owner : path.at(-2);
      if (owner && /^[A-Z]/.test(owner)) return this.settings.oracle.method(owner, last, this.file.path);
      return this.settings.oracle.freeFunction(last, this.file.path);
    }
    if (!this.rust && this.fn.owner) {
      const method = this.settings.oracle.method(this.fn.owner, last, this.file.path);
      if (method) return method;
    }
    return this.settings.oracle.freeFunction(last, this.file.path);
  }

  /** The method that the unit declares on the receiver's type. */
  protected resolveMethod(receiver: Value, name: string): Resolved | undefined {
    const type = peel(receiver.type);
    return type?.kind === 'path' && type.name
      ? this.settings.oracle.method(type.name, name, this.file.path)
      : undefined;
  }

  /** A call of a function of the unit: what its summary says happens to the arguments; returns what it returns. */
  protected applySummary(
    resolved: Resolved,
    receiver: Value | undefined,
    given: readonly Value[],
    span: Span,
    name: string,
    owner: string | undefined,
  ): Value {
    const { fn } = resolved;
    // D: a parameter that is a static array by value gets the elements of the slice.
    const values = this.rust ? given : given.map((value, i) => this.copiedInto(value, fn.params[i]));
    const returnType = this.plain(replaceSelf(fn.returns, fn.owner ?? owner));
    const flow = this.settings.oracle.summaryOf(
      resolved.path,
      fn,
      this.settings.depth,
      fn.returns?.kind === 'pointer' ||
        fn.returnsRef === true ||
        resolved.grows === true ||
        this.pointers.some((p) => p.form === 'raw' || p.erased || !this.rust) ||
        (values.some(({ closure }) => closure !== undefined) && this.settings.oracle.locksFor(resolved.path, fn)),
    );
    const isMethod = fn.self !== undefined || (fn.owner !== undefined && !fn.isStatic && !this.rust);
    // A method without a receiver in D is called on `this`.
    const self = isMethod ? (receiver ?? this.selfValue()) : undefined;
    const declared = fn.body
      ? []
      : fn.skipped === true
        ? this.shownByMethod(fn, self, span, name)
        : this.declaredReturns(fn, self, values, span, name);
    if (!flow) {
      this.setByCallee(values, fn);
      // Whatever the helper does, what it is given is code of this function.
      this.runGiven(values, receiver, span, name);
      return {
        places: fn.returnsRef ? declared.map((p) => p.target) : [],
        pointers: fn.returnsRef ? [] : declared,
        ...optionalType(returnType),
        ...(isOwnedType(returnType) ? { owned: true } : {}),
      };
    }
    const place = (p: Place): readonly Place[] => {
      if (p.root.kind === 'self') {
        if (!self) return [];
        const isBehind = !this.rust && self.type?.kind === 'pointer' && self.pointers.length === 0;
        return this.materialise(self, span).map((s) => extend(s, ...(isBehind ? ['*'] : []), ...p.path));
      }
      if (p.root.kind === 'param' && p.root.index !== undefined) {
        const value = values[p.root.index];
        if (!value) return [];
        // D: the elements of a slice are those of what it shows.
        const isShown = !this.rust && p.path[0] === '[]' && value.pointers.length > 0 && this.isView(value);
        const path = p.path[0] === '*' || isShown ? p.path.slice(1) : p.path;
        // A pointer of unknown origin is passed by value: the helper reaches what it points to, not the caller's variable.
        if (p.path[0] === '*' && value.pointers.length === 0) {
          return this.rust || this.isReferenceType(value.type) ? value.places.map((s) => extend(s, '*', ...path)) : [];
        }
        return this.subjects(value).map((s) => extend(s, ...path));
      }
      if (p.root.kind === 'global')
        return [
          {
            root: this.makeRoot({
              kind: 'global',
              name: p.root.name,
              span: p.root.span,
              byValue: true,
              declared: 'static',
              ...optionalType(p.root.type),
            }),
            path: p.path,
          },
        ];
      return [];
    };
    for (const u of flow.summary.uses) for (const target of place(u.place)) this.useBehind(target, span, name);
    // `ensure(size + 2)`, not `ensure(4)`: the caller may have counted what it will need.
    const isAsked = values.some(({ literal }) => literal === undefined);
    for (const g of distinctGrowths(flow.summary)) {
      // D: what grows behind a pointer never moves what the pointer means.
      const { kind, index } = g.place.root;
      const given = !this.rust && kind === 'param' && index !== undefined ? values[index] : self;
      const places = place(g.place);
      this.grow(
        places,
        [...(given?.via ?? []), ...(given?.pointers ?? [])],
        span,
        g.operation,
        g.how,
        g.weak,
        g.row,
        name,
      );
      if (this.rust) continue;
      for (const target of places)
        if (g.row?.id === 'swap') this.noteRenewal(leadingMember(target), span);
        else this.moveBlock(target, span, g.how, name, isAsked);
    }
    for (const one of flow.summary.late) this.useLate(one, values[one.param], place(one.grown), span, name);
    for (const r of flow.summary.releases) {
      if (r.renewed) {
        for (const target of place(r.place)) {
          this.moveBlock(target, span, r.how, name, isAsked);
          this.passRenewal(target, span, r.how);
        }
        if (!this.isVariableRenewed(r, fn)) continue;
      }
      // What a parameter by value is, is what the caller gave, whatever the place that it came from has become.
      const isGiven = r.place.root.kind === 'param' && r.place.root.byValue && r.place.path.length === 1;
      for (const target of isGiven ? place(r.place) : place(r.place).flatMap((p) => this.releasedBehind(p)))
        this.invalidate('release', target, span, r.how, (t) => this.endsWith(t, target), undefined, name);
    }
    for (const s of flow.summary.sets)
      // A parameter by `ref` is the variable itself, not what it leads to.
      for (const target of s.path.length > 0 ? place(s) : (values[s.root.index ?? -1]?.places ?? NONE)) {
        this.forgetReleased(target);
        this.noteRenewal(target, span);
        if (this.frames.length === 0 && s.path.length > 0) this.access([target], span, 'write', `${name}()`);
      }
    if (!this.rust && isUnlinking(flow.summary)) this.forgetLinks(span);
    for (const a of flow.summary.adopts) {
      const taken =
        a.place.root.kind === 'param' && a.place.root.index !== undefined ? values[a.place.root.index] : undefined;
      // What a field of the argument leads to is taken over, not the argument.
      if (taken && a.place.path.length <= 1) this.adopt(taken.pointers, a.rawType, a.how, span, a.content, name);
    }
    for (const s of flow.summary.stores) {
      const given = values[s.param];
      const value =
        given && s.isAddress === true
          ? { places: NONE, pointers: given.places.map((p) => this.borrow(p, 'raw', false, span, `${name}()`)) }
          : given;
      const into = place(s.into)[0];
      if (value && into && this.outlives(into))
        this.escape(value, 'store', span, { into, callee: name, index: s.param });
      if (value && into && (this.rust || !this.outlives(into)))
        for (const p of value.pointers) this.state.write(into, { pointers: [p] }, true);
    }
    for (const param of flow.summary.throws) {
      const value = values[param];
      if (value) this.escape(this.asSlice(value, span), 'throw', span);
    }
    for (const { param } of flow.summary.consumes)
      for (const given of values[param]?.places ?? [])
        if (given.path.length === 0 && given.root.kind === 'local' && !this.state.moved.has(given.root.id))
          this.drop(given.root, span, `the end of '${name}', which takes it by value`);
    for (const value of values) if (isWhole(value)) this.moveOut(value);
    const isShare = this.rust && isCountedClone(fn);
    const pointers = (isShare ? NONE : flow.summary.returns).flatMap((r) =>
      place(r.target).map((t) =>
        this.borrow(r.isOld === true ? this.putOut(span, name) : t, r.form, r.erased, span, `${name}()`),
      ),
    );
    if (fn.returns?.kind !== 'static-array')
      for (const i of flow.summary.passes) pointers.push(...(values[i]?.pointers ?? []));
    if (fn.returnsRef !== true)
      for (const shown of flow.summary.shows)
        for (const target of place(shown)) pointers.push(...(this.state.read(target)?.pointers ?? []));
    if (pointers.length === 0) pointers.push(...declared);
    const lent = flow.summary.lends.flatMap((l) => this.runUnderLock(fn, values[l.param], place(l.place), span, name));
    pointers.push(...lent);
    this.runGiven(
      flow.summary.lends.length === 0
        ? values
        : values.map((v, i) => (flow.summary.lends.some((l) => l.param === i) ? NOTHING : v)),
      receiver,
      span,
      name,
    );
    const resultPlaces = fn.returnsRef ? pointers.map((p) => p.target) : [];
    return {
      places: resultPlaces,
      pointers: fn.returnsRef ? [] : pointers,
      ...optionalType(returnType),
      // What a D function returns by `ref` is no new value.
      ...(isOwnedType(returnType) && (this.rust || fn.returnsRef !== true) ? { owned: true } : {}),
    };
  }

  /** D: `void clear(ref Node* p) { free(p); p = null; }`: what else leads to the block is left with it; the variable is not. */
  private isVariableRenewed({ place, span }: Summary['releases'][number], { body }: FunctionIr): boolean {
    const { root, path } = place;
    const isRef = !this.rust && root.kind === 'param' && !root.byValue && path.length === 1 && path[0] === '*';
    return isRef && body !== undefined && isAlwaysRun(body, span, root.name);
  }

  private copiedInto(value: Value, param: FunctionIr['params'][number] | undefined): Value {
    const kind = param?.type?.kind;
    const isByRef = param?.modifiers.some((m) => m === 'ref' || m === 'out') === true;
    return !isByRef && (kind === 'static-array' || kind === 'path') ? this.coerce(value, param?.type) : value;
  }

  /** The block that a member led to before the helper set it to another one. */
  private putOut(span: Span, name: string): Place {
    return { root: this.makeBlock(`${name}()`, span, 'foreign'), path: [] };
  }

  /** What a helper releases at a place of the caller: in D what a member that was set here holds, else what it leads to by its type. */
  private releasedBehind(place: Place): readonly Place[] {
    if (this.rust || place.path.at(-1) !== '*' || place.path.length < 2) return [place];
    const holder: Place = { root: place.root, path: place.path.slice(0, -1) };
    const held = this.state.read(holder)?.pointers.filter((p) => p.form === 'raw' || p.form === 'slice') ?? [];
    if (held.length > 0) return [place, ...held.map((p) => p.target)];
    if (place.root.kind === 'self' && this.isPointerType(this.typeAt(holder))) this.implicitPointer(holder);
    return [place];
  }

  /** D: `addChild(list, list[0])` with a parameter by `ref` that is used after the list has grown: what it leads to is in the old block. */
  private useLate(
    { how, span: used, param, grown: within }: Summary['late'][number],
    given: Value | undefined,
    grown: readonly Place[],
    span: Span,
    name: string,
  ): void {
    // Numbers are read from the old block as well as from the new one.
    if (!given || (given.type?.kind === 'pointer' && SCALAR.test(given.type.element?.name ?? ''))) return;
    // What grows behind a parameter never moves what the parameter means.
    if (within.root.kind === 'param' && within.root.index === param) return;
    const through = given.pointers.filter((p) => p.form === 'raw' || p.form === 'reference').map((p) => p.target);
    for (const target of given.type?.kind === 'pointer' ? through : given.places)
      for (const owner of grown) {
        if (!isElementOf(target, owner) || target.path.slice(owner.path.length).includes('*')) continue;
        const pointer = this.borrow(target, 'reference', false, span, `an argument of '${name}'`);
        const key = `${pointer.id}|late|${used.start}`;
        if (this.stale.has(key)) continue;
        const invalidation: Invalidation = { kind: 'grow', place: owner, span, how, through: name };
        this.stale.set(key, {
          pointer,
          invalidation,
          use: { span, kind: 'argument', what: name },
          context: this.context(),
        });
      }
  }

  /**
   * Rust: `self.locked(|rows| rows.as_ptr())`: the closure is given what a guard shows, and the lock is given back before the caller goes on.
   * Returns the pointers into what the lock guards that the closure's result hands on.
   */
  private runUnderLock(
    helper: FunctionIr,
    value: Value | undefined,
    places: readonly Place[],
    span: Span,
    name: string,
  ): readonly Pointer[] {
    const fn = value?.closure === undefined ? undefined : this.functions.get(value.closure);
    if (!this.rust || !fn || fn.kind === 'async-block' || places.length === 0) return NONE;
    const guards = places.map((p) => this.borrow(p, 'guard', false, span, name));
    const lock = places[0] && peel(this.typeAt(places[0]));
    const type = lock && /^(?:Mutex|RwLock|ReentrantMutex)$/u.test(lock.name) ? lock.args[0] : undefined;
    const result = this.runClosure(fn, [{ places, pointers: guards, ...optionalType(type) }], 'called', span);
    for (const guard of guards) this.endGuard(guard, span, `the end of '${name}'`);
    // What the helper returns is what the closure does, or holds that.
    const own = new Set(helper.generics.map((g) => g.name));
    const isHandedOn = [helper.returns, ...(helper.returns?.args ?? [])].some(
      (t) => t !== undefined && own.has(t.name),
    );
    return isHandedOn ? result.pointers.filter((p) => p.locks.some((l) => l.span.start === span.start)) : NONE;
  }

  /** Runs the closures that a call of a function of the unit is given. */
  private runGiven(values: readonly Value[], receiver: Value | undefined, span: Span, name: string): void {
    this.runClosureArguments(
      values,
      values.map(() => ({ kind: 'unknown', span, syntax: 'argument', children: [] })),
      receiver,
      name,
      'unknown',
    );
  }

  /** D: what a function without a body says by `return` that its result points into: the struct, or what a parameter shows. */
  /** Rust: whether the signature alone says that a method gives a value that owns something and shows nothing of what it is asked of. */
  protected givesOwn({ returns, skipped, owner }: FunctionIr): boolean {
    const type = unwrapped(returns);
    if (!this.rust || skipped !== true || type?.kind !== 'path' || type.args.length > 0 || type.lifetimes !== undefined)
      return false;
    return type.name !== 'Self' && type.name !== owner && isDropped(type, this.settings.oracle, this.file, this.fn);
  }

  /**
   * Rust: what `fn bytes(&self) -> &[u8]`, whose body nobody has asked for, can only lend: the block of the one member of a struct that holds
   * such content, where no other member shares or borrows anything.
   */
  protected shownByMethod(fn: FunctionIr, self: Value | undefined, span: Span, name: string): Pointer[] {
    const { returns, owner } = fn;
    if (!this.rust || !self || owner === undefined || fn.self?.mode !== 'shared' || fn.params.length > 0) return [];
    if (returns?.kind !== 'reference' || (returns.lifetime !== undefined && returns.lifetime !== fn.self.lifetime))
      return [];
    const holders = HOLDERS.find(([content]) => content.test(returns.element?.text ?? ''))?.[1];
    const decl = holders && this.settings.oracle.declaration(owner, this.file.path);
    if (decl?.kind !== 'struct' || decl.generics.length > 0) return [];
    const holding = decl.fields.filter(({ type }) => holders?.test(type?.text ?? '') === true);
    const [only] = holding;
    if (holding.length !== 1 || !only || !decl.fields.every((f) => f === only || isOwnOrPlain(f.type))) return [];
    return this.materialise(self, span).map((s) =>
      this.borrow(extend(s, only.name), 'reference', false, span, `${name}()`),
    );
  }

  private declaredReturns(
    fn: FunctionIr,
    self: Value | undefined,
    values: readonly Value[],
    span: Span,
    name: string,
  ): Pointer[] {
    const { returns } = fn;
    if (this.rust || (returns?.kind !== 'pointer' && returns?.kind !== 'slice' && fn.returnsRef !== true)) return [];
    const form: PointerForm = returns?.kind === 'slice' ? 'slice' : 'raw';
    const has = (word: string): boolean => fn.attributes.some((a) => a.name === word);
    const found: Pointer[] = [];
    if (self && has('return') && !has('scope') && fn.ownerKind === 'struct')
      for (const place of this.materialise(self, span))
        if (self.type?.kind !== 'pointer') found.push(this.borrow(place, form, false, span, `${name}()`));
    fn.params.forEach((param, i) => {
      const value = values[i];
      if (!value || !param.modifiers.includes('return')) return;
      if (!param.modifiers.includes('ref')) found.push(...value.pointers);
      else for (const place of value.places) found.push(this.borrow(place, form, false, span, `${name}()`));
    });
    return found;
  }
}

const distinct = new WeakMap<Summary, readonly Growth[]>();

/** What a helper lets grow, once for each way: to its caller, all of it grows at the call. */
function distinctGrowths(summary: Summary): readonly Growth[] {
  let found = distinct.get(summary);
  if (found === undefined) {
    const byKey = new Map<string, Growth>();
    for (const g of summary.grows) {
      const key = `${placeKey(g.place)}|${g.operation}|${g.how}|${String(g.weak)}|${g.row?.id ?? ''}`;
      if (!byKey.has(key)) byKey.set(key, g);
    }
    found = [...byKey.values()];
    distinct.set(summary, found);
  }
  return found;
}

/** D: the helper releases what a parameter leads to and writes to what is behind its members: it takes a node out of a list. */
function isUnlinking({ releases, sets }: Summary): boolean {
  const isOfParam = ({ root, path }: Place): boolean => root.kind === 'param' && path[0] === '*';
  return (
    releases.some(({ place }) => isOfParam(place) && place.path.length === 1) &&
    sets.some((place) => isOfParam(place) && place.path.filter((segment) => segment !== '*').length > 1)
  );
}

/** Collections whose elements are plain values: nothing in them points elsewhere. */
export function isPlainOwner(type: TypeRef): boolean {
  if (type.kind !== 'path' || !/^(?:Vec|String|Box|VecDeque|CString|OsString|PathBuf|Rc|Arc)$/u.test(type.name))
    return false;
  return type.args.every((arg) => {
    const of = arg.kind === 'slice' ? arg.element : arg;
    return of?.kind === 'path' && PLAIN.test(of.name);
  });
}

function isOwnedType(type: TypeRef | undefined): boolean {
  if (!type) return false;
  const bare = unwrapped(type);
  return bare?.kind === 'path' && bare.name !== 'Self' && bare.name !== 'NonNull';
}

function replaceSelf(type: TypeRef | undefined, owner: string | undefined): TypeRef | undefined {
  if (!type || !owner) return type;
  if (type.kind === 'path' && type.name === 'Self') return { ...type, name: owner, path: [owner], text: owner };
  if (type.kind === 'path' && type.args.some((a) => a.name === 'Self'))
    return { ...type, args: type.args.map((a) => replaceSelf(a, owner) ?? a) };
  return type;
}

/** A new value that no place holds and that points nowhere. */
function isMade({ owned, places, pointers }: Value): boolean {
  return owned === true && places.length === 0 && pointers.length === 0;
}

/** Whether the pointer was taken out of a cell. */
function isFromCell({ row }: Pointer): boolean {
  return row?.effects.some((effect) => effect.kind === 'borrow' && effect.cell === true) === true;
}

/** The `free` of a library, with nothing between its prefix and that word which says what is freed. */
const OF_LIBRARY = /(?:^|::)[a-z]+\d*_free$/u;

/** A pointer to a block of whatever content: `p as *mut c_void`. */
function isBlock(expr: Expr | undefined): boolean {
  return (
    expr?.kind === 'cast' && expr.type.kind === 'pointer' && /(?:^|::)c_void$/u.test(expr.type.element?.text ?? '')
  );
}

/** What a reference may show, and the types that hold it in a block of their own. */
const HOLDERS: readonly (readonly [RegExp, RegExp])[] = [
  [/^str$/u, /^(?:(?:\w+::)*String|Box\s*<\s*str\s*>)$/u],
  [/^(?:\w+::)*CStr$/u, /^(?:\w+::)*CString$/u],
  [/^\[/u, /^(?:Vec\s*<[^<>&*']+>|Box\s*<\s*\[[^<>&*']+\]\s*>)$/u],
];

/** A type of the standard library that neither shares nor borrows: a number, a text, a vector of numbers. */
function isOwnOrPlain(type: TypeRef | undefined): boolean {
  return (
    type?.kind === 'path' &&
    /^(?:[iu](?:8|16|32|64|128|size)|f32|f64|bool|char|String|CString|PathBuf|OsString|Duration|Instant)$/u.test(
      type.name,
    )
  );
}
