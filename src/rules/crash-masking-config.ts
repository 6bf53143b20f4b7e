import { defineJavaScriptRule } from './javascript-rule.js';

export default defineJavaScriptRule({
  meta: {
    id: 'crash-masking-config',
    title: 'Test configuration that hides native crashes',
    summary:
      'A test configuration beside an addon runs everything in one thread or in separate batches, so a crash of the addon stays unseen.',
    languages: ['javascript'],
    severity: 'note',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-390'],
    messages: {
      serial:
        "'{setting}' runs the tests of {addon} one after the other on one thread or process: a crash that needs several threads stays unseen.",
      batches:
        "The script '{script}' runs {runner} {count} times over parts of the tests of {addon}: a crash that builds up over calls stays unseen.",
      forcedExit:
        "'{setting}' ends the test process of {addon} by force: a native handle that keeps it alive stays unseen.",
      ignoredStatus:
        "The script '{script}' ignores the exit status of {runner} beside {addon}: a crash of the addon passes.",
    },
    checklist: 'Is there a run of the tests that loads the addon in several threads at once?',
    scenarios: [],
  },
  tokens: [
    'singleThread',
    'singleFork',
    'single-thread',
    'maxWorkers',
    'maxThreads',
    'maxForks',
    'fileParallelism',
    'file-parallelism',
    'runInBand',
    'jest',
    'concurrency',
    'serial',
    'forceExit',
    'exit',
    'jobs',
    'threads',
    'vitest',
    'mocha',
    'ava',
    'tap',
    '--test',
    'test-isolation',
    'test-force-exit',
  ],
});
