import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse-config.js';
import { defaultConfig } from '../../src/config/config.js';

const ruleIds = ['pointer-into-growable', 'growth-while-borrowed', 'suppression'];

function errorOf(path: string, text: string): string {
  try {
    parseConfig({ path, text }, ruleIds);
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
  return 'no error';
}

const json = 'lifetime-lint.config.json';
const toml = 'lifetime-lint.config.toml';

describe('a valid configuration', () => {
  it('fills in the defaults', () => {
    expect(parseConfig({ path: json, text: '{}' }, ruleIds)).toEqual({ ...defaultConfig, source: json });
  });

  it('may use every key, in JSON, TOML and package.json alike', () => {
    const written = {
      rules: { 'pointer-into-growable': 'off', suppression: 'warning' },
      include: ['src/**'],
      exclude: ['vendor/'],
      minSeverity: 'warning',
      minConfidence: 'medium',
      failOn: 'error',
      audience: 'audit',
      targets: ['x86_64-pc-windows-msvc', 'wasm32-wasip1-threads'],
      native: ['@scope/addon'],
      suppress: [{ id: 'growth-while-borrowed', path: 'a/*.json', reason: 'known' }],
      baseline: 'baseline.json',
    };
    const expected = (line: number, column: number, endColumn: number) => ({
      ...written,
      suppress: [{ ...written.suppress[0], line, column, endColumn }],
      root: '',
    });
    const asJson = parseConfig({ path: json, text: JSON.stringify({ $schema: 'x', ...written }) }, ruleIds);
    expect(asJson).toEqual({ ...expected(1, 307, 401), source: json });
    const inPackage = JSON.stringify({ name: 'x', 'lifetime-lint': written });
    expect(parseConfig({ path: 'a/package.json', text: inPackage }, ruleIds)).toEqual({
      ...expected(1, 321, 416),
      source: 'a/package.json',
    });
    const asToml = `
      include = ["src/**"]
      exclude = ["vendor/"]
      minSeverity = "warning"
      minConfidence = "medium"
      failOn = "error"
      audience = "audit"
      targets = ["x86_64-pc-windows-msvc", "wasm32-wasip1-threads"]
      native = ["@scope/addon"]
      baseline = "baseline.json"
      [rules]
      pointer-into-growable = "off"
      suppression = "warning"
      [[suppress]]
      id = "growth-while-borrowed"
      path = "a/*.json"
      reason = "known"
    `;
    expect(parseConfig({ path: toml, text: asToml }, ruleIds)).toEqual({ ...expected(14, 7, 19), source: toml });
  });

  it('is nothing in a package.json without the key', () => {
    expect(parseConfig({ path: 'package.json', text: '{"name": "x"}' }, ruleIds)).toBeUndefined();
  });
});

describe('errors name the place and the mend', () => {
  it.each([
    [
      'an unknown key',
      json,
      '{\n  "minSeverty": "note"\n}',
      `UsageError: ${json}:2: there is no key 'minSeverty'; the nearest valid name is 'minSeverity'.`,
    ],
    ['an unknown key far from any', json, '{"zzzzzz": 1}', `UsageError: ${json}:1: there is no key 'zzzzzz'.`],
    [
      'an unknown key in package.json',
      'package.json',
      '{\n"name": "x",\n"lifetime-lint": {\n"rule": {}}\n}',
      "UsageError: package.json:4: there is no key 'rule'; the nearest valid name is 'rules'.",
    ],
    [
      'an unknown rule',
      toml,
      'failOn = "error"\n[rules]\n\npointers-into-growable = "off"\n',
      `UsageError: ${toml}:4: there is no rule 'pointers-into-growable'; the nearest valid name is 'pointer-into-growable'.`,
    ],
    [
      'an unknown rule in a suppression',
      json,
      '{"suppress": [\n{"id": "supression", "path": "x", "reason": "y"}]}',
      `UsageError: ${json}:2: there is no rule 'supression'; the nearest valid name is 'suppression'.`,
    ],
    [
      'a wrong level',
      json,
      '{"rules": {\n\n"suppression": "warn"}}',
      `UsageError: ${json}:3: 'suppression' must be 'off', 'note', 'warning' or 'error', not 'warn'; the nearest valid name is 'warning'.`,
    ],
    [
      'a rule named as what every object has',
      json,
      '{"rules": {"constructor": "off",\n"__proto__": "off"}}',
      `UsageError: ${json}:1: there is no rule 'constructor'.\n${json}:2: there is no rule '__proto__'.`,
    ],
    ['a list of rules', json, '{\n"rules": []}', `UsageError: ${json}:2: 'rules' must be an object.`],
    ['a wrong type', json, '{"include": "src"}', `UsageError: ${json}:1: 'include' must be an array.`],
    ['a wrong item', json, '{"include": ["a", 3]}', `UsageError: ${json}:1: item 2 of 'include' must be a string.`],
    [
      'a missing reason',
      json,
      '{"suppress": [\n{"id": "suppression", "path": "x"}]}',
      `UsageError: ${json}:2: the key 'reason' is missing.`,
    ],
    [
      'a blank reason',
      json,
      '{"suppress": [{"id": "suppression", "path": "x", "reason": "  "}]}',
      `UsageError: ${json}:1: 'reason' must not be empty.`,
    ],
    [
      'an empty reason',
      json,
      '{"suppress": [{"id": "suppression", "path": "x",\n "reason": ""}]}',
      `UsageError: ${json}:2: 'reason' must not be empty.`,
    ],
    [
      'a misspelt key of a suppression',
      json,
      '{"suppress": [{"id": "suppression", "path": "x", "reason": "y",\n "paths": 1}]}',
      `UsageError: ${json}:2: there is no key 'paths'; the nearest valid name is 'path'.`,
    ],
    [
      'no triple',
      json,
      '{"targets": ["Windows"]}',
      `UsageError: ${json}:1: there is no target triple 'Windows'; the nearest valid one is 'x86_64-pc-windows-msvc'.`,
    ],
    [
      'a mistyped triple',
      json,
      '{"targets": ["x86_64-apple-darwin",\n"x86_64-pc-windows-mscv"]}',
      `UsageError: ${json}:2: there is no target triple 'x86_64-pc-windows-mscv'; the nearest valid one is 'x86_64-pc-windows-msvc'.`,
    ],
    [
      'another mistyped triple',
      toml,
      'targets = ["x86_64-unknown-linux-gun"]',
      `UsageError: ${toml}:1: there is no target triple 'x86_64-unknown-linux-gun'; the nearest valid one is 'x86_64-unknown-linux-gnu'.`,
    ],
    [
      'the name of an npm package for a triple',
      json,
      '{"targets": ["win32-arm64-msvc", "linux-x64-musl"]}',
      `UsageError: ${json}:1: there is no target triple 'win32-arm64-msvc'; the nearest valid one is 'aarch64-pc-windows-msvc'.\n${json}:1: there is no target triple 'linux-x64-musl'; the nearest valid one is 'x86_64-unknown-linux-musl'.`,
    ],
    ['not an object', json, '[]', `UsageError: ${json}:1: the configuration must be an object.`],
    [
      'broken JSON',
      json,
      '{\n  "rules": {,}\n}',
      `UsageError: ${json}:2:13: this is not valid JSON: a key in double quotes was expected, but ',' stands here.`,
    ],
    [
      'an empty file',
      json,
      '',
      `UsageError: ${json}:1:1: this is not valid JSON: a value was expected, but the end of the file stands here.`,
    ],
    [
      'deep nesting',
      json,
      '['.repeat(10_000),
      `UsageError: ${json}:1:513: this is not valid JSON: it is nested more than 512 levels deep.`,
    ],
  ])('%s', (_name, path, text, message) => {
    expect(errorOf(path, text)).toBe(message);
  });

  it('reports broken TOML with its place', () => {
    expect(errorOf(toml, 'a = 1\nb = [1,,2]\n')).toMatch(
      /^UsageError: lifetime-lint\.config\.toml:2:\d+: this is not valid TOML: [^\n]+\.$/u,
    );
  });

  it('reports everything that is wrong, one sentence a line', () => {
    const text = '{"failOn": "never",\n"audiense": "all"}';
    expect(errorOf(json, text).split('\n')).toHaveLength(2);
  });
});
