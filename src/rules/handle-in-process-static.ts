import { concernsAddons, filesInside, findAddonScopes, triplesWith, type AddonScope } from '../facts/addon-scope.js';
import { findHeldHandle, PLAIN_TYPES, type HeldHandle } from '../facts/held-handles.js';
import { lineOf } from '../facts/lines.js';
import { findNumberedHandle } from '../facts/numbered-handles.js';
import type { UnitFacts } from '../facts/unit.js';
import { calleeOf, walkBody } from '../model/walk-body.js';
import type { Expr, FileIr, GlobalDecl } from '../model/ir.js';
import type { CargoPackage } from '../model/project.js';
import { defineRule, type ReportStep } from './rule.js';

/** A static item (not the lifetime) whose type names something of Node-API, of the package or of a crate: what is none of these holds no handle. */
const MAY_HOLD = new RegExp(
  String.raw`(?<!')\bstatic\s+(?:(?:mut|ref)\s+)?(?:r#|\$)?\w+\s*:[^=]{0,400}?\b(?:napi_|(?!(?:${[...PLAIN_TYPES].join('|')}|Atomic[BIU]\w+)\b)[A-Z])`,
  'u',
);

/** A static number or untyped pointer, in a file that asks a handle for its address. */
const MAY_NUMBER =
  /^(?=[^]*?(?:\.\s*raw\s*\(\s*\)|\bnapi_(?:env|ref|value|deferred|threadsafe_function)\b))[^]*?(?<!')\bstatic\s+(?:mut\s+)?\w+\s*:[^=;]*\b(?:Atomic(?:Usize|Isize|U64|I64)|usize|isize|u64|i64|c_void)\b/u;

export default defineRule({
  meta: {
    id: 'handle-in-process-static',
    title: 'JavaScript handle in a process-wide static',
    summary:
      'State that belongs to one JavaScript environment is kept in a static that all environments of the process share.',
    languages: ['rust'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-567'],
    messages: {
      holds:
        "'{name}' is one for the whole process and holds '{handle}', which belongs to one environment: workers and reloaded windows share it, and find it after that environment is gone.",
      numbered:
        "'{name}' is one for the whole process, and '{function}' keeps '{handle}' in it as a bare number (line {stored}): it belongs to one environment, while workers and reloaded windows share the static, and find it after that environment is gone.",
      oneShot:
        "'{hook}' runs for the first environment only, because '{flag}' is one for the whole process: every later environment ends without its cleanup.",
    },
    checklist: 'What happens to this static when a second environment loads the addon, and when the first one ends?',
    scenarios: ['reload', 'main-and-worker'],
  },
  tokens: {
    rust: [
      'Lazy<',
      'LazyLock<',
      'OnceLock<',
      'OnceCell<',
      'AtomicPtr<',
      'static mut',
      'lazy_static',
      'RwLock<',
      'Mutex<',
      'cleanup_hook',
      'AtomicUsize',
      'AtomicIsize',
      'AtomicU64',
      'AtomicI64',
    ],
  },
  requires: { rust: [MAY_HOLD, MAY_NUMBER, 'cleanup_hook'] },
  bodyTokens: { rust: ['cleanup_hook'] },
  concerns: (project) => concernsAddons(project),
  check({ unit, report }) {
    const done = new Set<string>();
    for (const scope of findAddonScopes(unit)) {
      const isInside = (path: string): boolean => {
        const crate = unit.project.cargoPackageOf(path);
        return crate !== undefined && scope.crates.has(crate.dir);
      };
      for (const [file, crate] of filesInside(unit, scope)) {
        for (const global of file.globals) {
          const id = `${file.path}:${global.span.start}`;
          if (done.has(id) || !isShared(global) || global.isTest || global.type === undefined) continue;
          const handle = findHeldHandle(unit, file, global.type, isInside);
          const numbered = handle === undefined ? findNumberedHandle(unit, file, global) : undefined;
          if ((!handle && !numbered) || isGivenBack(unit, file, global)) continue;
          if (!isPresent(unit, scope, crate, file, global)) continue;
          done.add(id);
          if (numbered) {
            const { fn, stored, back, handle: kept } = numbered;
            report({
              messageId: 'numbered',
              data: {
                name: global.name,
                function: fn.name,
                handle: kept,
                stored: lineOf(unit, file, stored.start),
              },
              at: { file, span: global.nameSpan },
              steps: [
                { file, span: global.nameSpan, role: 'declare', note: `'${global.name}' is '${global.type.text}'.` },
                { file, span: stored, role: 'escape', note: `The address of '${kept}' is put into it here.` },
                { file, span: back, role: 'use', note: 'It becomes a handle again here.' },
                loadStep(scope),
              ],
              confidence: numbered.isReset ? 'low' : 'medium',
              key: global.name,
            });
          }
          if (!handle) continue;
          report({
            messageId: 'holds',
            data: { name: global.name, handle: handle.type.name },
            at: { file, span: global.nameSpan },
            steps: [
              { file, span: global.nameSpan, role: 'declare', note: `'${global.name}' is '${global.type.text}'.` },
              ...pathSteps(handle),
              loadStep(scope),
            ],
            confidence: handle.isThroughTrait ? 'medium' : 'high',
            key: global.name,
          });
        }
        for (const found of findOneShotHooks(file)) {
          const id = `${file.path}:${found.call.span.start}`;
          if (done.has(id) || !isPresent(unit, scope, crate, file, found.global)) continue;
          done.add(id);
          report({
            messageId: 'oneShot',
            data: { hook: found.hook, flag: found.global.name },
            at: { file, span: found.call.span },
            steps: [
              {
                file,
                span: found.global.nameSpan,
                role: 'declare',
                note: `'${found.global.name}' is set once per process and never reset.`,
              },
              { file, span: found.guard, role: 'use', note: 'Only the first environment gets past this.' },
              {
                file,
                span: found.call.span,
                role: 'release',
                note: `'${found.hook}' is registered for one environment.`,
              },
              loadStep(scope),
            ],
            confidence: 'medium',
            key: `${found.global.name}|${found.hook}`,
          });
        }
      }
    }
  },
});

function isShared(global: GlobalDecl): boolean {
  return global.kind === 'static' || global.kind === 'gshared' || global.kind === 'shared';
}

function isPresent(unit: UnitFacts, scope: AddonScope, crate: CargoPackage, file: FileIr, global: GlobalDecl): boolean {
  return triplesWith(unit.project, scope, crate, file.path, global.conditions).length > 0;
}

function pathSteps(handle: HeldHandle): readonly ReportStep[] {
  return handle.path.map(({ file, span, note }) => ({ file, span, role: 'escape' as const, note }));
}

function loadStep({ addon, crateType }: AddonScope): ReportStep {
  return {
    path: crateType.path,
    line: crateType.line,
    ...(crateType.column === undefined ? {} : { column: crateType.column }),
    role: 'load',
    note: `'${addon.name}' is loaded once per environment.`,
  };
}

/** A map whose entries are taken out again where something ends is state per environment, kept in a shared place. */
function isGivenBack(unit: UnitFacts, file: FileIr, global: GlobalDecl): boolean {
  if (!/Map\b|Slab\b/.test(global.type?.text ?? '')) return false;
  const text = unit.textOf(file.path) ?? '';
  // In a macro the name may be a parameter of it: `$name`.
  const name = `(?<![\\w$])${global.name.replace('$', '\\$')}\\b`;
  const isNamed = new RegExp(name);
  /** Functions that open it for others: `fn states() -> MutexGuard<'static, Map> { STATES.lock() }`. */
  const openers = file.functions
    .filter(
      (fn) =>
        fn.kind !== 'closure' &&
        /Guard\b|&/.test(fn.returns?.text ?? '') &&
        isNamed.test(text.slice(fn.span.start, fn.span.end)),
    )
    .map((fn) => `${fn.name}\\s*\\(\\)`);
  const pattern = new RegExp(
    `(?:${[name, ...openers.map((one) => `\\b${one}`)].join('|')})[^;]{0,200}\\.\\s*(?:remove|retain|shift_remove|swap_remove)\\s*\\(`,
  );
  const crate = unit.project.cargoPackageOf(file.path)?.dir ?? '';
  return unit
    .pathsOf('rust')
    .some(
      (path) =>
        (path === file.path || unit.project.cargoPackageOf(path)?.dir === crate) &&
        pattern.test(unit.textOf(path) ?? ''),
    );
}

interface OneShotHook {
  readonly global: GlobalDecl;
  readonly guard: Expr['span'];
  readonly call: Expr;
  readonly hook: string;
}

const hooks = /(?:^|::|\.)(?:napi_)?add_(?:env|async)_cleanup_hook$|(?:^|::|\.)add_(?:async_)?cleanup_hook$/;

/** Cleanup hooks that are registered behind a static that lets one caller through: `if !FLAG`, `FLAG.swap(true)`, `ONCE.call_once`. */
function findOneShotHooks(file: FileIr): readonly OneShotHook[] {
  const flags = new Map(file.globals.filter((one) => isShared(one) && isFlag(one)).map((one) => [one.name, one]));
  if (flags.size === 0) return [];
  const found: OneShotHook[] = [];
  for (const fn of file.functions) {
    if (fn.body === undefined || fn.isTest || fn.hasError === true) continue;
    /** Locals that were taken from a flag: `let done = FLAG.write().unwrap();`. */
    const locals = new Map<string, GlobalDecl>();
    walkBody(fn.body, ({ expr, around, statement }) => {
      if (statement?.kind === 'let' && statement.pattern.kind === 'bind' && statement.init === expr) {
        const flag = mentioned(expr, flags, locals);
        if (flag !== undefined) locals.set(statement.pattern.name, flag);
      }
      const callee = calleeOf(expr);
      if (callee === undefined || !hooks.test(callee)) return;
      const guard = [...around]
        .reverse()
        .find((one) => one.kind === 'if' && mentioned(one.condition, flags, locals) !== undefined);
      const flag = guard?.kind === 'if' ? mentioned(guard.condition, flags, locals) : undefined;
      if (guard?.kind === 'if' && flag !== undefined) {
        found.push({ global: flag, guard: guard.condition.span, call: expr, hook: callee.replace(/^.*::|^\./, '') });
      }
    });
    if (fn.kind !== 'closure') continue;
    // The closure given to `ONCE.call_once(..)` is a function of its own; its caller says which static it belongs to.
    const once = findOnceCaller(file, fn.id, flags);
    if (once === undefined) continue;
    walkBody(fn.body, ({ expr }) => {
      const callee = calleeOf(expr);
      if (callee !== undefined && hooks.test(callee))
        found.push({ global: once.flag, guard: once.span, call: expr, hook: callee.replace(/^.*::|^\./, '') });
    });
  }
  return found;
}

function findOnceCaller(
  file: FileIr,
  closure: number,
  flags: ReadonlyMap<string, GlobalDecl>,
): { readonly flag: GlobalDecl; readonly span: Expr['span'] } | undefined {
  let found: { flag: GlobalDecl; span: Expr['span'] } | undefined;
  for (const fn of file.functions) {
    if (fn.body === undefined || found !== undefined) continue;
    walkBody(fn.body, ({ expr }) => {
      if (expr.kind !== 'method' || !/^(?:call_once|get_or_init|get_or_try_init)$/.test(expr.method)) return;
      if (!expr.args.some(({ value }) => value.kind === 'closure' && value.functionId === closure)) return;
      const flag = mentioned(expr.receiver, flags, new Map());
      if (flag !== undefined) found = { flag, span: expr.methodSpan };
    });
  }
  return found;
}

function isFlag(global: GlobalDecl): boolean {
  return /^(?:(?:[\w]+::)*(?:AtomicBool|Once|bool)|.*\b(?:OnceLock|OnceCell|Mutex|RwLock)<\s*(?:\(\)|bool)\s*>)$/.test(
    global.type?.text ?? '',
  );
}

/** The flag that an expression reads, directly or through a local. */
function mentioned(
  expr: Expr,
  flags: ReadonlyMap<string, GlobalDecl>,
  locals: ReadonlyMap<string, GlobalDecl>,
): GlobalDecl | undefined {
  let found: GlobalDecl | undefined;
  walkBody({ span: expr.span, statements: [], result: expr }, ({ expr: inner }) => {
    if (inner.kind !== 'name') return;
    const last = inner.path[inner.path.length - 1] ?? '';
    found ??= flags.get(last) ?? (inner.path.length === 1 ? locals.get(last) : undefined);
  });
  return found;
}
