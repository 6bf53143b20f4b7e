/**
 * The neutral tree that a language pack lowers a file into. Rules and the flow core see only this, never a syntax node.
 * Everything here is plain data (it can be cloned to another thread). Spans are UTF-16 offsets into the file's text.
 */
import type { Gap } from './finding.js';
import type { Span } from './source.js';

export type Language = 'rust' | 'd';

/** A type as written. `text` is the source with white space folded. */
export interface TypeRef {
  readonly kind:
    | 'path' // Vec<T>, Job, std.container.Array!T: `name` is the last segment, `path` all of them, `args` the type arguments
    | 'reference' // &T, &'a mut T (Rust); `ref T` is a parameter modifier in D, not a type
    | 'pointer' // *const T, *mut T, T*
    | 'slice' // [T] in Rust, T[] in D (a growable array there)
    | 'static-array' // [T; N], T[4]
    | 'assoc-array' // V[K]: element = V, key = K
    | 'tuple'
    | 'function' // fn(..) -> T, T function(..), extern "C" fn
    | 'delegate' // T delegate(..), also Rust `dyn Fn*`/`impl Fn*`
    | 'trait-object' // dyn Trait
    | 'impl-trait'
    | 'unknown'; // auto, _, inferred, typeof(..)
  readonly text: string;
  readonly span: Span;
  readonly name: string;
  readonly path: readonly string[];
  readonly args: readonly TypeRef[];
  /** What a reference, pointer, slice, array points to or holds. */
  readonly element?: TypeRef;
  readonly key?: TypeRef;
  /** Fixed size as written. */
  readonly size?: string;
  readonly mutable?: boolean;
  /** `'a`, `'static`, with the quote. All lifetimes among the type arguments are in `lifetimes`. */
  readonly lifetime?: string;
  readonly lifetimes?: readonly string[];
  /** D: const, immutable, inout, shared. Rust: trait bounds of dyn/impl as written. */
  readonly qualifiers?: readonly string[];
}

/** `#[name(args)]`, `@name(args)`, or a D storage/function attribute (`shared`, `static`, `nothrow`, `extern(C)`). */
export interface Attribute {
  readonly name: string;
  /** Text between the parentheses or after `=`, without them. */
  readonly args?: string;
  readonly span: Span;
  /** Set when the attribute was applied to a group or block further out (`@trusted:`), not on the item itself. */
  readonly inherited?: boolean;
  /** Rust: the cfg expression under which `cfg_attr` applies this attribute; the `cfg_attr` itself is listed too. */
  readonly condition?: string;
}

export type Modifier =
  | 'ref'
  | 'mut'
  | 'scope'
  | 'return'
  | 'lazy'
  | 'out'
  | 'in'
  | 'inout'
  | 'const'
  | 'immutable'
  | 'shared'
  | 'variadic'
  | 'self';

export interface Param {
  readonly name: string;
  readonly span: Span;
  readonly type?: TypeRef;
  readonly modifiers: readonly Modifier[];
  /** When the parameter is destructured. */
  readonly pattern?: Pattern;
  readonly hasDefault?: boolean;
  readonly attributes?: readonly Attribute[];
}

export type FunctionKind =
  | 'function'
  | 'method'
  | 'constructor'
  | 'static-constructor'
  | 'destructor'
  | 'postblit'
  | 'closure'
  | 'async-block'
  | 'unittest'
  | 'const-block';

export interface FunctionIr {
  /** Unique inside its file. */
  readonly id: number;
  readonly kind: FunctionKind;
  readonly name: string;
  /** Names outward: `Pool.nextJob`, `Outer.inner.{closure}`. */
  readonly qualifiedName: string;
  readonly span: Span;
  readonly nameSpan: Span;
  readonly bodySpan?: Span;
  /** The type whose member it is (`impl X`, `struct X`, `class X`), if any. */
  readonly owner?: string;
  readonly ownerKind?: TypeDecl['kind'];
  /** The trait of the impl block, if any. */
  readonly trait?: string;
  /** Id of the function around it; set for closures, async blocks, nested functions. */
  readonly parent?: number;
  readonly params: readonly Param[];
  /** `self` receiver: how it is taken. D methods of structs and classes are `by-reference` unless static. */
  readonly self?: {
    readonly mode: 'value' | 'shared' | 'mutable' | 'by-reference';
    readonly span: Span;
    readonly lifetime?: string;
    readonly type?: TypeRef;
  };
  readonly returns?: TypeRef;
  /** D: the function returns by `ref`. */
  readonly returnsRef?: boolean;
  readonly attributes: readonly Attribute[];
  /** D: an empty list of parameters, which makes a template all the same, is one of the name `()`. */
  readonly generics: readonly Generic[];
  readonly isAsync: boolean;
  readonly isUnsafe: boolean;
  readonly isPublic: boolean;
  readonly isStatic: boolean;
  /** Foreign function declared or exported: the ABI as written (`C`, `system`). */
  readonly abi?: string;
  /** D: effective after inheritance; `inferred` for templates, auto functions, lambdas and nested functions without an attribute. */
  readonly trust?: 'safe' | 'trusted' | 'system' | 'inferred' | 'default';
  /** `#[test]`, inside `#[cfg(test)]`, `unittest`, `version(unittest)`. */
  readonly isTest: boolean;
  /** cfg / version conditions around it, outermost first, as written. */
  readonly conditions: readonly string[];
  /** Closures: `move` in Rust. */
  readonly isMove?: boolean;
  /** Absent for declarations without a body, and for bodies that no rule's tokens asked for (`skipped`). */
  readonly body?: Block;
  readonly skipped?: boolean;
  /** A syntax error inside: no finding may be made in it. */
  readonly hasError?: boolean;
}

