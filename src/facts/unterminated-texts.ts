import {
  aggregateOf,
  calledName,
  declaredIn,
  declaredTypeOf,
  initOf,
  isEnd,
  memberPath,
  onlyInitOf,
  uncast,
  walkDeep,
  withCallersOf,
} from './d-code.js';
import { shownByPointer, sliceOfPointer } from './slices.js';
import type { UnitFacts } from './unit.js';
import { walkBody } from '../model/walk-body.js';
import type { Expr, FileIr, FunctionIr, Param, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';

/** A text that need not have a terminator, and the call that looks for one in it. */
export interface Unterminated {
  /** The array's name; of a text what it is: `the parameter 'name'`. */
  readonly slice: string;
  readonly call: string;
  readonly span: Span;
}

/** Functions of C that read texts up to their terminator, with the places of the texts. */
const READS_TEXT: ReadonlyMap<string, readonly number[]> = new Map([
  ...(
    'fopen puts strlen atoi atol atof strtol strtoul strtod getenv system unlink mkdir rmdir opendir stat lstat access ' +
    'chdir dlopen strdup perror printf open'
  )
    .split(' ')
    .map((name): [string, number[]] => [name, [0]]),
  ['strcmp', [0, 1]],
  ['strcpy', [1]],
  ['strcat', [1]],
  ['rename', [0, 1]],
  // Libraries whose bindings are packages of their own, or pointers that are looked up when they are loaded.
  ...(
    'SDL_CreateWindow SDL_LoadBMP SDL_RWFromFile SDL_SetHint SDL_SetClipboardText IMG_Load Mix_LoadWAV Mix_LoadMUS TTF_OpenFont ' +
    'sqlite3_open sqlite3_open_v2 alcOpenDevice PQconnectdb FreeImage_GetFileType glfwGetProcAddress LoadLibraryA'
  )
    .split(' ')
    .map((name): [string, number[]] => [name, [0]]),
  ...(
    'SDL_SetWindowTitle SDL_SaveBMP IMG_LoadTexture IMG_SavePNG TTF_RenderText_Solid TTF_RenderText_Shaded TTF_RenderText_Blended ' +
    'TTF_RenderUTF8_Solid TTF_RenderUTF8_Shaded TTF_RenderUTF8_Blended TTF_SizeText TTF_SizeUTF8 glfwSetWindowTitle ' +
    'glfwSetClipboardString glGetUniformLocation glGetAttribLocation glGetUniformBlockIndex lua_getglobal lua_setglobal lua_pushstring ' +
    'luaL_loadfile luaL_loadstring luaL_dostring luaL_newmetatable sqlite3_exec PQexec mysql_query FT_New_Face FreeImage_Load dlsym ' +
    'GetProcAddress'
  )
    .split(' ')
    .map((name): [string, number[]] => [name, [1]]),
  ...'glBindAttribLocation glBindFragDataLocation glfwCreateWindow lua_getfield lua_setfield luaL_checkudata FreeImage_Save'
    .split(' ')
    .map((name): [string, number[]] => [name, [2]]),
]);

/**
 * A text without a terminator that is given to a function which looks for one: `fopen(path[0 .. n].ptr, "r")`, `puts((a ~ b).ptr)`. Who
 * writes a terminator in the function has thought of it. `around` is the function's text with its comment.
 */
export function findUnterminated(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  around: string,
): readonly Unterminated[] {
  const found: Unterminated[] = [];
  walkDeep(file, fn, ({ expr }, inside) => {
    if (expr.kind !== 'call') return;
    const call = calledName(expr) ?? '';
    const upToTheirEnd = textsUpToTheirEnd(unit, file, call, expr.args);
    const places = [
      ...(READS_TEXT.get(call) ?? foreignTexts(unit, file, call)),
      ...textsOfFormat(call, expr.args),
      ...upToTheirEnd,
    ];
    // A function of the package that only has the name.
    if (places.length === 0 || file.functions.some((own) => own.name === call && own.bodySpan !== undefined)) return;
    for (const at of places) {
      const given = expr.args[at]?.value;
      const shown = given === undefined ? undefined : shownByPointer(onlyInitOf(inside, given) ?? given);
      const text = shown === undefined ? undefined : memberPath(shown);
      // Who is told the length of this very text needs no terminator.
      if (text !== undefined && !READS_TEXT.has(call) && isToldLength(expr.args, text)) continue;
      if (shown === undefined) continue;
      const base = onlyInitOf(inside, shown) ?? shown;
      const known = memberPath(shown);
      if (known !== undefined && isPart(inside, known))
        found.push({ slice: `the part '${known}' of a text`, call, span: expr.span });
      else if (known !== undefined && isPlainText(file, inside, known) && !isEndedAnywhere(unit, file))
        found.push({ slice: `the field '${known}'`, call, span: expr.span });
      const param = inside.params.find(({ name }) => name === known);
      if (
        param !== undefined &&
        isReadOnlyText(param.type) &&
        !/z$|cstr/iu.test(param.name) &&
        !isPlaceInSource(unit, file, param) &&
        isForAnybody(unit, file, inside, around)
      )
        found.push({ slice: `the parameter '${param.name}'`, call, span: expr.span });
      if (base.kind === 'call' || base.kind === 'method') {
        const maker = calledName(base) ?? '';
        if (MAKES_TEXT.test(maker)) found.push({ slice: `what '${maker}' makes`, call, span: expr.span });
      }
      if (base.kind === 'binary' && base.operator === '~') {
        const last = base.right;
        // A constant of the module may be the terminator.
        const constant = memberPath(last);
        const isKnown =
          last.kind === 'literal' ||
          (constant !== undefined && unit.oracle('d').global(constant, file.path) !== undefined) ||
          isMadeByCompiler(inside, base);
        if (!isKnown) found.push({ slice: 'what is joined here', call, span: expr.span });
      }
      if (base.kind !== 'slice' || base.to === undefined || isEnd(base.to)) continue;
      const name = memberPath(base.base);
      const type =
        name === undefined ? undefined : (declaredTypeOf(file, inside, name) ?? declaredTypeOf(file, fn, name));
      // What is told no length need be no text, either.
      if (name !== undefined && type?.kind === 'slice' && (type.element?.name === 'char' || !upToTheirEnd.includes(at)))
        found.push({ slice: `the slice of '${name}'`, call, span: expr.span });
    }
  });
  return found;
}

/** Whether the length of the text is among what is given beside it: `title(name.length, name.ptr)`. */
function isToldLength(args: readonly { readonly value: Expr }[], text: string): boolean {
  return args.some(({ value }) => {
    const given = uncast(value);
    return given.kind === 'field' && given.name === 'length' && memberPath(given.base) === text;
  });
}

/** `SQLExecDirect(statement, sql.ptr, SQL_NTS)`, `sqlite3_prepare_v2(db, sql.ptr, -1, ..)`: a text whose length is to be found by its terminator. */
function textsUpToTheirEnd(
  unit: UnitFacts,
  file: FileIr,
  call: string,
  args: readonly { readonly value: Expr }[],
): readonly number[] {
  return args.flatMap(({ value }, at) => {
    const length = uncast(value);
    if (length.kind === 'name' && length.path.at(-1) === 'SQL_NTS') return at > 0 ? [at - 1] : [];
    const isNone =
      length.kind === 'unary' &&
      length.operator === '-' &&
      length.operand.kind === 'literal' &&
      length.operand.text === '1';
    return isNone && at > 0 && isLengthOfText(unit, file, call, at) ? [at - 1] : [];
  });
}

/** Functions that look for the terminator where the length behind a text is -1. */
const FINDS_LENGTH =
  /^(?:sqlite3_(?:prepare(?:16)?(?:_v[23])?|bind_text|result_text)|MultiByteToWideChar|g_utf8_\w+|g_string_\w+|gtk_text_buffer_\w+|pango_layout_set_(?:text|markup))$/u;

/** Whether the number at a place is the length of the text in front of it: -1 is no time limit, flag or position. */
function isLengthOfText(unit: UnitFacts, file: FileIr, call: string, at: number): boolean {
  if (FINDS_LENGTH.test(call)) return true;
  const [declared, ...others] = call === '' ? [] : unit.functionsNamed(call, 'd', file.path);
  if (declared === undefined || others.length > 0 || declared.item.bodySpan !== undefined) return false;
  const { params } = declared.item;
  const type = params[at - 1]?.type;
  return (
    type?.kind === 'pointer' &&
    type.element?.name === 'char' &&
    /\b(?:const|immutable)\b/u.test(type.text) &&
    /^n$|len|size|count|bytes|^cch/iu.test(params[at]?.name ?? '')
  );
}

/** Whether the file writes or speaks of a terminator: a field may be given one by any method. */
function isEndedAnywhere(unit: UnitFacts, file: FileIr): boolean {
  return /\\0|\\x00|toStringz|sentinel|terminat|~=\s*0\b|\]\s*=\s*0\b/iu.test(unit.textOf(file.path) ?? '');
}

