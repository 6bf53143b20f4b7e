import { changedWhileIterated } from '../facts/iterated-tables.js';
import { ELEMENT_OF_CALL, findEarlyPlaces, functionsWithEarlyPlaces } from '../facts/early-places.js';
import { containerStorage } from '../facts/containers.js';
import { MAKES_RAW, RAW_POINTERS } from '../facts/raw-words.js';
import { LENDS } from '../facts/handing-on.js';
import { withCallersOf } from '../facts/d-code.js';
import {
  D_CHANGING_LOOP,
  D_ELEMENT_POINTERS,
  GROWS_BESIDE_PARAMETER,
  inTestsBeside,
  MAY_GROW_IN_TEST,
} from '../facts/d-text.js';
import { arePathsExcluded, rustPaths } from '../facts/excluded-paths.js';
import { isKeyOnly } from '../facts/key-only.js';
import { lineOf } from '../facts/lines.js';
import type { UnitFacts } from '../facts/unit.js';
import { typeOfPlace } from '../flow/place-type.js';
import { dottedPath } from '../flow/expression-shapes.js';
import { describePlace, isElementOf, type Place, placeKey } from '../flow/place.js';
import type { FunctionFlow, Invalidation, Pointer, StaleUse } from '../flow/result.js';
import { isGrowable } from '../flow/types.js';
import type { Expr, FileIr, FunctionIr } from '../model/ir.js';
import { isInside } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { defineRule } from './rule.js';