export interface Generic {
  readonly name: string; // `T` or `'a`
  readonly bounds: readonly string[]; // as written, one per bound
  /** Rust: `const N: usize`, a number. */
  readonly isConst?: boolean;
  /** D: `Args...`, any number of types. */
  readonly isTuple?: boolean;
}

export interface Field {
  readonly name: string;
  readonly span: Span;
  readonly type?: TypeRef;
  readonly isPublic: boolean;
  readonly isStatic: boolean;
  readonly attributes: readonly Attribute[];
  readonly init?: Expr;
}

export interface TypeDecl {
  readonly kind: 'struct' | 'class' | 'interface' | 'trait' | 'enum' | 'union' | 'alias' | 'template';
  readonly name: string;
  readonly span: Span;
  readonly nameSpan: Span;
  readonly generics: readonly Generic[];
  readonly attributes: readonly Attribute[];
  /** Struct, class and union fields; enum payloads appear as fields named `Variant.0`, `Variant.name`. */
  readonly fields: readonly Field[];
  /** Base classes and interfaces (D); supertraits (Rust). */
  readonly bases: readonly string[];
  readonly alias?: TypeRef;
  readonly isPublic: boolean;
  /** Enclosing type names, outermost first. */
  readonly outer: readonly string[];
  readonly isTest: boolean;
  readonly conditions: readonly string[];
}

/** Rust `impl` block; `isUnsafe` for `unsafe impl Send`. Negative impls (`!Send`) have `isNegative`. */
export interface ImplDecl {
  readonly span: Span;
  readonly headSpan: Span;
  readonly trait?: TypeRef;
  readonly target: TypeRef;
  readonly generics: readonly Generic[];
  readonly attributes: readonly Attribute[];
  readonly isUnsafe: boolean;
  readonly isNegative: boolean;
  readonly isTest: boolean;
  readonly conditions: readonly string[];
}

/** Module-level variables: Rust `static`/`const`/`thread_local!`, D module variables and `static` fields are in `Field`. */
export interface GlobalDecl {
  readonly name: string;
  readonly span: Span;
  readonly nameSpan: Span;
  readonly kind: 'static' | 'const' | 'thread-local' | 'shared' | 'gshared';
  readonly mutable: boolean;
  readonly type?: TypeRef;
  readonly attributes: readonly Attribute[];
  readonly init?: Expr;
  readonly isPublic: boolean;
  readonly isTest: boolean;
  readonly conditions: readonly string[];
  /** Set when declared inside a function (`static X` in a body). */
  readonly inFunction?: string;
  /** Rust: the `macro_rules!` whose expansion declares it, so it is there only where the macro is called. */
  readonly inMacro?: string;
}

/** `use a::b::{c as d}` gives one entry per leaf; `extern crate x as y`; D `import a.b : c = d`. */
export interface Import {
  readonly path: readonly string[];
  readonly name: string;
  readonly span: Span;
  readonly kind: 'use' | 'extern-crate' | 'mod' | 'import';
  readonly isGlob?: boolean;
  readonly isPublic: boolean;
  readonly attributes: readonly Attribute[];
  readonly conditions: readonly string[];
}

export interface FileIr {
  readonly path: string;
  readonly language: Language;
  /** D: the module declaration's name. Rust: empty; the project model knows the crate. */
  readonly module: readonly string[];
  /** Inner attributes of the file (`#![...]`), D module attributes. */
  readonly attributes: readonly Attribute[];
  readonly imports: readonly Import[];
  readonly types: readonly TypeDecl[];
  readonly impls: readonly ImplDecl[];
  readonly globals: readonly GlobalDecl[];
  /** Every function, method, closure, async block, delegate and nested function, in source order; nested ones have `parent`. */
  readonly functions: readonly FunctionIr[];
  /** Item-position macro invocations that were not expanded. */
  readonly macros: readonly { readonly name: string; readonly span: Span }[];
  readonly comments: readonly { readonly text: string; readonly span: Span }[];
  readonly gaps: readonly Gap[];
}

