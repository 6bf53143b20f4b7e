import { defineJavaScriptRule } from './javascript-rule.js';
import { mentionsTransfer } from './javascript-text.js';

export default defineJavaScriptRule({
  meta: {
    id: 'buffer-transferred-in-flight',
    title: 'Buffer transferred while native code reads it',
    summary:
      'The backing store of a buffer is transferred or resized while a native call that was not awaited still uses it.',
    languages: ['javascript'],
    severity: 'error',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416'],
    messages: {
      transferred:
        "'{how}' takes the bytes of '{buffer}' away while '{callee}' of line {line} may still use them: after the next collection it touches freed memory.",
      afterPartialFailure:
        "'{how}' takes the bytes of '{buffer}' away after 'Promise.all' rejected, while '{callee}' of line {line} may still use them.",
      awaitCall: "Await '{callee}' before the bytes leave this thread.",
      copyArgument: "Give '{callee}' a copy of the bytes.",
    },
    checklist: 'Is every native promise that was given this buffer settled before its bytes are transferred?',
    scenarios: ['transfer', 'detach'],
  },
  tokens: ['transfer', 'postMessage', 'structuredClone', 'resize', 'move'],
  patterns: [mentionsTransfer],
  onlyWithAddon: true,
});
