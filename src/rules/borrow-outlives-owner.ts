import { findLeftRegistered, SCOPE_REGISTERED } from '../facts/left-registered.js';
import { calledName, isTypeParameter, isUndone, memberPath } from '../facts/d-code.js';
import { arePathsExcluded, rustPaths } from '../facts/excluded-paths.js';
import { hasDrop } from '../facts/declarations.js';
import { isInHeapFrame, isUnlinked } from '../facts/frame-addresses.js';
import { laterUses } from '../facts/later-uses.js';
import { findMappedPointers } from '../facts/mapped-pointers.js';
import { BECOMES_RAW_THERE, MAKES_RAW, RAW_CODE, RAW_POINTERS, UNSAFE_CODE } from '../facts/raw-words.js';
import { LENDS } from '../facts/handing-on.js';
import { D_BORROWS, D_LENT, D_SLICES } from '../facts/d-text.js';
import { isLentToThread } from '../facts/lent-to-threads.js';
import { lineOf } from '../facts/lines.js';
import { isInOwnBlock } from '../facts/own-blocks.js';
import { typeOfPath } from '../facts/shared-growth.js';
import { isScratch } from '../facts/scratch-lists.js';
import { implAround } from '../facts/rust-code.js';
import { DIGEST_TEXT, findSlicedTemporaries, lendersOf, RETURNS_ARRAY } from '../facts/sliced-temporaries.js';
import { D_MAPPINGS, D_OWNERS } from '../flow/builtin-types.js';
import { endsWithItsRoot } from '../facts/storage.js';
import type { UnitFacts } from '../facts/unit.js';
import { findUnboundOwners } from '../facts/unbound-owners.js';
import { findUnloadedCode, OPENS_LIBRARY } from '../facts/unloaded-code.js';
import { isWaitedFor } from '../facts/waits.js';
import { findWeakAddresses } from '../facts/weak-addresses.js';
import { walkBody } from '../model/walk-body.js';
import { growthKey, typeOfPlace } from '../flow/place-type.js';
import { describePlace, placeKey, type Root, type Place } from '../flow/place.js';
import type { Escape, FunctionFlow, Pointer, StaleUse } from '../flow/result.js';
import { elementType, isNumber, keepsSliceOf } from '../flow/types.js';
import type { Expr, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';
import { defineRule } from './rule.js';

const TOKENS = {
  rust: [...RAW_POINTERS, 'unchecked', 'Library::new', 'Library::open'],
  d: ['&', '[]', '..', '.ptr', '...', 'tempCString', 'scope ', '@trusted', 'toHexString', 'scoped!'],
};

export default defineRule({
  meta: {
    id: 'borrow-outlives-owner',
    title: 'Borrow outlives its owner',
    summary: 'A pointer to a local, a temporary or a dropped value is returned, stored or used later.',
    languages: ['rust', 'd'],
    severity: 'error',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-562', 'CWE-825'],
    messages: {
      converted:
        "The result of '{call}' is kept as a pointer (line {line}): the temporary that owns the memory ends with the {end}, and the pointer outlives it.",
      used: "'{how}' points into {owner} (line {borrow}), which is gone after line {gone} ({end}), and the pointer is used afterwards (line {use}).",
      lent: "'{how}' points into what '{owner}' lends (line {borrow}), and another thread takes the pointer along at line {escape}: '{function}' returns before the thread is done, and its caller may free the memory then.",
      unloaded:
        "'{code}' is code of the library '{library}', or an object with methods there (line {taken}), and '{library}' is unloaded first by {end} (line {gone}): what runs afterwards (line {use}) is no longer mapped.",
      registered:
        "'{what}' lies in the frame and is put on a list by '{register}' (line {line}); '{unregister}' (line {end}) takes it off only where nothing throws in between: otherwise the list leads to an object that is gone.",
      leaves:
        'A pointer into {owner} (line {borrow}) is {where} at line {escape}, but {owner} ends with its scope: the pointer outlives it.',
    },
    checklist: 'Does the pointee live as long as every copy of the pointer?',
    scenarios: ['command', 'sequential'],
  },
  tokens: TOKENS,
  // A caller of a helper that hands out a pointer may hold none of the words itself.
  bodyTokens: {
    rust: [
      ...['Library::new', 'Library::open', ...MAKES_RAW, ...RAW_CODE.filter((word) => word !== 'unsafe')],
      ...UNSAFE_CODE,
      ...BECOMES_RAW_THERE,
    ],
    d: [D_BORROWS, D_SLICES, D_LENT, DIGEST_TEXT, RETURNS_ARRAY, SCOPE_REGISTERED],
  },
  bodyRequires: { rust: [LENDS] },
  looksAt: 'bodies',
  perFile: ['rust', 'd'],
  check({ unit, functionsIn, report }) {
    for (const language of ['rust', 'd'] as const) {
      for (const read of unit.filesOf(language)) {
        const converted = language === 'd' ? findKept(unit, read, functionsIn(read)) : [];
        const isConverted = ({ site }: Pointer): boolean =>
          converted.some(({ kept: { span } }) => isInside(site, span));
        for (const { kept, inFile } of converted)
          report({
            messageId: 'converted',
            data: { call: kept.call, line: lineOf(unit, inFile, kept.span.start), end: kept.end },
            at: { file: inFile, span: kept.span },
            steps: [
              {
                file: inFile,
                span: kept.span,
                role: 'borrow',
                note: `'${kept.call}' is converted to a pointer into its own result here.`,
              },
            ],
            key: kept.call,
          });
        if (language === 'rust' && OPENS_LIBRARY.test(unit.textOf(read.path) ?? ''))
          for (const found of read.functions.flatMap((fn) => findUnloadedCode(unit, read, fn))) {
            const { library, code, how } = found;
            const end = /^\w+$/u.test(how) ? `'${how}'` : how;
            report({
              messageId: 'unloaded',
              data: {
                code,
                library,
                taken: lineOf(unit, read, found.taken.start),
                end,
                gone: lineOf(unit, read, found.unloaded.start),
                use: lineOf(unit, read, found.used.start),
              },
              at: { file: read, span: found.taken },
              steps: [
                { file: read, span: found.loaded, role: 'acquire', note: `'${library}' is opened here.` },
                { file: read, span: found.taken, role: 'borrow', note: `'${code}' comes out of it here.` },
                {
                  file: read,
                  span: found.unloaded,
                  role: 'release',
                  note: `'${library}' is unloaded here, by ${end}.`,
                },
                { file: read, span: found.used, role: 'use', note: `'${code}' is used afterwards.` },
              ],
              key: code,
              confidence: 'medium',
            });
          }
        for (const { fn, file } of language === 'd'
          ? withCallers(unit, read, functionsIn(read))
          : functionsIn(read).map((fn) => ({ fn, file: read }))) {
          for (const { span, closure } of language === 'rust' && unit.holds(file, fn, ['map_or'])
            ? findMappedPointers(file, fn)
            : [])
            report({
              messageId: 'leaves',
              data: {
                owner: 'a temporary',
                borrow: lineOf(unit, file, span.start),
                where: 'returned from the closure',
                escape: lineOf(unit, file, closure.start),
              },
              at: { file, span },
              steps: [
                {
                  file,
                  span,
                  role: 'borrow',
                  note: 'The reference to a temporary becomes a raw pointer, as null is one.',
                },
                { file, span: closure, role: 'release', note: 'The temporary ends with the closure.' },
              ],
              key: 'temporary',
            });
          for (const left of language === 'd' && unit.holds(file, fn, [SCOPE_REGISTERED]) ? findLeftRegistered(fn) : [])
            report({
              messageId: 'registered',
              data: {
                what: left.name,
                register: left.register,
                line: lineOf(unit, file, left.registered.start),
                unregister: left.unregister,
                end: lineOf(unit, file, left.unregistered.start),
              },
              at: { file, span: left.registered },
              steps: [
                {
                  file,
                  span: left.declared,
                  role: 'declare',
                  note: `'scope' lets '${left.name}' end with the function.`,
                },
                { file, span: left.registered, role: 'escape', note: 'It is put on the list here.' },
                {
                  file,
                  span: left.unregistered,
                  role: 'release',
                  note: 'It is taken off here, which an exception does not reach.',
                },
              ],
              key: `${left.register}|${left.name}`,
              severity: 'warning',
              confidence: 'medium',
            });
          for (const weak of language === 'rust' ? findWeakAddresses(unit, file, fn) : [])
            report({
              messageId: 'used',
              data: {
                how: weak.how,
                owner: `'${weak.owner}'`,
                borrow: lineOf(unit, file, weak.taken.start),
                gone: lineOf(unit, file, weak.dropped.start),
                end: 'drop',
                use: lineOf(unit, file, weak.used.start),
              },
              at: { file, span: weak.taken },
              steps: [
                { file, span: weak.declared, role: 'declare', note: `'${weak.owner}' is the only strong count.` },
                { file, span: weak.taken, role: 'borrow', note: `'${weak.how}' shows its content here.` },
                {
                  file,
                  span: weak.dropped,
                  role: 'release',
                  note: 'The content is dropped here; weak counts do not keep it.',
                },
                { file, span: weak.used, role: 'use', note: 'The pointer is used here.' },
              ],
              key: weak.owner,
            });
          for (const { owner, how, taken, gone, used } of language === 'rust'
            ? findUnboundOwners(unit.textOf(file.path) ?? '', fn)
            : [])
            report({
              messageId: 'used',
              data: {
                how,
                owner: `'${owner}'`,
                borrow: lineOf(unit, file, taken.start),
                gone: lineOf(unit, file, gone.start),
                end: "'_' binds nothing",
                use: lineOf(unit, file, used.start),
              },
              at: { file, span: taken },
              steps: [
                { file, span: taken, role: 'borrow', note: `'${how}' points into '${owner}' here.` },
                { file, span: gone, role: 'release', note: `'${owner}' ends with this statement: '_' is no variable.` },
                { file, span: used, role: 'use', note: 'The pointer is used here.' },
              ],
              key: owner,
            });
          const flow = unit.flowOf(file, fn);
          const causes = new Set<number>();
          for (const stale of flow.staleUses) {
            if (
              causes.has(stale.pointer.site.start) ||
              isConverted(stale.pointer) ||
              !isUseOfDropped(unit, file, fn, flow, stale)
            )
              continue;
            const { pointer, invalidation, use } = stale;
            // `if (inside) p = &local; .. if (!inside) use(p);`
            const paths = language === 'rust' ? rustPaths(file, pointer.site) : undefined;
            if (arePathsExcluded(fn, pointer.site, use.span, paths)) continue;
            causes.add(pointer.site.start);
            const isOverwritten = REPLACED.has(invalidation.how);
            const owner = isOverwritten ? `'${describePlace(invalidation.place)}'` : nameOf(pointer.target.root);
            report({
              messageId: 'used',
              data: {
                how: pointer.how,
                owner,
                borrow: lineOf(unit, file, pointer.site.start),
                gone: lineOf(unit, file, invalidation.span.start),
                end: invalidation.how,
                use: lineOf(unit, file, use.span.start),
              },
              at: { file, span: pointer.site },
              steps: [
                ...(isOverwritten ? [] : declareStep(file, pointer.target.root)),
                { file, span: pointer.site, role: 'borrow', note: `'${pointer.how}' points into ${owner} here.` },
                {
                  file,
                  span: invalidation.span,
                  role: 'release',
                  note: `${capital(owner)} is gone here (${invalidation.how}).`,
                },
                { file, span: use.span, role: 'use', note: 'The pointer is used here.' },
                ...laterUses(
                  flow.staleUses,
                  stale,
                  (s) => s.pointer.site.start === pointer.site.start && isUseOfDropped(unit, file, fn, flow, s),
                ).map((span) => ({ file, span, role: 'use' as const, note: 'It is used here, too.' })),
              ],
              key: pointer.target.root.name,
            });
          }
          for (const escape of language === 'rust' ? flow.escapes : []) {
            const { pointer } = escape;
            if (causes.has(pointer.site.start) || !isLentToThread(unit, file, fn, flow, escape)) continue;
            causes.add(pointer.site.start);
            const { name } = pointer.target.root;
            report({
              messageId: 'lent',
              data: {
                how: pointer.how,
                owner: name,
                borrow: lineOf(unit, file, pointer.site.start),
                escape: lineOf(unit, file, escape.span.start),
                function: fn.name,
              },
              at: { file, span: pointer.site },
              steps: [
                ...declareStep(file, pointer.target.root),
                {
                  file,
                  span: pointer.site,
                  role: 'borrow',
                  note: `'${pointer.how}' points into what '${name}' lends.`,
                },
                { file, span: escape.span, role: 'escape', note: 'Another thread takes the pointer along here.' },
              ],
              key: name,
              confidence: 'medium',
            });
          }
          for (const escape of flow.escapes) {
            const { pointer } = escape;
            if (causes.has(pointer.site.start) || isConverted(pointer) || !leavesItsOwner(unit, file, fn, flow, escape))
              continue;
            causes.add(pointer.site.start);
            const owner = nameOf(pointer.target.root);
            report({
              messageId: 'leaves',
              data: {
                owner,
                borrow: lineOf(unit, file, pointer.site.start),
                where: whereTo(escape),
                escape: lineOf(unit, file, escape.span.start),
              },
              at: { file, span: pointer.site },
              steps: [
                ...declareStep(file, pointer.target.root),
                { file, span: pointer.site, role: 'borrow', note: `'${pointer.how}' points into ${owner} here.` },
                { file, span: escape.span, role: 'escape', note: `The pointer is ${whereTo(escape)} here.` },
              ],
              key: pointer.target.root.name,
              ...(pointer.target.root.kind === 'param' ? { confidence: 'medium' as const } : {}),
            });
          }
        }
      }
    }
  },
});

/** How the flow names the end of a value whose place stays: an assignment overwrites it, or it is taken out of an option and dropped. */
const REPLACED: ReadonlySet<string> = new Set(['an assignment', 'take']);

function isUseOfDropped(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  flow: FunctionFlow,
  { pointer, invalidation, use }: StaleUse,
): boolean {
  if (invalidation.kind !== 'drop') return false;
  if (file.language === 'd') {
    if (pointer.form !== 'raw' && pointer.form !== 'slice') return false;
    if (use.kind === 'write' || use.kind === 'return' || use.kind === 'store') return false;
    if (capturedOnHeap(flow, pointer.target.root)) return false;
    if (D_OWNERS.has(pointer.target.root.type?.name ?? '')) return false;
    if (pointer.target.path.includes('*') && isGivenAway(fn, pointer.target.root)) return false;
    // What is stored where it outlives the function is judged there.
    if (flow.escapes.some((e) => e.kind === 'store' && e.into !== undefined && e.pointer.id === pointer.id))
      return false;
    return endsWithItsRoot(pointer.target, 'd', unit.oracle('d'), file.path, dropsIn(unit));
  }
  if (pointer.form !== 'raw' && !pointer.erased) return false;
  if (invalidation.how.endsWith(', which took it')) return true;
  if (REPLACED.has(invalidation.how)) return !isTakenBefore(unit.textOf(file.path) ?? '', pointer, invalidation);
  if (use.kind === 'write' || (pointer.target.root.kind === 'self' && isHandedOn(pointer))) return false;
  return endsWithItsRoot(pointer.target, 'rust', unit.oracle('rust'), file.path, dropsInHere(unit, file, fn, pointer));
}

/** Between the borrow and the assignment the old value went elsewhere: what is dropped is what was put in its place. */
function isTakenBefore(text: string, { site }: Pointer, { span }: StaleUse['invalidation']): boolean {
  return /\btake\s*\(|\breplace\s*\(|\bswap\s*\(|\bforget\s*\(|\binto_raw\b|\bleak\b/u.test(
    text.slice(site.start, span.start),
  );
}

/** Types that end what they hold: those with a `Drop` of the unit, and a count that the function made and that nothing raised. */
function dropsInHere(unit: UnitFacts, file: FileIr, fn: FunctionIr, { target: { root } }: Pointer) {
  const drops = dropsIn(unit);
  return (name: string): boolean =>
    drops(name) || (/^(?:Rc|Arc)$/u.test(name) && isSoleCount(unit.textOf(file.path) ?? '', fn, root));
}

/** `Rc::new(..)` that ends with its statement, or `let shared = Rc::new(..)` that is never cloned, lent to a call or kept: its end is the end of what it counts. */
function isSoleCount(text: string, fn: FunctionIr, { kind, name, span }: Root): boolean {
  if (kind === 'temp')
    return /^&?\s*(?:\w+::)*(?:Rc|Arc)\s*::\s*(?:new|from)\s*\(/u.test(text.slice(span.start, span.end));
  const body = text.slice(fn.span.start, fn.span.end);
  const made = new RegExp(
    `\\blet\\s+(?:mut\\s+)?${name}\\s*(?::[^=;]*)?=\\s*(?:\\w+::)*(?:Rc|Arc)\\s*::\\s*(?:new|from)\\s*\\(`,
    'u',
  );
  if (!made.test(body)) return false;
  const rest = body.replace(made, '');
  // Looked at, asked for its pointer, dropped.
  const seen = new RegExp(
    `(?:\\b(?:Rc|Arc)\\s*::\\s*as_ptr\\s*\\(\\s*&\\s*${name}\\s*\\)|\\bdrop\\s*\\(\\s*${name}\\s*\\)|\\*\\s*${name}\\b)`,
    'gu',
  );
  return !new RegExp(`\\b${name}\\b`, 'u').test(rest.replace(seen, ''));
}

function leavesItsOwner(unit: UnitFacts, file: FileIr, fn: FunctionIr, flow: FunctionFlow, escape: Escape): boolean {
  const { pointer } = escape;
  const { root } = pointer.target;
  const rust = file.language === 'rust';
  if (escape.ownerMoved || pointer.form === 'closure' || pointer.form === 'guard') return false;
  // The compiler follows an iterator, unless its lifetime was taken away and something keeps it.
  const isKept = escape.kind === 'store' && /^(?:self|global)$/u.test(escape.into?.root.kind ?? '');
  if (pointer.form === 'iterator' && !(rust && pointer.erased && isKept)) return false;
  if (rust && pointer.form !== 'raw' && !pointer.erased) return false;
  // What a closure is given ends with its call.
  const { into } = escape;
  if (rust && into?.root.kind === 'param' && into.path.length === 0 && fn.bodySpan)
    if (isInside(into.root.span, fn.bodySpan)) return false;
  if (!rust && isCopiedOrShared(file, fn, escape)) return false;
  const oracle = unit.oracle(file.language);
  const drops = rust ? dropsInHere(unit, file, fn, pointer) : dropsIn(unit);
  if (
    !endsWithItsRoot(pointer.target, file.language, oracle, file.path, drops) &&
    !(rust ? mayOwnContent(file, fn, pointer) : isOfTuple(unit, file, fn, pointer))
  )
    return false;
  if (rust && isKeptAlong(unit, file, escape)) return false;
  if (rust && (isDisowned(unit, file, fn, escape.pointer.target) || isPutBeside(unit, file, escape))) return false;
  if (!rust && D_OWNERS.has(root.type?.name ?? '') && isSharedOrRange(fn, pointer)) return false;
  if (!rust && (D_MAPPINGS.has(root.type?.name ?? '') || pointer.target.path.includes('*')) && isGivenAway(fn, root))
    return false;
  if (rust && root.kind === 'self' && (!isOwnValue(file, fn) || isTakenOut(flow, pointer) || isHandedOn(pointer)))
    return false;
  if (rust && escape.kind === 'return' && escape.context.frames.length === 0 && isPlainResult(file, fn)) return false;
  if (escape.kind === 'return') {
    const frame = escape.context.frames[0];
    // The address of a variable that is returned as a number measures the stack, and one that names something is only compared.
    if (
      rust &&
      !frame &&
      isNumber(fn.returns) &&
      (NAMES_BY_NUMBER.test(fn.name) || !pointer.target.path.some((s) => s === '[]' || s === '*'))
    )
      return false;
    if (frame) {
      // Only what the closure itself owns ends with the closure.
      const closure = file.functions.find((f) => f.id === frame.functionId);
      if (!closure || root.span.start < closure.span.start || root.span.end > closure.span.end) return false;
      // `.field("callback", &self.callback.as_ref().map(|c| c as *const _))`: of a pointer the number is shown.
      if (rust && fn.name === 'fmt' && /^(?:Debug|Display|Pointer)$/u.test(fn.trait ?? '')) return false;
      // What a parameter without a type shows may be anybody's; its own address is that of the closure's variable.
      if (root.kind === 'param' && root.type === undefined && (pointer.how !== '&' || pointer.target.path.length > 0))
        return false;
    }
    if (!rust && pointer.form !== 'slice' && isRefused(unit, file, fn, escape)) return false;
    // A struct that points into itself and is built in the caller's place goes on pointing there.
    if (
      !rust &&
      (isKeptWithFrame(flow, root) || isInHeapFrame(file, fn, root.name) || isBuiltForCaller(file, fn, root))
    )
      return false;
    if (!rust && pointer.form === 'slice' && escape.span.start <= pointer.site.start && fn.trust === 'safe')
      return false;
    return true;
  }
  // A set of addresses tells who was seen.
  if (rust && isInSet(unit, file, escape)) return false;
  if (rust)
    return escape.atExit === true
      ? !isWaitedOn(unit, file, fn, escape) && !isScratch(unit, file, fn, escape)
      : escape.kind === 'spawn' && !isWaitedFor(flow, escape);
  // Who catches the exception reads its text when the frame is gone.
  if (escape.kind === 'throw')
    return (
      (pointer.form === 'slice' && isCharacters(root.type)) ||
      // The object itself: `scope error = new E(text); throw error;`
      (root.storage === 'stack' && pointer.how === 'new' && pointer.target.path.length === 0)
    );
  if (escape.kind === 'collect')
    return isKeptByList(unit, file, escape) && !isRefused(unit, file, fn, escape) && !isTakenBack(fn, escape);
  if (escape.kind === 'store' && (isArgumentBlock(fn, escape) || waitsFor(fn, escape) || isTakenBack(fn, escape)))
    return false;
  if (escape.kind === 'store' && isUnlinked(fn, root.name, escape.span)) return false;
  if (escape.kind === 'store' && isInOwnBlock(file, fn, into)) return false;
  if (!rust && escape.kind === 'store' && isPutBackByHelper(unit, file, flow, escape)) return false;
  if (escape.kind === 'store' && isBuiltForCaller(file, fn, root)) return false;
  if (!rust && escape.kind === 'store' && pointer.target.path.length === 0 && marksStack(escape)) return false;
  if (escape.kind === 'store')
    return escape.into !== undefined && !capturedOnHeap(flow, root) && !isInHeapFrame(file, fn, root.name)
      ? fn.trust !== 'safe' || isMadeInTrusted(file, fn, pointer)
      : false;
  return false;
}

/** D: the variable is more than looked at: it is copied, moved, given to somebody, or what it holds is taken out of it. */
function isGivenAway(fn: FunctionIr, { kind, name }: Root): boolean {
  if (kind !== 'local' || fn.body === undefined) return false;
  let isGiven = false;
  walkBody(fn.body, ({ expr, around }) => {
    if (expr.kind !== 'name' || expr.path.length !== 1 || expr.path[0] !== name) return;
    const by = around.at(-1);
    const called =
      by?.kind === 'method' && by.receiver === expr
        ? by.method
        : by?.kind === 'field' && by.base === expr
          ? by.name
          : undefined;
    const isLooked = called !== undefined || ((by?.kind === 'index' || by?.kind === 'slice') && by.base === expr);
    const outer = around.at(-2);
    const isSet = by !== undefined && outer?.kind === 'assign' && outer.target === by && by.kind === 'field';
    if (!isLooked || isSet || TAKES.test(called ?? '')) isGiven = true;
  });
  return isGiven;
}

/** Methods after which an object no longer owns what it did. */
const TAKES = /release|detach|disown|take|steal|move|leak|forget|give|swap|extract|reset/iu;

/** D: a range over a container holds on to its block, and so does whoever is given the container. */
function isSharedOrRange(fn: FunctionIr, { form, how, target }: Pointer): boolean {
  const { name } = target.root;
  if ((form !== 'raw' && how !== 'data') || fn.body === undefined) return true;
  let isShared = false;
  walkBody(fn.body, ({ expr, around }) => {
    if (expr.kind !== 'name' || expr.path.length !== 1 || expr.path[0] !== name) return;
    const by = around.at(-1);
    const isOnlyRead =
      (by?.kind === 'method' && by.receiver === expr) ||
      ((by?.kind === 'index' || by?.kind === 'field' || by?.kind === 'slice') && by.base === expr) ||
      (by?.kind === 'assign' && by.target === expr) ||
      (by?.kind === 'loop' && by.iterable === expr);
    if (!isOnlyRead) isShared = true;
  });
  return isShared;
}

/** D: `&args[i]` of `void f(T...)(T args)`: each element of the tuple is a parameter of its own. */
function isOfTuple(unit: UnitFacts, file: FileIr, fn: FunctionIr, { target: { root, path } }: Pointer): boolean {
  if (root.kind !== 'param' || !root.byValue || path.length !== 1 || path[0] !== '[]') return false;
  if (root.type?.kind !== 'path' || !fn.generics.some((one) => one.name === root.type?.name)) return false;
  const head = (unit.textOf(file.path) ?? '').slice(fn.span.start, fn.bodySpan?.start ?? fn.nameSpan.end);
  return new RegExp(String.raw`\b${root.type.name}\s*\.\.\.`, 'u').test(head);
}

/** D: a static array of characters or bytes. */
function isCharacters(type: TypeRef | undefined): boolean {
  return type?.kind === 'static-array' && /^(?:[wd]?char|u?byte)$/u.test(type.element?.name ?? '');
}

/** Rust: what a pointer in `self` leads to, given by a method, which may have taken `self` apart. */
function isHandedOn({ target, how }: Pointer): boolean {
  return target.path.includes('*') && how !== 'declared';
}

/** Rust: `Prepared { data: f.as_ref() as *const F, keeper: Keeper::new(f) }`: a constructor of the package takes the block into the same value. */
function isPutBeside(unit: UnitFacts, file: FileIr, { span, pointer }: Escape): boolean {
  const { root } = pointer.target;
  if (root.kind === 'temp' || root.type?.kind !== 'path' || !/^(?:Box|Vec|String|Rc|Arc)$/u.test(root.type.name))
    return false;
  if (pointer.target.path.length === 0) return false;
  const text = unit.textOf(file.path)?.slice(pointer.site.end, span.end) ?? '';
  const [, type = '', made = ''] =
    new RegExp(`:\\s*([A-Z]\\w*)\\s*::\\s*(\\w+)\\s*\\(\\s*${root.name}\\s*\\)\\s*[,}]`, 'u').exec(text) ?? [];
  return type !== '' && unit.functionsNamed(made, 'rust').some(({ item }) => item.owner === type && !item.self);
}

/** A call that is named for a release, as source of a pattern. */
const RELEASING_CALL = String.raw`\b\w*(?:free|release|destroy|delete|drop|close|unref|dealloc|from_raw|[fF]ree|Release|Destroy|Delete|Close)\w*\s*\(`;

/**
 * Rust: the destructor asks a flag of the value before it releases what a bare pointer of the value leads to, and the function takes the flag
 * back (`value.owned = false; Ok(value.ptr)`) or leaves by another way when it is set. Whoever takes the pointer out then owns it, or never did.
 */
function isDisowned(unit: UnitFacts, file: FileIr, fn: FunctionIr, { root: { name, type }, path }: Place): boolean {
  if (type?.kind !== 'path' || !fn.bodySpan || !/^\w+$/u.test(name)) return false;
  const fields = unit.oracle('rust').declaration(type.name, file.path)?.fields ?? [];
  const held = fields.find((f) => f.name === path[0])?.type;
  if (held && held.kind !== 'pointer' && held.name !== 'NonNull') return false;
  const text = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
  return fields.some(({ name: flag, type: of }) => {
    if (of?.name !== 'bool') return false;
    const told = `\\.\\s*(?:${flag}\\b|(?:is|has|owns|was)_${flag}\\s*\\(\\s*\\))`;
    const settled = new RegExp(
      `\\b${name}\\s*\\.\\s*${flag}\\s*=\\s*false\\b|\\bassert!\\s*\\(\\s*!\\s*${name}\\s*${told}|` +
        `\\bif\\s+${name}\\s*${told}\\s*\\{[^{}]*(?:\\breturn\\b|\\bbail!|\\bpanic!|\\bErr\\s*\\()`,
      'u',
    );
    if (!settled.test(text)) return false;
    const guards = new RegExp(`\\bif\\b[^{]*\\bself\\s*${told}[^{]*\\{[^]*?${RELEASING_CALL}`, 'u');
    return unit
      .implsOf(type.name, 'Drop')
      .some(({ file: at, item }) => guards.test((unit.textOf(at.path) ?? '').slice(item.span.start, item.span.end)));
  });
}

/** Rust: the field of `self` that holds the pointer is set to something else, so that `drop` does not find it. */
function isTakenOut(flow: FunctionFlow, { target }: Pointer): boolean {
  return flow.accesses.some(
    ({ kind, place }) => kind === 'write' && place.root.kind === 'self' && place.path[0] === target.path[0],
  );
}

/** Rust: `self` of a type that is no reference: neither `impl Trait for &mut T` nor a trait's own default. */
function isOwnValue(file: FileIr, fn: FunctionIr): boolean {
  const target = implAround(file, fn)?.target;
  return target?.kind === 'path' && target.lifetimes === undefined;
}

/** Rust: the result is made of numbers, text and lists that own what they hold: whatever the pointer was for, it is not in there. */
function isPlainResult(file: FileIr, fn: FunctionIr): boolean {
  const returns = fn.returns?.text === 'Self' ? implAround(file, fn)?.target : fn.returns;
  // A number may be the address.
  return returns !== undefined && !/^(?:usize|isize|u64|i64)$/u.test(returns.name) && isPlain(returns);
}

const PLAIN_TYPE =
  /^(?:[iu](?:8|16|32|64|128|size)|f32|f64|bool|char|String|CString|OsString|PathBuf|Vec|Option|Result|Box|Error)$/u;

function isPlain(type: TypeRef): boolean {
  if (type.kind === 'tuple') return type.args.every(isPlain);
  if (type.kind === 'static-array') return type.element !== undefined && isPlain(type.element);
  return type.kind === 'path' && PLAIN_TYPE.test(type.name) && type.lifetimes === undefined && type.args.every(isPlain);
}

/** Rust: a handle of the package, which may count its users, or a copy of it leaves in the very value that holds the pointer. */
function isKeptAlong(unit: UnitFacts, file: FileIr, { span, pointer }: Escape): boolean {
  const { name, type } = pointer.target.root;
  if (type?.kind !== 'path' || unit.oracle('rust').declaration(type.name, file.path) === undefined) return false;
  const text = unit.textOf(file.path)?.slice(span.start, span.end) ?? '';
  return new RegExp(`\\b${name}\\s*\\.\\s*(?:clone|to_owned|into|unbind)\\s*\\(`, 'u').test(text);
}

/**
 * D: the address is taken in the very expression that leaves, and nothing between hides it: casts, branches, arithmetic and literals
 * of arrays and structs. The compiler itself refuses this form.
 */
function isRefused(unit: UnitFacts, file: FileIr, fn: FunctionIr, escape: Escape): boolean {
  const { site, target } = escape.pointer;
  // An element of a container is shown by a function.
  if (D_OWNERS.has(target.root.type?.name ?? '') || target.path.includes('*')) return false;
  if (escape.span.start > site.start || site.end > escape.span.end) return false;
  // `return () @trusted { return buffer.ptr; }();`
  if (isMadeInTrusted(file, fn, escape.pointer)) return false;
  let refused = true;
  const isLiteral = (name: string): boolean =>
    unit.oracle('d').declaration(name, file.path)?.kind === 'struct' &&
    unit.oracle('d').methods(name, 'this', file.path).length === 0;
  const passes = (outer: Expr): boolean => {
    switch (outer.kind) {
      case 'call':
        return outer.callee.kind === 'name' && isLiteral(outer.callee.path.at(-1) ?? '');
      case 'new':
        return isLiteral(outer.type.name);
      case 'array':
        return outer.keys === undefined;
      case 'method':
        return false;
      case 'binary':
        // What is computed of a number is none of the compiler's business.
        return !/^[&|^]$/u.test(outer.operator);
      default:
        return true;
    }
  };
  for (const one of [fn, ...file.functions.filter((f) => f.kind === 'closure')]) {
    if (one.body === undefined || site.start < one.span.start || site.end > one.span.end) continue;
    walkBody(one.body, ({ expr, around }) => {
      if (expr.span.start !== site.start || expr.span.end !== site.end) return;
      // What a helper hands back is not looked through, called without parentheses neither.
      if (!passes(expr) || (expr.kind === 'field' && escape.pointer.how.endsWith('()'))) refused = false;
      const outer = around.filter((each) => escape.span.start <= each.span.start && each.span.end <= escape.span.end);
      if (!outer.every(passes)) refused = false;
    });
  }
  return refused;
}

/**
 * D: the pointer is made in a `@trusted` lambda or nested function of a function that is checked. `&local` in a lambda is the business of
 * 'scope-laundering'.
 */
function isMadeInTrusted(file: FileIr, { span }: FunctionIr, { site, how }: Pointer): boolean {
  return file.functions.some(
    (f) =>
      f.trust === 'trusted' &&
      f.parent !== undefined &&
      !(f.kind === 'closure' && how === '&') &&
      span.start <= f.span.start &&
      f.span.start <= site.start &&
      site.end <= f.span.end &&
      f.span.end <= span.end,
  );
}

/** D: what is added to a list that outlives the function, where the list holds pointers or slices and not what they show. */
function isKeptByList(unit: UnitFacts, file: FileIr, { pointer, into }: Escape): boolean {
  if (into === undefined || pointer.context.frames.length > 0) return false;
  const { root } = into;
  const leaves =
    root.kind === 'self' ||
    root.kind === 'global' ||
    (root.kind === 'param' && (!root.byValue || into.path.length > 0));
  if (!leaves) return false;
  const element = elementType(typeOfPlace(into, unit.oracle('d'), file.path));
  return pointer.form === 'slice'
    ? keepsSliceOf(element, typeOfPlace(pointer.target, unit.oracle('d'), file.path))
    : element?.kind === 'pointer' || (pointer.target.root.storage === 'stack' && element?.kind === 'path');
}

/** Rust: stored as a member of a set, where only the address matters. */
function isInSet(unit: UnitFacts, file: FileIr, { into }: Escape): boolean {
  const at = into?.path.lastIndexOf('[]') ?? -1;
  if (!into || at < 0) return false;
  const type = typeOfPlace({ root: into.root, path: into.path.slice(0, at) }, unit.oracle('rust'), file.path);
  return type?.kind === 'path' && /Set$/u.test(type.name);
}

/** Rust: what `as_ref()` of a parameter of a generic type shows is the parameter's own when the type owns it. */
function mayOwnContent(file: FileIr, fn: FunctionIr, { target: { root, path } }: Pointer): boolean {
  if (!root.byValue || path.length !== 1 || path[0] !== '[]' || !root.type) return false;
  const bounds =
    root.type.kind === 'impl-trait'
      ? [root.type.text]
      : root.type.kind === 'path'
        ? ([...fn.generics, ...(implAround(file, fn)?.generics ?? [])].find((g) => g.name === root.type?.name)
            ?.bounds ?? [])
        : [];
  const isCopied = bounds.some((b) => /\bCopy\b|^\s*'|\+\s*'(?!static)/u.test(b));
  return !isCopied && bounds.some((b) => /\b(?:AsRef|AsMut|Borrow)\s*</u.test(b));
}

interface KeptResult {
  readonly call: string;
  readonly span: Span;
  readonly end: string;
}

/** The address of something is assigned. */
const KEEPS_ADDRESS = /=\s*&\s*\w/u;

/**
 * D: the functions to look at, and in the same file the callers of those that keep the address of a `ref` parameter: the text of such a
 * call shows nothing.
 */
function withCallers(
  unit: UnitFacts,
  file: FileIr,
  picked: readonly FunctionIr[],
): readonly { readonly fn: FunctionIr; readonly file: FileIr }[] {
  const text = unit.textOf(file.path) ?? '';
  const names = file.functions.flatMap((fn) => {
    if (!fn.params.some(({ modifiers }) => modifiers.includes('ref'))) return [];
    const own = text.slice(fn.span.start, fn.span.end);
    if (!KEEPS_ADDRESS.test(own)) return [];
    const keeps = fn.params.some(
      ({ name, modifiers }) => modifiers.includes('ref') && new RegExp(`=\\s*&\\s*${name}\\b`, 'u').test(own),
    );
    const called = fn.kind === 'constructor' ? fn.owner : fn.name;
    return keeps && called !== undefined && /^\w+$/u.test(called) ? [called] : [];
  });
  const known = picked.map((fn) => ({ fn, file }));
  if (names.length === 0) return known;
  const calls = new RegExp(`\\b(?:${names.join('|')})\\s*\\(`, 'u');
  const starts = new Set(picked.map((fn) => fn.span.start));
  const isCaller = (fn: FunctionIr): boolean =>
    !starts.has(fn.span.start) && fn.parent === undefined && unit.holds(file, fn, [calls]);
  if (!file.functions.some(isCaller)) return known;
  const full = unit.withBodies(file, isCaller);
  return [
    ...known,
    ...full.functions.filter((fn) => fn.body !== undefined && isCaller(fn)).map((fn) => ({ fn, file: full })),
  ];
}

/** D: results of calls that are kept as pointers or slices into a temporary, also by callers of a helper that stands beside them. */
function findKept(
  unit: UnitFacts,
  file: FileIr,
  picked: readonly FunctionIr[],
): readonly { readonly kept: KeptResult; readonly inFile: FileIr }[] {
  const names = lendersOf(unit, file);
  const calls = names.length === 0 ? undefined : new RegExp(String.raw`\b(?:${names.join('|')})\s*[(;]`, 'u');
  const isCaller = (fn: FunctionIr): boolean => calls !== undefined && unit.holds(file, fn, [calls]);
  const full = file.functions.some(isCaller) ? unit.withBodies(file, isCaller) : file;
  const starts = new Set(picked.map((fn) => fn.span.start));
  return full.functions.flatMap((fn) => {
    if (fn.hasError === true || (!starts.has(fn.span.start) && !isCaller(fn))) return [];
    const sliced = findSlicedTemporaries(unit, full, fn).map((each) => ({ ...each, end: 'statement' }));
    return [...findConverted(unit, full, fn), ...sliced].map((kept) => ({ kept, inFile: full }));
  });
}

/** D: results of `tempCString` that are converted to a pointer at once: assigned to one, bound as one, or a branch of `?:`. */
function findConverted(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
): readonly { call: string; span: Span; end: string }[] {
  const found: { call: string; span: Span; end: string }[] = [];
  if (fn.body === undefined) return found;
  walkBody(fn.body, ({ expr, around, statement }) => {
    const call = expr.kind === 'field' ? expr.name : calledName(expr);
    if (call === undefined || !/^tempCStringW?$/u.test(call)) return;
    let value: Expr = expr;
    let at = around.length - 1;
    let isConverted = false;
    for (let parent = around[at]; parent !== undefined; parent = around[--at]) {
      if (parent.kind === 'field' && (parent.name === 'ptr' || parent.name === 'buffPtr')) isConverted = true;
      else if (parent.kind === 'if' && parent.condition !== value && parent.else !== undefined)
        isConverted ||= isNull(parent.then) || isNull(parent.else);
      else if (!(parent.kind === 'cast' || (parent.kind === 'block' && parent.block.result === value))) break;
      if (parent.kind === 'cast') isConverted = true;
      value = parent;
    }
    const parent = around[at];
    if (parent?.kind === 'call' || parent?.kind === 'method') {
      // An argument lives as long as the call, unless the conversion happened in a branch of its own.
      if (isConverted && value.kind === 'if') found.push({ call, span: expr.span, end: 'branch' });
    } else if (parent?.kind === 'assign' && parent.value === value) {
      if (parent.target.kind === 'index' || isConverted || isPointer(unit, file, fn, parent.target))
        found.push({ call, span: expr.span, end: 'statement' });
    } else if (parent === undefined && statement?.kind === 'let' && statement.init === value) {
      if (isConverted || statement.type?.kind === 'pointer') found.push({ call, span: expr.span, end: 'statement' });
    } else if (parent?.kind === 'return') found.push({ call, span: expr.span, end: 'statement' });
  });
  return found;
}

/** Whether a variable or member that is set is declared as a pointer. */
function isPointer(unit: UnitFacts, file: FileIr, fn: FunctionIr, target: Expr): boolean {
  return typeOfPath(unit, file, fn, memberPath(target) ?? '')?.kind === 'pointer';
}

function isNull(expr: Expr): boolean {
  const value =
    expr.kind === 'block' && expr.block.statements.length === 0 && expr.block.result !== undefined
      ? expr.block.result
      : expr;
  return value.kind === 'literal' && value.type === 'null';
}

/** D: what leaves is a copy, or was never a temporary. */
function isCopiedOrShared(file: FileIr, fn: FunctionIr, escape: Escape): boolean {
  const { pointer } = escape;
  // A slice returned from a function that returns a static array is copied into it; addresses in the array go along.
  if (escape.kind === 'return' && fn.returns?.kind === 'static-array')
    return fn.returnsRef !== true && !(pointer.form === 'raw' && fn.returns.element?.kind === 'pointer');
  // The address of a call's result can only be taken when the call returns by `ref`; a method of the result is called on a temporary.
  if (pointer.target.root.kind === 'temp' && pointer.form !== 'slice' && !pointer.how.endsWith('()')) return true;
  const target = escape.kind === 'store' ? escape.into : undefined;
  if (target !== undefined && isOwnParameter(file, escape.span, target)) return true;
  // A static array is copied into another one of the same name, `a.data = b.data[0 .. n]`, whatever the types around are.
  const member = pointer.target.path.at(-2);
  if (target !== undefined && pointer.form === 'slice' && member !== undefined && target.path.length > 1)
    if (pointer.target.path.at(-1) === '[]' && target.path.at(-1) === member) return true;
  // What an output range of any type does with a slice is copy it.
  const into = target?.root;
  return into?.kind === 'param' && into.type?.kind === 'path' && isTypeParameter(file, fn, into.type.name);
}

/**
 * D: a parameter of its own, also of a nested function or closure, which ends with it: `rest = rest[n .. $]`. What a nested function is
 * given by `ref` is mostly a variable beside the one that is pointed to.
 */
function isOwnParameter(file: FileIr, span: Span, { root, path }: NonNullable<Escape['into']>): boolean {
  if (path.length > 0 || (root.kind !== 'param' && root.kind !== 'unknown')) return false;
  const around = file.functions.filter((one) => one.span.start <= span.start && span.end <= one.span.end);
  const inner = around
    .toSorted((a, b) => b.span.start - a.span.start)
    .find((one) => one.params.some((param) => param.name === root.name));
  const param = inner?.params.find((one) => one.name === root.name);
  if (inner === undefined || param === undefined) return false;
  return inner.parent !== undefined || !(param.modifiers.includes('ref') || param.modifiers.includes('out'));
}

/** D: a runtime notes where the stack of a thread begins: an address that is not read through. */
function marksStack({ into }: Escape): boolean {
  const name = into?.path.findLast((step) => step !== '*') ?? into?.root.name ?? '';
  return /stack_?(?:bottom|end|top|base|begin|limit|origin)/iu.test(name);
}

/** D: the field is part of a block of arguments that is passed to a call by its address (`zs.next_out`, `deflate(&zs)`). */
function isArgumentBlock(fn: FunctionIr, escape: Escape): boolean {
  const into = escape.into;
  if (into === undefined || into.path.length < 2 || fn.body === undefined) return false;
  const block = into.path.slice(0, -1).join('.');
  let isPassed = false;
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind !== 'call' && expr.kind !== 'method') return;
    if (expr.args.some(({ value }) => value.kind === 'address' && memberPath(value.base) === block)) isPassed = true;
  });
  return isPassed;
}

/**
 * Rust: after the pointer is put into a queue the function waits until the owner itself says that it was taken out again:
 * `while !node.signaled.load(..) { park() }`.
 */
function isWaitedOn(unit: UnitFacts, file: FileIr, { span }: FunctionIr, { pointer, span: at }: Escape): boolean {
  const { name } = pointer.target.root;
  const after = (unit.textOf(file.path) ?? '').slice(at.end, span.end);
  return (
    /^\w+$/u.test(name) &&
    new RegExp(
      String.raw`\bwhile\s+[^;{}]*\b${name}\s*\.\s*\w|\b${name}\s*\.\s*(?:\w+\s*\.\s*)*(?:wait|park|join|recv)\w*\s*\(`,
      'u',
    ).test(after)
  );
}

/**
 * D: every `return` gives this very variable, and it is a static array or a struct that can't be moved in registers (it has a destructor
 * or a postblit): the compiler builds it in the caller's place, where it stays.
 */
function isBuiltForCaller(file: FileIr, around: FunctionIr, { name, kind, type, span }: Root): boolean {
  // A variable of a closure is what the closure returns.
  const fn =
    file.functions.findLast(
      (f) => f.kind === 'closure' && f.body !== undefined && f.span.start <= span.start && span.end <= f.span.end,
    ) ?? around;
  if (kind !== 'local' || fn.body === undefined) return false;
  const returned = type?.kind === 'unknown' && /^typeof\s*\(\s*return\s*\)$/u.test(type.text) ? fn.returns : type;
  const stays =
    returned?.kind === 'static-array' ||
    file.functions.some(
      (f) => f.owner === returned?.name && f.ownerKind === 'struct' && /^(?:destructor|postblit)$/u.test(f.kind),
    );
  if (!stays) return false;
  let isReturned = false;
  let isOther = false;
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind !== 'return') return;
    if (expr.value?.kind === 'name' && expr.value.path.join('.') === name) isReturned = true;
    else isOther = true;
  });
  return isReturned && !isOther;
}

