import type { UnitFacts } from './unit.js';

/**
 * The same unit with fewer files to go through: `filesOf` gives those that `isKept` keeps (by base-relative path). What is
 * asked for by name, and what the facts are made of, is still the whole unit.
 */
export function narrowUnit(unit: UnitFacts, isKept: (path: string) => boolean): UnitFacts {
  return {
    root: unit.root,
    project: unit.project,
    filesOf: (language) => unit.filesOf(language).filter(({ path }) => isKept(path)),
    pathsOf: (language) => unit.pathsOf(language),
    fileAt: (path) => unit.fileAt(path),
    withBodies: (file, wanted) => unit.withBodies(file, wanted),
    filesMatching: (language, pattern) => unit.filesMatching(language, pattern),
    textOf: (path) => unit.textOf(path),
    typesNamed: (name, language) => unit.typesNamed(name, language),
    implsOf: (typeName, trait) => unit.implsOf(typeName, trait),
    globalsNamed: (name, language) => unit.globalsNamed(name, language),
    functionsNamed: (name, language, fromPath) => unit.functionsNamed(name, language, fromPath),
    oracle: (language) => unit.oracle(language),
    functionsWith: (file, tokens, beside) => unit.functionsWith(file, tokens, beside),
    holds: (file, fn, pattern) => unit.holds(file, fn, pattern),
    flowOf: (file, fn) => unit.flowOf(file, fn),
    growthsOf: (key, language, fromPath) => unit.growthsOf(key, language, fromPath),
    isDevelopmentOnly: (file, fn) => unit.isDevelopmentOnly(file, fn),
  };
}
