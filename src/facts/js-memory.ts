import type { FileIr, FunctionIr, TypeRef } from '../model/ir.js';

/**
 * Types of napi-rs (v2 and v3) whose bytes belong to JavaScript. `owned` wrappers hold a reference to the JavaScript object
 * and may move between threads; `view`s are bound to the call. Neither stops JavaScript from writing to or detaching the bytes.
 */
const OWNED = new Set([
  'Buffer',
  'Uint8Array',
  'Int8Array',
  'Uint8ClampedArray',
  'Uint16Array',
  'Int16Array',
  'Uint32Array',
  'Int32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'JsBufferValue',
  'JsArrayBufferValue',
  'JsTypedArrayValue',
]);
const VIEWS = new Set([
  'BufferSlice',
  'Uint8ArraySlice',
  'Int8ArraySlice',
  'Uint8ClampedSlice',
  'Uint16ArraySlice',
  'Int16ArraySlice',
  'Uint32ArraySlice',
  'Int32ArraySlice',
  'Float32ArraySlice',
  'Float64ArraySlice',
  'BigInt64ArraySlice',
  'BigUint64ArraySlice',
  'ArrayBuffer',
  'JsBuffer',
  'JsArrayBuffer',
  'JsTypedArray',
  'TypedArray',
]);

export interface JsMemory {
  readonly kind: 'owned' | 'view' | 'slice';
  /** The type's name as a reader knows it: `Buffer`, `&[u8]`. */
  readonly name: string;
}

/** Whether the file uses napi-rs: an import of it, or an attribute `#[napi]`. */
export function usesNapi(file: FileIr): boolean {
  return (
    file.imports.some(
      (i) => i.path[0] === 'napi' || i.path[0] === 'napi_derive' || i.path[0] === 'napi_ohos' || i.name === 'napi',
    ) ||
    file.functions.some((f) => f.attributes.some((a) => a.name === 'napi' || a.name === 'js_function')) ||
    file.types.some((t) => t.attributes.some((a) => a.name === 'napi'))
  );
}

/** Whether JavaScript calls the function directly: `#[napi]` on it or on its impl block. */
export function isExported(fn: FunctionIr): boolean {
  return fn.attributes.some((a) => a.name === 'napi' || a.name.endsWith('::napi'));
}

/** JavaScript memory held by a type, also inside Option, Either, Vec, Ref and tuples; undefined when there is none. */
export function jsMemoryOf(type: TypeRef | undefined, parameterOfExport = false): JsMemory | undefined {
  if (!type) return undefined;
  if (type.kind === 'reference' && type.element) {
    const inner = type.element;
    // `&[u8]` and `&mut [u8]` are JavaScript memory only where napi-rs itself made them from an argument.
    if (inner.kind === 'slice' && parameterOfExport) return { kind: 'slice', name: type.text };
    return jsMemoryOf(inner, parameterOfExport);
  }
  if (type.kind === 'tuple') return firstOf(type.args, parameterOfExport);
  if (type.kind !== 'path') return undefined;
  if (OWNED.has(type.name) && !isForeignPath(type)) return { kind: 'owned', name: type.name };
  if (VIEWS.has(type.name) && !isForeignPath(type)) return { kind: 'view', name: type.name };
  if (/^(Option|Either\w*|Vec|Ref|Box|Arc|Rc|Result|Mutex)$/.test(type.name))
    return firstOf(type.args, parameterOfExport);
  return undefined;
}

function firstOf(types: readonly TypeRef[], parameterOfExport: boolean): JsMemory | undefined {
  for (const t of types) {
    const found = jsMemoryOf(t, parameterOfExport);
    if (found) return found;
  }
  return undefined;
}

/** `js_sys::Uint8Array`, `wgpu::Buffer`: same name, other library. */
function isForeignPath(type: TypeRef): boolean {
  const head = type.path[0];
  return (
    type.path.length > 1 &&
    head !== undefined &&
    !/^(napi|bindgen_prelude|bindgen_runtime|crate|self|super|napi_ohos)$/.test(head)
  );
}

/** Names of buffer types that the file imports from another library than napi-rs. */
export function foreignBufferNames(file: FileIr): ReadonlySet<string> {
  const names = new Set<string>();
  for (const i of file.imports) {
    const head = i.path[0];
    if (
      (OWNED.has(i.name) || VIEWS.has(i.name)) &&
      head !== undefined &&
      !/^(napi|crate|self|super|napi_ohos)$/.test(head)
    )
      names.add(i.name);
  }
  return names;
}

/** Methods that read or write the bytes; `len`, `is_empty`, `clone` and the like look at the wrapper only. */
export const BYTE_METHODS: ReadonlySet<string> = new Set([
  'as_ref',
  'as_mut',
  'as_slice',
  'as_mut_slice',
  'to_vec',
  'to_owned',
  'iter',
  'iter_mut',
  'deref',
  'deref_mut',
  'as_ptr',
  'as_mut_ptr',
  'get',
  'get_mut',
  'first',
  'last',
  'first_mut',
  'last_mut',
  'chunks',
  'chunks_exact',
  'chunks_mut',
  'chunks_exact_mut',
  'rchunks',
  'array_chunks',
  'as_chunks',
  'par_chunks',
  'par_chunks_exact',
  'par_chunks_mut',
  'par_iter',
  'par_iter_mut',
  'par_windows',
  'par_split',
  'windows',
  'split',
  'split_first',
  'split_last',
  'splitn',
  'rsplit',
  'split_at',
  'split_at_mut',
  'copy_from_slice',
  'clone_from_slice',
  'starts_with',
  'ends_with',
  'contains',
  'into_iter',
  'fill',
  'swap',
  'reverse',
  'sort',
  'sort_unstable',
  'binary_search',
  'rotate_left',
  'rotate_right',
  'copy_within',
  'swap_with_slice',
  'get_unchecked',
  'get_unchecked_mut',
  'align_to',
  'is_ascii',
  'as_bytes',
  'to_str',
  'borrow',
  'into_value',
  'read',
]);
/** Of those, the ones that take a copy: off the JavaScript thread they race as any read does, but only once and briefly. */
export const COPY_METHODS: ReadonlySet<string> = new Set(['to_vec', 'to_owned']);
