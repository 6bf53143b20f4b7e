import type { FunctionFlow, Growth } from '../flow/result.js';
import type { TypeOracle } from '../flow/types.js';
import type { FileIr, FunctionIr, GlobalDecl, ImplDecl, Language, TypeDecl } from '../model/ir.js';
import type { ProjectModel } from '../model/project.js';

export interface Located<T> {
  readonly file: FileIr;
  readonly item: T;
}

/** A place of the unit where an owner grows, with the function that does it. */
export interface GrowthSite {
  readonly file: FileIr;
  readonly fn: FunctionIr;
  readonly growth: Growth;
  /** Constructors and `Drop` run when nobody else can hold a pointer. */
  readonly inConstructor: boolean;
}

/** A pattern that can only match a text with this word in it: most texts lack the word, and looking for it costs next to nothing. */
export interface BesideWord {
  readonly word: string;
  readonly pattern: RegExp;
}

/** A pattern for the functions of a file whose text, anywhere, matches another: the head of the block around them, say. */
export interface InFile {
  readonly inFile: RegExp;
  readonly pattern: TextTest;
}

/** A look at the text of a function, head and body, that takes more than a pattern. */
export interface TextTest {
  test(text: string): boolean;
}

export type TextToken = string | TextTest | BesideWord | InFile;

/** Strings and patterns of which a text holds one. */
export type TextPattern = RegExp | readonly TextToken[];

/** Everything a rule may ask about one unit; all of it memoised. */
export interface UnitFacts {
  /** Base-relative folder; `''` is the base itself. */
  readonly root: string;
  readonly project: ProjectModel;
  /** Parsed files of one language that hold one of the rule's tokens. */
  filesOf(language: Language): readonly FileIr[];
  /** Base-relative paths of every source file of the language, parsed or not. */
  pathsOf(language: Language): readonly string[];
  /** The file at a base-relative path, if it was parsed already, whoever asked for it. */
  fileAt(path: string): FileIr | undefined;
  /** The same file with the bodies that were skipped and are `wanted`; the places of its functions are the same. */
  withBodies(file: FileIr, wanted: (fn: FunctionIr) => boolean): FileIr;
  /** Further files of the unit whose text matches, parsed on demand (growth or declarations in sibling modules). */
  filesMatching(language: Language, pattern: RegExp): readonly FileIr[];
  /** The text of a source, manifest or script file of the unit; undefined when it can't be read. */
  textOf(path: string): string | undefined;
  /** Type declarations by name in the whole unit (parsed on demand). */
  typesNamed(name: string, language: Language): readonly Located<TypeDecl>[];
  /** Impls of a Rust type by its name (parsed on demand): all of them, or those of `Drop` alone. */
  implsOf(typeName: string, trait?: 'Drop'): readonly Located<ImplDecl>[];
  /** Globals by name in the files that were parsed. */
  globalsNamed(name: string, language: Language): readonly Located<GlobalDecl>[];
  /**
   * Functions by name: in Rust in the whole unit (parsed on demand), in D in the files that were parsed and those that the file at `fromPath`
   * imports and that look to declare a foreign one.
   */
  functionsNamed(name: string, language: Language, fromPath?: string): readonly Located<FunctionIr>[];
  /** Declarations as the flow core sees them from one language. */
  oracle(language: Language): TypeOracle;
  /**
   * Functions with a lowered body whose text holds one of the strings or matches, and one of those beside it when given;
   * closures belong to the function around them.
   */
  functionsWith(file: FileIr, tokens: TextPattern, beside?: TextPattern): readonly FunctionIr[];
  /** Whether the text of the function, head and body, holds one of the strings or matches. */
  holds(file: FileIr, fn: FunctionIr, pattern: TextPattern): boolean;
  /** What the flow core found out about one function; closures are part of the function around them. */
  flowOf(file: FileIr, fn: FunctionIr): FunctionFlow;
  /**
   * Every growth of the owner with this key (`Type.field`, `global:name`, as `Growth.key` and `growthKey` spell it) in the
   * unit, whichever file it is in.
   */
  growthsOf(key: string, language: Language, fromPath: string): readonly GrowthSite[];
  isDevelopmentOnly(file: FileIr, fn?: { readonly isTest: boolean }): boolean;
}
