import type { ArgumentSpec } from '../call-plan.js';

const quote = (text: string): string => JSON.stringify(text);
const typedArrays = /^(?:Uint8|Uint8Clamped|Int8|Uint16|Int16|Uint32|Int32|Float32|Float64|BigInt64|BigUint64)Array$/;

/** What the sources of arguments lean on in the file that holds them. */
export interface SourceNeeds {
  /** Names of classes of the target whose instances are arguments. */
  readonly instances: Set<string>;
  /** The helper `bytes(length)` is used. */
  bytes: boolean;
}

/** JavaScript that makes the argument anew each time it is evaluated. */
export function argumentSource(spec: ArgumentSpec, needs: SourceNeeds): string {
  switch (spec.kind) {
    case 'json':
      return JSON.stringify(spec.value);
    case 'undefined':
      return 'undefined';
    case 'bigint':
      return `${spec.value}n`;
    case 'text':
      return quote(spec.value);
    case 'buffer': {
      needs.bytes = true;
      const length = Math.ceil(spec.bytes / 8) * 8;
      if (spec.type === 'ArrayBuffer' || spec.type === 'ArrayBufferLike') return `bytes(${length})`;
      if (spec.type === 'DataView' || typedArrays.test(spec.type)) return `new ${spec.type}(bytes(${length}))`;
      return `Buffer.from(bytes(${length}))`;
    }
    case 'array':
      return `[${spec.items.map((item) => argumentSource(item, needs)).join(', ')}]`;
    case 'object': {
      const fields = Object.entries(spec.fields).map(
        ([name, value]) => `${quote(name)}: ${argumentSource(value, needs)}`,
      );
      return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`;
    }
    case 'function':
      return `() => (${argumentSource(spec.returns, needs)})`;
    case 'promise':
      return `Promise.resolve(${argumentSource(spec.value, needs)})`;
    case 'date':
      return 'new Date(0)';
    case 'abort-signal':
      return 'new AbortController().signal';
    case 'instance':
      needs.instances.add(spec.class);
      return `instance(${quote(spec.class)})`;
  }
}
