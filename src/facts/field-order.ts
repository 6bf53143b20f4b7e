import type { Expr, FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
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
      const owner = decl.fields.slice(0, at).find((f) => {
        const value = expr.fields.find((g) => g.name === f.name)?.value;
        const named = value?.kind === 'name' && value.path.length === 1 ? value.path[0] : undefined;
        return named !== undefined && f.type !== undefined && mayFree(f.type) && forged.names.has(named);
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

/** References and plain values free nothing. */
function mayFree(type: TypeRef): boolean {
  return (
    type.kind === 'path' &&
    !/^(?:ManuallyDrop|PhantomData|NonNull|bool|char|[iu](?:8|16|32|64|128|size)|f32|f64)$/u.test(type.name)
  );
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
