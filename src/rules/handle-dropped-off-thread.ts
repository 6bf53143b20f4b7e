import { isExported } from '../facts/js-memory.js';
import { plainText } from '../facts/plain-text.js';
import type { UnitFacts } from '../facts/unit.js';
import type { FileIr, TypeRef } from '../model/ir.js';
import { defineRule } from './rule.js';

const RELEASE = /\bnapi_(?:delete_reference|reference_unref)\s*\(/u;
/** A body that asks which thread it is on, or hands the work to the right one. */
const DEFERS = /thread|custom_gc|is_main|\bchannel\b|\.send\s*\(|same_env/iu;

/** napi-rs types whose drop gave the reference back on the dropping thread, and the first version that defers it. */
const DEFERRED_SINCE: Readonly<Record<string, { readonly from: string; readonly fixed: string }>> = {
  FunctionRef: { from: '3.0.0', fixed: '3.10.5' },
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
    },
    checklist: 'On which thread is the last copy of this reference dropped?',
    scenarios: ['gc-churn'],
  },
  tokens: { rust: ['napi_delete_reference', 'napi_reference_unref', 'FunctionRef'] },
  requires: { rust: ['Drop', 'async fn'] },
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
        if (!fn.isAsync || fn.kind === 'closure' || !isExported(fn)) continue;
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

function findDirect(type: TypeRef | undefined): TypeRef | undefined {
  if (type?.kind !== 'path') return undefined;
  if (DEFERRED_SINCE[type.name]) return type;
  return /^(?:Option|Vec|Arc)$/u.test(type.name) ? findDirect(type.args[0]) : undefined;
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
