import type { UnitFacts } from '../../src/facts/unit.js';
import type { FileIr, FunctionIr, Language } from '../../src/model/ir.js';
import type { ProjectModel } from '../../src/model/project.js';

/** An object that has some of its members; asking for another is a mistake of the test. */
function partial<T extends object>(members: Partial<T>): T {
  // The proxy answers for every member: with the given one, or by throwing.
  return new Proxy(members, {
    get: (target, name) => {
      if (!(name in target)) throw new Error(`the fake has no '${String(name)}'`);
      const value: unknown = Reflect.get(target, name);
      return value;
    },
  }) as T;
}

/** A project model without manifests, for tests that are not about projects. */
function emptyProject(): ProjectModel {
  return partial<ProjectModel>({
    root: '',
    cargo: [],
    npm: [],
    dub: [],
    cargoPackageOf: () => undefined,
    isDevelopmentOnly: () => false,
  });
}

/** A file in which every line that reads `fn NAME {` up to the next `}` is a function; `!` after the name marks a syntax error. */
function fakeFile(path: string, text: string): FileIr {
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
export function fakeUnit(texts: Readonly<Record<string, string>>): UnitFacts {
  const files = Object.entries(texts)
    .filter(([path]) => /\.(?:rs|di?)$/u.test(path))
    .map(([path, text]) => fakeFile(path, text));
  return partial<UnitFacts>({
    root: '',
    project: emptyProject(),
    filesOf: (language: Language) => files.filter((file) => file.language === language),
    textOf: (path) => texts[path],
    isDevelopmentOnly: (_file, fn) => fn?.isTest === true,
  });
}
