import { ACTS } from '../facts/handing-on.js';
import { lineOf } from '../facts/lines.js';
import { plainText } from '../facts/plain-text.js';
import type { UnitFacts } from '../facts/unit.js';
import { walkBody, type Walked } from '../model/walk-body.js';
import type { Block, Expr, ExprOf, FileIr, FunctionIr, Statement } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { defineRule } from './rule.js';

const TOKENS = {
  rust: [
    ...['from_ptr', 'from_raw_parts', 'new_unchecked', 'is_null', 'NonNull::new', 'write_bytes', 'transmute'],
    ...['(*', ' *', '&*', '.read', '.write', '.replace'],
  ],
};

export default defineRule({
  meta: {
    id: 'null-foreign-pointer',
    title: 'Foreign pointer that may be null',
    summary: 'A pointer that foreign code gave, and that may be null, is used without a look at it.',
    languages: ['rust'],
    severity: 'warning',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'preview',
    since: '0.1.0',
    cwe: ['CWE-476'],
    messages: {
      known: "'{call}' gives null when {when}, and '{use}' at line {line} takes what it gives for a valid pointer.",
      deviant:
        "'{call}' may give null, as line {checked} of '{path}' knows{share}, and '{use}' at line {line} takes what it gives for a valid pointer.",
      empty:
        "'{call}' leaves '{pointer}' null when {when}, and '{use}' at line {line} makes a slice of it, which must not be null even when it is empty.",
    },
    checklist: 'When does the foreign function give null, and who looks?',
    scenarios: [],
  },
  tokens: TOKENS,
  requires: { rust: ['unsafe'] },
  bodyTokens: TOKENS,
  bodyRequires: { rust: [{ test: (text) => text.includes('unsafe') && ACTS.test(text) }] },
  looksAt: 'bodies',
  check({ unit, report }) {
    const found: { readonly use: UncheckedUse; readonly file: FileIr; readonly fn: FunctionIr }[] = [];
    const checks = new Map<string, { readonly file: FileIr; readonly span: Span; count: number }>();
    const unchecked = new Map<string, number>();
    for (const file of unit.filesOf('rust')) {
      for (const fn of file.functions) {
        if (!fn.body) continue;
        const calls = foreignCalls(unit, file, fn, fn.body);
        for (const use of calls.unchecked) {
          found.push({ use, file, fn });
          unchecked.set(use.name, (unchecked.get(use.name) ?? 0) + 1);
        }
        for (const { name, span } of calls.checked) {
          const first = checks.get(name);
          if (first) first.count++;
          else checks.set(name, { file, span, count: 1 });
        }
      }
    }
    for (const { use, file, fn } of found) {
      const known = nullWhen.get(use.name);
      const check = checks.get(use.name);
      const line = lineOf(unit, file, use.at.start);
      const at = { file, span: use.at };
      const key = `${fn.qualifiedName}|${use.name}`;
      const steps = [
        { file, span: use.call, role: 'acquire' as const, note: `'${use.name}' gives the pointer.` },
        { file, span: use.at, role: 'use' as const, note: `'${use.how}' needs it to be valid.` },
      ];
      if (use.pointer !== undefined)
        report({
          messageId: 'empty',
          data: {
            call: use.name,
            pointer: use.pointer,
            when: emptyWhen.get(use.name) ?? 'it is empty',
            use: use.how,
            line,
          },
          at,
          steps,
          key,
        });
      else if (known !== undefined)
        report({
          messageId: 'known',
          data: { call: use.name, when: known, use: use.how, line },
          at,
          steps,
          key,
          // Most programs do nothing better then.
          ...(known === noMemory ? { severity: 'note' as const } : {}),
        });
      else if (check !== undefined) {
        const trusting = unchecked.get(use.name) ?? 1;
        report({
          messageId: 'deviant',
          data: {
            call: use.name,
            checked: lineOf(unit, check.file, check.span.start),
            path: check.file.path,
            share:
              trusting > check.count
                ? `, though ${String(trusting)} of ${String(trusting + check.count)} uses do not look`
                : '',
            use: use.how,
            line,
          },
          at,
          steps: [
            ...steps,
            { file: check.file, span: check.span, role: 'declare', note: 'Here it is checked for null.' },
          ],
          key,
          // Where most uses do without a look, null is more likely the answer to what only one of them asks.
          ...(trusting > check.count ? { severity: 'note' as const } : {}),
        });
      }
    }
  },
});

