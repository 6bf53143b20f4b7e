import type { ImplDecl } from '../../model/ir.js';
import type { Span } from '../../model/source.js';
import { childByField, type SyntaxNode } from '../syntax.js';
import type { Lowering, Scope } from './context.js';
import { lowerItems } from './lower-items.js';
import { lowerType } from './lower-types.js';
import { MAY_BE_HAZARD, readsAsItems } from './macros.js';
import { endOfBrackets, findTopLevel, skipLexeme, splitByCommas } from './tokens.js';

/** One arm of `macro_rules!`. */
interface MacroArm {
  /** What each variable of the pattern stands for (`ident`, `ty`, `vis`, …), by its name without `$`. */
  readonly fragments: ReadonlyMap<string, string>;
  /** The pattern with its brackets. */
  readonly pattern: string;
  /** Between the brackets of what the arm expands to. */
  readonly body: Span;
}

/**
 * Lowers the items that the arms of a `macro_rules!` expand to, once, whoever calls it: a variable of the pattern is a name
 * that nobody declares, and what is repeated stands there once. Arms without a word that a rule could care about are passed
 * over, and so are those that are no items.
 */
export function lowerMacroDefinition(cx: Lowering, node: SyntaxNode, scope: Scope): void {
  if (!MAY_BE_HAZARD.test(cx.textOf(node))) return;
  const name = /^macro_rules\s*!\s*(\w+)/u.exec(cx.textOf(node))?.[1];
  const inner: Scope = { ...scope, ...(name === undefined ? {} : { macro: name }) };
  for (const { body, fragments, pattern } of readArms(cx.source, node)) {
    if (!MAY_BE_HAZARD.test(cx.textOf(body))) continue;
    const root = cx.parsePiece('', body, '', (text) => withoutVariables(text, fragments));
    if (!root || !readsAsItems(root)) continue;
    const known = cx.impls.length;
    lowerItems(cx, root.children, inner);
    if (name !== undefined) for (const impl of cx.impls.slice(known)) addMarker(cx, name, impl, fragments, pattern);
  }
}

/** Keeps an `unsafe impl Send for $t {}` for the calls of the macro. */
function addMarker(
  cx: Lowering,
  macro: string,
  impl: ImplDecl,
  fragments: ReadonlyMap<string, string>,
  pattern: string,
): void {
  const variable = /^[_$](\w+)$/u.exec(impl.target.text)?.[1];
  if (!impl.isUnsafe || impl.isNegative || !/^(?:Send|Sync)$/u.test(impl.trait?.name ?? '')) return;
  if (variable === undefined || !/^(?:ty|ident|path)$/u.test(fragments.get(variable) ?? '')) return;
  const isEach = /^[({[]\s*\$\(\s*\$\w+\s*:\s*\w+\s*\)?\s*[,;]?/u.test(pattern) && fragments.size === 1;
  const position = isEach ? undefined : [...fragments.keys()].indexOf(variable);
  cx.markers.push({ macro, impl, position });
}

/** The marker impls that the calls of the file's own macros write, each for the type that the call names. */
export function expandMarkers(cx: Lowering): void {
  for (const { name, inner, scope } of cx.markers.length > 0 ? cx.markerCalls : [])
    for (const { impl, position } of cx.markers.filter(({ macro }) => macro === name)) {
      const given = splitByCommas(cx.source, inner.start, inner.end);
      for (const piece of position === undefined ? given : given.slice(position, position + 1)) {
        const start = piece.start + (/^\s*/u.exec(cx.source.slice(piece.start, piece.end))?.[0].length ?? 0);
        const span = { start, end: start + cx.source.slice(start, piece.end).trimEnd().length };
        const node = cx.parsePiece('type T=', span, ';')?.children.find((child) => child.kind === 'type_item');
        const type = node && childByField(node, 'type');
        if (!type) continue;
        cx.impls.push({
          ...impl,
          span,
          headSpan: span,
          target: lowerType(cx, type),
          isTest: scope.isTest,
          conditions: [...new Set([...impl.conditions, ...scope.conditions])],
        });
      }
    }
}

/** The arms between the brackets of a definition; those after what can't be read are left out. */
function readArms(text: string, node: Span): readonly MacroArm[] {
  const arms: MacroArm[] = [];
  const open = findTopLevel(text, node.start, node.end, '({[', () => true);
  if (open === -1) return arms;
  const end = endOfBrackets(text, open, node.end) - 1;
  for (let at = open + 1; at < end;) {
    const pattern = findTopLevel(text, at, end, '({[', () => true);
    const patternEnd = pattern === -1 ? end : endOfBrackets(text, pattern, end);
    const body = findTopLevel(text, patternEnd, end, '({[', () => true);
    if (body === -1) return arms;
    const bodyEnd = endOfBrackets(text, body, end);
    arms.push({
      fragments: readFragments(text.slice(pattern, patternEnd)),
      pattern: text.slice(pattern, patternEnd),
      body: { start: body + 1, end: bodyEnd - 1 },
    });
    at = bodyEnd;
  }
  return arms;
}

function readFragments(pattern: string): ReadonlyMap<string, string> {
  return new Map(
    [...pattern.matchAll(/\$(\w+)\s*:\s*(\w+)/gu)].map(([, name = '', fragment = '']) => [name, fragment]),
  );
}

/**
 * The text with a plain name, or what its kind asks for, in place of each variable, and without the signs of repetitions. As long
 * as `text`, so that offsets stay.
 */
function withoutVariables(text: string, fragments: ReadonlyMap<string, string>): string {
  const chars = text.split('');
  const blank = (start: number, end: number): void => {
    chars.fill(' ', start, end);
  };
  const visit = (start: number, end: number): void => {
    for (let i = start; i < end;) {
      const next = text[i] === '$' ? i : skipLexeme(text, i);
      if (next > i) {
        i = next;
        continue;
      }
      if (text[i] !== '$') {
        i++;
        continue;
      }
      const name = /^\w+/u.exec(text.slice(i + 1, Math.min(end, i + 80)))?.[0];
      if (text[i + 1] === '(') {
        const close = endOfBrackets(text, i + 1, end) - 1;
        blank(i, i + 2);
        visit(i + 2, close);
        const sign = /^\s*(?:(\S{1,2}?)\s*)?[*+?]/u.exec(text.slice(close + 1, Math.min(end, close + 40)));
        const length = sign?.[0].length ?? 0;
        blank(close, close + 1 + length);
        // Between items it ends each of them.
        if (sign?.[1] === ';') chars[close] = ';';
        i = close + 1 + length;
      } else if (name === undefined) {
        i++;
      } else {
        [...substitute(name, fragments.get(name))].forEach((char, n) => (chars[i + n] = char));
        i += name.length + 1;
      }
    }
  };
  visit(0, text.length);
  return chars.join('');
}

/** What stands for `$name`, of the same length. */
function substitute(name: string, fragment: string | undefined): string {
  const blanks = ' '.repeat(name.length);
  switch (name === 'crate' ? 'crate' : fragment) {
    case 'crate':
      return ' crate';
    case 'vis':
    case 'item':
    case 'stmt':
      return ` ${blanks}`;
    case 'block':
      return `{}${blanks.slice(1)}`;
    case 'lifetime':
      return `'${name}`;
    default:
      return `_${name}`;
  }
}
