import { plainText } from '../facts/plain-text.js';
import type { UnitFacts } from '../facts/unit.js';
import type { FileIr } from '../model/ir.js';
import { defineRule } from './rule.js';

/** Without the flag that remembers where it stopped. */
const RAW_CALL = /\bnapi_create_external_(?:arraybuffer|buffer)\s*\(/u;
const RAW = /\bnapi_create_external_(?:arraybuffer|buffer)\s*\(/gu;
const NEON = /\bJs(?:Buffer|ArrayBuffer)\s*::\s*external\s*\(/gu;
/** A status that is compared with the refusal, or a second way to make the buffer. */
const FALLBACK =
  /no_external_buffers_allowed|napi_create_buffer_copy|\bnapi_create_(?:buffer|arraybuffer)\s*\(|\bJs(?:Buffer|ArrayBuffer)\s*::\s*(?:new|from_slice|unchecked_new|uninitialized)\s*\(/u;

/** The bytes go back to the caller when the call fails: he has something to copy. */
const HANDS_BACK = /\bErr\s*\(\s*\*?\s*(?:unsafe\s*\{\s*\*?)?(?:\w+::)*(?:Box|Vec|Rc|Arc)::from_raw(?:_parts)?\b/u;

/** A buffer of no bytes is made another way in any case. */
const EMPTY_CASE = /\bif\b[^{};]*(?:==\s*0\b|\bis_empty\s*\(\s*\))[^{};]*\{(?:[^{}]|\{[^{}]*\})*\}/gu;

export default defineRule({
  meta: {
    id: 'external-buffer-without-fallback',
    title: 'External buffer without fallback',
    summary: 'A buffer is made over native memory with no copy for hosts that forbid external buffers.',
    languages: ['rust'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-754'],
    messages: {
      external:
        "'{call}' fails where V8 keeps its memory in a cage (Electron, pointer compression), and '{function}' has no copy to fall back to.",
    },
    checklist: 'What happens when the host refuses external buffers?',
    scenarios: [],
  },
  tokens: { rust: ['napi_create_external_', '::external('] },
  bodyTokens: { rust: ['napi_create_external_', 'external('] },
  looksAt: 'body text',
  perFile: ['rust'],
  check({ unit, report }) {
    for (const file of unit.filesOf('rust')) {
      const usesNeon = file.imports.some((i) => i.path[0] === 'neon');
      for (const fn of file.functions) {
        if (!fn.bodySpan || fn.kind === 'closure' || fn.kind === 'async-block') continue;
        const text = plainText(unit, file, fn.bodySpan);
        if (FALLBACK.test(text.replace(EMPTY_CASE, '')) || HANDS_BACK.test(text) || helperCopies(unit, file, text))
          continue;
        for (const call of [...text.matchAll(RAW), ...(usesNeon ? text.matchAll(NEON) : [])]) {
          const name = call[0].replace(/\s*\($/u, '').replace(/\s+/gu, '');
          const start = fn.bodySpan.start + call.index;
          const span = { start, end: start + call[0].length - 1 };
          report({
            messageId: 'external',
            data: { call: name, function: fn.name },
            at: { file, span },
            steps: [{ file, span, role: 'use', note: 'The buffer is made over native memory here.' }],
            key: fn.qualifiedName,
          });
          break;
        }
      }
    }
  },
});

/** Whether a function of the same file that the text calls makes the copy. */
function helperCopies(unit: UnitFacts, file: FileIr, text: string): boolean {
  if (!RAW_CALL.test(text)) return false;
  const called = new Set([...text.matchAll(/\b([a-z_]\w*)\s*\(/gu)].map((m) => m[1]));
  return file.functions.some(
    (f) =>
      (f.kind === 'function' || f.kind === 'method') &&
      f.bodySpan !== undefined &&
      called.has(f.name) &&
      /\bnapi_create_buffer_copy\b/u.test(plainText(unit, file, f.bodySpan)),
  );
}
