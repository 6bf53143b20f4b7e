import {
  concernsAddons,
  filesInside,
  findAddonScopes,
  reachOf,
  triplesWith,
  unkeptTriples,
  type AddonScope,
} from '../facts/addon-scope.js';
import { findKeptThreads } from '../facts/kept-threads.js';
import { isReachedFrom } from '../facts/reached-functions.js';
import { describeUnloading } from '../facts/unloading.js';
import type { UnitFacts } from '../facts/unit.js';
import { calleeOf, walkBody, type Walked } from '../model/walk-body.js';
import type { Expr, FileIr, FunctionIr } from '../model/ir.js';
import type { AddonReach, CargoPackage, Place } from '../model/project.js';
import type { Span } from '../model/source.js';
import { summariseTriples } from '../project/triples.js';
import { defineRule, type Anchor, type ReportStep } from './rule.js';

export default defineRule({
  meta: {
    id: 'threads-outlive-addon',
    title: 'Threads that outlive the addon',
    summary: 'An addon starts threads that nobody waits for, and the module can be unloaded while they run its code.',
    languages: ['rust'],
    severity: 'warning',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-672'],
    messages: {
      outlives:
        "{what} of '{crate}' may still run when the last worker that loaded the addon '{addon}' exits, and nothing keeps its code loaded on {targets}.",
      kept: "{what} in '{crate}' may still run when the last worker that loaded the addon '{addon}' exits: no destructor joins it, and nothing keeps its code loaded on {targets}.",
      pool: "The global pool of 'rayon' in the addon '{addon}' keeps its threads until the process ends, and nothing keeps their code loaded on {targets} once the last worker that loaded the addon has exited.",
    },
    checklist: 'Who waits for the threads of this addon when its last environment ends?',
    scenarios: ['import', 'terminate', 'exit-with-work'],
  },
  tokens: {
    rust: [
      'thread::spawn',
      'thread::Builder',
      'Runtime>',
      'ThreadPool>',
      'Runtime::new',
      'new_multi_thread',
      'rayon::spawn',
      'build_global',
    ],
  },
  // A static may stand in the function that hands it out.
  bodyTokens: {
    rust: ['spawn(', 'rayon::spawn', 'build_global', 'Runtime>', 'ThreadPool>', 'Runtime::new', 'new_multi_thread'],
  },
  concerns: (project) => concernsAddons(project),
  reportsElsewhere: 'anywhere',
  check({ unit, report }) {
    const { project } = unit;
    for (const scope of findAddonScopes(unit)) {
      // Threads are one cause per crate; the pool of rayon is one per addon, whoever starts it.
      const causes = new Map<string, Dangerous[]>();
      for (const [file, crate] of filesInside(unit, scope)) {
        for (const starter of findStarters(unit, file, crate)) {
          const triples = unkeptTriples(
            project,
            scope,
            triplesWith(project, scope, crate, file.path, starter.conditions),
          );
          const reach = triples.length === 0 ? undefined : reachOf(project, scope, crate);
          if (reach === undefined || !isStarted(unit, scope, starter)) continue;
          const key = starter.isPool ? 'rayon' : crate.dir;
          causes.set(key, [...(causes.get(key) ?? []), { ...starter, triples, reach }]);
        }
      }
      for (const found of causes.values()) {
        const first =
          found.find((one) => one.reach.links.length === 0 && one.isKept !== true) ??
          found.find((one) => one.reach.links.length === 0) ??
          found[0];
        if (first === undefined || waitsOnCleanup(unit, scope.addon, first.crate)) continue;
        const universe = project.triplesFor(scope.addon);
        const triples = universe.filter((triple) => found.some((one) => one.triples.includes(triple)));
        const [link] = first.reach.links;
        const at: Anchor = link === undefined ? { file: first.file, span: first.span } : placeStep(link);
        const shared = {
          at,
          ...(link === undefined ? {} : { orAt: { file: first.file, span: first.span } }),
          steps: [
            ...found.slice(0, mostSteps).map((one): ReportStep => ({
              file: one.file,
              span: one.span,
              role: 'acquire',
              note: `${one.what} starts here, and ${one.isKept === true ? 'no destructor' : 'nobody'} waits for its end.`,
            })),
            ...first.reach.links.map((one): ReportStep => ({
              ...placeStep(one),
              role: 'load',
              note: `'${one.from}' links '${one.to}' here.`,
            })),
            {
              ...placeStep(scope.crateType),
              role: 'load' as const,
              note: `'${scope.addon.name}' is built as a cdylib that Node.js loads.`,
            },
            ...describeUnloading(project, scope.addon, universe).by.map((one): ReportStep => ({
              ...placeStep(one),
              role: 'load',
              note: `On other targets it stays loaded: ${one.note}.`,
            })),
          ],
          targets: triples,
          ...(scope.npm?.name === undefined ? {} : { reachableFrom: [{ rust: first.crate.name, js: scope.npm.name }] }),
        };
        const data = { addon: scope.addon.name, targets: summariseTriples(triples, universe) };
        if (first.isPool)
          report({ ...shared, messageId: 'pool', data, severity: 'note', confidence: 'low', key: scope.addon.name });
        else if (first.isKept === true)
          report({
            ...shared,
            messageId: 'kept',
            data: { ...data, what: first.what, crate: first.crate.name },
            key: `${scope.addon.name}|${first.crate.name}`,
          });
        else
          report({
            ...shared,
            messageId: 'outlives',
            data: { ...data, what: first.what, crate: first.crate.name },
            key: `${scope.addon.name}|${first.crate.name}`,
          });
      }
    }
  },
});

