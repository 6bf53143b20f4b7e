/** What a declaration file says about the functions and classes of an addon: enough to tell promises from values. */
export interface Declarations {
  /** Exported function -> whether it returns a promise. */
  readonly functions: ReadonlyMap<string, boolean>;
  readonly classes: ReadonlyMap<string, ClassDeclaration>;
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
      const returned = returnType(lines, at);
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
      const returned = returnType(lines, at);
      if (returned !== undefined)
        current.methods.set(method, promise.test(returned) || current.methods.get(method) === true);
    }
  }
  if (current !== undefined) finishClass(current, classes);
  return { functions, classes };
}

function finishClass(
  current: { name: string; methods: Map<string, boolean> },
  classes: Map<string, ClassDeclaration>,
): void {
  const disposers = ['[Symbol.dispose]', '[Symbol.asyncDispose]'];
  const releasedBy = [...releaseMethods, ...disposers].filter((name) => current.methods.has(name));
  classes.set(current.name, { methods: current.methods, releasedBy });
}

/** The text after the parameter list that begins on a line; undefined when the list doesn't end within 40 lines. */
function returnType(lines: readonly string[], from: number): string | undefined {
  const text = lines.slice(from, from + 40).join('\n');
  let depth = 0;
  for (let at = text.indexOf('('); at >= 0 && at < text.length; at++) {
    const character = text[at];
    if (character === '(') depth++;
    else if (character === ')' && --depth === 0) {
      const rest = /^\s*(?::|=>)\s*([^\n]*)/u.exec(text.slice(at + 1));
      return rest?.[1];
    }
  }
  return undefined;
}
