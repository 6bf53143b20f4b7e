const blockSize = 100;
const multiplier = 37;
/** The value that the hash reads behind the last character. */
const endOfFile = 0xffff;
const two32 = 0x1_0000_0000;

/**
 * The `primaryLocationLineHash` of lines as GitHub's upload action computes it (github/codeql-action,
 * `src/fingerprints.ts`): a rolling hash modulo 2^64 over the 100 characters from the start of the line on, without blanks and
 * tabs and with every line end as `\n`, followed by the rank of the line among lines with the same hash. Ours must agree with
 * it, or an alert uploaded by another route would count as a new one. 64-bit values are kept as two halves, because `BigInt`
 * takes ten times as long.
 *
 * @param wanted 1-based line numbers.
 */
export function findLineHashes(text: string, wanted: ReadonlySet<number>): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  const [firstHigh, firstLow] = power(multiplier, blockSize);
  const window = new Uint16Array(blockSize);
  const lineNumbers = new Int32Array(blockSize).fill(-1);
  const counts = new Map<string, number>();
  let high = 0;
  let low = 0;
  let index = 0;
  let line = 0;

  const output = (): void => {
    const number = lineNumbers[index] ?? -1;
    if (number === -1) return;
    lineNumbers[index] = -1;
    const hash = high === 0 ? low.toString(16) : high.toString(16) + low.toString(16).padStart(8, '0');
    const rank = (counts.get(hash) ?? 0) + 1;
    counts.set(hash, rank);
    if (wanted.has(number)) found.set(number, `${hash}:${rank}`);
  };
  const update = (code: number): void => {
    const leaving = window[index] ?? 0;
    window[index] = code;
    // hash = hash * 37 + code - 37^100 * leaving, each half below 2^53 before it is folded.
    const newLow = low * multiplier + code;
    const newHigh = high * multiplier + Math.floor(newLow / two32);
    const outLow = firstLow * leaving;
    const outHigh = firstHigh * leaving + Math.floor(outLow / two32);
    const difference = (newLow % two32) - (outLow % two32);
    low = difference < 0 ? difference + two32 : difference;
    high = modulo((newHigh % two32) - (outHigh % two32) - (difference < 0 ? 1 : 0), two32);
    index = (index + 1) % blockSize;
  };

  let isLineStart = true;
  let isAfterReturn = false;
  const read = (code: number): void => {
    if (code === 32 || code === 9 || (isAfterReturn && code === 10)) {
      isAfterReturn = false;
      return;
    }
    isAfterReturn = code === 13;
    const shown = isAfterReturn ? 10 : code;
    output();
    if (isLineStart) {
      isLineStart = false;
      lineNumbers[index] = ++line;
    }
    if (shown === 10) isLineStart = true;
    update(shown);
  };

  for (let at = 0; at < text.length; at++) read(text.charCodeAt(at));
  read(endOfFile);
  for (let rest = 0; rest < blockSize; rest++) {
    output();
    update(0);
  }
  return found;
}

/** `base` to the `exponent` modulo 2^64 as two halves. */
function power(base: number, exponent: number): readonly [high: number, low: number] {
  let value = 1n;
  for (let step = 0; step < exponent; step++) value = BigInt.asUintN(64, value * BigInt(base));
  return [Number(value >> 32n), Number(value & 0xffff_ffffn)];
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}
