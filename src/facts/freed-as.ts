import type { Expr, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { callbackOf } from './callback-data.js';
import { layoutsDiffer } from './layouts.js';
import { LocalVariables } from './local-variables.js';
import { boxedBy } from './value-types.js';
import type { UnitFacts } from './unit.js';

/** A block that a callback frees as another type than the one it was made of. */
export interface FreedAs {
  readonly callee: string;
  readonly call: Span;
  readonly callback: FunctionIr;
  readonly from: TypeRef;
  readonly to: TypeRef;
  readonly made: Span;
  readonly how: string;
  readonly taken: Span;
}

const VOID = /^(?:c_void|void|gpointer)$/u;

/**
 * A foreign call that is given a function of the file and as many untyped pointers as that function takes, in the same order: what the
 * function takes over by `from_raw` is compared with what the pointer was made of.
 */
export function findFreedAs(unit: UnitFacts, file: FileIr, fn: FunctionIr): FreedAs | undefined {
  if (!fn.body || fn.isTest || fn.kind === 'closure') return undefined;
  const variables = new LocalVariables(fn.body);
  const oracle = unit.oracle('rust');
  let found: FreedAs | undefined;
  walkBody(fn.body, ({ expr }) => {
    if (found || expr.kind !== 'call' || expr.callee.kind !== 'name' || expr.args.length < 2) return;
    const callee = expr.callee.path.at(-1) ?? '';
    for (const { value } of expr.args) {
      const named = callbackOf(value, variables);
      const callback =
        named && file.functions.find((f) => f.name === named.path.at(-1) && f.abi !== undefined && f.bodySpan);
      if (!callback) continue;
      const declared = file.functions.find((f) => f.name === callee && f.abi !== undefined && f.bodySpan === undefined);
      const untyped = callback.params.filter(({ type }) => isUntyped(type));
      const given = expr.args.filter((a, at) => {
        const type = declared?.params[at]?.type;
        return type ? isUntyped(type) : isPointer(a.value, variables);
      });
      if (given.length !== untyped.length) continue;
      for (const taken of takenBy(unit, file, callback)) {
        const at = untyped.findIndex((p) => p.name === taken.param);
        const data = given[at]?.value;
        const made = boxedBy(data, { fn, variables, oracle, path: file.path });
        if (!made || made.owner !== taken.owner) continue;
        const parameters = callback.generics.filter((g) => !g.name.startsWith("'")).map((g) => g.name);
        const index = taken.type.kind === 'path' ? parameters.indexOf(taken.type.name) : -1;
        const to = index < 0 ? taken.type : named.typeArgs?.[index];
        if (!to || !layoutsDiffer(made.content, to, oracle, file.path)) continue;
        found = {
          callee: expr.callee.path.join('::'),
          call: expr.span,
          callback,
          from: made.content,
          to,
          made: made.span,
          how: made.how,
          taken: taken.span,
        };
        return;
      }
    }
  });
  return found;
}

interface Taken {
  readonly param: string;
  readonly owner: string;
  readonly type: TypeRef;
  readonly span: Span;
}

/** `Box::from_raw(data as *mut T)` of the parameters of a callback, each with the type that the cast names. */
function takenBy(unit: UnitFacts, file: FileIr, callback: FunctionIr): readonly Taken[] {
  const whole = callback.body
    ? callback
    : unit.withBodies(file, (f) => f.id === callback.id).functions.find((f) => f.id === callback.id);
  if (!whole?.body) return [];
  const variables = new LocalVariables(whole.body);
  const found: Taken[] = [];
  walkBody(whole.body, ({ expr }) => {
    if (expr.kind !== 'call' || expr.callee.kind !== 'name') return;
    const [owner = '', name = ''] = expr.callee.path.slice(-2);
    if (!/^(?:Box|Rc|Arc)$/u.test(owner) || !/^(?:from_raw|decrement_strong_count)$/u.test(name)) return;
    let inner: Expr | undefined = expr.args[0]?.value;
    let type = expr.callee.typeArgs?.[0];
    for (let depth = 0; inner && depth < 6; depth++) {
      if (inner.kind === 'cast') {
        if (inner.type.kind === 'pointer' && !isUntyped(inner.type)) type ??= inner.type.element;
        inner = inner.value;
      } else if (inner.kind === 'method' && inner.method === 'cast') {
        type ??= inner.typeArgs[0];
        inner = inner.receiver;
      } else if (inner.kind === 'name' && inner.path.length === 1) {
        const init: Expr | undefined = variables.at(inner)?.init;
        if (!init) break;
        inner = init;
      } else break;
    }
    if (inner?.kind === 'name' && inner.path.length === 1 && type && type.kind !== 'unknown' && type.name !== '_')
      found.push({ param: inner.path[0] ?? '', owner, type, span: expr.span });
  });
  return found;
}

function isUntyped(type: TypeRef | undefined): boolean {
  return type?.kind === 'pointer' && VOID.test(type.element?.name ?? '');
}

/** Whether an argument is written as a pointer: a null one, a cast, or a variable of one of these. */
function isPointer(expr: Expr, variables: LocalVariables, depth = 0): boolean {
  if (depth > 5) return false;
  switch (expr.kind) {
    case 'cast':
      return expr.type.kind === 'pointer';
    case 'call':
      return expr.callee.kind === 'name' && /^(?:null|null_mut|into_raw)$/u.test(expr.callee.path.at(-1) ?? '');
    case 'method':
      return /^(?:cast|cast_mut|as_ptr|as_mut_ptr)$/u.test(expr.method);
    case 'name': {
      const init = variables.at(expr)?.init;
      return init !== undefined && isPointer(init, variables, depth + 1);
    }
    default:
      return false;
  }
}
