import type { UnitFacts } from './unit.js';
import type { TypeDecl, TypeRef } from '../model/ir.js';

const SHORT = /'(?!static\b)[a-z_]\w*/u;
const DEEPEST = 12;

/**
 * Whether a value of the type may hold a reference with a lifetime that the type names. `Document<'a, String>` need not: its
 * fields may use `'a` for a `PhantomData` only, and for what a trait gives a text that owns itself. What is not declared in the
 * unit and names a lifetime may.
 */
export function mayBorrow(unit: UnitFacts, type: TypeRef, fromPath: string): boolean {
  return borrows(unit, type, fromPath, new Map(), new Set(), 0);
}

function borrows(
  unit: UnitFacts,
  type: TypeRef,
  fromPath: string,
  generics: ReadonlyMap<string, boolean>,
  seen: Set<TypeDecl>,
  depth: number,
): boolean {
  if (depth > DEEPEST) return true;
  const inside = (one: TypeRef | undefined): boolean =>
    one !== undefined && borrows(unit, one, fromPath, generics, seen, depth + 1);
  switch (type.kind) {
    case 'pointer':
      return false;
    case 'reference':
      return type.lifetime !== "'static" || inside(type.element);
    case 'path': {
      // `T` and `T::Value`: what stands for `T` decides.
      const given = generics.get(type.path[0] ?? type.name);
      if (given !== undefined) return given;
      if (type.name === 'PhantomData') return false;
      const decls = declarationsOf(unit, type, fromPath);
      if (decls.length === 0) return SHORT.test(lifetimesOf(type)) || type.args.some(inside);
      return decls.some((decl) => {
        if (seen.has(decl)) return false;
        seen.add(decl);
        const names = decl.generics.map((one) => one.name).filter((name) => !name.startsWith("'"));
        const own = new Map(
          names.map((name, i) => [name, type.args[i] === undefined || inside(type.args[i])] as const),
        );
        const parts = decl.alias === undefined ? decl.fields.flatMap((f) => (f.type ? [f.type] : [])) : [decl.alias];
        return parts.some((part) => borrows(unit, part, fromPath, own, seen, depth + 1));
      });
    }
    case 'tuple':
    case 'slice':
    case 'static-array':
      return type.args.some(inside) || inside(type.element);
    default:
      return SHORT.test(type.text);
  }
}

/** What the name most likely means, else all types of the name with as many parameters. */
function declarationsOf(unit: UnitFacts, type: TypeRef, fromPath: string): readonly TypeDecl[] {
  const decl = unit.oracle('rust').declaration(type.name, fromPath);
  if (decl !== undefined) return [decl];
  const count = type.args.length + [...lifetimesOf(type).matchAll(/'\w+/gu)].length;
  return unit.typesNamed(type.name, 'rust').flatMap(({ item: one }) => (one.generics.length === count ? [one] : []));
}

/** The lifetimes that a path names itself, not those inside of its arguments. */
function lifetimesOf({ text, args }: TypeRef): string {
  return args.reduce((rest, arg) => rest.replace(arg.text, ''), text);
}
