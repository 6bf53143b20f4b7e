/** Handles of Node-API that a function ends, or gives to another thread that ends them, and uses afterwards. */
import { dependsOnAnotherField } from '../flow/released-by-drop.js';
import type { Block, Expr, FileIr, FunctionIr, Statement } from '../model/ir.js';
import { namesOf } from '../model/patterns.js';
import type { Span } from '../model/source.js';
import { walkBody, walkExpression } from '../model/walk-body.js';
import { withoutCasts, writtenPlace } from './rust-code.js';

export interface EndedHandle {
  /** The handle as written: `self.raw`. */
  readonly what: string;
  readonly how: string;
  /** It is not ended there, but given to the JavaScript thread, which ends it. */
  readonly isHandedOver: boolean;
  readonly ended: Span;
  readonly use: Span;
  /** The function that is given the handle again. */
  readonly second: string;
  /** The second function ends it, too. */
  readonly isEndedTwice: boolean;
}

/** A handle that every clone of a value would end. */
export interface ClonedHandle {
  readonly owner: string;
  readonly field: string;
  readonly how: string;
  readonly span: Span;
  readonly maker: Span;
}

/** What ends a handle, and the position of it. */
const ENDS: ReadonlyMap<string, number> = new Map([
  ['delete_reference', 1],
  ['delete_async_work', 1],
  ['resolve_deferred', 1],
  ['reject_deferred', 1],
  ['release_threadsafe_function', 0],
]);
/** Functions of references: what is given to one of these is a reference. */
const OF_REFERENCES = /^(?:delete_reference|reference_ref|reference_unref|get_reference_value)$/u;
const HANDS_OVER = 'call_threadsafe_function';
const HANDED = 1;

interface End {
  readonly how: string;
  readonly isHandedOver: boolean;
  readonly span: Span;
  /** The variable that took the status of the call. */
  readonly status?: string;
}

type State = Map<string, End>;

/** Goes through a body once, with the handles that have ended on the way; a loop's body is gone through once, a closure's not at all. */
export function findEndedHandles(fn: FunctionIr): readonly EndedHandle[] {
  if (!fn.body) return [];
  const references = new Set<string>();
  let isCounted = false;
  walkBody(fn.body, ({ expr }) => {
    const call = nodeCall(expr);
    if (!call) return;
    isCounted ||= call.name === 'acquire_threadsafe_function';
    const place = OF_REFERENCES.test(call.name) ? writtenPlace(call.args[1]) : undefined;
    if (place !== undefined) references.add(place);
  });
  const walk = new Walk(references, isCounted);
  walk.block(fn.body, new Map());
  return walk.found;
}

class Walk {
  readonly found: EndedHandle[] = [];

  constructor(
    private readonly references: ReadonlySet<string>,
    /** A threadsafe function that is counted once more in the function survives a release. */
    private readonly isCounted: boolean,
  ) {}

  /** Whether control reaches the end of the block. */
  block(block: Block, state: State): boolean {
    for (const statement of block.statements) if (!this.statement(statement, state)) return false;
    return block.result === undefined || this.expr(block.result, state);
  }

  private statement(statement: Statement, state: State): boolean {
    if (statement.kind === 'expression') return this.expr(statement.expr, state);
    if (statement.kind !== 'let') return true;
    const before = new Set(state.values());
    if (statement.init && !this.expr(statement.init, state)) return false;
    // The other branch of `let .. else` always leaves.
    if (statement.otherwise) this.block(statement.otherwise, new Map(state));
    const status = statement.pattern.kind === 'bind' ? statement.pattern.name : undefined;
    for (const name of namesOf(statement.pattern)) forget(state, name);
    if (status !== undefined)
      for (const [place, end] of state) if (!before.has(end)) state.set(place, { ...end, status });
    return true;
  }

  private expr(expr: Expr, state: State): boolean {
    switch (expr.kind) {
      case 'block':
        return this.block(expr.block, state);
      case 'if':
        return this.branch(expr, state);
      case 'match': {
        if (!this.expr(expr.scrutinee, state)) return false;
        this.doubt(expr.scrutinee, state);
        return this.join(
          expr.arms.map((arm) => (inner: State) => this.expr(arm.body, inner)),
          state,
        );
      }
      case 'loop': {
        if (expr.iterable && !this.expr(expr.iterable, state)) return false;
        this.join([(inner) => this.block(expr.body, inner), () => true], state);
        return true;
      }
      case 'return':
      case 'break':
      case 'continue':
        if (expr.kind !== 'continue' && expr.value) this.expr(expr.value, state);
        return false;
      case 'assign': {
        const reaches = this.expr(expr.value, state);
        const place = writtenPlace(expr.target);
        if (place !== undefined) forget(state, place);
        return reaches;
      }
      case 'closure':
        return true;
      case 'call':
        return this.call(expr, state);
      default: {
        let reaches = true;
        for (const child of childrenOf(expr)) reaches &&= this.expr(child, state);
        return reaches;
      }
    }
  }

  private branch(expr: Extract<Expr, { kind: 'if' }>, state: State): boolean {
    if (!this.expr(expr.condition, state)) return false;
    this.doubt(expr.condition, state);
    const other = expr.else;
    return this.join(
      [(inner) => this.expr(expr.then, inner), (inner) => (other ? this.expr(other, inner) : true)],
      state,
    );
  }

  /** A condition on the status of a call says whether the handle ended at all. */
  private doubt(condition: Expr, state: State): void {
    const names = new Set<string>();
    walkExpression(condition, ({ expr }) => {
      if (expr.kind === 'name' && expr.path.length === 1) names.add(expr.path[0] ?? '');
    });
    for (const [place, end] of state)
      if (
        (end.status !== undefined && names.has(end.status)) ||
        (condition.span.start <= end.span.start && end.span.end <= condition.span.end)
      )
        state.delete(place);
  }

