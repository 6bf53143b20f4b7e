import type { FileIr, FunctionIr, GlobalDecl, TypeDecl } from '../model/ir.js';

/** What a file declares, by name: generated files declare thousands of things, and every call looks for one. */
export interface FileNames {
  /** Every type of the name: types inside of others may share one. */
  types(name: string): readonly TypeDecl[];
  /** The first type of the name. */
  type(name: string): TypeDecl | undefined;
  /** Methods of an owner that do not stand inside another function. */
  methods(owner: string, name: string): readonly FunctionIr[];
  /** Functions without an owner, nested ones included. */
  freeFunctions(name: string): readonly FunctionIr[];
  functionById(id: number): FunctionIr | undefined;
  /** Every function of the name, whatever it stands in. */
  functions(name: string): readonly FunctionIr[];
  globals(name: string): readonly GlobalDecl[];
}

const known = new WeakMap<FileIr, FileNames>();

/** The names of a file, collected at the first question. */
export function namesIn(file: FileIr | undefined): FileNames | undefined {
  if (file === undefined) return undefined;
  let names = known.get(file);
  if (names === undefined) known.set(file, (names = collect(file)));
  return names;
}

const NONE: readonly never[] = [];

function collect(file: FileIr): FileNames {
  const types = new Map<string, TypeDecl[]>();
  for (const type of file.types) add(types, type);
  const methods = new Map<string, Map<string, FunctionIr[]>>();
  const free = new Map<string, FunctionIr[]>();
  const byId = new Map<number, FunctionIr>();
  const all = new Map<string, FunctionIr[]>();
  const globals = new Map<string, GlobalDecl[]>();
  for (const global of file.globals) add(globals, global);
  for (const fn of file.functions) {
    add(all, fn);
    if (!byId.has(fn.id)) byId.set(fn.id, fn);
    if (fn.owner === undefined) {
      if (fn.kind === 'function') add(free, fn);
    } else if (fn.parent === undefined) {
      let own: Map<string, FunctionIr[]> | undefined = methods.get(fn.owner);
      if (own === undefined) methods.set(fn.owner, (own = new Map<string, FunctionIr[]>()));
      add(own, fn);
    }
  }
  return {
    type: (name) => types.get(name)?.[0],
    types: (name) => types.get(name) ?? NONE,
    methods: (owner, name) => methods.get(owner)?.get(name) ?? NONE,
    freeFunctions: (name) => free.get(name) ?? NONE,
    functionById: (id) => byId.get(id),
    functions: (name) => all.get(name) ?? NONE,
    globals: (name) => globals.get(name) ?? NONE,
  };
}

function add<T extends { readonly name: string }>(map: Map<string, T[]>, item: T): void {
  const list = map.get(item.name);
  if (list === undefined) map.set(item.name, [item]);
  else list.push(item);
}