/** Where a function of C that the unit declares takes texts: characters that it does not write, with no number behind that may be their length. */
function foreignTexts(unit: UnitFacts, file: FileIr, call: string): readonly number[] {
  const [declared, ...others] = call === '' ? [] : unit.functionsNamed(call, 'd', file.path);
  if (declared === undefined || others.length > 0) return [];
  const { abi, bodySpan, params } = declared.item;
  if (abi === undefined || abi === 'D' || bodySpan !== undefined) return [];
  return params.flatMap(({ type }, at) => {
    const element = type?.kind === 'pointer' ? type.element : undefined;
    const isConstant = /\b(?:const|immutable)\b/u.test(type?.text ?? '');
    const isCounted = params
      .slice(at + 1)
      .some(({ type: next }) =>
        /^(?:u?int|u?long|size_t|ptrdiff_t|c_u?long|u?short|g?size|gint)$/u.test(next?.name ?? ''),
      );
    return element?.name === 'char' && isConstant && !isCounted ? [at] : [];
  });
}

/** Functions that make a text and no terminator. */
const MAKES_TEXT = /^(?:format|text|join|replace|idup|dup|toUpper|toLower|buildPath|buildNormalizedPath|readText|to)$/u;

/** Where a function that prints is given texts: `printf("%s", name.ptr)`; not with `%.*s`. */
function textsOfFormat(call: string, args: readonly { readonly value: Expr }[]): readonly number[] {
  const at = call === 'printf' ? 0 : call === 'fprintf' || call === 'sprintf' ? 1 : call === 'snprintf' ? 2 : -1;
  const format = args[at]?.value;
  if (at < 0 || format?.kind !== 'literal') return [];
  const holes = [
    ...format.text.matchAll(/%[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh?|ll?|[jztL])?([a-zA-Z%])/gu),
  ].filter(([hole]) => hole !== '%%');
  if (holes.some(([hole]) => hole.includes('*'))) return [];
  return holes.flatMap(([hole], i) => (hole.endsWith('s') && !hole.includes('.') ? [at + 1 + i] : []));
}