/** D: the place is set again later in the function, in a `scope (exit)` too, or this very store takes a record off a list. */
function isTakenBack(fn: FunctionIr, escape: Escape): boolean {
  const into = escape.into?.path.filter((segment) => segment !== '*').join('.');
  const { root } = escape.into ?? {};
  if (root === undefined || into === undefined) return false;
  const list = escape.into?.path.indexOf('[]') ?? -1;
  if (list >= 0) {
    const steps = escape.into?.path.slice(0, list).filter((segment) => segment !== '*') ?? [];
    if (isUndone(fn, [...(root.kind === 'self' ? [] : [root.name]), ...steps].join('.'), escape.span)) return true;
  }
  // The place that was found, and how it is written: `manager.current.nested` by getters.
  const names = new Set([root.kind === 'self' ? into : [root.name, ...(into === '' ? [] : [into])].join('.')]);
  let isSet = false;
  let isConditional = false;
  // Under a flag alone it is set again on that way only.
  const flags = new Set<number>();
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr, around }) => {
      if (expr.kind !== 'assign' || expr.operator !== '=') return;
      const target = memberPath(expr.target);
      if (target === undefined) return;
      // `top = top.next` takes a record off the list that it was put on.
      if (expr.span.start === escape.span.start) {
        names.add(target);
        isSet ||= expr.value.kind === 'field' && memberPath(expr.value.base) === target;
        // What is stored on one way only may be taken back on the same.
        isConditional = around.some((outer) => outer.kind === 'if' || outer.kind === 'match');
      } else if (expr.span.start > escape.span.end && names.has(target) && expr.value.kind !== 'address') {
        const flag = isConditional ? undefined : flagAround(fn, around);
        if (flag === undefined) isSet = true;
        else flags.add(flag.span.start);
      }
    });
  return isSet || flags.size > 1;
}

