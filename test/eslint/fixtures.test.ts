import { describe, expect, it } from 'vitest';
import { isJavaScriptRule } from '../../src/rules/javascript-rule.js';
import { rules } from '../../src/rules/index.js';
import { compareMarks } from '../fixtures/compare-marks.js';
import { findRuleFixtures, readFixtureMarks, scanFixture } from '../fixtures/rule-fixtures.js';

const ids = rules.map(({ meta }) => meta.id);
const javascript = rules.filter(isJavaScriptRule);
const { fixtures } = findRuleFixtures();

describe.each(javascript.map((rule) => [rule.meta.id, rule] as const))('%s', (id, rule) => {
  const own = fixtures.filter(({ ruleId }) => ruleId === id);

  it.each(own.map((fixture) => [fixture.name, fixture] as const))('%s', async (_name, fixture) => {
    const { findings, gaps } = await scanFixture(fixture, javascript);
    expect(compareMarks(readFixtureMarks(fixture, ids), findings, gaps)).toEqual([]);
    expect(findings.some(({ ruleId }) => ruleId === rule.meta.id)).toBe(fixture.kind === 'bad');
    const unfiltered = await scanFixture(fixture, javascript, { isFiltered: false });
    expect(unfiltered.findings, 'the text filter changes nothing').toEqual(findings);
  });
});