type Dangerous = Starter & { readonly triples: readonly string[]; readonly reach: AddonReach };

function placeStep(place: Place): Place {
  return { path: place.path, line: place.line, ...(place.column === undefined ? {} : { column: place.column }) };
}

const mostSteps = 12;

interface Starter {
  readonly crate: CargoPackage;
  readonly file: FileIr;
  readonly span: Span;
  readonly conditions: readonly string[];
  /** A noun phrase that begins a sentence. */
  readonly what: string;
  /** The function around it, when it is called by name. */
  readonly within?: string;
  /** The pool that rayon shares among all code of one module. */
  readonly isPool: boolean;
  /** A field or static keeps the handle, and nothing joins it at the end. */
  readonly isKept?: boolean;
}

function findStarters(unit: UnitFacts, file: FileIr, crate: CargoPackage): readonly Starter[] {
  const found: Starter[] = [];
  const source = unit.textOf(file.path) ?? '';
  for (const global of file.globals) {
    const type = global.type?.text ?? '';
    if (
      global.isTest ||
      global.kind === 'thread-local' ||
      !/\b(?:Runtime|ThreadPool)\b/.test(type) ||
      !/\b(?:Lazy|LazyLock|OnceLock|OnceCell|Mutex|RwLock|Option|ArcSwap\w*|SetOnce)\b/.test(type)
    )
      continue;
    const isRuntime =
      /\bRuntime\b/.test(type) &&
      (/\btokio\b/.test(type) || file.imports.some((one) => one.name === 'Runtime' && one.path[0] === 'tokio'));
    const isThreadPool =
      /\bThreadPool\b/.test(type) &&
      (/\b(?:rayon|threadpool)\s*::\s*ThreadPool\b/.test(type) ||
        file.imports.some(
          (one) => one.name === 'ThreadPool' && /^(?:rayon|rayon_core|threadpool)$/.test(one.path[0] ?? ''),
        ));
    if (isRuntime || isThreadPool)
      found.push({
        crate,
        file,
        span: global.nameSpan,
        conditions: global.conditions,
        what: `The ${isRuntime ? 'runtime' : 'thread pool'} in the static '${global.name}'`,
        isPool: false,
      });
  }
  for (const fn of file.functions) {
    if (fn.isTest || fn.hasError === true || fn.body === undefined) continue;
    walkBody(fn.body, (walked) => {
      const what = describeStart(walked.expr, file);
      if (what === undefined) return;
      const { isHandle, text, isPool } = what;
      const kept = isHandle && !isDiscarded(walked) ? findKeeper(unit, crate, fn, source) : undefined;
      if (isHandle && kept === undefined && !isDiscarded(walked)) return;
      found.push({
        crate,
        file,
        span: walked.expr.span,
        conditions: [...fn.conditions, ...conditionsAround(walked, source)],
        what: kept === undefined ? text : `The thread that '${kept}' keeps`,
        isKept: kept !== undefined,
        isPool: isPool === true,
        ...callableBy(file, fn),
      });
    });
  }
  return found;
}

/** The field or static that the handle of a thread goes to, where nothing joins it when the environment ends. */
function findKeeper(unit: UnitFacts, crate: CargoPackage, fn: FunctionIr, source: string): string | undefined {
  const text = fn.bodySpan ? source.slice(fn.bodySpan.start, fn.bodySpan.end) : '';
  if (/\.\s*join\s*\(\s*\)/u.test(text)) return undefined;
  return findKeptThreads(unit, crate).find(({ name }) => {
    const [type = '', field = type] = name.split('.');
    const isMade = new RegExp(
      `(?<![.\\w])${field}\\s*(?::(?!:)|,|\\}|\\.)|\\.\\s*${field}\\s*(?:=(?!=)|\\.)`,
      'u',
    ).test(text);
    return isMade && (fn.owner === type || type === field || new RegExp(`\\b${type}\\b`, 'u').test(text));
  })?.name;
}

