import { defineJavaScriptRule } from './javascript-rule.js';
import { handsStoreOn, mentionsTransfer } from './javascript-text.js';

export default defineJavaScriptRule({
  meta: {
    id: 'pooled-buffer-transfer',
    title: 'Shared buffer pool in a transfer list',
    summary: "The '.buffer' of a small Buffer is Node's shared pool, and it is put into a transfer list.",
    languages: ['javascript'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-664', 'CWE-668'],
    messages: {
      inTransferList:
        "'{buffer}.buffer' in the transfer list is the pool that '{origin}' shares with other Buffers: Node 21 and later throw DataCloneError, older versions copy the message instead.",
      streamChunk:
        "'{buffer}' is a chunk of a stream, whose '.buffer' may be the pool that other Buffers share: Node 21 and later throw DataCloneError when it is in a transfer list, older versions copy the message instead.",
      detached:
        "'{how}' detaches the pool that '{origin}' shares with other Buffers: they lose their bytes, and the next pooled Buffer throws.",
      parameter:
        "'{buffer}.buffer' is put into a transfer list, and '{buffer}' may be a Buffer from the shared pool that the caller passes in.",
      removeFromList: 'Leave the pool out of the transfer list; the message is copied.',
    },
    checklist: 'Does every transferred Buffer own the whole of its backing store?',
    scenarios: [],
  },
  tokens: ['.buffer'],
  patterns: [mentionsTransfer, handsStoreOn],
});