/** Characters that nobody may write here. */
export function isReadOnlyText(type: TypeRef | undefined): boolean {
  if (type?.kind !== 'slice' || type.element?.name !== 'char') return false;
  // What may be written is a buffer, which a function of C may have filled.
  return [...(type.qualifiers ?? []), ...(type.element.qualifiers ?? [])].some((one) =>
    /^(?:const|immutable|inout)$/u.test(one),
  );
}

/** Whether the function is one that others call, too: not a private one, nor one that its file only gives literals. */
function isForAnybody(unit: UnitFacts, file: FileIr, fn: FunctionIr, text: string): boolean {
  // A text that is looked at up to its end before may have been told to have one.
  if (fn.parent !== undefined || !fn.isPublic) return false;
  if (/\[\s*\$\s*-\s*1\s*\]\s*==|\bzero|terminat/iu.test(text)) return false;
  // Everybody here gives it a literal or a constant; what else they do may be of no interest.
  let calls = 0;
  let constant = 0;
  for (const caller of withCallersOf(unit, file, [], [fn.name]))
    walkDeep(caller.file, caller.fn, ({ expr }, inside) => {
      if ((expr.kind !== 'call' && expr.kind !== 'method') || calledName(expr) !== fn.name) return;
      if (inside.nameSpan.start === fn.nameSpan.start) return;
      calls++;
      if (expr.args.some(({ value }) => isConstantText(value))) constant++;
    });
  return calls === 0 || constant < calls;
}

/** A literal, or a constant by its spelling: `CLAP_EXT_PARAMS`. */
function isConstantText(value: Expr): boolean {
  if (value.kind === 'name') return /^[A-Z][A-Z0-9_]+$/u.test(value.path.at(-1) ?? '');
  return value.kind === 'literal' && value.type === 'string';
}

/** A parameter that is where the call stands unless something else is given: `string file = __FILE__`. Such texts have a terminator. */
function isPlaceInSource(unit: UnitFacts, file: FileIr, { hasDefault, span }: Param): boolean {
  const after = hasDefault === true ? (unit.textOf(file.path) ?? '').slice(span.end, span.end + 40) : '';
  return /^\s*=\s*__(?:FILE|FILE_FULL_PATH|FUNCTION|PRETTY_FUNCTION|MODULE|DATE|TIME|TIMESTAMP)__\b/u.test(after);
}

/** The initial value of a static variable of the function, which the compiler computes. */
function isMadeByCompiler(fn: FunctionIr, value: Expr): boolean {
  let isStatic = false;
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr, statement }) => {
      if (expr === value && statement?.kind === 'let' && statement.init === expr)
        isStatic = statement.isStatic === true;
    });
  return isStatic;
}

/** What goes through a text part by part; its variable shows a part of it. */
const PARTS = /^(?:split|splitter|splitLines|lineSplitter|byLine|chunks|tokens|tokenize|matchAll)$/u;

