import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defaultConfig } from '../../src/config/config.js';
import { resolveInputs } from '../../src/discover/inputs.js';
import type { Finding } from '../../src/model/finding.js';
import { rules } from '../../src/rules/index.js';
import { scan } from '../../src/scan.js';
import { findRuleFixtures } from '../fixtures/rule-fixtures.js';

const fixtures = findRuleFixtures().fixtures.filter(
  ({ kind, name }) => kind === 'bad' && /\.(?:rs|d|js|ts|mjs|cjs)$/u.test(name),
);

async function scanText(name: string, text: string): Promise<readonly Finding[]> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'lifetime-lint-metamorphic-')));
  try {
    writeFileSync(join(folder, name), text);
    const config = { ...defaultConfig, audience: 'audit' as const };
    return (await scan({ inputs: resolveInputs([folder], folder), config, rules })).result.findings;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What must not change, whatever the layout: the rule, the fingerprint, how sure and how bad, and the roles of the path. */
function essence(findings: readonly Finding[]) {
  return findings.map(({ ruleId, fingerprint, severity, confidence, steps }) => ({
    ruleId,
    fingerprint,
    severity,
    confidence,
    roles: steps.map(({ role }) => role),
  }));
}

describe.each(fixtures.map((fixture) => [`${fixture.ruleId}/${fixture.name}`, fixture] as const))(
  '%s',
  (_title, { name, path }) => {
    const text = readFileSync(path, 'utf8');

    it('finds the same after blank lines and comments above', async () => {
      const before = await scanText(name, text);
      const after = await scanText(name, `// One comment.\n\n/* Another\n   one. */\n${text}`);
      expect(essence(after)).toEqual(essence(before));
      expect(after.map(({ location }) => location.startLine)).toEqual(
        before.map(({ location }) => location.startLine + 4),
      );
    });

    it('finds the same with line ends of Windows', async () => {
      const before = await scanText(name, text);
      const after = await scanText(name, text.replaceAll('\n', '\r\n'));
      expect(essence(after)).toEqual(essence(before));
      expect(after.map(({ location }) => location)).toEqual(before.map(({ location }) => location));
    });

    it('finds the same with tabs and trailing blanks', async () => {
      const before = await scanText(name, text);
      const after = await scanText(name, text.replaceAll('    ', '\t').replace(/([;{}])$/gmu, '$1  '));
      expect(essence(after)).toEqual(essence(before));
    });
  },
);