const TOKENS = { rust: RAW_POINTERS, d: ['&', '.ptr', 'ref ', 'foreach', 'with', '~='] };
/** D: `with (list[i])` */
const WITH_ELEMENT = /\bwith\s*\([^;{}]*(?:\[|\*|\.\s*(?:front|back)\b)/u;
/** D: `auto head = list[0 .. n];`, and something is appended. */
const WRITTEN_SLICE = /=\s*[\w.]+\[[^;{}]*\.\.[^;{}]*\]\s*;[^]*(?:~=|\.\s*(?:length\s*(?:[+=]|\+\+)|put\s*\())/u;
const BORROWS_IN_D = [
  inTestsBeside(D_ELEMENT_POINTERS, MAY_GROW_IN_TEST),
  D_CHANGING_LOOP,
  GROWS_BESIDE_PARAMETER,
  WITH_ELEMENT,
  WRITTEN_SLICE,
];
/** In such a file, also what turns a stored pointer into a reference. */
const BODY_TOKENS = {
  rust: [...MAKES_RAW, '&*', '&mut *'],
  d: [...BORROWS_IN_D, ELEMENT_OF_CALL],
};

export default defineRule({
  meta: {
    id: 'growth-while-borrowed',
    title: 'Growth while borrowed',
    summary: 'A container grows while a pointer into it is still used in the same function.',
    languages: ['rust', 'd'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-825'],
    messages: {
      freed:
        "'{pointer}' points into '{owner}' (line {borrow}), '{owner}' changes by '{growth}' (line {grown}), and the pointer is used afterwards: its storage may be freed by then.",
      stale:
        "'{pointer}' points into '{owner}' (line {borrow}), '{owner}' grows by '{growth}' (line {grown}), and the pointer is used afterwards: it may still mean the old block, so writes through it are lost.",
      early:
        "The place of an element of '{owner}' (line {line}) is looked up before the value that is put there is made, and making it appends to '{owner}' by '{growth}' (line {grown}): when the array moves, the value goes to the old block and is lost.",
      iterated:
        "'{owner}' is iterated (line {loop}), and '{operation}' {changes} inside the loop (line {line}), which goes on: the loop may skip entries, meet them twice, or read ones that are gone.",
    },
    checklist: 'Is every pointer taken again after the container grew?',
    scenarios: ['command', 'sequential'],
  },
  tokens: TOKENS,
  bodyTokens: BODY_TOKENS,
  bodyRequires: { rust: [LENDS] },
  looksAt: 'bodies',
  perFile: ['rust', 'd'],
  check({ unit, functionsIn, report }) {
    const reportEarly = (file: FileIr, fn: FunctionIr): void => {
      for (const { array, element, growth } of findEarlyPlaces(unit, file, fn)) {
        const how = growth.through ? `${growth.through}()` : growth.how;
        report({
          messageId: 'early',
          data: {
            owner: array,
            line: lineOf(unit, file, element.start),
            growth: how,
            grown: lineOf(unit, file, growth.span.start),
          },
          at: { file, span: element },
          steps: [
            { file, span: element, role: 'borrow', note: `The address of the element of '${array}' is taken first.` },
            { file, span: growth.span, role: 'grow', note: `'${array}' grows here by '${how}'.` },
          ],
          key: `${array}|early`,
        });
      }
    };
    for (const language of ['rust', 'd'] as const) {
      for (const read of unit.filesOf(language)) {
        const functions = functionsIn(read);
        for (const fn of language === 'd' ? functionsWithEarlyPlaces(unit, read, functions) : []) reportEarly(read, fn);
        for (const { fn, file } of language === 'd'
          ? withCallersOf(
              unit,
              read,
              functions.filter((fn) => unit.holds(read, fn, BORROWS_IN_D)),
              growersBesideParameter(unit, read),
            )
          : functions.map((each) => ({ fn: each, file: read }))) {
          for (const change of language === 'd' ? changedWhileIterated(unit, file, fn) : [])
            report({
              messageId: 'iterated',
              data: {
                owner: change.table,
                loop: lineOf(unit, file, change.loop.start),
                operation: change.operation,
                changes: change.changes,
                line: lineOf(unit, file, change.span.start),
              },
              at: { file, span: change.span },
              steps: [
                { file, span: change.loop, role: 'borrow', note: `The loop goes through '${change.table}' here.` },
                { file, span: change.span, role: 'grow', note: `'${change.operation}' ${change.changes} here.` },
              ],
              key: `${change.table}|iterated`,
              confidence: 'medium',
            });
          const flow = unit.flowOf(file, fn);
          const causes = new Set<string>();
          for (const stale of flow.staleUses) {
            if (!isHazard(unit, file, fn, flow, stale)) continue;
            const { pointer, invalidation, use } = stale;
            // One finding per borrow and owner, however often it is used.
            const cause = `${pointer.site.start}|${placeKey(invalidation.place)}`;
            if (causes.has(cause)) continue;
            // `if (more) list ~= x; .. if (!more) use(p);`
            const paths = language === 'rust' ? rustPaths(file, pointer.site) : undefined;
            if (arePathsExcluded(fn, invalidation.span, use.span, paths)) continue;
            causes.add(cause);
            const owner = describePlace(invalidation.place);
            const type = typeOfPlace(invalidation.place, unit.oracle(language), file.path);
            const how = invalidation.through ? `${invalidation.through}()` : invalidation.how;
            report({
              messageId: containerStorage(type, language) === 'gc' ? 'stale' : 'freed',
              data: {
                pointer: pointer.how,
                owner,
                borrow: lineOf(unit, file, pointer.site.start),
                growth: how,
                grown: lineOf(unit, file, invalidation.span.start),
              },
              at: { file, span: use.span },
              steps: [
                { file, span: pointer.site, role: 'borrow', note: `'${pointer.how}' points into '${owner}' here.` },
                { file, span: invalidation.span, role: 'grow', note: `'${owner}' changes here by '${how}'.` },
                { file, span: use.span, role: 'use', note: 'The pointer is used here.' },
              ],
              key: `${owner}|${pointer.how}`,
            });
          }
        }
      }
    }
  },
});

/** D: the functions of a file in which something grows beside a parameter that leads somewhere, which may be into that. */
function growersBesideParameter(unit: UnitFacts, file: FileIr): readonly string[] {
  return file.functions
    .filter(
      (fn) =>
        fn.params.some(
          ({ type, modifiers }) =>
            type?.kind === 'pointer' || (modifiers.includes('ref') && (type?.kind === 'path' || type === undefined)),
        ) && unit.holds(file, fn, GROWS_BESIDE_PARAMETER),
    )
    .map((fn) => fn.name);
}

/** D: a part of an array by its bounds is written through behind the growth: `head[0] = x;`, `head[] = x;`. */
function isWrittenPart(text: string, pointer: Pointer, use: StaleUse['use']): boolean {
  if (use.kind !== 'index' || pointer.how !== '[..]') return false;
  if (!/\[[^\]]*\.\.[^\]]*\]$/u.test(text.slice(pointer.site.start, pointer.site.end))) return false;
  return /^\s*(?:[-+*/%|&^]|<<|>>)?=(?!=)/u.test(text.slice(use.span.end, use.span.end + 8));
}

function isHazard(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  flow: FunctionFlow,
  { pointer, invalidation, use }: StaleUse,
): boolean {
  if (invalidation.kind !== 'grow' && invalidation.kind !== 'replace') return false;
  if (use.kind === 'release' || pointer.form === 'closure' || pointer.form === 'guard') return false;
  const rust = file.language === 'rust';
  const growth = flow.growths.find(
    (g) => g.span.start === invalidation.span.start && placeKey(g.place) === placeKey(invalidation.place),
  );
  const isUnchecked = pointer.form === 'raw' || pointer.erased || growth?.isUnchecked === true;
  if (pointer.form === 'iterator' && growth?.isUnchecked !== true) return false;
  if (rust && !isUnchecked) return false;
  const type = typeOfPlace(invalidation.place, unit.oracle(file.language), file.path);
  // What foreign code resizes has no type that says so.
  const isForeign = growth?.operation === 'resize' && growth.row === undefined && growth.place.path.at(-1) === '*';
  const growable = isForeign ? true : isGrowable(type, file.language);
  if (growable === false) return false;
  if (growable !== true && (growth === undefined || growth.weak)) return false;
  // Freed at the end of the pointer's life is another rule's business.
  if (growth?.operation === 'free') return false;
  if (!rust) {
    // A GC slice keeps its own block alive; only a pointer or reference that is meant to be *the* element goes stale.
    if (pointer.form === 'slice' && (growable !== true || containerStorage(type, 'd') === 'gc'))
      return (
        growable === true &&
        growth !== undefined &&
        /^(?:append|resize|insert)$/u.test(growth.operation) &&
        isWrittenPart(unit.textOf(file.path) ?? '', pointer, use)
      );
    if (growth && (growth.operation === 'clear' || growth.operation === 'remove' || growth.operation === 'shrink'))
      return false;
    if (growth?.operation === 'replace' && growth.how === '=') return false;
    // The old block is what is to be deleted.
    if (use.what === '__delete') return false;
    if (pointer.form === 'slice' && use.kind === 'return') return false;
    if (isKeyOnly(unit, flow, use)) return false;
  }
  if (rust && (isMadeWithRoom(fn, invalidation.place) || staysInRoom(fn, invalidation.place))) return false;
  if (rust && isTakenOver(fn, invalidation, use)) return false;
  // Room was made before the pointer was taken.
  const reserved = flow.growths.some(
    (g) => g.operation === 'reserve' && g.span.start < pointer.site.start && isElementOf(pointer.target, g.place),
  );
  return !reserved;
}

/**
 * Rust: `let old = mem::take(list);` and `mem::swap(list, &mut other)`: the block has another owner from then on, which does not end, is
 * not changed and not given away before the pointer is used.
 */
function isTakenOver(fn: FunctionIr, { span, how, place }: Invalidation, use: StaleUse['use']): boolean {
  if (!fn.body || !/(?:^|::)(?:take|replace|swap)$/u.test(how)) return false;
  let owner: string | undefined;
  walkBody(fn.body, ({ expr, statement, around }) => {
    if (expr.span.start !== span.start || expr.kind !== 'call' || expr.callee.kind !== 'name') return;
    const [module, name] = expr.callee.path.slice(-2);
    if (module !== 'mem') return;
    if (name === 'swap') {
      const sides = expr.args.map(({ value }) => pathOf(value.kind === 'address' ? value.base : value));
      const own = describePlace(place).replaceAll('*', '');
      if (sides.includes(own)) owner = sides.find((side) => side !== own);
      return;
    }
    const block = around.findLast((outer) => outer.kind === 'block' || outer.kind === 'loop');
    if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind')
      if (block === undefined || isInside(use.span, block.span)) owner = statement.pattern.name;
  });
  if (owner === undefined) return false;
  let isKept = true;
  const isOwner = (expr: Expr | undefined): boolean => expr !== undefined && pathOf(expr) === owner;
  walkBody(fn.body, ({ expr }) => {
    if (expr.span.start < span.end || expr.span.start > use.span.start) return;
    const isBefore = expr.span.end <= use.span.start;
    if (isBefore && (expr.kind === 'call' || expr.kind === 'method') && expr.args.some(({ value }) => isOwner(value)))
      isKept = false;
    if (isBefore && expr.kind === 'method' && isOwner(expr.receiver) && !LOOKS.test(expr.method)) isKept = false;
    if (isBefore && expr.kind === 'assign' && isOwner(expr.target)) isKept = false;
    if (isBefore && expr.kind === 'address' && expr.mutable && isOwner(expr.base)) isKept = false;
    if (expr.kind === 'loop' && isOwner(expr.iterable)) isKept = false;
  });
  return isKept;
}

/** Methods of a container that leave its block where it is. */
const LOOKS =
  /^(?:len|is_empty|capacity|iter|iter_mut|as_ptr|as_mut_ptr|as_slice|get|first|last|contains|to_vec|clone)$/u;

function pathOf(expr: Expr): string | undefined {
  return dottedPath(expr)?.join('.');
}

/** Rust: a local made by `with_capacity` of a computed number: room for what is pushed while pointers into it are collected. */
function isMadeWithRoom(fn: FunctionIr, { root, path }: Place): boolean {
  if (root.kind !== 'local' || path.length > 0 || !fn.body) return false;
  let made = false;
  walkBody(fn.body, ({ expr, statement }) => {
    if (statement?.kind !== 'let' || statement.init !== expr || statement.pattern.kind !== 'bind') return;
    if (statement.pattern.span.start !== root.span.start || expr.kind !== 'call' || expr.callee.kind !== 'name') return;
    const [count] = expr.args;
    made = expr.callee.path.at(-1) === 'with_capacity' && count !== undefined && count.value.kind !== 'literal';
  });
  return made;
}

/**
 * Rust: a local made by `with_capacity(n)` of a number that is written, and that gets no more than that: pushes outside of loops, lists and
 * texts of known length.
 */
function staysInRoom(fn: FunctionIr, { root, path }: Place): boolean {
  if (root.kind !== 'local' || path.length > 0 || !fn.body) return false;
  let room: number | undefined;
  let added = 0;
  walkBody(fn.body, ({ expr, statement, around }) => {
    const isMade =
      statement?.kind === 'let' &&
      statement.init === expr &&
      statement.pattern.kind === 'bind' &&
      statement.pattern.span.start === root.span.start;
    if (isMade) {
      const [count] = expr.kind === 'call' && expr.callee.kind === 'name' ? expr.args : [];
      const isRoom = expr.kind === 'call' && expr.callee.kind === 'name' && expr.callee.path.at(-1) === 'with_capacity';
      room =
        isRoom && count?.value.kind === 'literal'
          ? Number.parseInt(count.value.text.replaceAll('_', ''), 10)
          : undefined;
      return;
    }
    if (expr.kind !== 'name' || expr.path.length !== 1 || expr.path[0] !== root.name) return;
    const user = around.at(-1);
    const isLooped = around.some((outer) => outer.kind === 'loop' || outer.kind === 'closure');
    if (user?.kind !== 'method' || user.receiver !== expr) {
      // Lent for a view, an element or a look.
      if (user?.kind !== 'index' && user?.kind !== 'slice' && !(user?.kind === 'address' && !user.mutable))
        added = Infinity;
      return;
    }
    if (KEEPS_ROOM.test(user.method)) return;
    added += isLooped ? Infinity : lengthAdded(user.method, user.args[0]?.value);
  });
  return room !== undefined && added <= room;
}

/** Methods of a vector or a string after which it has room for as much as before. */
const KEEPS_ROOM =
  /^(?:len|is_empty|capacity|as_ptr|as_mut_ptr|as_slice|as_mut_slice|as_str|as_bytes|get|get_mut|first|last|iter|iter_mut|clear|pop|truncate|remove|swap_remove|get_unchecked|get_unchecked_mut)$/u;

/** How many elements a method adds at most; infinite when that is not written there. */
function lengthAdded(method: string, given: Expr | undefined): number {
  const plain = given?.kind === 'address' ? given.base : given;
  // Between its quotes; an escape is shorter than it is written.
  const isText = plain?.kind === 'literal' && (plain.type === 'char' || plain.type === 'string');
  const written = isText ? new TextEncoder().encode(plain.text).length - 2 : undefined;
  if (method === 'push' && plain) return written ?? 1;
  if (method === 'push_str' && written !== undefined) return written;
  if (/^extend(?:_from_slice)?$/u.test(method) && plain?.kind === 'array' && !plain.repeat) return plain.items.length;
  return Infinity;
}
