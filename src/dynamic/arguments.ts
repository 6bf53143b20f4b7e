import type typescript from 'typescript';
import type { ArgumentSpec } from './call-plan.js';
import type { Compiler } from './compiler.js';

export interface PlannedArguments {
  readonly specs: readonly ArgumentSpec[];
  /** Positions that hold a buffer, at any depth. */
  readonly buffers: readonly number[];
  readonly callbacks: readonly number[];
}

/** Large enough that native work on it takes a while, small enough to be made thousands of times. */
const bufferBytes = 256 * 1024;
const maximumDepth = 6;

const views: ReadonlySet<string> = new Set([
  'Buffer',
  'ArrayBuffer',
  'ArrayBufferLike',
  'ArrayBufferView',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int8Array',
  'Uint16Array',
  'Int16Array',
  'Uint32Array',
  'Int32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'DataView',
]);

/** A type for which no sample value can be made. */
class Unplannable extends Error {}

/** A sample argument for each parameter of a signature, or the reason why there is none. */
export function planArguments(
  ts: Compiler,
  checker: typescript.TypeChecker,
  signature: typescript.Signature,
  classNames: ReadonlyMap<typescript.Symbol, string>,
): PlannedArguments | { readonly reason: string } {
  const sampler = new Sampler(ts, checker, classNames);
  const specs: ArgumentSpec[] = [];
  for (const parameter of signature.getParameters()) {
    const declaration = parameter.valueDeclaration;
    const isParameter = declaration !== undefined && ts.isParameter(declaration);
    if (isParameter && declaration.dotDotDotToken !== undefined) break;
    const type = checker.getTypeOfSymbol(parameter);
    const optional = isParameter && (declaration.questionToken !== undefined || declaration.initializer !== undefined);
    try {
      const spec = sampler.sample(type, parameter.name, 0);
      specs.push(optional && !holdsBuffer(spec) && spec.kind !== 'function' ? { kind: 'undefined' } : spec);
    } catch (error) {
      if (!(error instanceof Unplannable)) throw error;
      if (!optional) return { reason: `its parameter '${parameter.name}' is ${error.message}` };
      specs.push({ kind: 'undefined' });
    }
  }
  while (specs.at(-1)?.kind === 'undefined') specs.pop();
  return {
    specs,
    buffers: specs.flatMap((spec, i) => (holdsBuffer(spec) ? [i] : [])),
    callbacks: specs.flatMap((spec, i) => (spec.kind === 'function' ? [i] : [])),
  };
}

function holdsBuffer(spec: ArgumentSpec): boolean {
  switch (spec.kind) {
    case 'buffer':
      return true;
    case 'array':
      return spec.items.some(holdsBuffer);
    case 'object':
      return Object.values(spec.fields).some(holdsBuffer);
    default:
      return false;
  }
}

/** A text that fits the name of its parameter. */
function sampleText(name: string): ArgumentSpec {
  if (/(?:file|path|filename|uri|url|dir|folder)$/i.test(name))
    return { kind: 'text', value: 'sample.js', role: 'filename' };
  if (/(?:source|code|text|input|content|script|html|css|data|body|src|str)/i.test(name)) {
    return { kind: 'text', value: 'export const answer = (x) => x * 42; // sample\n'.repeat(64), role: 'source' };
  }
  return { kind: 'text', value: 'sample', role: 'plain' };
}

class Sampler {
  constructor(
    private readonly ts: Compiler,
    private readonly checker: typescript.TypeChecker,
    private readonly classNames: ReadonlyMap<typescript.Symbol, string>,
  ) {}

  sample(type: typescript.Type, name: string, depth: number): ArgumentSpec {
    const { TypeFlags } = this.ts;
    if (depth > maximumDepth) throw new Unplannable('nested too deeply');
    if (type.isStringLiteral() || type.isNumberLiteral()) return { kind: 'json', value: type.value };
    if (type.flags & TypeFlags.BooleanLike) return { kind: 'json', value: false };
    if (type.flags & TypeFlags.StringLike) return sampleText(name);
    if (type.flags & TypeFlags.NumberLike) return { kind: 'json', value: 1 };
    if (type.flags & TypeFlags.BigIntLike) return { kind: 'bigint', value: '1' };
    if (type.flags & TypeFlags.Null) return { kind: 'json', value: null };
    if (type.flags & (TypeFlags.Undefined | TypeFlags.Void)) return { kind: 'undefined' };
    if (type.flags & (TypeFlags.Any | TypeFlags.Unknown | TypeFlags.NonPrimitive))
      return { kind: 'object', fields: {} };
    if (type.isUnion()) return this.sampleUnion(type.types, name, depth);
    if (type.flags & TypeFlags.TypeParameter) {
      const constraint = type.getConstraint();
      return constraint === undefined ? sampleText(name) : this.sample(constraint, name, depth + 1);
    }
    if (type.flags & TypeFlags.Intersection) return this.sampleObject(type, depth);
    if (type.flags & TypeFlags.Object) return this.sampleObjectType(type, name, depth);
    throw new Unplannable(`of the type '${this.checker.typeToString(type)}', for which there is no sample`);
  }

