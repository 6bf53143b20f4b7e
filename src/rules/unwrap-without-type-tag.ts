import { plainText } from '../facts/plain-text.js';
import { defineRule } from './rule.js';

const UNWRAP = /\bnapi_(?:unwrap|remove_wrap|get_value_external)\s*\(/u;
const CAST = /\bas\s+\*\s*(?:mut|const)\b|\.cast\s*(?:::|\()|from_raw\s*\(|transmute/u;
/** Whatever compares the object or its payload with what the addon itself made. */
const CHECK =
  /type_?tag|instance_?of|type_?id\b|TypeId|regist|\.contains(?:_key)?\s*\(|validate|is_instance|magic|from_raw_impl|downcast/iu;
/** The object comes from a reference that the addon made, not from an argument. */
const OWN = /\.get_value\s*\(|napi_get_reference_value|napi_new_instance|napi_define_class/u;

export default defineRule({
  meta: {
    id: 'unwrap-without-type-tag',
    title: 'Unwrap without type tag',
    summary:
      'The native payload of a JavaScript object is cast to a type without a check that the object carries one of that type.',
    languages: ['rust'],
    severity: 'warning',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-843', 'CWE-704'],
    messages: {
      unwrap:
        "'{function}' casts what '{call}' returns without checking whose payload it is: an object of another class, or of another addon, is read as if it were the right one.",
    },
    checklist: 'Can JavaScript pass an object of another class here?',
    scenarios: ['thenable-twice'],
  },
  tokens: { rust: ['napi_unwrap', 'napi_remove_wrap', 'napi_get_value_external'] },
  bodyTokens: { rust: [UNWRAP] },
  looksAt: 'body text',
  perFile: ['rust'],
  check({ unit, report }) {
    for (const file of unit.filesOf('rust')) {
      for (const fn of file.functions) {
        if (!fn.bodySpan || (fn.parent !== undefined && fn.kind !== 'function') || fn.kind === 'closure') continue;
        const text = plainText(unit, file, fn.bodySpan);
        const call = UNWRAP.exec(text);
        if (!call) continue;
        const rest = text.slice(call.index + call[0].length);
        const cast = CAST.exec(rest);
        if (!cast || CHECK.test(text) || OWN.test(text)) continue;
        const start = fn.bodySpan.start + call.index;
        const name = call[0].replace(/\s*\($/u, '');
        const castAt = start + call[0].length + cast.index;
        report({
          messageId: 'unwrap',
          data: { function: fn.name, call: name },
          at: { file, span: { start, end: start + name.length } },
          steps: [
            {
              file,
              span: { start, end: start + name.length },
              role: 'acquire',
              note: 'The payload of the object is taken here.',
            },
            {
              file,
              span: { start: castAt, end: castAt + cast[0].length },
              role: 'use',
              note: 'It is cast here, unchecked.',
            },
          ],
          key: fn.qualifiedName,
          // Whom JavaScript calls has no caller that could keep a contract.
          ...(fn.trait === undefined && fn.isUnsafe && fn.abi === undefined ? { severity: 'note' as const } : {}),
        });
      }
    }
  },
});
