/** References to objects of JavaScript inside of what an async function takes, which napi-rs does not keep alive. */
import { isExported } from './js-memory.js';
import { isClass } from './threadsafe-functions.js';
import type { UnitFacts } from './unit.js';
import type { FileIr, FunctionIr, Param, TypeRef } from '../model/ir.js';

export interface NestedReference {
  readonly fn: FunctionIr;
  readonly param: Param;
  /** The class whose object is lent. */
  readonly type: string;
}

/**
 * `index: Option<&Index>` of an exported `async fn`. What `&self` and `index: &Index` lead to is rooted until the future is done;
 * what stands inside of another type is only converted. Since napi-derive 3 the array of a `Vec<&T>` is rooted too
 * (napi-rs/napi-rs#2589).
 */
export function findNestedReferences(unit: UnitFacts, file: FileIr): readonly NestedReference[] {
  const fns = file.functions.filter((fn) => fn.isAsync && !fn.isTest && isExported(fn));
  return fns.flatMap((fn) =>
    fn.params.flatMap((param) => {
      const type = param.type?.kind === 'path' ? lentIn(unit, file, param.type) : undefined;
      return type === undefined || (isRootedArray(param.type) && !isOld(unit, file)) ? [] : [{ fn, param, type }];
    }),
  );
}

/** The class behind the first reference in the arguments of a type. */
function lentIn(unit: UnitFacts, file: FileIr, type: TypeRef): string | undefined {
  for (const arg of type.args) {
    const inner = arg.kind === 'reference' ? arg.element : undefined;
    const found = inner ? (isClass(unit, file, inner.name) ? inner.name : undefined) : lentIn(unit, file, arg);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isRootedArray(type: TypeRef | undefined): boolean {
  return type?.name === 'Vec' && type.args[0]?.kind === 'reference';
}

function isOld(unit: UnitFacts, file: FileIr): boolean {
  const locked = unit.project.lockedVersions('napi-derive', unit.project.cargoPackageOf(file.path))[0]?.value;
  return locked !== undefined && Number(locked.split('.')[0]) < 3;
}
