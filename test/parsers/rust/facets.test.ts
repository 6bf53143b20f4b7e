import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { rustPack } from '../../../src/parsers/rust/pack.js';
import { checkTree } from './check-tree.js';
import { dumpIr } from './dump-ir.js';

const folder = new URL('../../../fixtures/facts/rust/', import.meta.url);
const programs = readdirSync(folder)
  .filter((name) => name.endsWith('.rs'))
  .map((name) => name.slice(0, -'.rs'.length))
  .sort();

function read(name: string): string {
  return readFileSync(new URL(`${name}.rs`, folder), 'utf8');
}

beforeAll(() => rustPack.load());

describe('what the Rust pack claims to see', () => {
  it('has a program for each facet and a facet for each program', () => {
    expect([...rustPack.facets].sort()).toEqual(programs);
  });

  it.each(programs)('%s', async (name) => {
    const text = read(name);
    const file = rustPack.lower({ path: `${name}.rs`, text });
    expect(checkTree(file, text)).toEqual([]);
    await expect(dumpIr(file, text)).toMatchFileSnapshot(new URL(`${name}.outline`, folder).pathname);
  });

  it.each(programs)('%s: a body that is asked for is the same as in the whole file', (name) => {
    const text = read(name);
    const wanted = /as_ptr|unsafe|push/;
    const outline = (pattern?: RegExp): Map<string, string> => {
      const file = rustPack.lower({ path: `${name}.rs`, text }, pattern);
      const bodies = new Map<string, string>();
      for (const fn of file.functions) {
        // Ids count the functions of skipped bodies too, so they differ.
        if (fn.kind !== 'closure' && fn.kind !== 'async-block' && fn.parent === undefined) {
          bodies.set(
            `${fn.qualifiedName}@${String(fn.span.start)}`,
            fn.skipped === true ? 'skipped' : JSON.stringify(fn.body ?? null).replace(/"functionId":\d+/g, ''),
          );
        }
      }
      return bodies;
    };
    const whole = outline();
    const part = outline(wanted);
    expect([...part.keys()]).toEqual([...whole.keys()]);
    for (const [key, body] of part) {
      if (body !== 'skipped') expect(body).toBe(whole.get(key));
    }
  });
});
