import { readFileSync } from 'node:fs';

/** What a compiled addon says about how it was made. */
export interface BinaryFacts {
  /** Crates by name with their versions, from the source paths that Rust leaves for its panic messages; far from all of them. */
  readonly crates: ReadonlyMap<string, string>;
  readonly rustc?: string;
  /** Whether an ELF image asks to stay loaded (`-z nodelete`); undefined for other formats. */
  readonly nodelete?: boolean;
}

const cratePath =
  /registry[/\\]src[/\\][^/\\\0]{1,80}[/\\]([A-Za-z0-9_-]{1,64}?)-(\d+\.\d+\.\d+[A-Za-z0-9.+-]{0,40})[/\\]/g;
const rustcVersion = /rustc version (\d+\.\d+\.\d+[^\0\n]{0,40})/;

export function readBinaryFacts(file: string): BinaryFacts {
  const image = readFileSync(file);
  const text = image.toString('latin1');
  const crates = new Map<string, string>();
  for (const [, name, version] of text.matchAll(cratePath)) {
    if (name === undefined || version === undefined) continue;
    const known = crates.get(name)?.split(', ') ?? [];
    if (!known.includes(version)) crates.set(name, [...known, version].sort().join(', '));
  }
  const rustc = rustcVersion.exec(text)?.[1]?.trim();
  const nodelete = readNodelete(image);
  return { crates, ...(rustc === undefined ? {} : { rustc }), ...(nodelete === undefined ? {} : { nodelete }) };
}

const DT_FLAGS_1 = 0x6ffffffbn;
const DF_1_NODELETE = 0x8n;
const PT_DYNAMIC = 2;

/** Reads DT_FLAGS_1 of a 64-bit little-endian ELF image (System V ABI, chapter 5; the flag is a GNU extension). */
function readNodelete(image: Buffer): boolean | undefined {
  const isElf64 = image.length > 64 && image.readUInt32BE(0) === 0x7f454c46 && image[4] === 2 && image[5] === 1;
  if (!isElf64) return undefined;
  const headers = Number(image.readBigUInt64LE(32));
  const size = image.readUInt16LE(54);
  const count = image.readUInt16LE(56);
  for (let index = 0; index < count; index++) {
    const at = headers + index * size;
    if (at + 56 > image.length || image.readUInt32LE(at) !== PT_DYNAMIC) continue;
    const from = Number(image.readBigUInt64LE(at + 8));
    const to = Math.min(image.length - 16, from + Number(image.readBigUInt64LE(at + 32)));
    for (let entry = from; entry < to; entry += 16) {
      const tag = image.readBigUInt64LE(entry);
      if (tag === 0n) break;
      if (tag === DT_FLAGS_1) return (image.readBigUInt64LE(entry + 8) & DF_1_NODELETE) !== 0n;
    }
    return false;
  }
  return undefined;
}
