import { Events } from './events.js';
import type { ApiRow } from './api.js';
import { isAlwaysRun } from './always-run.js';
import { isContainer, isDropped, isDroppedWith, ownsItsBlock } from './owned-values.js';
import { containerOf, extend, isWithin, type Place, placeKey, type Root } from './place.js';
import { isReleasedByDestructor, isReleasedByDrop } from './released-by-drop.js';
import type { Adoption, Invalidation, OwnedTwice, Pointer, Summary, Value } from './result.js';
import { ownsBlock } from './types.js';
import { NOTHING, optionalType } from './values.js';
import type { TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { NONE } from '../model/lists.js';

/** Who owns what the memory holds, and how it ends: released, dropped with a variable, taken over by a second owner, given back. */
export abstract class Ownership extends Events {
  protected readonly adoptions = new Map<string, Adoption>();
  /** Rust: pointers of which it was told where they are taken over twice: both owners end somewhere. */
  private readonly twice = new Set<number>();
  protected readonly ownedTwice = new Map<string, OwnedTwice>();
  protected readonly consumed: { param: number; span: Span }[] = [];
  protected readonly releases = new Map<string, Summary['releases'][number]>();

  /** Rust: callers are told, too, that a helper gave a field another block. */
  protected passRenewal(place: Place, span: Span, how: string): void {
    const key = `${placeKey(place)}|${span.start}`;
    if (this.rust && place.root.kind === 'self' && !this.releases.has(key))
      this.releases.set(key, { place, span, how, renewed: true });
  }

  /** Rust: parameters taken by value that end with the function, as far as every use of them shows. */
  protected dropParameters(body: Span): void {
    if (!this.rust) return;
    const end: Span = { start: Math.max(body.start, body.end - 1), end: body.end };
    for (const root of this.scopes[0]?.values() ?? []) {
      if (root.kind === 'self' && this.state.alive) this.endOwner(root, end);
      if (root.kind !== 'param' || root.index === undefined || !root.byValue || this.state.moved.has(root.id)) continue;
      if (this.state.alive) this.endOwner(root, end);
      const type = root.type?.kind === 'path' ? root.type.name : '';
      if (!/^(?:Vec|String|Box|CString|VecDeque|BytesMut|PathBuf|OsString)$/u.test(type)) continue;
      const isKept = this.accesses.some(
        (a) => a.place.root === root && a.kind === 'method' && /^(?:into|leak|unwrap|map|and_then)/u.test(a.what),
      );
      if (!isKept) this.consumed.push({ param: root.index, span: end });
    }
  }

  /** Rust: `drop_in_place(&mut value)`: the variable drops what is gone once more, unless it is forgotten or written anew. */
  protected dropVariable(pointers: readonly Pointer[], span: Span, name: string, row: ApiRow): void {
    for (const pointer of pointers) {
      const { root, path } = pointer.target;
      if ((root.kind !== 'local' && root.kind !== 'param') || !root.byValue || path.length > 0) continue;
      if (root.type?.kind !== 'path' || !isDropped(root.type, this.settings.oracle, this.file, this.fn)) continue;
      this.dropByHand(pointer, span, name, row);
      this.noteTaken({ pointer, rawType: root.type.name, how: name, span, isCopy: true, context: this.context() });
    }
  }

  /** `ManuallyDrop::drop(&mut place)` or `take`: the value is gone, the place stays. */
  protected dropByHand(pointer: Pointer, span: Span, name: string, row: ApiRow, isTaken = false, isSure = false): void {
    const { target } = pointer;
    if (target.path.some((s) => s === '[]' || s === '*') || target.root.kind === 'unknown') return;
    this.useDropped(target, span, 'release', name);
    this.state.dropped.set(placeKey(target), {
      pointer,
      invalidation: { kind: 'release', place: target, span, how: name, row },
      isTaken,
      round: this.round,
      ...(isSure ? { isSure } : {}),
    });
  }

  /** Rust: what is in a `MaybeUninit` is copied out of it or dropped, so that another copy is a second owner of what it owns. */
  protected empty(place: Place, span: Span, name: string, row: ApiRow, isTaken: boolean): void {
    const type = this.typeAt(place);
    if (!this.rust || type?.name !== 'MaybeUninit' || place.path.some((s) => s === '[]' || s === '*')) return;
    if (!isDropped(type.args[0], this.settings.oracle, this.file, this.fn)) return;
    this.dropByHand(this.borrow(place, 'reference', false, span, name, row), span, name, row, isTaken, true);
  }

  /** What the value points to is released. */
  protected release(value: Value, span: Span, how: string, row?: ApiRow, through?: string): void {
    let pointers = value.pointers.filter((p) => p.form !== 'closure');
    if (pointers.length === 0) {
      const place = value.places[0];
      if (!place) return;
      const pointer = this.implicitPointer(place);
      // It was assigned since: what it leads to is another object.
      if (this.state.read(place)) this.state.invalid.delete(pointer.id);
      this.state.write(place, { pointers: [pointer], ...optionalType(value.type) });
      pointers = [pointer];
    }
    this.use({ ...value, pointers }, span, 'release', how);
    for (const pointer of pointers) {
      if (
        pointer.target.root.kind === 'param' ||
        pointer.target.root.kind === 'self' ||
        pointer.target.root.kind === 'global'
      ) {
        this.releases.set(`${placeKey(pointer.target)}|${span.start}`, { place: pointer.target, span, how });
      }
      // What a pointer inside the released block leads to is not released with it.
      // A slice `p[0 .. n]` of a bare pointer is released as the whole block.
      const { root, path } = pointer.target;
      const block: Place =
        this.file.language === 'd' &&
        path.at(-1) === '[]' &&
        path.at(-2) === '*' &&
        this.typeAt({ root, path: path.slice(0, -1) })?.kind !== 'slice'
          ? { root, path: path.slice(0, -1) }
          : pointer.target;
      const isInside = (target: Place): boolean =>
        isWithin(target, block) && !target.path.slice(block.path.length).includes('*');
      this.invalidate('release', pointer.target, span, how, isInside, row, through);
      if (this.rust && row !== undefined && 'suffix' in row.match) this.endTexts(block, span, how, row);
      // Releasing storage through the only pointer to a container's elements releases the container too.
      const container = containerOf(pointer.target);
      if (container && pointer.target.path.at(-1) === '[]') {
        this.grow([container], [], span, 'free', how, false, row, through);
        this.endArray(container, pointer, span, how, row);
      }
    }
  }

  /** Rust: a library ends a record, and the texts that its fields lead to with it (`info_free(info)` and then `CStr::from_ptr(name)`). */
  private endTexts(block: Place, span: Span, how: string, row: ApiRow): void {
    const from = block.path.length;
    const fieldOf = ({ root, path }: Place): string | undefined =>
      isWithin({ root, path }, block) && /^[A-Za-z_]\w*$/u.test(path[from] ?? '') ? path[from] : undefined;
    const isText = (field: string): boolean => {
      const type = this.typeAt({ root: block.root, path: [...block.path, field] });
      return type?.kind === 'pointer' && type.element?.name === 'c_char';
    };
    // What is cast to a text may be no text of the record's, and what a field no longer has does not end with it.
    const isCast = (at: Span): boolean => {
      const call = [...this.calls.values()].find((c) => c.span.start === at.start && c.expr.kind === 'call')?.expr;
      const given = call?.kind === 'call' ? call.args[0]?.value.kind : undefined;
      return given !== 'field' && given !== 'name';
    };
    const isSet = (field: string): boolean => {
      const key = placeKey({ root: block.root, path: [...block.path, field] });
      return this.accesses.some((a) => a.kind === 'write' && placeKey(a.place) === key);
    };
    const fields = new Set<string>();
    for (const { target, how: made, site } of this.pointers) {
      const field = fieldOf(target);
      if (field === undefined || target.path[from + 1] !== '*' || fields.has(field)) continue;
      const isOne = /(?:^|::)CStr::from_ptr$/u.test(made) ? !isCast(site) : isText(field);
      if (isOne && !isSet(field)) fields.add(field);
    }
    const isEnded = (target: Place): boolean =>
      fields.has(fieldOf(target) ?? '') && target.path[from + 1] === '*' && !target.path.slice(from + 2).includes('*');
    if (fields.size > 0) this.invalidate('release', block, span, how, isEnded, row);
  }

  /** D: the array whose block was released still shows it: `free(list.ptr); list[0] = x;` */
  private endArray(array: Place, { site, target }: Pointer, span: Span, how: string, row?: ApiRow): void {
    if (this.rust || this.typeAt(array)?.kind !== 'slice' || this.state.read(array) !== undefined) return;
    const shown = this.borrow(target, 'slice', false, site, how, row);
    this.state.write(array, { pointers: [shown], ...optionalType(this.typeAt(array)) });
    this.state.addInvalid(shown.id, { kind: 'release', place: target, span, how, ...(row ? { row } : {}) });
  }

  /** Whether the target ends with the owned block: it lies in it, or behind a pointer in it that a `Drop` of the unit releases. */
  protected endsWith(target: Place, block: Place): boolean {
    if (!isWithin(target, block)) return false;
    if (!target.path.includes('*', block.path.length)) return true;
    return (
      this.rust &&
      isReleasedByDrop(target, this.settings.oracle, this.file.path, this.settings.depth, block.path.length)
    );
  }

  /** D: `destroy` sets arrays, pointers and struct values back to their initial value; only an object is dead afterwards. */
  protected staysUsable(type: TypeRef | undefined): boolean {
    if (!type) return false;
    if (type.kind === 'slice' || type.kind === 'assoc-array' || type.kind === 'static-array' || type.kind === 'pointer')
      return true;
    const kind = type.kind === 'path' ? this.settings.oracle.declaration(type.name, this.file.path)?.kind : undefined;
    return kind === 'struct' || kind === 'union' || kind === 'enum';
  }

  /** Rust: the variable ends here and frees what something else has taken over, unless that gave it back. */
  protected endOwner(root: Root, end: Span): void {
    if (this.state.moved.has(root.id)) return;
    const isLent = root.type?.kind === 'reference' || (root.kind === 'self' && !root.byValue);
    for (const adoption of this.state.taken.get(root.id) ?? [])
      if (adoption.isCopy === true ? !isLent && !adoption.pointer.target.path.includes('*') : true)
        this.ownedTwice.set(`${adoption.span.start}`, { adoption, owner: root, end, isLent });
  }

  /** Rust: a block is dropped as a whole: a value in it that was copied bit by bit is dropped once more. */
  protected endCopies(released: Pointer, span: Span, how: string): void {
    const block = released.target;
    for (const adoption of this.state.taken.get(block.root.id) ?? []) {
      const { target } = adoption.pointer;
      // The copy itself ends once.
      if (adoption.isCopy !== true || adoption.pointer === released) continue;
      if (!isWithin(target, block) || target.path.includes('*', block.path.length)) continue;
      this.ownedTwice.set(`${adoption.span.start}`, { adoption, owner: block.root, end: span, isLent: false, how });
    }
  }

  /** Rust: the block that a value takes over and nobody holds is released with the statement. */
  protected dropAtOnce(pointer: Pointer, span: Span): void {
    this.invalidate('release', pointer.target, span, 'dropped at once', (t) => this.endsWith(t, pointer.target));
    this.endCopies(pointer, span, 'the end of the statement');
    this.noteReleased(pointer, span, 'from_raw');
  }

  /** Rust: what the function took over from its caller and drops on every way, for callers. */
  protected noteReleased(pointer: Pointer, span: Span, how: string): void {
    const { root } = pointer.target;
    if (!this.rust || root.kind !== 'param' || this.frames.length > 0) return;
    const taken = this.adoptions.get([...this.adoptions.keys()].find((k) => k.startsWith(`${pointer.id}|`)) ?? '');
    if (taken?.isCopy === true || !this.fn.body || !isAlwaysRun(this.fn.body, span, root.name)) return;
    this.releases.set(`${placeKey(pointer.target)}|${span.start}`, {
      place: pointer.target,
      span,
      how: taken?.how ?? how,
    });
  }

  /** Rust: the function is left here: variables end, and what was taken over from what is only lent stays taken. */
  protected endTaken(span: Span): void {
    for (const adoptions of this.state.taken.values()) {
      const root = adoptions[0]?.pointer.target.root;
      if (root && root.kind !== 'temp') this.endOwner(root, span);
    }
  }

  /** The variable ends: what it owns is released. */
  protected drop(root: Root, span: Span, how: string): void {
    if (this.state.moved.has(root.id)) return;
    this.endOwner(root, span);
    this.endTakenBy(root, span);
    const stored = this.state.read({ root, path: [] });
    // A guard unlocks at its end, and the lock must still be there.
    for (const guard of stored?.pointers.filter((p) => p.form === 'guard') ?? [])
      this.use({ places: NONE, pointers: [guard] }, root.span, 'method', `the end of '${root.name}'`);
    for (const guard of stored?.pointers ?? []) this.endGuard(guard, span, how);
    for (const pointer of stored?.adopts ?? []) {
      if (!this.twice.has(pointer.id))
        this.use({ places: NONE, pointers: [pointer] }, root.span, 'release', `the end of '${root.name}'`);
      this.invalidate('release', pointer.target, span, how, (target) => this.endsWith(target, pointer.target));
      this.endCopies(pointer, span, `the end of '${root.name}'`);
      this.noteReleased(pointer, span, 'from_raw');
    }
    this.invalidate('drop', { root, path: [] }, span, how, this.endsWithRoot(root));
  }

  /** D: the variables of a scope end with it; what follows may take their place on the stack. */
  protected endScope(roots: readonly Root[], span: Span): void {
    if (!this.state.alive) return;
    for (const root of roots)
      if (root.byValue && root.declared !== 'static' && this.pointers.some((p) => p.target.root === root))
        this.invalidate(
          'drop',
          { root, path: [] },
          span,
          `end of the scope of '${root.name}'`,
          (target) => target.root === root && (!target.path.includes('*') || this.endsBehind(target)),
        );
  }

  /** D: what a pointer field of the struct leads to is released by its destructor. */
  protected endsBehind(target: Place): boolean {
    return isReleasedByDestructor(target, this.settings.oracle, this.file.path, this.settings.depth);
  }

  /** Whether what is at the target ends with the variable: its own storage, and what was moved into it from another one. */
  protected endsWithRoot(root: Root, withDrop = true): (target: Place) => boolean {
    // What was moved into this variable from another one ends here too, unless it was the other's own storage.
    const moved = this.movedInto(root);
    return (target) =>
      target.root.id === root.id
        ? !target.path.includes('*') ||
          (withDrop && isReleasedByDrop(target, this.settings.oracle, this.file.path, this.settings.depth))
        : moved.has(target.root.id) && !target.path.includes('*') && !this.isInline(target);
  }

  /** The variables whose whole value was moved into this one, and from there on. */
  private movedInto(root: Root): Set<number> {
    const found = new Set<number>();
    if (!this.rust || root.type?.kind === 'reference' || root.type?.kind === 'pointer') return found;
    for (const place of this.packed.get(root.id) ?? []) found.add(place.root.id);
    let { origin } = root;
    for (let i = 0; i < 8 && origin?.path.length === 0 && this.state.moved.has(origin.root.id); i++) {
      found.add(origin.root.id);
      ({ origin } = origin.root);
    }
    return found;
  }

  /** The temporaries made since there were `from` of them end. */
  protected dropTemps(from: number, span: Span): void {
    while (this.temps.length > from) {
      const temp = this.temps.pop();
      if (temp && this.rust) this.drop(temp, { start: span.end, end: span.end }, 'end of the statement');
      else if (temp) this.endShown(temp, { start: span.end, end: span.end });
    }
  }

  /** D: what a helper shows of a struct that a call made is gone with the statement; the address of a value is not taken by itself. */
  private endShown(temp: Root, span: Span): void {
    const place: Place = { root: temp, path: [] };
    for (const pointer of this.pointers)
      if (
        pointer.target.root === temp &&
        pointer.how.endsWith('()') &&
        (pointer.target.path.includes('*') ? this.endsBehind(pointer.target) : pointer.form === 'raw')
      )
        this.state.addInvalid(pointer.id, { kind: 'drop', place, span, how: 'end of the statement' });
  }

  /** Rust: the value at the place is dropped, with the block that it owns, while the place stays (`self.buffer = None`); a new handle has what is `kept`. */
  protected endContent(
    place: Place,
    span: Span,
    how: string,
    known?: TypeRef,
    except: readonly Pointer[] = NONE,
    kept: readonly Pointer[] = NONE,
  ): void {
    if (this.state.moved.has(place.root.id)) return;
    if (!ownsBlockBehind(this.typeAt(place) ?? known)) {
      if (place.path.length > 0 || place.root.kind === 'local') this.endHandle(place, span, how, [...except, ...kept]);
      return;
    }
    const lent = this.lentBy(place);
    const touches = (t: Place): boolean => isBlockOf(t, place) || (lent !== undefined && isBlockOf(t, lent));
    this.invalidate('drop', place, span, how, touches, undefined, undefined, except);
  }

  /** Rust: `self.handle = Handle::new()`: the `Drop` of the wrapper that was there releases what its pointer leads to. */
  private endHandle(place: Place, span: Span, how: string, except: readonly Pointer[]): void {
    const { oracle, depth } = this.settings;
    const from = place.path.length;
    // What another pointer in there leads to is another thing: the next node of a list.
    const isIn = (t: Place): boolean =>
      isWithin(t, place) && t.path.slice(from).filter((step) => step === '*').length === 1;
    if (!this.pointers.some(({ target }) => isIn(target))) return;
    const isEnded = (t: Place): boolean => isIn(t) && isReleasedByDrop(t, oracle, this.file.path, depth, from);
    // What is read of the field itself from here on is the new one's; a variable that was copied from it has the old.
    const declared = this.pointers.filter((p) => p.how === 'declared' && isIn(p.target));
    this.invalidate('drop', place, span, how, isEnded, undefined, undefined, [...except, ...declared]);
    for (const { place: local, stored } of this.state.entries()) {
      const [held, ...others] = stored.pointers;
      if (local.root.kind !== 'local' || local.path.length > 0 || others.length > 0) continue;
      if (!held || !declared.includes(held) || except.includes(held) || !isEnded(held.target)) continue;
      const copy = this.borrow(held.target, held.form, held.erased, local.root.span, 'a copy', undefined, held.locks);
      this.state.replace(local, { ...stored, pointers: [copy] });
      this.state.addInvalid(copy.id, { kind: 'drop', place, span, how });
    }
  }

  /** Rust: what was taken out of an option ends here. */
  protected endTakenOut({ takenFrom }: Value, span: Span, how = 'take', except: readonly Pointer[] = NONE): void {
    for (const place of takenFrom ?? []) {
      const isLent = this.typeAt(place)?.kind === 'reference';
      this.endContent(isLent ? extend(place, '*') : place, span, how, undefined, except);
    }
  }

  /** Rust: what the variable took out of an option or another place (`let old = slot.take();`) ends with it. */
  protected endTakenBy({ id, name, span: bound }: Root, span: Span): void {
    const takenFrom = this.takenBy.get(id);
    if (!takenFrom) return;
    // What points into the place since then points to its new content.
    const later = this.pointers.filter((p) => p.site.end > bound.start);
    this.endTakenOut({ ...NOTHING, takenFrom }, span, `the end of '${name}', which took it`, later);
  }

  /**
   * Rust: the variable or field that holds the reference by which `*reference` is reached. Methods go through a reference without a word, so
   * that `slot.as_ref().unwrap().as_ptr()` leads to `slot[..]`.
   */
  private lentBy({ root, path }: Place): Place | undefined {
    const holder: Place = { root, path: path.slice(0, -1) };
    return path.at(-1) === '*' && this.typeAt(holder)?.kind === 'reference' ? holder : undefined;
  }

  /** Rust: variables whose whole value is taken no longer own anything. */
  protected moveOut(value: Value): void {
    if (!this.rust) return;
    for (const place of value.places) {
      if (place.path.length > 0 || place.root.kind === 'self' || place.root.kind === 'global') continue;
      if (place.root.type?.kind === 'reference' || place.root.type?.kind === 'pointer') continue;
      this.state.moved.add(place.root.id);
    }
  }

  /** Rust: a guard that no variable holds ends with the statement that took it, and with it the critical section. */
  protected dropGuards(span: Span): void {
    if (!this.rust) return;
    const guards: Pointer[] = [];
    for (const id of this.fresh) {
      const pointer = this.pointers[id - 1];
      if (pointer?.form === 'guard' && /lock|read|write/u.test(pointer.how)) guards.push(pointer);
    }
    if (guards.length === 0) return;
    guards.sort((a, b) => a.id - b.id);
    const live = this.state.livePointers();
    for (const guard of guards)
      if (!live.has(guard.id)) this.endGuard(guard, { start: span.end, end: span.end }, 'end of the statement');
  }

  /** Rust: the lock of a guard is given back: what was reached under it and the compiler does not follow is no longer protected. */
  protected endGuard(guard: Pointer, span: Span, how: string): void {
    if (!this.rust || guard.form !== 'guard' || /borrow/u.test(guard.how)) return;
    for (const pointer of this.pointers)
      if (
        (pointer.form === 'raw' || pointer.erased) &&
        pointer.form !== 'guard' &&
        pointer.locks.some((l) => l.span.start === guard.site.start)
      )
        this.state.addInvalid(pointer.id, { kind: 'unlock', place: pointer.target, span, how });
  }

  /** A new owner takes over what the pointers lead to. */
  protected adopt(
    pointers: readonly Pointer[],
    rawType: string,
    how: string,
    span: Span,
    content?: TypeRef,
    through?: string,
  ): void {
    const isKept = content?.kind === 'path' && /^(?:ManuallyDrop|MaybeUninit)$/u.test(content.name);
    for (const pointer of pointers) {
      if (isKept) this.state.settle(pointer.target, true);
      const adoption: Adoption = {
        pointer,
        rawType,
        how,
        span,
        context: this.context(),
        ...(content ? { content } : {}),
        ...(through ? { through } : {}),
      };
      this.adoptions.set(`${pointer.id}|${span.start}`, adoption);
      this.noteSecondOwner(adoption);
      if (this.rust && pointer.form === 'raw' && this.isStillOwned(pointer)) this.noteTaken(adoption);
    }
  }

  /** Rust: the block was taken over before, and nothing gave it back to the raw pointer: it is freed twice. */
  private noteSecondOwner(adoption: Adoption): void {
    if (!this.rust) return;
    const { pointer, span, how } = adoption;
    const first = this.state.adopted.get(pointer.id);
    this.state.adopted.set(pointer.id, adoption);
    if (!first || first.span.start === span.start || /^(?:Rc|Arc|Weak)$/u.test(adoption.rawType)) return;
    if ((this.state.invalid.get(pointer.id) ?? []).some((i) => i.kind === 'release')) return;
    const invalidation: Invalidation = { kind: 'release', place: pointer.target, span: first.span, how: first.how };
    this.twice.add(pointer.id);
    const key = `${pointer.id}|twice|${span.start}`;
    if (!this.stale.has(key))
      this.stale.set(key, {
        pointer,
        invalidation,
        use: { span, kind: 'release', what: how },
        context: this.context(),
      });
  }

  private noteTaken(adoption: Adoption): void {
    const { id } = adoption.pointer.target.root;
    this.state.taken.set(id, [...(this.state.taken.get(id) ?? []), adoption]);
  }

  /**
   * Rust: `ptr::read(&value)`: a second owner of what the value owns; the first one drops it, too, unless it is forgotten or written
   * anew. Returns the pointers whose content the copy drops.
   */
  protected duplicate(pointers: readonly Pointer[], how: string, span: Span): readonly Pointer[] {
    return pointers.filter((pointer) => {
      const { root, path } = pointer.target;
      const type = this.typeAt(pointer.target);
      if (
        pointer.form === 'closure' ||
        (root.kind !== 'local' && root.kind !== 'param' && root.kind !== 'temp' && root.kind !== 'self') ||
        (path.includes('[]') && !(path.length === 1 && isContainer(root.type))) ||
        // What is behind a reference is written anew in most cases; what is behind a pointer may be released as a whole.
        !(path.includes('*') ? this.isBehindPointer(pointer.target) : root.byValue) ||
        !isDropped(type, this.settings.oracle, this.file, this.fn) ||
        !isDroppedWith(pointer.target, this.settings.oracle, this.file.path)
      )
        return false;
      this.noteTaken({ pointer, rawType: type?.name ?? '', how, span, isCopy: true, context: this.context() });
      return true;
    });
  }

  /** Whether the way to the place leads through raw pointers, and no reference. */
  private isBehindPointer({ root, path }: Place): boolean {
    return path.every(
      (segment, at) => segment !== '*' || this.isPointerType(this.typeAt({ root, path: path.slice(0, at) })),
    );
  }

  /** Whether somebody else frees what the pointer leads to: a variable of the function, or the caller that lent it. */
  private isStillOwned({ target: { root, path }, how }: Pointer): boolean {
    if (path.length === 1 && path[0] === '[]' && this.freesBlock(root)) return true;
    if (this.fn.isUnsafe || this.fn.abi !== undefined || this.frames.length > 0) return false;
    const { type } = root;
    if (root.kind === 'self' && !root.byValue)
      return path.length === 2 && path[1] === '[]' && ownsItsBlock(this.typeAt({ root, path: path.slice(0, 1) }));
    if (root.kind !== 'param' || type?.kind !== 'reference' || type.lifetime === "'static") return false;
    if (path.length === 2) return path[0] === '*' && path[1] === '[]' && ownsItsBlock(type.element);
    if (path.length !== 1) return false;
    return path[0] === '[]' ? ownsItsBlock(type.element) : how === 'declared' && path[0] === '*';
  }

  /** Whether the variable owns a block that it frees at its end. A count that was raised before may be taken apart twice. */
  private freesBlock(root: Root): boolean {
    if ((root.kind !== 'local' && root.kind !== 'param') || !root.byValue || root.type?.kind !== 'path') return false;
    if (!ownsBlock(root.type) || this.state.moved.has(root.id)) return false;
    if (root.type.name !== 'Rc' && root.type.name !== 'Arc') return true;
    return ![...this.calls.values()].some((c) => c.callee.endsWith('increment_strong_count'));
  }

  /** What was taken over goes back to the raw pointer: its owner frees it alone. */
  protected giveBack(adopts: readonly Pointer[]): void {
    for (const pointer of adopts) {
      this.state.adopted.delete(pointer.id);
      const { id } = pointer.target.root;
      const left = this.state.taken.get(id)?.filter((a) => a.pointer !== pointer);
      if (left) this.state.taken.set(id, left);
    }
  }

  /** Whether the element that the pointer showed was dropped in place, its block being as good as before. */
  protected isElementGone(pointer: Pointer): boolean {
    return (this.state.invalid.get(pointer.id) ?? []).some(isDropInPlace);
  }

  /** A pointer to another element of the block: what ended the block ended it too, what ended one element did not. */
  protected nextElement(pointer: Pointer, span: Span): Pointer {
    const rest = (this.state.invalid.get(pointer.id) ?? []).filter((i) => !isDropInPlace(i));
    const next = this.borrow(
      pointer.target,
      pointer.form,
      pointer.erased,
      span,
      pointer.how,
      pointer.row,
      pointer.locks,
    );
    for (const invalidation of rest) this.state.addInvalid(next.id, invalidation);
    return next;
  }
}

/** Rust: a box, or an option of something that owns a block; vectors and strings are containers of their own. */
function ownsBlockBehind(type: TypeRef | undefined): boolean {
  if (type?.kind !== 'path') return false;
  if (type.name === 'Option') return type.args[0]?.kind === 'path' && ownsItsBlock(type.args[0]);
  return type.name === 'Box' || type.name === 'CString';
}

/** Whether a place is in the block that the value at `owner` owns, not behind a pointer that is kept there. */
function isBlockOf(target: Place, owner: Place): boolean {
  if (!isWithin(target, owner)) return false;
  const rest = target.path.slice(owner.path.length);
  const block = rest.indexOf('[]');
  return block >= 0 && rest.slice(0, block).every((step) => step === '*') && !rest.slice(block).includes('*');
}

function isDropInPlace({ kind, how }: Invalidation): boolean {
  return kind === 'release' && /(?:^|::)drop_in_place$/u.test(how);
}
