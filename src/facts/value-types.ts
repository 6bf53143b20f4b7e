import { syntheticType } from '../flow/builtin-types.js';
import type { Expr, FunctionIr, Pattern, TypeRef } from '../model/ir.js';
import { walkBody } from '../model/walk-body.js';
import type { Bindings } from './raw-views.js';

/** What the body of a function says of its variables. */
export interface Variables {
  readonly fn: FunctionIr;
  readonly bindings: Bindings;
  /** Types that a `let` writes down, by the name. */
  readonly written: ReadonlyMap<string, TypeRef>;
}

/** The variables of a function with the types that are written for them. */
export function variablesOf(fn: FunctionIr, bindings: Bindings): Variables {
  const written = new Map<string, TypeRef>();
  const add = (pattern: Pattern, type: TypeRef | undefined): void => {
    if (pattern.kind === 'bind' && type && type.kind !== 'unknown' && !written.has(pattern.name))
      written.set(pattern.name, type);
  };
  if (fn.body) {
    for (const statement of fn.body.statements) if (statement.kind === 'let') add(statement.pattern, statement.type);
    walkBody(fn.body, ({ statement }) => {
      if (statement?.kind === 'let') add(statement.pattern, statement.type);
    });
  }
  return { fn, bindings, written };
}

/** Types that are made around what they are given. */
const AROUND = /^(?:Box|Rc|Arc|Mutex|RwLock|RefCell|Cell|UnsafeCell|ManuallyDrop|Pin)$/u;

/**
 * The type of a value as far as the source says: literals of structs and tuples, constructors of the standard library around them,
 * parameters and annotated variables. Undefined when a part of it is not known.
 */
function typeOfValue(expr: Expr | undefined, variables: Variables, depth = 0): TypeRef | undefined {
  if (!expr || depth > 8) return undefined;
  const next = (inner: Expr | undefined): TypeRef | undefined => typeOfValue(inner, variables, depth + 1);
  const { fn, bindings, written } = variables;
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
      if (name === 'self')
        return fn.self?.mode === 'value' && fn.owner !== undefined ? syntheticType(fn.owner, expr.span) : undefined;
      const type = written.get(name);
      if (type) return type.args.some((a) => a.kind === 'unknown') ? undefined : ofOwner(fn, type);
      const bound = bindings.get(name);
      if (bound) return bound.span.end <= expr.span.start ? next(bound) : undefined;
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
      if (AROUND.test(owner) && /^(?:new|pin|from)$/u.test(name)) {
        const inner = next(given);
        if (name === 'from' && inner?.kind !== 'path') return undefined;
        return inner && syntheticType(owner === 'Pin' ? 'Box' : owner, expr.span, [inner]);
      }
      if (/^(?:Arc|Rc)$/u.test(owner) && name === 'clone') return next(given?.kind === 'address' ? given.base : given);
      if (/^(?:String|CString|PathBuf)$/u.test(owner) && /^(?:new|from)$/u.test(name) && owner !== 'CString')
        return syntheticType(owner, expr.span);
      if (name === 'Some') {
        const inner = next(given);
        return inner && syntheticType('Option', expr.span, [inner]);
      }
      // `Job::new(..)` and `Job::default()` of a type that nobody says to be something else.
      return /^[A-Z]\w*[a-z]\w*$/u.test(owner) &&
        /^(?:new|default)$/u.test(name) &&
        !AROUND.test(owner) &&
        !GENERIC.test(owner)
        ? ofOwner(fn, syntheticType(owner, expr.span))
        : undefined;
    }
    default:
      return undefined;
  }
}

/** Containers whose constructor does not say what they hold. */
const GENERIC =
  /^(?:Vec|VecDeque|HashMap|HashSet|BTreeMap|BTreeSet|Option|Result|Self|NonNull|OnceCell|OnceLock|Weak)$/u;

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

/** What a pointer is made of by `into_raw` or `leak`: the owner type and its content, under casts and methods that keep the address. */
export function boxedBy(
  expr: Expr | undefined,
  variables: Variables,
  depth = 0,
):
  { readonly owner: string; readonly content: TypeRef; readonly span: Expr['span']; readonly how: string } | undefined {
  if (!expr || depth > 8) return undefined;
  const next = (inner: Expr | undefined): ReturnType<typeof boxedBy> => boxedBy(inner, variables, depth + 1);
  switch (expr.kind) {
    case 'cast':
      return next(expr.value);
    case 'block':
      return expr.block.statements.length === 0 ? next(expr.block.result) : undefined;
    case 'method':
      return /^(?:cast|cast_mut|cast_const|as_ptr)$/u.test(expr.method) ? next(expr.receiver) : undefined;
    case 'name': {
      const bound = expr.path.length === 1 ? variables.bindings.get(expr.path[0] ?? '') : undefined;
      return bound && bound.span.end <= expr.span.start ? next(bound) : undefined;
    }
    case 'call': {
      if (expr.callee.kind !== 'name') return undefined;
      const [owner = '', name = ''] = expr.callee.path.slice(-2);
      if (/^NonNull$/u.test(owner) && /^new(?:_unchecked)?$/u.test(name)) return next(expr.args[0]?.value);
      if (!/^(?:Box|Rc|Arc)$/u.test(owner) || !/^(?:into_raw|leak)$/u.test(name)) return undefined;
      const type = typeOfValue(expr.args[0]?.value, variables);
      const content = type?.kind === 'path' && type.name === owner ? type.args[0] : undefined;
      return content && { owner, content, span: expr.span, how: `${owner}::${name}` };
    }
    default:
      return undefined;
  }
}
