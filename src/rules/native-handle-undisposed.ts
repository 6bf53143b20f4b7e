import { defineJavaScriptRule } from './javascript-rule.js';
import { releasesSomething } from './javascript-text.js';

export default defineJavaScriptRule({
  meta: {
    id: 'native-handle-undisposed',
    title: 'Native handle without a sure release',
    summary:
      'A handle of an addon is never closed, is closed only when nothing throws, or is left to the garbage collector.',
    languages: ['javascript'],
    severity: 'warning',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-404', 'CWE-772'],
    messages: {
      neverClosed:
        "'{handle}' from '{origin}' is never released: '{method}' is not called in this function, and the handle does not leave it.",
      onlyOnSuccess:
        "'{handle}' from '{origin}' is released by '{method}' only when nothing between throws: an error leaves the native side open.",
      onlyByCollector:
        'The native resource is released only by the FinalizationRegistry, whose callbacks do not run when a worker or the process exits.',
    },
    checklist: "Is this native handle released in a 'finally' block or by 'using'?",
    scenarios: [],
  },
  tokens: ['require', 'import', 'dlopen'],
  patterns: [(text) => /\bnew\s/u.test(text) || releasesSomething(text)],
  onlyWithAddon: true,
});
