/** Which owner types make raw pointers to the structs of a package, and which take them back, function by function. */
import type { Expr, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import type { UnitFacts } from './unit.js';

type Owner = 'Box' | 'Rc' | 'Arc';

export interface RawTaker {
  readonly owner: Owner;
  /** The struct that the pointer is declared or cast to point to. */
  readonly content: string;
  readonly span: Span;
}

export interface RawMaker {
  readonly owner: Owner;
  readonly how: string;
  readonly file: FileIr;
  readonly span: Span;
}

interface Makers {
  /** By the name of the struct. */
  readonly known: ReadonlyMap<string, readonly RawMaker[]>;
  /** Calls whose content can't be told, with the path of the file: they may be of any type that it names. */
  readonly unknown: readonly { readonly owner: Owner; readonly path: string }[];
}

const made = new WeakMap<UnitFacts, Makers>();

/**
 * For `K::from_raw` of a struct that the package declares: who makes such pointers, when all of them are made by another owner type
 * and no call of unknown content could be one. Otherwise empty.
 */
export function foreignMakers(unit: UnitFacts, taker: RawTaker): readonly RawMaker[] {
  const makers = makersOf(unit);
  const known = makers.known.get(taker.content) ?? [];
  if (known.length === 0 || known.some((m) => m.owner === taker.owner)) return [];
  const named = new RegExp(`\\b${taker.content}\\b`, 'u');
  const mayBe = makers.unknown.some((u) => u.owner === taker.owner && named.test(unit.textOf(u.path) ?? ''));
  return mayBe ? [] : known;
}

/** `Arc::from_raw(p)` where `p` is cast to, or declared as, a pointer to a struct that the package declares once. */
export function findRawTakers(unit: UnitFacts, fn: FunctionIr): readonly RawTaker[] {
  if (!fn.body) return [];
  const found: RawTaker[] = [];
  walkBody(fn.body, ({ expr }) => {
    const owner = ownerCalled(expr, /^from_raw$/u);
    if (!owner || expr.kind !== 'call' || expr.callee.kind !== 'name') return;
    const written = expr.callee.typeArgs?.[0]?.name;
    const name = written ?? pointee(fn, expr.args[0]?.value);
    const content = name === 'Self' ? fn.owner : name;
    if (content !== undefined && isOwnStruct(unit, content)) found.push({ owner, content, span: expr.span });
  });
  return found;
}

function isOwnStruct(unit: UnitFacts, name: string): boolean {
  return /^[A-Z]\w*$/u.test(name) && unit.typesNamed(name, 'rust').filter((t) => t.item.kind === 'struct').length === 1;
}

/** What the pointer is cast or declared to point to. */
function pointee(fn: FunctionIr, expr: Expr | undefined): string | undefined {
  if (expr?.kind === 'cast') return expr.type.element?.name ?? undefined;
  if (expr?.kind === 'method' && expr.method === 'cast') return expr.typeArgs[0]?.name;
  if (expr?.kind === 'method' && /^(?:cast_mut|cast_const|as_ptr)$/u.test(expr.method))
    return pointee(fn, expr.receiver);
  if (expr?.kind !== 'name' || expr.path.length !== 1) return undefined;
  const [name = ''] = expr.path;
  const type = typeOf(fn, name);
  if (type?.kind === 'path' && type.name === 'NonNull') return type.args[0]?.name;
  return type?.kind === 'pointer' ? type.element?.name : undefined;
}

function typeOf(fn: FunctionIr, name: string): TypeRef | undefined {
  let type = fn.params.find((p) => p.name === name)?.type;
  if (fn.body)
    walkBody(fn.body, ({ statement }) => {
      if (statement?.kind === 'let' && statement.pattern.kind === 'bind' && statement.pattern.name === name)
        type = statement.type ?? undefined;
    });
  return type;
}

function ownerCalled(expr: Expr, method: RegExp): Owner | undefined {
  if (expr.kind !== 'call' || expr.callee.kind !== 'name') return undefined;
  const [owner = '', name = ''] = expr.callee.path.slice(-2);
  return method.test(name) && (owner === 'Box' || owner === 'Rc' || owner === 'Arc') ? owner : undefined;
}

function makersOf(unit: UnitFacts): Makers {
  const before = made.get(unit);
  if (before) return before;
  const known = new Map<string, RawMaker[]>();
  const unknown: { owner: Owner; path: string }[] = [];
  for (const file of unit.filesMatching('rust', /\b(?:Box|Rc|Arc)(?:::<[^>]*>)?::(?:into_raw|leak|as_ptr)\b/u))
    for (const fn of unit.withBodies(file, () => true).functions) {
      if (!fn.body) continue;
      walkBody(fn.body, ({ expr }) => {
        const owner = ownerCalled(expr, /^(?:into_raw|leak|as_ptr)$/u);
        if (!owner || expr.kind !== 'call' || expr.callee.kind !== 'name') return;
        const name = contentOf(fn, expr.args[0]?.value, owner);
        const content = name === 'Self' ? fn.owner : name;
        if (content === undefined || !isNamed(unit, file, fn, content)) unknown.push({ owner, path: file.path });
        else
          known.set(content, [
            ...(known.get(content) ?? []),
            { owner, how: expr.callee.path.slice(-2).join('::'), file, span: expr.span },
          ]);
      });
    }
  const result = { known, unknown };
  made.set(unit, result);
  return result;
}

/** Whether a name is that of a type, and not of a parameter that may be any. */
function isNamed(unit: UnitFacts, file: FileIr, fn: FunctionIr, name: string): boolean {
  if (fn.generics.some((g) => g.name === name)) return false;
  return STANDARD.test(name) || unit.typesNamed(name, 'rust').length > 0 || file.imports.some((i) => i.name === name);
}

const STANDARD = /^(?:String|Vec|CString|OsString|PathBuf|Mutex|RwLock|Cell|RefCell|Option|[a-z]\w*)$/u;

/** What the owner holds: `Job` of `Arc::new(Job { .. })`, `Box::new(Job::new())`, and of a variable of the type `Arc<Job>`. */
function contentOf(fn: FunctionIr, expr: Expr | undefined, owner: Owner, depth = 0): string | undefined {
  if (!expr || depth > 4) return undefined;
  if (expr.kind === 'struct') return expr.type.name;
  if (expr.kind === 'address') return contentOf(fn, expr.base, owner, depth + 1);
  if (expr.kind === 'method' && expr.method === 'clone') return contentOf(fn, expr.receiver, owner, depth + 1);
  if (expr.kind === 'call' && expr.callee.kind === 'name') {
    const [type = '', name = ''] = expr.callee.path.slice(-2);
    if (type === owner && (name === 'new' || name === 'clone'))
      return contentOf(fn, expr.args[0]?.value, owner, depth + 1);
    return depth > 0 && /^[A-Z]\w*$/u.test(type) && /^(?:new|default|from)\b/u.test(name) ? type : undefined;
  }
  if (expr.kind !== 'name' || expr.path.length !== 1) return undefined;
  const [name = ''] = expr.path;
  if (name === 'self') return fn.self?.type?.name === owner ? 'Self' : undefined;
  const type = typeOf(fn, name);
  if (type?.kind === 'path' && type.name === owner) return type.args[0]?.name;
  if (type !== undefined) return depth > 0 && type.kind === 'path' ? type.name : undefined;
  let init: Expr | undefined;
  if (fn.body)
    walkBody(fn.body, ({ expr: value, statement }) => {
      if (statement?.kind !== 'let' || statement.init !== value || statement.pattern.kind !== 'bind') return;
      if (statement.pattern.name === name && value.span.end <= expr.span.start) init = value;
    });
  return init ? contentOf(fn, init, owner, depth + 1) : undefined;
}
