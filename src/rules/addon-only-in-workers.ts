import { defineJavaScriptRule } from './javascript-rule.js';
import { startsWorker } from './javascript-text.js';

export default defineJavaScriptRule({
  meta: {
    id: 'addon-only-in-workers',
    title: 'Addon loaded only in workers',
    summary: 'An addon is loaded by worker files only, so it is unloaded when the last of these workers exits.',
    languages: ['javascript'],
    severity: 'warning',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-664'],
    messages: {
      onlyInWorkers:
        "The addon '{addon}' is loaded by the worker '{worker}' and nowhere on the main thread: it is unloaded when the last worker exits, while its threads and thread-local destructors may still run.",
      loadOnMainThread: "Import '{addon}' here, so that it stays loaded.",
    },
    checklist: 'Does the main thread load every addon that its workers load?',
    scenarios: ['import'],
  },
  tokens: ['worker_threads', 'piscina', 'Piscina', 'tinypool', 'Tinypool'],
  patterns: [startsWorker],
});
