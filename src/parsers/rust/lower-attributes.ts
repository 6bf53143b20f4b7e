import type { Attribute } from '../../model/ir.js';
import type { Span } from '../../model/source.js';
import { firstOfKind, type SyntaxNode } from '../syntax.js';
import type { Lowering } from './context.js';
import { folded } from './lower-types.js';
import { spanOf } from './nodes.js';
import { splitByCommas } from './tokens.js';

/** No attribute is that long; one that is, is not taken apart (its parts would be read once per level). */
const LONG = 2000;

/** What is between the brackets of `#[..]`, read from the text: a path, then `(args)` or `= value`. */
function readAttribute(cx: Lowering, piece: Span, span: Span, condition: string | undefined, out: Attribute[]): void {
  const text = cx.textOf(piece);
  const head = /^\s*((?:r#)?[\w$]+(?:\s*::\s*[\w$]+)*)\s*/.exec(text);
  if (!head?.[1]) return;
  const name = head[1].replace(/\s+/g, '');
  const rest = text.slice(head[0].length).trimEnd();
  const restStart = piece.start + head[0].length;
  let args: string | undefined;
  let inner: Span | undefined;
  if (/^[([{]/.test(rest)) {
    inner = { start: restStart + 1, end: restStart + rest.length - 1 };
    args = folded(cx.textOf(inner).trim());
  } else if (rest.startsWith('=')) args = folded(rest.slice(1).trim());
  if (name === 'unsafe' && inner) {
    // `#[unsafe(no_mangle)]` only marks that the attribute needs care; the attribute itself is what counts.
    readAttribute(cx, inner, span, condition, out);
    return;
  }
  out.push({ name, ...(args !== undefined ? { args } : {}), span, ...(condition !== undefined ? { condition } : {}) });
  if (name !== 'cfg_attr' || !inner || text.length > LONG) return;
  const [predicate, ...applied] = splitByCommas(cx.text, inner.start, inner.end);
  if (!predicate) return;
  const own = folded(cx.textOf(predicate).trim());
  const whole = condition === undefined ? own : `all(${condition}, ${own})`;
  for (const attribute of applied) readAttribute(cx, attribute, span, whole, out);
}

/** `#[..]` or `#![..]`; a `cfg_attr` is followed by the attributes that it applies, with their condition. */
export function lowerAttribute(cx: Lowering, node: SyntaxNode, out: Attribute[]): void {
  const attribute = firstOfKind(node, 'attribute');
  if (!attribute) return;
  readAttribute(cx, spanOf(attribute), spanOf(node), undefined, out);
}

/** The cfg expressions of `#[cfg(..)]` attributes, as written. */
export function findConditions(attributes: readonly Attribute[]): string[] {
  const conditions: string[] = [];
  for (const attribute of attributes) {
    if (attribute.name !== 'cfg' || attribute.args === undefined) continue;
    // cfg_attr(a, cfg(b)) removes the item only where `a` holds.
    conditions.push(
      attribute.condition === undefined ? attribute.args : `any(not(${attribute.condition}), ${attribute.args})`,
    );
  }
  return conditions;
}

/** Whether a cfg expression can only hold in a test build. */
export function requiresTest(condition: string): boolean {
  const text = condition.trim();
  if (text.length > LONG) return false;
  if (text === 'test' || text === 'doctest') return true;
  const call = /^(all|any)\s*\(/.exec(text);
  if (!call) return false;
  const parts = splitByCommas(text, call[0].length, text.length - 1).map((span) => text.slice(span.start, span.end));
  return call[1] === 'all' ? parts.some(requiresTest) : parts.length > 0 && parts.every(requiresTest);
}

const TEST_ATTRIBUTES =
  /^(?:test|bench|rstest|test_case|test_log|proptest|quickcheck|wasm_bindgen_test|test_matrix|googletest)$/;

/** `#[test]`, `#[tokio::test]`, `#[rstest]` and their like. */
export function isTestAttribute(attribute: Attribute): boolean {
  const last = attribute.name.slice(attribute.name.lastIndexOf(':') + 1);
  return TEST_ATTRIBUTES.test(last) && attribute.condition === undefined;
}
