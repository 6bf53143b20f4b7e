import { expect, it } from 'vitest';
import { buildSarif, reportSarif } from '../../src/report/sarif.js';
import { reportTerminal } from '../../src/report/terminal.js';
import { inputOf, pool, poolFinding } from './sample.js';
import { prepareValidator, validateSarif } from './sarif-validator.js';

const validator = prepareValidator();
const texts = { 'source/pool.d': pool };
const other = {
  ...poolFinding,
  fingerprint: 'fedcba9876543210',
  ruleId: 'growth-while-borrowed',
  message: "'jobs' [all of them] grows.",
  steps: [],
};
const findings = [{ ...poolFinding, related: [other.fingerprint, 'not-in-the-result'] }, other];

it('SARIF gives the place of a related finding, with a link in the message', () => {
  const [result] = buildSarif(inputOf(findings, texts)).runs[0]?.results ?? [];
  expect(result?.relatedLocations?.at(-1)).toMatchObject({
    id: 3,
    message: { text: "growth-while-borrowed: 'jobs' \\[all of them\\] grows." },
  });
  expect(result?.message.text).toMatch(/ Path: .* See also: \[growth-while-borrowed\]\(3\)\.$/u);
});

it('the terminal names its rule and line', () => {
  expect(reportTerminal(inputOf(findings, texts))).toContain('see also: growth-while-borrowed at source/pool.d:5');
});

it.skipIf('reason' in validator)('the SARIF is valid', () => {
  if (!('path' in validator)) return;
  const serious = validateSarif(validator.path, reportSarif(inputOf(findings, texts))).filter(
    ({ level }) => level !== 'note',
  );
  expect(serious).toEqual([]);
});
