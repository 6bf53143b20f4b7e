import { findMovedAddresses } from '../facts/js-addresses.js';
import { jsBuffersOf, type ByteRead, type JsBuffer } from '../facts/js-buffers.js';
import { lineOf } from '../facts/lines.js';
import type { FileIr } from '../model/ir.js';
import { joinWords } from '../project/triples.js';
import { NODE_API } from '../facts/raw-words.js';
import { defineRule, type ReportStep } from './rule.js';

export default defineRule({
  meta: {
    id: 'buffer-off-thread',
    title: 'Buffer read off the JavaScript thread',
    summary:
      'The bytes of a JavaScript buffer are used on another thread, while JavaScript can still write, transfer or detach them.',
    languages: ['rust'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-362', 'CWE-416'],
    messages: {
      read: "The bytes of '{buffer}' ({type}) are used on {thread} at {lines}, while JavaScript can still write to them, transfer them or detach them.",
      address:
        "'{buffer}' ({type}) gives the address of JavaScript's bytes at line {taken}, and {thread} uses them (line {read}), while JavaScript can still write to them, transfer them or detach them.",
      copied:
        "The bytes of '{buffer}' ({type}) are copied on {thread} at {lines}: the copy itself races with JavaScript, which can still write to or detach them.",
    },
    checklist: 'Are the bytes copied on the JavaScript thread before other threads see them?',
    scenarios: ['mutate', 'transfer', 'detach'],
  },
  tokens: { rust: ['Buffer', 'Array', 'Slice', '[u8]', 'array_info', 'buffer_info', 'dataview_info'] },
  requires: { rust: NODE_API },
  check({ unit, report }) {
    const causes = new Map<string, { buffer: JsBuffer; reads: { file: FileIr; read: ByteRead }[] }>();
    for (const file of unit.filesOf('rust')) {
      for (const one of findMovedAddresses(unit, file)) {
        // One that is used after an await is reported as that.
        if (one.awaited) continue;
        report({
          messageId: 'address',
          data: {
            buffer: one.buffer,
            type: one.type,
            taken: lineOf(unit, file, one.taken.start),
            thread: one.thread,
            read: lineOf(unit, file, one.read.start),
          },
          at: { file, span: one.taken },
          steps: [
            {
              file,
              span: one.taken,
              role: 'borrow',
              note: `The address of the bytes of '${one.buffer}' is taken here.`,
            },
            { file, span: one.moved, role: 'escape', note: `It moves to ${one.thread} here.` },
            { file, span: one.read, role: 'use', note: 'The bytes are used here.' },
          ],
          key: `${one.fn.qualifiedName}|${one.buffer}`,
        });
      }
      for (const buffer of jsBuffersOf(unit, file)) {
        const reads = buffer.reads.filter((r) => r.thread !== undefined);
        // A view held across an await is reported as that.
        if (reads.length === 0 || buffer.reads.some((r) => r.awaited)) continue;
        const { declared } = buffer;
        const key = `${declared.file.path}|${declared.span.start}`;
        const cause = causes.get(key);
        if (cause) cause.reads.push(...reads.map((read) => ({ file, read })));
        else causes.set(key, { buffer, reads: reads.map((read) => ({ file, read })) });
      }
    }
    for (const { buffer, reads } of causes.values()) {
      const first = reads[0];
      if (!first?.read.thread) continue;
      const copiesOnly = reads.every((r) => r.read.copies);
      const steps: ReportStep[] = [
        {
          ...buffer.declared,
          role: 'declare',
          note: `'${buffer.name}' holds memory of JavaScript (${buffer.memory.name}).`,
        },
        ...(first.read.threadSpan
          ? [
              {
                file: first.file,
                span: first.read.threadSpan,
                role: 'escape' as const,
                note: `It moves to ${first.read.thread} here.`,
              },
            ]
          : []),
        ...reads.slice(0, 12).flatMap(({ file, read }): ReportStep[] => [
          {
            file,
            span: read.span,
            role: 'use',
            note: `Its bytes are ${read.copies ? 'copied' : 'used'} here ('${read.what}').`,
          },
          ...(read.helper
            ? [
                {
                  file: read.helper.file,
                  span: read.helper.span,
                  role: 'use' as const,
                  note: `'${read.helper.name}' reads them here.`,
                },
              ]
            : []),
        ]),
      ];
      const lines = reads.map((r) =>
        r.file === buffer.declared.file
          ? String(lineOf(unit, r.file, r.read.span.start))
          : `${r.file.path}:${lineOf(unit, r.file, r.read.span.start)}`,
      );
      report({
        messageId: copiesOnly ? 'copied' : 'read',
        data: {
          buffer: buffer.name,
          type: buffer.memory.name,
          thread: first.read.thread,
          lines: listLines([...new Set(lines)]),
        },
        at: buffer.declared,
        steps,
        key: buffer.name,
        ...(copiesOnly ? { severity: 'note' as const } : {}),
      });
    }
  },
});

/** `line 7`, `lines 7, 9 and 12`, `lines 7, 9, 12, 14, 15 and 3 more`; lines of other files have their path in front. */
function listLines(lines: readonly string[]): string {
  const shown = lines.length > 6 ? [...lines.slice(0, 5), `${lines.length - 5} more`] : lines;
  return `${shown.length === 1 ? 'line' : 'lines'} ${joinWords(shown)}`;
}
