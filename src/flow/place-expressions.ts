import { syntheticType } from './builtin-types.js';
import { Calls } from './calls.js';
import { dottedPath, isPromoted } from './expression-shapes.js';
import { extend, isWithin, type Place } from './place.js';
import type { PointerForm, Value } from './result.js';
import { elementType, isGrowable, keepsSliceOf, peel, SCALAR, withoutAlias } from './types.js';
import { guardsOf, locksOf, NOTHING, optionalType } from './values.js';
import type { Expr, ExprOf, GlobalDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { NONE } from '../model/lists.js';

/** Expressions that stand for a place: names, fields, addresses, and assignments to them. */
export abstract class PlaceExpressions extends Calls {
  protected literalType(expr: ExprOf<'literal'>): TypeRef | undefined {
    if (expr.type === 'string') return syntheticType('str', expr.span);
    const suffix =
      this.rust && expr.type === 'number' ? /(?:[iu](?:8|16|32|64|128|size)|f32|f64)$/u.exec(expr.text) : null;
    return suffix ? syntheticType(suffix[0], expr.span) : undefined;
  }

  /** D: `new S` of a struct is a pointer to it, of a class the reference itself. */
  protected madeBy(type: TypeRef): TypeRef {
    const kind = type.kind === 'path' ? this.settings.oracle.declaration(type.name, this.file.path)?.kind : undefined;
    return kind === 'struct' || kind === 'union'
      ? { kind: 'pointer', text: `${type.text}*`, span: type.span, name: '', path: [], args: [], element: type }
      : type;
  }

  /** A variable, a member of `this` that is named alone, a global, or a name of unknown origin. */
  protected name(expr: ExprOf<'name'>): Value {
    const first = expr.path[0];
    if (first === undefined) return NOTHING;
    if (expr.path.length === 1) {
      const root = this.lookup(first);
      if (root) {
        // Whoever has the list may take its elements out of it.
        if (this.packed.size > 0) this.packed.delete(root.id);
        const value = this.valueOf({ root, path: [] }, root.type);
        if (this.state.grown.size > 0 && root.kind === 'param' && !root.byValue) this.noteLate(root, expr.span);
        // A D `ref` variable is its target: reading it reads there, and what it points to is not a value of its own.
        if (this.rust || root.byValue || root.kind !== 'local' || value.pointers.length === 0) return value;
        this.use(value, expr.span, 'deref', root.name);
        const places = value.pointers.map((p) => p.target);
        return {
          places,
          pointers: places.flatMap((p) => this.state.read(p)?.pointers ?? []),
          via: value.pointers,
          ...optionalType(root.type),
        };
      }
      if (!this.rust) {
        const subject = this.subjectsOfWith.findLast(({ value }) => this.hasField(value.type, first));
        if (subject) {
          this.use({ places: NONE, pointers: subject.held }, expr.span, 'field', `.${first}`);
          return this.memberOf(subject.value, first, expr.span);
        }
        const self = this.lookup('self');
        const type = self ? this.fieldType(self.type, first) : undefined;
        if (self && (type ?? this.hasField(self.type, first))) return this.valueOf({ root: self, path: [first] }, type);
        const member = self ? undefined : this.staticMember(this.fn.owner, first);
        if (member) return member;
        const shown = self ? this.ownProperty(first, expr.span) : undefined;
        if (shown) return shown;
      }
    }
    const name = expr.path.at(-1) ?? first;
    const global = this.settings.oracle.global(name, this.file.path, this.rust ? this.fn.qualifiedName : undefined);
    if (global) return this.globalValue(global.decl);
    if (expr.path.length === 1 && /^[a-z_]/.test(first)) {
      const root = this.makeRoot({
        kind: 'unknown',
        name: first,
        span: { start: -1, end: -1 },
        byValue: false,
        declared: 'implicit',
      });
      return this.valueOf({ root, path: [] }, undefined);
    }
    return NOTHING;
  }

  private globalValue(decl: GlobalDecl): Value {
    // `enum NULL = null;`
    if (!this.rust && !decl.mutable && decl.init?.kind === 'literal' && decl.init.type === 'null') return NOTHING;
    const root = this.makeRoot({
      kind: 'global',
      name: decl.name,
      span: decl.nameSpan,
      byValue: true,
      declared: 'static',
      ...optionalType(decl.type),
    });
    return this.valueOf({ root, path: [] }, decl.type);
  }

  /** D: a static field that is named in a static method of its type, or by the type: `Pool.all`. */
  private staticMember(owner: string | undefined, name: string): Value | undefined {
    const decl = owner === undefined ? undefined : this.settings.oracle.declaration(owner, this.file.path);
    const field = decl?.fields.find((f) => f.name === name && f.isStatic);
    if (owner === undefined || !decl || !field) return undefined;
    const root = this.makeRoot({
      kind: 'global',
      name: owner,
      span: decl.nameSpan,
      byValue: true,
      declared: 'static',
      type: syntheticType(owner, decl.nameSpan),
    });
    return this.valueOf({ root, path: [name] }, this.plain(field.type));
  }

  /** `isAddressed`: D takes the address of a method, it does not call it. */
  protected field(expr: ExprOf<'field'>, isAddressed = false): Value {
    if (!this.rust && expr.base.kind === 'name' && expr.base.path.length === 1) {
      const [named = ''] = expr.base.path;
      const member = /^[A-Z]/u.test(named) && !this.lookup(named) ? this.staticMember(named, expr.name) : undefined;
      if (member) return member;
      const global = this.lookup(named) ? undefined : this.settings.oracle.globalOf(named, expr.name, this.file.path);
      if (global && !this.settings.oracle.global(named, this.file.path)) return this.globalValue(global.decl);
    }
    // What the type alone says reads nothing: `p = p.init;`
    if (!this.rust && /^(?:init|sizeof|alignof|mangleof|stringof|offsetof)$/u.test(expr.name)) return NOTHING;
    const base = this.withoutPointer(this.expr(expr.base));
    if (!this.rust) {
      const end = this.endElement(base, expr.name, expr.span);
      if (end) return end;
      const known = this.hasField(base.type, expr.name);
      const matches = known ? [] : this.settings.apis.method(expr.name, base.type);
      // A method that the unit declares says more than a name in a table, when it shows something.
      const isOwn = matches.length > 0 && this.resolveMethod(base, expr.name) !== undefined;
      const shown =
        isOwn && !isAddressed && matches.every((m) => m.weak || !m.row.receiver?.length)
          ? this.propertyCall(base, expr)
          : undefined;
      if (shown && shown.pointers.length + shown.places.length > 0) return shown;
      if (matches.length > 0) return this.applyMatches(matches, base, [], [], expr, expr.name, true, undefined);
      if (!known && !isAddressed) {
        const result = this.propertyCall(base, expr);
        if (result && (result.pointers.length > 0 || result.places.length > 0)) return result;
        if (this.releasedByProperty(base, expr)) return NOTHING;
      }
    }
    return this.memberOf(base, expr.name, expr.span);
  }

  /** D: `p.ptr` and `p.length` of a pointer to an array are those of the array. */
  private withoutPointer(base: Value): Value {
    const element = !this.rust && base.type?.kind === 'pointer' ? base.type.element : undefined;
    if (element?.kind !== 'slice' && element?.kind !== 'static-array' && element?.kind !== 'assoc-array') return base;
    const through = base.pointers.length > 0;
    return {
      places: through ? base.pointers.map((p) => p.target) : base.places.map((p) => extend(p, '*')),
      pointers: NONE,
      via: [...(base.via ?? []), ...base.pointers],
      type: element,
    };
  }

  /** D: a field of what a call returns is in a temporary. */
  private isOfResult(base: Value, name: string): boolean {
    return !this.rust && base.owned === true && this.subjects(base).length === 0 && this.hasField(base.type, name);
  }

  private memberOf(base: Value, name: string, span: Span): Value {
    // A struct that was made here holds in each field what that was given; a reference to one shows the other's fields.
    const made = this.rust && base.pointers.length > 0 ? base.places.map((p) => extend(p, name)) : [];
    const isMade = made.some((p) => this.state.read(p));
    // What the other fields were given is not met by that.
    if (!isMade) this.use(base, span, 'field', `.${name}`);
    const type = this.fieldType(base.type, name);
    const through = isMade
      ? base.places
      : this.isOfTemporary(base, type) || this.isOfResult(base, name)
        ? this.materialise(base, span)
        : this.subjects(base);
    const places = through.map((p) => extend(p, name));
    const first = places[0];
    const read = first ? this.valueOf(first, type) : NOTHING;
    return {
      places,
      pointers: read.pointers,
      via: [...(base.via ?? []), ...base.pointers],
      ...optionalType(read.type ?? type),
      ...(read.closure !== undefined ? { closure: read.closure } : {}),
    };
  }

  /** `&x`, `&mut x`, `&raw x`, `addr_of!(x)`. */
  protected address(expr: ExprOf<'address'>): Value {
    const inner = expr.base;
    if (inner.kind === 'deref') {
      // `&*p`: whatever checked the lifetime of p's target is gone when p is raw.
      const base = this.expr(inner.base);
      this.use(base, expr.span, 'deref', '&*');
      const targets = base.pointers.length > 0 ? base.pointers : [];
      if (targets.length > 0) {
        const pointers = targets.map((p) =>
          this.borrow(
            p.target,
            expr.raw ? 'raw' : 'reference',
            p.form === 'raw' || p.erased,
            p.site,
            p.how,
            p.row,
            locksOf(p),
          ),
        );
        return {
          places: NONE,
          pointers,
          ...optionalType(base.type?.element ? { ...base.type, kind: expr.raw ? 'pointer' : 'reference' } : base.type),
        };
      }
      const erased = base.type?.kind === 'pointer';
      return {
        places: NONE,
        pointers: base.places.map((p) =>
          this.borrow(extend(p, this.derefSegment(base.type)), expr.raw ? 'raw' : 'reference', erased, expr.span, '&*'),
        ),
        ...optionalType(base.type),
      };
    }
    let value = !this.rust && inner.kind === 'field' ? this.field(inner, true) : this.expr(inner);
    // `&mut 0` is a temporary, `&0` a static.
    if (this.rust && expr.mutable && inner.kind === 'literal' && /^(?:number|bool|char)$/u.test(inner.type))
      value = { ...value, owned: true };
    if (value.closure !== undefined && value.places.length === 0) return value;
    const frame = inner.kind === 'field' ? this.methodFrame(value, inner.name) : undefined;
    if (frame) return { places: NONE, pointers: frame.map((p) => this.borrow(p, 'raw', false, expr.span, '&')) };
    const form: PointerForm = expr.raw || !this.rust ? 'raw' : 'reference';
    let places = value.places;
    if (places.length === 0 && value.pointers.length > 0) {
      if (!this.rust) return value;
      // `&call()` of something that points elsewhere: the pointer inside is what matters, unless a value is made that holds it.
      if (value.owned !== true || value.type?.kind !== 'path') return value;
    }
    // `&[1, 2]` of constants is promoted to a static.
    if (
      places.length === 0 &&
      value.owned &&
      this.rust &&
      // A closure that captures is none.
      (inner.kind !== 'struct' || value.pointers.length === 0) &&
      isPromoted(inner, expr.mutable, (name) => this.lookup(name) !== undefined)
    )
      return NOTHING;
    if (places.length === 0 && value.owned) places = [{ root: this.makeTemp(inner.span, value.type), path: [] }];
    this.access(places, expr.span, 'borrow', '&');
    const how = !this.rust ? '&' : expr.raw ? 'addr_of!' : expr.mutable ? '&mut' : '&';
    // Whoever is given this may write the place anew.
    if (this.rust && expr.mutable) for (const place of places) this.state.settle(place, true);
    const type: TypeRef | undefined = value.type
      ? {
          kind: form === 'raw' ? 'pointer' : 'reference',
          text: `&${value.type.text}`,
          span: expr.span,
          name: '',
          path: [],
          args: [],
          element: value.type,
        }
      : undefined;
    return {
      places: NONE,
      pointers: places.map((p) => this.borrow(p, form, false, expr.span, how, undefined, guardsOf(value))),
      ...optionalType(type),
    };
  }

  /** D: `&x.method` is a delegate that has `x` itself as its frame when `x` is a struct; nothing when `x` refers to something. */
  private methodFrame(value: Value, name: string): readonly Place[] | undefined {
    const [member] = value.places;
    if (this.rust || value.type !== undefined || member?.path.at(-1) !== name) return undefined;
    const holder: Place = { root: member.root, path: member.path.slice(0, -1) };
    const type = this.typeAt(holder);
    const bare = peel(type);
    if (bare?.kind !== 'path' || this.hasField(type, name)) return undefined;
    if (!this.settings.oracle.method(bare.name, name, this.file.path)) return undefined;
    if (holder.path.length === 0 && holder.root.storage === 'stack') return [holder];
    return type?.kind === 'pointer' || this.isReferenceType(bare) ? [] : [holder];
  }

  /** D: the type that an alias stands for. */
  private written(type: TypeRef | undefined): TypeRef | undefined {
    return withoutAlias(type, this.settings.oracle, this.file.path);
  }

  /**
   * D: `*link = node.next` takes the node out of the list: whichever place the link is, it no longer leads to the node. Without this, a
   * write to one of several places would keep what each of them held.
   */
  private unlink(place: Place, value: Expr): void {
    if (this.rust || value.kind !== 'field' || value.base.kind !== 'name' || value.base.path.length !== 1) return;
    const root = this.lookup(value.base.path[0] ?? '');
    const node = root && this.state.read({ root, path: [] })?.pointers;
    const held = this.state.read(place);
    if (!node || !held) return;
    const left = held.pointers.filter((p) => !node.includes(p));
    if (left.length < held.pointers.length) this.state.write(place, { ...held, pointers: left });
  }

  /**
   * D: `list ~= p` keeps a parameter that is a delegate, a pointer or an object, or a slice in a list of slices, for callers to know; of a
   * struct it keeps what its fields lead to.
   */
  private appendHeld(value: Value, { places, type }: Value, span: Span): void {
    const [into] = places;
    if (into === undefined) return;
    const element = extend(into, '[]');
    const isKept = this.outlives(into);
    const held = this.withHeld(value).pointers.filter((p) => !value.pointers.includes(p));
    if (held.length > 0) {
      if (isKept) this.escape({ places: NONE, pointers: held }, 'store', span, { into: element });
      this.state.write(element, { pointers: held }, true);
    }
    const given = value.places.length === 1 ? this.written(value.type) : undefined;
    if (given === undefined || !isKept) return;
    const isLeading =
      given.kind === 'delegate' ||
      given.kind === 'pointer' ||
      (given.kind === 'path' && this.isReferenceType(given)) ||
      (given.kind === 'slice' && keepsSliceOf(this.written(elementType(type)), given.element));
    if (isLeading) this.noteStores(value, element, span);
  }

  /** D: `table[key] = x` keeps the key when there is none like it. */
  private keepKey({ target }: ExprOf<'assign'>, { places }: Value): void {
    const [into] = places;
    if (this.rust || target.kind !== 'index' || into?.path.at(-1) !== '[]' || !this.outlives(into)) return;
    const table = this.typeAt({ root: into.root, path: into.path.slice(0, -1) });
    if (table?.kind !== 'assoc-array' || (target.index.kind === 'literal' && target.index.type === 'string')) return;
    const key = this.expr(target.index);
    if (key.pointers.length > 0) this.escape(key, 'store', target.index.span, { into });
  }

  /** `target = value` and `target op= value`. */
  protected assign(expr: ExprOf<'assign'>): Value {
    let value = this.expr(expr.value);
    // `x.length = n` is an operation on x, not a store into a field.
    if (!this.rust && expr.target.kind === 'field') {
      const base = this.expr(expr.target.base);
      const operator = `.${expr.target.name}=`;
      const matches = this.hasField(base.type, expr.target.name) ? [] : this.settings.apis.assign(operator, base.type);
      if (matches.length > 0) {
        // An array that is made shorter stays where it is.
        if (base.type?.kind === 'slice' && isShortened(expr)) {
          if (expr.operator === '=' && expr.value.kind === 'literal')
            for (const place of base.places) this.state.leaveAliases(place);
          return NOTHING;
        }
        for (const { row, weak } of matches)
          for (const effect of row.effects)
            this.applyEffect(effect, row, base, [value], [expr.value], expr.span, operator, weak);
        return NOTHING;
      }
    }
    const target = this.expr(expr.target);
    this.keepKey(expr, target);
    if (expr.operator !== '=') {
      const matches = this.settings.apis.assign(expr.operator, target.type);
      this.access(this.subjects(target), expr.span, 'write', expr.operator);
      for (const { row, weak } of matches) {
        for (const effect of row.effects)
          this.applyEffect(effect, row, target, [value], [expr.value], expr.span, expr.operator, weak);
      }
      if (matches.length > 0 && value.pointers.length > 0) {
        const into = target.places[0];
        if (into) {
          this.escape(value, 'collect', expr.span, { into });
          const kept = this.keptByAppending(value, target.type);
          if (kept.length > 0) this.state.write(extend(into, '[]'), { pointers: kept }, true);
        }
      }
      if (matches.length > 0 && !this.rust) this.appendHeld(value, target, expr.span);
      // D: `*p++`: a pointer that was moved on leads into the same block.
      const isMoved = !this.rust && (expr.operator === '+=' || expr.operator === '-=');
      return isMoved ? { places: NONE, pointers: target.pointers, ...optionalType(target.type) } : NOTHING;
    }
    this.access(target.places, expr.span, 'write', '=');
    for (const [key, release] of this.releases)
      if (target.places.some((p) => p.path.length < release.place.path.length && isWithin(release.place, p)))
        this.releases.set(key, { ...release, renewed: true });
    value = this.coerce(value, target.type, expr.target.kind === 'slice' ? undefined : expr.value.span);
    for (const place of target.places) {
      this.noteRenewal(place, expr.span);
      const previous = this.state.read(place);
      // What stands in such a place is not dropped by an assignment.
      const isKept = this.rust && /^(?:ManuallyDrop|MaybeUninit)$/u.test(this.typeAt(place)?.name ?? '');
      const growable = isGrowable(this.typeAt(place) ?? previous?.type, this.file.language);
      const selfAppend = expr.value.kind === 'binary' && expr.value.operator === '~';
      if (!isKept && (growable === true || (this.rust && this.hasPointersInto(place)))) {
        this.grow([place], target.via ?? [], expr.span, 'replace', selfAppend ? '= .. ~' : '=', false);
      }
      // `self.buffer = None`: the value that was there is dropped, and with it the block that it owns.
      if (this.rust && !isKept)
        this.endContent(place, expr.span, 'an assignment', previous?.type, NONE, value.pointers);
      const isNumber = !this.rust && SCALAR.test(this.typeAt(place)?.name ?? '');
      if (isNumber && place.path.length === 0) this.heldAsNumber.set(place.root.id, value.pointers);
      // A number that measures the stack, or is printed, keeps nothing.
      if (this.outlives(place) && !isNumber) {
        this.escape(this.rust ? value : this.withHeld(value), 'store', expr.span, { into: place });
        this.noteStores(value, place, expr.span);
      }
      if (previous?.adopts && !isKept)
        for (const p of previous.adopts.filter(
          // In a loop the owner may be of another round, or taken by then.
          (old) => value.adopts?.includes(old) !== true && !(this.loops > 0 && old.context.inLoop),
        ))
          this.invalidate('release', p.target, expr.span, 'overwritten', (t) => this.endsWith(t, p.target));
      const single = target.places.length === 1 && this.isOne(place);
      if (!this.rust && single && !isTakenOver(expr)) this.state.leaveAliases(place);
      if (!single) this.unlink(place, expr.value);
      this.state.write(
        place,
        {
          pointers: isNumber ? NONE : value.pointers,
          ...optionalType(value.type ?? previous?.type),
          ...(value.adopts ? { adopts: value.adopts } : {}),
          ...(value.closure !== undefined ? { closure: value.closure } : {}),
          ...(value.literal !== undefined ? { literal: value.literal } : {}),
          ...(single ? this.aliasOf(value, target.type) : {}),
        },
        !single,
      );
      this.keepParts(value, place);
      if (place.path.length === 0) this.state.moved.delete(place.root.id);
      if (!this.rust && single) this.renew(place);
    }
    if (value.pointers.length === 0) {
      for (const place of target.places) this.copyFields(value.places, place);
      this.moveOut(value);
    }
    return NOTHING;
  }
}

/** D: `list = list ~ x`, `list = list[1 .. $]`: what the array held before is part of what it holds then. */
function isTakenOver({ target, value }: ExprOf<'assign'>): boolean {
  const name = dottedPath(target)?.join('.');
  const of = value.kind === 'binary' ? value.left : value.kind === 'slice' ? value.base : undefined;
  return of !== undefined && dottedPath(of)?.join('.') === name;
}

/** D: `a.length--`, `a.length -= n`, `a.length = a.length - n` */
function isShortened({ operator, value, target }: ExprOf<'assign'>): boolean {
  if (target.kind !== 'field' || target.name !== 'length') return false;
  if (operator !== '=') return operator === '-=';
  if (value.kind === 'literal' && value.text === '0') return true;
  return (
    value.kind === 'binary' && value.operator === '-' && value.left.kind === 'field' && value.left.name === 'length'
  );
}
