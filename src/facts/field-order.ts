import { withoutAlias } from '../flow/types.js';
import type { Attribute, Expr, Field, FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { hasDrop } from './declarations.js';
import { bindingsOf, type Bindings } from './raw-views.js';
import type { UnitFacts } from './unit.js';

/** Two fields of a struct of the file, of which the first is dropped while the second still uses it in its own drop. */
export interface FieldOrder {
  readonly decl: TypeDecl;
  readonly owner: { readonly name: string; readonly span: Span };
  readonly view: { readonly name: string; readonly span: Span; readonly type: string };
  /** Where the lifetime of the view is forged. */
  readonly forged: Span;
  readonly how: string;
}

/** Types of other crates that do something with what they borrow when they are dropped. */
const ENDS_WITH_WORK =
  /(?:Guard|Transaction|Txn|Statement|Rows|Snapshot|Cursor|Session|Iterator|Scope|Stream|Lock|Symbol)$|^Ref(?:Mut)?$/u;
/** How a lifetime is lost. */
const FORGES = /\btransmute\b|&\s*(?:mut\s+)?\(*\s*\*|\(\s*\*\s*\w+\s*\)\s*\.|\bfrom_raw_parts(?:_mut)?\b/u;
const BECOMES_RAW = /\bas\s+\*(?:const|mut)\b|&\s*raw\b|\baddr_of(?:_mut)?!|\bfrom_ref\b|\bNonNull::from\b/u;

/**
 * `Self { owner, view }` where `view` is a `View<'static>` made from `owner` by a forged lifetime, `View` does something in its drop, and
 * the struct declares `owner` first: Rust drops the fields of a struct in the order of their declaration.
 */
export function findFieldOrder(unit: UnitFacts, file: FileIr, fn: FunctionIr): FieldOrder | undefined {
  if (!fn.body || fn.isTest || fn.parent !== undefined) return undefined;
  const text = unit.textOf(file.path) ?? '';
  const bindings = bindingsOf(fn.body);
  let found: FieldOrder | undefined;
  walkBody(fn.body, ({ expr }) => {
    if (found || expr.kind !== 'struct') return;
    const name = expr.type.name === 'Self' ? fn.owner : expr.type.name;
    const decl = file.types.find((t) => t.name === name && t.kind === 'struct');
    // A `Drop` of its own may end the view first.
    if (!decl || hasDrop(unit, decl.name)) return;
    for (const given of expr.fields) {
      const at = decl.fields.findIndex((f) => f.name === given.name);
      const view = decl.fields[at];
      const type = view?.type && endedView(unit, view.type);
      if (!view || type === undefined) continue;
      const forged = forgedFrom(text, given.value, bindings);
      if (!forged) continue;
      const valueOf = (field: Field): Expr | undefined => expr.fields.find((g) => g.name === field.name)?.value;
      const later = decl.fields.slice(at + 1).flatMap((f) => valueOf(f) ?? []);
      const owner = decl.fields.slice(0, at).find((f) => {
        const value = valueOf(f);
        const named = value && plainName(value);
        if (named === undefined || !forged.names.has(named) || !mayFree(unit, file, f.type)) return false;
        return isCopiedDeep(unit, file, f.type) || !later.some((other) => isShared(text, named, other, bindings));
      });
      if (owner)
        found = {
          decl,
          owner: { name: owner.name, span: owner.span },
          view: { name: view.name, span: view.span, type },
          forged: forged.span,
          how: forged.how,
        };
    }
  });
  return found;
}

/** The name of a type with the lifetime `'static` whose values do something when they are dropped. */
function endedView(unit: UnitFacts, type: TypeRef): string | undefined {
  if (type.kind !== 'path' || type.name === 'ManuallyDrop') return undefined;
  if (/^(?:Option|Box)$/u.test(type.name)) return type.args[0] && endedView(unit, type.args[0]);
  if (type.lifetimes?.includes("'static") !== true) return undefined;
  return hasDrop(unit, type.name) || ENDS_WITH_WORK.test(type.name) ? type.name : undefined;
}

/** References, plain values and what is `Copy` free nothing. */
function mayFree(unit: UnitFacts, file: FileIr, declared: TypeRef | undefined): boolean {
  const oracle = unit.oracle('rust');
  const type = withoutAlias(declared, oracle, file.path);
  if (type?.kind !== 'path' || FREES_NOTHING.test(type.name)) return false;
  const derived = oracle.declaration(type.name, file.path)?.attributes.some(isCopied) ?? false;
  return !derived && !unit.implsOf(type.name).some(({ item }) => item.trait?.name === 'Copy' && !item.isTest);
}

const FREES_NOTHING = /^(?:ManuallyDrop|PhantomData|NonNull|bool|char|[iu](?:8|16|32|64|128|size)|f32|f64)$/u;

function isCopied({ name, args }: Attribute): boolean {
  return name === 'derive' && /\bCopy\b/u.test(args ?? '');
}

/** Whether a clone of the owner has content of its own. */
function isCopiedDeep(unit: UnitFacts, file: FileIr, declared: TypeRef | undefined): boolean {
  const name = withoutAlias(declared, unit.oracle('rust'), file.path)?.name ?? '';
  return /^(?:Box|Vec|VecDeque|String|CString|OsString|PathBuf|HashMap|BTreeMap)$/u.test(name);
}

/** Whether a field that is dropped after the view is a clone of the owner, or the one that the owner is a clone of. */
function isShared(text: string, owner: string, later: Expr, bindings: Bindings): boolean {
  const clonedBy = (value: Expr | undefined): string | undefined => {
    if (!value) return undefined;
    const written = text.slice(value.span.start, value.span.end);
    const cloned = /^(?:\w+::)*(?:Arc|Rc)\s*::\s*clone\s*\(\s*&\s*(\w+)\s*\)$|^(\w+)\s*\.\s*clone\s*\(\s*\)$/u.exec(
      written,
    );
    return cloned?.[1] ?? cloned?.[2];
  };
  const other = plainName(later);
  if (clonedBy(later) === owner) return true;
  return other !== undefined && (clonedBy(bindings.get(other)) === owner || clonedBy(bindings.get(owner)) === other);
}

function plainName(expr: Expr): string | undefined {
  return expr.kind === 'name' && expr.path.length === 1 ? expr.path[0] : undefined;
}

interface Forged {
  readonly names: ReadonlySet<string>;
  readonly span: Span;
  readonly how: string;
}

/** The variables that a value with a forged lifetime was made of, through one pointer. */
function forgedFrom(text: string, value: Expr, bindings: Bindings): Forged | undefined {
  const inner = value.kind === 'call' && value.callee.kind === 'name' && value.callee.path.at(-1) === 'Some';
  const plain = inner ? value.args[0]?.value : value;
  const made = plain?.kind === 'name' && plain.path.length === 1 ? bindings.get(plain.path[0] ?? '') : plain;
  if (!made) return undefined;
  const source = text.slice(made.span.start, made.span.end);
  const how = FORGES.exec(source);
  if (!how) return undefined;
  const names = new Set<string>();
  for (const [word] of source.matchAll(/(?<![.\w:'])[a-z_]\w*(?!\s*(?:\(|::|!))/gu)) {
    names.add(word);
    const bound = bindings.get(word);
    const from = bound && text.slice(bound.span.start, bound.span.end);
    if (from !== undefined && BECOMES_RAW.test(from))
      for (const [first] of from.matchAll(/(?<![.\w:'])[a-z_]\w*(?!\s*(?:\(|::|!))/gu)) names.add(first);
  }
  return { names, span: made.span, how: /\w+/u.exec(how[0])?.[0] === 'transmute' ? 'transmute' : '&*' };
}
