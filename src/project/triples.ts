/** Target triples and what `cfg` says about them. */

/** The triples for which @napi-rs/cli builds and names packages, Windows first because that is where unloading hurts. */
export const publishedTriples: readonly string[] = [
  'x86_64-pc-windows-msvc',
  'i686-pc-windows-msvc',
  'aarch64-pc-windows-msvc',
  'x86_64-apple-darwin',
  'aarch64-apple-darwin',
  'x86_64-unknown-linux-gnu',
  'aarch64-unknown-linux-gnu',
  'armv7-unknown-linux-gnueabihf',
  'x86_64-unknown-linux-musl',
  'aarch64-unknown-linux-musl',
  'armv7-unknown-linux-musleabihf',
  'riscv64gc-unknown-linux-gnu',
  's390x-unknown-linux-gnu',
  'powerpc64le-unknown-linux-gnu',
  'x86_64-unknown-freebsd',
  'aarch64-linux-android',
  'armv7-linux-androideabi',
  'wasm32-wasip1-threads',
];

/** The name that @napi-rs/cli has for both macOS triples at once; any other triple stands for itself. */
export function expandUniversal(triple: string): readonly string[] {
  return triple === 'universal-apple-darwin' ? ['x86_64-apple-darwin', 'aarch64-apple-darwin'] : [triple];
}

/** What Node's packages of binaries are called by, and their triples. */
const platformTriples: ReadonlyMap<string, string> = new Map([
  ['win32-x64-msvc', 'x86_64-pc-windows-msvc'],
  ['win32-ia32-msvc', 'i686-pc-windows-msvc'],
  ['win32-arm64-msvc', 'aarch64-pc-windows-msvc'],
  ['darwin-x64', 'x86_64-apple-darwin'],
  ['darwin-arm64', 'aarch64-apple-darwin'],
  ['linux-x64-gnu', 'x86_64-unknown-linux-gnu'],
  ['linux-arm64-gnu', 'aarch64-unknown-linux-gnu'],
  ['linux-arm-gnueabihf', 'armv7-unknown-linux-gnueabihf'],
  ['linux-x64-musl', 'x86_64-unknown-linux-musl'],
  ['linux-arm64-musl', 'aarch64-unknown-linux-musl'],
  ['linux-arm-musleabihf', 'armv7-unknown-linux-musleabihf'],
  ['linux-riscv64-gnu', 'riscv64gc-unknown-linux-gnu'],
  ['linux-s390x-gnu', 's390x-unknown-linux-gnu'],
  ['linux-ppc64-gnu', 'powerpc64le-unknown-linux-gnu'],
  ['freebsd-x64', 'x86_64-unknown-freebsd'],
  ['android-arm64', 'aarch64-linux-android'],
  ['android-arm-eabi', 'armv7-linux-androideabi'],
]);

/** The triple that a manifest means by a triple or by a platform such as `linux-x64-gnu`; undefined for any other name. */
export function tripleOf(name: string): string | undefined {
  const isTriple =
    /^(?:x86_64|aarch64|i[56]86|arm\w*|thumb\w+|riscv\w+|powerpc\w*|s390x|loongarch64|wasm32)-\w+-/u.test(name);
  return isTriple ? name : platformTriples.get(name);
}

export interface TripleFacts {
  readonly arch: string;
  readonly os: string;
  readonly env: string;
  readonly abi: string;
  readonly vendor: string;
  readonly families: readonly string[];
  readonly pointerWidth: '16' | '32' | '64';
  readonly endian: 'little' | 'big';
}

const arches: Readonly<Record<string, string>> = {
  i386: 'x86',
  i586: 'x86',
  i686: 'x86',
  armv5te: 'arm',
  armv6: 'arm',
  armv7: 'arm',
  armv7a: 'arm',
  armv7neon: 'arm',
  thumbv7neon: 'arm',
  arm: 'arm',
  riscv64gc: 'riscv64',
  riscv32gc: 'riscv32',
  powerpc64le: 'powerpc64',
  arm64ec: 'arm64ec',
  aarch64_be: 'aarch64',
};
const wide = new Set([
  'x86_64',
  'aarch64',
  'arm64ec',
  'riscv64',
  'powerpc64',
  's390x',
  'loongarch64',
  'mips64',
  'sparc64',
  'wasm64',
]);
const big = new Set(['s390x', 'powerpc', 'sparc64', 'sparc', 'mips', 'mips64', 'm68k']);
const unixes = new Set([
  'linux',
  'android',
  'macos',
  'ios',
  'freebsd',
  'openbsd',
  'netbsd',
  'dragonfly',
  'solaris',
  'illumos',
  'aix',
  'haiku',
]);

/**
 * What `rustc --print cfg --target TRIPLE` would say, read from the parts of the triple. Good for every triple that has a
 * Node.js build; an unknown one gets its parts as they stand.
 */
export function readTriple(triple: string): TripleFacts {
  const known = facts.get(triple);
  if (known !== undefined) return known;
  const read = readParts(triple);
  facts.set(triple, read);
  return read;
}

const facts = new Map<string, TripleFacts>();

