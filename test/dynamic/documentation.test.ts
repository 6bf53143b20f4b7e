import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { amplifierNames } from '../../src/dynamic/amplifier.js';
import { pinnedCompiler } from '../../src/dynamic/compiler.js';
import { hitClasses, otherClasses } from '../../src/dynamic/crash-class.js';
import { getScenario, isScenarioName, scenarioNames } from '../../src/dynamic/scenario.js';
import { defaultScenarios } from '../../src/dynamic/reproduce.js';
import { rules } from '../../src/rules/index.js';

const page = readFileSync(new URL('../../docs/dynamic.md', import.meta.url), 'utf8');
const rowOf = (name: string): string => new RegExp(`^\\| \`${name}\` \\|.*$`, 'm').exec(page)?.[0] ?? '';

describe('docs/dynamic.md', () => {
  it.each(scenarioNames)('describes the scenario %s and whether it is a default', (name) => {
    const isDefault = defaultScenarios({ kind: 'folder', folder: '' }, false).includes(name);
    expect(rowOf(name)).not.toBe('');
    expect(rowOf(name).endsWith('| yes |')).toBe(isDefault);
  });

  it.each([...hitClasses, ...otherClasses.filter((name) => name !== 'clean')])('names the class %s', (name) => {
    expect(page).toContain(`\`${name}\``);
  });

  it.each(amplifierNames)('describes the amplifier %s', (name) => {
    expect(rowOf(name)).not.toBe('');
  });

  it('names the pinned compiler', () => {
    const { devDependencies } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      devDependencies: Record<string, string>;
    };
    expect(devDependencies['typescript']).toBe(pinnedCompiler);
    expect(page).toContain(`version ${pinnedCompiler}`);
  });

  it('has a place for the table of the slow tests', () => {
    expect(page).toMatch(/<!-- repros: written by[\s\S]*<!-- repros: end -->/);
  });
});

describe('rules', () => {
  it.each(rules.map(({ meta }) => meta))('$id names scenarios that exist', ({ scenarios }) => {
    expect(scenarios.filter((name) => !isScenarioName(name))).toEqual([]);
  });
});

it('plays scenarios without calls by default, and every one with a driver', () => {
  const names = defaultScenarios({ kind: 'package', name: 'x', version: '1' }, false);
  expect(names.every((name) => getScenario(name).calls !== 'all')).toBe(true);
  expect(defaultScenarios({ kind: 'package', name: 'x', version: '1' }, true)).toHaveLength(scenarioNames.length - 1);
  expect(defaultScenarios({ kind: 'command', command: 'x', cwd: '' }, true)).toEqual(['command']);
});
