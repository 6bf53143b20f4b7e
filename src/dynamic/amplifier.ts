export const amplifierNames = [
  'none',
  'gc',
  'guard-pages',
  'glibc-tunables',
  'malloc-check',
  'sanitizer',
  'valgrind',
] as const;

/** What makes a hidden bug show: see docs/dynamic.md for what each found and hid. */
export type AmplifierName = (typeof amplifierNames)[number];

/** Narrows a user's text to an amplifier name. */
export function isAmplifierName(text: string): text is AmplifierName {
  return amplifierNames.some((name) => name === text);
}
