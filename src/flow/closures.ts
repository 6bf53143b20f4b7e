import { Bindings } from './bindings.js';
import { YIELDER } from './builtin-types.js';
import { freeNames } from './expression-shapes.js';
import { extend, type Place, type Root } from './place.js';
import type { Context, Pointer, Value } from './result.js';
import type { State } from './state.js';
import { CONTENT_ADAPTERS, contentType, merged, NOTHING, optionalType, originFrom, pairOf } from './values.js';
import type { Block, Expr, ExprOf, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { NONE } from '../model/lists.js';
import { namesOf } from '../model/patterns.js';

/** Adapters whose closure is shown each element by reference. */
const LOOKS_AT = /^(?:filter|find|rfind|inspect|skip_while|take_while|partition|(?:max|min)_by(?:_key)?)$/u;

/** A loop, or a block with a label, that is being walked. */
export interface Loop {
  readonly label: string | undefined;
  /** A block with a label: only what names it leaves it. */
  readonly isBlock: boolean;
  /** How many blocks are around it. */
  readonly blocks: number;
  readonly breaks: State[];
  readonly continues: State[];
  readonly values: Value[];
}

/** How many closures that run each other are followed, the first one included. */
const MOST_NESTED = 7;
/** The nested functions of D call each other: `parse` has a `peek`, a `next`, an `error`. Each call more makes as many walks as the last one has calls. */
const MOST_NESTED_IN_D = 4;

/** Closures: what they capture, and what happens when they run. */
export abstract class Closures extends Bindings {
  protected readonly loopStack: Loop[] = [];
  private readonly inlined = new Set<number>();
  /** D: what the scopes around run when they are left, outermost scope first: `scope (exit)` and `finally` blocks. */
  protected pending: Block[][] = [];

  /** Walks a block in a scope of its own; the value is that of its last expression. */
  protected abstract block(block: Block, isBody?: boolean): Value;

  /** A closure as a value: it holds pointers to what it captures by reference, and what the captured hold. */
  protected closureValue(expr: ExprOf<'closure'>): Value {
    const fn = this.functions.get(expr.functionId);
    const pointers: Pointer[] = [];
    if (fn?.body) {
      // What it calls its parameters is not what the function around does.
      const seen = new Set(fn.params.flatMap((p) => [p.name, ...(p.pattern ? namesOf(p.pattern) : [])]));
      for (const name of freeNames(fn.body, this.functions)) {
        if (seen.has(name)) continue;
        seen.add(name);
        const root = this.lookup(name);
        if (!root) continue;
        const place: Place = { root, path: [] };
        const isGiven = this.rust && root.kind === 'param' && this.isPointerType(root.type);
        pointers.push(...(isGiven ? this.valueOf(place, root.type) : (this.state.read(place) ?? NOTHING)).pointers);
        if (fn.isMove === true) this.moveOut({ places: [place], pointers: NONE });
        if (!this.rust) pointers.push(this.borrow(place, 'closure', false, expr.span, `capture of '${name}'`));
        else if (!fn.isMove && fn.kind === 'closure')
          pointers.push(this.borrow(place, 'closure', false, expr.span, `capture of '${name}'`));
      }
    }
    if (fn?.kind === 'async-block') {
      // An async block runs at its first poll; what it does is walked where it stands, its suspensions included.
      this.runClosure(fn, [], 'async', expr.span);
    }
    return { places: NONE, pointers, closure: expr.functionId };
  }

  /** Walks a closure's body here and now, with its parameters bound to `args`; returns what it returns. */
  protected runClosure(
    fn: FunctionIr,
    args: readonly Value[],
    run: Context['frames'][number]['run'],
    span: Span,
    on?: string,
  ): Value {
    if (!fn.body || this.inlined.has(fn.id) || this.inlined.size >= (this.rust ? MOST_NESTED : MOST_NESTED_IN_D))
      return NOTHING;
    this.inlined.add(fn.id);
    const frames = this.frames;
    this.frames = [{ functionId: fn.id, run, span, ...(on ? { on } : {}) }, ...frames];
    const before = this.state.clone();
    const known = new Set(this.fresh);
    const locks = this.state.locks;
    if (run === 'spawned') this.state.locks = [];
    const loops = this.loops;
    if (run === 'spawned' || run === 'async') this.loops = 0;
    const outerSuspended = this.state.suspended;
    this.scopes.push(new Map());
    this.blockRoots.push([]);
    fn.params.forEach((param, i) => {
      const given = args[i] ?? NOTHING;
      const type = param.type ?? given.type;
      if (param.pattern && param.pattern.kind !== 'bind')
        this.bindPattern(param.pattern, { ...given, ...optionalType(type) }, 'param');
      else if (param.name && run === 'called' && this.bindByRef(param, given, type)) return;
      else if (param.name) {
        const byValue =
          !param.modifiers.includes('ref') &&
          type !== undefined &&
          type.kind !== 'reference' &&
          given.pointers.length === 0 &&
          (given.owned === true || param.type !== undefined);
        const root = this.declare(param.name, {
          kind: 'param',
          name: param.name,
          span: param.span,
          byValue,
          declared: 'param',
          ...optionalType(type),
          ...originFrom(given),
        });
        const held = given.pointers.length > 0 ? given.pointers : this.lentContent(given, type, span);
        if (held.length > 0) this.state.write({ root, path: [] }, { pointers: held, ...optionalType(type) });
      }
    });
    this.returnStack.push({ values: [], functionId: fn.id, stale: new Map() });
    const loopStack = this.loopStack.splice(0);
    const { pending } = this;
    this.pending = [];
    const mark = this.temps.length;
    const result = this.block(fn.body, true);
    this.pending = pending;
    if (this.state.alive && fn.body.result) this.leave(result, fn.body.result.span);
    this.dropTemps(mark, fn.body.span);
    this.loopStack.push(...loopStack);
    const returns = this.returnStack.pop();
    const returned = returns?.values ?? [];
    this.blockRoots.pop();
    this.scopes.pop();
    this.frames = frames;
    this.loops = loops;
    this.inlined.delete(fn.id);
    const after = this.state;
    // A closure that never comes back (`unwrap_or_else(|| { free(p); panic!() })`) leaves those that go on as they were.
    const isDiverging = this.rust && run === 'called' && !after.alive && returned.length === 0;
    after.alive = true;
    if (!this.rust) this.forgetOwn(fn);
    // It may not have run, and a spawned one does not hold up or suspend its maker.
    this.state = isDiverging ? before : this.join([before, after]);
    // A pointer that was made in it is new, whatever happened to the one of the round before.
    for (const id of this.fresh) {
      if (known.has(id)) continue;
      const gone = after.invalid.get(id);
      if (gone) this.state.invalid.set(id, gone);
      else this.state.invalid.delete(id);
    }
    // D: what happens after one `return` happens on another path than that of what it returned.
    if (!this.rust && run === 'called')
      for (const [id, stale] of returns?.stale ?? []) this.state.invalid.set(id, stale);
    this.state.locks = locks;
    if (run !== 'called') this.state.suspended = outerSuspended;
    return { ...merged(returned), places: NONE };
  }

  /** D: a `ref` parameter that is given a variable, member or element is that one while the function runs. */
  private bindByRef(param: FunctionIr['params'][number], given: Value, type: TypeRef | undefined): boolean {
    if (this.rust || !param.modifiers.includes('ref') || given.places.length === 0 || given.owned === true)
      return false;
    const root = this.declare(param.name, {
      kind: 'local',
      name: param.name,
      span: param.span,
      byValue: false,
      declared: 'param',
      ...optionalType(type),
    });
    const pointers = given.places.map((place) => this.borrow(place, 'reference', false, param.span, 'ref parameter'));
    this.state.write({ root, path: [] }, { pointers, ...optionalType(type) });
    return true;
  }

  /** The variables of a closure end with it, and what they hold cannot be met again, unless something leads to them. */
  private forgetOwn({ span }: FunctionIr): void {
    const own = new Set<Root>();
    for (const { place } of this.state.entries()) {
      const { root } = place;
      if (root.kind !== 'local' && root.kind !== 'param') continue;
      if (span.start <= root.span.start && root.span.end <= span.end) own.add(root);
    }
    if (own.size === 0) return;
    const live = this.state.livePointers();
    for (const { id, target } of this.pointers) if (live.has(id)) own.delete(target.root);
    for (const root of own) this.state.forget(root);
  }

  /** What an adapter gives its closure of the receiver: its content, or an element. */
  protected contentGiven(receiver: Value): Value {
    return {
      places: receiver.pointers.length > 0 ? [] : receiver.places.map((p) => extend(p, '[]')),
      pointers: this.elementsOf(receiver.pointers),
      ...optionalType(contentType(receiver.type)),
      ...(this.isGivenByValue(receiver) ? { owned: true } : {}),
      ...pairOf(receiver, (one) => this.contentGiven(one)),
    };
  }

  /** Rust: `slot.as_ref().map(|text| ..)` gives its closure a reference to what is in the slot, where that is no reference itself. */
  private lentContent({ places }: Value, type: TypeRef | undefined, span: Span): readonly Pointer[] {
    if (!this.rust || type?.kind !== 'reference' || !places.every((place) => this.isOwnContent(place))) return NONE;
    return places.map((place) => this.borrow(place, 'reference', false, span, '&'));
  }

  private isOwnContent({ root, path }: Place): boolean {
    if (path.at(-1) !== '[]') return false;
    const declared = this.typeAt({ root, path: path.slice(0, -1) });
    const slot = declared?.kind === 'reference' ? declared.element : declared;
    return slot?.name === 'Option' && slot.args[0]?.kind === 'path';
  }

  /** What the closure of an adapter is given; one that only looks at the elements has them lent. */
  protected yieldedTo(method: string, receiver: Value): Value {
    const { owned, ...content } = this.contentGiven(receiver);
    const isLent = receiver.type?.name === YIELDER && LOOKS_AT.test(method);
    return owned === true && !isLent ? { ...content, owned } : content;
  }

  /** Runs the closures among the arguments of a call; returns what they return. */
  protected runClosureArguments(
    values: readonly Value[],
    exprs: readonly Expr[],
    receiver: Value | undefined,
    method: string,
    run: 'called' | 'unknown',
  ): Value[] {
    const results: Value[] = [];
    values.forEach((value, i) => {
      const span = exprs[i]?.span;
      if (value.closure === undefined || !span) return;
      const fn = this.functions.get(value.closure);
      if (!fn || fn.kind === 'async-block') return;
      const adapter = receiver !== undefined && CONTENT_ADAPTERS.has(method);
      const content = adapter ? this.yieldedTo(method, receiver) : undefined;
      const args = content
        ? fn.params.map((_, k) => (k === fn.params.length - 1 || method !== 'fold' ? content : NOTHING))
        : [];
      // Where an error is made of another, the value that goes on is none.
      const unharmed = /^(?:map_err|ok_or_else)$/u.test(method) ? this.state.clone() : undefined;
      results.push(this.runClosure(fn, args, adapter ? 'called' : run, span));
      if (unharmed) this.state = unharmed;
    });
    return results;
  }
}
