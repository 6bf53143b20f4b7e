import type { ApiRow } from './api.js';
import type { Place, Root } from './place.js';
import type { Expr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';

/** `raw` pointers and `erased` references are not checked by the compiler; `closure` is a captured environment. */
export type PointerForm = 'reference' | 'raw' | 'slice' | 'iterator' | 'guard' | 'closure';

/** A value that points into a place. One object per borrowing expression and target. */
export interface Pointer {
  readonly id: number;
  readonly target: Place;
  readonly form: PointerForm;
  /** True when a cast, transmute or raw dereference took the lifetime away. */
  readonly erased: boolean;
  /** The borrowing expression. */
  readonly site: Span;
  /** The operation in the source: `as_ptr`, `&`, `.ptr`, `foreach (ref ..)`. */
  readonly how: string;
  readonly row?: ApiRow;
  /** Locks held where the pointer was made. */
  readonly locks: readonly LockScope[];
  readonly context: Context;
}

export interface LockScope {
  readonly span: Span;
  readonly what: string;
}

/** On which thread or task the code runs, as far as the function shows. */
export interface Context {
  /** The closure or async block around the code, innermost first, with how it is run. */
  readonly frames: readonly {
    readonly functionId: number;
    readonly run: 'spawned' | 'called' | 'stored' | 'async' | 'unknown';
    readonly span: Span;
    readonly on?: string;
  }[];
  readonly inLoop: boolean;
}

export interface Invalidation {
  readonly kind: 'grow' | 'release' | 'drop' | 'replace' | 'suspend' | 'unlock';
  readonly place: Place;
  readonly span: Span;
  /** The operation: `push`, `free`, `end of scope`, `await`. */
  readonly how: string;
  readonly row?: ApiRow;
  /** Set when a helper of the unit did it: the helper's name. */
  readonly through?: string;
  /** The place leads to another block from then on; what is released is the one that the pointer still means. */
  readonly isRenewed?: true;
}

export type UseKind = 'deref' | 'argument' | 'method' | 'index' | 'field' | 'return' | 'store' | 'write' | 'release';

/** A pointer used on a path on which its target was invalidated after the borrow. */
export interface StaleUse {
  readonly pointer: Pointer;
  readonly invalidation: Invalidation;
  readonly use: { readonly span: Span; readonly kind: UseKind; readonly what: string };
  readonly context: Context;
}

/** A pointer that leaves the function, or is stored where it outlives the statement. */
export interface Escape {
  readonly pointer: Pointer;
  readonly kind: 'return' | 'store' | 'collect' | 'argument' | 'spawn' | 'throw';
  readonly span: Span;
  /** Stores: where to. */
  readonly into?: Place;
  /** Arguments: the callee as written and the 0-based position. */
  readonly callee?: string;
  readonly index?: number;
  readonly locks: readonly LockScope[];
  readonly invalidations: readonly Invalidation[];
  /** Rust, stores: the place still holds the pointer when the function ends. */
  readonly atExit?: boolean;
  /** The owner's variable was moved away before: what it owns lives on elsewhere. */
  readonly ownerMoved: boolean;
  readonly context: Context;
}

export interface Growth {
  readonly place: Place;
  /** `Type.field` or `module::name`: the same for every function that grows it; absent for locals. */
  readonly key?: string;
  readonly span: Span;
  readonly how: string;
  readonly operation:
    'append' | 'resize' | 'reserve' | 'insert' | 'shrink' | 'clear' | 'remove' | 'replace' | 'rehash' | 'free';
  readonly row?: ApiRow;
  readonly weak: boolean;
  readonly through?: string;
  /** Rust: the container was reached by a pointer that the compiler does not follow, so that others may still borrow it. */
  readonly isUnchecked?: true;
  readonly context: Context;
}

export interface Value {
  /** What the expression denotes as an lvalue; several after joins. */
  readonly places: readonly Place[];
  readonly pointers: readonly Pointer[];
  readonly type?: TypeRef;
  /** Pointers that were followed to reach the places: what happens there leaves these themselves valid. */
  readonly via?: readonly Pointer[];
  /** A fresh value that is dropped at the end of the statement unless it is bound. */
  readonly owned?: boolean;
  /** Rust: a vector that the expression itself makes; its pointers are those of its elements. */
  readonly collected?: boolean;
  /** Pointers whose storage this value frees when dropped (Box::from_raw). */
  readonly adopts?: readonly Pointer[];
  /** Rust: options that the value was taken out of (`slot.take()`): it ends where the value does. */
  readonly takenFrom?: readonly Place[];
  /** Rust: what `text.as_str().into()` was made of: a declared `Cow` or reference borrows it. */
  readonly madeOf?: readonly Pointer[];
  /** Rust: the variables that a list was made of by their values (`vec![s]`): they end where it does. */
  readonly packed?: readonly Place[];
  readonly closure?: number;
  /** Rust: what two iterators that go on together yield (`a.zip(b)`): the first and the second of each pair. */
  readonly pair?: readonly [Value, Value];
  /** Rust: what each field of a struct literal holds. */
  readonly parts?: readonly { readonly name: string; readonly value: Value }[];
  /** D: what a function of unknown content returned. */
  readonly foreign?: true;
  /** D: the array that the value, a slice copied from a variable, is another name for. */
  readonly alias?: Place;
  /** Single value of a constant or literal expression, as written. */
  readonly literal?: string;
}

/** A call with evaluated operands, for rules that judge one call. */
export interface CallSite {
  readonly span: Span;
  readonly expr: Expr;
  /** `Vec::from_raw_parts`, or for methods the name only. */
  readonly callee: string;
  readonly method: boolean;
  readonly receiver?: Value;
  readonly args: readonly Value[];
  readonly argSpans: readonly Span[];
  readonly rows: readonly ApiRow[];
  /** A function of the unit that it resolves to: file path and function id. */
  readonly resolved?: { readonly path: string; readonly functionId: number };
  readonly context: Context;
  readonly locks: readonly LockScope[];
}

/** A read or write of a named place. */
export interface Access {
  readonly place: Place;
  readonly span: Span;
  readonly kind: UseKind | 'move' | 'borrow';
  /** Method name or operator, when there is one. */
  readonly what: string;
  /** Suspension points that were passed before, in order. */
  readonly suspended: readonly Span[];
  readonly context: Context;
}

/** Ownership of a pointer's memory taken by a type that will free it (`CString::from_raw`, `Vec::from_raw_parts`). */
export interface Adoption {
  readonly pointer: Pointer;
  /** The type that takes it: `CString`, `Box`, `Vec`. */
  readonly rawType: string;
  readonly how: string;
  readonly span: Span;
  /** What the pointer is taken to point to, when the source says: the cast in front of it, or a type argument. */
  readonly content?: TypeRef;
  /** A helper of the unit that does it. */
  readonly through?: string;
  /** The value was copied bit by bit, and its block left where it is. */
  readonly isCopy?: boolean;
  readonly context: Context;
}

/** Memory of a variable that something else took over, while the variable frees it too. */
export interface OwnedTwice {
  readonly adoption: Adoption;
  readonly owner: Root;
  /** Where the variable ends, or what it leads to. */
  readonly end: Span;
  /** The function only borrows what the variable shows. */
  readonly isLent: boolean;
  /** What releases the block in which the value lies that was copied bit by bit, when it is not the variable's end. */
  readonly how?: string;
}

/** What a caller needs to know; places are rooted at parameters, `self` or globals only. */
export interface Summary {
  readonly returns: readonly {
    readonly target: Place;
    readonly form: PointerForm;
    readonly erased: boolean;
    readonly site: Span;
    readonly how: string;
    /** D: the member that led to it has been set to something else when the function returns. */
    readonly isOld?: boolean;
  }[];
  /** D: parameters whose value is returned as it is, by their index. */
  readonly passes: readonly number[];
  /** D: what is returned is what such a place holds: a field of `this`, what a parameter leads to. */
  readonly shows: readonly Place[];
  readonly grows: readonly Growth[];
  /** D: what the function returns whenever it has made something grow, and only then (`bool tryAdd(..)`). */
  readonly growsWhen?: boolean;
  /** `renewed`: the variable or field that held the pointer was set to something else afterwards. */
  readonly releases: readonly {
    readonly place: Place;
    readonly span: Span;
    readonly how: string;
    readonly renewed?: boolean;
  }[];
  /** What is read behind pointer fields of `self`. */
  readonly uses: readonly { readonly place: Place; readonly span: Span }[];
  /** D: fields behind parameters and `this` that are set to something else. */
  readonly sets: readonly Place[];
  /** `isAddress`: the address of a `ref` parameter is stored, not what it holds. */
  readonly stores: readonly {
    readonly param: number;
    readonly into: Place;
    readonly span: Span;
    readonly isAddress?: boolean;
  }[];
  /** D: parameters that go with an exception. */
  readonly throws: readonly number[];
  /** D: parameters that lead somewhere and are used after something that callers know has grown: they may lead into that. */
  readonly late: readonly {
    readonly param: number;
    readonly grown: Place;
    readonly how: string;
    readonly span: Span;
  }[];
  /** Rust: closures among the parameters that are called with what a guard shows, whose lock is on the place and given back at the end. */
  readonly lends: readonly { readonly param: number; readonly place: Place }[];
  /** Parameters taken by value that end with the function. */
  readonly consumes: readonly { readonly param: number; readonly span: Span }[];
  /** Memory that the function takes over from its parameters. */
  readonly adopts: readonly {
    readonly place: Place;
    readonly rawType: string;
    readonly span: Span;
    readonly how: string;
    readonly content?: TypeRef;
  }[];
  /** Parameters whose contents are read, with the first place. */
  readonly reads: readonly { readonly param: number; readonly span: Span }[];
}

/** What the flow core found out about one function, closures and async blocks inside it included. */
export interface FunctionFlow {
  readonly pointers: readonly Pointer[];
  readonly staleUses: readonly StaleUse[];
  readonly escapes: readonly Escape[];
  readonly growths: readonly Growth[];
  readonly invalidations: readonly Invalidation[];
  readonly calls: readonly CallSite[];
  readonly adoptions: readonly Adoption[];
  readonly ownedTwice: readonly OwnedTwice[];
  readonly accesses: readonly Access[];
  readonly suspensions: readonly Span[];
  readonly summary: Summary;
  /** True when the analysis gave up (too deep or too large); nothing may be concluded from silence. */
  readonly incomplete: boolean;
}
