import type { FileIr, FunctionIr, GlobalDecl, ImplDecl, Language, TypeDecl } from '../model/ir.js';
import type { ProjectModel } from '../model/project.js';
import type { FunctionFlow } from '../flow/result.js';

export interface Located<T> {
  readonly file: FileIr;
  readonly item: T;
}

/** Everything a rule may ask about one unit; all of it memoised. */
export interface UnitFacts {
  /** Base-relative folder; `''` is the base itself. */
  readonly root: string;
  readonly project: ProjectModel;
  /** Parsed files of one language that hold one of the rules' tokens. */
  filesOf(language: Language): readonly FileIr[];
  /** Further files of the unit whose text matches, parsed on demand (growth or declarations in sibling modules). */
  filesMatching(language: Language, pattern: RegExp): readonly FileIr[];
  /** The text of a source, manifest or script file of the unit; undefined when it can't be read. */
  textOf(path: string): string | undefined;
  /** Type declarations by name in the whole unit (parsed on demand). */
  typesNamed(name: string, language: Language): readonly Located<TypeDecl>[];
  implsOf(typeName: string): readonly Located<ImplDecl>[];
  globalsNamed(name: string, language: Language): readonly Located<GlobalDecl>[];
  functionsNamed(name: string, language: Language): readonly Located<FunctionIr>[];
  /** What the flow core found out about one function. */
  flowOf(file: FileIr, fn: FunctionIr): FunctionFlow;
  isDevelopmentOnly(file: FileIr, fn?: { readonly isTest: boolean }): boolean;
}