/**
 * D: the `if` around a statement that asks for a flag which the caller gives, and that is all that is around it. An `else`, or a second
 * question for the same flag, says what happens on the other way.
 */
function flagAround(fn: FunctionIr, around: readonly Expr[]): (Expr & { readonly kind: 'if' }) | undefined {
  const tests = around.filter(({ kind }) => kind === 'if' || kind === 'match' || kind === 'loop' || kind === 'closure');
  const [test] = tests;
  if (tests.length !== 1 || test?.kind !== 'if' || test.isStatic === true || test.else !== undefined) return undefined;
  const plain = test.condition.kind === 'unary' ? test.condition.operand : test.condition;
  const flag = plain.kind === 'name' && plain.path.length === 1 ? plain.path[0] : undefined;
  if (flag === undefined || !fn.params.some(({ name }) => name === flag)) return undefined;
  let mentions = 0;
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr }) => {
      if (expr.kind === 'name' && expr.path.length === 1 && expr.path[0] === flag) mentions++;
    });
  return mentions === 1 ? test : undefined;
}

/** D: a helper that is called afterwards sets the member to something else: `startLoop(compiler, &loop); .. endLoop(compiler);` */
function isPutBackByHelper(unit: UnitFacts, file: FileIr, flow: FunctionFlow, { into, span }: Escape): boolean {
  if (into === undefined || into.path.length === 0) return false;
  const oracle = unit.oracle('d');
  const key = placeKey(into);
  const member = growthKey(into, oracle, file.path);
  return flow.accesses.some(
    (one) =>
      one.kind === 'write' &&
      one.what.endsWith('()') &&
      one.span.start > span.end &&
      (placeKey(one.place) === key || (member !== undefined && growthKey(one.place, oracle, file.path) === member)),
  );
}

