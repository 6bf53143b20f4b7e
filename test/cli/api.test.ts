import { expect, it } from 'vitest';
import { formats, readCatalog, scanPaths, UsageError, type ScanStep } from '../../src/index.js';
import { hazard, makeFolder } from './call-cli.js';

const folder = makeFolder({
  'pool.d': hazard,
  'lifetime-lint.config.json': '{"rules": {"pointer-into-growable": "error"}}',
});

it('scans with the configuration beside the paths and reports in any format', async () => {
  const { result, textOf } = await scanPaths(['.'], { cwd: folder });
  expect(result.findings.map(({ severity }) => severity)).toEqual(['error']);
  const report = await formats.concise();
  const options = { color: false, columns: 80, quiet: true, reportSuppressed: false, statistics: false };
  const tool = { name: 'x', version: '1.0.0' };
  expect(report({ result, catalog: readCatalog(), tool, textOf, options })).toMatch(/^pool\.d:7:\d+: error\[/u);
});

it('takes keys that replace those of the file', async () => {
  const { result } = await scanPaths([folder], { config: { rules: { 'pointer-into-growable': 'off' } } });
  expect(result.findings).toEqual([]);
});

it('tells how far it is, up to the last rule', async () => {
  const steps: ScanStep[] = [];
  await scanPaths([folder], { onProgress: (step) => void steps.push(step) });
  expect(steps[0]).toEqual({ files: { done: 1, total: 2 }, parsed: 0, unit: { index: 1, total: 1 } });
  const { rule, parsed } = steps.at(-1) ?? {};
  expect([rule?.index, parsed]).toEqual([rule?.total, 1]);
});

it('throws a usage error for a path that is not there', async () => {
  await expect(scanPaths(['nowhere'], { cwd: folder })).rejects.toThrow(UsageError);
});
