import { syntheticType } from './builtin-types.js';
import type { Place } from './place.js';
import { elementType, peel, withoutAlias, withoutCount, type TypeOracle } from './types.js';
import type { TypeRef } from '../model/ir.js';

/** The type of a field of the type behind `type`, base classes included. */
export function fieldTypeOf(
  type: TypeRef | undefined,
  name: string,
  oracle: TypeOracle,
  fromPath: string,
): TypeRef | undefined {
  if (type?.kind === 'tuple') return type.args[Number(name)];
  let inner = peel(type);
  for (let i = 0; inner && i < 6; i++) {
    const decl = oracle.declaration(inner.name, fromPath);
    if (!decl) return undefined;
    if (decl.kind === 'alias') {
      inner = peel(decl.alias);
      continue;
    }
    const field =
      decl.fields.find((f) => f.name === name) ??
      // Another type of that name, inside of another one.
      oracle
        .declarationsIn(inner.name, fromPath)
        .flatMap((other) => other.fields)
        .find((f) => f.name === name);
    if (field) {
      const written = field.type;
      const generic = field.type?.kind === 'path' ? decl.generics.findIndex((g) => g.name === field.type?.name) : -1;
      return generic >= 0 && inner.args[generic] ? inner.args[generic] : withoutAlias(written, oracle, fromPath);
    }
    const base = decl.bases[0];
    inner = base ? syntheticType(base, decl.nameSpan) : undefined;
  }
  return undefined;
}

/** The declared type of a place, following fields and elements; undefined as soon as one step is not known. */
export function typeOfPlace(place: Place, oracle: TypeOracle, fromPath: string): TypeRef | undefined {
  let type = withoutCount(place.root.type, oracle, fromPath);
  for (const segment of place.path) {
    if (!type) return undefined;
    if (segment === '[]') type = elementType(type);
    else if (segment === '*') type = type.kind === 'pointer' || type.kind === 'reference' ? type.element : peel(type);
    else type = fieldTypeOf(type, segment, oracle, fromPath);
  }
  return type;
}

/** The name under which every function of the unit knows a place: `Pool.jobs` or `global:queue`; undefined for locals. */
export function growthKey(place: Place, oracle: TypeOracle, fromPath: string): string | undefined {
  const lastField = place.path.findLastIndex((s) => s !== '[]' && s !== '*');
  if (lastField < 0)
    return place.root.kind === 'global' ? `global:${place.root.name}${place.path.join('')}` : undefined;
  const holder = peel(typeOfPlace({ root: place.root, path: place.path.slice(0, lastField) }, oracle, fromPath));
  if (!holder || holder.kind !== 'path' || !holder.name) return undefined;
  return `${declaringType(holder.name, place.path[lastField] ?? '', oracle, fromPath)}.${place.path.slice(lastField).join('.')}`;
}

/** The type that declares a field that is seen in `name`: itself, or the base class that it inherits the field from. */
function declaringType(name: string, field: string, oracle: TypeOracle, fromPath: string): string {
  let holder = name;
  for (let i = 0; i < 6; i++) {
    const decl = oracle.declaration(holder, fromPath);
    const base = decl?.bases[0];
    if (decl?.kind !== 'class' || base === undefined || decl.fields.some((f) => f.name === field)) break;
    if (oracle.declarationsIn(holder, fromPath).some((other) => other.fields.some((f) => f.name === field))) break;
    holder = base;
    if (oracle.declaration(holder, fromPath)?.fields.some((f) => f.name === field) === true) return holder;
  }
  return name;
}
