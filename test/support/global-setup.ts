import { fileURLToPath } from 'node:url';
import { run } from './run.js';

/** Every run has the grammars, also when a single test file was asked for. */
export default function setup(): void {
  const script = fileURLToPath(new URL('../../scripts/grammars.mjs', import.meta.url));
  const result = run(process.execPath, [script]);
  if (result.status !== 0) throw new Error(result.stderr);
}
