import { fileURLToPath } from 'node:url';
import { run } from './run.js';

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** Builds dist/ when it is out of date and returns the absolute path of the command. For `beforeAll`. */
export function builtCli(): string {
  const result = run(process.execPath, [at('scripts/build.mjs'), '--if-stale']);
  if (result.status !== 0) throw new Error(result.stderr);
  return at('dist/cli.js');
}
