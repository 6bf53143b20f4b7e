import type { FileIr, FunctionIr, TypeDecl } from '../model/ir.js';
import { hasBody, type WithBody } from './d-code.js';
import type { Located, UnitFacts } from './unit.js';

/** D: a destructor that a template brings into the types that mix it in. */
export interface MixedDestructor {
  readonly template: TypeDecl;
  readonly destructor: WithBody;
  readonly into: readonly Mixer[];
}

/** A type that mixes a template in. */
export interface Mixer extends Located<TypeDecl> {
  /** What is written for a name: `stmt` for the first parameter of `mixin Manager!(stmt, sqlite3_finalize)`. */
  readonly given: ReadonlyMap<string, string>;
}

/** Name, arguments in parentheses, or the one argument without them: `Manager!(stmt, close)`, `Closing!"log"`. */
const WRITTEN = /^([\w.]+)\s*(?:!\s*(?:\(([^]*)\)|(\w+)))?/u;

/** The template that stands around a function which belongs to no type: what it declares is for those that mix it in. */
export function templateOf(file: FileIr, fn: FunctionIr): TypeDecl | undefined {
  if (fn.parent !== undefined) return undefined;
  return file.types.find(
    (type) =>
      type.kind === 'template' &&
      (fn.owner === undefined || fn.owner === type.name) &&
      type.span.start <= fn.span.start &&
      fn.span.end <= type.span.end,
  );
}

/** The destructors of templates in a file, each with the types of one kind that mix it in, anywhere in the unit. */
export function mixedDestructors(unit: UnitFacts, file: FileIr, kind: 'class' | 'struct'): readonly MixedDestructor[] {
  return file.functions.flatMap((fn) => {
    if (fn.kind !== 'destructor' || fn.isStatic || !hasBody(fn)) return [];
    const template = templateOf(file, fn);
    const into = template === undefined ? [] : mixersOf(unit, file, template, kind);
    return template === undefined || into.length === 0 ? [] : [{ template, destructor: fn, into }];
  });
}

function mixersOf(unit: UnitFacts, at: FileIr, template: TypeDecl, kind: 'class' | 'struct'): readonly Mixer[] {
  const { name, generics } = template;
  return unit.filesMatching('d', new RegExp(`\\bmixin\\s+(?:[\\w.]+\\.)?${name}\\b`, 'u')).flatMap((file) =>
    file.types.flatMap((item) => {
      if (item.kind !== kind) return [];
      // Another template of the name is nearer.
      const meant = file.path === at.path ? template : unit.oracle('d').declaration(name, file.path);
      if (meant?.nameSpan.start !== template.nameSpan.start) return [];
      return mixins(item).flatMap((mixin) => {
        if (mixin.name !== name) return [];
        const given = new Map(generics.map((one, at) => [one.name, mixin.args[at] ?? one.name]));
        return [{ file, item, given }];
      });
    }),
  );
}

/** The templates that a type mixes in, with what each is given. */
function mixins({ attributes }: TypeDecl): readonly { readonly name: string; readonly args: readonly string[] }[] {
  return attributes.flatMap((attribute) => {
    const match = attribute.name === 'mixin' ? WRITTEN.exec(attribute.args ?? '') : null;
    const name = match?.[1]?.split('.').at(-1);
    if (match === null || name === undefined) return [];
    return [{ name, args: (match[2] ?? match[3] ?? '').split(',').map((one) => one.trim()) }];
  });
}

/** The texts of the templates of the unit that a type mixes in; of all those of a name where none is nearer than others. */
export function mixedTexts(unit: UnitFacts, { file, item }: Located<TypeDecl>): readonly string[] {
  return mixins(item).flatMap(({ name }) => {
    const meant = unit.oracle('d').declaration(name, file.path);
    const known = unit.typesNamed(name, 'd').filter((one) => one.item.kind === 'template');
    const nearest = known.filter((one) => one.item === meant);
    return (nearest.length > 0 ? nearest : known).map((one) =>
      (unit.textOf(one.file.path) ?? '').slice(one.item.span.start, one.item.span.end),
    );
  });
}
