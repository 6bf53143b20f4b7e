import { lineOf } from '../facts/lines.js';
import type { TextTest } from '../facts/unit.js';
import { findUnwindHazards } from '../facts/unwinding.js';
import { defineRule } from './rule.js';

const TOKENS = {
  rust: [
    'drop_in_place',
    'assume_init_drop',
    'ptr::copy',
    'ptr::read',
    'copy_to',
    'copy_from',
    'set_len',
    'forget',
    '_write(',
    'ptr::write',
    'MaybeUninit',
  ],
};

/** A function that is given nothing has no elements of a type that the caller chose. */
const IS_GIVEN_NOTHING = /^[^(]*\(\s*\)\s*\{/u;
const DROP = /\b(?:drop|clear|destroy)_?\w*\s*\(/u;
/** What may say which elements count: a field that is set or exchanged, `set_len`, `forget`. */
const SETTLES = /(?:[.*]\s*\w+|[)\]])\s*(?:[-+*/%^&|]|<<|>>)?=(?![=>])|set_len|forget|\b(?:swap|replace|set)\s*\(/u;

const WRITES: TextTest = {
  test: (text) => !IS_GIVEN_NOTHING.test(text) && /\bunsafe\b[^]*\bwrite\s*\(/u.test(text),
};
const DROPS: TextTest = {
  test(text) {
    const drop = IS_GIVEN_NOTHING.test(text) ? null : DROP.exec(text);
    return drop !== null && SETTLES.test(text.slice(drop.index));
  },
};

export default defineRule({
  meta: {
    id: 'double-drop-on-panic',
    title: 'Double drop on panic',
    summary:
      'Code that the user of a container chose runs while the container still counts elements that were dropped or moved out: a panic in it drops them again.',
    languages: ['rust'],
    severity: 'warning',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-415', 'CWE-460'],
    messages: {
      dropped:
        "'{code}' (line {line}) runs the destructors of elements while '{settled}' is set only at line {late}: where one of them panics, the elements still count and are dropped again.",
      moved:
        "'{code}' (line {line}) is code of the caller and runs after '{copy}' (line {copied}) has made a second copy of an element; only '{settled}' (line {late}) says which one counts: where it panics, both are dropped.",
      counted:
        "'{settled}' (line {late}) counts elements that are not written yet when '{code}' (line {line}), code of the caller, runs: where it panics, memory that holds no value is dropped.",
    },
    checklist: 'Does every element count at most once when a destructor or a closure panics here?',
    scenarios: [],
  },
  tokens: TOKENS,
  requires: { rust: ['unsafe'] },
  bodyTokens: { rust: [...TOKENS.rust, WRITES, DROPS] },
  looksAt: 'bodies',
  perFile: ['rust'],
  check({ unit, functionsIn, report }) {
    for (const file of unit.filesOf('rust'))
      for (const fn of functionsIn(file))
        for (const { kind, code, copy, settled } of findUnwindHazards(unit, file, fn)) {
          const place = {
            at: { file, span: code.span },
            steps: [
              ...(copy
                ? [{ file, span: copy.span, role: 'borrow' as const, note: `'${copy.what}' makes a second copy here.` }]
                : []),
              { file, span: code.span, role: 'use' as const, note: `Code of others runs here and may panic.` },
              {
                file,
                span: settled.span,
                role: 'release' as const,
                note: `'${settled.what}' comes too ${kind === 'counted' ? 'early' : 'late'} for it.`,
              },
            ],
            key: fn.qualifiedName,
          };
          const data = {
            code: code.what,
            line: lineOf(unit, file, code.span.start),
            settled: settled.what,
            late: lineOf(unit, file, settled.span.start),
          };
          if (kind === 'counted') report({ ...place, messageId: 'counted', data });
          else if (kind === 'dropped' || !copy) report({ ...place, messageId: 'dropped', data });
          else
            report({
              ...place,
              messageId: 'moved',
              data: { ...data, copy: copy.what, copied: lineOf(unit, file, copy.span.start) },
            });
        }
  },
});
