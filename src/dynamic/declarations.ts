import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { ArgumentSpec, CallPlan, CallSpec, ClassSpec } from './call-plan.js';
import { planArguments } from './arguments.js';
import { loadCompiler, type Compiler } from './compiler.js';
import { readManifest } from './package-manifest.js';
import type { PreparedTarget, PrepareOptions, TargetError } from './target.js';
import type typescript from 'typescript';

/** A package may declare hundreds of functions; more than these would only repeat themselves. */
const maximumCalls = 120;

/** Names that say that a call changes the machine: guessed arguments are no reason to do that. */
const changing =
  /^(?:delete|remove|rm|unlink|rimraf|kill|exit|abort|format|drop|trash|shutdown|reboot|write|save|install|uninstall|exec|spawn|fork|chmod|chown|rename|move(?!To)|truncate|mkdir|symlink|send|post|upload|set(?:Env|Priority|Password|Proxy))/i;

function findTypesIn(value: unknown, depth = 0): string | undefined {
  if (typeof value === 'string') return /\.d\.[cm]?ts$/.test(value) ? value : undefined;
  if (typeof value !== 'object' || value === null || depth > 6) return undefined;
  const record: Readonly<Record<string, unknown>> = { ...value };
  const order = ['.', 'types', 'import', 'node', 'require', 'module', 'default'];
  for (const key of order) {
    const found = key in record ? findTypesIn(record[key], depth + 1) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The declaration file of a package's main entry, or the `index.d.ts` beside (or up to three folders above) an addon. */
export function findDeclarations(target: PreparedTarget): string | undefined {
  const folder = target.packageFolder;
  if (folder === undefined) return undefined;
  if (target.kind === 'addon') {
    const stem = basename(target.specifier).split('.')[0] ?? '';
    for (let at = folder, i = 0; i < 4 && at !== dirname(at); at = dirname(at), i++) {
      const found = ['index.d.ts', `${stem}.d.ts`].map((name) => join(at, name)).find((path) => existsSync(path));
      if (found !== undefined) return found;
    }
    return undefined;
  }
  const manifest = readManifest(folder);
  if ('error' in manifest) return undefined;
  const stem = (manifest.main ?? 'index.js').replace(/\.[cm]?js$/, '');
  const candidates = [
    findTypesIn(manifest.exports),
    manifest.types,
    `${stem}.d.ts`,
    join(stem, 'index.d.ts'),
    'index.d.ts',
  ];
  for (const candidate of candidates) {
    if (candidate === undefined) continue;
    const path = join(folder, candidate);
    if (existsSync(path)) return path;
    if (existsSync(`${path}.d.ts`)) return `${path}.d.ts`;
  }
  return undefined;
}

/** What declarations of addons refer to when no @types/node is installed. */
const ambient = `
interface Buffer extends Uint8Array {}
interface AbortSignal { readonly aborted: boolean }
interface URL { readonly href: string }
declare namespace NodeJS { interface ReadableStream {} interface WritableStream {} }
`;

/** Plans calls from the target's declarations without loading the target. */
export async function planCalls(target: PreparedTarget, options: PrepareOptions = {}): Promise<CallPlan | TargetError> {
  const file = findDeclarations(target);
  if (file === undefined) {
    return { error: `'${target.label}' ships no type declarations, so calls cannot be planned; give --driver.` };
  }
  const compiler = await loadCompiler(options);
  return 'error' in compiler ? compiler : planCallsFrom(compiler, file);
}

/** Plans calls from one declaration file with the given compiler. */
export function planCallsFrom(ts: Compiler, file: string): CallPlan {
  const compilerOptions: typescript.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    lib: ['lib.es2022.d.ts'],
    types: [],
    noEmit: true,
    skipLibCheck: true,
    strict: true,
  };
  const ambientFile = join(dirname(file), 'lifetime-lint-ambient.d.ts');
  const host = ts.createCompilerHost(compilerOptions);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === ambientFile || fileExists.call(host, name);
  host.getSourceFile = (name, version, ...rest) =>
    name === ambientFile
      ? ts.createSourceFile(name, ambient, version)
      : getSourceFile.call(host, name, version, ...rest);
  const program = ts.createProgram([file, ambientFile], compilerOptions, host);
  return new Planner(ts, program, file).plan();
}

interface Named {
  readonly name: string;
  readonly path: readonly string[];
  readonly symbol: typescript.Symbol;
}

class Planner {
  private readonly checker: typescript.TypeChecker;
  private readonly calls: CallSpec[] = [];
  private readonly classes: ClassSpec[] = [];
  private readonly skipped: { name: string; reason: string }[] = [];
  /** Classes of the target by their symbol, so that a parameter can ask for an instance. */
  private readonly classNames = new Map<typescript.Symbol, string>();
  private exports: readonly Named[] = [];

  constructor(
    private readonly ts: Compiler,
    private readonly program: typescript.Program,
    private readonly file: string,
  ) {
    this.checker = program.getTypeChecker();
  }

  plan(): CallPlan {
    const source = this.program.getSourceFile(this.file);
    const module = source === undefined ? undefined : this.checker.getSymbolAtLocation(source);
    if (source === undefined || module === undefined) {
      return {
        source: this.file,
        calls: [],
        classes: [],
        skipped: [{ name: '*', reason: 'the declarations export nothing' }],
      };
    }
    this.exports = [...this.findWhole(module), ...this.findExports(module)];
    for (const { name, symbol } of this.exports)
      if (symbol.flags & this.ts.SymbolFlags.Class) this.classNames.set(symbol, name);
    for (const item of this.exports) this.addExport(item);
    this.addFactories();
    return {
      source: this.file,
      calls: this.calls.slice(0, maximumCalls),
      classes: this.classes,
      skipped:
        this.calls.length > maximumCalls
          ? [...this.skipped, { name: '*', reason: `only the first ${maximumCalls} calls are planned` }]
          : this.skipped,
    };
  }

  /** `export = f`: the module is one function, or one class, which Node gives as its default export. */
  private findWhole(module: typescript.Symbol): Named[] {
    const exported = module.exports?.get(this.ts.InternalSymbolName.ExportEquals);
    if (exported === undefined) return [];
    const symbol = exported.flags & this.ts.SymbolFlags.Alias ? this.checker.getAliasedSymbol(exported) : exported;
    return [{ name: 'default', path: ['default'], symbol }];
  }

  /** What a module, or a namespace in it, exports; what is exported under two names, once. */
  private findExports(
    module: typescript.Symbol,
    outer: readonly string[] = [],
    seen = new Set<typescript.Symbol>(),
  ): Named[] {
    const { SymbolFlags } = this.ts;
    const found: Named[] = [];
    for (const exported of this.checker.getExportsOfModule(module)) {
      const symbol = exported.flags & SymbolFlags.Alias ? this.checker.getAliasedSymbol(exported) : exported;
      if (seen.has(symbol)) continue;
      seen.add(symbol);
      const path = [...outer, exported.name];
      found.push({ name: path.join('.'), path, symbol });
      // `namespace xz { function compress(…) }`, which napi-rs writes for a module of Rust.
      if (symbol.flags & SymbolFlags.ValueModule && path.length < 4)
        found.push(...this.findExports(symbol, path, seen));
    }
    return found;
  }

  private addExport({ name, path, symbol }: Named): void {
    const { SymbolFlags } = this.ts;
    if (symbol.flags & SymbolFlags.Class) return this.addClass(name, path, symbol);
    if (!(symbol.flags & (SymbolFlags.Function | SymbolFlags.Variable))) return;
    const type = this.checker.getTypeOfSymbol(symbol);
    if (type.getCallSignatures().length > 0) return this.addCall({ name, kind: 'function', path }, type);
    // `export default { parse, … }` and namespaces as constants.
    if (!(type.flags & this.ts.TypeFlags.Object) || type.isClassOrInterface()) return;
    for (const property of type.getProperties().slice(0, 60)) {
      if (property.declarations?.some((declaration) => this.isForeign(declaration)) === true) continue;
      const inner = this.checker.getTypeOfSymbol(property);
      if (inner.getCallSignatures().length > 0)
        this.addCall({ name: `${name}.${property.name}`, kind: 'function', path: [...path, property.name] }, inner);
    }
  }

  private addClass(name: string, path: readonly string[], symbol: typescript.Symbol): void {
    const staticType = this.checker.getTypeOfSymbol(symbol);
    const instanceType = this.checker.getDeclaredTypeOfSymbol(symbol);
    const [constructor] = staticType.getConstructSignatures();
    const parameters =
      constructor === undefined || this.isHidden(constructor.getDeclaration())
        ? undefined
        : this.planParameters(constructor, `new ${name}`);
    this.classes.push({ name, path, ...(parameters === undefined ? {} : { constructorParameters: parameters.specs }) });
    for (const property of staticType.getProperties()) {
      if (property.name === 'prototype' || property.name.startsWith('__')) continue;
      const type = this.checker.getTypeOfSymbol(property);
      if (type.getCallSignatures().length > 0)
        this.addCall({ name: `${name}.${property.name}`, kind: 'static', path, member: property.name }, type);
    }
    for (const property of instanceType.getProperties()) {
      const declaration = property.declarations?.[0];
      if (declaration !== undefined && (this.isHidden(declaration) || this.isForeign(declaration))) continue;
      const type = this.checker.getTypeOfSymbol(property);
      if (type.getCallSignatures().length > 0)
        this.addCall({ name: `${name}#${property.name}`, kind: 'method', path, member: property.name }, type);
    }
  }

  private isHidden(declaration: typescript.Declaration | undefined): boolean {
    if (declaration === undefined || !this.ts.canHaveModifiers(declaration)) return false;
    return (this.ts.getModifiers(declaration) ?? []).some(
      ({ kind }) => kind === this.ts.SyntaxKind.PrivateKeyword || kind === this.ts.SyntaxKind.ProtectedKeyword,
    );
  }

  /** Inherited from the language or from Node: not the addon's. */
  private isForeign(declaration: typescript.Declaration): boolean {
    const { fileName } = declaration.getSourceFile();
    return /[\\/]lib\.[\w.]+\.d\.ts$|@types[\\/]node|lifetime-lint-ambient/.test(fileName);
  }

  private addCall(call: Pick<CallSpec, 'name' | 'kind' | 'path' | 'member'>, type: typescript.Type): void {
    // Symbols have names that only the compiler can spell.
    if (call.name.includes('__@')) return;
    const plain = (call.member ?? call.path.at(-1) ?? call.name).replace(/^_+/, '');
    if (changing.test(plain)) {
      this.skipped.push({ name: call.name, reason: 'its name says that it changes the system; a driver can call it' });
      return;
    }
    // Of several overloads, one that takes a buffer tells most; else the first.
    const signatures = [...type.getCallSignatures()];
    const planned = signatures.flatMap((signature) => {
      const parameters = this.planParameters(signature, call.name);
      return parameters === undefined ? [] : [{ signature, parameters }];
    });
    const best = planned.find(({ parameters }) => parameters.buffers.length > 0) ?? planned[0];
    if (best === undefined) return;
    this.calls.push({
      ...call,
      parameters: best.parameters.specs,
      async: this.isPromise(best.signature.getReturnType()),
      buffers: best.parameters.buffers,
      callbacks: best.parameters.callbacks,
    });
  }

  private isPromise(type: typescript.Type): boolean {
    const parts = type.isUnion() ? type.types : [type];
    return parts.some((part) => /^Promise(?:Like)?$/.test(part.getSymbol()?.name ?? ''));
  }

  private planParameters(
    signature: typescript.Signature,
    name: string,
  ):
    | {
        readonly specs: readonly ArgumentSpec[];
        readonly buffers: readonly number[];
        readonly callbacks: readonly number[];
      }
    | undefined {
    const planned = planArguments(this.ts, this.checker, signature, this.classNames);
    if ('reason' in planned) {
      this.skipped.push({ name, reason: planned.reason });
      return undefined;
    }
    return planned;
  }

  /** A class without a public constructor is made by the first call that gives one. */
  private addFactories(): void {
    this.classes.forEach((spec, i) => {
      if (spec.constructorParameters !== undefined) return;
      const factory =
        this.calls.find((call) => call.kind !== 'method' && this.returnsClass(call, spec.name)) ??
        this.calls.find((call) => call.path.join('.') !== spec.name && this.returnsClass(call, spec.name));
      if (factory !== undefined) this.classes[i] = { ...spec, factory: factory.name };
    });
  }

  private returnsClass(call: CallSpec, className: string): boolean {
    const type = this.typeOfCall(call);
    return (
      type?.getCallSignatures().some((signature) => {
        const returned = this.checker.getNonNullableType(signature.getReturnType()).getSymbol();
        return returned !== undefined && this.classNames.get(returned) === className;
      }) === true
    );
  }

  private typeOfCall({ kind, path, member }: CallSpec): typescript.Type | undefined {
    const exported = (names: readonly string[]): typescript.Symbol | undefined =>
      this.exports.find((candidate) => candidate.path.join('.') === names.join('.'))?.symbol;
    const owner = exported(path);
    if (owner === undefined) {
      // A member of an object that is exported as a constant.
      const holder = exported(path.slice(0, -1));
      const inner = holder && this.checker.getTypeOfSymbol(holder).getProperty(path.at(-1) ?? '');
      return inner && this.checker.getTypeOfSymbol(inner);
    }
    const type = kind === 'method' ? this.checker.getDeclaredTypeOfSymbol(owner) : this.checker.getTypeOfSymbol(owner);
    if (member === undefined) return type;
    const property = type.getProperty(member);
    return property === undefined ? undefined : this.checker.getTypeOfSymbol(property);
  }
}
