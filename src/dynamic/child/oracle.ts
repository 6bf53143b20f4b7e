import { createHash } from 'node:crypto';

/**
 * A stable text for a value that a call returned: keys sorted, buffers by their hash, functions and handles by their kind.
 * Two equal values give equal texts; depth and size are bounded, since addons hand out graphs.
 */
export function describeValue(value: unknown): string {
  let budget = 20000;
  const seen = new Set<object>();
  const write = (item: unknown, depth: number): string => {
    if (--budget < 0 || depth > 12) return '…';
    if (typeof item === 'object') return item === null ? 'null' : writeObject(item, depth);
    switch (typeof item) {
      case 'string':
        return item.length > 256 ? `text:${item.length}:${hash(item)}` : JSON.stringify(item);
      case 'bigint':
        return `${item}n`;
      case 'number':
      case 'boolean':
      case 'undefined':
        return String(item);
      default:
        return typeof item;
    }
  };
  const writeObject = (item: object, depth: number): string => {
    if (item instanceof ArrayBuffer) return `bytes:${item.byteLength}:${hash(new Uint8Array(item))}`;
    if (ArrayBuffer.isView(item)) {
      return `bytes:${item.byteLength}:${hash(new Uint8Array(item.buffer, item.byteOffset, item.byteLength))}`;
    }
    if (seen.has(item)) return 'again';
    seen.add(item);
    if (item instanceof Error) return `error:${item.message}`;
    if (Array.isArray(item)) return `[${item.map((part: unknown) => write(part, depth + 1)).join(',')}]`;
    const fields = Object.keys(item)
      .sort()
      .map((key) => `${key}:${write(Reflect.get(item, key), depth + 1)}`);
    return `{${fields.join(',')}}`;
  };
  return write(value, 0);
}

/** The first 16 hexadecimal digits of the SHA-256 of text or bytes. */
export function hash(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex').slice(0, 16);
}