// ---------------------------------------------------------------------------------------------------------------------

export interface Block {
  readonly span: Span;
  readonly statements: readonly Statement[];
  /** Rust: the tail expression, the block's value. D `=> expr` bodies are a block with only `result`. */
  readonly result?: Expr;
}

export type Statement =
  | {
      readonly kind: 'let';
      readonly span: Span;
      readonly pattern: Pattern;
      readonly type?: TypeRef;
      readonly init?: Expr;
      readonly otherwise?: Block;
      readonly isStatic?: boolean;
      readonly modifiers: readonly Modifier[];
      /** cfg conditions on the statement itself; a conditional expression statement is an `if` with `isStatic`. */ readonly conditions?: readonly string[];
    }
  | { readonly kind: 'expression'; readonly span: Span; readonly expr: Expr }
  /** D `scope(exit|success|failure)`. */
  | { readonly kind: 'defer'; readonly span: Span; readonly when: 'exit' | 'success' | 'failure'; readonly body: Block }
  | {
      readonly kind: 'try';
      readonly span: Span;
      readonly body: Block;
      readonly catches: readonly { readonly name?: string; readonly body: Block }[];
      readonly finally?: Block;
    }
  /** Nested function or type; the function is in FileIr.functions under `functionId`. */
  | { readonly kind: 'item'; readonly span: Span; readonly functionId?: number };

export type Pattern =
  | {
      readonly kind: 'bind';
      readonly name: string;
      readonly span: Span;
      readonly byRef: boolean;
      readonly mutable: boolean;
      readonly type?: TypeRef;
      readonly sub?: Pattern;
    }
  | { readonly kind: 'wildcard'; readonly span: Span }
  /** Tuple, struct, tuple-struct, slice; `field` is the name or the index as text; `path` the constructor (`Some`). */
  | {
      readonly kind: 'parts';
      readonly span: Span;
      readonly path: readonly string[];
      readonly parts: readonly { readonly field: string; readonly pattern: Pattern }[];
    }
  /** `&p` */
  | { readonly kind: 'reference'; readonly span: Span; readonly pattern: Pattern }
  | { readonly kind: 'alternatives'; readonly span: Span; readonly patterns: readonly Pattern[] }
  | { readonly kind: 'literal'; readonly span: Span; readonly text: string };

export interface Arm {
  readonly span: Span;
  readonly pattern: Pattern;
  readonly guard?: Expr;
  readonly body: Expr;
}

