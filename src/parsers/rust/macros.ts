import type { Arm, Attribute, Expr, ExprOf, Pattern } from '../../model/ir.js';
import type { Span } from '../../model/source.js';
import { childByField, firstOfKind, type SyntaxNode } from '../syntax.js';
import type { Lowering, Scope } from './context.js';
import { lowerAttribute } from './lower-attributes.js';
import { lowerArm, lowerBlock, lowerExpr } from './lower-expr.js';
import { isItem, lowerGlobal, lowerItems } from './lower-items.js';
import { lowerPattern } from './lower-patterns.js';
import { isComment, partsOf, spanOf } from './nodes.js';
import { outline } from './outline.js';
import { endOfBrackets, findTopLevel, skipLexeme, splitByCommas } from './tokens.js';

/** The tokens of a macro are text to the grammar; here they are parsed again as what the macro takes. */

/** Macros that take a format string at the given position; everything after it is arguments. */
const FORMAT_POSITION: Readonly<Record<string, number>> = {
  format: 0,
  print: 0,
  println: 0,
  eprint: 0,
  eprintln: 0,
  panic: 0,
  unreachable: 0,
  todo: 0,
  unimplemented: 0,
  format_args: 0,
  anyhow: 0,
  bail: 0,
  eyre: 0,
  format_err: 0,
  napi_error: 0,
  write: 1,
  writeln: 1,
  assert: 1,
  debug_assert: 1,
  ensure: 1,
  assert_eq: 2,
  assert_ne: 2,
  debug_assert_eq: 2,
  debug_assert_ne: 2,
  format_compact: 0,
  format_smolstr: 0,
};

/** Logging macros: fields (`name = value`, `%value`, `?value`, `target: ".."`) around a format string anywhere. */
const LOGGING = new Set([
  'trace',
  'debug',
  'info',
  'warn',
  'error',
  'log',
  'event',
  'span',
  'trace_span',
  'debug_span',
  'info_span',
  'warn_span',
  'error_span',
]);

/** Macros whose tokens are data to another compiler, or a string: nothing in them runs here. */
const NO_CODE = new Set([
  'stringify',
  'concat',
  'include',
  'include_str',
  'include_bytes',
  'env',
  'option_env',
  'cfg',
  'line',
  'column',
  'file',
  'module_path',
  'macro_rules',
  'quote',
  'quote_spanned',
  'parse_quote',
  'parse_quote_spanned',
  'compile_error',
  'asm',
  'global_asm',
  'naked_asm',
  'offset_of',
  'b64',
  'sql',
  'regex',
]);

/** Macros that declare items also inside a function. */
const DECLARING = new Set(['thread_local', 'lazy_static']);

/** What makes the code of a macro worth reading, or telling about when it can't be read. */
export const MAY_BE_HAZARD =
  /\bunsafe\b|as_ptr|as_mut_ptr|from_raw|into_raw|transmute|global_allocator|addr_of|static\s+mut\b|mem::forget|dealloc/;

interface Call {
  readonly name: string;
  readonly node: SyntaxNode;
  /** The tokens between the brackets. */
  readonly inner: Span;
  readonly bracket: string;
}

