import { declaringFile } from '../facts/declarations.js';
import type { UnitFacts } from '../facts/unit.js';
import { withoutAlias } from '../flow/types.js';
import type { Field, FileIr, TypeDecl, TypeRef } from '../model/ir.js';
import { defineRule, type ReportStep } from './rule.js';

/** Types that keep what they hold alive. */
const KEEPERS = new Set([
  'Reference',
  'SharedReference',
  'WeakReference',
  'Arc',
  'Weak',
  'Rc',
  'Ref',
  'ObjectRef',
  'External',
  'ExternalRef',
  'Root',
]);

export default defineRule({
  meta: {
    id: 'raw-pointer-in-class',
    title: 'Raw pointer in a class',
    summary: 'An object that JavaScript keeps points into another one that nothing keeps alive.',
    languages: ['rust'],
    severity: 'warning',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-825'],
    messages: {
      field:
        "'{field}' of {what} '{type}' is '{pointer}', a pointer into an object that '{type}' neither owns nor keeps alive: JavaScript may use '{type}' after it is gone.",
    },
    checklist: 'What keeps the pointee alive as long as JavaScript holds this object?',
    scenarios: ['gc-churn'],
  },
  tokens: { rust: ['#[napi', 'Task for '] },
  bodyTokens: { rust: ['no body is read by its tree'] },
  check({ unit, report }) {
    for (const file of unit.filesOf('rust')) {
      for (const type of file.types) {
        const what = describeClass(file, type);
        if (what === undefined || type.generics.some((g) => g.name.startsWith("'"))) continue;
        const fields = type.fields.filter(
          (f) =>
            isForeignPointer(unit, file, type, f.type) ||
            wrapsPointer(unit, file, type, f.type) ||
            isAddress(unit, file, type, f) ||
            isErased(unit, file, type, f) ||
            isForged(unit, type, f) ||
            isLentByShare(unit, type, f),
        );
        const first = fields[0];
        if (!first || keeps(unit, file, type)) continue;
        const steps: ReportStep[] = fields.map((f) => ({
          file,
          span: f.span,
          role: 'declare',
          note: `'${f.name}' is '${f.type?.text ?? ''}'.`,
        }));
        report({
          messageId: 'field',
          data: { field: first.name, what, type: type.name, pointer: first.type?.text ?? '' },
          at: { file, span: first.span },
          steps,
          key: `${type.name}|${first.name}`,
        });
      }
    }
  },
});

function describeClass(file: FileIr, type: TypeDecl): string | undefined {
  if (type.kind !== 'struct') return undefined;
  const attribute = type.attributes.find((a) => a.name === 'napi' || a.name.endsWith('::napi'));
  if (attribute) return /\bobject\b/u.test(attribute.args ?? '') ? undefined : 'the class';
  const isTask = file.impls.some(
    (i) => (i.trait?.name === 'Task' || i.trait?.name === 'ScopedTask') && i.target.name === type.name,
  );
  return isTask ? 'the task' : undefined;
}

/** A pointer to a Rust object: handles of a C library belong to whoever made them, and scalars are buffers. */
function isForeignPointer(unit: UnitFacts, file: FileIr, owner: TypeDecl, written: TypeRef | undefined): boolean {
  const type = withoutAlias(written, unit.oracle('rust'), file.path);
  if (!type) return false;
  if (type.kind === 'path' && (type.name === 'Option' || type.name === 'Vec'))
    return isForeignPointer(unit, file, owner, type.args[0]);
  let pointee: TypeRef | undefined;
  if (type.kind === 'pointer') pointee = type.element;
  else if (type.kind === 'path' && type.name === 'NonNull') pointee = type.args[0];
  else if (type.kind === 'reference' && type.lifetime === "'static" && type.mutable === true) pointee = type.element;
  if (pointee?.kind === 'trait-object') return true;
  if (pointee?.kind !== 'path' || !/^[A-Z]/u.test(pointee.name) || pointee.name === owner.name) return false;
  if (pointee.path.slice(0, -1).some((p) => /^(?:ffi|sys|libc|bindings|raw|\w+_sys)$/u.test(p))) return false;
  // A description of a C struct without fields is a handle.
  const decl = unit.oracle('rust').declaration(pointee.name, file.path);
  return (
    !decl || !(decl.attributes.some((a) => a.name === 'repr' && /\bC\b/u.test(a.args ?? '')) && decl.fields.length <= 1)
  );
}

/** A struct of the package that is a bare pointer of that kind with nothing beside it that keeps the object. */
function wrapsPointer(unit: UnitFacts, file: FileIr, owner: TypeDecl, type: TypeRef | undefined): boolean {
  if (type?.kind !== 'path') return false;
  if (type.name === 'Option' || type.name === 'Vec') return wrapsPointer(unit, file, owner, type.args[0]);
  const decl = unit.oracle('rust').declaration(type.name, file.path);
  if (decl?.kind !== 'struct' || decl.name === owner.name || decl.generics.some((g) => g.name.startsWith("'")))
    return false;
  if (decl.attributes.some((a) => a.name === 'napi' || a.name.endsWith('::napi'))) return false;
  const declaring = declaringFile(unit, file, decl);
  return (
    declaring !== undefined &&
    decl.fields.some((f) => f.type?.kind !== 'reference' && isForeignPointer(unit, declaring, decl, f.type)) &&
    !keeps(unit, declaring, decl)
  );
}

/**
 * `address: usize`, filled with the address of an object (`&self.inner as *const Doc as usize`) and read as one
 * (`self.address as *const Doc`) in the file.
 */
