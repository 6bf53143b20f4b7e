import { calledName, declaredIn, letsIn, memberPath, rootName, uncast } from './d-code.js';
import { walkBody, walkExpression } from '../model/walk-body.js';
import type { Block, Expr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';

/** Functions of C that keep the memory that they are given for as long as the handle lives. */
interface Keeper {
  readonly name: RegExp;
  /** Which argument is the handle, and which the memory. */
  readonly handle: number;
  readonly kept: number;
  /** The option that says that the memory is kept. */
  readonly option?: RegExp;
}

const KEEPERS: readonly Keeper[] = [
  { name: /^setv?buf$|^setbuffer$/u, handle: 0, kept: 1 },
  { name: /^deflateSetHeader$|^inflateGetHeader$/u, handle: 0, kept: 1 },
  {
    name: /^curl_easy_setopt$/u,
    handle: 0,
    kept: 2,
    option: /(?:error_?buffer|post_?fields|(?:write|read|header|debug|progress|xferinfo)_?data|private)$/iu,
  },
];

/** What is done with a handle at its end, or so that nothing reads the memory afterwards. */
const ENDS = /(?:close|cleanup|end|free|destroy|perform|finish|reset)$/iu;

export interface LentToHandle {
  readonly owner: string;
  readonly declared: Span;
  readonly callee: string;
  readonly span: Span;
  readonly borrow: Span;
  /** Memory of the collector, which only the variable refers to. */
  readonly isCollected: boolean;
}

/**
 * D: memory on the stack, or of the collector with no other reference than a variable, that a C library is told to keep for a handle that
 * lives on: it is a parameter, a member, or is returned or stored by the function, which does not end it before.
 */
export function findLentToHandles(fn: FunctionIr): readonly LentToHandle[] {
  const { body } = fn;
  if (body === undefined || fn.hasError === true || fn.kind === 'unittest') return [];
  const locals = new Map<string, { readonly type: TypeRef | undefined; readonly span: Span }>();
  for (const { isStatic, pattern, type } of letsIn(body))
    if (isStatic !== true && pattern.kind === 'bind') locals.set(pattern.name, { type, span: pattern.span });
  const given: (LentToHandle & { readonly handle: string })[] = [];
  const kept = new Set<string>();
  const ended = new Map<string, number>();
  let collected: ReadonlySet<string> | undefined;
  const isOutside = (name: string): boolean => !declaredIn(fn).has(name) || fn.params.some((p) => p.name === name);
  walkBody(body, ({ expr, around }) => {
    const left =
      expr.kind === 'return' ? expr.value : expr.kind === 'assign' && isStored(expr.target) ? expr.value : undefined;
    const plain = left === undefined ? undefined : uncast(left);
    if (plain?.kind === 'name') kept.add(plain.path[0] ?? '');
    if (plain?.kind === 'call' || plain?.kind === 'new')
      for (const { value } of plain.args) if (value.kind === 'name') kept.add(value.path[0] ?? '');
    if (expr.kind !== 'call') return;
    const callee = calledName(expr) ?? '';
    // On a way that leaves by itself the handle ends for that way only.
    if (ENDS.test(callee) && !around.some((outer) => outer.kind === 'if' && isLeft(outer)))
      for (const { value } of expr.args) ended.set(handleOf(value) ?? '', expr.span.start);
    const keeper = KEEPERS.find(({ name }) => name.test(callee));
    const handle = keeper === undefined ? undefined : handleOf(expr.args[keeper.handle]?.value);
    const memory = keeper === undefined ? undefined : expr.args[keeper.kept]?.value;
    if (keeper === undefined || handle === undefined || memory === undefined) return;
    if (keeper.option !== undefined && !keeper.option.test(lastName(expr.args[1]?.value) ?? '')) return;
    const owner = stackMemory(memory);
    const local = owner === undefined ? undefined : locals.get(owner);
    // It is set anew later: `setvbuf(f, null, ..)`.
    for (let at = given.length - 1; at >= 0; at--)
      if (given[at]?.handle === handle && given[at]?.callee === callee && keeper.option === undefined)
        given.splice(at, 1);
    if (owner === undefined || local === undefined) return;
    // Any other slice shows memory of somebody else.
    collected ??= onlyInVariable(body);
    const isCollected = collected.has(owner);
    if (memory.kind !== 'address' && local.type?.kind !== 'static-array' && !isCollected) return;
    given.push({ owner, declared: local.span, callee, span: expr.span, borrow: memory.span, handle, isCollected });
  });
  return given.filter(({ handle, span }) => {
    const root = handle.split('.')[0] ?? '';
    if ((ended.get(handle) ?? -1) > span.start) return false;
    return kept.has(handle) || (isOutside(root) && !locals.has(root));
  });
}

/**
 * Locals that are arrays that `new` makes and that the function only shows to the functions of `KEEPERS`, by their pointer, besides
 * their length and elements: a pointer that goes anywhere else may keep them (`GC.addRoot(room.ptr)`, `first = &room[0]`).
 */
function onlyInVariable(body: Block): ReadonlySet<string> {
  const made = new Set<string>();
  const shared = new Set<string>();
  walkBody(body, ({ expr, around, statement }) => {
    if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind')
      if (expr.kind === 'new') made.add(statement.pattern.name);
    const [name = '', ...rest] = expr.kind === 'name' ? expr.path : [];
    if (name === '' || rest.length > 0) return;
    let at = around.length - 1;
    const parent = around[at];
    let isShown = parent?.kind === 'field' && parent.name === 'length';
    isShown ||= parent?.kind === 'index' && parent.base === expr && around[at - 1]?.kind !== 'address';
    const isPointer = parent?.kind === 'field' && parent.name === 'ptr';
    if (isPointer || (parent?.kind === 'index' && around[at - 1]?.kind === 'address')) {
      if (!isPointer) at--;
      while (around[at - 1]?.kind === 'cast') at--;
      const taker = around[at - 1];
      const callee = taker?.kind === 'call' ? (calledName(taker) ?? '') : '';
      isShown = KEEPERS.some((keeper) => keeper.name.test(callee));
    }
    if (!isShown) shared.add(name);
  });
  return new Set([...made].filter((name) => !shared.has(name)));
}

function isLeft(choice: Expr): boolean {
  let leaves = false;
  walkExpression(choice, ({ expr }) => {
    leaves ||= expr.kind === 'throw' || expr.kind === 'return';
  });
  return leaves;
}

/** A member, an element or what a pointer leads to. */
function isStored(target: Expr): boolean {
  return target.kind === 'field' || target.kind === 'index' || target.kind === 'deref';
}

/** `handle`, `&this.stream`, `state.handle` */
function handleOf(value: Expr | undefined): string | undefined {
  if (value === undefined) return undefined;
  const plain = uncast(value);
  return memberPath(plain.kind === 'address' ? plain.base : plain);
}

/** `CurlOption.errorbuffer`, `CURLOPT_ERRORBUFFER` */
function lastName(value: Expr | undefined): string | undefined {
  if (value === undefined) return undefined;
  return value.kind === 'name' ? value.path.at(-1) : value.kind === 'field' ? value.name : undefined;
}

/** The variable whose own memory an argument shows: `buffer.ptr`, `&head`, `&buffer[0]`, `cast(void*) &head`. */
function stackMemory(value: Expr): string | undefined {
  const plain = uncast(value);
  if (plain.kind === 'field' && plain.name === 'ptr')
    return simpleName(plain.base.kind === 'slice' ? plain.base.base : plain.base);
  if (plain.kind !== 'address') return undefined;
  const base = plain.base.kind === 'index' ? plain.base.base : plain.base;
  return simpleName(base);
}

function simpleName(expr: Expr): string | undefined {
  return expr.kind === 'name' && expr.path.length === 1 ? rootName(expr) : undefined;
}