  /** What ended on one of the ways that go on may have ended. */
  private join(ways: readonly ((state: State) => boolean)[], state: State): boolean {
    const ends: State[] = [];
    for (const way of ways) {
      const inner = new Map(state);
      if (way(inner)) ends.push(inner);
    }
    state.clear();
    for (const end of ends) for (const [place, how] of end) if (!state.has(place)) state.set(place, how);
    return ends.length > 0;
  }

  private call(expr: Extract<Expr, { kind: 'call' }>, state: State): boolean {
    for (const { value } of expr.args) if (!this.expr(value, state)) return false;
    const call = nodeCall(expr);
    if (!call) {
      // Whoever is lent a field or a variable may set it anew.
      for (const { value } of expr.args)
        if (value.kind === 'address' && value.mutable) forget(state, writtenPlace(value.base) ?? '');
      return true;
    }
    call.args.forEach((value, index) => {
      if (value?.kind === 'address') {
        forget(state, writtenPlace(value.base) ?? '');
        return;
      }
      const place = writtenPlace(value);
      const end = place === undefined ? undefined : state.get(place);
      if (place === undefined || !end) return;
      this.found.push({
        what: place,
        how: end.how,
        isHandedOver: end.isHandedOver,
        ended: end.span,
        use: expr.span,
        second: call.callee,
        isEndedTwice: ENDS.get(call.name) === index,
      });
      state.delete(place);
    });
    const position = ENDS.get(call.name);
    const ended = position === undefined ? undefined : writtenPlace(call.args[position]);
    const handed = call.name === HANDS_OVER ? writtenPlace(call.args[HANDED]) : undefined;
    const isStill = call.name === 'release_threadsafe_function' && this.isCounted;
    if (ended !== undefined && !isStill) state.set(ended, { how: call.callee, isHandedOver: false, span: expr.span });
    if (handed !== undefined && this.references.has(handed))
      state.set(handed, { how: call.callee, isHandedOver: true, span: expr.span });
    return true;
  }
}

/**
 * For a function that takes a value with the handle in a field and ends the handle: the value's type of the same file, when it
 * derives `Clone`, so that each clone ends the same handle.
 */
export function findClonedHandles(file: FileIr, fn: FunctionIr): readonly ClonedHandle[] {
  const { body } = fn;
  if (!body) return [];
  const found: ClonedHandle[] = [];
  walkBody(body, ({ expr }) => {
    const call = nodeCall(expr);
    const position = call && ENDS.get(call.name);
    const target = position === undefined ? undefined : call?.args[position];
    if (!call || target?.kind !== 'field' || target.base.kind !== 'name' || target.base.path.length !== 1) return;
    const [base = ''] = target.base.path;
    const param = fn.params.find((p) => p.name === base);
    const named = base === 'self' ? (fn.self?.mode === 'value' ? 'Self' : undefined) : param?.type?.name;
    const owner = named === 'Self' ? fn.owner : named;
    const declared = file.types.find((t) => t.name === owner && t.kind === 'struct');
    const derive = declared?.attributes.find((a) => a.name === 'derive' && /\bClone\b/u.test(a.args ?? ''));
    if (!declared || !derive || param?.type?.kind === 'reference') return;
    // A flag that tells the owner from its clones, or a count, decides.
    const isShared = declared.fields.some((f) => /^(?:Rc|Arc)$/u.test(f.type?.name ?? ''));
    if (
      isShared ||
      isGuarded(body, expr.span, base, target.name) ||
      dependsOnAnotherField(body, expr.span, target.name)
    )
      return;
    if (!found.some((f) => f.field === target.name))
      found.push({ owner: declared.name, field: target.name, how: call.callee, span: expr.span, maker: derive.span });
  });
  return found;
}

/** Whether another field of the same value decides if the code at `span` runs. */
function isGuarded(body: Block, span: Span, base: string, field: string): boolean {
  let guarded = false;
  walkBody(body, ({ expr, around }) => {
    if (expr.span.start !== span.start || expr.span.end !== span.end) return;
    for (const outer of around)
      if (outer.kind === 'if')
        walkExpression(outer.condition, ({ expr: part }) => {
          guarded ||=
            part.kind === 'field' && part.base.kind === 'name' && part.base.path[0] === base && part.name !== field;
        });
  });
  return guarded;
}

interface NodeCall {
  /** Without `napi_`. */
  readonly name: string;
  readonly callee: string;
  readonly args: readonly (Expr | undefined)[];
}

/** `sys::napi_delete_reference(..)`, and `napi::delete_reference(..)` of bindings that leave the prefix away. */
function nodeCall(expr: Expr): NodeCall | undefined {
  if (expr.kind !== 'call' || expr.callee.kind !== 'name') return undefined;
  const callee = expr.callee.path.at(-1) ?? '';
  const isPrefixed = callee.startsWith('napi_');
  if (!isPrefixed && expr.callee.path.at(-2) !== 'napi') return undefined;
  return { name: isPrefixed ? callee.slice(5) : callee, callee, args: expr.args.map((a) => withoutCasts(a.value)) };
}

/** A variable or field is set anew, and with it what is inside of it. */
function forget(state: State, place: string): void {
  for (const key of state.keys()) if (key === place || key.startsWith(`${place}.`)) state.delete(key);
}

/** The expressions directly inside of one that neither branches nor binds. */
function childrenOf(expr: Expr): readonly Expr[] {
  const found: Expr[] = [];
  walkExpression(expr, ({ expr: inner, around }) => {
    if (around.length === 1) found.push(inner);
  });
  return found;
}
