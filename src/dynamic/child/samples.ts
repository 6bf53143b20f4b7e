import { deflateSync } from 'node:zlib';
import type { Input } from './inputs.js';

const encoder = new TextEncoder();

function text(name: string, content: string): Input {
  return { name, bytes: encoder.encode(content) };
}

/** The checksum of PNG chunks (ISO 3309), bit by bit: they are short. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

function pngChunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

/** An image of 64 × 64 pixels with a gradient, RGBA. */
function png(): Input {
  const size = 64;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 6, 0, 0, 0], 8);
  const pixels = Buffer.alloc(size * (1 + size * 4));
  for (let y = 0; y < size; y++) {
    // Each row begins with its filter, 0.
    for (let x = 0; x < size; x++) pixels.set([x * 4, y * 4, 128, 255], y * (1 + size * 4) + 1 + x * 4);
  }
  const bytes = Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    pngChunk('IHDR', header),
    pngChunk('IDAT', deflateSync(pixels)),
    pngChunk('IEND', new Uint8Array()),
  ]);
  return { name: 'sample.png', bytes: new Uint8Array(bytes) };
}

/**
 * Contents that a call with guessed arguments may accept, in the order in which they are tried: noise (undefined) and then
 * small valid files of common kinds.
 */
export function builtinSamples(): readonly (Input | undefined)[] {
  return [
    undefined,
    text('sample.js', 'export const answer = (x) => x * 42; // sample\n'.repeat(512)),
    text('sample.css', '.sample { color: #123456; margin: 1px 2px }\n'.repeat(512)),
    text('sample.json', JSON.stringify(Array.from({ length: 512 }, (_, id) => ({ id, name: `sample ${id}` })))),
    text(
      'sample.svg',
      `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64">${'<rect width="8" height="8" fill="red"/>'.repeat(64)}</svg>`,
    ),
    png(),
  ];
}