function readParts(triple: string): TripleFacts {
  const parts = triple.split('-');
  const first = parts[0] ?? '';
  const arch = arches[first] ?? first;
  const base = {
    arch,
    pointerWidth: wide.has(arch) ? ('64' as const) : ('32' as const),
    endian:
      (big.has(arch) && first !== 'powerpc64le') || first === 'powerpc64' ? ('big' as const) : ('little' as const),
  };
  if (arch.startsWith('wasm')) {
    const wasi = triple.includes('wasi') || triple.includes('wasip');
    const emscripten = triple.includes('emscripten');
    const env =
      triple.includes('wasip1') || triple.endsWith('-wasi') || triple.includes('preview1')
        ? 'p1'
        : triple.includes('wasip2')
          ? 'p2'
          : '';
    return {
      ...base,
      os: wasi ? 'wasi' : emscripten ? 'emscripten' : 'unknown',
      env: wasi ? env : '',
      abi: '',
      vendor: 'unknown',
      families: emscripten ? ['unix', 'wasm'] : ['wasm'],
    };
  }
  const tail = parts[parts.length - 1] ?? '';
  if (triple.includes('-apple-')) {
    const os = triple.includes('ios') ? 'ios' : 'macos';
    return { ...base, os, env: '', abi: '', vendor: 'apple', families: ['unix'] };
  }
  if (triple.includes('-windows-')) {
    const env = tail.startsWith('gnu') ? 'gnu' : 'msvc';
    return {
      ...base,
      os: 'windows',
      env,
      abi: tail === 'gnullvm' ? 'llvm' : '',
      vendor: parts[1] ?? 'pc',
      families: ['windows'],
    };
  }
  if (tail.startsWith('android')) {
    return {
      ...base,
      os: 'android',
      env: '',
      abi: tail === 'androideabi' ? 'eabi' : '',
      vendor: 'unknown',
      families: ['unix'],
    };
  }
  const os = parts.find((part) => unixes.has(part)) ?? parts[2] ?? tail;
  const env = os === 'linux' ? (/^(gnu|musl|ohos|uclibc)/.exec(tail)?.[1] ?? '') : '';
  const abi = os === 'linux' ? tail.slice(env.length) : '';
  return {
    ...base,
    os,
    env,
    abi,
    vendor: parts.length >= 3 && parts[1] !== os ? (parts[1] ?? 'unknown') : 'unknown',
    families: unixes.has(os) ? ['unix'] : [],
  };
}

const nodeNames: Readonly<Record<string, string>> = {
  'x86_64-pc-windows-msvc': 'Windows x64',
  'i686-pc-windows-msvc': 'Windows ia32',
  'aarch64-pc-windows-msvc': 'Windows arm64',
  'x86_64-apple-darwin': 'macOS x64',
  'aarch64-apple-darwin': 'macOS arm64',
};

/** A short name for people: `Windows x64`, `Linux arm64 musl`, or the triple itself. */
export function describeTriple(triple: string): string {
  const known = nodeNames[triple];
  if (known !== undefined) return known;
  const facts = readTriple(triple);
  const arch = shortArch(facts.arch);
  if (facts.os === 'linux') return `Linux ${arch} ${facts.env || 'gnu'}`;
  if (facts.os === 'windows') return `Windows ${arch} ${facts.env}`;
  if (facts.os === 'freebsd') return `FreeBSD ${arch}`;
  if (facts.os === 'android') return `Android ${arch}`;
  if (facts.families.includes('wasm')) return 'WASI';
  return triple;
}

/** What @napi-rs/cli calls the package of a triple, and Node.js the platform: `win32-x64-msvc`, `darwin-arm64`. */
export function nodeNameOf(triple: string): string {
  const { os, arch, env, abi } = readTriple(triple);
  const platform = ({ windows: 'win32', macos: 'darwin' } as Readonly<Record<string, string>>)[os] ?? os;
  return [platform, shortArch(arch), `${env}${abi}`].filter((part) => part !== '').join('-');
}

const groupOrder = ['Windows', 'macOS', 'Linux (gnu)', 'Linux (musl)', 'FreeBSD', 'Android', 'OpenHarmony', 'WASI'];

/**
 * Triples for a sentence, against all that are built: whole groups by their name (`Windows`, `Linux (gnu)`), groups that lack a
 * few with what they lack (`Linux (gnu) except arm`), the rest one by one. Windows comes first.
 */
export function summariseTriples(triples: readonly string[], universe: readonly string[]): string {
  const groups = new Map<string, { chosen: string[]; missing: string[] }>();
  for (const triple of new Set([...universe, ...triples])) {
    const entry = groups.get(groupOf(triple)) ?? { chosen: [], missing: [] };
    groups.set(groupOf(triple), entry);
    (triples.includes(triple) ? entry.chosen : entry.missing).push(triple);
  }
  const rank = (group: string): number => (groupOrder.includes(group) ? groupOrder.indexOf(group) : groupOrder.length);
  const words: string[] = [];
  for (const [group, { chosen, missing }] of [...groups].sort(([a], [b]) => rank(a) - rank(b))) {
    if (chosen.length === 0) continue;
    if (missing.length === 0) words.push(group);
    else if (chosen.length > missing.length)
      words.push(`${group} except ${joinWords(missing.map((triple) => shortArch(readTriple(triple).arch)))}`);
    else words.push(...chosen.map(describeTriple));
  }
  return words.length === 0 ? 'no target' : joinWords(words);
}

/** `a`, `a and b`, `a, b and c`. */
export function joinWords(words: readonly string[]): string {
  const last = words[words.length - 1] ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`;
}

function shortArch(arch: string): string {
  return ({ x86_64: 'x64', x86: 'ia32', aarch64: 'arm64' } as Readonly<Record<string, string>>)[arch] ?? arch;
}

function groupOf(triple: string): string {
  const facts = readTriple(triple);
  if (facts.os === 'windows') return 'Windows';
  if (facts.os === 'macos') return 'macOS';
  if (facts.os === 'linux')
    return facts.env === 'musl' ? 'Linux (musl)' : facts.env === 'ohos' ? 'OpenHarmony' : 'Linux (gnu)';
  if (facts.os === 'android') return 'Android';
  if (facts.os === 'freebsd') return 'FreeBSD';
  return facts.families.includes('wasm') ? 'WASI' : triple;
}
