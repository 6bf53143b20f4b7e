import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import typescript from 'typescript';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canSettleTwice, type CallPlan, type CallSpec } from '../../src/dynamic/call-plan.js';
import { takesSamples } from '../../src/dynamic/child/argument-parts.js';
import { renderCallPlan } from '../../src/dynamic/render-repro.js';
import { findDeclarations, planCallsFrom } from '../../src/dynamic/declarations.js';
import type { PreparedTarget } from '../../src/dynamic/target.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifetime-lint-test-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function plan(text: string): CallPlan {
  const file = join(folder, 'index.d.ts');
  writeFileSync(file, text);
  return planCallsFrom(typescript, file);
}

function call(found: CallPlan, name: string): CallSpec {
  const spec = found.calls.find((candidate) => candidate.name === name);
  if (spec === undefined)
    throw new Error(`'${name}' was not planned; there are ${found.calls.map((other) => other.name).join(', ')}.`);
  return spec;
}

describe('calls from declarations', () => {
  it('tells what can be settled twice, and what takes samples', () => {
    const found = plan(`
      export declare function add(a: number, b: number): number
      export declare function each(options: { onValue: (value: number) => void }): void
      export declare function settle(value: Promise<Buffer>): Promise<void>
      export declare class Reader { constructor(); read(): string }
    `);
    const settled = ['add', 'each', 'settle', 'Reader#read'].filter((name) => canSettleTwice(call(found, name)));
    expect(settled).toEqual(['each', 'settle', 'Reader#read']);
    const sampled = found.calls.filter(({ parameters }) => parameters.some(takesSamples)).map(({ name }) => name);
    expect(sampled).toEqual(['settle']);
    expect(renderCallPlan(found)).toContain('that are refused are tried again as JavaScript');
    expect(renderCallPlan(found, 'samples')).toContain("file names are those of the files in 'samples', in turn.");
  });

  it('knows buffers, promises and callbacks without any installed types', () => {
    const found = plan(`
      export declare function hash(data: Buffer | string, options?: { cost?: number }): Promise<string>
      export declare function sum(data: Uint8Array): number
      export declare function each(callback: (err: Error | null, value: number) => void): void
    `);
    expect(call(found, 'hash')).toMatchObject({ async: true, buffers: [0], kind: 'function' });
    expect(call(found, 'hash').parameters).toHaveLength(1);
    expect(call(found, 'sum')).toMatchObject({ async: false, buffers: [0] });
    expect(call(found, 'each')).toMatchObject({ callbacks: [0] });
    expect(found.skipped).toEqual([]);
  });

  it('makes a sample for each kind of type', () => {
    const found = plan(`
      export declare enum Mode { Fast = 'fast', Slow = 'slow' }
      interface Options { name: string; deep: { sizes: number[] }; optional?: Map<string, string> }
      export declare function all(
        text: string, count: number, flag: boolean, big: bigint, mode: Mode, choice: 'a' | 'b', nothing: null,
        options: Options, list: [number, string], when: Date, later: Promise<number>, signal: AbortSignal, any: any
      ): void
    `);
    expect(call(found, 'all').parameters.map(({ kind }) => kind)).toEqual([
      'text',
      'json',
      'json',
      'bigint',
      'json',
      'json',
      'json',
      'object',
      'array',
      'date',
      'promise',
      'abort-signal',
      'object',
    ]);
    expect(call(found, 'all').parameters[7]).toEqual({
      kind: 'object',
      fields: {
        name: { kind: 'text', value: 'sample', role: 'plain' },
        deep: { kind: 'object', fields: { sizes: { kind: 'array', items: [{ kind: 'json', value: 1 }] } } },
      },
    });
  });

  it('plans classes with their constructor, their methods and their statics', () => {
    const found = plan(`
      export declare class Parser {
        constructor(source: string)
        static version(): string
        parse(data: Buffer): Promise<Tree>
        private secret(): void
      }
      export declare class Tree { private constructor(); walk(other: Tree): number }
      export declare function open(): Tree
    `);
    expect(found.calls.map(({ name }) => name).sort()).toEqual(['Parser#parse', 'Parser.version', 'Tree#walk', 'open']);
    expect(call(found, 'Tree#walk').parameters).toEqual([{ kind: 'instance', class: 'Tree' }]);
    expect(found.classes).toEqual([
      {
        name: 'Parser',
        path: ['Parser'],
        constructorParameters: [{ kind: 'text', value: expect.any(String), role: 'source' }],
      },
      { name: 'Tree', path: ['Tree'], factory: 'open' },
    ]);
  });

  it('follows a default export and objects of functions, and leaves constants alone', () => {
    const found = plan(`
      declare const api: { run(data: Buffer): Promise<void>; version: string };
      export default api;
      export declare const VERSION: string;
      export declare const LIST: readonly string[];
    `);
    expect(found.calls.map(({ name, path }) => [name, path])).toEqual([['default.run', ['default', 'run']]]);
  });

  it('goes into namespaces', () => {
    const found = plan(`
      export declare namespace xz {
        export function pack(data: Buffer): Promise<Buffer>
        export namespace raw { export function pack(data: Buffer): Buffer }
        export class Reader { constructor(data: Buffer); read(): Promise<Buffer> }
        export interface Options { level: number }
        export const enum Level { Low = 0 }
      }
      export declare function open(reader: xz.Reader): void
    `);
    expect(found.calls.map(({ name, path, member }) => [name, path, member])).toEqual([
      ['open', ['open'], undefined],
      ['xz.pack', ['xz', 'pack'], undefined],
      ['xz.raw.pack', ['xz', 'raw', 'pack'], undefined],
      ['xz.Reader#read', ['xz', 'Reader'], 'read'],
    ]);
    expect(found.classes.map(({ name, path }) => [name, path])).toEqual([['xz.Reader', ['xz', 'Reader']]]);
    expect(call(found, 'open').parameters).toEqual([{ kind: 'instance', class: 'xz.Reader' }]);
  });

  it('makes a class by a method of another one, and takes a module that is one function or one class', () => {
    const found = plan(`
      export declare class Root { private constructor(); root(): Node | null }
      export declare class Node { text(): string; children(): Node[]; private constructor() }
      export declare namespace html { export function parse(source: string): Root }
    `);
    expect(found.classes).toEqual([
      { name: 'Root', path: ['Root'], factory: 'html.parse' },
      { name: 'Node', path: ['Node'], factory: 'Root#root' },
    ]);
    const held = plan(`
      declare class Tree { private constructor(); size(): number }
      declare const api: { parse(source: string): Tree };
      export { Tree, api };
    `);
    expect(held.classes).toEqual([{ name: 'Tree', path: ['Tree'], factory: 'api.parse' }]);
    const single = plan(`
      declare function shrink(data: Buffer): Promise<Buffer>;
      declare namespace shrink { function version(): string }
      export = shrink;
    `);
    expect(single.calls.map(({ name, path, async: isAsync }) => [name, path, isAsync])).toEqual([
      ['default', ['default'], true],
      ['version', ['version'], false],
    ]);
    const made = plan('declare class Store { constructor(data: Buffer); size(): number } export = Store;');
    expect(made.classes.map(({ name }) => name)).toEqual(['default']);
    expect(made.calls.map(({ name }) => name)).toEqual(['default#size']);
  });

  it('says why something is left out', () => {
    const found = plan(`
      export declare function index(map: Map<string, number>): void
      export declare function deleteFile(path: string): void
      export declare function removeAll(): void
    `);
    expect(found.calls).toEqual([]);
    expect(found.skipped).toEqual([
      { name: 'index', reason: "its parameter 'map' is a 'Map', for which there is no sample" },
      { name: 'deleteFile', reason: 'its name says that it changes the system; a driver can call it' },
      { name: 'removeAll', reason: 'its name says that it changes the system; a driver can call it' },
    ]);
  });

  it('prefers the overload that takes a buffer', () => {
    const found = plan('export declare function f(a: string): void; export declare function f(a: Buffer): void;');
    expect(call(found, 'f').buffers).toEqual([0]);
  });

  it('survives types that refer to themselves', () => {
    const found = plan('export interface Node { next: Node } export declare function walk(node: Node): void');
    expect(found.calls).toEqual([]);
    expect(found.skipped[0]?.reason).toContain('nested too deeply');
  });

  it('survives a file that exports nothing', () => {
    expect(plan('declare const x: number;').skipped[0]?.reason).toBe('the declarations export nothing');
  });
});

