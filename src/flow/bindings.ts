import { D_MAPPINGS } from './builtin-types.js';
import { isAssigned, isEnumerated } from './expression-shapes.js';
import { Leaving } from './leaving.js';
import { extend, type Root } from './place.js';
import type { Pointer, Value } from './result.js';
import { elementType, peel, SCALAR, unwrapped } from './types.js';
import { isParts, NOTHING, optionalType, originFrom, pairOf } from './values.js';
import type { Expr, ExprOf, FunctionIr, Pattern, Statement, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { NONE } from '../model/lists.js';

/** How patterns, parameters and loops bind their variables, and how long what they bind is kept. */
export abstract class Bindings extends Leaving {
  protected declareParams(fn: FunctionIr): void {
    fn.params.forEach((param, index) => {
      const byValue =
        !param.modifiers.some((m) => m === 'ref' || m === 'out' || m === 'lazy') && param.type?.kind !== 'reference';
      if (param.pattern && param.pattern.kind !== 'bind') {
        this.bindPattern(param.pattern, { places: NONE, pointers: NONE, ...optionalType(param.type) }, 'param');
        return;
      }
      if (!param.name) return;
      this.declare(param.name, {
        kind: 'param',
        name: param.name,
        span: param.span,
        byValue,
        declared: 'param',
        index,
        ...optionalType(param.type),
      });
      // Whoever sets it anew, mostly to a copy, has thought of it.
      if (
        !this.rust &&
        param.type?.kind === 'slice' &&
        param.modifiers.includes('variadic') &&
        !(fn.body && isAssigned(fn.body, param.name))
      )
        this.declareVariadic(param.name, param.span, param.type);
    });
  }

  /** D: `T[] rest...` is a slice of an array that the caller makes on its stack for the call. */
  private declareVariadic(name: string, span: Span, type: TypeRef): void {
    const root = this.lookup(name);
    if (!root) return;
    const array = this.makeRoot({
      kind: 'param',
      name,
      span: { start: span.start, end: span.start },
      byValue: true,
      declared: 'param',
      type: { ...type, kind: 'static-array' },
    });
    const pointer = this.borrow({ root: array, path: ['[]'] }, 'slice', false, span, '...');
    this.state.write({ root, path: [] }, { pointers: [pointer], type });
  }

  /** D: `scope x = new C` makes the object on the stack; the variable and its copies refer to it. */
  protected onStack(value: Value, { init, modifiers, pattern }: Extract<Statement, { kind: 'let' }>): Value {
    const made = init?.kind === 'new' && modifiers.includes('scope') ? init.type : scopedClass(init);
    if (!init || made?.kind !== 'path' || pattern.kind !== 'bind') return value;
    // What a `scope` variable was made with must live as long as the variable, not longer.
    const isLibrary = D_MAPPINGS.has(made.name) && !this.settings.oracle.isDeclared(made.name, this.file.path);
    if (!isLibrary && this.settings.oracle.declaration(made.name, this.file.path)?.kind !== 'class')
      return init.kind === 'new' ? { ...value, pointers: NONE } : value;
    const root = this.makeRoot({
      kind: 'local',
      name: pattern.name,
      // The object, not the variable that refers to it.
      span: { start: pattern.span.start, end: init.span.end },
      byValue: true,
      declared: 'let',
      type: made,
      storage: 'stack',
    });
    const how = init.kind === 'new' ? 'new' : 'scoped';
    return { places: NONE, pointers: [this.borrow({ root, path: [] }, 'raw', false, init.span, how)], type: made };
  }

  /** The temporaries since `mark` that the value points to live as long as the variables of the block. */
  protected extendTemps(value: Value, mark: number): void {
    const wanted = new Set(value.pointers.map((p) => p.target.root));
    const kept = this.temps.slice(mark).filter((t) => wanted.has(t));
    if (kept.length === 0) return;
    this.temps = this.temps.filter((t, i) => i < mark || !wanted.has(t));
    this.blockRoots.at(-1)?.push(...kept);
  }

  /** Declares the variables of a pattern, each holding its part of the value. */
  protected bindPattern(
    pattern: Pattern,
    value: Value,
    declared: Root['declared'],
    byRef = false,
    annotated?: TypeRef,
  ): void {
    switch (pattern.kind) {
      case 'bind': {
        const type = this.plain(annotated ?? pattern.type ?? value.type);
        const references = byRef || pattern.byRef;
        const root = this.declare(pattern.name, {
          kind: 'local',
          name: pattern.name,
          span: pattern.span,
          byValue: !references,
          declared,
          ...optionalType(references ? value.type : type),
          ...originFrom(value),
        });
        if (references) {
          const targets = this.subjects(value);
          this.state.write(
            { root, path: [] },
            {
              pointers: targets.map((t) =>
                this.borrow(
                  t,
                  'reference',
                  false,
                  pattern.span,
                  declared === 'foreach' ? 'foreach (ref ..)' : 'ref binding',
                ),
              ),
              ...optionalType(type),
            },
          );
        } else {
          // D: an address in a number is a number.
          const isNumber = !this.rust && SCALAR.test(type?.kind === 'path' ? type.name : '');
          if (isNumber) this.heldAsNumber.set(root.id, value.pointers);
          // D: what a literal gives a static array is in its elements.
          const isInElements =
            !this.rust && type?.kind === 'static-array' && type.element?.kind === 'pointer' && value.owned === true;
          this.state.write(
            { root, path: isInElements ? ['[]'] : [] },
            {
              pointers: isNumber ? [] : this.orUnknown(value, root, type),
              ...optionalType(type),
              ...(value.adopts ? { adopts: value.adopts } : {}),
              ...(value.closure !== undefined ? { closure: value.closure } : {}),
              ...(value.literal !== undefined ? { literal: value.literal } : {}),
              ...this.aliasOf(value, type),
            },
          );
          this.keepParts(value, { root, path: [] });
          if (value.packed) this.packed.set(root.id, value.packed);
          if (value.takenFrom) this.takenBy.set(root.id, value.takenFrom);
          if (value.pointers.length === 0) {
            // D: one value for a static array is that of each element.
            const isEach =
              !this.rust &&
              type?.kind === 'static-array' &&
              value.places.every(({ root: made, path }) => made.type?.kind === 'path' && path.length === 0);
            this.copyFields(value.places, { root, path: isEach ? ['[]'] : [] });
            this.moveOut(value);
          }
        }
        if (pattern.sub) this.bindPattern(pattern.sub, value, declared);
        return;
      }
      case 'parts': {
        if (value.pair && pattern.path.length === 0) {
          for (const part of pattern.parts)
            this.bindPattern(part.pattern, value.pair[Number(part.field)] ?? NOTHING, 'pattern', byRef);
          return;
        }
        // Matching through a reference binds references.
        const lends = byRef || (this.rust && value.pointers.length === 0 && this.isBehindReference(value));
        for (const part of pattern.parts) {
          const wrapper =
            pattern.path.at(-1) === 'Some' || pattern.path.at(-1) === 'Ok' || pattern.path.at(-1) === 'Err';
          if (wrapper) {
            // What is matched through a reference is behind it, not in the variable that holds the reference.
            const places = !lends
              ? value.places
              : value.places.map((p) =>
                  p.path.length === 0 && p.root.type?.kind === 'reference' ? extend(p, '*') : p,
                );
            this.bindPattern(
              part.pattern,
              {
                ...value,
                places,
                ...optionalType(pattern.path.at(-1) === 'Err' ? undefined : unwrapped(peel(value.type) ?? value.type)),
              },
              'pattern',
              lends,
            );
            continue;
          }
          const field =
            this.isEnum(value.type) && pattern.path.length > 0
              ? `${pattern.path.at(-1) ?? ''}.${part.field}`
              : part.field;
          const places = this.subjects(value).map((p) => extend(p, field));
          const first = places[0];
          const type =
            value.type?.kind === 'tuple'
              ? value.type.args[Number(part.field)]
              : (eitherArgument(value.type, pattern.path) ?? this.fieldType(value.type, field));
          const read = first ? this.valueOf(first, type) : NOTHING;
          this.bindPattern(
            part.pattern,
            { places, pointers: read.pointers.length > 0 ? read.pointers : value.pointers, ...optionalType(type) },
            'pattern',
            lends && read.pointers.length === 0,
          );
        }
        return;
      }
      case 'reference': {
        // `&x` copies what the reference leads to: `x` points where that points to, not to where it was copied from.
        const pointers = value.pointers.flatMap((p) =>
          p.form === 'reference' ? (this.state.read(p.target)?.pointers ?? []) : [p],
        );
        const type = value.type?.kind === 'reference' ? value.type.element : value.type;
        this.bindPattern(pattern.pattern, { ...value, pointers, ...optionalType(type) }, declared);
        return;
      }
      case 'alternatives':
        for (const alternative of pattern.patterns) this.bindPattern(alternative, value, declared);
        return;
      case 'wildcard':
      case 'literal':
        return;
    }
  }

  /** D: what a call of unknown content returned is one object, whatever copies of the pointer there are. */
  private orUnknown({ pointers, foreign }: Value, { name, span }: Root, type: TypeRef | undefined): readonly Pointer[] {
    if (pointers.length > 0 || foreign !== true || type?.kind !== 'pointer') return pointers;
    const root = this.makeBlock(name, span, 'foreign', type.element);
    return [this.borrow({ root, path: [] }, 'raw', true, span, name)];
  }

  /** Ends the variables that a pattern bound, at the end of its arm or branch. */
  protected leaveScope(span: Span, value: Value): void {
    const end: Span = { start: Math.max(span.start, span.end - 1), end: span.end };
    const roots = this.blockRoots.pop() ?? [];
    this.scopes.pop();
    if (!this.rust) this.endScope(roots, end);
    if (!this.rust || !this.state.alive) return;
    for (const root of roots.reverse())
      if (root.byValue && !value.places.some((p) => p.root.id === root.id))
        this.drop(root, end, `end of the scope of '${root.name}'`);
  }

  /** Rust: what each round of a loop over the value is given. */
  private iterated(source: Value, span: Span): Value {
    const pointers = source.pointers.map((p) =>
      this.borrow(
        p.target.path.at(-1) === '[]' ? p.target : extend(p.target, '[]'),
        'reference',
        p.erased,
        span,
        'for',
      ),
    );
    return { places: NONE, pointers, ...pairOf(source, (one) => this.iterated(one, span)) };
  }

  /** Declares the variables of a loop over `iterable`, each holding an element. */
  protected bindLoop(expr: ExprOf<'loop'>, iterable: Value | undefined): void {
    const bindings = expr.bindings ?? [];
    // D: each round of a loop that is unrolled names a constant or a symbol, which no round ends.
    const declared = !this.rust && expr.isStatic === true ? 'static' : 'foreach';
    bindings.forEach((binding, i) => {
      const isElement = i === bindings.length - 1;
      const source = iterable ?? NOTHING;
      if (!isElement) {
        this.bindPattern(binding.pattern, { places: NONE, pointers: NONE, ...optionalType(binding.type) }, declared);
        return;
      }
      const type = binding.type ?? elementType(source.type);
      if (this.rust) {
        const element = this.iterated(source, expr.iterable?.span ?? expr.span);
        const lent = binding.type ? type : lentElement(source.type, type);
        const { pattern } = binding;
        if (pattern.kind === 'parts' && pattern.path.length === 0 && isEnumerated(expr.iterable)) {
          // The first part counts, the second points into what is iterated.
          for (const part of pattern.parts)
            this.bindPattern(part.pattern, part.field === '1' ? element : NOTHING, 'foreach');
          return;
        }
        this.bindPattern(pattern, { ...element, ...optionalType(lent) }, 'foreach');
        return;
      }
      if (isParts(source)) {
        const { pointers } = source;
        this.bindPattern(binding.pattern, { places: NONE, pointers, ...optionalType(binding.type) }, 'foreach');
        return;
      }
      const elements = this.storageOf(source).map((p) => (this.isView(source) ? p : extend(p, '[]')));
      if (binding.byRef)
        this.bindPattern(binding.pattern, { places: elements, pointers: NONE, ...optionalType(type) }, declared, true);
      else
        this.bindPattern(
          binding.pattern,
          {
            places: NONE,
            pointers: elements.flatMap((p) => this.state.read(p)?.pointers ?? []),
            ...optionalType(type),
          },
          declared,
        );
    });
  }
}

/** Iterators of the standard library that lend what they yield, whatever their arguments say that it is. */
const LENDING = /^(?:Iter|IterMut|Keys|Values|ValuesMut|Windows|R?Chunks\w*|Split\w*|Lines|Chars|CharIndices|Bytes)$/u;

/** Rust: what a loop over a reference to a container is given: references to the elements, not the elements. */
function lentElement(source: TypeRef | undefined, element: TypeRef | undefined): TypeRef | undefined {
  if (!source || !element) return element;
  if (source.kind === 'path' && LENDING.test(source.name)) return undefined;
  if (source.kind !== 'reference' || element.kind === 'reference' || element.kind === 'pointer') return element;
  return { kind: 'reference', text: `&${element.text}`, span: element.span, name: '', path: [], args: [], element };
}

/** `Either3::B(x)` of an `Either3<S, T, U>` binds a `T`. */
function eitherArgument(type: TypeRef | undefined, path: readonly string[]): TypeRef | undefined {
  const inner = peel(type);
  const variant = path.at(-1) ?? '';
  if (inner?.kind !== 'path' || !/^Either\d*$/.test(inner.name) || !/^[A-Z]$/.test(variant)) return undefined;
  return inner.args[variant.charCodeAt(0) - 65];
}

/** D: the class of `scoped!C(..)`, which puts the object into the variable. */
function scopedClass(init: Expr | undefined): TypeRef | undefined {
  if (init?.kind !== 'call' || init.callee.kind !== 'name' || init.callee.path.at(-1) !== 'scoped') return undefined;
  return init.callee.typeArgs?.[0];
}
