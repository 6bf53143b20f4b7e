import type { Expr, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { CALL_SCOPED } from './boxed-callbacks.js';
import { hasDrop } from './declarations.js';
import type { UnitFacts } from './unit.js';

/** A handle of foreign code that calls back with what a function was only lent, in a value without a lifetime. */
export interface LentHandle {
  readonly callee: string;
  readonly owner: string;
  readonly type: TypeRef;
  /** The call that makes the handle. */
  readonly span: Span;
  /** Where the borrow or the variable is declared. */
  readonly declared: Span;
}

/**
 * `let raw = plp_init(Some(read), self as *const _ as *mut c_void); Pileups { raw }`: the handle is given a function of the file and, as
 * its data, what a reference lends or a variable holds; and the function returns it in a struct of the package that has no lifetime,
 * so that whoever has it may use it when the data is gone.
 */
export function findLentHandle(unit: UnitFacts, file: FileIr, fn: FunctionIr): LentHandle | undefined {
  if (!fn.body || !fn.bodySpan || fn.isUnsafe || fn.isTest || fn.abi !== undefined) return undefined;
  if (fn.kind === 'closure' || !(fn.isPublic || fn.trait !== undefined)) return undefined;
  const type = contentOf(fn.returns);
  if (type?.kind !== 'path' || type.args.length > 0 || type.lifetimes !== undefined) return undefined;
  const name = type.name === 'Self' ? fn.owner : type.name;
  if (name === undefined) return undefined;
  const lent = new Map<string, Span>();
  if (fn.self && fn.self.mode !== 'value' && fn.self.lifetime !== "'static") lent.set('self', fn.self.span);
  for (const { name: parameter, type: given, span } of fn.params)
    if (given?.kind === 'reference' && given.lifetime !== "'static") lent.set(parameter, span);
  const locals = new Map<string, Span>();
  const aliases = new Map<string, string>();
  const variables: { readonly name: string; readonly init: Span }[] = [];
  const text = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
  let found: LentHandle | undefined;
  walkBody(fn.body, ({ expr, statement }) => {
    if (statement?.kind === 'let' && statement.pattern.kind === 'bind' && statement.init === expr) {
      variables.push({ name: statement.pattern.name, init: expr.span });
      const source = dataOf(expr, aliases);
      if (source?.isCast === true) aliases.set(statement.pattern.name, source.name);
      else if (source === undefined) locals.set(statement.pattern.name, statement.pattern.span);
    }
    if (found || expr.kind !== 'call' || expr.callee.kind !== 'name') return;
    const callee = expr.callee.path.join('::');
    if (/(?:^|::)[A-Z]\w*(?:::\w+)?$/u.test(callee) || isDoneAtOnce(expr.callee.path.at(-1) ?? '')) return;
    if (!expr.args.some((a) => isCallback(file, a.value))) return;
    for (const { value } of expr.args) {
      const source = dataOf(value, aliases);
      if (source?.isCast !== true) continue;
      const declared = source.isAddress ? locals.get(source.name) : lent.get(source.name);
      if (declared === undefined || !isHandedOn(text, fn.bodySpan, variables, expr.span, name)) continue;
      found = { callee, owner: source.name, type, span: expr.span, declared };
    }
  });
  if (!found) return undefined;
  // Asked last, since the answer may be in another file.
  const decl = unit.oracle('rust').declaration(name, file.path);
  if (decl?.kind !== 'struct' || decl.generics.some((g) => g.name.startsWith("'"))) return undefined;
  return hasDrop(unit, name) || decl.fields.some((f) => f.type?.kind === 'pointer' || f.type?.name === 'NonNull')
    ? found
    : undefined;
}

function contentOf(type: TypeRef | undefined): TypeRef | undefined {
  return type?.kind === 'path' && /^(?:Option|Result|Box)$/u.test(type.name) ? contentOf(type.args[0]) : type;
}

/** A function with a foreign ABI that has its body in the file: `read`, `Self::read`, `Some(read)`, `read::<T>`. */
export function isCallback(file: FileIr, expr: Expr): boolean {
  if (expr.kind === 'cast') return isCallback(file, expr.value);
  if (expr.kind === 'call' && expr.callee.kind === 'name' && expr.callee.path.at(-1) === 'Some')
    return expr.args.some((a) => isCallback(file, a.value));
  if (expr.kind !== 'name') return false;
  const name = expr.path.at(-1);
  return file.functions.some((f) => f.name === name && f.abi !== undefined && f.bodySpan !== undefined);
}

interface Data {
  readonly name: string;
  /** It becomes a raw pointer on the way. */
  readonly isCast: boolean;
  /** `&mut x`: the variable itself, not what it leads to. */
  readonly isAddress: boolean;
}

/** The variable that a pointer is made of, through casts and reborrows; undefined for anything else. */
export function dataOf(expr: Expr, aliases: ReadonlyMap<string, string>): Data | undefined {
  switch (expr.kind) {
    case 'cast': {
      const inner = dataOf(expr.value, aliases);
      return inner && { ...inner, isCast: inner.isCast || expr.type.kind === 'pointer' };
    }
    case 'method':
      return /^cast(?:_mut|_const)?$/u.test(expr.method) ? dataOf(expr.receiver, aliases) : undefined;
    case 'block':
      return expr.block.statements.length === 0 && expr.block.result ? dataOf(expr.block.result, aliases) : undefined;
    case 'address': {
      if (expr.base.kind === 'deref') return dataOf(expr.base.base, aliases);
      const inner = dataOf(expr.base, aliases);
      return inner && !inner.isCast ? { ...inner, isAddress: true } : undefined;
    }
    case 'name': {
      const [name] = expr.path;
      if (expr.path.length !== 1 || name === undefined) return undefined;
      const origin = aliases.get(name);
      return { name: origin ?? name, isCast: origin !== undefined, isAddress: false };
    }
    default:
      return undefined;
  }
}

/** Words of functions that take all their data in before they return, and of ones that only begin. */
const TAKES_IN = /_(?:read|parse|load|decode|import)(?:_|$)/iu;
const BEGINS = /_(?:init|new|create|open|start|begin|make|alloc|register|setup|attach|iter)(?:_|$)/iu;

/** Whether a function is done with its callback when it returns, as far as its name tells: `xmlReadIO`, `walk_all`, but not `walk_init`. */
export function isDoneAtOnce(name: string): boolean {
  const words = `_${name.replace(/(?<=[a-z\d])(?=[A-Z])/gu, '_')}`;
  return !BEGINS.test(words) && (CALL_SCOPED.test(words) || TAKES_IN.test(words));
}

/** Whether the variable is a status, which is compared and which the library gives when it is done. */
function isStatus(text: string, name: string): boolean {
  return new RegExp(`\\b${name}\\s*(?:==|!=|<|>|as\\s+(?:i32|c_int))`, 'u').test(text);
}

/** Whether what the call gives goes into the value that is returned: at once, or by the variable that it is bound to. */
function isHandedOn(
  text: string,
  body: Span | undefined,
  variables: readonly { readonly name: string; readonly init: Span }[],
  call: Span,
  type: string,
): boolean {
  const made = String.raw`\b(?:Self|${type})\s*(?:::\s*\w+\s*)?[({]`;
  const bound = variables.find(({ init }) => init.start <= call.start && call.end <= init.end);
  if (!bound) return new RegExp(`${made}[^;]*$`, 'u').test(text.slice(0, call.start - (body?.start ?? 0)));
  if (isStatus(text, bound.name)) return false;
  return new RegExp(`${made}[^;]*\\b${bound.name}\\b`, 'u').test(text.slice(bound.init.end - (body?.start ?? 0)));
}
