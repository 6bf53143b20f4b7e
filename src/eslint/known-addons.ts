/**
 * Packages that load an addon, for the case that they are not installed where the code is scanned. Names only: what an
 * installed copy or a lockfile says comes first. A trailing `/` names a scope.
 */
const names: readonly string[] = [
  '@discordjs/opus',
  '@duckdb/node-api',
  '@lancedb/lancedb',
  '@libsql/client',
  '@mongodb-js/zstd',
  '@napi-rs/',
  '@node-rs/',
  '@parcel/watcher',
  '@resvg/resvg-js',
  '@serialport/bindings-cpp',
  '@swc/core',
  '@tailwindcss/oxide',
  '@tensorflow/tfjs-node',
  'argon2',
  'bcrypt',
  'better-sqlite3',
  'bufferutil',
  'canvas',
  'classic-level',
  'cpu-features',
  'drivelist',
  'duckdb',
  'farmhash',
  'fsevents',
  'isolated-vm',
  'keytar',
  'leveldown',
  'libsql',
  'lightningcss',
  'lmdb',
  'node-pty',
  'nodegit',
  'onnxruntime-node',
  'oxc-minify',
  'oxc-parser',
  'oxc-transform',
  're2',
  'robotjs',
  'rocksdb',
  'rolldown',
  'serialport',
  'sharp',
  'snappy',
  'sodium-native',
  'sqlite3',
  'usb',
  'utf-8-validate',
  'xxhash-addon',
  'zeromq',
  'zlib-sync',
];

const exact = new Set(names.filter((name) => !name.endsWith('/')));
const scopes = names.filter((name) => name.endsWith('/'));

/** Tools of the @napi-rs and @node-rs scopes that are plain JavaScript. */
const withoutAddon = new Set(['@napi-rs/cli', '@napi-rs/wasm-runtime', '@napi-rs/triples', '@node-rs/helper']);

export function isKnownAddon(packageName: string): boolean {
  if (withoutAddon.has(packageName)) return false;
  return exact.has(packageName) || scopes.some((scope) => packageName.startsWith(scope));
}
