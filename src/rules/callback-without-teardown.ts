import { plainText } from '../facts/plain-text.js';
import type { UnitFacts } from '../facts/unit.js';
import { walkBody, type Walked } from '../model/walk-body.js';
import type { Block, Expr, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { defineRule, type ReportStep } from './rule.js';

const BUILDERS = new Set(['build_threadsafe_function', 'create_threadsafe_function']);
const RAW_CREATE = /\bnapi_create_threadsafe_function\s*\(/u;
const RAW_TEARDOWN = /\bnapi_(?:unref|release)_threadsafe_function\b/u;

export default defineRule({
  meta: {
    id: 'callback-without-teardown',
    title: 'Callback without teardown',
    summary: 'A strong threadsafe function is kept with nothing that releases it before the environment ends.',
    languages: ['rust'],
    severity: 'warning',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-772', 'CWE-416'],
    messages: {
      kept: "The threadsafe function made in '{function}' is kept in '{keeper}', strong and with nothing that releases it: it holds the event loop open, or is dropped after its environment is gone.",
      captured:
        "'{function}' moves the threadsafe function '{name}' into a shared closure, from where nothing can release it before the environment ends.",
      raw: "The threadsafe function made in '{function}' is kept in '{keeper}' and never unreferenced: it holds the event loop open until the process is killed.",
    },
    checklist: 'Who releases this callback when the environment ends?',
    scenarios: ['exit-with-work', 'terminate'],
  },
  tokens: { rust: ['threadsafe_function', 'ThreadsafeFunction'] },
  bodyTokens: { rust: ['build_threadsafe_function', 'create_threadsafe_function'] },
  check({ unit, report }) {
    for (const file of unit.filesOf('rust')) {
      const captured: { fn: FunctionIr; name: string; span: Span }[] = [];
      for (const fn of file.functions) {
        if (fn.parent !== undefined || !fn.bodySpan) continue;
        const closure = findCapture(unit, file, fn);
        if (closure) captured.push({ fn, ...closure });
        const raw = findRaw(unit, file, fn);
        if (raw)
          report({
            messageId: 'raw',
            data: { function: fn.name, keeper: raw.keeper },
            at: { file, span: raw.span },
            steps: [
              { file, span: raw.span, role: 'acquire', note: 'The threadsafe function is made here.' },
              { file, span: raw.kept, role: 'escape', note: `It is kept in '${raw.keeper}' here.` },
            ],
            key: fn.qualifiedName,
          });
        if (!fn.body) continue;
        for (const kept of findKept(unit, file, fn, fn.body))
          report({
            messageId: 'kept',
            data: { function: fn.name, keeper: kept.keeper },
            at: { file, span: kept.span },
            steps: [
              { file, span: kept.span, role: 'acquire', note: 'The threadsafe function is made here.' },
              { file, span: kept.at, role: 'escape', note: `It is kept in '${kept.keeper}' here.` },
            ],
            key: fn.qualifiedName,
          });
      }
      const first = captured[0];
      if (!first) continue;
      report({
        messageId: 'captured',
        data: { function: first.fn.name, name: first.name },
        at: { file, span: first.span },
        steps: captured.slice(0, 12).map((c): ReportStep => ({
          file,
          span: c.span,
          role: 'escape',
          note: `'${c.fn.name}' moves '${c.name}' into a closure here.`,
        })),
        key: first.fn.qualifiedName,
      });
    }
  },
});

// --- closures --------------------------------------------------------------------------------------------------------

/** A parameter that is a threadsafe function itself, moved into a closure behind `Arc`, `Rc` or `Box` that is returned or kept. */
function findCapture(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
): { readonly name: string; readonly span: Span } | undefined {
  const params = fn.params.filter((p) => p.type && isStrong(unit, file, p.type, false));
  if (params.length === 0 || !fn.bodySpan || !returnsClosure(unit, file, fn.returns)) return undefined;
  const text = plainText(unit, file, fn.bodySpan);
  const closure = /\b(?:Arc|Rc|Box)::new\s*\(\s*(?:async\s+)?move\s*\|/u.exec(text);
  if (!closure) return undefined;
  const rest = text.slice(closure.index);
  const name = params.find((p) => new RegExp(`\\b${p.name}\\b`, 'u').test(rest))?.name;
  if (name === undefined || new RegExp(`\\b${name}\\s*\\.\\s*(?:unref|abort)\\s*\\(`, 'u').test(text)) return undefined;
  const start = fn.bodySpan.start + closure.index;
  return { name, span: { start, end: start + closure[0].length } };
}

function returnsClosure(unit: UnitFacts, file: FileIr, type: TypeRef | undefined, depth = 0): boolean {
  if (!type || depth > 6) return false;
  if (type.kind === 'delegate') return true;
  if (type.kind !== 'path') return type.element !== undefined && returnsClosure(unit, file, type.element, depth + 1);
  if (type.args.some((a) => returnsClosure(unit, file, a, depth + 1))) return true;
  const alias = findAlias(unit, file, type);
  return alias !== undefined && returnsClosure(unit, alias.file, alias.type, depth + 1);
}

/**
 * Whether a type is a threadsafe function that is not weak, through aliases. With `inside`, also behind pointers and in lists; a
 * lock around an `Option` is a way to take it out, and so are maps and channels.
 */
function isStrong(unit: UnitFacts, file: FileIr, type: TypeRef, inside: boolean, depth = 0): boolean {
  if (depth > 6) return false;
  if (type.kind === 'reference') return false;
  if (type.kind !== 'path') return false;
  if (type.name === 'ThreadsafeFunction')
    return isOfNapi(file, type) && !/,\s*true\s*(?:,\s*\d+\s*)?,?\s*>$/u.test(weakPart(type));
  if (inside && /^(?:Arc|Rc|Box|Vec)$/u.test(type.name) && type.args[0])
    return isStrong(unit, file, type.args[0], true, depth + 1);
  const alias = findAlias(unit, file, type);
  return alias !== undefined && isStrong(unit, alias.file, alias.type, inside, depth + 1);
}

/** What an alias of the package stands for, with the file whose names it uses. */
function findAlias(
  unit: UnitFacts,
  file: FileIr,
  type: TypeRef,
): { readonly file: FileIr; readonly type: TypeRef } | undefined {
  const decl = unit.oracle('rust').declaration(type.name, file.path);
  if (decl?.kind !== 'alias' || !decl.alias) return undefined;
  const declaring = file.types.includes(decl)
    ? file
    : unit.typesNamed(type.name, 'rust').find((t) => t.item === decl)?.file;
  return declaring ? { file: declaring, type: decl.alias } : undefined;
}

/** A wrapper of the same name in the package has its own teardown. */
function isOfNapi(file: FileIr, type: TypeRef): boolean {
  if (type.path.length > 1) return /^(?:napi(?:_ohos)?|threadsafe_function)$/u.test(type.path[0] ?? '');
  const imported = file.imports.find((i) => i.name === type.name);
  if (imported) return imported.path.includes('napi') || imported.path.includes('threadsafe_function');
  return file.imports.some((i) => i.isGlob === true && /^napi(?:_ohos)?$/u.test(i.path[0] ?? ''));
}

/** The text of a type with six or more arguments; the sixth says whether it is weak. */
function weakPart(type: TypeRef): string {
  return type.args.length >= 6 ? type.text : '';
}

// --- builders --------------------------------------------------------------------------------------------------------

interface Kept {
  readonly span: Span;
  readonly at: Span;
  readonly keeper: string;
}

function findKept(unit: UnitFacts, file: FileIr, fn: FunctionIr, body: Block): readonly Kept[] {
  const text = plainText(unit, file, fn.span);
  const found: Kept[] = [];
  walkBody(body, (walked) => {
    const { expr } = walked;
    if (expr.kind !== 'method' || !BUILDERS.has(expr.method)) return;
    const chain = chainOf(walked);
    if (chain.some((e) => e.kind === 'method' && (e.method === 'weak' || e.method === 'unref'))) return;
    const outer = chain.at(-1) ?? expr;
    const name =
      walked.statement?.kind === 'let' &&
      walked.statement.pattern.kind === 'bind' &&
      walked.statement.init !== undefined
        ? walked.statement.pattern.name
        : undefined;
    if (
      name !== undefined &&
      new RegExp(`\\b${name}\\s*\\.\\s*(?:unref|abort)\\s*\\(|\\bdrop\\s*\\(\\s*${name}\\b`, 'u').test(text)
    )
      return;
    const keeper = findKeeper(unit, file, fn, body, name, outer);
    if (keeper) found.push({ span: expr.methodSpan, ...keeper });
  });
  return found;
}

/** The calls made on the result of an expression, innermost first. */
function chainOf({ expr, around }: Walked): readonly Expr[] {
  const chain: Expr[] = [];
  let current = expr;
  for (const outer of around.toReversed()) {
    const isNext =
      (outer.kind === 'method' && outer.receiver === current) || (outer.kind === 'try' && outer.value === current);
    if (!isNext) break;
    chain.push(outer);
    current = outer;
  }
  return chain;
}

function findKeeper(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  body: Block,
  name: string | undefined,
  made: Expr,
): { readonly at: Span; readonly keeper: string } | undefined {
  const holds = (value: Expr): boolean => {
    let found = false;
    walkBody({ span: value.span, statements: [], result: value }, ({ expr }) => {
      if (
        expr === made ||
        (name !== undefined && expr.kind === 'name' && expr.path.length === 1 && expr.path[0] === name)
      )
        found = true;
    });
    return found;
  };
  let keeper: { at: Span; keeper: string } | undefined;
  walkBody(body, ({ expr }) => {
    if (keeper) return;
    if (expr.kind === 'struct') {
      const type = expr.type.name === 'Self' ? (fn.owner ?? 'Self') : expr.type.name;
      for (const field of expr.fields)
        if (holds(field.value) && !hasTeardown(unit, file, type, field.name))
          keeper = { at: field.span, keeper: `${type}.${field.name}` };
      return;
    }
    if (expr.kind === 'method' && /^(?:set|store|replace|insert|push|get_or_init)$/u.test(expr.method)) {
      const root = globalRoot(expr.receiver);
      if (root !== undefined && expr.args.some((a) => holds(a.value))) keeper = { at: expr.span, keeper: root };
    }
  });
  return keeper;
}

/** The static that a chain of calls begins at. */
function globalRoot(expr: Expr): string | undefined {
  switch (expr.kind) {
    case 'name': {
      const last = expr.path.at(-1) ?? '';
      return /^[A-Z][A-Z0-9_]+$/u.test(last) ? last : undefined;
    }
    case 'method':
      return globalRoot(expr.receiver);
    case 'field':
    case 'deref':
    case 'address':
      return globalRoot(expr.base);
    case 'try':
      return globalRoot(expr.value);
    default:
      return undefined;
  }
}

/** A task is dropped on the JavaScript thread when it is done; other types must say how they let go. */
function hasTeardown(unit: UnitFacts, file: FileIr, named: string, field: string): boolean {
  const oracle = unit.oracle('rust');
  const alias = oracle.declaration(named, file.path);
  const type = alias?.kind === 'alias' && alias.alias?.kind === 'path' ? alias.alias.name : named;
  const decl = oracle.declaration(type, file.path);
  const declared = decl ? unit.typesNamed(type, 'rust').find((t) => t.item === decl)?.file : undefined;
  const files = [...new Set([file, ...(declared ? [declared] : [])])];
  if (
    files.some((f) => f.impls.some((i) => /^(?:Task|ScopedTask)$/u.test(i.trait?.name ?? '') && i.target.name === type))
  )
    return true;
  const fieldType = decl?.fields.find((f) => f.name === field)?.type;
  if (fieldType && declared && isWeakAlias(unit, declared, fieldType)) return true;
  const lets = new RegExp(
    `\\b${field}\\b(?:\\s*\\.\\s*\\w+\\s*\\([^()]*\\)\\??)*\\s*\\.\\s*(?:take|abort|unref|release)\\s*\\(|\\b${field}\\s*=\\s*None\\b|drop\\s*\\(\\s*self\\.${field}`,
    'u',
  );
  return files.some((f) => lets.test(unit.textOf(f.path) ?? ''));
}

function isWeakAlias(unit: UnitFacts, file: FileIr, type: TypeRef, depth = 0): boolean {
  if (depth > 6 || type.kind !== 'path') return false;
  if (type.name === 'ThreadsafeFunction') return !isStrong(unit, file, type, false);
  if (type.args.some((a) => isWeakAlias(unit, file, a, depth + 1))) return true;
  const alias = findAlias(unit, file, type);
  return alias !== undefined && isWeakAlias(unit, alias.file, alias.type, depth + 1);
}

// --- Node-API by hand ------------------------------------------------------------------------------------------------

function findRaw(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
): { readonly span: Span; readonly kept: Span; readonly keeper: string } | undefined {
  if (!fn.bodySpan) return undefined;
  const text = plainText(unit, file, fn.bodySpan);
  const call = RAW_CREATE.exec(text);
  if (!call || RAW_TEARDOWN.test(text)) return undefined;
  const rest = text.slice(call.index);
  // `GLOBAL.store(function, ..)` and the like; what is returned or put in a value is its owner's to release.
  const store =
    /\b([A-Z][A-Z0-9_]{2,})\s*(?:\.\s*\w+\s*\([^()]*\)\s*)*\.\s*(?:store|set|insert|replace|push)\s*\(/u.exec(rest);
  if (!store?.[1]) return undefined;
  const start = fn.bodySpan.start + call.index;
  const kept = start + store.index;
  return {
    span: { start, end: start + call[0].length - 1 },
    kept: { start: kept, end: kept + store[0].length },
    keeper: store[1],
  };
}
