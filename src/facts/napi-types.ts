/**
 * What the types of napi-rs (and the handles of neon and napi-sys) are, where it decides a finding: whose memory they
 * show, which thread they may be on, whether a `napi_ref` is inside, and what their drop does. Read in the sources of
 * napi 2.16.17 and 3.12.2. A major version in which the type does not exist is absent.
 */
export interface NapiType {
  readonly name: string;
  readonly library: 'napi' | 'napi-sys' | 'neon';
  /**
   * `env`: the environment; `handle`: a JavaScript value bound to a call; `view`: bytes of JavaScript bound to a call; `owned`:
   * bytes of JavaScript behind a wrapper that may outlive the call; `reference`: keeps a JavaScript value alive; `function`: calls
   * back from any thread; `task`: work for another thread.
   */
  readonly kind: 'env' | 'handle' | 'view' | 'owned' | 'reference' | 'function' | 'task' | 'error';
  /** Per major version of the library; absent where the type is. */
  readonly v2?: NapiTraits;
  readonly v3?: NapiTraits;
  /** Versions that mended something about the type, oldest first. */
  readonly fixes?: readonly { readonly version: string; readonly what: string }[];
}

interface NapiTraits {
  /** What the library declares; `bounded` when it depends on the type argument. */
  readonly send: boolean | 'bounded';
  readonly sync: boolean | 'bounded';
  /** Whether a `napi_ref` is inside; `from-js` when only values that came from JavaScript have one. */
  readonly reference: 'never' | 'from-js' | 'always';
  /**
   * `none`: nothing to give back; `queue`: given back on the environment's thread, from any thread; `direct`: given back on the
   * thread that drops; `leak`: nothing is given back unless `unref(env)` is called; `js-thread`: the library itself drops it on
   * the JavaScript thread; `keeps-alive`: holds the event loop open until it is dropped.
   */
  readonly drop: 'none' | 'queue' | 'direct' | 'leak' | 'js-thread' | 'keeps-alive';
  /** The declared `Send` or `Sync` does not hold. */
  readonly isUnsound?: boolean;
}

const bound: NapiTraits = { send: false, sync: false, reference: 'never', drop: 'none' };
const queued: NapiTraits = { send: true, sync: true, reference: 'from-js', drop: 'queue' };

const bufferFixes = [
  { version: '2.10.0', what: 'dropping it off the JavaScript thread no longer deletes the reference there' },
  { version: '3.10.0', what: 'the queue of references to give back is kept per environment, so that workers are safe' },
];

function named(names: string, rest: Omit<NapiType, 'name'>): NapiType[] {
  return names.split(' ').map((name) => ({ name, ...rest }));
}

