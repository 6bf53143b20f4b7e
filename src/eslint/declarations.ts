/** What a declaration file says about the functions and classes of an addon: enough to tell promises from values. */
export interface Declarations {
  /** Exported function -> whether it returns a promise. */
  readonly functions: ReadonlyMap<string, boolean>;
  readonly classes: ReadonlyMap<string, ClassDeclaration>;
  /** Function, method or class name -> positions of the parameters that are declared as buffers; 0-based. */
  readonly bufferParameters: { get(name: string): ReadonlySet<number> | undefined };
}

interface ClassDeclaration {
  /** Method -> whether it returns a promise. */
  readonly methods: ReadonlyMap<string, boolean>;
  /** Methods that release the object, in the order of `releaseMethods`; `[Symbol.dispose]` included. */
  readonly releasedBy: readonly string[];
}

/** Names under which addons release a handle. */
export const releaseMethods: readonly string[] = [
  'close',
  'dispose',
  'destroy',
  'unsubscribe',
  'stop',
  'free',
  'release',
  'shutdown',
  'terminate',
];

const exportedFunction = /^\s*export\s+(?:declare\s+)?(?:async\s+)?function\s+([\w$]+)/u;
const exportedConstant = /^\s*export\s+(?:declare\s+)?const\s+([\w$]+)\s*:\s*\(/u;
const classHead = /^\s*(?:export\s+)?(?:default\s+)?(?:declare\s+)?(?:abstract\s+)?(?:class|interface)\s+([\w$]+)/u;
const member = /^\s+(?:static\s+|readonly\s+|async\s+)*(\[Symbol\.(?:asyncDispose|dispose)\]|[\w$]+)\s*(?:<[^(]*>)?\(/u;
const promise = /^\s*(?:Promise|PromiseLike)\s*</u;

/**
 * Reads the line-oriented declaration files that @napi-rs/cli writes, and hand-written ones of the same shape. What has
 * another shape is left out, which means "not known".
 */
export function readDeclarations(text: string): Declarations {
  const functions = new Map<string, boolean>();
  const classes = new Map<string, ClassDeclaration>();
  /** Parameter lists that name a buffer; they are taken apart when one is asked for. */
  const lists = new Map<string, string[]>();
  const takeParameters = (name: string, parameters: string): void => {
    if (!namesBuffer.test(parameters)) return;
    const known = lists.get(name);
    if (known === undefined) lists.set(name, [parameters]);
    else known.push(parameters);
  };
  let current: { readonly name: string; readonly methods: Map<string, boolean> } | undefined;
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    if (/^\s*(?:\*|\/\/|\/\*)/u.test(line)) continue;
    if (current !== undefined && /^\}/u.test(line)) {
      finishClass(current, classes);
      current = undefined;
      continue;
    }
    const name = exportedFunction.exec(line)?.[1] ?? exportedConstant.exec(line)?.[1];
    if (name !== undefined) {
      const signature = signatureAt(lines, at);
      const returned = signature?.returned;
      takeParameters(name, signature?.parameters ?? '');
      // Overloads: one that gives a promise makes the name asynchronous.
      if (returned !== undefined) functions.set(name, promise.test(returned) || functions.get(name) === true);
      continue;
    }
    const head = classHead.exec(line)?.[1];
    if (head !== undefined && /\{\s*$/u.test(line)) {
      current = { name: head, methods: new Map() };
      continue;
    }
    const method = current === undefined ? undefined : member.exec(line)?.[1];
    if (current !== undefined && method !== undefined) {
      const signature = signatureAt(lines, at);
      const returned = signature?.returned;
      takeParameters(method === 'constructor' ? current.name : method, signature?.parameters ?? '');
      if (returned !== undefined)
        current.methods.set(method, promise.test(returned) || current.methods.get(method) === true);
    }
  }
  if (current !== undefined) finishClass(current, classes);
  const get = (name: string): ReadonlySet<number> | undefined => {
    const found = (lists.get(name) ?? []).flatMap(bufferPositions);
    return found.length === 0 ? undefined : new Set(found);
  };
  return { functions, classes, bufferParameters: { get } };
}

function finishClass(
  current: { name: string; methods: Map<string, boolean> },
  classes: Map<string, ClassDeclaration>,
): void {
  const disposers = ['[Symbol.dispose]', '[Symbol.asyncDispose]'];
  const releasedBy = [...releaseMethods, ...disposers].filter((name) => current.methods.has(name));
  classes.set(current.name, { methods: current.methods, releasedBy });
}

interface Signature {
  readonly parameters: string;
  readonly returned: string | undefined;
}

/** The parameter list that begins on a line, and the text after it; undefined when the list doesn't end within 40 lines. */
function signatureAt(lines: readonly string[], from: number): Signature | undefined {
  let text = lines[from] ?? '';
  const first = text.indexOf('(');
  let depth = 0;
  for (let at = first, taken = 1; at >= 0; at++) {
    if (at === text.length) {
      const next = lines[from + taken];
      if (next === undefined || ++taken > 40) return undefined;
      text += `\n${next}`;
    }
    const character = text[at];
    if (character === '(') depth++;
    else if (character === ')' && --depth === 0) {
      // What is returned may begin on the next line.
      const rest = /^\s*(?::|=>)\s*([^\n]*)/u.exec(`${text.slice(at + 1)}\n${lines[from + taken] ?? ''}`);
      return { parameters: text.slice(first + 1, at), returned: rest?.[1] };
    }
  }
  return undefined;
}

const bufferType = /^(?:Buffer|ArrayBuffer|DataView|(?:Big)?(?:Ui|I)nt\d+(?:Clamped)?Array|Float\d+Array)(?:<\w*>)?$/u;
const namesBuffer = /Buffer|DataView|Array/u;
const plainArray = /^(?:readonly\s+)?(?:Readonly)?Array<|\[\]$/u;

/** Positions of parameters whose type is a buffer, also beside text or null; not where a plain array is allowed too. */
function bufferPositions(parameters: string): readonly number[] {
  const parts = [''];
  let depth = 0;
  for (const character of parameters.replace(/=>/gu, '  ')) {
    if ('([{<'.includes(character)) depth++;
    if (')]}>'.includes(character)) depth--;
    if (character === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts.flatMap((part, at) => {
    const types = (/^[^:]*:([^]*)$/u.exec(part)?.[1] ?? '').split('|').map((type) => type.trim());
    return types.some((type) => bufferType.test(type)) && !types.some((type) => plainArray.test(type)) ? [at] : [];
  });
}
