import type { TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { elementType, isGrowable, peel, unwrapped } from './types.js';

/** A type that no source spells: the head and optional arguments. */
export function syntheticType(name: string, span: Span, args: readonly TypeRef[] = []): TypeRef {
  return { kind: 'path', text: name, span, name, path: [name], args };
}

/** Types whose constructors (`new`, `from`, `with_capacity`, `default`) give the type itself. */
const CONSTRUCTORS = new Set([
  'new',
  'from',
  'with_capacity',
  'default',
  'from_iter',
  'from_utf8_lossy',
  'from_raw',
  'from_raw_parts',
  'create',
  'pin',
  'from_vec_unchecked',
  'new_in',
  'copy_from_slice',
  'builder',
]);

/** Methods of containers that lend an element, if there is one. */
const LOOKUPS = new Set([
  'get',
  'get_mut',
  'first',
  'first_mut',
  'last',
  'last_mut',
  'front',
  'front_mut',
  'back',
  'back_mut',
]);

/** The type of a call by path of the standard library or of a constructor by convention; undefined when it can't be told. */
export function builtinCallType(
  path: readonly string[],
  span: Span,
  typeArgs?: readonly TypeRef[],
): TypeRef | undefined {
  const last = path.at(-1) ?? '';
  const owner = path.at(-2);
  if ((last === 'null_mut' || last === 'null') && owner === 'ptr') return nullType(last, span, typeArgs?.[0]);
  if (owner && /^[A-Z]\w+$/.test(owner) && CONSTRUCTORS.has(last)) {
    const type = syntheticType(owner, span, typeArgs ?? []);
    return owner === 'CString' && last === 'new' ? syntheticType('Result', span, [type]) : type;
  }
  if (owner === 'MaybeUninit' && (last === 'uninit' || last === 'zeroed')) return syntheticType(owner, span, typeArgs);
  return undefined;
}

/** A raw pointer to something that may be unknown. */
function nullType(name: string, span: Span, element: TypeRef | undefined): TypeRef {
  const text = `*${name === 'null' ? 'const' : 'mut'} ${element?.text ?? '_'}`;
  return { kind: 'pointer', text, span, name: '', path: [], args: [], ...(element ? { element } : {}) };
}

/** D: the type of a call of a function or constructor of the library; `given` is the type of its first argument. */
export function libraryCallType(
  path: readonly string[],
  span: Span,
  typeArgs: readonly TypeRef[] | undefined,
  given: TypeRef | undefined,
): TypeRef | undefined {
  const last = path.at(-1) ?? '';
  if (last === 'appender' || last === 'refAppender') return syntheticType('Appender', span, typeArgs);
  if (D_OWNERS.has(last)) return syntheticType(last, span);
  return digestType(last, last === 'toHexString' ? given : undefined, span) ?? builtinCallType(path, span);
}

/**
 * Rust: the type of a call that wraps its only argument, of the given type: `Rc<T>` of `Rc::new(value)`, `Weak<T>` of
 * `Rc::downgrade(&shared)`; undefined for other calls, and when the argument's type is not known.
 */
export function wrapperType(path: readonly string[], given: TypeRef | undefined, span: Span): TypeRef | undefined {
  const owner = path.at(-2) ?? '';
  const last = path.at(-1) ?? '';
  if (!given || !/^(?:Rc|Arc|Cell|RefCell|UnsafeCell|Mutex|RwLock|MaybeUninit)$/u.test(owner)) return undefined;
  if (last === 'new') return syntheticType(owner, span, [given]);
  const shared = given.kind === 'reference' ? given.element : given;
  if (shared?.kind !== 'path' || shared.name !== owner || !/^(?:Rc|Arc)$/u.test(owner)) return undefined;
  if (last === 'clone') return shared;
  return last === 'downgrade' ? { ...shared, name: 'Weak', path: ['Weak'] } : undefined;
}

/** Rust: types whose `get` or `as_ptr` gives the address of what is in the value itself, and which may not drop that. */
export const CELLS: readonly string[] = [
  ...['Cell', 'RefCell', 'UnsafeCell', 'SyncUnsafeCell', 'MaybeUninit'],
  ...['Bool', 'U8', 'U16', 'U32', 'U64', 'Usize', 'I8', 'I16', 'I32', 'I64', 'Isize', 'Ptr'].map((n) => `Atomic${n}`),
];

/** D: containers of libraries that own a block of the C heap. Whoever copies an `Array` shares its block. */
export const D_OWNERS: ReadonlySet<string> = new Set(['Array', 'DynamicArray']);

/** D: classes of the library whose objects end what they show when they are destroyed or collected. */
export const D_MAPPINGS: ReadonlySet<string> = new Set(['MmFile']);

/** D: structs of `std.digest` that give a static array by value for a message. The classes beside them (`SHA1Digest`) give a new array. */
const DIGESTS = /^(?:MD5|SHA\w*(?<!Digest)|RIPEMD160|CRC\w*(?<!Digest)|MurmurHash3|HMAC)$/u;
const DIGEST_FUNCTIONS = /^(?:md5|sha\d+(?:_\d+)?|ripemd160|crc\d+\w*)Of$/u;

/** The type of a digest as a value; undefined when the function makes none. `receiver` is that of a method. */
export function digestType(name: string, receiver: TypeRef | undefined, span: Span): TypeRef | undefined {
  // The text of a digest is as fixed in size as that.
  if (name === 'toHexString' && receiver?.kind === 'static-array')
    return { ...receiver, text: 'char[N]', span, element: syntheticType('char', span) };
  const isDigest =
    name === 'finish' ? receiver?.kind === 'path' && DIGESTS.test(receiver.name) : DIGEST_FUNCTIONS.test(name);
  if (!isDigest) return undefined;
  const element = syntheticType('ubyte', span);
  return { kind: 'static-array', text: 'ubyte[N]', span, name: '', path: [], args: [], element };
}

const KEEPS = new Set([
  'ok',
  'ok_or',
  'map_err',
  'context',
  'with_context',
  'ok_or_else',
  'clone',
  'as_ref',
  'as_mut',
  'as_deref',
  'as_deref_mut',
  'borrow',
  'borrow_mut',
  'by_ref',
  'take',
  'replace',
  'dup',
  'idup',
  'to_owned',
  'iter',
  'iter_mut',
  'into_iter',
  'lock',
  'read',
  'write',
  'get_mut',
  'as_slice',
  'as_mut_slice',
  'cloned',
  'copied',
  'save',
  'filter',
  'cast',
  'add',
  'sub',
  'offset',
  'wrapping_add',
  'cast_mut',
  'cast_const',
]);
/** Types of the standard library that copy what they hold when they are cloned. */
const CLONED = /^(?:Vec|VecDeque|String|CString|OsString|PathBuf|Box|Option)$/u;
const UNWRAPS = new Set(['unwrap', 'expect', 'unwrap_or', 'unwrap_or_default', 'unwrap_or_else', 'unwrap_unchecked']);
const STRINGS = new Set(['to_string', 'to_uppercase', 'to_lowercase', 'repeat', 'replace']);

const OWNED_FORMS: Readonly<Record<string, string>> = {
  str: 'String',
  CStr: 'CString',
  OsStr: 'OsString',
  Path: 'PathBuf',
};

/** Rust: what a copy of something borrowed is: a value of its own. Undefined for other methods and receivers. */
function copiedType(name: string, receiver: TypeRef | undefined, span: Span): TypeRef | undefined {
  const lent = receiver?.kind === 'reference' ? receiver.element : receiver;
  if (name === 'replace' || name === 'replacen')
    return lent?.kind === 'path' && /^(?:str|String)$/u.test(lent.name) ? syntheticType('String', span) : undefined;
  if (name === 'into_bytes_with_nul') return syntheticType('Vec', span, [syntheticType('u8', span)]);
  if (name === 'clone' && receiver?.kind === 'reference' && lent?.kind === 'path' && CLONED.test(lent.name))
    return lent;
  if (name === 'to_string_lossy') return syntheticType('Cow', span, [syntheticType('str', span)]);
  if (name === 'into_owned') return lent?.name === 'Cow' ? ownedForm(lent.args[0], span) : undefined;
  return name === 'to_owned' ? ownedForm(lent, span) : undefined;
}

/** What `ToOwned` makes of a type of the standard library. */
function ownedForm(lent: TypeRef | undefined, span: Span): TypeRef | undefined {
  if (lent?.kind === 'slice') return syntheticType('Vec', span, lent.element ? [lent.element] : []);
  const owned = lent?.kind === 'path' ? OWNED_FORMS[lent.name] : undefined;
  return owned === undefined ? undefined : syntheticType(owned, span);
}

/** Rust: types that own their content, as elements that a container gives out by value. */
const GIVEN_OUT = /^(?:Vec|VecDeque|String|CString|OsString|PathBuf|Box)$/u;

/** Rust: whether the type is one of the library that owns its content. */
export function ownsContent(type: TypeRef | undefined): boolean {
  return type?.kind === 'path' && GIVEN_OUT.test(type.name);
}

/**
 * Rust: what a container gives out of itself: `Option<String>` of `list.pop()`, `Vec<u8>` of `list.swap_remove(i)`. Only where the element
 * is known to own its content; undefined for other elements, methods and receivers.
 */
export function removedType(name: string, receiver: TypeRef | undefined, span: Span): TypeRef | undefined {
  const holder = peel(receiver);
  if (holder?.kind !== 'path') return undefined;
  const isMap = /Map$/u.test(holder.name);
  const isList = /^(?:Vec|VecDeque|SmallVec|BinaryHeap)$/u.test(holder.name);
  const element = isMap ? holder.args[1] : isList ? holder.args[0] : undefined;
  if (element?.kind !== 'path' || element.lifetimes !== undefined || !GIVEN_OUT.test(element.name)) return undefined;
  if (isMap ? /^(?:remove|swap_remove|shift_remove)$/u.test(name) : /^pop(?:_front|_back)?$/u.test(name))
    return syntheticType('Option', span, [element]);
  if (!isList || !/^(?:swap_)?remove$/u.test(name)) return undefined;
  return holder.name === 'VecDeque' ? syntheticType('Option', span, [element]) : element;
}

/** Rust: the type of iterators that give the elements of a container by value, as this module spells it. */
export const YIELDER = 'IntoIter';
const YIELDS_ONE = /^(?:next|next_back|last|nth|nth_back|find|rfind|max|min|max_by|max_by_key|min_by|min_by_key)$/u;

/**
 * Rust: `IntoIter<CString>` of `names.into_iter()`, `names.drain(..)` and `names.into_values()`, and `Option<CString>` of what takes one
 * out of that. Only where the elements are known to own their content, or `isOwner` says so of a type of the unit; undefined for other
 * elements, methods and receivers.
 */
export function givenOutType(
  name: string,
  receiver: TypeRef | undefined,
  span: Span,
  isOwner: (type: TypeRef) => boolean,
): TypeRef | undefined {
  // What a reference leads to is lent.
  const holder = name === 'drain' ? peel(receiver) : receiver;
  if (holder?.kind !== 'path') return undefined;
  if (holder.name === YIELDER) return YIELDS_ONE.test(name) ? syntheticType('Option', span, holder.args) : undefined;
  const isMap = /Map$/u.test(holder.name);
  const isList = /^(?:Vec|VecDeque|SmallVec|BinaryHeap|HashSet|BTreeSet|IndexSet)$/u.test(holder.name);
  let element: TypeRef | undefined;
  if (isMap && /^into_(?:keys|values)$/u.test(name)) element = holder.args[name === 'into_keys' ? 0 : 1];
  else if (isList && /^(?:into_iter|drain)$/u.test(name)) element = holder.args[0];
  if (element?.kind !== 'path' || element.lifetimes !== undefined) return undefined;
  return ownsContent(element) || isOwner(element) ? syntheticType(YIELDER, span, [element]) : undefined;
}

/** The result type of a well-known method; undefined when the name says nothing. */
export function builtinMethodType(name: string, receiver: TypeRef | undefined, span: Span): TypeRef | undefined {
  if (UNWRAPS.has(name)) return unwrapped(receiver);
  const copied = copiedType(name, receiver, span);
  if (copied) return copied;
  // `opt.as_ref()` lends the content; an adapter after it does not consume it.
  const asked = receiver?.kind === 'reference' ? receiver.element : receiver;
  if (
    /^as_(?:ref|mut|deref|deref_mut)$/u.test(name) &&
    asked?.kind === 'path' &&
    (asked.name === 'Option' || asked.name === 'Result')
  ) {
    const [content, ...rest] = asked.args;
    return content
      ? {
          ...asked,
          args: [
            { kind: 'reference', text: `&${content.text}`, span, name: '', path: [], args: [], element: content },
            ...rest,
          ],
        }
      : asked;
  }
  // `Option<Result<T>>` and `Result<Option<T>>` change places.
  if (name === 'transpose' && receiver?.kind === 'path' && receiver.args[0]?.kind === 'path') {
    const [inner, ...rest] = receiver.args;
    const [content] = inner?.args ?? [];
    if (content) return { ...inner, args: [{ ...receiver, args: [content] }, ...rest] };
  }
  const [slot] = receiver?.kind === 'path' && receiver.name === 'MaybeUninit' ? receiver.args : [];
  if (slot && (name === 'as_ptr' || name === 'as_mut_ptr'))
    return { kind: 'pointer', text: `*mut ${slot.text}`, span, name: '', path: [], args: [], element: slot };
  // `slot.take()` of a `&mut Option<T>` gives the option itself.
  if ((name === 'take' || name === 'replace') && receiver?.kind === 'reference' && receiver.element?.name === 'Option')
    return receiver.element;
  // A cell gives a copy of its content.
  if (name === 'get' && receiver?.kind === 'path' && receiver.name === 'Cell') return receiver.args[0];
  if (name === 'get' && receiver?.kind === 'path' && /^(?:Sync)?UnsafeCell$/u.test(receiver.name)) {
    const [element] = receiver.args;
    if (element && isGrowable(element, 'rust') === true)
      return { kind: 'pointer', text: `*mut ${element.text}`, span, name: '', path: [], args: [], element };
  }
  if (LOOKUPS.has(name)) {
    // What is looked up is lent; where it is a pointer itself, or has methods of its own, what it leads to is not in the
    // container. Of numbers a part of the container may be asked for (`get(1..3)`).
    const element = elementType(receiver);
    if (element && (element.kind === 'pointer' || /^[A-Z]/u.test(element.name))) {
      const lent: TypeRef = {
        kind: 'reference',
        text: `&${element.text}`,
        span,
        name: '',
        path: [],
        args: [],
        element,
      };
      return syntheticType('Option', span, [lent]);
    }
  }
  // D: the copy of a static array is a slice.
  if ((name === 'dup' || name === 'idup') && receiver?.kind === 'static-array') return { ...receiver, kind: 'slice' };
  if (KEEPS.has(name)) {
    const inner = peel(receiver);
    if (
      (name === 'lock' || name === 'read' || name === 'write') &&
      inner?.kind === 'path' &&
      (inner.name === 'Mutex' || inner.name === 'RwLock' || inner.name === 'ReentrantMutex') &&
      inner.args[0]
    )
      return inner.args[0];
    if (
      (name === 'borrow' || name === 'borrow_mut') &&
      inner?.kind === 'path' &&
      inner.name === 'RefCell' &&
      inner.args[0]
    )
      return inner.args[0];
    return receiver;
  }
  if (/^to_[bln]e_bytes$/u.test(name))
    return {
      ...syntheticType('', span),
      kind: 'static-array',
      text: '[u8; _]',
      path: [],
      element: syntheticType('u8', span),
    };
  if (name === 'len' || name === 'capacity') return syntheticType('usize', span);
  if (STRINGS.has(name)) return syntheticType('String', span);
  if (name === 'into_boxed_str') return syntheticType('Box', span, [syntheticType('str', span)]);
  if (name === 'into_boxed_slice') {
    const element = peel(receiver)?.args[0];
    const content: TypeRef = {
      ...syntheticType('', span),
      kind: 'slice',
      text: '[_]',
      path: [],
      ...(element ? { element } : {}),
    };
    return syntheticType('Box', span, [content]);
  }
  if (name === 'to_vec' || name === 'into_bytes' || name === 'into_vec') {
    const element = peel(receiver)?.element ?? peel(receiver)?.args[0];
    return syntheticType('Vec', span, element ? [element] : []);
  }
  return undefined;
}
