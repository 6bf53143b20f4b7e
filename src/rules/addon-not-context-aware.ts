import { defineJavaScriptRule } from './javascript-rule.js';
import { startsWorker } from './javascript-text.js';

export default defineJavaScriptRule({
  meta: {
    id: 'addon-not-context-aware',
    title: 'Addon that is not context-aware, in a worker',
    summary: 'A worker loads an addon that keeps its state once per process, or opens an addon by hand.',
    languages: ['javascript'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-362', 'CWE-668'],
    messages: {
      inWorker:
        "The worker loads '{addon}', which registers once per process ({why}): the second thread that loads it throws or shares handles of the first.",
      dlopen:
        "'{call}' opens an addon in a worker by hand, outside the module cache: every call registers it again for the same environment.",
      dlopenOnMain:
        "'{call}' opens an addon by hand, outside the module cache: loading it again or in a worker registers it twice.",
    },
    checklist: 'Can this addon be loaded by two threads of one process?',
    scenarios: ['import', 'main-and-worker'],
  },
  tokens: ['dlopen', 'worker_threads'],
  patterns: [(text) => startsWorker(text) || /\bdlopen\b|\bparentPort\b|\bworkerData\b/u.test(text)],
});
