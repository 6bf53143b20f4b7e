import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ChildPlan } from './child-plan.js';

/** A module of the target or a driver: nothing is known about its exports. */
export type Namespace = Readonly<Record<string, unknown>>;

export interface Driver {
  readonly load?: (options: { readonly target: string; readonly worker: boolean }) => unknown;
  readonly call?: (
    context: unknown,
    i: number,
    tools: { readonly inputs: unknown; readonly gc: () => void },
  ) => unknown;
}

/** The name of the module that the parent puts beside a target's node_modules, so that imports resolve from there. */
export const loaderName = 'lifetime-lint-load.mjs';

interface Loader {
  readonly load: (specifier: string) => Promise<Namespace>;
  readonly resolve: (specifier: string) => string;
}

async function importLoader(plan: ChildPlan): Promise<Loader | undefined> {
  const file = join(plan.root, loaderName);
  if (!existsSync(file)) return undefined;
  // The runner wrote the module (src/dynamic/target.ts).
  return (await import(pathToFileURL(file).href)) as Loader;
}

const tryRequire: ReadonlySet<string> = new Set([
  'ERR_PACKAGE_PATH_NOT_EXPORTED',
  'ERR_MODULE_NOT_FOUND',
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_UNSUPPORTED_DIR_IMPORT',
]);

/** Imports the target as a user of it would (a module is an object by its nature, of which nothing more is assumed); addons and packages without an ES entry are required. */
export async function loadTarget(plan: ChildPlan): Promise<Namespace> {
  // The control run: everything as in a real run, and nothing to load.
  if (plan.specifier === '') return {};
  const require = createRequire(join(plan.root, loaderName));
  if (plan.specifier.endsWith('.node')) return require(plan.specifier) as Namespace;
  const loader = await importLoader(plan);
  if (loader === undefined) return (await import(pathToFileURL(plan.specifier).href)) as Namespace;
  try {
    return orRequired(await loader.load(plan.specifier), () => require(plan.specifier) as Namespace);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (!tryRequire.has(code)) throw error;
    try {
      return require(plan.specifier) as Namespace;
    } catch (second) {
      // The first error is the one a user of `import` would see, unless only the second got as far as the addon.
      throw gotFurther(second, plan.specifier) ? second : error;
    }
  }
}

/** Whether `require` found the target itself: it failed on an addon, or on a module that the target wants. */
function gotFurther(error: unknown, specifier: string): boolean {
  if (!(error instanceof Error && 'code' in error)) return false;
  if (error.code === 'ERR_DLOPEN_FAILED') return true;
  return error.code === 'MODULE_NOT_FOUND' && !error.message.startsWith(`Cannot find module '${specifier}'`);
}

/**
 * The namespace, or what `require` gives when the only export is an empty object: there is nothing in it to call, and packages with an
 * entry for each module system may offer the addon in the other one only.
 */
function orRequired(namespace: Namespace, required: () => Namespace): Namespace {
  const value = namespace['default'];
  const isEmpty =
    Object.keys(namespace).length === 1 &&
    typeof value === 'object' &&
    value !== null &&
    Object.keys(value).length === 0;
  return isEmpty ? required() : namespace;
}

/** What a driver is told to import: a file URL where the target resolves, else its name. */
export async function resolveTarget(plan: ChildPlan): Promise<string> {
  if (plan.specifier.endsWith('.node')) return pathToFileURL(plan.specifier).href;
  const loader = await importLoader(plan);
  if (loader === undefined) return pathToFileURL(plan.specifier).href;
  try {
    return loader.resolve(plan.specifier);
  } catch {
    return plan.specifier;
  }
}
