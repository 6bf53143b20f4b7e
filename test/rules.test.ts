import { describe, expect, it } from 'vitest';
import type { Finding } from '../src/model/finding.js';
import { rules } from '../src/rules/index.js';
import { suppressionMeta } from '../src/suppress/suppression-meta.js';
import { compareMarks } from './fixtures/compare-marks.js';
import { findRuleFixtures, readFixtureMarks, scanFixture } from './fixtures/rule-fixtures.js';

const { fixtures, strays } = findRuleFixtures();
const metas = [...rules.map(({ meta }) => meta), suppressionMeta];
const ruleIds = metas.map(({ id }) => id);
const perFile = {
  rust: new Set(rules.filter((rule) => rule.perFile?.includes('rust')).map(({ meta }) => meta.id)),
  d: new Set(rules.filter((rule) => rule.perFile?.includes('d')).map(({ meta }) => meta.id)),
};

function placeOf({ ruleId, location, message }: Finding): string {
  return `${location.path}:${location.startLine} ${ruleId}: ${message}`;
}

it('every fixture is called bad or good and belongs to a rule', () => {
  expect(strays).toEqual([]);
  expect([...new Set(fixtures.map(({ ruleId }) => ruleId))].filter((id) => !ruleIds.includes(id))).toEqual([]);
});

describe.each(metas.map((meta) => [meta.id, meta] as const))('%s', (id, meta) => {
  const own = fixtures.filter(({ ruleId }) => ruleId === id);

  it('has bad and good fixtures in each of its languages', () => {
    const extensions = { rust: /\.rs$/u, d: /\.di?$/u, javascript: /\.[cm]?[jt]sx?$|package\.json$/u };
    const missing = meta.languages.flatMap((language) =>
      (['bad', 'good'] as const)
        .filter(
          (kind) =>
            !own.some(
              (fixture) => fixture.kind === kind && fixture.files.some((file) => extensions[language].test(file)),
            ),
        )
        .map((kind) => `${kind} in ${language}`),
    );
    // The built-in id is the same code for every language; one of them shows it.
    expect(missing.length === 0 || (id === suppressionMeta.id && own.length > 0) ? [] : missing).toEqual([]);
  });

  it.each(own.map((fixture) => [fixture.name, fixture] as const))('%s', async (_name, fixture) => {
    const { findings, gaps } = await scanFixture(fixture, rules);
    const files = readFixtureMarks(fixture, ruleIds);
    expect(compareMarks(files, findings, gaps)).toEqual([]);

    const mine = findings.filter(({ ruleId }) => ruleId === id);
    if (fixture.kind === 'bad') {
      const isKnownMiss = files.some(({ marks }) =>
        marks.findings.some((mark) => mark.ruleId === id && mark.state === 'missing'),
      );
      expect(mine.length > 0 || isKnownMiss, 'a bad fixture shows its own rule').toBe(true);
    } else {
      const isSpurious = files.some(({ marks }) =>
        marks.findings.some((mark) => mark.ruleId === id && mark.state === 'spurious'),
      );
      expect(isSpurious ? [] : mine.filter(({ severity }) => severity !== 'note'), 'a good fixture is quiet').toEqual(
        [],
      );
    }
    const unfiltered = await scanFixture(fixture, rules, { isFiltered: false });
    expect(unfiltered.findings, 'the token filter changes nothing').toEqual(findings);

    // Suppressions are about the other rules.
    if (id !== suppressionMeta.id) {
      const alone = await scanFixture(
        fixture,
        rules.filter((rule) => rule.meta.id === id),
      );
      const own = alone.findings.filter(({ ruleId }) => ruleId === id);
      expect(own.map(placeOf), 'what a rule finds does not depend on what others read').toEqual(mine.map(placeOf));
    }

    const sources = fixture.files.filter((file) => /\.(?:rs|di?)$/u.test(file));
    for (const only of sources.length > 1 ? sources : []) {
      const isOwn = ({ location, ruleId }: Finding): boolean => location.path === only && ruleId !== suppressionMeta.id;
      const named = await scanFixture(fixture, rules, { only });
      const isPerFile = ({ ruleId }: Finding): boolean => perFile[only.endsWith('.rs') ? 'rust' : 'd'].has(ruleId);
      const [found, alone] = [findings.filter(isOwn), named.findings.filter(isOwn)];
      expect(alone.filter(isPerFile), `'${only}' named alone`).toEqual(found.filter(isPerFile));
      // What otherwise stands in a manifest goes to its cause in a source when that alone was named.
      expect(alone, `'${only}' named alone`).toEqual(expect.arrayContaining(found));
    }
  });
});
