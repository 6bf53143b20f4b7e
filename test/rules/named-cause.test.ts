import { expect, it } from 'vitest';
import { rules } from '../../src/rules/index.js';
import { findRuleFixtures, scanFixture } from '../fixtures/rule-fixtures.js';

it.each([['threads-outlive-addon', 'engine/src/lib.rs', 5]] as const)(
  '%s is reported at its cause when that file alone is named',
  async (id, file, line) => {
    const fixture = findRuleFixtures().fixtures.find(({ ruleId, name }) => ruleId === id && name === 'bad');
    if (fixture === undefined) throw new Error(`'${id}' has no fixture 'bad'.`);
    const { findings } = await scanFixture(fixture, rules, { only: file });
    expect(
      findings.filter(({ ruleId }) => ruleId === id).map(({ location }) => [location.path, location.startLine]),
    ).toEqual([[file, line]]);
  },
);