export type Expr =
  /** A local, parameter, global, constant or path: `x`, `a::b::C`, `.x` (D module scope). `self`/`this` is `{path:['self']}`. */
  | {
      readonly kind: 'name';
      readonly span: Span;
      readonly path: readonly string[];
      readonly typeArgs?: readonly TypeRef[];
    }
  /** `a.b`; also D `a.length`, `a.ptr`, `a.dup` without parentheses, and Rust `t.0`. */
  | { readonly kind: 'field'; readonly span: Span; readonly nameSpan: Span; readonly base: Expr; readonly name: string }
  | { readonly kind: 'index'; readonly span: Span; readonly base: Expr; readonly index: Expr }
  /** D `a[]`, `a[x .. y]`; Rust `a[x..y]`, `a[..]` (to be taken by `&`). */
  | { readonly kind: 'slice'; readonly span: Span; readonly base: Expr; readonly from?: Expr; readonly to?: Expr }
  | { readonly kind: 'deref'; readonly span: Span; readonly base: Expr }
  /** `&x`, `&mut x` (reference); `&raw const x`, `addr_of!(x)` (raw); D `&x` (raw). */
  | {
      readonly kind: 'address';
      readonly span: Span;
      readonly base: Expr;
      readonly mutable: boolean;
      readonly raw: boolean;
    }
  | { readonly kind: 'call'; readonly span: Span; readonly callee: Expr; readonly args: readonly Argument[] }
  /** `recv.method(args)`; D calls by dots are always this (UFCS, module-qualified calls and delegate fields look alike). */
  | {
      readonly kind: 'method';
      readonly span: Span;
      readonly receiver: Expr;
      readonly method: string;
      readonly methodSpan: Span;
      readonly typeArgs: readonly TypeRef[];
      readonly args: readonly Argument[];
    }
  /** A macro whose arguments could be re-parsed as expressions (`args`), or not (`opaque`, a gap was recorded). */
  | {
      readonly kind: 'macro';
      readonly span: Span;
      readonly name: string;
      readonly args: readonly Expr[];
      readonly opaque: boolean;
      /** Names in the tokens of an opaque macro: it may bind them anew. */
      readonly names?: readonly string[];
    }
  | {
      readonly kind: 'literal';
      readonly span: Span;
      readonly type: 'string' | 'byte-string' | 'c-string' | 'char' | 'number' | 'bool' | 'null' | 'unit';
      readonly text: string;
    }
  | {
      readonly kind: 'binary';
      readonly span: Span;
      readonly operator: string;
      readonly left: Expr;
      readonly right: Expr;
    }
  | { readonly kind: 'unary'; readonly span: Span; readonly operator: string; readonly operand: Expr }
  /** `operator` is `=`, `+=`, `~=` …; D `x.length++` arrives as `+=` of 1. */
  | {
      readonly kind: 'assign';
      readonly span: Span;
      readonly operator: string;
      readonly target: Expr;
      readonly value: Expr;
    }
  | { readonly kind: 'cast'; readonly span: Span; readonly value: Expr; readonly type: TypeRef }
  | {
      readonly kind: 'struct';
      readonly span: Span;
      readonly type: TypeRef;
      readonly fields: readonly { readonly name: string; readonly value: Expr; readonly span: Span }[];
      readonly base?: Expr;
    }
  | { readonly kind: 'tuple'; readonly span: Span; readonly items: readonly Expr[] }
  /** Array literal; D associative literals have `keys`. `repeat` for `[x; n]`. */
  | {
      readonly kind: 'array';
      readonly span: Span;
      readonly items: readonly Expr[];
      readonly keys?: readonly Expr[];
      readonly repeat?: Expr;
    }
  | {
      readonly kind: 'range';
      readonly span: Span;
      readonly from?: Expr;
      readonly to?: Expr;
      readonly inclusive: boolean;
    }
  /** Closure, lambda, delegate or function literal, async block. */
  | { readonly kind: 'closure'; readonly span: Span; readonly functionId: number }
  | {
      readonly kind: 'block';
      readonly span: Span;
      readonly block: Block;
      readonly flavour: 'plain' | 'unsafe' | 'const' | 'synchronized' | 'with';
      readonly subject?: Expr;
      readonly label?: string;
      readonly hasSafetyComment?: boolean;
    }
  | {
      readonly kind: 'if';
      readonly span: Span;
      readonly condition: Expr;
      readonly then: Expr;
      readonly else?: Expr;
      readonly isStatic?: boolean;
    }
  /** `let P = v` inside conditions. */
  | { readonly kind: 'let-condition'; readonly span: Span; readonly pattern: Pattern; readonly value: Expr }
  | { readonly kind: 'match'; readonly span: Span; readonly scrutinee: Expr; readonly arms: readonly Arm[] }
  | {
      readonly kind: 'loop';
      readonly span: Span;
      readonly form: 'loop' | 'while' | 'do' | 'for' | 'foreach';
      readonly label?: string;
      /** `foreach` and Rust `for`: bindings in order (D: index then element) and what is iterated. */
      readonly bindings?: readonly { readonly pattern: Pattern; readonly byRef: boolean; readonly type?: TypeRef }[];
      readonly iterable?: Expr;
      readonly reverse?: boolean;
      readonly isStatic?: boolean;
      readonly init?: readonly Statement[];
      readonly condition?: Expr;
      readonly update?: Expr;
      readonly body: Block;
    }
  | { readonly kind: 'return'; readonly span: Span; readonly value?: Expr }
  | { readonly kind: 'break'; readonly span: Span; readonly label?: string; readonly value?: Expr }
  | { readonly kind: 'continue'; readonly span: Span; readonly label?: string }
  | { readonly kind: 'throw'; readonly span: Span; readonly value: Expr }
  | { readonly kind: 'await'; readonly span: Span; readonly value: Expr }
  /** Rust `?`. */
  | { readonly kind: 'try'; readonly span: Span; readonly value: Expr }
  /** D `new T(args)`, `new T[n]`, `new class {}`. */
  | { readonly kind: 'new'; readonly span: Span; readonly type: TypeRef; readonly args: readonly Argument[] }
  /** Evaluates its children in order; anything the pack does not know. */
  | { readonly kind: 'unknown'; readonly span: Span; readonly syntax: string; readonly children: readonly Expr[] };

export interface Argument {
  readonly value: Expr;
  readonly name?: string;
}

type ExprKind = Expr['kind'];
export type ExprOf<K extends ExprKind> = Extract<Expr, { kind: K }>;