function readCall(cx: Lowering, node: SyntaxNode): Call | undefined {
  const macro = childByField(node, 'macro');
  const tokens = firstOfKind(node, 'token_tree');
  if (!macro || !tokens) return undefined;
  const path = cx.textOf(macro).replace(/\s+/g, '');
  return {
    name: path.slice(path.lastIndexOf(':') + 1).replace(/^r#/, ''),
    node,
    inner: { start: tokens.start + 1, end: Math.max(tokens.start + 1, tokens.end - 1) },
    bracket: cx.text[tokens.start] ?? '(',
  };
}

function macroExpr(call: Call, args: readonly Expr[], opaque = false): ExprOf<'macro'> {
  return { kind: 'macro', span: spanOf(call.node), name: call.name, args, opaque };
}

// --- pieces ----------------------------------------------------------------------------------------------------------

/** Expressions separated by commas; undefined when the piece is something else. */
function parseArguments(cx: Lowering, piece: Span, edit?: (text: string) => string): SyntaxNode[] | undefined {
  const root = cx.parsePiece('m(', piece, ');', edit);
  const statement = root?.children.find((child) => child.named && !isComment(child));
  const call = statement?.children[0];
  const list = call ? childByField(call, 'arguments') : undefined;
  // `m()m()` parses too, as two calls: what was asked for is one list over the whole piece.
  if (
    call?.kind !== 'call_expression' ||
    !list ||
    list.end < piece.end ||
    childByField(call, 'function')?.kind !== 'identifier'
  )
    return undefined;
  return partsOf(list).filter((part) => part.kind !== 'attribute_item');
}

function parseStatements(cx: Lowering, piece: Span): SyntaxNode | undefined {
  const root = cx.parsePiece('{', piece, '}');
  const statement = root?.children.find((child) => child.named && !isComment(child));
  const block = statement?.kind === 'expression_statement' ? statement.children[0] : statement;
  return block?.kind === 'block' && block.end > piece.end ? block : undefined;
}

/** The statements of a piece as a block with the span of the piece. */
function lowerPieceBlock(cx: Lowering, node: SyntaxNode, piece: Span, scope: Scope): Expr {
  return { kind: 'block', span: piece, block: { ...lowerBlock(cx, node, scope), span: piece }, flavour: 'plain' };
}

function lowerPieceAsExpr(cx: Lowering, piece: Span, scope: Scope): Expr | undefined {
  const nodes = parseArguments(cx, piece);
  return nodes?.length === 1 && nodes[0] ? lowerExpr(cx, nodes[0], scope) : undefined;
}

// --- format strings --------------------------------------------------------------------------------------------------

/** Names that a format string captures (`{name}`, `{name:?}`, `{:width$}`, `{:.precision$}`), with where they stand. */
function findCaptures(text: string, start: number): { name: string; span: Span }[] {
  const captures: { name: string; span: Span }[] = [];
  const isRaw = /^r/.test(text);
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '\\' && !isRaw) {
      // `\u{1f600}` holds braces that are no placeholder.
      const close = text.startsWith('\\u{', i) ? text.indexOf('}', i) : i + 1;
      i = close === -1 ? text.length : close;
    } else if (char === '{' && text[i + 1] === '{') i++;
    else if (char === '{') {
      const close = text.indexOf('}', i);
      if (close === -1) break;
      const hole = text.slice(i + 1, close);
      const colon = hole.indexOf(':');
      const head = colon === -1 ? hole : hole.slice(0, colon);
      const add = (name: string, offset: number): void => {
        if (/^[\p{L}_][\p{L}\p{N}_]*$/u.test(name) && name !== '_') {
          const at = start + i + 1 + offset;
          captures.push({ name, span: { start: at, end: at + name.length } });
        }
      };
      add(head.trim(), head.length - head.trimStart().length);
      if (colon !== -1) {
        for (const match of hole.slice(colon).matchAll(/([\p{L}_][\p{L}\p{N}_]*)\$/gu))
          add(match[1] ?? '', colon + match.index);
      }
      i = close;
    }
  }
  return captures;
}

/** Arguments of a formatting macro: `name = value` counts as its value, captured names are added as uses. */
function lowerFormatted(
  cx: Lowering,
  nodes: readonly SyntaxNode[],
  position: number | undefined,
  scope: Scope,
): Expr[] {
  const args: Expr[] = [];
  const given = new Set<string>();
  const literals: SyntaxNode[] = [];
  nodes.forEach((node, i) => {
    const left = node.kind === 'assignment_expression' ? childByField(node, 'left') : undefined;
    const right = node.kind === 'assignment_expression' ? childByField(node, 'right') : undefined;
    if (left && right && i > (position ?? -1)) {
      given.add(cx.textOf(left));
      args.push(lowerExpr(cx, right, scope));
      return;
    }
    if (
      (node.kind === 'string_literal' || node.kind === 'raw_string_literal') &&
      (position === undefined || i === position)
    )
      literals.push(node);
    args.push(lowerExpr(cx, node, scope));
  });
  for (const literal of literals) {
    for (const { name, span } of findCaptures(cx.textOf(literal), literal.start)) {
      if (!given.has(name)) args.push({ kind: 'name', span, path: [name] });
    }
  }
  return args;
}