const noMemory = 'memory runs out';

/** Functions of C and of std's allocator that give null in the normal course of things, and when. */
const nullWhen: ReadonlyMap<string, string> = new Map(
  Object.entries({
    alloc: noMemory,
    alloc_zeroed: noMemory,
    realloc: noMemory,
    malloc: noMemory,
    calloc: noMemory,
    strdup: noMemory,
    strndup: noMemory,
    getenv: 'the variable is not set',
    secure_getenv: 'the variable is not set',
    fopen: 'the file cannot be opened',
    fdopen: 'the stream cannot be made',
    opendir: 'the folder cannot be opened',
    readdir: 'there are no more entries',
    dlopen: 'the library cannot be loaded',
    dlsym: 'there is no such symbol',
    dlerror: 'there was no error',
    strchr: 'the character is not there',
    strrchr: 'the character is not there',
    strstr: 'the text is not there',
    memchr: 'the byte is not there',
    getpwnam: 'there is no such user',
    getpwuid: 'there is no such user',
    getgrnam: 'there is no such group',
    getgrgid: 'there is no such group',
    localtime: 'the time cannot be represented',
    gmtime: 'the time cannot be represented',
    ttyname: 'it is no terminal',
    getcwd: 'the folder is gone or its name too long',
    realpath: 'the path does not exist',
    setlocale: 'there is no such locale',
    if_indextoname: 'there is no such interface',
    getlogin: 'there is no terminal',
    // SQLite
    sqlite3_column_blob: 'the value has no bytes',
    sqlite3_column_text: 'the value is NULL',
    sqlite3_value_blob: 'the value has no bytes',
    sqlite3_value_text: 'the value is NULL',
  }),
);

/** Functions of Node-API that write a pointer through an argument, which may be null. */
const emptyWhen: ReadonlyMap<string, string> = new Map([
  ['napi_get_buffer_info', 'the buffer is empty'],
  ['napi_get_arraybuffer_info', 'the buffer is empty or detached'],
  ['napi_get_typedarray_info', 'the array is empty or its buffer detached'],
  ['napi_get_dataview_info', 'the view is empty or its buffer detached'],
]);

const ofAllocator = /^(?:alloc|alloc_zeroed|realloc)$/u;

interface UncheckedUse {
  /** Last segment of the foreign function. */
  readonly name: string;
  readonly call: Span;
  readonly at: Span;
  readonly how: string;
  /** The variable, when the pointer came through an argument. */
  readonly pointer?: string;
}

interface ForeignCalls {
  readonly unchecked: readonly UncheckedUse[];
  readonly checked: readonly { readonly name: string; readonly span: Span }[];
}

type ExprLet = Extract<Statement, { kind: 'let' }>;

