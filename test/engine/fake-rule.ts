import { defineRule, type Rule } from '../../src/rules/rule.js';
import type { RuleMeta } from '../../src/model/rule.js';

/** A rule that reports every occurrence of a word in Rust files, with the word's line as its only step. */
export function wordRule(word: string, meta: Partial<Omit<RuleMeta, 'messages'>> = {}): Rule {
  return defineRule({
    meta: {
      id: `word-${word}`,
      title: `The word ${word}`,
      summary: `The word '${word}' is in the file.`,
      languages: ['rust'],
      severity: 'warning',
      confidence: 'high',
      audience: 'everyone',
      maturity: 'stable',
      since: '0.1.0',
      cwe: ['CWE-416'],
      messages: { found: "'{word}' is used here." },
      checklist: `Is '${word}' meant?`,
      scenarios: [],
      ...meta,
    },
    tokens: { rust: [word], d: [word] },
    check({ unit, report }) {
      for (const file of [...unit.filesOf('rust'), ...unit.filesOf('d')]) {
        const text = unit.textOf(file.path) ?? '';
        for (let start = text.indexOf(word); start >= 0; start = text.indexOf(word, start + 1)) {
          const span = { start, end: start + word.length };
          report({
            messageId: 'found',
            data: { word },
            at: { file, span },
            steps: [{ file, span, role: 'use', note: `'${word}' is read.` }],
          });
        }
      }
    },
  });
}
