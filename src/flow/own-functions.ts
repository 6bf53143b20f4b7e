import type { TypeOracle } from './types.js';
import type { FileIr, FunctionIr } from '../model/ir.js';

/**
 * Rust: a function of the file, or a foreign one that it declares, which only has the name of one that starts a task (`spawn`): it calls
 * what it is given at once, or is of C.
 */
export function isOtherSpawn(path: readonly string[], file: FileIr, caller: FunctionIr, oracle: TypeOracle): boolean {
  if (path.at(-1) !== 'spawn' || path.length > 2) return false;
  const fn = ownFunction(path, file, caller);
  if (!fn) return false;
  return fn.bodySpan === undefined ? fn.abi !== undefined : !oracle.handsOn(file.path, fn);
}

/** The only free function of the file that `name` or `module::name` can mean where the caller stands. */
function ownFunction(path: readonly string[], file: FileIr, caller: FunctionIr): FunctionIr | undefined {
  const [first = '', last = first] = path;
  if (path.length === 1 && file.imports.some(({ name }) => name === first)) return undefined;
  const wanted = path.length === 1 || /^(?:self|crate)$/u.test(first) ? last : `${first}.${last}`;
  const named = file.functions.filter(
    (fn) => fn.name === last && fn.kind === 'function' && fn.owner === undefined && fn.qualifiedName.endsWith(wanted),
  );
  const around = caller.qualifiedName.split('.');
  while (around.length > 0 && named.length > 0) {
    around.pop();
    const found = named.filter(({ qualifiedName }) => qualifiedName === [...around, wanted].join('.'));
    if (found.length > 0) return found.length === 1 ? found[0] : undefined;
  }
  return undefined;
}