export const napiTypes: readonly NapiType[] = [
  { name: 'Env', library: 'napi', kind: 'env', v2: bound, v3: bound },
  ...named(
    'Buffer Uint8Array Int8Array Uint8ClampedArray Uint16Array Int16Array Uint32Array Int32Array Float32Array Float64Array BigInt64Array BigUint64Array',
    {
      library: 'napi',
      kind: 'owned',
      v2: { ...queued, sync: false },
      v3: queued,
      fixes: bufferFixes,
    },
  ),
  ...named(
    'BufferSlice Uint8ArraySlice Int8ArraySlice Uint8ClampedSlice Uint16ArraySlice Int16ArraySlice Uint32ArraySlice Int32ArraySlice Float32ArraySlice Float64ArraySlice BigInt64ArraySlice BigUint64ArraySlice ArrayBuffer',
    { library: 'napi', kind: 'view', v3: bound },
  ),
  ...named('JsBuffer JsArrayBuffer JsTypedArray', { library: 'napi', kind: 'view', v2: bound, v3: bound }),
  ...named('JsBufferValue JsArrayBufferValue JsTypedArrayValue', {
    library: 'napi',
    kind: 'view',
    v2: bound,
    v3: bound,
  }),
  {
    name: 'Ref',
    library: 'napi',
    kind: 'reference',
    v2: { send: true, sync: true, reference: 'always', drop: 'leak', isUnsound: true },
    v3: { send: true, sync: true, reference: 'always', drop: 'leak', isUnsound: true },
  },
  ...named('Reference SharedReference WeakReference', {
    library: 'napi',
    kind: 'reference',
    v2: { send: true, sync: true, reference: 'always', drop: 'js-thread', isUnsound: true },
    v3: { send: false, sync: 'bounded', reference: 'always', drop: 'js-thread' },
    fixes: [{ version: '3.9.1', what: 'the count behind it is atomic' }],
  }),
  {
    name: 'External',
    library: 'napi',
    kind: 'handle',
    v2: { send: 'bounded', sync: false, reference: 'never', drop: 'js-thread' },
    v3: { send: 'bounded', sync: false, reference: 'never', drop: 'js-thread' },
  },
  {
    name: 'ExternalRef',
    library: 'napi',
    kind: 'reference',
    v3: { send: false, sync: true, reference: 'always', drop: 'js-thread' },
  },
  ...named('ObjectRef UnknownRef SymbolRef', {
    library: 'napi',
    kind: 'reference',
    v3: { send: true, sync: false, reference: 'always', drop: 'leak' },
  }),
  {
    name: 'FunctionRef',
    library: 'napi',
    kind: 'reference',
    v2: { send: false, sync: true, reference: 'always', drop: 'direct', isUnsound: true },
    v3: { send: true, sync: true, reference: 'always', drop: 'queue' },
    fixes: [{ version: '3.10.5', what: 'dropping it off the JavaScript thread is deferred to that thread' }],
  },
  {
    name: 'Error',
    library: 'napi',
    kind: 'error',
    v2: { send: true, sync: true, reference: 'from-js', drop: 'direct', isUnsound: true },
    v3: { send: true, sync: true, reference: 'from-js', drop: 'queue' },
    fixes: [{ version: '3.10.1', what: 'dropping it off the JavaScript thread is deferred to that thread' }],
  },
  {
    name: 'ThreadsafeFunction',
    library: 'napi',
    kind: 'function',
    v2: { send: true, sync: true, reference: 'never', drop: 'keeps-alive' },
    v3: { send: true, sync: true, reference: 'never', drop: 'keeps-alive' },
  },
  {
    name: 'JsDeferred',
    library: 'napi',
    kind: 'function',
    v2: { send: true, sync: false, reference: 'never', drop: 'keeps-alive' },
    v3: { send: true, sync: false, reference: 'never', drop: 'keeps-alive' },
    fixes: [{ version: '3.11.0', what: 'resolving after the environment was torn down is guarded' }],
  },
  ...named('AsyncTask AsyncWorkPromise', {
    library: 'napi',
    kind: 'task',
    v2: { ...bound, drop: 'js-thread' },
    v3: { ...bound, drop: 'js-thread' },
  }),
  ...named('AsyncBlock AsyncBlockBuilder', { library: 'napi', kind: 'task', v3: { ...bound, drop: 'js-thread' } }),
  ...named(
    'JsUnknown JsObject JsFunction JsString JsNumber JsBoolean JsDate JsSymbol JsBigInt JsExternal JsGlobal JsNull JsUndefined JsError',
    {
      library: 'napi',
      kind: 'handle',
      v2: bound,
      v3: bound,
    },
  ),
  ...named('Object Function Unknown Array This ClassInstance PromiseRaw Symbol JsStringUtf8 JsStringUtf16', {
    library: 'napi',
    kind: 'handle',
    v3: bound,
  }),
  ...named('napi_env', { library: 'napi-sys', kind: 'env', v2: bound, v3: bound }),
  ...named('napi_value napi_callback_info napi_handle_scope', {
    library: 'napi-sys',
    kind: 'handle',
    v2: bound,
    v3: bound,
  }),
  ...named('napi_ref napi_deferred', {
    library: 'napi-sys',
    kind: 'reference',
    v2: { ...bound, reference: 'always', drop: 'leak' },
    v3: { ...bound, reference: 'always', drop: 'leak' },
  }),
  ...named('napi_threadsafe_function', {
    library: 'napi-sys',
    kind: 'function',
    v2: { ...bound, drop: 'keeps-alive' },
    v3: { ...bound, drop: 'keeps-alive' },
  }),
];

const byName = new Map(napiTypes.map((type) => [type.name, type]));

/** The entry of a type by the last segment of its path; undefined for any other type. */
export function findNapiType(name: string): NapiType | undefined {
  return byName.get(name);
}
