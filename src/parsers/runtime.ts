import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Parser } from 'web-tree-sitter';
import { UsageError } from '../model/usage-error.js';
import type { CursorCalls } from './cursor.js';
import { TextReader, type ParserMemory, type ReadCallback } from './text-reader.js';

/** The WASM module of web-tree-sitter, started once per process. */
export interface Runtime {
  readonly calls: CursorCalls;
  readonly reader: TextReader;
}

interface Imports {
  readonly env: { readonly tree_sitter_parse_callback: ReadCallback };
}

/** The two constructors of WebAssembly that are needed; without the DOM's declarations TypeScript knows none. */
interface WebAssemblyParts {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: Imports) => object;
}

/** What web-tree-sitter takes from whoever starts it, as Emscripten's modules do, and fills with its own parts. */
type Settings = Partial<CursorCalls & ParserMemory> & {
  instantiateWasm(imports: Imports, receive: (instance: object, module: object) => void): void;
};

/** Starts web-tree-sitter with our own way of reading (see `TextReader`). Rejects when its WASM can't be read or run. */
export async function startRuntime(): Promise<Runtime> {
  const { WebAssembly } = globalThis as unknown as { readonly WebAssembly?: WebAssemblyParts };
  if (WebAssembly === undefined)
    throw new UsageError("This Node has no WebAssembly, which the parsers are made of; run it without '--jitless'.");
  let reader: TextReader | undefined;
  const settings: Settings = {
    instantiateWasm(imports, receive) {
      const bytes = readFileSync(createRequire(import.meta.url).resolve('web-tree-sitter/web-tree-sitter.wasm'));
      const module = new WebAssembly.Module(bytes);
      // The settings have become the module by now, and hold its memory.
      const made = new TextReader(settings as ParserMemory, imports.env.tree_sitter_parse_callback);
      const env = { ...imports.env, tree_sitter_parse_callback: made.read };
      receive(new WebAssembly.Instance(module, { ...imports, env }), module);
      reader = made;
    },
  };
  await Parser.init(settings);
  if (reader === undefined) throw new Error('web-tree-sitter did not take the reader that it was given.');
  return { calls: settings as CursorCalls, reader };
}
