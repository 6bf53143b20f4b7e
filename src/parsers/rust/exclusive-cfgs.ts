import { splitByCommas } from './tokens.js';

/** Longer conditions are not worth taking apart. */
const LONG = 400;

/** Operating systems whose targets set `unix`. */
const UNIX =
  /^target_os="(?:linux|android|macos|ios|tvos|watchos|visionos|freebsd|openbsd|netbsd|dragonfly|solaris|illumos|aix|fuchsia|haiku|redox|emscripten|hurd|nto|vxworks|l4re)"$/;

/**
 * Whether two cfg expressions can never hold in one build, as far as their text tells: `windows` and `unix`, two operating
 * systems or architectures, a condition and its negation. False means that nothing was found, not that both can hold.
 */
export function areExclusive(a: string, b: string): boolean {
  if (a.length > LONG || b.length > LONG) return false;
  return exclude(normal(a), normal(b));
}

function exclude(a: string, b: string): boolean {
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const all = partsOf(one, 'all');
    if (all !== undefined) return all.some((part) => exclude(part, other));
    const any = partsOf(one, 'any');
    if (any !== undefined) return any.length > 0 && any.every((part) => exclude(part, other));
  }
  const denied = partsOf(a, 'not')?.[0];
  if (denied !== undefined) return implies(b, denied);
  const refused = partsOf(b, 'not')?.[0];
  if (refused !== undefined) return implies(a, refused);
  return differ(a, b) || differ(b, a);
}

/** Whether an atom (or the negation of one) is enough for a condition. */
function implies(a: string, b: string): boolean {
  if (a === b || (b === 'unix' && UNIX.test(a))) return true;
  const any = partsOf(b, 'any');
  if (any !== undefined) return any.some((part) => implies(a, part));
  const all = partsOf(b, 'all');
  return all !== undefined && all.length > 0 && all.every((part) => implies(a, part));
}

function differ(a: string, b: string): boolean {
  if (a === 'windows') return b === 'unix' || /^target_os="/.test(b);
  if (a === 'unix') return b === 'target_os="wasi"';
  const key = /^(target_os|target_arch|target_env|target_pointer_width|target_endian|panic)="/.exec(a)?.[1];
  return key !== undefined && a !== b && b.startsWith(`${key}="`);
}

/** The parts of `all(..)`, `any(..)` or `not(..)`; undefined for anything else. */
function partsOf(text: string, name: string): readonly string[] | undefined {
  if (!text.startsWith(`${name}(`) || !text.endsWith(')')) return undefined;
  return splitByCommas(text, name.length + 1, text.length - 1)
    .map(({ start, end }) => text.slice(start, end))
    .filter((part) => part !== '');
}

/** Without blanks, and with one name for what has two. */
function normal(text: string): string {
  return text
    .replace(/\s+/g, '')
    .replace(/target_family="(windows|unix|wasm)"/g, '$1')
    .replace(/target_os="windows"/g, 'windows');
}
