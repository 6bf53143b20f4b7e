import { defineJavaScriptRule } from './javascript-rule.js';
import { isHandWritten, mayGrowMemory, viewsMemory } from './javascript-text.js';

export default defineJavaScriptRule({
  meta: {
    id: 'stale-memory-view',
    title: 'View of WebAssembly memory kept while it may grow',
    summary: 'A typed array over the memory of WebAssembly is used after a call that may have grown the memory.',
    languages: ['javascript'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-825', 'CWE-672'],
    messages: {
      usedAfter:
        "'{view}' is a view of '{owner}' from line {line}, and is used after '{call}' of line {callLine}, which may grow the memory: the view is then detached, reads give undefined, and writes are lost.",
      usedInNextRound:
        "'{view}' is a view of '{owner}' from line {line}, and is used in the next round of the loop after '{call}' of line {callLine}, which may grow the memory: the view is then detached.",
      kept: "'{view}' keeps a view of '{owner}' from line {line}, and nothing renews it after '{call}' of line {callLine}, which may grow the memory: the view is then detached.",
      neverRenewed:
        "'{view}' keeps a view of '{owner}' from line {line}, and nothing renews it: when the memory grows, the view is detached.",
      takenBefore:
        "'{view}' of line {line} is evaluated before '{call}' of the same expression, which may grow the memory, and is used after it: the view of '{owner}' is then detached.",
    },
    checklist: 'Is every view of WebAssembly memory made anew after each call that may grow the memory?',
    scenarios: [],
  },
  tokens: ['.buffer', 'HEAP'],
  patterns: [viewsMemory, mayGrowMemory, isHandWritten],
});
