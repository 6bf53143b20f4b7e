import { ACTS } from '../facts/handing-on.js';
import { findDemandedStatic } from '../facts/demanded-static.js';
import { findHandleClose, findHandleTasks } from '../facts/handle-tasks.js';
import { findNestedReferences } from '../facts/lent-in-arguments.js';
import { findPromisedReferences } from '../facts/lent-by-promise.js';
import { findFreedStatics } from '../facts/freed-statics.js';
import { findFieldOrder } from '../facts/field-order.js';
import { findRetyped } from '../facts/retyped-lifetimes.js';
import { lineOf } from '../facts/lines.js';
import {
  bindingsOf,
  findResults,
  findRawViews,
  isRawPointer,
  sourceOf,
  typeOfSource,
  type Bindings,
  type RawView,
  type Source,
} from '../facts/raw-views.js';
import type { UnitFacts } from '../facts/unit.js';
import { WAITS } from '../facts/waits.js';
import { walkBody } from '../model/walk-body.js';
import type { Block, Expr, ExprOf, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import { namesOf } from '../model/patterns.js';
import { isInside, type Span } from '../model/source.js';
import { defineRule } from './rule.js';

const SPAWNS =
  /^(?:spawn|spawn_blocking|spawn_local|spawn_on|execute|queue|submit|block_in_place_spawn|spawn_pinned|spawn_future|execute_tokio_future|AsyncTask::new)$/u;
/** What copies the content of a reference. */
const COPIES = String.raw`\s*\.\s*(?:to_vec|to_owned|to_string|clone|len|is_empty|into)\s*\(`;

/** An async function with a reference inside of another type among its parameters. */
const ASYNC_NESTED = /\basync\s+(?:unsafe\s+)?fn\b[^{;]*<\s*&\s*(?:mut\s+)?(?:\w+::)*[A-Z]/u;

/** A path of a hundred steps explains nothing. */
const MOST = 10;

/** `Promise<&'static Class>`, not the many promises of TypeScript in strings. */
const PROMISED = /\bPromise\s*<[^;{}()=]*&\s*'static\b/u;

export default defineRule({
  meta: {
    id: 'forged-static-lifetime',
    title: 'Forged static lifetime',
    summary:
      "A reference to memory that is not static is typed ''static', so that the compiler no longer limits its use.",
    languages: ['rust'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-825'],
    messages: {
      returned:
        "'{function}' returns a reference with the lifetime ''static' into what '{source}' points to (line {line}): it stays usable after the owner is gone.",
      freed:
        "'{function}' returns a reference with the lifetime ''static' into what '{source}' points to (line {line}), and '{end}' frees that by '{release}' (line {freed}): whoever has the reference keeps it.",
      spawned:
        "'{how}' makes a reference to '{source}' ''static', and '{callee}' at line {line} takes it to where nothing waits for it: '{source}' may be gone first.",
      stored:
        "'{how}' makes a reference from '{source}' ''static' and keeps it in '{field}', while nothing in the value keeps '{source}' alive.",
      retyped:
        "'{function}' returns a '{from}' as '{to}' (line {line}): what it borrows may be gone while the value is still used.",
      promised:
        "A promise of JavaScript hands out '&'static {type}': it points into an object that is collected when JavaScript lets go of it, and nothing holds the object for whoever awaits the promise.",
      order:
        "'{type}' drops '{owner}' before '{view}', because it is declared first, and '{view}' holds a '{content}' that '{how}' (line {line}) made ''static' from it: its drop uses what is gone. Declare '{view}' first.",
      nested:
        "'{function}' (line {line}) takes '{type}' and is async: napi-rs keeps alive what a parameter '&{class}' leads to, but not what stands inside of another type, and the object may be collected before the call is done.",
      demanded:
        "'{how}' (line {view}) makes a view of what '{source}' points to, and '{callee}' (line {line}) keeps it as ''static': '{function}' returns before it is let go, and its caller may free the memory then.",
      handed:
        "'{function}' makes a reference of the number '{parameter}' and gives it to a task by '{callee}' (line {line}): the call returns before the task is done, and whoever keeps the number may free the '{type}' meanwhile ({file}:{freed}).",
    },
    checklist: 'Does the memory behind this reference really live until the process ends?',
    scenarios: [],
  },
  tokens: { rust: ["'static", 'JNIEnv', '#[napi', 'transmute', 'move |', 'async move', 'Bytes::from'] },
  requires: {
    rust: [
      'transmute',
      'from_raw_parts',
      'from_ptr',
      '*const ',
      '*mut ',
      'NonNull',
      'AtomicPtr',
      'Promise<',
      ASYNC_NESTED,
    ],
  },
  bodyTokens: {
    rust: [
      'transmute',
      'from_raw_parts',
      'CStr::from_ptr',
      '&*',
      '&mut *',
      'unsafe { self.',
      'call_async',
      PROMISED,
      ASYNC_NESTED,
      // `(handle as *const Session).as_ref()`
      /\bas\s+\*(?:const|mut)\s[^;()]*\)\s*\.as_(?:ref|mut)\(/u,
      // `ENGINE.load(Ordering::Acquire).as_ref()`
      /\.load\s*\([^()]*\)\s*\.as_(?:ref|mut)\s*\(/u,
    ],
  },
  bodyRequires: { rust: [ACTS] },
  looksAt: 'bodies',
  perFile: ['rust'],
  check({ unit, report }) {
    for (const file of unit.filesOf('rust')) {
      const promises = findPromisedReferences(unit, file);
      for (const type of new Set(promises.map((p) => p.type))) {
        const [first, ...others] = promises.filter((p) => p.type === type);
        if (!first) continue;
        report({
          messageId: 'promised',
          data: { type: `${first.isMutable ? 'mut ' : ''}${type}` },
          at: { file, span: first.span },
          steps: [first, ...others].map(({ span }) => ({
            file,
            span,
            role: 'declare',
            note: `The promise is typed to give a reference into a '${type}'.`,
          })),
          key: type,
          confidence: 'medium',
        });
      }
      const nested = findNestedReferences(unit, file);
      for (const type of new Set(nested.map((n) => n.type))) {
        const [first, ...others] = nested.filter((n) => n.type === type);
        if (!first) continue;
        report({
          messageId: 'nested',
          data: {
            function: first.fn.name,
            line: lineOf(unit, file, first.fn.nameSpan.start),
            type: first.param.type?.text ?? '',
            class: type,
          },
          at: { file, span: first.param.span },
          steps: [
            { file, span: first.param.span, role: 'borrow', note: 'The reference leads into an object of JavaScript.' },
            { file, span: first.fn.nameSpan, role: 'suspend', note: 'The future runs on when the call has returned.' },
            ...others.slice(0, MOST).map(({ fn, param }) => ({
              file,
              span: param.span,
              role: 'borrow' as const,
              note: `'${fn.name}' takes one, too.`,
            })),
          ],
          key: type,
          confidence: 'medium',
        });
      }
      const tasks = (unit.textOf(file.path) ?? '').includes('JNIEnv') ? findHandleTasks(unit, file) : [];
      for (const type of new Set(tasks.map((t) => t.content))) {
        const [first, ...others] = tasks.filter((t) => t.content === type);
        const freed = findHandleClose(unit, file, type);
        const closer = freed && unit.fileAt(freed.path);
        if (!first || !closer) continue;
        report({
          messageId: 'handed',
          data: {
            function: first.fn.name,
            parameter: first.parameter,
            callee: first.callee,
            line: lineOf(unit, file, first.task.start),
            type,
            file: closer.path,
            freed: lineOf(unit, closer, freed.span.start),
          },
          at: { file, span: first.view },
          steps: [
            { file, span: first.view, role: 'borrow', note: `'${first.parameter}' becomes a reference here.` },
            { file, span: first.task, role: 'escape', note: `The task that '${first.callee}' starts holds it.` },
            { file: closer, span: freed.span, role: 'release', note: `The '${type}' is freed here.` },
            ...others.slice(0, MOST).map(({ fn, task }) => ({
              file,
              span: task,
              role: 'escape' as const,
              note: `A task of '${fn.name}' holds one, too.`,
            })),
          ],
          key: type,
          confidence: 'medium',
        });
      }
      const endedStatics = findFreedStatics(unit, file);
      for (const { fn, name, view, freed } of endedStatics)
        report({
          messageId: 'freed',
          data: {
            function: fn.name,
            source: name,
            line: lineOf(unit, file, view.start),
            end: freed.fn.name,
            release: freed.how,
            freed: lineOf(unit, file, freed.span.start),
          },
          at: { file, span: fn.nameSpan },
          steps: [
            { file, span: view, role: 'borrow', note: `The reference is made of the pointer in '${name}' here.` },
            { file, span: fn.returns?.span ?? fn.nameSpan, role: 'escape', note: "It is returned as ''static' here." },
            { file, span: freed.span, role: 'release', note: `'${freed.how}' frees what the pointer leads to.` },
          ],
          key: `${fn.qualifiedName}|${name}`,
        });
      for (const { fn, how, source, view, callee, span } of findDemandedStatic(unit, file))
        report({
          messageId: 'demanded',
          data: {
            how,
            view: lineOf(unit, file, view.start),
            source,
            callee,
            line: lineOf(unit, file, span.start),
            function: fn.name,
          },
          at: { file, span: view },
          steps: [
            { file, span: view, role: 'borrow', note: `The memory is that of whoever calls '${fn.name}'.` },
            { file, span, role: 'escape', note: `'${callee}' takes the view beyond the call.` },
          ],
          key: `${fn.qualifiedName}|${source}`,
          confidence: 'medium',
          ...(fn.isUnsafe && fn.abi === undefined ? { severity: 'note' as const } : {}),
        });
      const ordered = new Set<string>();
      for (const fn of file.functions) {
        const { body } = fn;
        if (!body || fn.parent !== undefined || endedStatics.some((one) => one.fn.id === fn.id)) continue;
        const text = unit.textOf(file.path)?.slice(fn.span.start, fn.span.end) ?? '';
        const order = findFieldOrder(unit, file, fn);
        if (order && !ordered.has(order.decl.name)) {
          ordered.add(order.decl.name);
          const { decl, owner, view: kept, forged, how } = order;
          report({
            messageId: 'order',
            data: {
              type: decl.name,
              owner: owner.name,
              view: kept.name,
              content: kept.type,
              how,
              line: lineOf(unit, file, forged.start),
            },
            at: { file, span: kept.span },
            steps: [
              { file, span: forged, role: 'borrow', note: `'${kept.name}' is made from '${owner.name}' here.` },
              { file, span: owner.span, role: 'release', note: `'${owner.name}' is dropped first.` },
              { file, span: kept.span, role: 'use', note: `'${kept.name}' is dropped after it.` },
            ],
            key: `${decl.name}|${kept.name}`,
            confidence: 'medium',
          });
        }
        for (const { span, from, to } of text.includes('transmute') ? findRetyped(unit, file, fn) : [])
          report({
            messageId: 'retyped',
            data: { function: fn.name, from: shortened(from), to: shortened(to), line: lineOf(unit, file, span.start) },
            at: { file, span },
            steps: [
              { file, span, role: 'borrow', note: 'The lifetime is taken away here.' },
              { file, span: fn.returns?.span ?? fn.nameSpan, role: 'escape', note: 'The value is returned.' },
            ],
            key: fn.qualifiedName,
            ...(fn.isUnsafe ? { severity: 'note' as const } : {}),
          });
        if (!/transmute|from_raw_parts|from_ptr|&\s*(?:mut\s*)?\*|\.as_(?:ref|mut)\(/u.test(text)) continue;
        const forgesResult = isStaticReference(fn.returns);
        if (!forgesResult && !text.includes("'static") && !mayStore(unit, file, body)) continue;
        if (/\bleak\s*\(|Box::into_raw|ManuallyDrop/u.test(text)) continue;
        const bindings = bindingsOf(body);
        const views = viewsOf(unit, file, fn, body, bindings);
        const view = !forgesResult
          ? undefined
          : forgesError(fn.returns)
            ? findReturned(unit, file, fn, findErrors(body, bindings), bindings, views)
            : (findReturned(unit, file, fn, findResults(body, bindings), bindings, views) ??
              findMapped(unit, file, fn, body, bindings));
        if (view) {
          report({
            messageId: 'returned',
            data: { function: fn.name, source: view.text, line: lineOf(unit, file, view.view.span.start) },
            at: { file, span: fn.nameSpan },
            steps: [
              { file, span: view.view.span, role: 'borrow', note: `'${view.view.how}' makes the reference here.` },
              {
                file,
                span: fn.returns?.span ?? fn.nameSpan,
                role: 'escape',
                note: "It is returned as ''static' here.",
              },
            ],
            key: fn.qualifiedName,
            ...(fn.isUnsafe || isSharedName(unit, file, fn, view.view) ? { severity: 'note' as const } : {}),
          });
          continue;
        }
        for (const one of views) {
          const spawned = findSpawned(unit, file, body, one, text);
          if (spawned) {
            report({
              messageId: 'spawned',
              data: {
                how: one.how,
                source: spawned.source,
                callee: spawned.callee,
                line: lineOf(unit, file, spawned.span.start),
              },
              at: { file, span: one.span },
              steps: [
                { file, span: one.span, role: 'borrow', note: `'${one.how}' makes the reference here.` },
                { file, span: spawned.span, role: 'escape', note: `'${spawned.callee}' takes it away here.` },
              ],
              key: fn.qualifiedName,
              confidence: 'medium',
            });
            continue;
          }
          const stored =
            findStored(unit, file, fn, body, one, bindings) ??
            findFilledStored(unit, file, fn, body, one, bindings) ??
            findLocalStored(unit, file, fn, body, one, bindings, text) ??
            findCollected(unit, file, fn, body, one, bindings);
          if (stored)
            report({
              messageId: 'stored',
              data: { how: one.how, source: stored.source, field: stored.field },
              at: { file, span: one.span },
              steps: [
                { file, span: one.span, role: 'borrow', note: `'${one.how}' makes the reference here.` },
                { file, span: stored.span, role: 'escape', note: `It is kept in '${stored.field}' here.` },
              ],
              key: `${fn.qualifiedName}|${stored.field}`,
              confidence: 'medium',
              ...(fn.isUnsafe ? { severity: 'note' as const } : {}),
            });
        }
      }
    }
  },
});

/** Views of raw pointers in a body, and of variables that are declared as such. */
function viewsOf(unit: UnitFacts, file: FileIr, fn: FunctionIr, body: Block, bindings: Bindings): readonly RawView[] {
  const declared = new Set<string>();
  walkBody(body, ({ statement }) => {
    if (statement?.kind === 'let' && statement.pattern.kind === 'bind' && isRawPointer(statement.type))
      declared.add(statement.pattern.name);
  });
  const isPointer = (expr: Expr): boolean => {
    if (expr.kind === 'cast') return isRawPointer(expr.type);
    if (expr.kind === 'method' && /^cast(?:_mut|_const)?$/u.test(expr.method) && isPointer(expr.receiver)) return true;
    if (expr.kind === 'name' && expr.path.length === 1 && declared.has(expr.path[0] ?? '')) return true;
    const source = sourceOf(expr, bindings, fn);
    return source !== undefined && isRawPointer(typeOfSource(unit, file, fn, source));
  };
  return findRawViews(body, isPointer);
}

/** Adapters whose closure makes what the result holds. */
const ADAPTERS = /^(?:map|filter_map|flat_map|and_then|map_or|find_map)$/u;

/** A closure that makes a view of what it is given, an element of a parameter or of `self`: `nodes.iter().map(|n| ..)`. */
function findMapped(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  body: Block,
  bindings: Bindings,
): { readonly view: RawView; readonly text: string } | undefined {
  const spans = findResults(body, bindings);
  let found: { view: RawView; text: string } | undefined;
  walkBody(body, ({ expr }) => {
    if (found || expr.kind !== 'method' || !ADAPTERS.test(expr.method)) return;
    if (!spans.some((s) => isInside(expr.span, s))) return;
    const closure = expr.args.map(({ value }) => value).find((v) => v.kind === 'closure');
    const inner = closure && file.functions.find((f) => f.id === closure.functionId);
    const from = elementsOf(expr.receiver, bindings, fn);
    if (!inner?.body || !from || lives(unit, file, fn, from)) return;
    const own = bindingsOf(inner.body);
    const results = findResults(inner.body, own);
    for (const view of viewsOf(unit, file, inner, inner.body, own)) {
      const source = sourceOf(view.source, own, inner);
      if (source && inner.params.some((p) => p.name === source.name))
        if (results.some((s) => isInside(view.span, s)))
          found ??= { view, text: [source.name, ...source.path].join('.') };
    }
  });
  return found;
}

/** The parameter or field that a chain of iterators goes over. */
function elementsOf(expr: Expr, bindings: Bindings, fn: FunctionIr, depth = 0): Source | undefined {
  if (depth < 8 && expr.kind === 'method' && ITERATES.test(expr.method))
    return elementsOf(expr.receiver, bindings, fn, depth + 1);
  return sourceOf(expr, bindings, fn);
}

const ITERATES =
  /^(?:iter|iter_mut|values|values_mut|keys|filter|rev|skip|take|enumerate|get|first|last|chunks|split)$/u;

/** A type as it is written, in one line of bearable length. */
function shortened(type: string): string {
  const line = type.replace(/\s+/gu, ' ');
  return line.length > 60 ? `${line.slice(0, 57)}..` : line;
}

/** A reference with the lifetime `'static` somewhere in a type, function types and bounds aside. */
function isStaticReference(type: TypeRef | undefined): boolean {
  if (
    !type ||
    type.kind === 'function' ||
    type.kind === 'delegate' ||
    type.kind === 'trait-object' ||
    type.kind === 'impl-trait'
  )
    return false;
  if (type.kind === 'reference' && type.lifetime === "'static") return !/vtable/iu.test(type.text);
  if (type.kind === 'pointer') return false;
  return type.args.some(isStaticReference) || isStaticReference(type.element);
}

/** `Result<&'a Store, &'static str>`: only the error is static, a text of the program as a rule. */
function forgesError(type: TypeRef | undefined): boolean {
  return type?.kind === 'path' && type.name === 'Result' && type.args.length > 1 && !isStaticReference(type.args[0]);
}

/** What a body makes errors of: arguments of `Err` and `map_err`, and what the names in them were bound to. */
function findErrors(body: Block, bindings: Bindings): readonly Span[] {
  const spans: Span[] = [];
  walkBody(body, ({ expr }) => {
    if (expr.kind === 'call' ? !isErr(expr.callee) : expr.kind !== 'method' || !MAKES_ERROR.test(expr.method)) return;
    for (const { value } of expr.kind === 'call' || expr.kind === 'method' ? expr.args : [])
      spans.push(...findResults({ span: value.span, statements: [], result: value }, bindings));
  });
  return spans;
}

const MAKES_ERROR = /^(?:map_err|ok_or|ok_or_else)$/u;

function isErr(callee: Expr): boolean {
  return callee.kind === 'name' && callee.path.at(-1) === 'Err';
}

/** Whether the body builds a value of a type of the package, which may have a static field. */
function mayStore(unit: UnitFacts, file: FileIr, body: Block): boolean {
  let found = false;
  walkBody(body, ({ expr }) => {
    if (expr.kind !== 'struct' || found) return;
    const name = expr.type.name;
    found =
      unit
        .oracle('rust')
        .declaration(name, file.path)
        ?.fields.some((f) => isStaticReference(f.type)) ?? false;
  });
  return found;
}

function findReturned(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  spans: readonly Span[],
  bindings: Bindings,
  views: readonly RawView[],
): { readonly view: RawView; readonly text: string } | undefined {
  if (fn.self?.lifetime === "'static" || isForgotten(unit, file, fn)) return undefined;
  for (const view of views) {
    if (!spans.some((s) => s.start <= view.span.start && view.span.end <= s.end)) continue;
    const source = sourceOf(view.source, bindings, fn) ?? pointerArgument(unit, file, fn, view.source, bindings);
    const filled = source ? undefined : filledByNode(unit, file, fn, view);
    if (filled !== undefined) return { view, text: filled };
    if (!source || lives(unit, file, fn, source) || isSetToStatic(unit, file, fn, source)) continue;
    return { view, text: [source.name, ...source.path].join('.') };
  }
  return undefined;
}

/** `mem::forget(self)` of a type with a destructor: what its pointers lead to is never freed, as by `Box::leak`. */
function isForgotten(unit: UnitFacts, file: FileIr, fn: FunctionIr): boolean {
  return (
    fn.self?.mode === 'value' &&
    fn.bodySpan !== undefined &&
    /\bforget\s*\(\s*self\s*\)/u.test((unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end)) &&
    file.impls.some((i) => i.trait?.name === 'Drop' && i.target.name === fn.owner)
  );
}

/** The variable that Node-API was given to fill in with the address of JavaScript's bytes, and that the view is made of. */
function filledByNode(unit: UnitFacts, file: FileIr, fn: FunctionIr, view: RawView): string | undefined {
  const name = rootName(view.source);
  if (name === undefined || !fn.bodySpan || !/^from_raw_parts|::from_raw_parts/u.test(view.how)) return undefined;
  const before = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, view.span.start);
  const fills = `\\bnapi_get_(?:buffer|arraybuffer|typedarray|dataview)_info\\s*\\([^;]*&\\s*mut\\s+${name}\\b`;
  return new RegExp(fills, 'u').test(before) ? name : undefined;
}

/** A C string of a record that derives `Clone` and frees nothing: copies share it, so that it is most likely a constant of the library. */
function isSharedName(unit: UnitFacts, file: FileIr, fn: FunctionIr, view: RawView): boolean {
  const decl = fn.owner === undefined ? undefined : unit.oracle('rust').declaration(fn.owner, file.path);
  return (
    /CStr::from_ptr$/u.test(view.how) &&
    decl?.attributes.some((a) => a.name === 'derive' && /\bClone\b/u.test(a.args ?? '')) === true &&
    !file.impls.some((i) => i.trait?.name === 'Drop' && i.target.name === fn.owner)
  );
}

/** A foreign call by which a pointer of the object is asked for another: what it returns lives as long as the object. */
function pointerArgument(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  expr: Expr,
  bindings: Bindings,
): Source | undefined {
  let call = expr.kind === 'name' && expr.path.length === 1 ? bindings.get(expr.path[0] ?? '') : expr;
  while (call?.kind === 'block' && call.block.statements.length === 0) call = call.block.result;
  if (call?.kind !== 'call') return undefined;
  for (const { value } of call.args) {
    const source = sourceOf(value, bindings, fn);
    if (source && isRawPointer(typeOfSource(unit, file, fn, source))) return source;
  }
  return undefined;
}

/** Parameters that are static themselves, and values that the caller lent as static. */
function lives(unit: UnitFacts, file: FileIr, fn: FunctionIr, source: Source): boolean {
  return [...source.path.keys(), source.path.length].some((length) => {
    const type = typeOfSource(unit, file, fn, { name: source.name, path: source.path.slice(0, length) });
    return type !== undefined && (type.lifetime === "'static" || type.lifetimes?.includes("'static") === true);
  });
}

/** A private field that nothing but literals and parameters of a type `&'static ..` is put into. */
function isSetToStatic(unit: UnitFacts, file: FileIr, fn: FunctionIr, { name, path }: Source): boolean {
  const [field, ...rest] = path;
  if (name !== 'self' || field === undefined || rest.length > 0 || fn.owner === undefined) return false;
  const decl = unit.oracle('rust').declaration(fn.owner, file.path);
  const declared = decl?.fields.find((f) => f.name === field);
  const text = unit.textOf(file.path) ?? '';
  if (!decl || declared?.isPublic !== false) return false;
  const set = new RegExp(
    `(?<![\\w.])(?:\\w+\\.${field}\\s*=(?!=)|${field}\\s*:(?!:))(?=\\s*([^;,}]*))|(?<![\\w.])${field}\\s*,`,
    'gu',
  );
  const isAt = (index: number, span: Span): boolean => span.start <= index && index < span.end;
  let isSet = false;
  // The first value that is none ends the search: there may be thousands in a generated file.
  for (const { index, 1: value = '' } of text.matchAll(set)) {
    if (isAt(index, decl.span)) continue;
    // A parameter of that name is none.
    if (file.functions.some((f) => f.bodySpan && isAt(index, { start: f.span.start, end: f.bodySpan.start }))) continue;
    isSet = true;
    if (/^(?:"[^"]*"\s*\.\s*as_ptr\s*\(\s*\)|(?:\w+::)*null(?:_mut)?\s*\(\s*\))\s*$/u.test(value)) continue;
    const from = /^(\w+)\s*\.\s*as_ptr\s*\(\s*\)\s*$/u.exec(value)?.[1];
    const setter = file.functions.find((f) => f.bodySpan && isAt(index, f.bodySpan));
    if (setter?.params.some((p) => p.name === from && p.type?.lifetime === "'static") !== true) return false;
  }
  return isSet;
}

function findSpawned(
  unit: UnitFacts,
  file: FileIr,
  body: Block,
  view: RawView,
  text: string,
): { readonly source: string; readonly callee: string; readonly span: Expr['span'] } | undefined {
  if (WAITS.test(text)) return undefined;
  const bound = declarationAround(body, view);
  if (!bound || !isForged(view, bound.type)) return undefined;
  const { name } = bound;
  const source = rootName(view.source);
  if (source === undefined) return undefined;
  // `let text: &'static str = transmute(text);` hides the one behind the other.
  const isRenamed = source === name && isStaticReference(bound.type);
  const all = unit.textOf(file.path) ?? '';
  let found: { source: string; callee: string; span: Expr['span'] } | undefined;
  walkBody(body, ({ expr }) => {
    if (found || (expr.kind !== 'call' && expr.kind !== 'method') || expr.span.start < view.span.end) return;
    const callee =
      expr.kind === 'method' ? expr.method : expr.callee.kind === 'name' ? expr.callee.path.join('::') : '';
    if (!SPAWNS.test(callee) && !SPAWNS.test(callee.split('::').at(-1) ?? '')) return;
    const taken = all.slice(expr.span.start, expr.span.end);
    // What is copied outside of a closure is copied before the task begins.
    const copied = /\bmove\b|\|/u.test(taken) ? '' : `|${COPIES}`;
    // With its owner moved along, the reference is as good as the owner.
    if (
      new RegExp(`(?<!\\.)\\b${name}\\b(?!\\s*:(?!:)${copied})`, 'u').test(taken) &&
      (isRenamed || !new RegExp(`\\b${source}\\b`, 'u').test(taken))
    )
      found = { source, callee, span: expr.span };
  });
  return found;
}

/** The variable that a view is bound to, with the type that it is given. */
function declarationAround(
  body: Block,
  { span }: RawView,
): { readonly name: string; readonly type: TypeRef | undefined } | undefined {
  let found: { name: string; type: TypeRef | undefined } | undefined;
  walkBody(body, ({ statement }) => {
    if (statement?.kind !== 'let' || statement.pattern.kind !== 'bind' || !statement.init) return;
    if (statement.init.span.start <= span.start && span.end <= statement.init.span.end)
      found = { name: statement.pattern.name, type: statement.type };
  });
  return found;
}

/** A `transmute` that may make a reference static, or another view of a pointer that is declared as one. */
function isForged(view: RawView, declared: TypeRef | undefined): boolean {
  if (view.how !== 'transmute') return isStaticReference(declared);
  if (view.expr.kind !== 'call') return false;
  const target = view.expr.callee.kind === 'name' ? view.expr.callee.typeArgs?.[1] : undefined;
  return target === undefined || target.lifetimes?.includes("'static") === true;
}

/** A struct whose static field is filled from what a parameter points to, with nothing else of that parameter beside it. */
function findStored(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  body: Block,
  view: RawView,
  bindings: Bindings,
): { readonly source: string; readonly field: string; readonly span: Expr['span'] } | undefined {
  const source = sourceOf(view.source, bindings, fn);
  if (!source || lives(unit, file, fn, source)) return undefined;
  const field = staticFieldWith(unit, file, fn, body, view, bindings, (others) =>
    others.every(({ value }) => sourceOf(value, bindings, fn)?.name !== source.name),
  );
  return field && { source: source.name, field: field.name, span: field.span };
}

/** What keeps an object of JavaScript alive beside a view of its bytes. */
const KEEPS_OBJECT = /\b(?:napi_)?create_reference\b|\binto_ref\b|\b(?:Ref|Reference|Persistent|Root|ObjectRef)\b/u;

/** A struct whose static field is filled with bytes of JavaScript whose address Node-API fills in, in a function that keeps no reference to their object. */
function findFilledStored(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  body: Block,
  view: RawView,
  bindings: Bindings,
): { readonly source: string; readonly field: string; readonly span: Expr['span'] } | undefined {
  const source = filledByNode(unit, file, fn, view);
  if (source === undefined || keepsObject(unit, file, fn, body)) return undefined;
  const field = staticFieldWith(unit, file, fn, body, view, bindings);
  if (field && !leaves(file, body, field)) return undefined;
  return field && { source, field: field.name, span: field.span };
}

/** Whether the function, or one of the file that it calls, keeps a reference to an object of JavaScript. */
function keepsObject(unit: UnitFacts, file: FileIr, fn: FunctionIr, body: Block): boolean {
  const text = unit.textOf(file.path) ?? '';
  const keeps = ({ span }: FunctionIr): boolean => KEEPS_OBJECT.test(text.slice(span.start, span.end));
  if (keeps(fn)) return true;
  const called = new Set<string>();
  walkBody(body, ({ expr }) => {
    if (expr.kind === 'method') called.add(expr.method);
    else if (expr.kind === 'call' && expr.callee.kind === 'name') called.add(expr.callee.path.at(-1) ?? '');
  });
  return file.functions.some((f) => f.bodySpan !== undefined && called.has(f.name) && keeps(f));
}

/** Whether the struct around a field may go on beyond the function, and is not just a variable of it whose members are read. */
function leaves({ functions }: FileIr, body: Block, { value }: FieldValue): boolean {
  let name: string | undefined;
  let isTemporary = false;
  const isRead = (expr: Expr, outer: Expr | undefined): boolean =>
    outer?.kind === 'field' ||
    outer?.kind === 'address' ||
    (outer?.kind === 'method' &&
      outer.receiver === expr &&
      !functions.some((f) => f.name === outer.method && f.self?.mode === 'value'));
  walkBody(body, ({ expr, around, statement }) => {
    if (expr.kind !== 'struct' || !expr.fields.some((field) => field.value === value)) return;
    isTemporary = isRead(expr, around.at(-1));
    if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind')
      name = statement.pattern.name;
  });
  if (name === undefined) return !isTemporary;
  let isUsed = false;
  walkBody(body, ({ expr, around }) => {
    isUsed ||= expr.kind === 'name' && expr.path.length === 1 && expr.path[0] === name && !isRead(expr, around.at(-1));
  });
  return isUsed;
}

type FieldValue = ExprOf<'struct'>['fields'][number];

/** The static field of a struct without a lifetime that a view, or a variable bound to it, fills; `isFit` looks at those beside it. */
function staticFieldWith(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  body: Block,
  { span }: RawView,
  bindings: Bindings,
  isFit: (others: readonly FieldValue[]) => boolean = () => true,
): FieldValue | undefined {
  let found: FieldValue | undefined;
  walkBody(body, ({ expr }) => {
    if (found || expr.kind !== 'struct') return;
    const name = expr.type.name === 'Self' ? (fn.owner ?? '') : expr.type.name;
    const decl = unit.oracle('rust').declaration(name, file.path);
    // A lifetime of the type itself may limit the value.
    if (!decl || decl.generics.some((g) => g.name.startsWith("'"))) return;
    found = expr.fields.find((field) => {
      if (!isStaticReference(decl.fields.find((f) => f.name === field.name)?.type)) return false;
      const { value } = field;
      const bound = value.kind === 'name' && value.path.length === 1 ? bindings.get(value.path[0] ?? '') : undefined;
      if (!isInside(span, value.span) && !(bound && isInside(span, bound.span))) return false;
      return isFit(expr.fields.filter((f) => f !== field));
    });
  });
  return found;
}

/**
 * A struct whose static field is filled from the block of a local variable that ends with the function: `from_raw_parts(v.as_ptr(), ..)`
 * or a `transmute` of what `v` lends. Nothing else may be done with the variable that could keep it.
 */
function findLocalStored(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  body: Block,
  view: RawView,
  bindings: Bindings,
  text: string,
): { readonly source: string; readonly field: string; readonly span: Expr['span'] } | undefined {
  if (!/(?:from_raw_parts(?:_mut)?|transmute)$/u.test(view.how)) return undefined;
  const lender = view.source.kind === 'address' ? view.source.base : view.source;
  if (lender.kind !== 'method' || !/^as_(?:mut_)?(?:ptr|slice|ref|str|bytes)$|^as_mut$/u.test(lender.method))
    return undefined;
  const owner = lender.receiver;
  const source = owner.kind === 'name' && owner.path.length === 1 ? owner.path[0] : undefined;
  if (source === undefined || source === 'self' || fn.params.some((p) => p.name === source)) return undefined;
  const init = bindings.get(source);
  // A value that was made or taken here, not a reference to one.
  if (init?.kind !== 'try' && init?.kind !== 'call' && init?.kind !== 'method' && init?.kind !== 'macro')
    return undefined;
  const made = init.kind === 'try' ? init.value : init;
  if (
    made.kind === 'method' &&
    !/^(?:into_value|to_vec|to_owned|to_string|collect|clone|into_bytes)$/u.test(made.method)
  )
    return undefined;
  if (
    made.kind === 'call' &&
    !/(?:^|::)(?:String|Vec|CString)::\w+$/u.test(made.callee.kind === 'name' ? made.callee.path.join('::') : '')
  )
    return undefined;
  const uses = [...text.matchAll(new RegExp(`(?<![.\\w])${source}\\b(?!\\s*(?:\\.\\s*(?:len|as_|is_empty)|=))`, 'gu'))];
  if (uses.length > 0) return undefined;
  const field = staticFieldWith(unit, file, fn, body, view, bindings);
  return field && { source, field: field.name, span: field.span };
}

/** Methods of collections that keep what they are given. */
const COLLECTS = /^(?:insert|entry|push|push_back|push_front|or_insert|get_or_insert|store|set|replace)$/u;

/**
 * A reference to what a parameter lends, declared as static, that goes into a collection of the caller or of `self`:
 * `map.entry(key)` with `let key: &'static str = ..`.
 */
function findCollected(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  body: Block,
  view: RawView,
  bindings: Bindings,
): { readonly source: string; readonly field: string; readonly span: Expr['span'] } | undefined {
  const bound = declarationAround(body, view);
  if (!bound || !isStaticReference(bound.type)) return undefined;
  const source = lentBy(fn, body, view.source, bindings);
  const lent = fn.params.find((p) => p.name === source)?.type;
  if (source === undefined || lent?.kind !== 'reference' || lent.lifetime === "'static" || lent.mutable === true)
    return undefined;
  // Where the parameter holds what is static, nothing is forged.
  if (lives(unit, file, fn, { name: source, path: [] }) || lent.lifetimes?.includes("'static") === true)
    return undefined;
  let found: { source: string; field: string; span: Expr['span'] } | undefined;
  walkBody(body, ({ expr }) => {
    if (found || expr.kind !== 'method' || !COLLECTS.test(expr.method) || expr.span.start < view.span.end) return;
    if (
      !expr.args.some(({ value }) => value.kind === 'name' && value.path.length === 1 && value.path[0] === bound.name)
    )
      return;
    const root = rootName(expr.receiver);
    const isKept =
      root === 'self' ||
      /^[A-Z][A-Z0-9_]+$/u.test(root ?? '') ||
      fn.params.some((p) => p.name === root && p.type?.kind === 'reference' && p.type.mutable === true);
    if (root !== undefined && isKept) found = { source, field: root, span: expr.span };
  });
  return found;
}

/** Methods that lend a part of what they are called on. */
const LENDS =
  /^(?:as_ptr|as_str|as_bytes|as_slice|as_ref|split\w*|lines|iter|enumerate|trim\w*|chunks|windows|get|unwrap|expect|borrow|deref|first|last|strip_\w+)$/u;

/** The parameter that lends what an expression shows, through variables of `let` and of loops. */
function lentBy(fn: FunctionIr, body: Block, expr: Expr, bindings: Bindings, depth = 0): string | undefined {
  if (depth > 12) return undefined;
  const next = (inner: Expr | undefined): string | undefined => inner && lentBy(fn, body, inner, bindings, depth + 1);
  switch (expr.kind) {
    case 'name': {
      const name = expr.path.length === 1 ? expr.path[0] : undefined;
      if (name === undefined || fn.params.some((p) => p.name === name)) return name;
      const bound = bindings.get(name);
      if (bound) return next(bound);
      let iterable: Expr | undefined;
      walkBody(body, ({ expr: loop }) => {
        if (loop.kind === 'loop' && loop.bindings?.some((b) => namesOf(b.pattern).includes(name)) === true)
          iterable = loop.iterable;
      });
      return next(iterable);
    }
    case 'method':
      return LENDS.test(expr.method) ? next(expr.receiver) : undefined;
    case 'call': {
      const callee = expr.callee.kind === 'name' ? (expr.callee.path.at(-1) ?? '') : '';
      return /^(?:from_raw_parts|from_utf8|from_utf8_unchecked|transmute|from_ref)$/u.test(callee)
        ? next(expr.args[0]?.value)
        : undefined;
    }
    case 'cast':
    case 'try':
      return next(expr.value);
    case 'address':
    case 'deref':
    case 'index':
    case 'slice':
      return next(expr.base);
    case 'block':
      return next(expr.block.result);
    default:
      return undefined;
  }
}

function rootName(expr: Expr): string | undefined {
  switch (expr.kind) {
    case 'name':
      return expr.path.length === 1 ? expr.path[0] : undefined;
    case 'field':
    case 'index':
    case 'slice':
    case 'deref':
    case 'address':
      return rootName(expr.base);
    case 'method':
      return rootName(expr.receiver);
    case 'cast':
    case 'try':
      return rootName(expr.value);
    default:
      return undefined;
  }
}