function foreignCalls(unit: UnitFacts, file: FileIr, fn: FunctionIr, body: Block): ForeignCalls {
  const unchecked: UncheckedUse[] = [];
  const checked: { readonly name: string; readonly span: Span }[] = [];
  const all: Walked[] = [];
  const lets = new Map<Expr, ExprLet>();
  walkBody(body, (walked) => {
    all.push(walked);
    const { expr, statement } = walked;
    if (statement?.kind === 'let' && statement.init === expr) lets.set(expr, statement);
  });
  const text = plainText(unit, file, fn.span);
  for (const { expr, around } of all) {
    if (expr.kind !== 'call' || expr.callee.kind !== 'name') continue;
    const name = expr.callee.path.at(-1) ?? '';
    if (emptyWhen.has(name)) {
      for (const pointer of outPointers(expr)) {
        const use = isChecked(text, pointer) ? undefined : sinkOf(all, text, pointer, expr, true);
        if (use) unchecked.push({ name, call: expr.span, ...use, pointer });
      }
      continue;
    }
    const { value, parent } = outermostValue(expr, around);
    const statement = lets.get(value);
    const variable = statement?.pattern.kind === 'bind' ? statement.pattern.name : undefined;
    const need =
      (parent === undefined ? undefined : needOf(parent, value)) ??
      (variable === undefined || isChecked(text, variable) ? undefined : sinkOf(all, text, variable, expr, false));
    const check =
      parent !== undefined && looksForNull(parent)
        ? parent.span
        : variable !== undefined && isChecked(text, variable)
          ? statement?.span
          : undefined;
    // Whether the function is foreign is asked last: it may have to be looked for in the whole unit.
    if ((need ?? check) === undefined || !givesForeignPointer(unit, file, expr.callee, name)) continue;
    if (need !== undefined) unchecked.push({ name, call: expr.span, ...need });
    else if (check !== undefined) checked.push({ name, span: check });
  }
  return { unchecked, checked };
}

const foreignModule = /^(?:libc|ffi|raw|bindings|\w*sys|\w*ffi)$/u;

/** A call of a function without a body in Rust that returns a raw pointer, or of one that is known to. */
function givesForeignPointer(unit: UnitFacts, file: FileIr, callee: ExprOf<'name'>, name: string): boolean {
  const owner = callee.path.at(-2);
  if (ofAllocator.test(name)) {
    if (owner !== undefined) return owner === 'alloc' || (owner === 'libc' && name === 'realloc');
    return file.imports.some(({ path, name: local }) => local === name && path.at(-2) === 'alloc');
  }
  const declared = unit.functionsNamed(name, 'rust');
  // The bindings are another crate's, or written when the package is built.
  if (declared.length === 0) return owner !== undefined && foreignModule.test(owner);
  return declared.every(
    ({ item }) => item.bodySpan === undefined && item.owner === undefined && item.returns?.kind === 'pointer',
  );
}

/** The expression with the casts around it, and what is around that. */
function outermostValue(
  expr: Expr,
  around: readonly Expr[],
): { readonly value: Expr; readonly parent: Expr | undefined } {
  let value = expr;
  for (let at = around.length - 1; at >= 0; at--) {
    const parent = around[at];
    const isSame =
      (parent?.kind === 'cast' && parent.value === value) ||
      (parent?.kind === 'method' &&
        parent.receiver === value &&
        /^(?:cast|cast_mut|cast_const|(?:wrapping_)?add|sub|offset)$/u.test(parent.method)) ||
      (parent?.kind === 'block' && parent.block.result === value && parent.block.statements.length === 0);
    if (parent === undefined || !isSame) return { value, parent };
    value = parent;
  }
  return { value, parent: undefined };
}

/** `p.is_null()`, `p.as_ref()`, `NonNull::new(p)` */
function looksForNull(expr: Expr): boolean {
  if (expr.kind === 'method') return /^(?:is_null|as_ref|as_mut)$/u.test(expr.method);
  return (
    expr.kind === 'call' && expr.callee.kind === 'name' && expr.callee.path.slice(-2).join('::') === 'NonNull::new'
  );
}

