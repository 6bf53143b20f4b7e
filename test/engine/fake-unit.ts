import type { UnitFacts } from '../../src/facts/unit.js';
import type { FileIr, FunctionIr, Language } from '../../src/model/ir.js';
import type { ProjectModel } from '../../src/model/project.js';

/** A project model without manifests, for tests that are not about projects. */
export function emptyProject(overrides: Partial<ProjectModel> = {}): ProjectModel {
  return {
    root: '',
    cargo: [],
    npm: [],
    dub: [],
    cargoPackageOf: () => undefined,
    targetKindsOf: () => [],
    isDevelopmentOnly: () => false,
    addonsReaching: () => [],
    activationOf: () => ({ state: 'unknown', by: [] }),
    evaluateCfg: () => 'unknown',
    triplesFor: () => [],
    lockedVersions: () => [],
    npmVersion: () => undefined,
    keptLoaded: () => ({ state: 'unknown' }),
    ...overrides,
  };
}

/** A file in which every line that reads `fn NAME {` up to the next `}` is a function; `!` after the name marks a syntax error. */
export function fakeFile(path: string, text: string): FileIr {
  const functions: FunctionIr[] = [];
  for (const match of text.matchAll(/(test )?fn ([\w.]+)(!?) \{[^}]*\}/gu)) {
    const start = match.index;
    const span = { start, end: start + match[0].length };
    functions.push({
      id: functions.length,
      kind: 'function',
      name: match[2] ?? '',
      qualifiedName: match[2] ?? '',
      span,
      nameSpan: span,
      params: [],
      attributes: [],
      generics: [],
      isAsync: false,
      isUnsafe: false,
      isPublic: false,
      isStatic: false,
      isTest: match[1] !== undefined,
      conditions: [],
      ...(match[3] === '!' ? { hasError: true } : {}),
    });
  }
  const comments = [...text.matchAll(/(?:\/\/|#)[^\n]*/gu)].map((match) => ({
    text: match[0],
    span: { start: match.index, end: match.index + match[0].length },
  }));
  return {
    path,
    language: path.endsWith('.d') ? 'd' : 'rust',
    module: [],
    attributes: [],
    imports: [],
    types: [],
    impls: [],
    globals: [],
    functions,
    macros: [],
    comments,
    gaps: [],
  };
}

/** A unit over in-memory files. */
export function fakeUnit(texts: Readonly<Record<string, string>>, overrides: Partial<UnitFacts> = {}): UnitFacts {
  const files = Object.entries(texts)
    .filter(([path]) => /\.(?:rs|di?)$/u.test(path))
    .map(([path, text]) => fakeFile(path, text));
  return {
    root: '',
    project: emptyProject(),
    filesOf: (language: Language) => files.filter((file) => file.language === language),
    filesMatching: () => [],
    textOf: (path) => texts[path],
    typesNamed: () => [],
    implsOf: () => [],
    globalsNamed: () => [],
    functionsNamed: () => [],
    flowOf: () => {
      throw new Error('no flow in a fake unit');
    },
    isDevelopmentOnly: (_file, fn) => fn?.isTest === true,
    ...overrides,
  };
}
