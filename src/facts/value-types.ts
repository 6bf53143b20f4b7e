import { syntheticType } from '../flow/builtin-types.js';
import type { TypeOracle } from '../flow/types.js';
import type { Expr, ExprOf, FunctionIr, TypeRef } from '../model/ir.js';
import type { LocalVariables } from './local-variables.js';

/** Where a value stands. */
export interface Surroundings {
  readonly fn: FunctionIr;
  readonly variables: LocalVariables;
  readonly oracle: TypeOracle;
  /** Of the file. */
  readonly path: string;
}

/** Types that are made around what they are given. */
const AROUND = /^(?:Box|Rc|Arc|Mutex|RwLock|RefCell|Cell|UnsafeCell|ManuallyDrop|Pin)$/u;

/**
 * The type of a value as far as the source says: literals of structs and tuples, constructors of the standard library around them,
 * parameters and annotated variables. Undefined when a part of it is not known.
 */
function typeOfValue(expr: Expr | undefined, around: Surroundings, depth = 0): TypeRef | undefined {
  if (!expr || depth > 8) return undefined;
  const next = (inner: Expr | undefined): TypeRef | undefined => typeOfValue(inner, around, depth + 1);
  const { fn, variables } = around;
  switch (expr.kind) {
    case 'struct':
      return ofOwner(fn, expr.type);
    case 'tuple': {
      const args = expr.items.map(next);
      if (args.length === 0 || args.some((a) => a === undefined)) return undefined;
      return { ...syntheticType('', expr.span), kind: 'tuple', path: [], args: args.flatMap((a) => a ?? []) };
    }
    case 'block':
      return expr.block.statements.length === 0 ? next(expr.block.result) : undefined;
    case 'name': {
      const name = expr.path.length === 1 ? expr.path[0] : undefined;
      if (name === undefined) return undefined;
      // `self: Box<Self>` is a box.
      if (name === 'self')
        return fn.self?.mode === 'value' && fn.self.type === undefined && fn.owner !== undefined
          ? syntheticType(fn.owner, expr.span)
          : undefined;
      const variable = variables.at(expr);
      if (variable?.type)
        return variable.type.args.some((a) => a.kind === 'unknown') ? undefined : ofOwner(fn, variable.type);
      if (variable) return next(variable.init);
      const given = fn.params.find((p) => p.name === name)?.type;
      return given?.kind === 'path' && !fn.generics.some((g) => g.name === given.name) ? given : undefined;
    }
    case 'macro':
      if (expr.name === 'format') return syntheticType('String', expr.span);
      if (expr.name !== 'vec') return undefined;
      return syntheticType('Vec', expr.span, [next(expr.args[0]) ?? unknown(expr)]);
    case 'method': {
      if (expr.method === 'into_boxed_slice' || expr.method === 'into_boxed_str')
        return syntheticType('Box', expr.span, [
          expr.method === 'into_boxed_str'
            ? syntheticType('str', expr.span)
            : { ...unknown(expr), kind: 'slice', element: elementOf(next(expr.receiver)) ?? unknown(expr) },
        ]);
      if (/^(?:to_string|to_lowercase|to_uppercase)$/u.test(expr.method)) return syntheticType('String', expr.span);
      const type = expr.method === 'clone' ? next(expr.receiver) : undefined;
      return type?.kind === 'path' ? type : undefined;
    }
    case 'call': {
      if (expr.callee.kind !== 'name') return undefined;
      const [owner = '', name = ''] =
        expr.callee.path.length > 1 ? expr.callee.path.slice(-2) : ['', expr.callee.path[0]];
      const given = expr.args[0]?.value;
      // `Arc::from(boxed)` holds what the box held: `from` says nothing.
      if (AROUND.test(owner) && /^(?:new|pin)$/u.test(name)) {
        const inner = next(given);
        return inner && syntheticType(owner === 'Pin' ? 'Box' : owner, expr.span, [inner]);
      }
      if (/^(?:Arc|Rc)$/u.test(owner) && name === 'clone') return next(given?.kind === 'address' ? given.base : given);
      if (/^(?:String|CString|PathBuf)$/u.test(owner) && /^(?:new|from)$/u.test(name) && owner !== 'CString')
        return syntheticType(owner, expr.span);
      if (name === 'Some') {
        const inner = next(given);
        return inner && syntheticType('Option', expr.span, [inner]);
      }
      return /^[A-Z]\w*[a-z]\w*$/u.test(owner) &&
        /^(?:new|default)$/u.test(name) &&
        !AROUND.test(owner) &&
        !GENERIC.test(owner) &&
        givesItself(owner, name, around)
        ? syntheticType(owner, expr.span)
        : undefined;
    }
    default:
      return undefined;
  }
}

