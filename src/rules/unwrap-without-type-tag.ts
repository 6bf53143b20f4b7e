import { CASTS_NUMBER, findNumbersAsAddresses } from '../facts/js-numbers.js';
import { lineOf } from '../facts/lines.js';
import { plainText } from '../facts/plain-text.js';
import type { UnitFacts } from '../facts/unit.js';
import type { FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
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
      number:
        "'{function}' takes the number '{param}' for the address of a '{type}' (line {line}) and '{how}' at line {use} believes it: any number that JavaScript passes, also that of a value which is gone, is read as one.",
    },
    checklist: 'Can JavaScript pass an object of another class here?',
    scenarios: ['thenable-twice'],
  },
  tokens: { rust: ['napi_unwrap', 'napi_remove_wrap', 'napi_get_value_external', 'as *mut', 'as *const'] },
  // Also the bindings of raw addons are named after it.
  requires: { rust: ['napi'] },
  bodyTokens: { rust: [UNWRAP, CASTS_NUMBER] },
  looksAt: 'body text',
  perFile: ['rust'],
  check({ unit, report }) {
    for (const file of unit.filesOf('rust')) {
      for (const { fn, param, type, cast, how, used } of findNumbersAsAddresses(unit, file))
        report({
          messageId: 'number',
          data: {
            function: fn.name,
            param: param.name,
            type,
            how,
            line: lineOf(unit, file, cast.start),
            use: lineOf(unit, file, used.start),
          },
          at: { file, span: cast },
          steps: [
            { file, span: param.span, role: 'declare', note: `JavaScript passes '${param.name}'.` },
            { file, span: cast, role: 'borrow', note: `It becomes the address of a '${type}' here.` },
            { file, span: used, role: 'use', note: `'${how}' uses what is there.` },
          ],
          key: `${fn.qualifiedName}|${param.name}`,
        });
      for (const fn of file.functions) {
        if (!fn.bodySpan || (fn.parent !== undefined && fn.kind !== 'function') || fn.kind === 'closure') continue;
        const text = plainText(unit, file, fn.bodySpan);
        const call = UNWRAP.exec(text);
        if (!call) continue;
        const rest = text.slice(call.index + call[0].length);
        const cast = CAST.exec(rest);
        if (CHECK.test(text) || OWN.test(text) || isMadeHere(text, rest)) continue;
        const start = fn.bodySpan.start + call.index;
        const name = call[0].replace(/\s*\($/u, '');
        if (!cast) {
          const caster = findCaster(unit, file, fn);
          if (caster)
            report({
              messageId: 'unwrap',
              data: { function: caster.fn.name, call: fn.name },
              at: { file, span: caster.called },
              steps: [
                {
                  file,
                  span: { start, end: start + name.length },
                  role: 'acquire',
                  note: 'The payload of the object is taken here.',
                },
                { file, span: caster.cast, role: 'use', note: 'It is cast here, unchecked.' },
              ],
              key: caster.fn.qualifiedName,
              ...(isForCallers(caster.fn) ? { severity: 'note' as const } : {}),
            });
          continue;
        }
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
          ...(isForCallers(fn) ? { severity: 'note' as const } : {}),
        });
      }
    }
  },
});

/** The object is a variable that is set to what the function itself makes of a value: `let made = Self::to_napi_value(env, self)?;` */
function isMadeHere(text: string, call: string): boolean {
  const object = /^[^,()]*(?:\([^()]*\)[^,()]*)?,\s*(\w+)\b(?!\s*[.(])/u.exec(call)?.[1];
  return (
    object !== undefined &&
    new RegExp(
      `\\blet\\s+(?:mut\\s+)?${object}\\s*(?::[^=;]*)?=[^;]*\\b(?:to_napi_value|into_instance)\\s*\\(`,
      'u',
    ).test(text)
  );
}

/** An `unsafe` function whose callers keep a contract; whom JavaScript calls has none that could. */
function isForCallers(fn: FunctionIr): boolean {
  return fn.trait === undefined && fn.isUnsafe && fn.abi === undefined;
}

/** A function of the file that casts what a helper returns, an untyped pointer, and compares it with nothing either. */
function findCaster(
  unit: UnitFacts,
  file: FileIr,
  helper: FunctionIr,
): { readonly fn: FunctionIr; readonly called: Span; readonly cast: Span } | undefined {
  if (!/\*\s*(?:mut|const)\s+(?:\w+::)*c_void\b/u.test(helper.returns?.text ?? '')) return undefined;
  const call = new RegExp(`(?<!fn\\s+)\\b${helper.name}\\s*\\(`, 'u');
  for (const fn of file.functions) {
    if (!fn.bodySpan || fn === helper || (fn.parent !== undefined && fn.kind !== 'function') || fn.isTest) continue;
    const text = plainText(unit, file, fn.bodySpan);
    const called = call.exec(text);
    const rest = called ? text.slice(called.index + called[0].length) : '';
    const cast = CAST.exec(rest);
    if (!called || !cast || CHECK.test(text) || OWN.test(text)) continue;
    const start = fn.bodySpan.start + called.index;
    const at = start + called[0].length + cast.index;
    return { fn, called: { start, end: start + helper.name.length }, cast: { start: at, end: at + cast[0].length } };
  }
  return undefined;
}
