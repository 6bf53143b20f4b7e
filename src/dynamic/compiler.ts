import { createRequire } from 'node:module';
import { join } from 'node:path';
import type typescript from 'typescript';
import { prepareTarget, type PrepareOptions, type TargetError } from './target.js';

export type Compiler = typeof typescript;

/** The version that is installed into the cache when none is at hand. */
export const pinnedCompiler = '6.0.3';

/**
 * The TypeScript compiler, which only `repro` needs, to read declarations: the one beside lifetime-lint, else the pinned version
 * in the cache, installed on first use with scripts off. A copy inside the target is never loaded: the parent runs none of its
 * code.
 */
export async function loadCompiler(options: PrepareOptions = {}): Promise<Compiler | TargetError> {
  const own = createRequire(import.meta.url);
  try {
    return requireCompiler(own);
  } catch {
    // Not installed beside us, which is usual: it is 20 MB that scanning does not need.
  }
  const installed = await prepareTarget({ kind: 'package', name: 'typescript', version: pinnedCompiler }, options);
  if ('error' in installed) {
    return {
      error: `Calls cannot be planned without the package 'typescript': ${installed.error} Install it beside lifetime-lint, or give --driver.`,
    };
  }
  return requireCompiler(createRequire(join(installed.root, 'package.json')));
}

function requireCompiler(require: NodeJS.Require): Compiler {
  // `require` is untyped; the package's own types describe it.
  return require('typescript') as Compiler;
}
