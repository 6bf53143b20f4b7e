import { lineOf } from '../facts/lines.js';
import { defineRule } from './rule.js';

const TOKENS = { rust: ['from_raw'] };

export default defineRule({
  meta: {
    id: 'raw-round-trip-mismatch',
    title: 'Raw pointer made by one type and taken by another',
    summary: 'A pointer made by into_raw of one owner type is taken over by from_raw of another.',
    languages: ['rust'],
    severity: 'error',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-762', 'CWE-843'],
    messages: {
      mismatch:
        "The pointer that '{maker}' made (line {made}) is taken over by '{taker}' at line {taken}: the two types free different memory.",
    },
    checklist: 'Do into_raw and from_raw name the same type?',
    scenarios: ['sequential', 'command'],
  },
  tokens: TOKENS,
  bodyTokens: TOKENS,
  check({ unit, report }) {
    for (const file of unit.filesOf('rust')) {
      for (const fn of unit.functionsWith(file, TOKENS.rust)) {
        for (const adoption of unit.flowOf(file, fn).adoptions) {
          const { pointer } = adoption;
          const forget = pointer.row?.effects.find((e) => e.kind === 'forget');
          const made = forget?.kind === 'forget' ? (forget.rawType ?? pointer.how.split('::').at(-2)) : undefined;
          if (!made || made === adoption.rawType || !/^(Box|Rc|Arc|CString|Vec|String)$/u.test(made)) continue;
          // A leaked Vec or String is taken back by its raw parts.
          if ((made === 'Box' && adoption.rawType === 'Vec') || (made === 'Vec' && adoption.rawType === 'Box'))
            continue;
          report({
            messageId: 'mismatch',
            data: {
              maker: pointer.how,
              made: lineOf(unit, file, pointer.site.start),
              taker: adoption.how,
              taken: lineOf(unit, file, adoption.span.start),
            },
            at: { file, span: adoption.span },
            steps: [
              { file, span: pointer.site, role: 'acquire', note: `'${pointer.how}' makes a pointer to a ${made}.` },
              {
                file,
                span: adoption.span,
                role: 'release',
                note: `'${adoption.how}' takes it for a ${adoption.rawType}.`,
              },
            ],
            key: `${made}|${adoption.rawType}`,
          });
        }
      }
    }
  },
});
