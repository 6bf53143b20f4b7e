import { defineJavaScriptRule } from './javascript-rule.js';
import { handsStoreOn } from './javascript-text.js';

export default defineJavaScriptRule({
  meta: {
    id: 'whole-backing-store',
    title: 'Backing store handed on without its bounds',
    summary: "The '.buffer' of a view is handed on without the view's offset and length.",
    languages: ['javascript'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-125', 'CWE-200'],
    messages: {
      handedOn:
        "'{buffer}.buffer' is handed on without 'byteOffset' and 'byteLength', and '{origin}' gives a view into a larger store: the receiver sees other bytes.",
      parameter:
        "'{buffer}.buffer' is handed on without 'byteOffset' and 'byteLength': when a caller passes a Buffer or a subarray, the receiver sees other bytes.",
      addBounds: 'Pass the offset and the length of the view.',
      copyRange: 'Hand on only the bytes of the view.',
    },
    checklist: 'Does the receiver of this backing store know where the view begins and ends?',
    scenarios: [],
  },
  tokens: ['.buffer'],
  patterns: [handsStoreOn],
});
