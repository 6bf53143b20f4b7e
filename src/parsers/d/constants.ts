/** What the text of a module says by itself about names, looked for once however often the module is read. */
export interface FileConstants {
  /** Versions that the module sets: `version = Tracing;`. */
  readonly versions: ReadonlySet<string>;
  /** Names that are declared somewhere as a plain truth value: `enum isTracing = true;`. */
  readonly truths: ReadonlySet<string>;
  /** Names of types. */
  readonly types: ReadonlySet<string>;
  /** Names of constants. */
  readonly values: ReadonlySet<string>;
}

const VERSION = /^version\s*=\s*(\w+)\s*;/gmu;
const TRUTH = /\benum\s+(?:bool\s+)?(\w+)\s*=\s*(?:true|false)\s*;/gu;
const TYPE = /\b(?:struct|class|interface|union|enum|alias)\s+([A-Za-z_]\w*)(?!\s*(?:\([^()]*\)\s*)?=[^=])/g;
const VALUE = /\b(?:enum|immutable|const)\s+(?:[a-z]\w*\s+)?([A-Za-z_]\w*)\s*=[^=]/g;

/** Of the module that was read last: its bodies are mostly asked for one after the other. */
let last: { readonly text: string; readonly constants: FileConstants } | undefined;

/** The names of a module by its text. */
export function constantsOf(text: string): FileConstants {
  if (last?.text === text) return last.constants;
  const found = (pattern: RegExp): ReadonlySet<string> =>
    new Set([...text.matchAll(pattern)].flatMap(([, name]) => name ?? []));
  const constants = { versions: found(VERSION), truths: found(TRUTH), types: found(TYPE), values: found(VALUE) };
  last = { text, constants };
  return constants;
}
