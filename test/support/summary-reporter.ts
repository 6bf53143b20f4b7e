import { appendFileSync } from 'node:fs';
import type { SerializedError } from 'vitest';
import type { Reporter, TestModule } from 'vitest/node';

/**
 * Tells at the end of a run which tests were skipped and why (the note of `context.skip(note)`), and appends the numbers
 * as one line of JSON to the file that LIFETIME_LINT_SUMMARY names. Without that variable it says nothing.
 */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const file = process.env['LIFETIME_LINT_SUMMARY'];
    if (file === undefined) return;
    let passed = 0;
    let failed = unhandledErrors.length;
    const skipped: string[] = [];
    for (const module of modules) {
      let failedInModule = 0;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') passed++;
        else if (result.state === 'failed') failedInModule++;
        else {
          const why = 'note' in result && result.note !== undefined ? result.note : 'no reason given';
          skipped.push(`Skipped: ${module.relativeModuleId} > ${test.fullName}: ${why}`);
        }
      }
      // A file that cannot be loaded, or a suite whose hooks fail, has no failed test to show.
      if (failedInModule === 0 && module.state() === 'failed') failedInModule = 1;
      failed += failedInModule;
    }
    if (skipped.length > 0) process.stdout.write(`\n${skipped.join('\n')}\n`);
    appendFileSync(file, `${JSON.stringify({ passed, failed, skipped: skipped.length })}\n`);
  }
}