describe('finding declarations', () => {
  const target = (extra: Partial<PreparedTarget> = {}): PreparedTarget => ({
    kind: 'folder',
    label: 'x',
    root: folder,
    specifier: 'x',
    packageFolder: folder,
    ...extra,
  });

  it.each([
    [{ types: 'lib/a.d.ts' }, 'lib/a.d.ts'],
    [{ typings: './b.d.ts' }, 'b.d.ts'],
    [{ exports: { '.': { import: { types: './c.d.mts', default: './c.mjs' } } } }, 'c.d.mts'],
    [{ main: 'dist/d.js' }, 'dist/d.d.ts'],
    [{}, 'index.d.ts'],
  ])('%j', (manifest, file) => {
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
    mkdirSync(join(folder, file, '..'), { recursive: true });
    writeFileSync(join(folder, file), '');
    expect(findDeclarations(target())).toBe(join(folder, file));
  });

  it('looks beside an addon and above it', () => {
    mkdirSync(join(folder, 'build', 'Release'), { recursive: true });
    writeFileSync(join(folder, 'index.d.ts'), '');
    const addon = target({
      kind: 'addon',
      packageFolder: join(folder, 'build', 'Release'),
      specifier: join(folder, 'build', 'Release', 'x.node'),
    });
    expect(findDeclarations(addon)).toBe(join(folder, 'index.d.ts'));
  });

  it('finds none where there are none', () => {
    writeFileSync(join(folder, 'package.json'), '{}');
    expect(findDeclarations(target())).toBeUndefined();
  });
});
