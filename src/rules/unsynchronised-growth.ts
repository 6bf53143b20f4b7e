import { declaredIn, enclosing, outermost, hasAttribute, hasBody, memberPath } from '../facts/d-code.js';
import { walkBody } from '../model/walk-body.js';
import type { Expr, FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { defineRule } from './rule.js';

const THREADS =
  /\b(?:Thread|spawn|spawnLinked|taskPool|TaskPool|parallel|runWorkerTask|task)\b\s*[!(]|\bnew\s+Thread\b|\bpthread_create\b/u;

export default defineRule({
  meta: {
    id: 'unsynchronised-growth',
    title: 'Shared array grown without a lock',
    summary: 'An array that all threads share grows outside a lock.',
    languages: ['d'],
    severity: 'warning',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-362', 'CWE-820'],
    messages: {
      grows:
        "'{array}' is {storage} and grows in '{function}' without a lock, in a module that starts threads: two threads may grow it at once, and one of them writes to the old block.",
    },
    checklist: 'Is the array that threads share only ever grown under a lock?',
    scenarios: ['command'],
  },
  tokens: { d: ['__gshared', 'shared '] },
  requires: { d: ['Thread', 'spawn', 'taskPool', 'parallel', 'runWorkerTask', 'pthread_create'] },
  bodyTokens: { d: ['~=', '.length'] },
  looksAt: 'bodies',
  perFile: ['d'],
  check({ unit, report }) {
    for (const file of unit.filesOf('d')) {
      if (!THREADS.test(unit.textOf(file.path) ?? '')) continue;
      const arrays = sharedArrays(file);
      if (arrays.size === 0) continue;
      for (const fn of file.functions) {
        if (
          !hasBody(fn) ||
          fn.kind === 'static-constructor' ||
          fn.kind === 'unittest' ||
          fn.kind === 'constructor' ||
          isLocked(unit.textOf(file.path) ?? '', file, fn)
        )
          continue;
        const outer = [fn, ...enclosing(file, fn)];
        walkBody(fn.body, ({ expr, around }) => {
          const name = grown(expr);
          const array = name === undefined ? undefined : arrays.get(name);
          if (name === undefined || array === undefined || outer.some((one) => declaredIn(one).has(name))) return;
          if (around.some((one) => one.kind === 'block' && one.flavour === 'synchronized')) return;
          report({
            messageId: 'grows',
            data: { array: name, storage: `'${array.storage}'`, function: fn.name },
            at: { file, span: expr.span },
            steps: [{ file, span: array.span, role: 'declare', note: 'All threads see this one array.' }],
            key: `${name}|${fn.name}`,
          });
        });
      }
    }
  },
});

function sharedArrays(file: FileIr): ReadonlyMap<string, { readonly storage: string; readonly span: Span }> {
  const found = new Map<string, { storage: string; span: Span }>();
  for (const global of file.globals)
    if (
      (global.kind === 'gshared' || global.kind === 'shared') &&
      (global.type?.kind === 'slice' || global.type?.kind === 'assoc-array') &&
      global.inFunction === undefined
    )
      found.set(global.name, { storage: global.kind === 'gshared' ? '__gshared' : 'shared', span: global.nameSpan });
  for (const type of file.types)
    for (const field of type.fields) {
      const storage = field.attributes.find((one) => one.name === '__gshared' || one.name === 'shared')?.name;
      if (field.isStatic && storage !== undefined && field.type?.kind === 'slice')
        found.set(field.name, { storage, span: field.span });
    }
  return found;
}

/** The array that an expression makes longer. */
function grown(expr: Expr): string | undefined {
  if (expr.kind !== 'assign') return undefined;
  if (expr.operator === '~=') return memberPath(expr.target);
  return expr.target.kind === 'field' && expr.target.name === 'length' ? memberPath(expr.target.base) : undefined;
}

/** The function, or what is around it, takes a lock somewhere; whether around the growth is not asked. */
function isLocked(text: string, file: FileIr, fn: FunctionIr): boolean {
  const { span } = outermost(file, fn);
  if (hasAttribute(fn, 'synchronized')) return true;
  return /\b(?:synchronized|lock|lock_nothrow|tryLock|acquire|cas|pthread_mutex_lock)\b/u.test(
    text.slice(span.start, span.end),
  );
}
