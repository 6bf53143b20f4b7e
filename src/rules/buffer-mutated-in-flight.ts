import { defineJavaScriptRule } from './javascript-rule.js';
import { mentionsWrite } from './javascript-text.js';

export default defineJavaScriptRule({
  meta: {
    id: 'buffer-mutated-in-flight',
    title: 'Buffer written while native code reads it',
    summary: 'A buffer is written or reused while a native call that was not awaited may still read or write it.',
    languages: ['javascript'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-362', 'CWE-366'],
    messages: {
      written:
        "'{buffer}' is written by '{how}' while '{callee}' of line {line} may still use its bytes on another thread.",
      rewrittenInLoop:
        "'{buffer}' is written by '{how}' in the next round of the loop while '{callee}' of line {line} may still use its bytes on another thread.",
      afterPartialFailure:
        "'{buffer}' is written by '{how}' after 'Promise.all' rejected, while '{callee}' of line {line} may still use its bytes on another thread.",
      awaitCall: "Await '{callee}' before the buffer is written again.",
      copyArgument: "Give '{callee}' a copy of the bytes.",
    },
    checklist: 'Is every native promise that was given this buffer settled before the buffer is written again?',
    scenarios: ['mutate'],
  },
  tokens: ['require', 'import', 'dlopen'],
  patterns: [mentionsWrite],
  onlyWithAddon: true,
});
