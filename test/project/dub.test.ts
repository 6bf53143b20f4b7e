import { describe, expect, it } from 'vitest';
import { readSdl } from '../../src/project/sdl.js';
import { memoryProject } from './memory-project.js';

const json = `{
  "name": "demo",
  "targetType": "library",
  "sourcePaths": ["lib"],
  "sourcePaths-windows": ["win"],
  "dependencies": { "vibe-d": "~>0.9", "local": { "path": "../local" } },
  "configurations": [{ "name": "unittest", "targetType": "executable" }],
  "subPackages": ["./sub", { "name": "inner", "targetType": "executable" }]
}
`;
const sdl = `name "demo" // the package
targetType "library"
sourcePaths "lib" \\
  "more"
dependency "vibe-d" version="~>0.9"
dependency \`local\` path="../local"
/* two
   lines */ configuration "unittest" { targetType "executable"; versions "X" }
subPackage {
    name "inner"
    targetType "executable"
}
`;

describe('dub packages', () => {
  it('are read from dub.json', () => {
    const { model } = memoryProject({ 'dub.json': json, 'source/a.d': '' });
    expect(model.dub.map((pkg) => pkg.name)).toEqual(['demo', 'inner']);
    expect(model.dub[0]).toMatchObject({
      targetType: { value: 'library', path: 'dub.json', line: 3 },
      sourcePaths: ['lib', 'win'],
      configurations: [{ name: 'unittest', targetType: 'executable', place: { line: 7 } }],
    });
    expect(model.dub[0]?.dependencies.get('vibe-d')).toMatchObject({ value: '~>0.9', line: 6 });
  });

  it('are read from dub.sdl', () => {
    const { model } = memoryProject({ 'x/dub.sdl': sdl, 'x/source/a.d': '' });
    expect(model.dub.map((pkg) => pkg.name)).toEqual(['demo', 'inner']);
    expect(model.dub[0]).toMatchObject({
      dir: 'x',
      targetType: { value: 'library', line: 2 },
      sourcePaths: ['x/lib', 'x/more'],
      configurations: [{ name: 'unittest', targetType: 'executable', place: { line: 8 } }],
    });
    expect(model.dub[0]?.dependencies.get('local')).toMatchObject({ value: '../local', line: 6 });
    expect(model.dub[1]).toMatchObject({ targetType: { value: 'executable', line: 11 } });
  });

  it('find the folders that dub compiles by itself, and kinds of files', () => {
    const { model } = memoryProject({
      'dub.sdl': 'name "a"\ntargetType "executable"\n',
      'source/app.d': '',
      'tests/t.d': '',
      'examples/e/source/app.d': '',
    });
    expect(model.dub[0]?.sourcePaths).toEqual(['source']);
    expect(model.targetKindsOf('source/app.d')).toEqual(['bin']);
    expect(model.isDevelopmentOnly('source/app.d')).toBe(false);
    expect(model.isDevelopmentOnly('tests/t.d')).toBe(true);
    expect(model.isDevelopmentOnly('examples/e/source/app.d')).toBe(true);
  });
});

describe('readSdl', () => {
  it.each([
    ['a {', "a block is not closed with '}'"],
    ['}', "'}' closes no block"],
    ['a "x', 'a string is not closed'],
    ['a {'.repeat(100), 'it is nested more than 64 levels deep'],
  ])('names what is wrong in %j', (text, message) => {
    expect(() => readSdl(text)).toThrow(message);
  });
});
