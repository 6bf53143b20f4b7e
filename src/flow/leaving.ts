import { isAlwaysRun } from './always-run.js';
import { Ownership } from './ownership.js';
import { isWithin, type Place, placeKey, type Root } from './place.js';
import { dependsOnAnotherField } from './released-by-drop.js';
import type { Escape, Invalidation, Pointer, Summary, Value } from './result.js';
import { isWhole, NOTHING, optionalType } from './values.js';
import type { FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { NONE } from '../model/lists.js';

/** What leaves the function, by a return, a store, an exception or an argument, and what callers have to know of it: its summary. */
export abstract class Leaving extends Ownership {
  /** `stale` holds what had happened to a returned pointer by the time it was returned. */
  protected readonly returnStack: {
    values: Value[];
    functionId: number;
    stale: Map<number, readonly Invalidation[]>;
  }[] = [];
  protected readonly escapes = new Map<string, Escape>();
  /** D: slices that the function was given and returns. */
  private readonly passed = new Set<number>();
  private readonly thrownParams = new Set<number>();
  /** Rust: what `Summary.lends` says. */
  private readonly lent = new Map<string, Summary['lends'][number]>();
  private readonly stores = new Map<string, Summary['stores'][number]>();
  /** D: fields of `this` and what parameters lead to, of which the value is returned. */
  private readonly shown = new Map<string, Place>();
  /** D: what is returned, by the keys of where it leads: whether on every way it is no longer what the member leads to. */
  private readonly old = new Map<string, boolean>();

  /** Rust: what is given is released on one way only (`if owned { free(p); }`): callers know better whether that was gone. */
  private mayKeep({ place, span }: Summary['releases'][number]): boolean {
    const { body } = this.fn;
    return this.rust && body !== undefined && place.root.kind === 'param' && !isAlwaysRun(body, span, place.root.name);
  }

  /** Rust: a closure that the function was given is called with what a guard of this function shows. */
  protected noteLent({ kind, index }: Root, given: Value | undefined): void {
    if (!this.rust || kind !== 'param' || index === undefined || given === undefined || this.frames.length > 0) return;
    const held = [...given.pointers, ...given.pointers.flatMap((p) => this.state.read(p.target)?.pointers ?? [])];
    for (const { form, target, how, locks } of held)
      if (form === 'guard' ? !/borrow/u.test(how) : locks.length > 0 && (form === 'reference' || form === 'slice'))
        this.lent.set(`${index}|${placeKey(target)}`, { param: index, place: target });
  }

  /** Records that `value` leaves through a return of the innermost function or closure. */
  protected leave(last: Value, span: Span): void {
    const inner = this.returnStack.at(-1)?.functionId;
    // What has no return type hands nothing on, whatever its last expression leads to.
    const isUnit = this.rust && inner === this.fn.id && /^(?:function|method)$/u.test(this.fn.kind) && !this.fn.returns;
    const given = isUnit ? NOTHING : last;
    const returning = this.functions.get(inner ?? -1);
    const byRef =
      given.places.length > 0 &&
      returning?.returnsRef === true &&
      !(isAutoRef(returning) && given.places.every((p) => this.isInFrame(p)));
    // D: `ref T f() { return a[i]; }` hands out the element's address.
    const wanted = this.functions.get(inner ?? -1) ?? (inner === this.fn.id ? this.fn : undefined);
    const value: Value = byRef
      ? {
          places: NONE,
          pointers: given.places.flatMap((p) => {
            // `return *p;` hands on what `p` points to, made where `p` was made.
            const through =
              given.via?.filter((v) => p.root.kind === 'local' && placeKey(v.target) === placeKey(p)) ?? [];
            return through.length > 0 ? through : [this.borrow(p, 'reference', false, span, 'ref return')];
          }),
          ...optionalType(given.type),
        }
      : this.coerce(this.withoutHanded(given, wanted), wanted?.returnsRef === true ? undefined : wanted?.returns);
    if (this.rust && inner === this.fn.id) this.leaveBehind(span);
    const held = (this.rust ? inner === this.fn.id : !byRef) ? this.withHeld(value) : value;
    const leaving = byRef ? held : this.withoutHanded(held, wanted);
    if (!this.rust && !byRef && inner === this.fn.id)
      for (const { root, path } of given.places)
        if (root.kind === 'param' && root.index !== undefined && path.length === 0 && root.type?.kind === 'slice')
          this.passed.add(root.index);
    if (!this.rust && !byRef && inner === this.fn.id) this.notePassedInside(given);
    if (!this.rust && !byRef && inner === this.fn.id)
      for (const place of given.places)
        if ((place.root.kind === 'self' || place.root.kind === 'param') && place.path.length > 0)
          this.shown.set(placeKey(place), place);
    this.use(leaving, span, 'return', 'return');
    this.escape(leaving, 'return', span);
    if (!this.rust && inner === this.fn.id) this.noteOld(leaving);
    const returns = this.returnStack.at(-1);
    returns?.values.push(value);
    for (const { id } of value.pointers)
      returns?.stale.set(id, [...(returns.stale.get(id) ?? []), ...(this.state.invalid.get(id) ?? [])]);
    if (value.places.length > 0 && isWhole(value)) this.moveOut(value);
    if (this.rust && inner === this.fn.id) this.endTaken(span);
  }

  /** D: whether members that led to what is returned have been set to something else by now: `old = cells; cells = next; return old;` */
  private noteOld({ pointers }: Value): void {
    for (const pointer of pointers) {
      const { root, path } = pointer.target;
      const isRef = path.length === 1 && root.kind === 'param' && !root.byValue;
      if (pointer.how !== 'declared' || (path.length < 2 && !isRef) || path.at(-1) !== '*') continue;
      const held = this.state.read({ root, path: path.slice(0, -1) });
      const isOld = held !== undefined && !held.pointers.includes(pointer);
      const key = placeKey(pointer.target);
      this.old.set(key, isOld && this.old.get(key) !== false);
    }
  }

  /** D: `auto c = scoped!C(); return c;` where the type is inferred returns what holds the object, with the object in it. */
  private withoutHanded(value: Value, returning: FunctionIr | undefined): Value {
    const { returns } = returning ?? {};
    if (this.rust || returning === undefined || (returns !== undefined && returns.kind !== 'unknown')) return value;
    const isHolder = ({ how, target }: Pointer): boolean =>
      how === 'scoped' &&
      value.places.some(
        ({ root, path }) =>
          path.length === 0 && root.name === target.root.name && root.span.start === target.root.span.start,
      );
    return { ...value, pointers: value.pointers.filter((one) => !isHolder(one)) };
  }

  /** D: pointers that the function was given and returns inside of a struct that it makes. */
  private notePassedInside({ places }: Value): void {
    for (const place of places) {
      if (!place.root.byValue || (place.root.kind !== 'local' && place.root.kind !== 'temp')) continue;
      for (const [, { pointers }] of this.state.below(place))
        for (const { how, target } of pointers)
          if (how === 'declared' && target.root.kind === 'param' && target.root.index !== undefined)
            if (target.path.length === 1) this.passed.add(target.root.index);
    }
  }

  /** Rust: pointers that fields, globals and out-parameters still hold when the function ends. */
  protected leaveBehind(span: Span): void {
    if (!this.rust) return;
    for (const { place, stored } of this.state.entries()) {
      if (stored.pointers.length === 0 || !this.outlives(place)) continue;
      // A parameter of a closure that ran here is not the caller's, unless it got something of the caller's.
      if (place.root.kind === 'param' && (place.root.index ?? place.root.origin?.root.index) === undefined) continue;
      if (place.root.kind === 'self' && place.root.byValue && !this.state.moved.has(place.root.id)) continue;
      for (const pointer of stored.pointers) {
        if (pointer.how === 'declared' || pointer.target.root.id === place.root.id) continue;
        const key = `${pointer.id}|left|${placeKey(place)}`;
        const stores = [...this.escapes.values()].filter(
          (e) => e.pointer.id === pointer.id && e.into && !e.atExit && isWithin(place, e.into),
        );
        this.escapes.set(key, {
          pointer,
          kind: 'store',
          span: stores.at(-1)?.span ?? span,
          into: place,
          atExit: true,
          locks: NONE,
          invalidations: [...(this.state.invalid.get(pointer.id) ?? [])],
          ownerMoved: this.state.moved.has(pointer.target.root.id) && !this.isInline(pointer.target),
          context: this.context(),
        });
      }
    }
  }

  /** The value's pointers go where they may outlive this walk: a return, a store, a collection, a callee. */
  protected escape(
    value: Value,
    kind: Escape['kind'],
    span: Span,
    extra: { into?: Place; callee?: string; index?: number } = {},
  ): void {
    for (const pointer of value.pointers) {
      const key = `${pointer.id}|${kind}|${span.start}|${extra.index ?? ''}`;
      if (this.escapes.has(key)) continue;
      this.escapes.set(key, {
        pointer,
        kind,
        span,
        locks: [...this.state.locks],
        invalidations: [...(this.state.invalid.get(pointer.id) ?? [])],
        ownerMoved: this.state.moved.has(pointer.target.root.id) && !this.isInline(pointer.target),
        context: this.context(),
        ...extra,
      });
    }
  }

  /** Parameters that are kept in `into`, for callers. */
  protected noteStores(value: Value, into: Place, span: Span): void {
    for (const pointer of value.pointers) {
      const { root, path } = pointer.target;
      // What a pointer field of the parameter leads to is stored, not what the parameter itself shows.
      if (!this.rust && path.slice(0, -1).some((s) => s !== '*' && s !== '[]') && path.at(-1) === '*') continue;
      if (root.kind !== 'param' || root.index === undefined) continue;
      // `auto next = *at; .. *at = next;`: what was behind the parameter goes back there.
      if (!this.rust && pointer.how === 'declared' && path.length > 1 && path.every((s) => s === '*')) continue;
      const isAddress =
        !this.rust &&
        !root.byValue &&
        pointer.how === '&' &&
        path.every((one, at) => one !== '*' && !this.isReferenceType(this.typeAt({ root, path: path.slice(0, at) })));
      // The address of a part is not that of the whole; which one it is does not matter to who ends first.
      this.stores.set(`${root.index}|${placeKey(into)}`, {
        param: root.index,
        into,
        span,
        ...(isAddress ? { isAddress } : {}),
      });
    }
    for (const place of value.places) {
      // D: what a field of the parameter holds is stored, not the parameter itself.
      if (!this.rust && place.path.length > 0) continue;
      if (place.root.kind === 'param' && place.root.index !== undefined)
        this.stores.set(`${place.root.index}|${placeKey(into)}`, { param: place.root.index, into, span });
    }
  }

  /** D: what is thrown of a parameter, for callers to know. */
  protected noteThrown({ places, pointers }: Value): void {
    for (const { root, path } of [...places, ...pointers.map((p) => p.target)])
      if (root.kind === 'param' && root.index !== undefined && !path.includes('*')) this.thrownParams.add(root.index);
  }

  /** D: with which result the function ends when it has grown something, if it ends with the other one in every other case. */
  private growsWhen(): { growsWhen?: boolean } {
    if (this.rust || !this.fn.body || this.fn.returns?.name !== 'bool' || this.growths.size === 0) return {};
    const first = Math.min(...[...this.growths.values()].map((g) => g.span.start));
    const before = new Set<string>();
    const after = new Set<string>();
    walkBody(this.fn.body, ({ expr, around }) => {
      if (expr.kind !== 'return') return;
      // Another round of a loop comes to the `return` after the growth.
      const isBefore =
        expr.span.start < first && !around.some((e) => e.kind === 'loop' && e.span.start < first && first < e.span.end);
      (isBefore ? before : after).add(expr.value?.kind === 'literal' ? expr.value.text : '?');
    });
    const [result] = after;
    if (after.size !== 1 || (result !== 'true' && result !== 'false') || before.has(result) || before.has('?'))
      return {};
    return { growsWhen: result === 'true' };
  }

  /** What callers have to know of the function. */
  protected summary(): Summary {
    const visible = (p: Place): boolean =>
      p.root.kind === 'self' || p.root.kind === 'global' || (p.root.kind === 'param' && p.root.index !== undefined);
    // D: a slice that is passed by value: what is appended moves the parameter, not what the caller has.
    const isOwnSlice = ({ root, path }: Place): boolean =>
      !this.rust && root.kind === 'param' && root.byValue && path.length === 0 && root.type?.kind === 'slice';
    const returns = new Map<string, Summary['returns'][number]>();
    for (const e of this.escapes.values()) {
      if (
        e.kind !== 'return' ||
        e.context.frames.length > 0 ||
        !visible(e.pointer.target) ||
        e.pointer.form === 'closure'
      )
        continue;
      const { target, form, erased, site, how } = e.pointer;
      const isOld = this.old.get(placeKey(target)) === true;
      returns.set(`${placeKey(target)}|${form}`, { target, form, erased, site, how, ...(isOld ? { isOld } : {}) });
    }
    const reads = new Map<number, { param: number; span: Span }>();
    for (const a of this.accesses) {
      const { root } = a.place;
      if (root.kind !== 'param' || root.index === undefined || reads.has(root.index)) continue;
      if (a.kind === 'deref' || a.kind === 'index' || a.kind === 'method')
        reads.set(root.index, { param: root.index, span: a.span });
    }
    return {
      returns: [...returns.values()],
      grows: [...this.growths.values()].filter(
        (g) =>
          visible(g.place) &&
          !isOwnSlice(g.place) &&
          !g.context.frames.some((f) => f.run === 'spawned' || f.run === 'stored'),
      ),
      ...this.growsWhen(),
      lends: [...this.lent.values()].filter((l) => visible(l.place)),
      releases: [...this.releases.values()].filter((r) => !this.mayKeep(r)),
      uses: [...this.uses.values()].filter(
        (u) => !this.fn.body || !dependsOnAnotherField(this.fn.body, u.span, u.place.path[0] ?? ''),
      ),
      passes: [...this.passed],
      shows: [...this.shown.values()],
      sets: this.rust
        ? []
        : this.accesses
            .filter((a) => a.kind === 'write' && /^=$|\(\)$/u.test(a.what) && visible(a.place) && isCallersOwn(a.place))
            .map((a) => a.place),
      stores: [...this.stores.values()],
      throws: [...this.thrownParams],
      late: [...this.late.values()],
      consumes: this.consumed,
      adopts: [...this.adoptions.values()]
        .filter((a) => visible(a.pointer.target))
        .map((a) => ({
          place: a.pointer.target,
          rawType: a.rawType,
          span: a.span,
          how: a.how,
          ...(a.content ? { content: a.content } : {}),
        })),
      reads: [...reads.values()],
    };
  }
}

/** D: whether a function that writes to the place writes to something of its caller's: a member, or a parameter by `ref`. */
function isCallersOwn({ root, path }: Place): boolean {
  return path.length > 0 || (root.kind === 'param' && !root.byValue);
}

/** D: `auto ref` is by value where what is returned would end with the function. */
function isAutoRef({ attributes }: FunctionIr): boolean {
  const auto = attributes.findIndex((a) => a.name === 'auto');
  return auto >= 0 && auto < attributes.findIndex((a) => a.name === 'ref');
}