/** D: what is stored is given back before the function ends: it waits on the local itself, as on a semaphore. */
function waitsFor(fn: FunctionIr, escape: Escape): boolean {
  const { name } = escape.pointer.target.root;
  let waits = false;
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr }) => {
      if (expr.kind !== 'method' && expr.kind !== 'field') return;
      if (expr.span.start < escape.span.end) return;
      const [subject, called] = expr.kind === 'method' ? [expr.receiver, expr.method] : [expr.base, expr.name];
      if (/^(?:wait\w*|join\w*|acquire|yieldForce|workForce|spinForce)$/u.test(called) && memberPath(subject) === name)
        waits = true;
    });
  return waits;
}

/** Whether the unit implements `Drop` for a type. */
function dropsIn(unit: UnitFacts): (typeName: string) => boolean {
  return (typeName) => typeName !== '' && hasDrop(unit, typeName);
}

/** D: a local that an escaping delegate captures lives in a heap frame. */
function capturedOnHeap(flow: FunctionFlow, root: Root): boolean {
  return flow.pointers.some((p) => p.form === 'closure' && p.target.root.id === root.id);
}

/** D: the frame that holds the local is on the heap, because a delegate that leaves the function captures it. */
function isKeptWithFrame(flow: FunctionFlow, root: Root): boolean {
  return flow.escapes.some(
    (e) => e.pointer.form === 'closure' && e.pointer.target.root.id === root.id && e.kind !== 'argument',
  );
}

function nameOf(root: Root): string {
  if (root.kind === 'temp') return 'a temporary';
  return root.kind === 'param' ? `the by-value parameter '${root.name}'` : `'${root.name}'`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function declareStep(file: FileIr, root: Root): { file: FileIr; span: Root['span']; role: 'declare'; note: string }[] {
  return root.kind === 'temp'
    ? []
    : [{ file, span: root.span, role: 'declare', note: `'${root.name}' is declared here.` }];
}

function whereTo(escape: Escape): string {
  if (escape.kind === 'return') return escape.context.frames.length > 0 ? 'returned from the closure' : 'returned';
  if (escape.kind === 'spawn') return 'given to another thread';
  if (escape.kind === 'throw') return 'thrown with an exception';
  if (escape.kind === 'collect') return escape.into ? `added to '${describePlace(escape.into)}'` : 'added to a list';
  return escape.into ? `stored in '${describePlace(escape.into)}'` : 'stored';
}

/** Words of functions whose number tells one thing from another and leads to none. */
const NAMES_BY_NUMBER = /(?:^|_)(?:id|ident|identity|hash|hash_code|fingerprint|key|addr|address)(?:_|$)/u;
