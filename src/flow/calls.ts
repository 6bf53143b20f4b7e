import type { Match } from './api-index.js';
import type { ApiRow, Effect, Operand } from './api.js';
import {
  builtinCallType,
  builtinMethodType,
  digestType,
  libraryCallType,
  syntheticType,
  wrapperType,
} from './builtin-types.js';
import { Effects } from './effects.js';
import { describeCallee, dottedPath, isLentText, isPromoted } from './expression-shapes.js';
import { isOtherSpawn } from './own-functions.js';
import { extend, type Place } from './place.js';
import type { Pointer, Value } from './result.js';
import { elementType, peel, SCALAR } from './types.js';
import {
  adaptedType,
  CONTENT_ADAPTERS,
  isParts,
  isWhole,
  merged,
  NOTHING,
  optionalType,
  type Resolved,
  wrapping,
} from './values.js';
import type { Argument, Expr, ExprOf, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { copyOf, kept, NONE } from '../model/lists.js';

/** Methods that look at a pointer's address, not at what it points to. */
const ADDRESS_ONLY = new Set([
  'is_null',
  'addr',
  'is_aligned',
  'eq',
  'ne',
  'cmp',
  'hash',
  'fmt',
  'to_bits',
  'cast',
  'cast_mut',
  'cast_const',
  'expose_provenance',
]);

/** Methods that only pointers have. */
const POINTER_ONLY = new Set([
  'cast',
  'cast_mut',
  'cast_const',
  'offset',
  'wrapping_add',
  'wrapping_offset',
  'byte_add',
]);

const CONSTRUCTORS = new Set([
  'Some',
  'Ok',
  'Err',
  'Reverse',
  'Wrapping',
  'Borrowed',
  'Owned',
  'Left',
  'Right',
  'Ready',
]);

/** Last words in the name of a foreign function that shows text or data which its object keeps, .. */
const LENDS = new Set(
  'name names text string str data buf buffer ptr pointer path msg message errmsg bytes content contents chars desc description label title'.split(
    ' ',
  ),
);
/** .. and words of those that make something new of it, or change it. */
const MAKES = new Set(
  'new create dup copy clone alloc make open steal take release detach convert encode serialize to format print read write load store set put push append add insert remove free destroy unref init parse compile find lookup search send recv wrap from'.split(
    ' ',
  ),
);
/** Numbers of Rust and of C, and nothing. */
const NUMBER =
  /^(?:[iu](?:8|16|32|64|128|size)|f32|f64|bool|c_\w*(?:int|long|short|char|float|double|bool)|s?size_t|u?int\d+_t)$/u;
const RESIZES = new Set(['resize', 'realloc', 'grow', 'reserve']);

/** A function pointer; one of the Rust ABI is no code of another language. */
function isForeignFunction(type: TypeRef | undefined): boolean {
  return type?.kind === 'function' && /\bextern\b/u.test(type.text);
}

/** `CFStringGetCStringPtr` and `column_text` as words in lower case. */
function wordsOf(name: string): readonly string[] {
  return name.split(/_+|(?<=[a-z0-9])(?=[A-Z])/u).map((word) => word.toLowerCase());
}

/** Functions of Core Foundation and its kin: `CFRunLoopSourceCreate`, `CGEventTapEnable`. */
const APPLE =
  /^(?:CF|CG|CT|CV|CM|IO|Sec|AX|AE|LS|AU|MIDI)[A-Z][a-z]\w*(?:Create|Copy|Get|Set|Add|Remove|Append|Release|Retain|Run|Stop|Enable|Disable|Open|Close|Register|Install|Make|Invalidate|Signal|Wake|Post|Start)(?![a-z])/u;

/** Crates that declare the functions of a C library or of an operating system. */
const FOREIGN_CRATE = /^(?:[Ww]indows|Win32|windows_\w+|winapi|libc|ffi|sys|objc2_\w+|\w+_sys|\w+_ffi)$/u;

/** D: functions of the runtime and of C that never come back. */
const NEVER_RETURNS =
  /^(?:abort|exit|_exit|_Exit|quick_exit|onOutOfMemoryError(?:NoGC)?|onInvalidMemoryOperationError)$/u;

/** D: functions that fill the memory of their first argument anew. */
const REFILLS = /^(?:memcpy|memmove|memset|emplace|copyEmplace|emplaceInitializer|emplaceRef)$/u;

/** D: `assert(0)`, and what ends the program or throws in any case. */
export function endsHere(name: string, args: readonly Argument[]): boolean {
  if (NEVER_RETURNS.test(name)) return true;
  const condition = name === 'assert' ? args[0]?.value : undefined;
  return condition?.kind === 'literal' && /^(?:0|false)$/u.test(condition.text);
}

/** `use super::*`, `use crate::kinds::*` or `use Kind::*`. */
function isOwnModule(path: readonly string[]): boolean {
  return (
    !path.some((s) => FOREIGN_CRATE.test(s)) &&
    (/^(?:crate|self|super|std|core|alloc)$/u.test(path[0] ?? '') ||
      path.some((s) => /^[A-Z]/u.test(s) || s === 'prelude'))
  );
}

const plainFunctions = new WeakMap<FileIr, ReadonlySet<string>>();

/** Functions of a file that are no members, no templates and have a body. */
function plainFunctionsOf(file: FileIr): ReadonlySet<string> {
  const found = new Set<string>();
  for (const fn of file.functions)
    if (fn.kind === 'function' && fn.owner === undefined && fn.parent === undefined && fn.generics.length === 0)
      if (fn.body !== undefined || fn.skipped === true) found.add(fn.name);
  plainFunctions.set(file, found);
  return found;
}

const nestedTables = new WeakMap<FileIr, Map<string, FunctionIr[]>>();
const overloadTables = new WeakMap<FileIr, ReadonlyMap<string, readonly FunctionIr[]>>();

/** D: what a `with` statement makes visible, and the pointers by which its block reaches that. */
export interface WithSubject {
  readonly value: Value;
  readonly held: readonly Pointer[];
}

/** Calls: what is called, what it is given, and what is known of it. */
export abstract class Calls extends Effects {
  /** D: the subjects of the `with` statements around, outermost first. */
  protected readonly subjectsOfWith: WithSubject[] = [];

  /** Walks an expression; nothing is known of one that is nested too deep. */
  protected abstract expr(expr: Expr): Value;

  /** An element of an array or slice, as a place. */
  protected element(base: Value, span: Span): Value {
    // An array that was made here of structs holds in each field what that was given, and shows nothing else's elements.
    const isMade =
      this.rust && base.pointers.length > 0 && base.places.some((p) => this.state.read(extend(p, '[]')) !== undefined);
    if (!isMade) this.use(base, span, 'index', '[]');
    const type = elementType(base.type);
    const storage = isMade
      ? base.places
      : this.isOfTemporary(base, type)
        ? this.materialise(base, span)
        : this.storageOf(base);
    this.access(storage, span, 'index', '[]');
    const places = storage.map((p) => (p.path.at(-1) === '[]' && this.isView(base) ? p : extend(p, '[]')));
    const first = places[0];
    const read = first ? this.valueOf(first, type) : NOTHING;
    return { places, pointers: read.pointers, via: [...(base.via ?? []), ...base.pointers], ...optionalType(type) };
  }

  /** D: `x[]` and `x[a .. b]` of a struct or object are what its `opSlice`, or `opIndex` without parameters, returns for so many bounds. */
  protected ownSlice(base: Value, bounds: readonly Value[], span: Span): Value | undefined {
    const type = peel(base.type);
    if (this.rust || type?.kind !== 'path' || type.name === '') return undefined;
    for (const name of bounds.length === 0 ? ['opSlice', 'opIndex'] : ['opSlice']) {
      const [method, ...others] = this.settings.oracle
        .methods(type.name, name, this.file.path)
        .filter(({ fn }) => fn.kind === 'method' && fn.params.length === bounds.length && fn.generics.length === 0);
      if (method === undefined || others.length > 0) continue;
      const value = this.applySummary(method, base, bounds, span, name, type.name);
      return bounds.length === 0 || value.pointers.length > 0 ? value : undefined;
    }
    return undefined;
  }

  /**
   * D: `x[i]` of a local or parameter is the place that its `opIndex` returns by reference; undefined when that is not known. A member is
   * the container itself to those who ask where it grows.
   */
  protected ownIndex(base: Value, index: Value, span: Span): Value | undefined {
    if (this.rust || base.type?.kind !== 'path') return undefined;
    if (!base.places.every(({ root }) => root.kind === 'local' || root.kind === 'param')) return undefined;
    const method = this.resolveMethod(base, 'opIndex');
    if (method?.fn.kind !== 'method' || method.fn.returnsRef !== true || method.fn.params.length !== 1)
      return undefined;
    const value = this.applySummary(method, base, [index], span, 'opIndex', base.type.name);
    return value.places.length > 0 ? value : undefined;
  }

  /** D: `a.front` and `a.back` of an array are its elements, by reference. */
  protected endElement(base: Value, name: string, span: Span): Value | undefined {
    if (this.rust || (name !== 'front' && name !== 'back')) return undefined;
    if (isParts(base)) return { places: NONE, pointers: base.pointers };
    const { type } = base;
    const isArray =
      type?.kind === 'slice' || type?.kind === 'static-array' || (type?.kind === 'path' && type.name === 'Array');
    return isArray ? this.element(base, span) : undefined;
  }

  /**
   * D: a new struct or object as a temporary whose fields hold what the arguments are or what the constructor stores in them;
   * undefined when the declaration is not known. What a constructor that is not known keeps is not guessed.
   */
  protected construct(
    name: string,
    args: readonly Argument[],
    values: readonly Value[],
    span: Span,
  ): Value | undefined {
    const decl = name === '' ? undefined : this.settings.oracle.declaration(name, this.file.path);
    const isStruct = decl?.kind === 'struct' || decl?.kind === 'union';
    if (!decl || !(isStruct || decl.kind === 'class')) return undefined;
    const type = syntheticType(name, span);
    const makers = this.settings.oracle.methods(name, 'this', this.file.path);
    const isGiven = (value: Value, at: number): boolean =>
      value.pointers.length > 0 ||
      (value.places.length > 0 && makers.some(({ fn }) => fn.params[at]?.modifiers.includes('ref') === true));
    if (!values.some(isGiven)) return { places: NONE, pointers: NONE, owned: true, type };
    const place: Place = { root: this.makeTemp(span, type), path: [] };
    this.state.write(place, { pointers: NONE, type });
    const fitting = this.fittingMakers(makers, values);
    const maker = fitting[0] ?? (makers.length === 1 ? makers[0] : undefined);
    if (fitting.length < 2 && maker && (maker.fn.body || maker.fn.skipped === true))
      this.applySummary(maker, { places: [place], pointers: NONE, type }, values, span, name, undefined);
    else if (isStruct && makers.length === 0) {
      const fields = decl.fields.filter((f) => !f.isStatic);
      values.forEach((value, i) => {
        const field = args[i]?.name ?? fields[i]?.name;
        if (field === undefined) return;
        // A static array takes the elements of a slice.
        const kept = this.coerce(value, this.fieldType(type, field));
        this.state.write(extend(place, field), { pointers: kept.pointers, ...optionalType(kept.type) });
      });
    }
    return { places: [place], pointers: NONE, owned: true, type };
  }

  /** D: the constructors that take so many arguments; of several, those that take a pointer or slice wherever one is given. */
  private fittingMakers(makers: readonly Resolved[], values: readonly Value[]): readonly Resolved[] {
    const byCount = makers.filter(({ fn }) => fn.params.length === values.length);
    if (byCount.length < 2) return byCount;
    const byType = byCount.filter(({ fn }) =>
      fn.params.every(({ type }, i) => (values[i]?.pointers.length ?? 0) === 0 || this.mayHold(type)),
    );
    return byType.length > 0 ? byType : byCount;
  }

  /** D: pointers, slices, delegates, and names that are no struct's. */
  private mayHold(type: TypeRef | undefined): boolean {
    if (type?.kind === 'path')
      return !SCALAR.test(type.name) && this.settings.oracle.declaration(type.name, this.file.path)?.kind !== 'struct';
    return type?.kind !== 'static-array' && type?.kind !== 'unknown';
  }

  /** D: a function of the module that is no template, as those of the library are that have its name (`make`, `find`). */
  private isPlainFunction(name: string): boolean {
    return (plainFunctions.get(this.file) ?? plainFunctionsOf(this.file)).has(name);
  }

  /** D: a function declared inside this one, which sees its variables. */
  private nestedFunction(path: readonly string[]): FunctionIr | undefined {
    const [name] = path;
    if (this.rust || path.length !== 1 || name === undefined) return undefined;
    const inside = (fn: FunctionIr): boolean => {
      for (let at = fn.parent; at !== undefined; at = this.functions.get(at)?.parent)
        if (at === this.fn.id) return true;
      return false;
    };
    const found = nestedTable(this.file).get(name)?.filter(inside) ?? [];
    return found.length === 1 ? found[0] : undefined;
  }

  /** D: `p.free` without parentheses releases a pointer as `free(p)` does. */
  protected releasedByProperty(base: Value, expr: ExprOf<'field'>): boolean {
    const isObject =
      expr.name === 'destroy' &&
      base.type?.kind === 'path' &&
      this.settings.oracle.declaration(base.type.name, this.file.path)?.kind === 'class';
    if ((base.type?.kind !== 'pointer' && !isObject) || this.resolveMethod(base, expr.name)) return false;
    const matches = this.settings.apis
      .path([expr.name])
      .filter(({ row }) => row.effects.some((effect) => effect.kind === 'release'));
    if (matches.length === 0) return false;
    this.applyMatches(matches, undefined, [base], [expr.base], expr, expr.name, false, undefined);
    return true;
  }

  /** D: `x.name` without parentheses calls a method, or a function of the file with `x` as its argument. */
  protected propertyCall(base: Value, expr: ExprOf<'field'>): Value | undefined {
    if (!base.type) return undefined;
    const method = this.resolveMethod(base, expr.name);
    if (method?.fn.kind === 'method' && method.fn.params.length === 0)
      return this.applySummary(method, base, [], expr.span, expr.name, peel(base.type)?.name);
    const free = method ? undefined : this.extension(expr.name);
    return free?.fn.params.length === 1
      ? this.applySummary(free, undefined, [base], expr.span, expr.name, undefined)
      : undefined;
  }

  /** D: a method of the type that is named alone (`list` for `this.list()`) and shows a part of the object by `ref` or as a slice. */
  protected ownProperty(name: string, span: Span): Value | undefined {
    const method = this.ownMethod([name]);
    const fn = method?.fn;
    if (!method || fn?.kind !== 'method' || fn.params.length > 0 || fn.name === this.fn.name) return undefined;
    if (fn.returnsRef !== true && fn.returns?.kind !== 'slice') return undefined;
    const shown = this.applySummary(method, this.selfValue(), [], span, name, undefined);
    return shown.pointers.length + shown.places.length > 0 ? shown : undefined;
  }

  /** D: a function of the file that may be called as if it were a method. */
  private extension(name: string): Resolved | undefined {
    const found = this.rust ? undefined : this.settings.oracle.freeFunction(name, this.file.path);
    return found && found.fn.params.length > 0 && found.fn.abi === undefined ? found : undefined;
  }

  private arguments(args: readonly Argument[]): { values: Value[]; exprs: Expr[] } {
    const values: Value[] = [];
    for (const a of args) values.push(this.expr(a.value));
    return { values, exprs: args.map((a) => a.value) };
  }

  /** A call of a path, a variable or an expression. */
  protected call(expr: ExprOf<'call'>): Value {
    const { callee } = expr;
    if (callee.kind === 'closure') {
      const { values } = this.arguments(expr.args);
      const fn = this.functions.get(callee.functionId);
      return fn ? this.runClosure(fn, values, 'called', expr.span) : NOTHING;
    }
    const path = callee.kind === 'name' ? callee.path : [];
    const name = path.join('::');
    if (path.length === 1) {
      // A local that holds a closure.
      const root = this.lookup(path[0] ?? '');
      const closure = root ? this.state.read({ root, path: [] })?.closure : undefined;
      const fn = closure !== undefined ? this.functions.get(closure) : undefined;
      if (fn) {
        const { values } = this.arguments(expr.args);
        return this.runClosure(fn, values, 'called', expr.span);
      }
    }
    const nested = this.nestedFunction(path);
    if (nested) return this.runClosure(nested, this.arguments(expr.args).values, 'called', expr.span);
    const calleeValue = callee.kind === 'name' ? NOTHING : this.expr(callee);
    const { values, exprs } = this.arguments(expr.args);
    const last = path.at(-1) ?? '';
    // D: an object that was destroyed is made again in its place.
    if (!this.rust && REFILLS.test(last) && values[0]) this.refill(values[0]);
    // D: an assertion that fails keeps its message.
    const message = !this.rust && path.length === 1 && last === 'assert' ? values[1] : undefined;
    if (message) this.escape(this.asSlice(message, exprs[1]?.span ?? expr.span), 'throw', expr.span);
    if (!this.rust && endsHere(last, expr.args)) {
      // A helper of that name may throw what it is given.
      const helper = last === 'assert' ? undefined : this.resolveCall(path);
      if (helper) this.applySummary(helper, undefined, values, expr.span, last, undefined);
      this.state.alive = false;
      return NOTHING;
    }
    if (this.rust && /^(?:abort|exit)$/u.test(last) && /^(?:process|libc)$/u.test(path.at(-2) ?? '')) {
      this.state.alive = false;
      return NOTHING;
    }
    const shown = this.withMethod(path);
    if (shown) return this.applySummary(shown.method, shown.subject, values, expr.span, last, undefined);
    const member = this.ownMethod(path) ?? this.ownConstructor(path, expr.args.length);
    // A function pointer in a variable is no function of that name.
    const variable = this.rust && path.length === 1 ? this.lookup(last) : undefined;
    const isVariable = variable !== undefined;
    // What a closure was made of is used when it is called.
    if (variable) {
      const held = this.state.read({ root: variable, path: [] })?.pointers ?? [];
      const code = held.filter((p) => p.form === 'raw' || p.erased);
      this.use({ places: NONE, pointers: code }, expr.span, 'argument', last);
      for (const value of values) this.noteLent(variable, value);
    }
    const isOwn =
      !this.rust && path.length === 1 && (this.isPlainFunction(last) || this.isOverload(last, expr.args.length));
    const isOther = isOwn || (this.rust && isOtherSpawn(path, this.file, this.fn, this.settings.oracle));
    const rows = member || isVariable || isOther ? [] : this.settings.apis.path(this.imported(path), expr.args.length);
    const matches = this.rust && rows.some(isKeeperBySuffix) && this.isLentSafely(path, rows) ? [] : rows;
    const found =
      matches.length > 0 || isVariable
        ? undefined
        : (member ??
          this.resolveCall(path) ??
          this.releasingHelper(path, values) ??
          this.releasingOfTrait(path, values) ??
          this.growingHelper(path, values));
    // A foreign declaration has nothing to follow.
    const resolved = found?.fn.abi !== undefined && !found.fn.body && found.fn.skipped !== true ? undefined : found;
    if (found)
      found.fn.params.forEach((param, i) => {
        const given = values[i];
        if (given) values[i] = this.coerce(given, param.type, this.rust ? undefined : exprs[i]?.span);
      });
    this.recordCall(
      expr,
      name || describeCallee(callee),
      false,
      calleeValue.pointers.length > 0 ? calleeValue : undefined,
      values,
      exprs,
      matches,
      resolved,
    );
    const passed = this.withoutSet(values, found?.fn);
    this.passArguments(passed, exprs, name || describeCallee(callee), expr.span, matches, resolved);
    if (!resolved && matches.length === 0) this.setByCallee(values, found?.fn);
    if (matches.length > 0)
      return this.applyMatches(
        matches,
        undefined,
        values,
        exprs,
        expr,
        name,
        false,
        callee.kind === 'name' ? callee.typeArgs : undefined,
      );
    if (resolved)
      return this.applySummary(resolved, undefined, values, expr.span, last, path.length > 1 ? path.at(-2) : undefined);
    if (!this.rust) {
      const named = this.plain(syntheticType(last, expr.span))?.name ?? last;
      const made = this.construct(named, expr.args, values, expr.span);
      const type = made
        ? undefined
        : this.plain(
            libraryCallType(path, expr.span, callee.kind === 'name' ? callee.typeArgs : undefined, values[0]?.type),
          );
      if (made || type) return made ?? { places: NONE, pointers: NONE, ...optionalType(type), owned: true };
      const returned = this.plain(found?.fn.returns);
      return {
        places: NONE,
        pointers: NONE,
        foreign: true,
        ...(returned?.kind === 'pointer' ? { type: returned } : {}),
      };
    }
    const byPath = this.methodByPath(path);
    if (byPath.length > 0)
      return this.applyMatches(byPath, values[0], values.slice(1), exprs.slice(1), expr, last, true, undefined);
    // `Some(x)`, `Wrapper(x)`, `Kind::Variant(x)`: a constructor holds what it is given.
    if (/^[A-Z]/.test(last) && this.isConstructor(path)) {
      // Which file declares it is asked only where the answer can change something.
      if (values.some((value) => this.mayBecomeRaw(value))) {
        const holder = syntheticType(path.at(-2) ?? last, expr.span);
        const variant = path.length > 1 && this.isEnum(holder) ? `${last}.` : '';
        values.forEach((value, i) => {
          if (!this.mayBecomeRaw(value)) return;
          const wanted = this.fieldType(variant === '' ? syntheticType(last, expr.span) : holder, `${variant}${i}`);
          values[i] = this.coerce(value, wanted);
        });
      }
      this.giveAway(values);
      return {
        ...merged(values),
        places: NONE,
        owned: merged(values).pointers.length === 0,
        ...optionalType(
          last === 'Some' || last === 'Ok'
            ? wrapping(last === 'Some' ? 'Option' : 'Result', values[0]?.type, expr.span)
            : syntheticType(path.length > 1 ? (path.at(-2) ?? last) : last, expr.span),
        ),
      };
    }
    this.giveAway(values);
    if (this.rust) this.overwriteOut(values);
    // A function of unknown content may run what it is given.
    if (this.rust) this.runClosureArguments(values, exprs, undefined, last, 'unknown');
    // `MaybeUninit::<String>::new(..)` says what it holds.
    const written = callee.kind === 'name' && path.at(-2) === 'MaybeUninit' ? callee.typeArgs : undefined;
    const wrapper = written ? undefined : wrapperType(path, values[0]?.type, expr.span);
    const type = this.plain(wrapper ?? builtinCallType(path, expr.span, written));
    if (!type && this.isForeignCall(callee, path)) {
      const root = this.makeBlock(name || describeCallee(callee), expr.span, 'foreign');
      return {
        places: NONE,
        pointers: [
          this.borrow({ root, path: [] }, 'raw', true, expr.span, name || describeCallee(callee)),
          ...this.lentByObject(last, values[0], exprs, expr.span, this.plain(found?.fn.returns)),
        ],
      };
    }
    if (type?.kind === 'pointer') return { places: NONE, pointers: NONE, type };
    return { places: NONE, pointers: NONE, ...(type ? { type, owned: true } : {}) };
  }

  /** Rust: what is given by value has another owner from then on. */
  protected giveAway(values: readonly Value[]): void {
    for (const value of values) if (isWhole(value)) this.moveOut(value);
  }

  /** Rust: the path that a bare name of the standard library was imported by: `alloc` for `std::alloc::alloc`. */
  private imported(path: readonly string[]): readonly string[] {
    if (!this.rust || path.length !== 1) return path;
    const found = this.file.imports.find(
      (i) => i.name === path[0] && i.isGlob !== true && /^(?:std|core|alloc|libc)$/u.test(i.path[0] ?? ''),
    );
    return found && found.path.length > 1 ? found.path : path;
  }

  /** Rust: a function of another module that frees, or takes over, a raw pointer that it is given. */
  private releasingHelper(path: readonly string[], values: readonly Value[]): Resolved | undefined {
    if (!this.rust || path.length === 0 || !values.some((v) => v.pointers.some((p) => p.form === 'raw')))
      return undefined;
    const found = this.settings.oracle.releasingHelper(path, this.file.path);
    if (!found) return undefined;
    const summary = this.settings.oracle.summaryOf(found.path, found.fn, this.settings.depth, true)?.summary;
    return summary && summary.releases.length + summary.adopts.length > 0 ? found : undefined;
  }

  /** D: a function of an imported module that lets its first argument grow, which it takes by `ref`. */
  private growingHelper(path: readonly string[], values: readonly Value[]): Resolved | undefined {
    const [name] = path;
    if (this.rust || name === undefined || path.length !== 1 || (values[0]?.places.length ?? 0) === 0) return undefined;
    const found = this.settings.oracle.growingHelper(name, this.file.path);
    if (!found) return undefined;
    const summary = this.settings.oracle.summaryOf(found.path, found.fn, this.settings.depth, true)?.summary;
    return summary?.grows.some(({ place }) => place.root.kind === 'param') === true
      ? { ...found, grows: true }
      : undefined;
  }

  /** Rust: `T::free(p)` of a type parameter bound by a trait, where every impl of the trait in the file releases what it is given. */
  private releasingOfTrait(path: readonly string[], values: readonly Value[]): Resolved | undefined {
    const [parameter = '', name = ''] = path;
    if (!this.rust || path.length !== 2 || !values.some((v) => this.isPointerType(v.type))) return undefined;
    // Those of the function, and of the impl around it.
    const generics = [
      ...this.fn.generics,
      ...this.file.impls.filter((i) => isInside(this.fn.span, i.span)).flatMap((i) => i.generics),
    ];
    const bounds = generics.find((g) => g.name === parameter)?.bounds.map((bound) => bound.trim());
    if (bounds === undefined) return undefined;
    const methods = this.file.functions.filter(
      (f) =>
        f.name === name &&
        f.self === undefined &&
        f.trait !== undefined &&
        f.bodySpan !== undefined &&
        bounds.includes(f.trait),
    );
    const { oracle, depth } = this.settings;
    const isReleasing = (fn: FunctionIr): boolean =>
      oracle
        .summaryOf(this.file.path, fn, depth, true)
        ?.summary.releases.some(({ place }) => place.root.kind === 'param' && place.path.join('.') === '*') === true;
    const [first] = methods;
    return first && methods.every(isReleasing) ? { path: this.file.path, fn: first } : undefined;
  }

  /**
   * Rust: a function of the file with a body that is lent what it is given, by its signature: its name says nothing of what it keeps,
   * unless it hands that on to another one of such a name.
   */
  private isLentSafely(path: readonly string[], rows: readonly Match[]): boolean {
    if (path.length !== 1) return false;
    const own = freeFunctionsOf(this.file, path[0] ?? '');
    const kept = rows.flatMap(({ row }) => row.effects.flatMap((e) => (e.kind === 'retain' ? operandsOf(e) : [])));
    return (
      own.length > 0 &&
      own.every(
        (fn) =>
          fn.abi === undefined &&
          fn.bodySpan !== undefined &&
          !fn.isUnsafe &&
          fn.params.every((p) => p.type?.kind !== 'pointer') &&
          !kept.some((index) => this.handsOn(fn, index)),
      )
    );
  }

  /** Rust: whether a function gives the address in a parameter to a function that keeps what it is given. */
  private handsOn({ body, params }: FunctionIr, index: number): boolean {
    const name = params[index]?.name;
    let found = false;
    if (body && name !== undefined)
      walkBody(body, ({ expr }) => {
        if (found || expr.kind !== 'call' || expr.callee.kind !== 'name') return;
        const { args } = expr;
        found = this.settings.apis
          .path(expr.callee.path, args.length)
          .flatMap(({ row }) => row.effects.flatMap((e) => (e.kind === 'retain' ? operandsOf(e) : [])))
          .some((at) => {
            const given = args[at]?.value;
            return given !== undefined && isPointerTo(given, name);
          });
      });
    return found;
  }

  /** Rust: whether a capitalised callee makes a tuple struct or a variant. Foreign libraries capitalise functions, too. */
  private isConstructor(path: readonly string[]): boolean {
    const [first = ''] = path;
    // `ERR_get_error(..)` is a function.
    const last = path.at(-1) ?? '';
    if (/_[a-z]/u.test(last) || APPLE.test(last) || path.slice(0, -1).some((s) => FOREIGN_CRATE.test(s))) return false;
    if (path.length === 1 && CONSTRUCTORS.has(first)) return true;
    if (this.settings.oracle.isDeclared(last, this.file.path)) return true;
    // `Kind::Variant(..)`; in a module of unknown content a name like `winpcap::PacketOpenAdapter` is more likely a function.
    if (last.includes('_')) return false;
    const named = this.file.imports.find((i) => i.name === first && i.isGlob !== true);
    // `LibraryLoader::GetProcAddress`, with the module imported from `windows_sys`.
    if (named?.path.some((s) => FOREIGN_CRATE.test(s)) === true) return false;
    if (path.length > 1) return CONSTRUCTORS.has(last) || /^[A-Z]/u.test(path.at(-2) ?? '');
    if (this.file.functions.some((f) => f.name === first && f.abi !== undefined)) return false;
    if (named) return true;
    // What no file of the unit declares comes from a module of unknown content: a variant of `Kind::*`, or a function.
    return this.file.imports.every((i) => i.isGlob !== true || isOwnModule(i.path));
  }

  /**
   * Rust: what a foreign function tells about an object (its name, its text, its data) is kept by the object: a pointer into what its
   * first argument leads to. A foreign function that resizes the object moves all of that.
   */
  private lentByObject(
    name: string,
    object: Value | undefined,
    given: readonly Expr[],
    span: Span,
    returns: TypeRef | undefined,
  ): readonly Pointer[] {
    if (!this.rust || !object) return [];
    const behind = object.pointers.filter(
      (p) => p.form === 'raw' && (p.target.path.includes('*') || p.target.root.kind === 'allocation'),
    );
    if (behind.length === 0) return [];
    const words = wordsOf(name);
    const last = words.at(-1)?.replace(/\d+$/u, '') ?? '';
    if (RESIZES.has(last)) {
      const moved = behind.map((p) => p.target);
      this.grow(moved, behind, span, 'resize', name, false);
      return [];
    }
    if (!LENDS.has(last) || words.some((word) => MAKES.has(word))) return [];
    // A status, or a call with so many arguments that it does more than tell.
    if (given.length > 4 || (returns?.kind === 'path' && NUMBER.test(returns.name))) return [];
    const wrapper = this.wrapperOf(given[0]);
    const targets = [...behind.map((p) => p.target), ...(wrapper ? [extend(wrapper, '*')] : [])];
    return targets.map((target) => this.borrow(extend(target, '[]'), 'raw', true, span, name));
  }

  /** The field of a local that holds the object: `zone.0`, `zone.raw.as_ptr()`. The local's destructor may end the object. */
  private wrapperOf(expr: Expr | undefined): Place | undefined {
    if (expr?.kind === 'cast') return this.wrapperOf(expr.value);
    if (expr?.kind === 'method' && /^(?:as_ptr|cast|cast_mut|cast_const)$/u.test(expr.method))
      return this.wrapperOf(expr.receiver);
    if (expr?.kind !== 'field' || expr.base.kind !== 'name' || expr.base.path.length !== 1) return undefined;
    const root = this.lookup(expr.base.path[0] ?? '');
    return root?.byValue === true && root.kind !== 'self' ? { root, path: [expr.name] } : undefined;
  }

  /** Whether the callee is code of another language: by its path, its declaration, or because it is a function pointer. */
  private isForeignCall(callee: Expr, path: readonly string[]): boolean {
    if (path.length > 1) return path.slice(0, -1).some((s) => /^(ffi|sys|libc|c|\w+_sys|\w+_ffi|bindings)$/u.test(s));
    if (path.length === 1) {
      const root = this.lookup(path[0] ?? '');
      if (root)
        return (
          isForeignFunction(root.type) ||
          isForeignFunction(this.settings.oracle.declaration(root.type?.name ?? '', this.file.path)?.alias)
        );
      return (
        this.file.functions.some(
          (f) => f.name === path[0] && f.abi !== undefined && f.body === undefined && f.skipped !== true,
        ) ||
        this.file.imports.some((i) => i.name === path[0] && i.path.slice(0, -1).some((s) => FOREIGN_CRATE.test(s))) ||
        this.isFromBindings(path[0] ?? '')
      );
    }
    return callee.kind !== 'closure';
  }

  /** `use lib_sys::*;` and a name that neither the file nor the package declares. */
  private isFromBindings(name: string): boolean {
    return (
      /^\w+_[a-z]\w*$/u.test(name) &&
      this.file.imports.some((i) => i.isGlob === true && i.path.some((s) => FOREIGN_CRATE.test(s))) &&
      !this.file.imports.some((i) => i.name === name) &&
      this.settings.oracle.freeFunction(name, this.file.path) === undefined
    );
  }

  /** Rust: `util::c_text(name)`, of another module whose signature says that it gives a text or list of its own: a temporary. */
  private ownedResult(expr: Expr, value: Value): Value | undefined {
    if (value.type || value.pointers.length > 0 || value.places.length > 0) return undefined;
    const isOpened = expr.kind === 'try' || (expr.kind === 'method' && /^(?:unwrap|expect)$/u.test(expr.method));
    const call = expr.kind === 'try' ? expr.value : expr.kind === 'method' && isOpened ? expr.receiver : expr;
    if (call.kind !== 'call' || call.callee.kind !== 'name') return undefined;
    const returned = this.settings.oracle.resultOf(call.callee.path, this.file.path);
    const type = isOpened && /^(?:Option|Result)$/u.test(returned?.name ?? '') ? returned?.args[0] : returned;
    return type?.kind === 'path' && /^(?:CString|String|Vec|OsString)$/u.test(type.name)
      ? { places: NONE, pointers: NONE, type, owned: true }
      : undefined;
  }

  /** A call with a receiver. */
  protected methodCall(expr: ExprOf<'method'>): Value {
    const dotted = dottedPath(expr.receiver);
    const root = dotted?.[0];
    // D: `GC.addRoot(p)`, `core.memory.GC.free(p)`, `Mallocator.instance.deallocate(b)` are calls by path.
    if (
      !this.rust &&
      dotted &&
      root !== undefined &&
      !this.lookup(root) &&
      !this.hasField(this.lookup('self')?.type, root)
    ) {
      const path = [...dotted, expr.method];
      const matches = this.settings.apis.path(path).filter((m) => !('suffix' in m.row.match));
      if (matches.length > 0) {
        const { values, exprs } = this.arguments(expr.args);
        this.recordCall(expr, path.join('.'), false, undefined, values, exprs, matches, undefined);
        this.passArguments(values, exprs, path.join('.'), expr.span, matches, undefined);
        return this.applyMatches(matches, undefined, values, exprs, expr, path.join('.'), false, expr.typeArgs);
      }
    }
    const given = this.asPointer(this.expr(expr.receiver), expr.method);
    // `[1, 2].as_ptr()` points to a static that the compiler made of the constants.
    const isMutable = /^as_mut_(?:ptr|slice)$/u.test(expr.method);
    const isStatic =
      this.rust &&
      (isMutable || /^as_(?:ptr|slice|ref)$/u.test(expr.method)) &&
      isPromoted(expr.receiver, isMutable, (name) => this.lookup(name) !== undefined);
    const made =
      this.rust && /^as_(?:mut_)?ptr$/u.test(expr.method) ? this.ownedResult(expr.receiver, given) : undefined;
    const receiver: Value = isStatic ? { ...given, owned: false } : (made ?? given);
    const { values, exprs } = this.arguments(expr.args);
    const matches = this.settings.apis
      .method(expr.method, receiver.type)
      .filter(({ row }) => row.nullary !== true || expr.args.length === 0);
    const end = expr.args.length === 0 ? this.endElement(receiver, expr.method, expr.span) : undefined;
    if (end) return end;
    // `text.to_str()?.into()` makes a text of its own, unless somebody wants to borrow once more.
    if (this.rust && expr.method === 'into' && expr.args.length === 0 && isLentText(expr.receiver)) {
      this.use(receiver, expr.span, 'method', '.into()');
      return { places: NONE, pointers: NONE, owned: true, madeOf: receiver.pointers };
    }
    const resolved = this.resolveMethod(receiver, expr.method);
    // A method that the unit declares on a known type says more than a name in a table.
    const isTold =
      resolved !== undefined &&
      (resolved.fn.body !== undefined ||
        this.givesOwn(resolved.fn) ||
        this.shownByMethod(resolved.fn, receiver, expr.span, expr.method).length > 0);
    const effective = isTold && matches.every((m) => m.weak || !m.row.receiver?.length) ? [] : matches;
    if (!ADDRESS_ONLY.has(expr.method)) {
      const passes = effective.some((m) =>
        m.row.effects.some((e) => e.kind === 'pass' || e.kind === 'borrow' || e.kind === 'erase'),
      );
      if (!passes || this.rust) this.use(receiver, expr.span, passes ? 'field' : 'method', `.${expr.method}()`);
      this.access(
        [...receiver.places, ...receiver.pointers.filter((p) => p.form !== 'closure').map((p) => p.target)],
        expr.span,
        'method',
        expr.method,
      );
    }
    this.recordCall(expr, expr.method, true, receiver, values, exprs, effective, resolved);
    this.passArguments(
      this.withoutKeys(receiver, expr.method, values),
      exprs,
      expr.method,
      expr.span,
      effective,
      resolved,
    );
    if (!resolved && effective.length === 0) this.setByCallee(values, undefined);
    // UFCS: `p.free()` is `free(p)`.
    if (effective.length === 0 && !resolved && !this.rust) {
      // No struct or object converts to the pointer that `free` takes: it is a method of its own that is not known.
      // `free` and the runtime's `destroy` take one value: `task.destroy(storage)` is one of its own, too.
      const isOwn =
        (/^(?:pureFree|free)$/u.test(expr.method) &&
          (receiver.type?.kind === 'path' || this.hasOwnPerhaps(receiver.type, expr.method))) ||
        (/^(?:pureFree|free|destroy)$/u.test(expr.method) && expr.args.length > 0);
      const ufcs = isOwn ? [] : this.settings.apis.path([expr.method], expr.args.length + 1);
      if (ufcs.length > 0)
        return this.applyMatches(
          ufcs,
          undefined,
          [receiver, ...values],
          [expr.receiver, ...exprs],
          expr,
          expr.method,
          false,
          expr.typeArgs,
        );
    }
    if (effective.length > 0)
      return this.applyMatches(effective, receiver, values, exprs, expr, expr.method, true, expr.typeArgs);
    if (resolved) {
      // `fn finish(self)` takes the receiver with it, a temporary too.
      const isTaken = resolved.fn.self?.mode === 'value' && receiver.pointers.length === 0;
      const given = isTaken ? { ...receiver, places: this.materialise(receiver, expr.span) } : receiver;
      const result = this.applySummary(resolved, given, values, expr.span, expr.method, peel(receiver.type)?.name);
      if (isTaken) this.moveOut(given);
      return result;
    }
    const free =
      effective.length === 0
        ? (this.extension(expr.method) ?? this.growingHelper([expr.method], [receiver]))
        : undefined;
    if (free) return this.applySummary(free, undefined, [receiver, ...values], expr.span, expr.method, undefined);
    const digest = this.rust ? undefined : digestType(expr.method, receiver.type, expr.span);
    if (digest) return { places: NONE, pointers: NONE, owned: true, type: digest };
    return this.unknownMethod(expr, receiver, values, exprs);
  }

  /** What only a pointer can do is done to a pointer, whatever its declared type: the value is not borrowed from. */
  private asPointer(receiver: Value, method: string): Value {
    const place = receiver.places[0];
    // A reference to a pointer that is kept in a container: what the pointer leads to is not in the container.
    const kept = receiver.type?.kind === 'reference' ? receiver.type.element : undefined;
    if (this.rust && kept && this.isPointerType(kept) && receiver.pointers.some((p) => p.form === 'reference'))
      return {
        ...receiver,
        pointers: receiver.pointers.map((p) => (p.form === 'reference' ? this.implicitPointer(p.target) : p)),
        type: kept,
      };
    if (!this.rust || !POINTER_ONLY.has(method) || receiver.pointers.length > 0 || !place) return receiver;
    if (receiver.type && !this.isPointerType(receiver.type)) return receiver;
    return { ...receiver, pointers: receiver.places.map((p) => this.implicitPointer(p)) };
  }

  /** A method that no table and no declaration explains: closures may run, pointers inside wrappers stay reachable. */
  private unknownMethod(
    expr: ExprOf<'method'>,
    receiver: Value,
    values: readonly Value[],
    exprs: readonly Expr[],
  ): Value {
    this.giveAway(values);
    const results = this.runClosureArguments(values, exprs, receiver, expr.method, 'unknown');
    // D: `button.onClose(() { dialog.destroy(); })` is most likely called later.
    if (!this.rust && !CONTENT_ADAPTERS.has(expr.method)) this.putOffReleases(exprs);
    const yielded = this.rust ? this.givenOut(expr.method, receiver, expr.span) : undefined;
    const type =
      yielded ??
      adaptedType(expr.method, results, expr.span) ??
      builtinMethodType(expr.method, receiver.type, expr.span);
    return {
      places: NONE,
      // A method of unknown content may copy what its closure returns; the adapters that everybody knows hand it on.
      pointers: CONTENT_ADAPTERS.has(expr.method) ? results.flatMap((r) => r.pointers) : [],
      ...optionalType(type),
      ...(yielded || results.some((r) => r.owned) ? { owned: true } : {}),
    };
  }

  /** Forgets what the closures among the arguments released. */
  private putOffReleases(exprs: readonly Expr[]): void {
    const closures = exprs.filter((one) => one.kind === 'closure').map((one) => one.span);
    if (closures.length === 0) return;
    for (const [id, list] of this.state.invalid) {
      const left = list.filter(
        ({ kind, span }) => kind !== 'release' || !closures.some((c) => c.start <= span.start && span.end <= c.end),
      );
      if (left.length === 0) this.state.invalid.delete(id);
      else if (left.length < list.length) this.state.invalid.set(id, left);
    }
  }

  private recordCall(
    expr: Expr,
    callee: string,
    method: boolean,
    receiver: Value | undefined,
    args: readonly Value[],
    exprs: readonly Expr[],
    matches: readonly Match[],
    resolved: Resolved | undefined,
  ): void {
    const key = `${expr.span.start}|${expr.span.end}`;
    const previous = this.calls.get(key);
    // The second walk of a loop body knows more than the first.
    if (previous && this.loops === 0) return;
    this.calls.set(key, {
      span: expr.span,
      expr,
      callee,
      method,
      args: kept(args),
      argSpans: kept(exprs.map((e) => e.span)),
      rows: kept(matches.map((m) => m.row)),
      context: this.context(),
      locks: copyOf(this.state.locks),
      ...(receiver ? { receiver } : {}),
      ...(resolved ? { resolved: { path: resolved.path, functionId: resolved.fn.id } } : {}),
    });
  }

  private passArguments(
    values: readonly Value[],
    exprs: readonly Expr[],
    callee: string,
    span: Span,
    matches: readonly Match[],
    resolved: Resolved | undefined,
  ): void {
    const handled = new Set<number>();
    for (const { row } of matches) for (const e of row.effects) for (const n of operandsOf(e)) handled.add(n);
    // What is written over is not read.
    const overwritten = new Set(
      matches.flatMap((m) => m.row.effects.flatMap((e) => (e.kind === 'store' ? [e.into] : []))),
    );
    // Only the addresses are compared.
    if (this.rust && /(?:^|::)ptr::(?:eq|addr_eq|hash)$/u.test(callee)) return;
    values.forEach((value, index) => {
      const at = exprs[index]?.span ?? span;
      if (
        !handled.has(index) ||
        matches.some((m) => m.row.effects.some((e) => e.kind === 'store' || e.kind === 'retain'))
      )
        this.use(
          resolved || !this.rust || overwritten.has(index) ? value : this.withHeld(value),
          at,
          'argument',
          callee,
        );
      this.access(value.places, at, 'argument', callee);
      if (value.pointers.length > 0 && !resolved) this.escape(value, 'argument', span, { callee, index });
    });
  }

  /** D: `open(out handle)` sets a variable and reads nothing; what takes it by `ref` and is not known may do so, too. */
  private withoutSet(values: readonly Value[], fn: FunctionIr | undefined): readonly Value[] {
    if (this.rust || !fn) return values;
    const isKnown = fn.body !== undefined || fn.skipped === true;
    const isSet = (i: number): boolean =>
      fn.params[i]?.modifiers.some((m) => m === 'out' || (m === 'ref' && !isKnown)) === true;
    return values.some((_, i) => isSet(i)) ? values.map((v, i) => (isSet(i) ? { ...v, pointers: NONE } : v)) : values;
  }

  /** D: `table.remove(p)` of a table whose keys are pointers compares addresses and reads nothing behind them. */
  private withoutKeys({ type }: Value, method: string, values: readonly Value[]): readonly Value[] {
    if (this.rust || method !== 'remove' || type?.kind !== 'assoc-array' || type.key?.kind !== 'pointer') return values;
    return values.map((value) => ({ ...value, pointers: NONE }));
  }

  /** D: a pointer to a type that several modules declare, each for its system, with a method of this name. */
  private hasOwnPerhaps(type: TypeRef | undefined, method: string): boolean {
    const name = type?.kind === 'pointer' && type.element?.kind === 'path' ? type.element.name : '';
    return name !== '' && this.settings.oracle.hasMethodPerhaps(name, method, this.file.path);
  }

  /** D: inside an aggregate `destroy(x)` is its own method of that name, when it has one; it hides functions of modules. */
  private ownMethod(path: readonly string[]): Resolved | undefined {
    const [name] = path;
    if (this.rust || path.length !== 1 || name === undefined || this.fn.owner === undefined) return undefined;
    const method = this.settings.oracle.method(this.fn.owner, name, this.file.path);
    return method?.fn.body || method?.fn.skipped === true ? method : undefined;
  }

  /** D: one of several methods of that name beside this one takes as many arguments; which one is not told. */
  private isOverload(name: string, count: number): boolean {
    const { owner } = this.fn;
    return (
      owner !== undefined &&
      (overloadTable(this.file)
        .get(`${owner}.${name}`)
        ?.some((fn) => fn.params.length === count) ??
        false)
    );
  }

  /** D: `this(..)` in a constructor calls another one of the type, told by the number of its parameters. */
  private ownConstructor(path: readonly string[], count: number): Resolved | undefined {
    const { fn, file } = this;
    if (this.rust || fn.kind !== 'constructor' || path.length !== 1 || path[0] !== 'self') return undefined;
    const fitting = file.functions.filter(
      (one) => one.kind === 'constructor' && one.owner === fn.owner && one.id !== fn.id && one.params.length === count,
    );
    const [only] = fitting;
    return only && fitting.length === 1 && (only.body || only.skipped === true)
      ? { path: file.path, fn: only }
      : undefined;
  }

  /** D: a method of what a `with` statement around makes visible. */
  private withMethod(path: readonly string[]): { readonly method: Resolved; readonly subject: Value } | undefined {
    const [name] = path;
    if (path.length !== 1 || name === undefined) return undefined;
    for (const { value } of this.subjectsOfWith.toReversed()) {
      const method = this.resolveMethod(value, name);
      if (method) return { method, subject: value };
    }
    return undefined;
  }
}

/** Methods that share their name with another one of the type, by `Type.name`. */
function overloadTable(file: FileIr): ReadonlyMap<string, readonly FunctionIr[]> {
  const known = overloadTables.get(file);
  if (known) return known;
  const table = new Map<string, FunctionIr[]>();
  for (const fn of file.functions) {
    if (fn.kind !== 'method' || fn.owner === undefined || fn.parent !== undefined) continue;
    const key = `${fn.owner}.${fn.name}`;
    const list = table.get(key) ?? [];
    list.push(fn);
    table.set(key, list);
  }
  for (const [key, list] of table) if (list.length < 2) table.delete(key);
  overloadTables.set(file, table);
  return table;
}

/** Named functions inside functions, by name. */
function nestedTable(file: FileIr): ReadonlyMap<string, readonly FunctionIr[]> {
  let table = nestedTables.get(file);
  if (!table) {
    table = new Map();
    for (const fn of file.functions) {
      if (fn.parent === undefined || fn.kind !== 'function' || !fn.body) continue;
      const same = table.get(fn.name);
      if (same) same.push(fn);
      else table.set(fn.name, [fn]);
    }
    nestedTables.set(file, table);
  }
  return table;
}

function operandsOf(effect: Effect): number[] {
  const found: number[] = [];
  for (const key of ['from', 'target', 'what'] as const) {
    const operand = key in effect ? (effect as { readonly [K in typeof key]?: Operand })[key] : undefined;
    if (typeof operand === 'number') found.push(operand);
  }
  return found;
}

/** A row that tells by the end of a name that a function keeps what it is given. */
function isKeeperBySuffix({ row }: { readonly row: ApiRow }): boolean {
  return 'suffix' in row.match && row.effects.some((e) => e.kind === 'retain');
}

/** Free functions of a file by name: a file may declare thousands, and each call of one asks. */
const freeFunctions = new WeakMap<FileIr['functions'], ReadonlyMap<string, readonly FunctionIr[]>>();

function freeFunctionsOf({ functions }: FileIr, name: string): readonly FunctionIr[] {
  let known = freeFunctions.get(functions);
  if (known === undefined) {
    const byName = new Map<string, FunctionIr[]>();
    for (const fn of functions) if (fn.owner === undefined) byName.set(fn.name, [...(byName.get(fn.name) ?? []), fn]);
    known = byName;
    freeFunctions.set(functions, known);
  }
  return known.get(name) ?? [];
}

/** `data`, `data as *mut T as *mut c_void`, `data.into()`, `ptr::from_mut(data)` */
function isPointerTo(expr: Expr, name: string): boolean {
  switch (expr.kind) {
    case 'name':
      return expr.path.length === 1 && expr.path[0] === name;
    case 'cast':
      return isPointerTo(expr.value, name);
    case 'method':
      return /^(?:into|cast|cast_mut|cast_const)$/u.test(expr.method) && isPointerTo(expr.receiver, name);
    case 'call':
      return (
        expr.callee.kind === 'name' &&
        /^from_(?:mut|ref)$/u.test(expr.callee.path.at(-1) ?? '') &&
        expr.args.some(({ value }) => isPointerTo(value, name))
      );
    default:
      return false;
  }
}