function isAddress(unit: UnitFacts, file: FileIr, owner: TypeDecl, field: Field): boolean {
  const name = /^\d/u.test(field.name) ? undefined : field.name;
  if (name === undefined || !/^(?:usize|u64|i64|isize)$/u.test(field.type?.text ?? '')) return false;
  const text = unit.textOf(file.path) ?? '';
  const cast = new RegExp(
    String.raw`\bself\s*\.\s*${name}\s+as\s+(?:usize\s+as\s+)?\*\s*(?:const|mut)\s+(?:\w+::)*([A-Z]\w*)`,
    'u',
  );
  const reads = file.functions.some(
    (f) =>
      f.owner === owner.name &&
      f.bodySpan !== undefined &&
      (cast.exec(text.slice(f.bodySpan.start, f.bodySpan.end))?.[1] ?? owner.name) !== owner.name,
  );
  if (!reads) return false;
  const holder = String.raw`\b(?:${owner.name}|Self)\s*\{[^{}]*?\b${name}\s*:\s*`;
  const lent = String.raw`&\s*(?:mut\s+)?\*?\s*\w+(?:\s*\.\s*\w+)*\s+as\s+\*\s*(?:const|mut)\s+[\w:]+(?:\s+as\s+\*\s*(?:const|mut)\s+[\w:]+)*\s+as\s+(?:usize|u64|i64|isize)`;
  return new RegExp(holder + lent, 'u').test(text);
}

/** `rows: Rows<'static>` where something in the file makes lifetimes static, and no field beside it may be the owner. */
function isErased(unit: UnitFacts, file: FileIr, owner: TypeDecl, field: Field): boolean {
  let type = field.type;
  while (type?.kind === 'path' && /^(?:Option|Mutex|RefCell|RwLock|Box)$/u.test(type.name)) type = type.args[0];
  if (type?.kind !== 'path' || type.lifetimes?.includes("'static") !== true) return false;
  // Text and paths that borrow or own, and what may be made of constants.
  if (/^(?:Cow|CowStr|Atom|Reference|SharedReference)$/u.test(type.name)) return false;
  const text = unit.textOf(file.path) ?? '';
  const impls = file.impls.filter((i) => i.target.name === owner.name);
  const forges = [...impls.map((i) => i.span), ...file.functions.map((f) => f.span)].some((s) => {
    const body = text.slice(s.start, s.end);
    return /\btransmute\b/u.test(body) && new RegExp(`\\b(?:${owner.name}|Self)\\b`, 'u').test(body);
  });
  return forges && owner.fields.every((f) => f === field || !mayOwn(f.type));
}

/** `inner: &'static Context`, where some file makes the value of a `transmute`: `Holder::new(unsafe { transmute(context) })`. */
function isForged(unit: UnitFacts, owner: TypeDecl, field: Field): boolean {
  const { type } = field;
  if (type?.kind !== 'reference' || type.lifetime !== "'static" || type.mutable === true) return false;
  if (type.element?.kind !== 'path' || !/^[A-Z]/u.test(type.element.name)) return false;
  const cast = String.raw`(?:unsafe\s*\{\s*)?(?:(?:std|core)::)?(?:mem::)?transmute\b`;
  const made = new RegExp(
    String.raw`\b${owner.name}\s*(?:::\s*\w+\s*\(\s*|\{[^{}]*\b${field.name}\s*:\s*)${cast}`,
    'u',
  );
  return unit.filesMatching('rust', made).length > 0;
}

/**
 * `inner: &'static Core`, where a function that calls `share_with` makes the value of what the shared reference leads to:
 * `shared.iter().map(|inner| Core { inner })`. The reference, which keeps the owner, ends with that function.
 */
function isLentByShare(unit: UnitFacts, owner: TypeDecl, { name, type }: Field): boolean {
  if (type?.kind !== 'reference' || type.lifetime !== "'static" || !/^\w+$/u.test(name)) return false;
  const made = new RegExp(String.raw`\b${owner.name}\s*(?:\{[^{}]*\b${name}\b|::\s*\w+\s*\(|\()`, 'u');
  return unit.filesMatching('rust', /\.\s*share_with\s*\(/u).some((file) => {
    const text = unit.textOf(file.path) ?? '';
    return file.functions.some(({ bodySpan, parent }) => {
      if (!bodySpan || parent !== undefined) return false;
      const body = text.slice(bodySpan.start, bodySpan.end);
      return /\.\s*share_with\s*\(/u.test(body) && made.test(body);
    });
  });
}

/** Whether what a field of the type holds may be what another field borrows from. */
function mayOwn(type: TypeRef | undefined): boolean {
  if (!type) return false;
  if (type.kind === 'tuple') return type.args.some(mayOwn);
  return (
    type.kind === 'path' && /^[A-Z]/u.test(type.name) && type.name !== 'PhantomData' && type.lifetimes === undefined
  );
}

function keeps(unit: UnitFacts, file: FileIr, type: TypeDecl): boolean {
  if (type.fields.some((f: Field) => f.type !== undefined && holdsKeeper(f.type))) return true;
  const impls = file.impls.filter((i) => i.target.name === type.name);
  if (impls.some((i) => i.trait?.name === 'Drop')) return true;
  const text = unit.textOf(file.path) ?? '';
  return impls.some((i) => /Box::into_raw|\bleak\s*\(|into_raw\s*\(/u.test(text.slice(i.span.start, i.span.end)));
}

function holdsKeeper(type: TypeRef): boolean {
  return type.kind === 'path' && (KEEPERS.has(type.name) || type.args.some(holdsKeeper));
}
