import { defineJavaScriptRule } from './javascript-rule.js';
import { endsThread } from './javascript-text.js';

export default defineJavaScriptRule({
  meta: {
    id: 'terminate-during-native-work',
    title: 'Thread ended while native work is pending',
    summary: 'A worker is terminated, or exits its thread, while work or a callback of an addon is still pending.',
    languages: ['javascript'],
    severity: 'warning',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-404'],
    messages: {
      terminated:
        "'{call}' ends the worker '{worker}' without waiting for '{callee}', which it runs natively: what completes afterwards meets an environment that is gone.",
      exited:
        "'{call}' ends the worker while '{callee}' of line {line} is still pending: what completes afterwards meets an environment that is gone.",
    },
    checklist: 'Is all native work of the worker settled before its thread is ended?',
    scenarios: ['terminate', 'exit-with-work'],
  },
  tokens: ['worker_threads'],
  patterns: [endsThread],
});
