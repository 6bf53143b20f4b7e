import { syntheticType } from './builtin-types.js';
import {
  containsLet,
  endsWithFailure,
  extendsTemporaries,
  holdsBranch,
  isEndlessLoop,
  nullTests,
  refusedBy,
} from './expression-shapes.js';
import type { Loop } from './closures.js';
import type { FlowSettings } from './memory.js';
import { SharedMap } from './shared-copies.js';
import { PlaceExpressions } from './place-expressions.js';
import { isPlainOwner } from './effects.js';
import { describePlace, extend, type Root, type Place } from './place.js';
import type { FunctionFlow, Pointer, Value } from './result.js';
import { type State } from './state.js';
import { peel, unwrapped } from './types.js';
import { isParts, isWhole, merged, NOTHING, optionalType, uniquePointers, withoutAdopts } from './values.js';
import type { Block, Expr, ExprOf, FileIr, FunctionIr, Statement, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { NONE } from '../model/lists.js';

/** Macros of the standard library and of loggers, which evaluate all that they are given. */
const RUNS_ALL =
  /^(?:e?print(?:ln)?|format|format_args|write(?:ln)?|(?:debug_)?assert(?:_eq|_ne)?|panic|vec|dbg|matches|trace|debug|info|warn|error|log|join|try_join|select|concat)$/u;

/** Macros that show what they are given; of a raw pointer they show the address. */
const PRINTS = /^(?:e?print(?:ln)?|format|format_args|write(?:ln)?|panic|trace|debug|info|warn|error)$/u;

/** Expressions nested deeper than this are not followed; the flow says `incomplete`. */
const MAX_DEPTH = 300;
/** Functions with more to walk than this are not followed to the end; the flow says `incomplete`. */
const MAX_STEPS = 60_000;

/** Types too small for an address. */
const SMALL = /^(?:[iu](?:8|16|32)|f32|f64|bool|char)$/u;
/** Numbers of D that an address fits into. */
const ADDRESS_SIZED = /^(?:size_t|ptrdiff_t|u?long|u?intptr_t)$/u;
const SMALL_IN_D = /^(?:bool|u?byte|u?short|u?int|[wd]?char|float|double|real)$/u;

/**
 * Walks one function in evaluation order and records what points where, what invalidates it, and where it goes.
 * Branches are joined by union and loop bodies walked twice, so a path that exists in the source is seen; infeasible
 * combinations of branches can be seen too. Never throws on odd input; `incomplete` says when it stopped early.
 */
export function analyse(file: FileIr, fn: FunctionIr, settings: FlowSettings): FunctionFlow {
  return new Analysis(file, fn, settings).run();
}

/** With fewer places than this it does not matter that ended variables are carried along. */
const leastSwept = 200;

const ENDS_WITH_BLOCK: ReadonlySet<Root['kind']> = new Set(['local', 'temp', 'allocation']);

/** Statements, expressions and control flow. */
class Analysis extends PlaceExpressions {
  /** Where the value begins that is being returned, behind its casts. */
  private returned: number | undefined;
  private steps = 0;
  private nesting = 0;
  private incomplete = false;
  private rounds = 0;
  /** How many places must hold something before variables of ended blocks are looked for again. */
  private nextSweep = leastSwept;
  /** D: the variables that a body put off in a branch of `static if` sees. */
  private readonly namesOf = new WeakMap<Block, Map<string, Root>>();
  /** D: pointers of the value that is being returned, while what was deferred runs. */
  private leaving: readonly number[] = [];

  run(): FunctionFlow {
    const { fn } = this;
    if (fn.self)
      this.declare('self', {
        kind: 'self',
        name: this.rust ? 'self' : 'this',
        span: fn.self.span,
        byValue: fn.self.mode === 'value',
        declared: 'param',
        ...optionalType(fn.self.type ?? this.ownerType()),
      });
    else if (fn.owner && !fn.isStatic && !this.rust)
      this.declare('self', {
        kind: 'self',
        name: 'this',
        span: fn.nameSpan,
        byValue: false,
        declared: 'implicit',
        ...optionalType(this.ownerType()),
      });
    this.declareParams(fn);
    if (this.isSynchronized(fn)) this.state.locks.push({ span: fn.nameSpan, what: 'this' });
    if (fn.body) {
      this.returnStack.push({ values: [], functionId: fn.id, stale: new Map() });
      const result = this.block(fn.body, true);
      if (this.state.alive && fn.body.result) this.leave(result, fn.body.result.span);
      else if (this.state.alive) this.leaveBehind(fn.body.span);
      this.returnStack.pop();
      this.dropParameters(fn.body.span);
    }
    return {
      pointers: this.pointers,
      staleUses: [...this.stale.values()],
      escapes: [...this.escapes.values()],
      growths: [...this.growths.values()],
      invalidations: [...this.invalidations.values()],
      calls: [...this.calls.values()],
      adoptions: [...this.adoptions.values()],
      ownedTwice: [...this.ownedTwice.values()],
      accesses: this.accesses,
      suspensions: [...this.suspensions.values()],
      summary: this.summary(),
      incomplete: this.incomplete,
    };
  }

  protected override block(block: Block, isBody = false): Value {
    this.scopes.push(new Map());
    this.blockRoots.push([]);
    const defers: Block[] = [];
    this.pending.push(defers);
    for (const statement of block.statements) {
      if (!this.state.alive) break;
      this.statement(statement, defers);
    }
    let value: Value = NOTHING;
    if (block.result && this.state.alive) {
      value = this.expr(block.result);
    }
    this.pending.pop();
    if (this.state.alive) for (const body of defers.reverse()) this.deferred(body);
    const end: Span = { start: Math.max(block.span.start, block.span.end - 1), end: block.span.end };
    const roots = this.blockRoots.pop() ?? [];
    if (this.rust && this.state.alive && !isBody) {
      const kept = new Set(
        value.places.filter((p) => p.path.length === 0 && value.pointers.length === 0).map((p) => p.root.id),
      );
      for (const root of roots.reverse())
        if (!kept.has(root.id)) this.drop(root, end, `end of the scope of '${root.name}'`);
      // A local returned as the block's value is moved, its place is gone.
      value = {
        ...value,
        places: value.places.filter((p) => !roots.includes(p.root)),
        ...(value.places.some((p) => roots.includes(p.root)) && value.pointers.length === 0 ? { owned: true } : {}),
      };
    }
    if (!this.rust && !isBody) this.endScope(roots, end);
    if (this.rust && this.state.alive && isBody) {
      const kept = new Set(value.places.map((p) => p.root.id));
      for (const root of roots.reverse()) {
        if (kept.has(root.id)) continue;
        const held = this.state.read({ root, path: [] });
        if (held?.adopts || held?.pointers.some((p) => p.form === 'guard') === true)
          this.drop(root, end, `end of the scope of '${root.name}'`);
        else this.endOwner(root, end);
      }
    }
    this.scopes.pop();
    return value;
  }

  private statement(statement: Statement, defers: Block[]): void {
    if (++this.steps > MAX_STEPS) {
      this.incomplete = true;
      this.state.alive = false;
      return;
    }
    const mark = this.temps.length;
    const outerFresh = this.fresh;
    this.fresh = new Set(this.leaving);
    switch (statement.kind) {
      case 'let': {
        let value: Value = NOTHING;
        if (statement.init) {
          value = this.coerce(this.expr(statement.init), statement.type, statement.init.span);
          // `let copy: Box<[u8]> = lent.into();` makes a block of its own; an owner hands its block on.
          if (
            this.rust &&
            statement.type &&
            value.places.length === 0 &&
            value.owned !== true &&
            value.adopts === undefined &&
            isPlainOwner(statement.type) &&
            isConverted(statement.init)
          )
            value = { places: NONE, pointers: NONE, owned: true, type: statement.type };
          if (value.madeOf && (statement.type?.kind === 'reference' || statement.type?.name === 'Cow'))
            value = { places: NONE, pointers: value.madeOf };
          if (statement.otherwise) {
            const before = this.state.clone();
            this.block(statement.otherwise);
            this.state = before;
          }
          if (this.rust && extendsTemporaries(statement.init)) this.extendTemps(value, mark);
          if (!this.rust) value = this.onStack(value, statement);
        }
        const type = statement.type ?? value.type;
        // `let _ = Box::from_raw(p);` holds nothing.
        if (this.rust && statement.pattern.kind === 'wildcard' && value.places.length === 0)
          for (const pointer of value.adopts ?? []) this.dropAtOnce(pointer, statement.span);
        this.bindPattern(
          statement.pattern,
          { ...value, ...optionalType(type) },
          statement.isStatic ? 'static' : 'let',
          statement.modifiers.includes('ref'),
          statement.type,
        );
        break;
      }
      case 'expression': {
        const value = this.expr(statement.expr);
        this.endTakenOut(value, statement.span);
        if (value.adopts) for (const pointer of value.adopts) this.dropAtOnce(pointer, statement.span);
        break;
      }
      case 'defer':
        // What runs only when an exception leaves the scope does not happen on the way that goes on.
        if (statement.when !== 'failure') defers.push(statement.body);
        break;
      case 'try': {
        const before = this.state.clone();
        if (statement.finally) this.pending.push([statement.finally]);
        this.block(statement.body);
        if (statement.finally) this.pending.pop();
        const after = this.state;
        const ends: State[] = after.alive ? [after] : [];
        const thrown = this.join([before, after.revived()]);
        for (const c of statement.catches) {
          this.state = thrown.clone();
          this.block(c.body);
          if (this.state.alive) ends.push(this.state);
        }
        this.state = ends.length > 0 ? this.join(ends) : after.dead();
        if (statement.finally) this.block(statement.finally);
        break;
      }
      case 'item':
        break;
    }
    this.dropTemps(mark, statement.span);
    this.dropGuards(statement.span);
    // D: outside of closures a statement has no value, so what it made and nobody holds is gone.
    if (this.rust || this.frames.length > 0) for (const id of this.fresh) outerFresh.add(id);
    this.fresh = outerFresh;
    this.sweep();
  }

  /** D: the variables of blocks that have ended are forgotten now and then: a body of thousands of loops would carry all of them along. */
  private sweep(): void {
    if (this.rust || this.frames.length > 0 || this.state.size < this.nextSweep) return;
    const known = new Set(this.scopes.flatMap((scope) => [...scope.values()]));
    this.state.sweep((root) => known.has(root) || !ENDS_WITH_BLOCK.has(root.kind) || root.declared === 'static');
    this.nextSweep = Math.max(leastSwept, 2 * this.state.size);
  }

  protected override expr(expr: Expr): Value {
    if (!this.state.alive) return NOTHING;
    if (this.nesting >= MAX_DEPTH || ++this.steps > MAX_STEPS) {
      this.incomplete = true;
      return NOTHING;
    }
    this.nesting++;
    const value = this.evaluate(expr);
    this.nesting--;
    return value;
  }

  private evaluate(expr: Expr): Value {
    switch (expr.kind) {
      case 'name':
        return this.name(expr);
      case 'field':
        return this.field(expr);
      case 'index': {
        const base = this.expr(expr.base);
        const index = this.expr(expr.index);
        const own = this.ownIndex(base, index, expr.span);
        if (own) return own;
        return isParts(base) ? { places: NONE, pointers: base.pointers } : this.element(base, expr.span);
      }
      case 'slice': {
        const base = this.expr(expr.base);
        const bounds = [expr.from, expr.to].flatMap((bound) => (bound ? [this.expr(bound)] : []));
        // `args[1 .. $]` of `Args args` is some of the arguments, not a slice of memory.
        if (this.isTuple(base)) return NOTHING;
        const sliced = bounds.length === 1 ? undefined : this.ownSlice(base, bounds, expr.span);
        if (sliced) return sliced;
        this.use(base, expr.span, 'index', '[..]');
        if (this.rust)
          return {
            places: this.subjects(base).map((p) => (p.path.at(-1) === '[]' ? p : extend(p, '[]'))),
            pointers: NONE,
            ...optionalType(base.type),
          };
        const targets =
          base.pointers.length > 0 && this.isView(base)
            ? base.pointers.map((p) => p.target)
            : this.materialise(base, expr.base.span).map((p) =>
                p.path.at(-1) === '[]' && !this.isArrayItem(p) ? p : extend(p, '[]'),
              );
        return {
          places: NONE,
          pointers: targets.map((t) => this.borrow(t, 'slice', false, expr.span, '[..]')),
          ...optionalType(
            base.type?.kind === 'static-array' && base.type.element ? { ...base.type, kind: 'slice' } : base.type,
          ),
        };
      }
      case 'deref': {
        const base = this.expr(expr.base);
        // What has no size is not read.
        if (!isUnit(base.type?.element)) this.use(base, expr.span, 'deref', '*');
        this.access(base.places, expr.span, 'deref', '*');
        const places =
          base.pointers.length > 0
            ? base.pointers.map((p) => p.target)
            : base.places.map((p) => extend(p, this.derefSegment(base.type)));
        const type =
          base.type?.kind === 'pointer' || base.type?.kind === 'reference' ? base.type.element : peel(base.type);
        const first = places[0];
        const read = first ? this.valueOf(first, type) : NOTHING;
        return { places, pointers: read.pointers, via: [...(base.via ?? []), ...base.pointers], ...optionalType(type) };
      }
      case 'address':
        return this.address(expr);
      case 'call':
        return this.call(expr);
      case 'method':
        return this.methodCall(expr);
      case 'macro': {
        this.forgetNamed(expr.names ?? []);
        const [first, ...others] = expr.args;
        const values = first ? [this.expr(first)] : [];
        // `try_or!(make(&mut p), free(p))` of the package runs the second only where the first failed, and then leaves.
        const sure =
          this.rust && others.length > 0 && !RUNS_ALL.test(expr.name) ? new SharedMap(this.state.invalid) : undefined;
        values.push(...others.map((a) => this.expr(a)));
        if (sure) this.state.forgetInvalid(sure);
        values.forEach((v, i) => this.access(v.places, expr.args[i]?.span ?? expr.span, 'argument', `${expr.name}!`));
        if (this.rust && PRINTS.test(expr.name)) this.usePrinted(values, expr);
        // A macro of unknown content may take what it is given, unless that goes with a text that it shows.
        else if (this.rust && (expr.name === 'vec' || mayTake(expr))) this.giveAway(values);
        for (const { row } of this.settings.apis.macro(expr.name))
          for (const effect of row.effects)
            this.applyEffect(effect, row, undefined, values, expr.args, expr.span, expr.name, false);
        if (expr.name === 'vec' || expr.name === 'format')
          return {
            places: NONE,
            pointers: values.flatMap((v) => (expr.name === 'vec' ? v.pointers : [])),
            owned: true,
            ...(expr.name === 'vec' ? this.packedIn(values) : {}),
            type: syntheticType(
              expr.name === 'vec' ? 'Vec' : 'String',
              expr.span,
              expr.name === 'vec' && this.rust && values[0]?.type ? [values[0].type] : [],
            ),
          };
        if (/^(panic|unreachable|todo|unimplemented|bail)$/.test(expr.name)) {
          this.state.alive = false;
          return NOTHING;
        }
        if (/^(?:debug_)?assert(?:_eq|_ne)?$/.test(expr.name)) {
          const [condition] = expr.args;
          if (condition && expr.name.endsWith('assert')) this.makeNull(nullTests(condition).whenTrue);
          return NOTHING;
        }
        // A macro that calls a function with what it is given (`dispatch!(table, get_name, object)`) yields what that returns.
        if (this.rust && values.length > 2 && !/^(?:dbg|pin|vec|ready|try|join|select)$/u.test(expr.name))
          return NOTHING;
        // What is printed or logged is only lent.
        return /^(?:dbg|pin|vec|ready|try)$/.test(expr.name) ? merged(values) : withoutAdopts(merged(values));
      }
      case 'literal':
        return {
          places: NONE,
          pointers: NONE,
          literal: expr.text,
          ...optionalType(this.literalType(expr)),
        };
      case 'binary': {
        const left = this.expr(expr.left);
        if (expr.operator === '&&' || expr.operator === '||') {
          const skipped = this.state.clone();
          this.undoReleases(this.rust ? NONE : refusedBy(expr.left, expr.operator === '&&'));
          this.expr(expr.right);
          this.state = this.state.alive ? this.join([skipped, this.state]) : skipped;
          return NOTHING;
        }
        const right = this.expr(expr.right);
        // The distance of two addresses is a number.
        if (expr.operator === '-' && right.pointers.length > 0) return NOTHING;
        if (/^(==|!=|<|>|<=|>=|is|!is|in|!in)$/.test(expr.operator)) {
          if (expr.operator === 'in')
            return {
              places: NONE,
              pointers: this.subjects(right).map((p) => this.borrow(extend(p, '[]'), 'raw', false, expr.span, 'in')),
              ...optionalType(
                right.type?.element ? { ...right.type, kind: 'pointer', element: right.type.element } : undefined,
              ),
            };
          if (!/^!?i[sn]$/u.test(expr.operator)) {
            this.compare(left, expr);
            this.compare(right, expr);
          }
          return NOTHING;
        }
        // `text + &more` is a text of its own.
        if (this.rust && expr.operator === '+' && left.type?.kind === 'path' && left.type.name === 'String')
          return { places: NONE, pointers: NONE, owned: true, type: left.type };
        // Pointer arithmetic keeps pointing into the same storage; concatenation makes a new array.
        if (expr.operator === '+' || expr.operator === '-')
          return {
            places: NONE,
            // Rust adds to addresses only; `text + &more` copies what it is given.
            pointers: [...left.pointers, ...right.pointers, ...this.countedOn(left, expr)].filter(
              (p) => !this.rust || p.form === 'raw',
            ),
            ...optionalType(left.type),
          };
        if (expr.operator === '~')
          return { places: NONE, pointers: NONE, owned: true, ...optionalType(left.type ?? right.type) };
        return NOTHING;
      }
      case 'unary': {
        const value = this.expr(expr.operand);
        if (expr.operator === '!') return NOTHING;
        // D: `~a[]` and `-a[]` make new elements of those of a slice.
        const isOfElements = !this.rust && (expr.operator === '~' || expr.operator === '-');
        return isOfElements ? { places: NONE, pointers: NONE, ...optionalType(value.type) } : value;
      }
      case 'assign':
        return this.assign(expr);
      case 'cast': {
        const value = this.expr(expr.value);
        if (!this.rust && expr.type.kind === 'static-array') {
          this.use(value, expr.span, 'deref', 'cast');
          return { places: NONE, pointers: NONE, owned: true, type: expr.type };
        }
        // Too small for an address: what is left of a pointer is a number.
        if (expr.type.kind === 'path' && (this.rust ? SMALL : SMALL_IN_D).test(expr.type.name))
          return { places: NONE, pointers: NONE, type: expr.type };
        const erases = this.rust && expr.type.kind === 'pointer';
        // D: an address that went through a number is the same address.
        if (!this.rust && value.pointers.length > 0 && ADDRESS_SIZED.test(expr.type.name))
          this.castToNumber.set(expr.span.start, value.pointers);
        const isBack = !this.rust && expr.type.kind === 'pointer' && value.pointers.length === 0;
        const pointers = erases
          ? value.pointers.map((p) =>
              p.form === 'raw' ? p : this.borrow(p.target, 'raw', true, p.site, p.how, p.row, p.locks),
            )
          : isBack
            ? this.addressesIn(expr.value)
            : value.pointers;
        return {
          places: pointers.length > 0 ? [] : value.places,
          pointers,
          type: expr.type,
          ...(value.owned ? { owned: true } : {}),
          ...(value.foreign ? { foreign: true } : {}),
        };
      }
      case 'struct': {
        const pointers: Pointer[] = [];
        const adopts: Pointer[] = [];
        const parts: { name: string; value: Value }[] = [];
        const owner = this.rust && expr.type.name === 'Self' ? this.ownerType() : undefined;
        const type = owner ?? expr.type;
        for (const f of expr.fields) {
          const given = this.expr(f.value);
          const value = (this.rust ? this.mayBecomeRaw(given) : given.pointers.length > 0)
            ? this.coerce(given, this.fieldType(type, f.name))
            : given;
          pointers.push(...value.pointers);
          parts.push({ name: f.name, value });
          if (value.adopts) adopts.push(...value.adopts);
          if (isWhole(value)) this.moveOut(value);
        }
        if (expr.base) pointers.push(...this.expr(expr.base).pointers);
        return {
          places: NONE,
          pointers,
          type,
          owned: pointers.length === 0,
          ...(adopts.length > 0 ? { adopts } : {}),
          ...(this.rust && pointers.length > 0 ? { parts } : {}),
        };
      }
      case 'tuple': {
        const values = expr.items.map((i) => this.expr(i));
        for (const value of values) if (isWhole(value)) this.moveOut(value);
        const args = values.map(
          (v): TypeRef => v.type ?? { ...syntheticType('', expr.span), kind: 'unknown', path: [] },
        );
        return {
          ...merged(values),
          places: NONE,
          ...(this.rust && values.some((v) => v.type)
            ? { type: { ...syntheticType('', expr.span, args), kind: 'tuple', path: [] } }
            : {}),
        };
      }
      case 'array': {
        const values = [...expr.items, ...(expr.keys ?? []), ...(expr.repeat ? [expr.repeat] : [])].map((i) =>
          this.expr(i),
        );
        if (this.rust) this.giveAway(values);
        const element = values[0]?.type;
        const together = merged(values);
        const block = this.rust ? undefined : this.arrayBlock(this.withHeld(together), expr.span);
        const fields = this.rust && together.pointers.length > 0 ? this.elementParts(values) : undefined;
        return {
          ...together,
          ...(block ? { pointers: [block, ...together.pointers] } : {}),
          places: NONE,
          owned: true,
          ...this.packedIn(values),
          ...(fields ? { parts: [{ name: '[]', value: { ...together, parts: fields } }] } : {}),
          ...(this.rust
            ? {
                type: {
                  ...syntheticType('', expr.span),
                  kind: 'static-array',
                  text: '[_; _]',
                  path: [],
                  ...(element ? { element } : {}),
                },
              }
            : {}),
        };
      }
      case 'range':
        if (expr.from) this.expr(expr.from);
        if (expr.to) this.expr(expr.to);
        return NOTHING;
      case 'closure':
        return this.closureValue(expr);
      case 'block':
        return this.blockExpr(expr);
      case 'if':
        return !this.rust && expr.isStatic === true ? this.staticIf(expr) : this.ifExpr(expr);
      case 'let-condition': {
        const value = this.expr(expr.value);
        this.bindPattern(expr.pattern, value, 'pattern');
        return NOTHING;
      }
      case 'match':
        return this.matchExpr(expr);
      case 'loop':
        return this.loop(expr);
      case 'return': {
        this.returned = expr.value === undefined ? undefined : withoutCasts(expr.value).span.start;
        const value = expr.value ? this.expr(expr.value) : NOTHING;
        this.returned = undefined;
        // What was released before may be released again on the way out.
        if (!this.rust && (value.pointers.length > 0 || this.state.invalid.size > 0)) this.runPending(value);
        this.leave(value, expr.span);
        this.state.alive = false;
        return NOTHING;
      }
      case 'break': {
        const value = expr.value ? this.expr(expr.value) : NOTHING;
        const loop = this.findLoop(expr.label);
        if (loop) this.leaveBlocks(loop.blocks, value, expr.span);
        loop?.breaks.push(this.state.clone());
        loop?.values.push(value);
        this.state.alive = false;
        return NOTHING;
      }
      case 'continue': {
        const loop = this.findLoop(expr.label);
        if (loop) this.leaveBlocks(loop.blocks, NOTHING, expr.span);
        loop?.continues.push(this.state.clone());
        this.state.alive = false;
        return NOTHING;
      }
      case 'throw':
        this.escape(this.rust ? this.expr(expr.value) : this.thrown(expr.value), 'throw', expr.span);
        this.state.alive = false;
        return NOTHING;
      case 'await': {
        const value = this.expr(expr.value);
        this.suspend(expr.span);
        return value;
      }
      case 'try': {
        const value = this.expr(expr.value);
        return { ...value, ...optionalType(unwrapped(value.type)) };
      }
      case 'new': {
        const values = expr.args.map((a) => this.expr(a.value));
        const type = this.rust ? expr.type : this.madeBy(expr.type);
        this.startedBy(expr, values);
        const made = this.rust ? undefined : this.construct(expr.type.name, expr.args, values, expr.span);
        if (made && type === expr.type) return made;
        // A pointer to a new struct leads to what the fields of the struct hold.
        if (made) {
          const held = made.places.flatMap((place) => this.state.below(place).flatMap(([, stored]) => stored.pointers));
          return { places: NONE, pointers: uniquePointers(held), owned: true, type };
        }
        return { ...merged(values), places: NONE, owned: true, type };
      }
      case 'unknown':
        return merged(expr.children.map((c) => this.expr(c)));
    }
  }

  /** Rust: the variables whose values a list takes. */
  private packedIn(values: readonly Value[]): { packed?: readonly Place[] } {
    const packed = values
      .filter(isWhole)
      .flatMap(({ places }) => places.filter((p) => p.path.length === 0 && this.state.moved.has(p.root.id)));
    return this.rust && packed.length > 0 ? { packed } : {};
  }

  /** D: `new Thread(dg)` gives what it is given to another thread. */
  private startedBy({ type, args, span }: ExprOf<'new'>, values: readonly Value[]): void {
    if (this.rust || type.kind !== 'path' || values.length === 0) return;
    const matches = this.settings.apis.path([type.name], args.length);
    if (!matches.some(({ row }) => row.effects.some((effect) => effect.kind === 'spawn'))) return;
    if (this.settings.oracle.isDeclared(type.name, this.file.path)) return;
    for (const value of values) this.escape(value, 'spawn', span, { callee: type.name });
  }

  /** What is compared by its content is read; an address is a number. */
  private compare(value: Value, { operator, span }: ExprOf<'binary'>): void {
    const read = value.pointers.filter((p) => p.form === 'slice' || (this.rust && p.form === 'reference'));
    this.use({ places: NONE, pointers: read }, span, 'deref', operator);
  }

  /** D: what a `return` runs on its way out, after its value is made. What happens only under a condition is left out. */
  private runPending(value: Value): void {
    const pending = this.pending;
    this.pending = [];
    this.leaving = value.pointers.map((p) => p.id);
    for (const defers of pending.toReversed())
      for (const body of defers.toReversed()) if (this.state.alive && !holdsBranch(body)) this.deferred(body);
    this.pending = pending;
    this.leaving = [];
  }

  /** D: what goes with an exception: the value, and the texts that its constructor is given and keeps. */
  private thrown(expr: Expr): Value {
    if (expr.kind !== 'new') return this.expr(expr);
    const values = expr.args.map(({ value }) => this.asSlice(this.expr(value), value.span));
    values.forEach((value, at) => {
      if (this.keepsArgument(expr.type.name, at, values.length)) this.noteThrown(value);
    });
    return { ...merged(values.filter((_, at) => this.keepsArgument(expr.type.name, at, values.length))), places: NONE };
  }

  /** D: whether the constructor of an exception keeps what it is given at a position: always, when the class is not one of the unit. */
  private keepsArgument(name: string, at: number, count: number): boolean {
    if (this.settings.oracle.declaration(name, this.file.path) === undefined) return true;
    const makers = this.file.functions.filter((f) => f.owner === name && f.kind === 'constructor');
    const maker = makers.find((f) => f.params.length >= count);
    const given = maker?.params[at]?.name;
    if (maker?.body === undefined || given === undefined) return makers.length === 0;
    let keeps = false;
    walkBody(maker.body, ({ expr }) => {
      const kept = expr.kind === 'assign' ? [expr.value] : isCallOfSuper(expr) ? expr.args.map((a) => a.value) : [];
      keeps ||= kept.some((one) => one.kind === 'name' && one.path.length === 1 && one.path[0] === given);
    });
    return keeps;
  }

  /** Rust: what references without a lifetime lead to is read when it is shown, unless the text asks for the address. */
  private usePrinted(values: readonly Value[], { args, span, name }: ExprOf<'macro'>): void {
    if (args.some(asksForAddress)) return;
    values.forEach((value, i) => {
      const shown = value.pointers.filter((p) => p.erased && (p.form === 'reference' || p.form === 'slice'));
      if (shown.length > 0) this.use({ places: NONE, pointers: shown }, args[i]?.span ?? span, 'argument', `${name}!`);
    });
  }

  /** D: `return block + n` of a member that is a pointer leads to an element, as `&block[n]` does. */
  private countedOn({ places, type }: Value, { span, operator }: ExprOf<'binary'>): readonly Pointer[] {
    if (this.rust || operator !== '+' || type?.kind !== 'pointer' || this.returned !== span.start) return NONE;
    return places
      .filter(({ root, path }) => root.kind === 'self' && path.length === 1)
      .map((place) => this.borrow(extend(place, '*', '[]'), 'raw', false, span, '+'));
  }

  private blockExpr(expr: ExprOf<'block'>): Value {
    const subject = expr.subject ? this.expr(expr.subject) : undefined;
    const isLock = expr.flavour === 'synchronized';
    if (isLock) {
      const what = subject?.places[0] ? describePlace(subject.places[0]) : 'this';
      this.state.locks.push({ span: expr.span, what });
    }
    const loop = expr.label ? newLoop(expr.label, this.blockRoots.length, true) : undefined;
    if (loop) this.loopStack.push(loop);
    const isWith = expr.flavour === 'with' && subject !== undefined;
    let value = isWith ? this.withBlock(expr, subject) : this.block(expr.block);
    if (loop) {
      this.loopStack.pop();
      const ends = this.state.alive ? [this.state, ...loop.breaks] : loop.breaks;
      if (ends.length > 0) this.state = this.join(ends);
      value = merged([value, ...loop.values]);
    }
    if (isLock) this.unlock(expr.span, (l) => l.span.start === expr.span.start);
    return value;
  }

  /** D: `with (list[i])` refers to the element as a variable by `ref` does, for as long as the block runs. */
  private withBlock({ block, subject, span }: ExprOf<'block'>, value: Value): Value {
    this.scopes.push(new Map());
    this.blockRoots.push([]);
    const site = subject?.span ?? span;
    const through = (value.via ?? []).filter((p) => p.form === 'raw');
    const held =
      through.length > 0
        ? through
        : value.pointers.length > 0 && value.type?.kind === 'pointer'
          ? value.pointers
          : value.places
              .filter((p) => p.path.includes('[]'))
              .map((p) => this.borrow(p, 'reference', false, site, 'with'));
    const root = this.declare('with (..)', {
      kind: 'local',
      name: 'with (..)',
      span: site,
      byValue: false,
      declared: 'implicit',
    });
    if (held.length > 0) this.state.write({ root, path: [] }, { pointers: held });
    this.subjectsOfWith.push({ value, held });
    const result = this.block(block);
    this.subjectsOfWith.pop();
    this.leaveScope(span, result);
    return result;
  }

  /** D: `if (moved is block) return block;`: where the block did not move, `realloc` has released nothing. */
  private undoMoves(condition: Expr, outcome: boolean): void {
    if (this.rust || condition.kind !== 'binary') return;
    if (!(outcome ? /^(?:is|==)$/u : /^(?:!is|!=)$/u).test(condition.operator)) return;
    const names = [condition.left, condition.right].flatMap((side) =>
      side.kind === 'name' && side.path.length === 1 ? side.path : NONE,
    );
    const [left, right] = names.map((name) =>
      this.variables([name]).flatMap((root) => [
        ...(this.state.read({ root, path: [] })?.pointers ?? []),
        // What a parameter leads to.
        ...this.pointers.filter(({ how, target }) => how === 'declared' && target.root.id === root.id),
      ]),
    );
    if (left === undefined || right === undefined) return;
    for (const [moved, block] of [
      [left, right],
      [right, left],
    ] as const)
      this.undoReleases(
        moved.map(({ site }) => site),
        new Set(block.map(({ id }) => id)),
      );
  }

  private ifExpr(expr: ExprOf<'if'>): Value {
    this.scopes.push(new Map());
    this.blockRoots.push([]);
    const mark = this.temps.length;
    this.expr(expr.condition);
    if (!containsLet(expr.condition)) this.dropTemps(mark, expr.condition.span);
    const before = this.state.clone();
    const ends: State[] = [];
    const grown = this.rust ? undefined : this.growingTest(expr.condition);
    if (grown?.when === false) this.undoGrowth(grown.span);
    this.undoReleases(this.rust ? NONE : refusedBy(expr.condition, true));
    this.undoMoves(expr.condition, true);
    const nulls = nullTests(expr.condition);
    this.makeNull(nulls.whenTrue);
    // `if (auto p = ..)` ends the scope of `p`, which is null where the test failed.
    const nullOtherwise = this.variables(nulls.whenFalse);
    const then = this.branch(expr.then);
    this.leaveScope(expr.then.span, then);
    const thenEnd = this.state;
    if (this.state.alive && !(this.rust && endsWithFailure(expr))) ends.push(this.state);
    this.state = before;
    this.setNull(nullOtherwise);
    if (grown?.when === true) this.undoGrowth(grown.span);
    this.undoReleases(this.rust ? NONE : refusedBy(expr.condition, false));
    this.undoMoves(expr.condition, false);
    let otherwise: Value = NOTHING;
    if (expr.else) {
      otherwise = this.branch(expr.else);
      if (this.state.alive) ends.push(this.state);
    } else ends.push(this.state);
    const values = this.valuesApart([then, otherwise], [thenEnd, this.state]);
    this.state = ends.length > 0 ? this.join(ends) : this.state.dead();
    return this.joinBranches(values, expr.else ? [expr.then, expr.else] : []);
  }

  /** D: `static if`, `version` and `debug` open no scope: what they declare stays until the block around them ends. */
  private staticIf(expr: ExprOf<'if'>): Value {
    const only = expr.condition.kind === 'literal' ? plainBlock(expr.then, false) : undefined;
    if (only) {
      this.inScope(only);
      return NOTHING;
    }
    this.expr(expr.condition);
    const before = this.state.clone();
    const ends: State[] = [];
    const scope = this.scopes.at(-1) ?? new Map<string, Root>();
    const around = new Map(scope);
    const named: ReadonlyMap<string, Root>[] = [];
    const defers = this.pending.at(-1) ?? [];
    const known = defers.length;
    let put: Block[] = [];
    for (const branch of [expr.then, expr.else]) {
      // Only one branch is compiled: the names of the first are nothing to the other.
      setEntries(scope, around);
      this.state = before.clone();
      const block = branch && plainBlock(branch, branch === expr.else);
      if (block) this.inScope(block);
      else if (branch) this.expr(branch);
      if (this.state.alive) {
        ends.push(this.state);
        named.push(new Map(scope));
      }
      // What a branch puts off goes by its own names, and is nothing to the other branch.
      const own = defers.splice(known);
      for (const body of own) this.namesOf.set(body, new Map(scope));
      put = [...put, ...own];
    }
    defers.push(...put);
    // In the next round of a loop the other branch does not see what this one left in its variables.
    named.forEach((names, i) => {
      for (const [name, root] of names)
        if (around.get(name) !== root)
          ends.forEach((state, k) => {
            if (k !== i && named[k]?.get(name) !== root) state.forget(root);
          });
    });
    this.state = ends.length > 0 ? this.join(ends) : this.state.dead();
    // What both declare is one variable to those behind them. What one branch invalidates is not held by that of the other.
    setEntries(scope, around);
    for (const [name, root] of named.flatMap((names) => [...names])) {
      const other = scope.get(name);
      scope.set(name, root);
      if (!other || other === root) continue;
      const held = [other, root].map((one) => this.state.read({ root: one, path: [] }));
      const pointers = held.flatMap((stored) => stored?.pointers ?? []).filter(({ id }) => !this.state.invalid.has(id));
      const stored = held[1] ?? held[0];
      if (stored) this.state.write({ root, path: [] }, { ...stored, pointers: uniquePointers(pointers) });
    }
    return NOTHING;
  }

  /** Runs what was put off to the end of the scope. */
  private deferred(body: Block): void {
    const names = this.namesOf.get(body);
    if (names) this.scopes.push(names);
    this.block(body);
    if (names) this.scopes.pop();
  }

  /** Walks the statements of a block as if they stood beside it. */
  private inScope(block: Block): void {
    const defers = this.pending.at(-1) ?? [];
    for (const statement of block.statements) {
      if (!this.state.alive) return;
      this.statement(statement, defers);
    }
    if (block.result && this.state.alive) this.expr(block.result);
  }

  /** D: a parameter that stands for any number of them. */
  private isTuple({ places: [place] }: Value): boolean {
    const type = place?.root.kind === 'param' && place.path.length === 0 ? place.root.type : undefined;
    return type?.kind === 'path' && this.fn.generics.some((g) => g.isTuple === true && g.name === type.name);
  }

  /** D: a call of a function of the unit as a condition whose outcome tells whether it made something grow. */
  private growingTest(condition: Expr): { readonly span: Span; readonly when: boolean } | undefined {
    if (condition.kind === 'unary' && condition.operator === '!') {
      const inner = this.growingTest(condition.operand);
      return inner && { span: inner.span, when: !inner.when };
    }
    if (condition.kind !== 'call' && condition.kind !== 'method') return undefined;
    const { span } = condition;
    const resolved = this.calls.get(`${span.start}|${span.end}`)?.resolved;
    const fn = resolved && this.settings.oracle.functionById(resolved.path, resolved.functionId);
    const when = fn && this.settings.oracle.summaryOf(resolved.path, fn, this.settings.depth, true)?.summary.growsWhen;
    return when === undefined ? undefined : { span, when };
  }

  /** Branches and arms are scopes of their own for temporaries. */
  private branch(expr: Expr): Value {
    const mark = this.temps.length;
    const value = this.expr(expr);
    this.dropTemps(mark, expr.span);
    return value;
  }

  private matchExpr(expr: ExprOf<'match'>): Value {
    const subject = this.expr(expr.scrutinee);
    const before = this.state;
    const ends: State[] = [];
    const all: State[] = [];
    const values: Value[] = [];
    for (const arm of expr.arms) {
      this.state = before.clone();
      this.scopes.push(new Map());
      this.blockRoots.push([]);
      this.bindPattern(arm.pattern, subject, 'pattern');
      if (arm.guard) this.expr(arm.guard);
      const value = this.branch(arm.body);
      values.push(value);
      this.leaveScope(arm.span, value);
      all.push(this.state);
      if (this.state.alive) ends.push(this.state);
    }
    if (expr.arms.length === 0) ends.push(before);
    const apart = this.valuesApart(values, all);
    this.state = ends.length > 0 ? this.join(ends) : before.dead();
    return this.joinBranches(
      apart,
      expr.arms.map((a) => a.body),
    );
  }

  /** Rust: the variables of the blocks that a `break` or `continue` leaves end there, but for what it takes along. */
  private leaveBlocks(outer: number, value: Value, span: Span): void {
    if (!this.rust || !this.state.alive) return;
    const kept = new Set(
      value.places.filter((p) => p.path.length === 0 && value.pointers.length === 0).map((p) => p.root.id),
    );
    for (const root of this.blockRoots.slice(outer).flat().reverse())
      if (!kept.has(root.id)) this.drop(root, span, `end of the scope of '${root.name}'`);
  }

  private findLoop(label: string | undefined): Loop | undefined {
    if (label) return this.loopStack.findLast((l) => l.label === label);
    return this.loopStack.findLast((l) => !l.isBlock);
  }

  private loop(expr: ExprOf<'loop'>): Value {
    this.scopes.push(new Map());
    const defers: Block[] = [];
    for (const s of expr.init ?? []) this.statement(s, defers);
    const iterable = expr.iterable ? this.expr(expr.iterable) : undefined;
    const loop = newLoop(expr.label, this.blockRoots.length);
    this.loopStack.push(loop);
    this.loops++;
    const exits: State[] = [];
    const isEndless = !this.rust && isEndlessLoop(expr);
    const maySkip = !isEndless && (expr.form === 'while' || expr.form === 'for' || expr.form === 'foreach');
    if (maySkip && !expr.condition) exits.push(this.state.clone());
    const outer = this.round;
    // D: each round of `static foreach` is code of its own, with other names behind its aliases.
    const rounds = !this.rust && expr.isStatic === true ? 1 : 2;
    for (let round = 0; round < rounds && this.state.alive; round++) {
      this.round = ++this.rounds;
      this.scopes.push(new Map());
      this.blockRoots.push([]);
      if (expr.condition && expr.form !== 'do') {
        const mark = this.temps.length;
        this.expr(expr.condition);
        if (!containsLet(expr.condition)) this.dropTemps(mark, expr.condition.span);
        if (maySkip) exits.push(this.state.clone());
      }
      if (iterable && round > 0) this.use(iterable, expr.iterable?.span ?? expr.span, 'deref', 'next element');
      this.bindLoop(expr, iterable);
      this.block(expr.body);
      // What the loop took out by value ends with each round.
      this.leaveScope(expr.body.span, NOTHING);
      const heads = [...(this.state.alive ? [this.state] : []), ...loop.continues.splice(0)];
      if (heads.length === 0) {
        this.state = this.state.dead();
        break;
      }
      this.state = this.join(heads);
      if (expr.condition && expr.form === 'do') this.expr(expr.condition);
      if (expr.update) this.expr(expr.update);
      if (expr.form !== 'loop' && !isEndless) exits.push(this.state.clone());
    }
    this.loops--;
    this.round = outer;
    this.loopStack.pop();
    this.scopes.pop();
    const ends = [...exits, ...loop.breaks];
    this.state = ends.length > 0 ? this.join(ends) : this.state.dead();
    return merged(loop.values);
  }
}

function newLoop(label: string | undefined, blocks: number, isBlock = false): Loop {
  return { label, isBlock, blocks, breaks: [], continues: [], values: [] };
}

function withoutCasts(expr: Expr): Expr {
  return expr.kind === 'cast' ? withoutCasts(expr.value) : expr;
}

/** `super(message)` */
function isCallOfSuper(expr: Expr): expr is ExprOf<'call'> {
  return (
    expr.kind === 'call' &&
    expr.callee.kind === 'name' &&
    expr.callee.path.length === 1 &&
    expr.callee.path[0] === 'super'
  );
}

/** Whether a macro of unknown content may take what it is given: it neither shows nor checks it. */
function mayTake({ name, args }: ExprOf<'macro'>): boolean {
  if (RUNS_ALL.test(name) || /assert|ensure|check|match|print|log/u.test(name)) return false;
  return args.every((arg) => arg.kind !== 'literal' || !arg.text.includes('"'));
}

/** `"{:p}"` */
function asksForAddress(expr: Expr): boolean {
  return expr.kind === 'literal' && /\{\w*:[^}]*p\}/u.test(expr.text);
}

/** `()` */
function isUnit(type: TypeRef | undefined): boolean {
  return type?.kind === 'tuple' && type.args.length === 0;
}

/** The statements of a branch; the braces behind `else` are a block inside of a block. */
function plainBlock(branch: Expr, isElse: boolean): Block | undefined {
  if (branch.kind !== 'block' || branch.flavour !== 'plain') return undefined;
  const [only, ...others] = branch.block.statements;
  const inner = isElse && only?.kind === 'expression' && others.length === 0 ? plainBlock(only.expr, false) : undefined;
  return inner ?? branch.block;
}

/** Makes the map hold exactly the entries given. */
function setEntries<K, V>(map: Map<K, V>, entries: ReadonlyMap<K, V>): void {
  map.clear();
  for (const [key, value] of entries) map.set(key, value);
}

/** `lent.into()`, also in a block of its own. */
function isConverted(expr: Expr): boolean {
  if (expr.kind === 'block')
    return expr.block.statements.length === 0 && expr.block.result !== undefined && isConverted(expr.block.result);
  return expr.kind === 'method' && expr.method === 'into' && expr.args.length === 0;
}
