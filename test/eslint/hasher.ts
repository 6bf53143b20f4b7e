import { lint } from './support.js';

const dts = `export declare function hash(data: Uint8Array): Promise<string>
export declare function hashSync(data: Uint8Array): string
export declare function sum(list: Array<number>): Promise<number>
export declare function all(parts: Array<Uint8Array>): Promise<string>
export declare function run(job: Job): Promise<string>
export declare function cb(data: Buffer, done: (err: Error | null, r: string) => void): void
export declare class Enc {
  constructor(data: Uint8Array)
  encode(format: 'png'): Promise<Buffer>
  write(chunk: Uint8Array): Promise<void>
  close(): void
}
`;
/** An addon with a declaration file, and a package that uses it. */
const files = {
  '/p/package.json': '{"name":"app"}',
  '/p/node_modules/hasher/package.json': '{"name":"hasher","main":"index.js","types":"index.d.ts","napi":{}}',
  '/p/node_modules/hasher/index.d.ts': dts,
  '/p/node_modules/hasher/index.js': 'module.exports = require("./hasher.node")',
};
const head = `import { hash, hashSync, sum, all, run, cb, Enc } from 'hasher'; import fs from 'node:fs'; import fsp from 'node:fs/promises';\n`;

/** Name, code, language, rule. */
export type Probe = readonly [string, string, ('js' | 'ts')?, string?];

/** Lines with a finding of the probe's rule; its code begins on line 2, below the imports of `hasher`. */
export function linesOf([, code, language = 'js', rule = 'buffer-mutated-in-flight']: Probe): readonly number[] {
  const filename = `/p/file.${language === 'ts' ? 'ts' : 'mjs'}`;
  return lint(rule, head + code, { filename, files }).messages.map(({ line }) => line);
}
