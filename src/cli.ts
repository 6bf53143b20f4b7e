#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';
import { keepCode, markOf, readCode } from './commands/code-cache.js';
import type * as Program from './main.js';

// Node 20 optimises what a scan is done with before that pays: with eight times its patience a scan takes a fifth less CPU
// (docs/performance.md). Later versions have other thresholds, and complain about a flag that they do not know.
if (process.versions.node.startsWith('20.')) setFlagsFromString('--interrupt-budget=1081344');

await start(fileURLToPath(new URL('./joined/main.cjs', import.meta.url)));

/** Runs the joined program (scripts/bundle.mjs), with what V8 compiled of it in earlier runs where that is known. */
async function start(file: string): Promise<void> {
  let program: LoadedProgram;
  try {
    program = load(file);
  } catch (error) {
    const [reason = ''] = String(error instanceof Error ? error.message : error).split('\n');
    process.stderr.write(
      `lifetime-lint: The file '${file}' can't be loaded (${reason}); install the package again, or build it.\n`,
    );
    process.exitCode = 2;
    return;
  }
  const { mark, parts, script, main, usedParts, endQuickStart } = program;
  process.on('exit', () => {
    const used = usedParts();
    if (used.every((part) => parts.includes(part))) return;
    keepCode(mark, [...new Set([...parts, ...used])], () => {
      // Compiled code is taken only where V8 has the flags that it was made with.
      endQuickStart();
      return script.createCachedData();
    });
  });
  await main();
}

type LoadedProgram = typeof Program & {
  readonly script: Script;
  readonly mark: string | undefined;
  /** What of the program had run when the code was compiled that it was given. */
  readonly parts: readonly string[];
};

/** Throws when the file can't be read or is not the program. */
function load(file: string): LoadedProgram {
  const source = readFileSync(file, 'latin1');
  const mark = markOf(file, source);
  const known = readCode(mark);
  const script = new Script(source, { filename: file, ...(known && { cachedData: known.code }) });
  const module: { exports: Partial<typeof Program> } = { exports: {} };
  // The value of the file is a function with the parameters of a module.
  const define = script.runInThisContext() as (...scope: readonly unknown[]) => void;
  define(module.exports, createRequire(file), module, file, dirname(file));
  const { main, usedParts, endQuickStart } = module.exports;
  if (main === undefined || usedParts === undefined || endQuickStart === undefined)
    throw new TypeError('it exports no program');
  const parts = script.cachedDataRejected === false ? (known?.parts ?? []) : [];
  return { main, usedParts, endQuickStart, script, mark, parts };
}