/** The cfgs of statements and blocks around an expression: `#[cfg(unix)] { .. }`, `if cfg!(unix) { .. }`. */
function conditionsAround({ expr, around }: Walked, source: string): readonly string[] {
  return around.flatMap((outer) => {
    if (outer.kind !== 'if' || outer.condition.kind !== 'macro' || outer.condition.name !== 'cfg') return [];
    const { then, condition } = outer;
    if (expr.span.start < then.span.start || then.span.end < expr.span.end) return [];
    const text = source.slice(condition.span.start, condition.span.end);
    const cfg = /^(?:#\s*\[)?\s*cfg!?\s*\((.*)\)\s*\]?$/su.exec(text)?.[1];
    return cfg === undefined ? [] : [cfg];
  });
}

/** The function around a closure, unless it belongs to a trait or a static, which are not called by name. */
function callableBy(file: FileIr, fn: FunctionIr): { readonly within?: string } {
  let outer = fn;
  for (let at = fn.parent; at !== undefined; at = outer.parent) {
    const found = file.functions.find((f) => f.id === at);
    if (found === undefined) return {};
    outer = found;
  }
  return outer.trait === undefined && outer.abi === undefined && outer.kind !== 'closure' && outer.name !== ''
    ? { within: outer.name }
    : {};
}

/** A thread in a crate that the addon uses for something else never starts. */
function isStarted(unit: UnitFacts, scope: AddonScope, { crate, within }: Starter): boolean {
  if (crate.dir === scope.addon.dir || within === undefined) return true;
  const dependents = [...scope.crates.values()].filter(
    (other) => other.dir !== crate.dir && other.dependencies.some((one) => one.dir === crate.dir),
  );
  return isReachedFrom(unit, crate, within, dependents);
}

/** Calls that start threads; `isHandle` for those whose result can be waited for. */
function describeStart(
  expr: Expr,
  file: FileIr,
): { readonly text: string; readonly isHandle: boolean; readonly isPool?: boolean } | undefined {
  const callee = calleeOf(expr);
  if (callee === undefined) return undefined;
  if (
    callee === 'thread::spawn' ||
    (callee === 'spawn' &&
      file.imports.some((one) => one.name === 'spawn' && one.path.join('::') === 'std::thread::spawn'))
  ) {
    return { text: 'A detached thread', isHandle: true };
  }
  if (expr.kind === 'method' && expr.method === 'spawn' && startsWithBuilder(expr.receiver))
    return { text: 'A detached thread', isHandle: true };
  if (/^(?:Box::leak|mem::forget)$/.test(callee) && makesRuntime(expr))
    return { text: 'The runtime that is leaked', isHandle: false };
  if (callee === '.build_global' || callee === 'rayon::spawn' || callee === 'rayon::spawn_fifo')
    return { text: "The global pool of 'rayon'", isHandle: false, isPool: true };
  return undefined;
}

/** `Box::leak(Box::new(Runtime::new()?))`: a runtime of tokio with threads of its own that is never dropped. */
function makesRuntime(expr: Expr): boolean {
  let found = false;
  walkBody({ span: expr.span, statements: [], result: expr }, ({ expr: inner }) => {
    found ||=
      inner.kind === 'call' &&
      inner.callee.kind === 'name' &&
      /(?:^|::)(?:Runtime::new|Builder::new_multi_thread)$/.test(inner.callee.path.join('::'));
  });
  return found;
}

/** `thread::Builder::new().name(..)`: the start of a chain of methods. */
function startsWithBuilder(expr: Expr): boolean {
  if (expr.kind === 'method') return startsWithBuilder(expr.receiver);
  return (
    expr.kind === 'call' &&
    expr.callee.kind === 'name' &&
    /(?:^|::)thread::Builder::new$|^Builder::new$/.test(expr.callee.path.slice(-3).join('::')) &&
    !expr.callee.path.includes('runtime')
  );
}

/** Methods that hand the handle on unchanged. */
const passing = new Set(['unwrap', 'expect', 'ok', 'map_err', 'unwrap_or_else', 'inspect_err']);

/** True when nobody can wait for the result: `spawn(..);`, `let _ = spawn(..);`, `drop(spawn(..))`, also through `unwrap` and `?`. */
function isDiscarded({ expr, around, statement }: Walked): boolean {
  let inner = expr;
  for (const outer of [...around].reverse()) {
    if (outer.kind === 'call' && outer.args.some(({ value }) => value === inner))
      return /(?:^|::)drop$/.test(calleeOf(outer) ?? '');
    const isPassed =
      (outer.kind === 'method' && outer.receiver === inner && passing.has(outer.method)) ||
      (outer.kind === 'try' && outer.value === inner);
    if (!isPassed) break;
    inner = outer;
  }
  if (statement?.kind === 'expression') return statement.expr === inner;
  const isIgnored =
    statement?.kind === 'let' &&
    (statement.pattern.kind === 'wildcard' || (statement.pattern.kind === 'bind' && statement.pattern.name === '_'));
  return isIgnored && statement.init === inner;
}

/** A cleanup hook of the addon or of the crate that shuts something down or waits for it. */
function waitsOnCleanup(unit: UnitFacts, addon: CargoPackage, crate: CargoPackage): boolean {
  return unit.filesMatching('rust', /cleanup_hook/).some((file) => {
    const owner = unit.project.cargoPackageOf(file.path)?.dir;
    return (owner === addon.dir || owner === crate.dir) && /\.join\s*\(|shutdown/.test(unit.textOf(file.path) ?? '');
  });
}
