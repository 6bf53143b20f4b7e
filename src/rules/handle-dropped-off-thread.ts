import { isExported } from '../facts/js-memory.js';
import { plainText } from '../facts/plain-text.js';
import type { UnitFacts } from '../facts/unit.js';
import { lineOf } from '../facts/lines.js';
import { movedAway } from '../facts/napi-fixes.js';
import type { FileIr, FunctionIr, Param, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { defineRule } from './rule.js';

const RELEASE = /\bnapi_(?:delete_reference|reference_unref)\s*\(/u;
/** A body that asks which thread it is on, or hands the work to the right one. */
const DEFERS = /thread|custom_gc|is_main|\bchannel\b|\.send\s*\(|same_env/iu;

/** napi-rs types whose drop gave the reference back on the dropping thread, and the first version that defers it. */
const DEFERRED_SINCE: Readonly<Record<string, { readonly from: string; readonly fixed: string }>> = {
  FunctionRef: { from: '3.0.0', fixed: '3.10.5' },
};
/** napi-rs types of which version 2 said that any thread may have them, and whose count is that of one thread. */
const COUNTED: Readonly<Record<string, { readonly from: string; readonly fixed: string }>> = {
  Reference: { from: '2.0.0', fixed: '3.0.0' },
  SharedReference: { from: '2.0.0', fixed: '3.0.0' },
  WeakReference: { from: '2.0.0', fixed: '3.0.0' },
};

export default defineRule({
  meta: {
    id: 'handle-dropped-off-thread',
    title: 'Handle dropped off the JavaScript thread',
    summary: 'A reference to a JavaScript value is deleted by a drop that may run on another thread.',
    languages: ['rust'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-362', 'CWE-416'],
    messages: {
      drop: "Dropping '{type}' calls '{call}' on whatever thread drops it, and '{type}' is declared 'Send': off the JavaScript thread that corrupts the handles of V8.",
      argument:
        "'{name}' ('{type}') is dropped on a thread of the runtime when '{function}' ends, and napi {version} deletes its reference there; {fixed} defers it to the JavaScript thread.",
      moved:
        "'{name}' ('{type}') of '{function}' is moved to another thread or task at line {line} and dropped there, and napi {version} deletes its reference or changes its count on that thread; {fixed} {instead}.",
    },
    checklist: 'On which thread is the last copy of this reference dropped?',
    scenarios: ['gc-churn'],
  },
  tokens: { rust: ['napi_delete_reference', 'napi_reference_unref', 'FunctionRef', 'Reference<'] },
  requires: { rust: ['Drop', 'async fn', 'spawn'] },
  bodyTokens: { rust: ['no body is read by its tree'] },
  check({ unit, report }) {
    for (const file of unit.filesOf('rust')) {
      for (const impl of file.impls) {
        if (impl.trait?.name !== 'Drop') continue;
        const drop = file.functions.find(
          (f) => f.name === 'drop' && f.bodySpan && impl.span.start <= f.span.start && f.span.end <= impl.span.end,
        );
        if (!drop?.bodySpan) continue;
        const text = plainText(unit, file, drop.bodySpan);
        const call = RELEASE.exec(text);
        if (!call || DEFERS.test(text)) continue;
        const sent = unit
          .implsOf(impl.target.name)
          .find(({ item }) => item.isUnsafe && !item.isNegative && item.trait?.name === 'Send');
        if (!sent) continue;
        const start = drop.bodySpan.start + call.index;
        const name = call[0].replace(/\s*\($/u, '');
        report({
          messageId: 'drop',
          data: { type: impl.target.name, call: name },
          at: { file, span: { start, end: start + name.length } },
          steps: [
            {
              file: sent.file,
              span: sent.item.headSpan,
              role: 'escape',
              note: `'${impl.target.name}' may move to another thread by this.`,
            },
            {
              file,
              span: { start, end: start + name.length },
              role: 'release',
              note: 'The reference is given back here.',
            },
          ],
          key: impl.target.name,
        });
      }
      for (const fn of file.functions) {
        if (fn.kind === 'closure' || !isExported(fn)) continue;
        if (!fn.isAsync) {
          for (const moved of findMoved(unit, file, fn))
            report({
              messageId: 'moved',
              data: {
                name: moved.param.name,
                type: moved.type.text,
                function: fn.name,
                line: lineOf(unit, file, moved.at.start),
                version: moved.version,
                fixed: moved.known.fixed,
                instead: COUNTED[moved.type.name] ? 'refuses to compile that' : 'defers it to the JavaScript thread',
              },
              at: { file, span: moved.param.span },
              steps: [
                {
                  file,
                  span: moved.param.span,
                  role: 'declare',
                  note: `'${moved.param.name}' holds a reference of JavaScript.`,
                },
                { file, span: moved.at, role: 'escape', note: 'It is moved away from the JavaScript thread here.' },
              ],
              key: `${fn.qualifiedName}|${moved.param.name}`,
              fixedIn: `napi ${moved.known.fixed}`,
            });
          continue;
        }
        for (const param of fn.params) {
          const type = findDirect(param.type);
          const known = type ? DEFERRED_SINCE[type.name] : undefined;
          const version = type && known ? olderThanFix(unit, file, known) : undefined;
          if (!type || !known || version === undefined) continue;
          report({
            messageId: 'argument',
            data: { name: param.name, type: type.text, function: fn.name, version, fixed: known.fixed },
            at: { file, span: param.span },
            steps: [
              { file, span: param.span, role: 'declare', note: `'${param.name}' holds a reference of JavaScript.` },
            ],
            key: `${fn.qualifiedName}|${param.name}`,
            fixedIn: `napi ${known.fixed}`,
          });
        }
      }
    }
  },
});

interface Moved {
  readonly param: Param;
  readonly type: TypeRef;
  readonly known: { readonly from: string; readonly fixed: string };
  readonly version: string;
  readonly at: Span;
}

/** Parameters of an exported function that a closure takes along to a thread or a task. */
function findMoved(unit: UnitFacts, file: FileIr, fn: FunctionIr): readonly Moved[] {
  const held = fn.params.flatMap((param) => {
    const type = findDirect(param.type, true);
    const known = type && (DEFERRED_SINCE[type.name] ?? COUNTED[type.name]);
    const version = known && olderThanFix(unit, file, known);
    return type && known && version !== undefined ? [{ param, type, known, version }] : [];
  });
  if (held.length === 0 || !fn.bodySpan || !/spawn/u.test(plainText(unit, file, fn.bodySpan))) return [];
  const read = unit.withBodies(file, (f) => f.span.start >= fn.span.start && f.span.end <= fn.span.end);
  const whole = read.functions.find((f) => f.nameSpan.start === fn.nameSpan.start);
  return held.flatMap((one) => {
    const at = whole && movedAway(read, whole, one.param.name);
    return at ? [{ ...one, at }] : [];
  });
}

function findDirect(type: TypeRef | undefined, isMoved = false): TypeRef | undefined {
  if (type?.kind !== 'path') return undefined;
  if (DEFERRED_SINCE[type.name] || (isMoved && COUNTED[type.name])) return type;
  return /^(?:Option|Vec|Arc)$/u.test(type.name) ? findDirect(type.args[0], isMoved) : undefined;
}

/** The pinned version of napi when it is one without the fix; without a lockfile nothing is known. */
function olderThanFix(
  unit: UnitFacts,
  file: FileIr,
  known: { readonly from: string; readonly fixed: string },
): string | undefined {
  const locked = unit.project.lockedVersions('napi', unit.project.cargoPackageOf(file.path))[0]?.value;
  return locked !== undefined && compare(locked, known.from) >= 0 && compare(locked, known.fixed) < 0
    ? locked
    : undefined;
}

function compare(a: string, b: string): number {
  const parts = (text: string): number[] => (text.split(/[-+]/u)[0] ?? '').split('.').map(Number);
  const [left, right] = [parts(a), parts(b)];
  for (let i = 0; i < 3; i++) if ((left[i] ?? 0) !== (right[i] ?? 0)) return (left[i] ?? 0) - (right[i] ?? 0);
  return 0;
}