  /** A buffer says most, then a callback, then the first part that can be made; nothing only when nothing else is left. */
  private sampleUnion(parts: readonly typescript.Type[], name: string, depth: number): ArgumentSpec {
    const made: ArgumentSpec[] = [];
    let reason = 'of a union without a part that can be made';
    for (const part of parts) {
      try {
        made.push(this.sample(part, name, depth + 1));
      } catch (error) {
        if (!(error instanceof Unplannable)) throw error;
        reason = error.message;
      }
    }
    const best =
      made.find(holdsBuffer) ??
      made.find(({ kind }) => kind === 'text') ??
      made.find((spec) => !isNothing(spec)) ??
      made[0];
    if (best === undefined) throw new Unplannable(reason);
    return best;
  }

  private sampleObjectType(type: typescript.Type, name: string, depth: number): ArgumentSpec {
    const symbol = type.getSymbol();
    const symbolName = symbol?.name ?? '';
    if (views.has(symbolName)) {
      return { kind: 'buffer', type: symbolName === 'ArrayBufferView' ? 'Uint8Array' : symbolName, bytes: bufferBytes };
    }
    if (this.checker.isTupleType(type)) {
      return { kind: 'array', items: this.typeArguments(type).map((item) => this.sample(item, name, depth + 1)) };
    }
    if (this.checker.isArrayType(type)) {
      const [item] = this.typeArguments(type);
      return { kind: 'array', items: item === undefined ? [] : [this.sample(item, name, depth + 1)] };
    }
    if (symbolName === 'Promise' || symbolName === 'PromiseLike') {
      const [value] = this.typeArguments(type);
      return {
        kind: 'promise',
        value: value === undefined ? { kind: 'undefined' } : this.sample(value, name, depth + 1),
      };
    }
    if (symbolName === 'Date') return { kind: 'date' };
    if (symbolName === 'AbortSignal') return { kind: 'abort-signal' };
    const own = symbol === undefined ? undefined : this.classNames.get(symbol);
    if (own !== undefined) return { kind: 'instance', class: own };
    const [call] = type.getCallSignatures();
    if (call !== undefined) {
      try {
        return { kind: 'function', returns: this.sample(call.getReturnType(), name, depth + 1) };
      } catch (error) {
        if (!(error instanceof Unplannable)) throw error;
        return { kind: 'function', returns: { kind: 'undefined' } };
      }
    }
    if (
      [
        'Map',
        'Set',
        'WeakMap',
        'WeakRef',
        'RegExp',
        'ReadableStream',
        'WritableStream',
        'URL',
        'Iterable',
        'AsyncIterable',
      ].includes(symbolName)
    ) {
      throw new Unplannable(`a '${symbolName}', for which there is no sample`);
    }
    if (symbol !== undefined && symbol.flags & this.ts.SymbolFlags.Class)
      throw new Unplannable(`an instance of '${symbolName}', which the package does not export`);
    return this.sampleObject(type, depth);
  }

  private typeArguments(type: typescript.Type): readonly typescript.Type[] {
    // Arrays, tuples and promises are references by their construction.
    return this.checker.getTypeArguments(type as typescript.TypeReference);
  }

  /** The required fields, and optional ones that are buffers. */
  private sampleObject(type: typescript.Type, depth: number): ArgumentSpec {
    const fields: Record<string, ArgumentSpec> = {};
    for (const property of type.getProperties()) {
      const optional = (property.flags & this.ts.SymbolFlags.Optional) !== 0;
      if (optional && depth > 0) continue;
      const propertyType = this.checker.getTypeOfSymbol(property);
      try {
        const spec = this.sample(propertyType, property.name, depth + 1);
        if (!optional || holdsBuffer(spec)) fields[property.name] = spec;
      } catch (error) {
        if (!optional || !(error instanceof Unplannable)) throw error;
      }
    }
    return { kind: 'object', fields };
  }
}

function isNothing(spec: ArgumentSpec): boolean {
  return spec.kind === 'undefined' || (spec.kind === 'json' && spec.value === null);
}