/** Blanks what the fields of a logging macro add to an expression; the length stays. */
function plainFields(text: string): string {
  let result = text;
  for (const piece of splitByCommas(text, 0, text.length)) {
    const part = text.slice(piece.start, piece.end);
    const head =
      /^\s*(?:(?:target|parent|name|logger)\s*:(?!:)\s*|(?:r#)?[\w.]+\s*=(?!=)\s*|"[^"]*"\s*=(?!=)\s*)?(?:[%?]\s*)?/.exec(
        part,
      )?.[0] ?? '';
    if (head.trim() !== '')
      result = result.slice(0, piece.start) + head.replace(/\S/g, ' ') + result.slice(piece.start + head.length);
  }
  // `info!(target: "x"; ..)` and log's key-value section end with a semicolon.
  const semicolon = findTopLevel(result, 0, result.length, ';', () => true);
  return semicolon === -1 ? result : `${result.slice(0, semicolon)},${result.slice(semicolon + 1)}`;
}

// --- macros with a shape of their own --------------------------------------------------------------------------------

/** `matches!(value, pattern if guard)` is a match whose arm gives a Boolean. */
function lowerMatches(cx: Lowering, call: Call, scope: Scope): Expr | undefined {
  const [value, pattern] = splitByCommas(cx.source, call.inner.start, call.inner.end);
  if (!value || !pattern) return undefined;
  const comma = value.end - call.inner.start;
  const trailing = cx.source.slice(pattern.start, call.inner.end).trimEnd().endsWith(',')
    ? cx.source.lastIndexOf(',', call.inner.end) - call.inner.start
    : -1;
  const root = cx.parsePiece('match ', call.inner, '=>(),};', (text) => {
    const opened = `${text.slice(0, comma)}{${text.slice(comma + 1)}`;
    return trailing > comma ? `${opened.slice(0, trailing)} ${opened.slice(trailing + 1)}` : opened;
  });
  const match = root?.children[0]?.children[0] ?? root?.children[0];
  if (match?.kind !== 'match_expression') return undefined;
  const scrutinee = childByField(match, 'value');
  const body = childByField(match, 'body');
  const armNode = body ? firstOfKind(body, 'match_arm') : undefined;
  if (!scrutinee || !armNode) return undefined;
  const lowered = lowerExpr(cx, scrutinee, scope);
  const arm = lowerArm(cx, armNode, scope);
  if (!arm) return undefined;
  const end = arm.guard?.span.end ?? arm.pattern.span.end;
  const answer: Expr = { kind: 'literal', span: { start: end, end }, type: 'bool', text: 'true' };
  const bounded: Arm = { ...arm, span: { start: arm.span.start, end }, body: answer };
  return { kind: 'match', span: spanOf(call.node), scrutinee: lowered, arms: [bounded] };
}

interface Branch {
  readonly pattern?: Span;
  readonly future?: Span;
  readonly guard?: Span;
  readonly handler: Span;
}

/** Branches of `select!`: `pattern = future, if guard => handler`, `else => handler`. Undefined when it is another syntax. */
function splitBranches(text: string, inner: Span): Branch[] | undefined {
  const branches: Branch[] = [];
  const prelude = /^\s*biased\s*;/.exec(text.slice(inner.start, inner.end));
  let at = inner.start + (prelude?.[0].length ?? 0);
  while (at < inner.end && text.slice(at, inner.end).trim() !== '') {
    const arrow = findTopLevel(text, at, inner.end, '=', (i) => text[i + 1] === '>');
    if (arrow === -1) return undefined;
    const handlerStart = arrow + 2 + (/^\s*/.exec(text.slice(arrow + 2, inner.end))?.[0].length ?? 0);
    let handlerEnd: number;
    let next: number;
    if (text[handlerStart] === '{') {
      handlerEnd = endOfBrackets(text, handlerStart, inner.end);
      next = handlerEnd + (/^\s*,/.exec(text.slice(handlerEnd, inner.end))?.[0].length ?? 0);
    } else {
      const comma = findTopLevel(text, handlerStart, inner.end, ',', () => true);
      handlerEnd = comma === -1 ? inner.end : comma;
      next = comma === -1 ? inner.end : comma + 1;
    }
    const handler = { start: handlerStart, end: handlerEnd };
    const head = text.slice(at, arrow).trim();
    if (head === 'else' || head === 'complete' || head === 'default') branches.push({ handler });
    else {
      const equals = findTopLevel(
        text,
        at,
        arrow,
        '=',
        (i) => text[i + 1] !== '=' && !'=!<>.'.includes(text[i - 1] ?? ' '),
      );
      if (equals === -1) return undefined;
      const comma = findTopLevel(text, equals + 1, arrow, ',', (i) => /^,\s*if\b/.test(text.slice(i, arrow)));
      const guard = comma === -1 ? undefined : { start: text.indexOf('if', comma) + 2, end: arrow };
      branches.push({
        pattern: { start: at, end: equals },
        future: { start: equals + 1, end: comma === -1 ? arrow : comma },
        handler,
        ...(guard ? { guard } : {}),
      });
    }
    at = next;
  }
  return branches;
}

function lowerPatternPiece(cx: Lowering, piece: Span): Pattern | undefined {
  const root = cx.parsePiece('let ', piece, '=x;');
  const node = root?.children[0];
  const pattern = node?.kind === 'let_declaration' ? childByField(node, 'pattern') : undefined;
  if (!node || !pattern) return undefined;
  return lowerPattern(cx, pattern, { mutable: firstOfKind(node, 'mutable_specifier') !== undefined });
}

/** All futures are made, one of them is awaited, and one handler runs: a match on an awaited tuple. */
function lowerSelect(cx: Lowering, call: Call, scope: Scope): Expr | undefined {
  const branches = splitBranches(cx.source, call.inner);
  if (!branches || branches.length === 0) return undefined;
  const futures: Expr[] = [];
  const arms: Arm[] = [];
  for (const branch of branches) {
    const future = branch.future ? lowerPieceAsExpr(cx, branch.future, scope) : undefined;
    const pattern = branch.pattern ? lowerPatternPiece(cx, branch.pattern) : undefined;
    const guard = branch.guard ? lowerPieceAsExpr(cx, branch.guard, scope) : undefined;
    const body = lowerPieceAsExpr(cx, branch.handler, scope);
    if (!body || (branch.future && !future) || (branch.pattern && !pattern) || (branch.guard && !guard))
      return undefined;
    if (future) futures.push(future);
    const at = branch.pattern?.start ?? body.span.start;
    const lowered: Pattern = pattern ?? { kind: 'wildcard', span: { start: at, end: at } };
    arms.push({
      span: { start: lowered.span.start, end: body.span.end },
      pattern: lowered,
      ...(guard ? { guard } : {}),
      body,
    });
  }
  return { kind: 'match', span: spanOf(call.node), scrutinee: awaited(call.inner, futures), arms };
}

function awaited(span: Span, items: readonly Expr[]): Expr {
  return { kind: 'await', span, value: { kind: 'tuple', span, items } };
}

// --- expressions -----------------------------------------------------------------------------------------------------

function lowerKnown(cx: Lowering, call: Call, scope: Scope): Expr | undefined {
  const { name, inner } = call;
  const position = FORMAT_POSITION[name];
  if (position !== undefined) {
    const nodes = parseArguments(cx, inner);
    return nodes && macroExpr(call, lowerFormatted(cx, nodes, position, scope));
  }
  if (LOGGING.has(name)) {
    const nodes = parseArguments(cx, inner, plainFields);
    return nodes && macroExpr(call, lowerFormatted(cx, nodes, undefined, scope));
  }
  switch (name) {
    case 'vec': {
      const root = cx.parsePiece('[', inner, '];');
      const array = root?.children[0]?.children[0];
      if (array?.kind !== 'array_expression' || array.end < inner.end) return undefined;
      const lowered = lowerExpr(cx, array, scope);
      // `vec![x; n]` keeps the shape of its array; `vec![a, b]` has its elements as arguments.
      if (lowered.kind !== 'array' || lowered.repeat) return macroExpr(call, [{ ...lowered, span: inner }]);
      return macroExpr(call, lowered.items);
    }
    case 'addr_of':
    case 'addr_of_mut': {
      const base = lowerPieceAsExpr(cx, inner, scope);
      return base && { kind: 'address', span: spanOf(call.node), base, mutable: name === 'addr_of_mut', raw: true };
    }
    case 'matches':
    case 'assert_matches':
    case 'debug_assert_matches':
      return lowerMatches(cx, call, scope);
    case 'try': {
      const value = lowerPieceAsExpr(cx, inner, scope);
      return value && { kind: 'try', span: spanOf(call.node), value };
    }
    case 'cfg_if':
    case 'cfg_select':
      return lowerCfgIfExpr(cx, call, scope);
    case 'select':
    case 'select_biased':
      return lowerSelect(cx, call, scope);
    case 'join':
    case 'try_join': {
      const nodes = parseArguments(cx, inner, (text) => text.replace(/^(\s*)biased(\s*);/, '$1      $2 '));
      return (
        nodes &&
        awaited(
          spanOf(call.node),
          nodes.map((node) => lowerExpr(cx, node, scope)),
        )
      );
    }
    default:
      return undefined;
  }
}

/** A macro where an expression or a statement may stand. */
export function lowerMacro(cx: Lowering, node: SyntaxNode, scope: Scope): Expr {
  const call = readCall(cx, node);
  if (!call) return { kind: 'unknown', span: spanOf(node), syntax: 'macro_invocation', children: [] };
  if (NO_CODE.has(call.name)) return macroExpr(call, []);
  if (cx.source.slice(call.inner.start, call.inner.end).trim() === '') return macroExpr(call, []);
  if (DECLARING.has(call.name) && lowerMacroItems(cx, call, scope)) return macroExpr(call, []);
  cx.enterMacro(node);
  const expr = lowerKnown(cx, call, scope) ?? lowerGuessed(cx, call, scope) ?? opaqueMacro(cx, call);
  cx.leaveMacro();
  return expr;
}

/** A macro that nobody knows: its tokens may read as arguments or as statements. */
function lowerGuessed(cx: Lowering, call: Call, scope: Scope): Expr | undefined {
  if (call.bracket !== '{') {
    const nodes = parseArguments(cx, call.inner);
    if (nodes) return macroExpr(call, lowerFormatted(cx, nodes, undefined, scope));
  }
  const block = parseStatements(cx, call.inner);
  if (!block) return lowerArms(cx, call, scope);
  return macroExpr(call, [lowerPieceBlock(cx, block, call.inner, scope)]);
}

/** `name! { value, pattern => .., pattern => .. }` is taken for a match. */
function lowerArms(cx: Lowering, call: Call, scope: Scope): Expr | undefined {
  const { inner } = call;
  const comma = findTopLevel(cx.source, inner.start, inner.end, ',=', () => true);
  if (comma === -1 || cx.source[comma] !== ',') return undefined;
  const at = comma - inner.start;
  const root = cx.parsePiece('match ', inner, '}', (text) => `${text.slice(0, at)}{${text.slice(at + 1)}`);
  const match = root?.children[0]?.children[0];
  if (match?.kind !== 'match_expression') return undefined;
  const lowered = lowerExpr(cx, match, scope);
  // `value {` may not read as a struct, and the match must be the whole of it.
  return lowered.kind === 'match' && lowered.arms.length > 0
    ? macroExpr(call, [{ ...lowered, span: inner }])
    : undefined;
}

function opaqueMacro(cx: Lowering, call: Call): Expr {
  reportUnread(cx, call);
  const names = cx.textOf(call.inner).match(/(?<![\w.:])[a-z_]\w*(?![\w!(]|::)/gu) ?? [];
  return { ...macroExpr(call, [], true), names: [...new Set(names)] };
}

function reportUnread(cx: Lowering, call: Call): void {
  // A word in a comment or in a string is nothing that runs.
  const code = outline(cx.textOf(call.inner), undefined).view.replace(/"(?:[^"\\]|\\.)*"/g, '""');
  if (!MAY_BE_HAZARD.test(code)) return;
  cx.gap(
    'macro-body',
    call.node.start,
    (line) =>
      `The body of the macro '${call.name}!' at line ${line} could not be read as Rust code and was not checked.`,
  );
}

// --- items -----------------------------------------------------------------------------------------------------------

/** A macro where an item may stand. Its items are read when its tokens are items; otherwise it is listed. */
export function lowerItemMacro(cx: Lowering, node: SyntaxNode, scope: Scope): void {
  const call = readCall(cx, node);
  if (!call) return;
  if (NO_CODE.has(call.name) || lowerMacroItems(cx, call, scope)) return;
  cx.macros.push({ name: call.name, span: spanOf(node) });
  cx.markerCalls.push({ name: call.name, inner: call.inner, scope });
  reportUnread(cx, call);
}

function lowerMacroItems(cx: Lowering, call: Call, scope: Scope): boolean {
  if (call.name === 'cfg_if' || call.name === 'cfg_select') return lowerCfgIfItems(cx, call, scope);
  const kind = call.name === 'thread_local' ? 'thread-local' : 'static';
  const piece = call.inner;
  if (kind === 'thread-local' && !/;\s*$/.test(cx.source.slice(piece.start, piece.end))) {
    // The last declaration of `thread_local!` needs no semicolon.
    const root = cx.parsePiece('', piece, ';');
    return root !== undefined && lowerDeclarations(cx, root, scope, kind);
  }
  const root = cx.parsePiece('', piece, '');
  if (root !== undefined && lowerDeclarations(cx, root, scope, kind)) return true;
  // `api! { [lib_open, lib_close], pub fn open(..) { .. } }`: what the macro is told stands before the items.
  const told = TOLD.exec(cx.source.slice(piece.start, piece.end))?.[0];
  if (told === undefined || !MAY_BE_HAZARD.test(cx.source.slice(piece.start, piece.end))) return false;
  const rest = cx.parsePiece('', { start: piece.start + told.length, end: piece.end }, '');
  return rest !== undefined && lowerDeclarations(cx, rest, scope, kind);
}

/** Names, paths and lists of them, each with a comma or semicolon behind it, before something that begins an item. */
const TOLD =
  /^(?:\s*(?:\[[\w\s:,]*\]|\w+(?:::\w+)*)\s*[,;])+(?=\s*(?:\/\/|#\s*\[|(?:pub(?:\s*\([\w\s:]*\))?\s+)?(?:unsafe\s+|async\s+|const\s+)*(?:extern\s+"\w+"\s+)?fn\b))/u;

/** Whether a parsed macro body holds nothing but items, at least one. */
export function readsAsItems(root: SyntaxNode): boolean {
  const nodes = root.children.filter((child) => !isComment(child));
  const isDeclarations = nodes.every(
    (child) =>
      isItem(child) ||
      child.kind === 'attribute_item' ||
      child.kind === 'empty_statement' ||
      child.kind === 'macro_invocation',
  );
  return isDeclarations && nodes.some(isItem);
}

/** Lowers a parsed macro body when it holds nothing but items, at least one. */
function lowerDeclarations(cx: Lowering, root: SyntaxNode, scope: Scope, kind: 'thread-local' | 'static'): boolean {
  if (!readsAsItems(root)) return false;
  if (kind === 'static') {
    lowerItems(cx, root.children, scope);
    return true;
  }
  let from = 0;
  root.children.forEach((child, i) => {
    if (child.kind !== 'static_item') return;
    const attributes: Attribute[] = [];
    for (const before of root.children.slice(from, i))
      if (before.kind === 'attribute_item') lowerAttribute(cx, before, attributes);
    from = i + 1;
    cx.bounded(() => lowerGlobal(cx, child, scope, attributes, 'thread-local'));
  });
  return true;
}

/** `cfg_select! { a => { .. } b => .. _ => .. }` in the terms of `cfg_if!`. */
function splitCfgSelect(cx: Lowering, inner: Span): ConditionalBranch[] | undefined {
  const text = cx.source;
  const branches: ConditionalBranch[] = [];
  for (let at = inner.start; text.slice(at, inner.end).trim() !== '';) {
    const arrow = findTopLevel(text, at, inner.end, '=', (i) => text[i + 1] === '>');
    if (arrow === -1) return undefined;
    const written = cx.text.slice(at, arrow).replace(/\s+/g, ' ').trim();
    const own = written === '_' ? undefined : { text: written, span: { start: at, end: arrow } };
    const negated = branches.flatMap((branch) => (branch.own ? [`not(${branch.own.text})`] : []));
    const start = arrow + 2 + (/^\s*/.exec(text.slice(arrow + 2, inner.end))?.[0].length ?? 0);
    let body: Span;
    if (text[start] === '{') {
      const close = endOfBrackets(text, start, inner.end);
      body = { start: start + 1, end: close - 1 };
      at = close + (/^\s*,/.exec(text.slice(close, inner.end))?.[0].length ?? 0);
    } else {
      const comma = findTopLevel(text, start, inner.end, ',', () => true);
      body = { start, end: comma === -1 ? inner.end : comma };
      at = comma === -1 ? inner.end : comma + 1;
    }
    branches.push({ ...(own ? { own } : {}), conditions: own ? [...negated, own.text] : negated, body });
  }
  return branches.length > 0 ? branches : undefined;
}

function splitConditional(cx: Lowering, call: Call): ConditionalBranch[] | undefined {
  return call.name === 'cfg_select' ? splitCfgSelect(cx, call.inner) : splitCfgIf(cx, call.inner);
}

interface ConditionalBranch {
  /** When it holds by itself; absent for `else`. */
  readonly own?: { readonly text: string; readonly span: Span };
  /** When it is chosen: its own condition and the negation of every earlier one. */
  readonly conditions: readonly string[];
  /** Between the braces. */
  readonly body: Span;
}

/** The branches of `if #[cfg(a)] { .. } else if #[cfg(b)] { .. } else { .. }`; undefined when it is another syntax. */
function splitCfgIf(cx: Lowering, inner: Span): ConditionalBranch[] | undefined {
  const text = cx.source;
  const branches: ConditionalBranch[] = [];
  let at = inner.start;
  const skipBlank = (): void => {
    for (;;) {
      while (/\s/.test(text[at] ?? '')) at++;
      const next = text[at] === '/' ? skipLexeme(text, at) : at;
      if (next === at) return;
      at = next;
    }
  };
  for (skipBlank(); at < inner.end; skipBlank()) {
    const head = /^(?:else\s+)?if\s*#\s*\[\s*cfg\s*(?=\()|^else\s*(?=\{)/.exec(
      text.slice(at, Math.min(inner.end, at + 200)),
    )?.[0];
    if (head === undefined) return undefined;
    at += head.length;
    const negated = branches.flatMap((branch) => (branch.own ? [`not(${branch.own.text})`] : []));
    let own: ConditionalBranch['own'];
    if (text[at] === '(') {
      const close = endOfBrackets(text, at, inner.end);
      own = {
        text: cx.text
          .slice(at + 1, close - 1)
          .replace(/\s+/g, ' ')
          .trim(),
        span: { start: at + 1, end: close - 1 },
      };
      at = text.indexOf('{', close);
      if (at === -1 || at > inner.end) return undefined;
    }
    const end = endOfBrackets(text, at, inner.end);
    branches.push({
      ...(own ? { own } : {}),
      conditions: own ? [...negated, own.text] : negated,
      body: { start: at + 1, end: end - 1 },
    });
    at = end;
  }
  return branches.length > 0 ? branches : undefined;
}

/** Where items stand, each branch's items hold under its conditions. */
function lowerCfgIfItems(cx: Lowering, call: Call, scope: Scope): boolean {
  const branches = splitConditional(cx, call);
  const roots = branches?.map((branch) => cx.parsePiece('', branch.body, ''));
  if (!branches || !roots || roots.includes(undefined)) return false;
  branches.forEach((branch, i) => {
    lowerItems(cx, roots[i]?.children ?? [], { ...scope, conditions: [...scope.conditions, ...branch.conditions] });
  });
  return true;
}

/** Where statements stand, it is a chain of `if`s that are decided when the crate is compiled. */
function lowerCfgIfExpr(cx: Lowering, call: Call, scope: Scope): Expr | undefined {
  const branches = splitConditional(cx, call);
  const blocks = branches?.map((branch) => parseStatements(cx, branch.body));
  if (!branches || !blocks || blocks.includes(undefined)) return undefined;
  const lowered: { branch: ConditionalBranch; block: Expr }[] = [];
  for (const [i, branch] of branches.entries()) {
    const node = blocks[i];
    if (!node) return undefined;
    const inner = { ...scope, conditions: [...scope.conditions, ...branch.conditions] };
    lowered.push({ branch, block: lowerPieceBlock(cx, node, branch.body, inner) });
  }
  let chain: Expr | undefined;
  for (const { branch, block } of lowered.reverse()) {
    if (!branch.own) {
      chain = block;
      continue;
    }
    const { span } = branch.own;
    chain = {
      kind: 'if',
      span: { start: span.start, end: chain?.span.end ?? block.span.end },
      condition: { kind: 'macro', span, name: 'cfg', args: [], opaque: false },
      then: block,
      ...(chain ? { else: chain } : {}),
      isStatic: true,
    };
  }
  return chain;
}