/** How an expression needs one of its parts to be a valid pointer. */
function needOf(expr: Expr, part: Expr): { readonly at: Span; readonly how: string } | undefined {
  if (expr.kind === 'deref' && expr.base === part) return { at: expr.span, how: '*' };
  if (expr.kind === 'method' && expr.receiver === part)
    return /^(?:read|write|replace)(?:_unaligned|_volatile)?$/u.test(expr.method)
      ? { at: expr.span, how: `.${expr.method}()` }
      : undefined;
  if (expr.kind !== 'call' || expr.callee.kind !== 'name' || expr.args[0]?.value !== part) return undefined;
  const name = expr.callee.path.slice(-2).join('::');
  // A function pointer is never null, an `Option` of one may be.
  if (/(?:^|::)transmute$/u.test(name)) {
    const made = expr.callee.typeArgs?.[1]?.text ?? '';
    return /\bfn\b/u.test(made) && !made.includes('Option') ? { at: expr.span, how: name } : undefined;
  }
  const isNeeding =
    /^CStr::from_ptr$|(?:^|::)from_raw_parts(?:_mut)?$|^NonNull::new_unchecked$|^ptr::(?:read|write|write_bytes)$/u.test(
      name,
    );
  return isNeeding ? { at: expr.span, how: name } : undefined;
}

/** The first place after a call that needs a variable to be a valid pointer, or with `onlySlices` makes a slice of it. */
function sinkOf(
  all: readonly Walked[],
  text: string,
  variable: string,
  after: Expr,
  onlySlices: boolean,
): { readonly at: Span; readonly how: string } | undefined {
  for (const { expr, around } of all) {
    if (expr.span.start < after.span.end || expr.kind !== 'name' || expr.path.length !== 1 || expr.path[0] !== variable)
      continue;
    const { value, parent } = outermostValue(expr, around);
    // Handed on, compared, assigned: somebody else may look at it.
    const need = parent === undefined ? undefined : needOf(parent, value);
    const isSlice = need !== undefined && /from_raw_parts/u.test(need.how);
    if (need === undefined || (onlySlices && !isSlice)) return undefined;
    if (isSlice && parent?.kind === 'call' && isLengthChecked(text, parent)) return undefined;
    return need;
  }
  return undefined;
}

/** Methods that turn a length into another type of number. */
const CONVERTS = /^(?:try_into|into|unwrap|expect|unwrap_or_default|clone)$/u;

/** A comparison of the length keeps an empty slice, and with it the null, away. */
function isLengthChecked(text: string, call: ExprOf<'call'>): boolean {
  const length = call.args[1]?.value;
  let at = length;
  while (at?.kind === 'cast' || (at?.kind === 'method' && CONVERTS.test(at.method)))
    at = at.kind === 'cast' ? at.value : at.receiver;
  const name = at?.kind === 'name' ? at.path.at(-1) : undefined;
  return (
    name !== undefined &&
    new RegExp(`\\b${name}\\b\\s*(?:as\\s+\\w+\\s*)?(?:[=!]=|[<>])|\\b${name}\\s*\\.\\s*(?:cmp|checked_)`, 'u').test(
      text,
    )
  );
}

/** The variables whose addresses a call is given: `&mut data`, `&mut data as *mut _`, `addr_of_mut!(data)`. */
function outPointers(call: ExprOf<'call'>): readonly string[] {
  return call.args.flatMap(({ value }) => {
    let at = value;
    while (at.kind === 'cast') at = at.value;
    if (at.kind !== 'address' || !at.mutable || at.base.kind !== 'name') return [];
    const [name] = at.base.path;
    return name === undefined ? [] : [name];
  });
}

/** Somewhere in the function the variable is compared with null, or given to what does so. */
function isChecked(text: string, variable: string): boolean {
  const name = variable.replaceAll('$', '\\$');
  return new RegExp(
    `\\b${name}\\b\\s*(?:\\.\\s*(?:cast(?:::<[^>]*>)?\\(\\)\\s*\\.\\s*)?(?:is_null|as_ref|as_mut|is_some|is_none)\\b|[=!]=|as\\s+usize)|[=!]=\\s*${name}\\b|NonNull::new\\(\\s*${name}\\b|\\bmatch\\s+${name}\\b|\\b\\w*(?:check|null|ensure|expect|verify)\\w*!?\\s*\\([^()]*\\b${name}\\b`,
    'iu',
  ).test(text);
}