/** Whether a name is the variable of a loop over the parts of a text, or a local that was set to a part. */
function isPart(fn: FunctionIr, name: string): boolean {
  let is = false;
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr }) => {
      if (expr.kind !== 'loop' || expr.form !== 'foreach' || expr.iterable === undefined) return;
      const last = expr.bindings?.at(-1)?.pattern;
      const { iterable } = expr;
      const over = iterable.kind === 'field' ? iterable.name : calledName(iterable);
      is ||= last?.kind === 'bind' && last.name === name && PARTS.test(over ?? '');
    });
  return is;
}

/** Whether a field or local is an array of characters that is not immutable text, of which nothing says that it is terminated. */
function isPlainText(file: FileIr, fn: FunctionIr, name: string): boolean {
  const own = aggregateOf(file, fn)?.fields.some((field) => field.name === name && !field.isStatic) === true;
  const type = declaredTypeOf(file, fn, name);
  if (!own || declaredIn(fn).has(name) || type?.kind !== 'slice') return false;
  return type.element?.name === 'char';
}

/** Functions that fill a buffer as far as it goes and write no terminator then, with the places of the buffer and of its size. */
const FILLS: ReadonlyMap<string, readonly [buffer: number, size: number]> = new Map([
  ['read', [1, 2]],
  ['pread', [1, 2]],
  ['recv', [1, 2]],
  ['recvfrom', [1, 2]],
  ['readlink', [1, 2]],
  ['strncpy', [0, 2]],
  ['fread', [0, 2]],
]);

/** `recv(fd, buf.ptr, buf.length, 0); .. strlen(buf.ptr)`: what fills the buffer leaves no room for a terminator. */
export function findFilled(file: FileIr, fn: FunctionIr): readonly (Unterminated & { readonly filled: Span })[] {
  const fills: { slice: string; call: string; span: Span }[] = [];
  const found: (Unterminated & { filled: Span })[] = [];
  const writes: { slice: string; at: number }[] = [];
  walkDeep(file, fn, ({ expr, around }, inside) => {
    if (expr.kind === 'assign') {
      const { target } = expr;
      const slice = target.kind === 'index' || target.kind === 'slice' ? memberPath(target.base) : undefined;
      if (slice !== undefined) writes.push({ slice, at: expr.span.start });
    }
    const name = calledName(expr) ?? '';
    if (expr.kind === 'call' && FILLS.has(name)) {
      const [at, sizeAt] = FILLS.get(name) ?? [0, 0];
      const buffer = expr.args[at]?.value;
      const size = expr.args[sizeAt]?.value;
      const slice = buffer === undefined ? undefined : sliceOfPointer(buffer);
      const whole = size === undefined ? undefined : uncast(onlyInitOf(inside, size) ?? size);
      const isWhole =
        whole?.kind === 'field' && /^(?:length|sizeof)$/u.test(whole.name) && memberPath(whole.base) === slice;
      // A file's own buffer of one type is its text; a number in front of it is not.
      if (slice !== undefined && isWhole && isOwnBuffer(file, inside, slice))
        fills.push({ slice, call: name, span: expr.span });
      return;
    }
    if (expr.kind !== 'call' && expr.kind !== 'method') return;
    // A length that the call is given stops it.
    if (/^str(?:len|dup)$/u.test(name) && expr.kind === 'call' && expr.args.length > 1) return;
    const given = [...(expr.kind === 'method' ? [expr.receiver] : []), ...expr.args.map(({ value }) => value)];
    const shown = (/^(?:fromStringz|to)$/u.test(name) ? [0] : (READS_TEXT.get(name) ?? [])).flatMap(
      (at) => given[at] ?? [],
    );
    const fill = fills.find(
      (one) => one.span.end < expr.span.start && shown.some((pointer) => sliceOfPointer(pointer) === one.slice),
    );
    if (fill === undefined) return;
    const { slice } = fill;
    if (around.some((o) => o.kind === 'assign' && o.target.kind === 'index' && memberPath(o.target.base) === slice))
      return;
    if (writes.some((one) => one.slice === slice && one.at > fill.span.start)) return;
    found.push({ slice, call: fill.call, filled: fill.span, span: expr.span });
  });
  return found;
}

/** A variable of the function, or a field of its type, that is an array. */
function isOwnBuffer(file: FileIr, fn: FunctionIr, name: string): boolean {
  const type = declaredTypeOf(file, fn, name);
  if (type?.kind === 'static-array' || type?.kind === 'slice') return true;
  const init = initOf(fn, name);
  return init?.kind === 'new' && declaredIn(fn).has(name);
}
