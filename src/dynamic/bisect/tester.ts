/** What a bisection needs to know of the thing it bisects: npm packages, commits and simulations all look like this. */

/** How one run ended. Only hits and clean runs count. */
export type TestResult =
  | { readonly kind: 'hit'; readonly class: string; readonly detail: string; readonly lines: readonly string[] }
  | { readonly kind: 'clean' }
  /** It ran and said nothing about the bug: it could not be loaded, it threw, it was killed from outside. */
  | { readonly kind: 'untestable'; readonly reason: string; readonly transient: boolean };

export interface Tester {
  /** True when version `index` can be run without installing or building anything. */
  isPrepared(index: number): boolean;
  /** Installs or builds version `index`; what fails for a reason outside the version, such as no network, is transient. */
  prepare(index: number): Promise<'ready' | { readonly skip: string; readonly transient?: boolean }>;
  run(index: number): Promise<TestResult>;
  /** First guesses of the seconds that preparing and running take; measured values replace them. */
  readonly estimate: { readonly prepare: number; readonly run: number };
}
