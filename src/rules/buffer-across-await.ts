import { findMovedAddresses } from '../facts/js-addresses.js';
import { jsBuffersOf } from '../facts/js-buffers.js';
import { findStaleAddresses } from '../facts/js-calls.js';
import { lineOf } from '../facts/lines.js';
import { NODE_API } from '../facts/raw-words.js';
import { defineRule, type ReportStep } from './rule.js';

export default defineRule({
  meta: {
    id: 'buffer-across-await',
    title: 'Borrowed buffer across an await',
    summary: 'A view of JavaScript memory is used after an await, during which JavaScript ran.',
    languages: ['rust'],
    severity: 'error',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-362'],
    messages: {
      across:
        "A view of '{buffer}' ({type}) is used at line {use} after the await at line {await}: JavaScript ran meanwhile and may have changed, transferred or detached the bytes.",
      called:
        "'{name}' is used at line {use} after '{callee}' (line {line}) has run JavaScript, which may have transferred, detached or resized the bytes that '{how}' (line {taken}) gave the address of.",
    },
    checklist: 'Is every JavaScript buffer copied before the first await?',
    scenarios: ['mutate', 'transfer', 'detach'],
  },
  tokens: { rust: ['Buffer', 'Array', 'Slice', '[u8]', 'array_info', 'buffer_info', 'dataview_info'] },
  requires: { rust: NODE_API },
  check({ unit, report }) {
    for (const file of unit.filesOf('rust')) {
      for (const one of findStaleAddresses(unit, file)) {
        report({
          messageId: 'called',
          data: {
            name: one.name,
            how: one.how,
            callee: one.callee,
            use: lineOf(unit, file, one.used.start),
            line: lineOf(unit, file, one.called.start),
            taken: lineOf(unit, file, one.taken.start),
          },
          at: { file, span: one.used },
          steps: [
            { file, span: one.taken, role: 'borrow', note: `'${one.how}' gives the address here.` },
            { file, span: one.called, role: 'suspend', note: `'${one.callee}' runs JavaScript.` },
            { file, span: one.used, role: 'use', note: 'The bytes are used here.' },
          ],
          key: `${one.fn.qualifiedName}|${one.name}`,
          severity: 'warning',
          confidence: 'medium',
        });
      }
      for (const { awaited, ...one } of findMovedAddresses(unit, file)) {
        if (!awaited) continue;
        report({
          messageId: 'across',
          data: {
            buffer: one.buffer,
            type: one.type,
            use: lineOf(unit, file, one.read.start),
            await: lineOf(unit, file, awaited.start),
          },
          at: { file, span: one.read },
          steps: [
            {
              file,
              span: one.taken,
              role: 'borrow',
              note: `The address of the bytes of '${one.buffer}' is taken here.`,
            },
            { file, span: one.moved, role: 'escape', note: `It moves to ${one.thread} here.` },
            { file, span: awaited, role: 'suspend', note: 'The future gives up its thread here; JavaScript runs.' },
            { file, span: one.read, role: 'use', note: 'The bytes are used here.' },
          ],
          key: `${one.fn.qualifiedName}|${one.buffer}`,
        });
      }
      for (const buffer of jsBuffersOf(unit, file)) {
        const use = buffer.reads.find((r) => r.awaited !== undefined);
        if (!use?.awaited) continue;
        const steps: ReportStep[] = [
          {
            ...buffer.declared,
            role: 'declare',
            note: `'${buffer.name}' is memory of JavaScript (${buffer.memory.name}).`,
          },
          ...(use.view
            ? [
                {
                  file,
                  span: use.view.site,
                  role: 'borrow' as const,
                  note: `'${use.view.how}' makes a view of it here.`,
                },
              ]
            : []),
          { file, span: use.awaited, role: 'suspend', note: 'The future gives up its thread here; JavaScript runs.' },
          { file, span: use.span, role: 'use', note: `The view is used here ('${use.what}').` },
        ];
        report({
          messageId: 'across',
          data: {
            buffer: buffer.name,
            type: buffer.memory.name,
            use: lineOf(unit, file, use.span.start),
            await: lineOf(unit, file, use.awaited.start),
          },
          at: { file, span: use.span },
          steps,
          key: `${buffer.fn.qualifiedName}|${buffer.name}`,
        });
      }
    }
  },
});
