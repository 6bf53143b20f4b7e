import { jsBuffersOf } from '../facts/js-buffers.js';
import { lineOf } from '../facts/lines.js';
import { defineRule, type ReportStep } from './rule.js';

export default defineRule({
  meta: {
    id: 'buffer-off-thread',
    title: 'Buffer read off the JavaScript thread',
    summary: "The bytes of a JavaScript buffer are used on another thread, while JavaScript can still write, transfer or detach them.",
    languages: ['rust'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-362', 'CWE-416'],
    messages: {
      read: "The bytes of '{buffer}' ({type}) are used on {thread} at line {lines}, while JavaScript can still write to them, transfer them or detach them.",
      copied: "The bytes of '{buffer}' ({type}) are copied on {thread} at line {lines}: the copy itself races with JavaScript, which can still write to or detach them.",
    },
    checklist: 'Are the bytes copied on the JavaScript thread before other threads see them?',
    scenarios: ['mutate', 'transfer', 'detach'],
  },
  tokens: { rust: ['Buffer', 'Array', 'Slice', '[u8]'] },
  requires: { rust: ['napi'] },
  check({ unit, report }) {
    for (const file of unit.filesOf('rust')) {
      for (const buffer of jsBuffersOf(unit, file)) {
        const reads = buffer.reads.filter((r) => r.thread !== undefined);
        const first = reads[0];
        if (!first?.thread || buffer.reads.some((r) => r.awaited)) continue;
        const copiesOnly = reads.every((r) => r.copies);
        const steps: ReportStep[] = [
          { ...buffer.declared, role: 'declare', note: `'${buffer.name}' holds memory of JavaScript (${buffer.memory.name}).` },
          ...(first.threadSpan ? [{ file, span: first.threadSpan, role: 'escape' as const, note: `It moves to ${first.thread} here.` }] : []),
          ...reads.slice(0, 12).flatMap((r): ReportStep[] => [
            { file, span: r.span, role: 'use', note: `Its bytes are ${r.copies ? 'copied' : 'used'} here ('${r.what}').` },
            ...(r.helper ? [{ file: r.helper.file, span: r.helper.span, role: 'use' as const, note: `'${r.helper.name}' reads them here.` }] : []),
          ]),
        ];
        report({
          messageId: copiesOnly ? 'copied' : 'read',
          data: { buffer: buffer.name, type: buffer.memory.name, thread: first.thread, lines: [...new Set(reads.map((r) => lineOf(unit, file, r.span.start)))].slice(0, 6).join(', ') },
          at: buffer.declared,
          steps,
          key: `${buffer.fn.qualifiedName}|${buffer.name}`,
          ...(copiesOnly ? { severity: 'note' as const } : {}),
        });
      }
    }
  },
});
