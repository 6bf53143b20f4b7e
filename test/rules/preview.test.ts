import { cpSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { defaultConfig } from '../../src/config/config.js';
import { resolveInputs } from '../../src/discover/inputs.js';
import { rules } from '../../src/rules/index.js';
import { scan } from '../../src/scan.js';

const preview = rules.filter(({ meta }) => meta.maturity === 'preview').map(({ meta }) => meta.id);

async function idsIn(ruleId: string, levels: Readonly<Record<string, 'off' | 'note' | 'warning' | 'error'>>) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'lifetime-lint-preview-')));
  try {
    cpSync(`fixtures/rules/${ruleId}/bad.rs`, join(folder, 'lib.rs'));
    const config = { ...defaultConfig, rules: levels };
    const { result } = await scan({ inputs: resolveInputs([folder], folder), config, rules });
    const own = result.findings.filter((finding) => finding.ruleId === ruleId);
    return {
      // What a rule lowers to a note itself stays one.
      levels: new Set(own.map(({ severity }) => severity).filter((severity) => severity !== 'note')),
      ran: ruleId in result.stats.perRule,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

it('has rules in preview', () => {
  expect(preview).toEqual(['aliasing-cast', 'null-foreign-pointer', 'uninitialised-slice']);
});

it.each(preview)('%s does not run until it is given a level', async (id) => {
  expect(await idsIn(id, {})).toEqual({ levels: new Set(), ran: false });
  expect(await idsIn(id, { [id]: 'off' })).toEqual({ levels: new Set(), ran: false });
});

it.each(preview)('%s reports with the level that it is given', async (id) => {
  expect(await idsIn(id, { [id]: 'error' })).toEqual({ levels: new Set(['error']), ran: true });
});
