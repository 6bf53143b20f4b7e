/**
 * API knowledge as data. A row says what a call does to its receiver, its arguments or its result.
 * Argument positions are 0-based; `'receiver'` is the value before the dot; `'result'` what the call returns.
 */
export type Operand = 'receiver' | 'result' | number;

export type Effect =
  /** The storage of the operand may move or be freed. `clear` empties without necessarily moving; `replace` swaps another value in. */
  | {
      readonly kind: 'grow';
      readonly target: Operand;
      readonly how:
        'append' | 'resize' | 'reserve' | 'insert' | 'shrink' | 'clear' | 'remove' | 'replace' | 'rehash' | 'free';
      /** What the call is given is read when room has been made for it: a pointer into the operand itself is gone by then. */
      readonly reads?: true;
    }
  /** The result points into the operand. */
  | {
      readonly kind: 'borrow';
      readonly from: Operand;
      readonly as: 'raw-pointer' | 'reference' | 'slice' | 'iterator' | 'guard';
      readonly element?: boolean;
      /** Rust: the operand is a cell, and nothing checks what happens to its content. */ readonly cell?: boolean;
    }
  /** The result is the operand, or points where the operand points (casts, as_ref, map, unwrap). */
  | {
      readonly kind: 'pass';
      readonly from: Operand;
      /** A reference given to it comes out as a raw pointer. */ readonly raw?: boolean;
      /** D: the result is a range or an array of pieces of what the operand shows. */ readonly parts?: boolean;
      /** What the operand shows is read meanwhile. */ readonly reads?: boolean;
      /** Rust: the result yields pairs, of which the second parts are those of this operand. */ readonly beside?: Operand;
    }
  /** D: the result is an element of the operand, by reference. */
  | { readonly kind: 'element'; readonly of: Operand }
  /** As `borrow`/`pass`, but the compiler no longer checks the lifetime (transmute, from_raw_parts, slice::from_raw_parts). */
  | {
      readonly kind: 'erase';
      readonly from: Operand;
      /** The operand is a reference to what is turned into something else. */ readonly through?: boolean;
    }
  /** The result shares nothing with the operands (to_vec, clone, dup). */
  | { readonly kind: 'copy'; readonly from: Operand }
  /** The result is the operand's value once more, bit by bit (`ptr::read`): what that owns has two owners. */
  | { readonly kind: 'duplicate'; readonly from: Operand }
  /** As `duplicate`, out of a slot that never drops its content: it may happen once (`ManuallyDrop::take`). */
  /** `isDropped`: the content ends there, instead of moving out. */
  | { readonly kind: 'take'; readonly from: Operand; readonly isDropped?: true }
  /** The operand's storage is given back. `foreign`: by an allocator or owner outside this language. */
  | { readonly kind: 'release'; readonly target: Operand; readonly by: string; readonly foreign?: boolean }
  /** Ownership leaves the type system: the operand is not dropped (mem::forget, ManuallyDrop, Box::leak, into_raw). */
  | { readonly kind: 'forget'; readonly target: Operand; readonly rawType?: string }
  /** Ownership enters the type system from a raw pointer (Box::from_raw, Vec::from_raw_parts). */
  | { readonly kind: 'adopt'; readonly from: Operand; readonly rawType: string }
  /** Fresh storage, owned by the result. `foreign`: malloc family and C libraries. */
  | {
      readonly kind: 'acquire';
      readonly as: 'heap' | 'gc' | 'malloc' | 'foreign' | 'js' | 'stack';
      readonly scanned?: boolean;
      /** Rust: the option, or the place behind a reference, that it is taken out of: what that held ends where the result does. */
      readonly out?: Operand;
    }
  /** The closure or value runs on or moves to another thread. `scoped` threads are joined before the call returns. */
  | {
      readonly kind: 'spawn';
      readonly what: Operand;
      readonly on: 'thread' | 'pool' | 'task' | 'blocking-pool';
      readonly scoped?: boolean;
    }
  /** The operand is called during the call only (map, for_each, with): a closure given to it does not escape. */
  | {
      readonly kind: 'call-now';
      readonly what: Operand;
      /** D: its parameters by `ref` refer to elements of this operand. */
      readonly elementsOf?: Operand;
      /** Rust: it may be called again before the next element of the receiver is taken. */
      readonly rounds?: true;
    }
  /** The callee keeps the operand beyond the call (push into a collection is `store`; C registration is `retain`). */
  /** `assigns`: the operand itself is set, as by `=`, and not added to a collection. */
  | { readonly kind: 'store'; readonly what: Operand; readonly into: Operand; readonly assigns?: boolean }
  | {
      readonly kind: 'retain';
      readonly what: Operand;
      readonly by: string;
      /** The operand is a record that is copied; what its fields point to is kept. */
      readonly contents?: boolean;
      /** The operand is handed to a callback each time, and nothing is called at the end that could free it. */
      readonly isUnfinalized?: true;
    }
  | { readonly kind: 'root'; readonly what: Operand }
  | { readonly kind: 'unroot'; readonly what: Operand }
  | { readonly kind: 'lock'; readonly target: Operand; readonly returnsGuard: boolean }
  | { readonly kind: 'unlock'; readonly target: Operand }
  | { readonly kind: 'drop'; readonly target: Operand }
  /** Blocks until spawned work is done (join, recv, wait): what it waited for cannot outlive this point. */
  | {
      readonly kind: 'wait';
      /** The guard whose lock is given back meanwhile (`condvar.wait(guard)`). */ readonly guard?: Operand;
    };

export interface ApiRow {
  /** Unique, kebab-case; fixtures name it to prove that it is hit. */
  readonly id: string;
  /**
   * What the row matches: a method or property name (`push`), a path by its last segments (`Box::from_raw`,
   * `slice::from_raw_parts`, `GC.addRoot`), a macro (`addr_of!`) or an assignment operator on a property (`.length=`).
   */
  readonly match:
    | { readonly method: string }
    | { readonly path: string }
    | { readonly macro: string }
    | { readonly assign: string }
    /** The end of a free function's name (`_free`), when no path row fits; always weak. With more arguments than `mostArguments` the name does not say which one is meant. */
    | { readonly suffix: string; readonly mostArguments?: number };
  /** Names of receiver types (heads, without arguments) the row is limited to; `[]`/absent means any. */
  readonly receiver?: readonly string[];
  /** When the receiver's type is not known: `apply` (the name is telling enough), `weak` (lower confidence), or `skip`. Default `weak` with `receiver`, else `apply`. */
  readonly whenUnknown?: 'apply' | 'weak' | 'skip';
  /** The method takes no arguments: a call with some is of another one that happens to have the name. */
  readonly nullary?: boolean;
  /** A free function that is meant only when it is called with so many arguments: older headers have others. */
  readonly argumentCount?: number;
  readonly effects: readonly Effect[];
  /** With `suffix`: other ends of the name. Where the unit declares such a function, or this one with a result, the name does not mean this. */
  readonly unlessBeside?: readonly string[];
  /** The version of the library in which the hazard was fixed or the API appeared, when it matters. */
  readonly since?: string;
  readonly fixedIn?: string;
  readonly note?: string;
}

/** A foreign function by whose name alone (`png_destroy`) its first argument is released. */
export function suffixRelease(suffix: string, mostArguments: number): ApiRow {
  return {
    id: `suffix${suffix.replaceAll('_', '-')}`,
    match: { suffix, mostArguments },
    effects: [{ kind: 'release', target: 0, by: suffix, foreign: true }],
  };
}
