import { hasBody, readAround } from '../facts/d-code.js';
import { lineOf } from '../facts/lines.js';
import { walkBody } from '../model/walk-body.js';
import { defineRule } from './rule.js';
import {
  lateRange,
  lateRemoval,
  renewedRange,
  forgottenRange,
  foreignRoot,
  wrongRemoval,
  shortRange,
} from '../facts/gc-ranges.js';
import { invertedCondition, findUnscanned } from '../facts/unscanned-memory.js';

const TOKENS = [
  'malloc', 'calloc', 'realloc', 'mmap', 'NO_SCAN', 'new ubyte', 'new byte', 'qalloc', 'addRange', '.alloc(', '.allocate(', 'alignedAllocate',
  'removeRange', 'addRoot', 'removeRoot', 'make!', 'makeArray!', 'newuserdata',
]; // prettier-ignore

/** A library of C that gives a record its memory: `cast(Call*) base_new(Call.sizeof)`. */
const BODY_TOKENS = [...TOKENS, /\b[a-z][a-z0-9]*_\w+\s*\([^;]*\.sizeof\b/u];

export default defineRule({
  meta: {
    id: 'unscanned-gc-pointer',
    title: 'Pointer in memory that the collector does not scan',
    summary: 'Memory that the collector does not scan holds values that lead to collected memory.',
    languages: ['d'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-825'],
    messages: {
      unscanned:
        '{memory} is used for {content}, and the collector does not look into it (line {line}): what only this memory refers to is freed while it is in use.',
      inverted:
        "The condition at line {line} marks the block as 'NO_SCAN' when its elements have pointers, and lets the collector scan it when they have none.",
      late: "'GC.removeRange' is called for '{memory}' (line {line}) after '{release}' gave the memory back (line {released}): a collection in between reads freed memory.",
      unready:
        "'GC.addRange' is called for '{memory}' (line {line}) after 'emplace' made an object in it (line {emplaced}): what only the object refers to may be collected while its constructor runs.",
      renewed:
        "'GC.removeRange' is called for '{memory}' (line {line}), which was set to the block that '{maker}' gave (line {made}): the old block, which was registered, stays registered after it is gone.",
      foreign:
        "'GC.addRoot' is called for '{memory}' (line {line}), which is memory of '{maker}' (line {made}) and no block of the collector: the call neither keeps it nor lets the collector look into it.",
      mismatch:
        "'GC.{remover}' is called for '{memory}' (line {line}), but it was registered by 'GC.{adder}' (line {added}): it stays registered after the memory is gone.",
      forgotten:
        "'{memory}' is registered by 'GC.addRange' (line {added}) and given back by '{release}' (line {line}), and nothing calls 'GC.removeRange' before: the collector goes on reading freed memory.",
      size: "'GC.addRange' gets the number of elements of '{slice}' (line {line}), but it takes bytes: the collector scans only the first part of the memory.",
    },
    checklist: 'Does the collector see every pointer that this memory holds?',
    scenarios: ['command'],
  },
  tokens: { d: [...TOKENS, '.sizeof'] },
  bodyTokens: { d: BODY_TOKENS },
  perFile: ['d'],
  check({ unit, report }) {
    for (const read of unit.filesOf('d')) {
      // Who fills the memory decides what it holds.
      const file = readAround(
        unit,
        read,
        read.functions.filter((fn) => hasBody(fn) && unit.holds(read, fn, BODY_TOKENS)),
      );
      for (const fn of file.functions) {
        if (!hasBody(fn) || !unit.holds(file, fn, BODY_TOKENS)) continue;
        const seen = new Set<number | string>();
        walkBody(fn.body, (walked) => {
          const inverted = invertedCondition(walked.expr);
          if (inverted !== undefined) {
            report({
              messageId: 'inverted',
              data: { line: lineOf(unit, file, inverted.start) },
              at: { file, span: inverted },
              steps: [],
              key: fn.name,
            });
            return;
          }
          const late = lateRemoval(unit, file, fn, walked.expr);
          if (late !== undefined) {
            report({
              messageId: 'late',
              data: {
                memory: late.memory,
                line: lineOf(unit, file, walked.expr.span.start),
                release: late.release,
                released: lineOf(unit, file, late.span.start),
              },
              at: { file, span: walked.expr.span },
              steps: [{ file, span: late.span, role: 'release', note: 'The memory is given back here.' }],
              key: `${fn.name}|${late.memory}`,
            });
            return;
          }
          const unready = lateRange(unit, fn, walked.expr);
          if (unready !== undefined) {
            report({
              messageId: 'unready',
              data: {
                memory: unready.memory,
                line: lineOf(unit, file, walked.expr.span.start),
                emplaced: lineOf(unit, file, unready.emplaced.start),
              },
              at: { file, span: walked.expr.span },
              steps: [
                { file, span: unready.span, role: 'acquire', note: `'${unready.maker}' makes the memory here.` },
                { file, span: unready.emplaced, role: 'escape', note: 'The constructor may store references here.' },
              ],
              key: `${fn.name}|${unready.memory}`,
            });
            return;
          }
          const renewed = renewedRange(unit, file, fn, walked.expr);
          if (renewed !== undefined) {
            report({
              messageId: 'renewed',
              data: {
                memory: renewed.memory,
                maker: renewed.maker,
                made: lineOf(unit, file, renewed.span.start),
                line: lineOf(unit, file, walked.expr.span.start),
              },
              at: { file, span: walked.expr.span },
              steps: [{ file, span: renewed.span, role: 'release', note: 'The old block is given back here.' }],
              key: `${fn.name}|${renewed.memory}`,
            });
            return;
          }
          const foreign = foreignRoot(fn, walked.expr);
          if (foreign !== undefined) {
            report({
              messageId: 'foreign',
              data: {
                memory: foreign.memory,
                maker: foreign.maker,
                made: lineOf(unit, file, foreign.span.start),
                line: lineOf(unit, file, walked.expr.span.start),
              },
              at: { file, span: walked.expr.span },
              steps: [{ file, span: foreign.span, role: 'acquire', note: `'${foreign.maker}' makes the memory here.` }],
              key: `${fn.name}|${foreign.memory}`,
            });
            return;
          }
          const wrong = wrongRemoval(unit, file, walked.expr);
          if (wrong !== undefined) {
            report({
              messageId: 'mismatch',
              data: {
                remover: wrong.remover,
                adder: wrong.adder,
                memory: wrong.memory,
                line: lineOf(unit, file, walked.expr.span.start),
                added: lineOf(unit, file, wrong.span.start),
              },
              at: { file, span: walked.expr.span },
              steps: [{ file, span: wrong.span, role: 'acquire', note: `'GC.${wrong.adder}' registers it here.` }],
              key: `${fn.name}|${wrong.memory}`,
            });
            return;
          }
          const forgotten = forgottenRange(unit, file, fn, walked.expr);
          if (forgotten !== undefined) {
            report({
              messageId: 'forgotten',
              data: {
                memory: forgotten.memory,
                added: lineOf(unit, file, walked.expr.span.start),
                release: forgotten.release,
                line: lineOf(unit, file, forgotten.span.start),
              },
              at: { file, span: forgotten.span },
              steps: [
                { file, span: walked.expr.span, role: 'acquire', note: "'GC.addRange' registers it here." },
                { file, span: forgotten.span, role: 'release', note: 'The memory is given back here.' },
              ],
              key: `${fn.name}|${forgotten.memory}`,
            });
            return;
          }
          const short = shortRange(file, fn, walked.expr);
          if (short !== undefined) {
            report({
              messageId: 'size',
              data: { slice: short.slice, line: lineOf(unit, file, short.span.start) },
              at: { file, span: short.span },
              steps: [],
              key: `${fn.name}|${short.slice}`,
            });
            return;
          }
          const found = findUnscanned(unit, file, fn, walked);
          if (found === undefined || seen.has(found.cause ?? found.span.start)) return;
          seen.add(found.cause ?? found.span.start);
          report({
            messageId: 'unscanned',
            data: { memory: found.memory, content: found.content, line: lineOf(unit, file, found.span.start) },
            at: { file, span: found.span },
            steps: found.steps,
            key: `${fn.name}|${found.content}`,
            ...(found.weak === true ? { confidence: 'medium' as const } : {}),
          });
        });
      }
    }
  },
});