/** Containers whose constructor does not say what they hold. */
const GENERIC =
  /^(?:Vec|VecDeque|HashMap|HashSet|BTreeMap|BTreeSet|Option|Result|Self|NonNull|OnceCell|OnceLock|Weak)$/u;

/** `Job::new(..)` and `Job::default()`, unless they are declared to give something else: `Arc<Job>`, `Result<Job, Error>`. */
function givesItself(owner: string, name: string, { oracle, path }: Surroundings): boolean {
  return oracle
    .methods(owner, name, path)
    .every(({ fn: { returns } }) => returns?.name === 'Self' || returns?.name === owner);
}

function ofOwner(fn: FunctionIr, type: TypeRef): TypeRef | undefined {
  if (type.name !== 'Self') return type;
  return fn.owner === undefined ? undefined : syntheticType(fn.owner, type.span);
}

function unknown({ span }: Expr): TypeRef {
  return { ...syntheticType('', span), kind: 'unknown', path: [] };
}

function elementOf(type: TypeRef | undefined): TypeRef | undefined {
  return type?.kind === 'path' && type.name === 'Vec' ? type.args[0] : type?.element;
}

/** The call of `into_raw` or `leak` that made a pointer, under casts and methods that keep the address. */
export function rawMakerOf(
  expr: Expr | undefined,
  variables: LocalVariables,
  depth = 0,
):
  | { readonly owner: string; readonly span: Expr['span']; readonly how: string; readonly call: ExprOf<'call'> }
  | undefined {
  if (!expr || depth > 8) return undefined;
  const next = (inner: Expr | undefined): ReturnType<typeof rawMakerOf> => rawMakerOf(inner, variables, depth + 1);
  switch (expr.kind) {
    case 'cast':
      return next(expr.value);
    case 'block':
      return expr.block.statements.length === 0 ? next(expr.block.result) : undefined;
    case 'method':
      return /^(?:cast|cast_mut|cast_const|as_ptr)$/u.test(expr.method) ? next(expr.receiver) : undefined;
    case 'name':
      return next(variables.at(expr)?.init);
    case 'call': {
      if (expr.callee.kind !== 'name') return undefined;
      const [owner = '', name = ''] = expr.callee.path.slice(-2);
      if (/^NonNull$/u.test(owner) && /^new(?:_unchecked)?$/u.test(name)) return next(expr.args[0]?.value);
      if (!/^(?:Box|Rc|Arc)$/u.test(owner) || !/^(?:into_raw|leak)$/u.test(name)) return undefined;
      return { owner, span: expr.span, how: `${owner}::${name}`, call: expr };
    }
    default:
      return undefined;
  }
}

/** What a pointer is made of by `into_raw` or `leak`: the owner type and its content. */
export function boxedBy(
  expr: Expr | undefined,
  around: Surroundings,
):
  { readonly owner: string; readonly content: TypeRef; readonly span: Expr['span']; readonly how: string } | undefined {
  const maker = rawMakerOf(expr, around.variables);
  const type = maker && typeOfValue(maker.call.args[0]?.value, around);
  const content = type?.kind === 'path' && type.name === maker?.owner ? type.args[0] : undefined;
  return maker && content && { owner: maker.owner, content, span: maker.span, how: maker.how };
}
