import type { Confidence, Role, Severity } from '../model/finding.js';
import type { FileIr, FunctionIr, Language } from '../model/ir.js';
import type { ProjectModel } from '../model/project.js';
import type { RuleMeta } from '../model/rule.js';
import type { Span } from '../model/source.js';
import type { TextTest, TextToken, UnitFacts } from '../facts/unit.js';

/** The `{holes}` of a message template. */
type Holes<T extends string> = T extends `${string}{${infer Hole}}${infer Rest}` ? Hole | Holes<Rest> : never;

/** A place in a file by offsets (source files), or by 1-based line and column (manifests). */
export type Anchor =
  | { readonly file: FileIr; readonly span: Span }
  | { readonly path: string; readonly line: number; readonly column?: number; readonly endColumn?: number };

export type ReportStep = Anchor & { readonly role: Role; readonly note: string };

export interface Report<Messages extends Readonly<Record<string, string>>, Id extends keyof Messages & string> {
  readonly messageId: Id;
  readonly data: { readonly [Hole in Holes<Messages[Id]>]: string | number };
  /** Where the fix goes. */
  readonly at: Anchor;
  /**
   * Where the cause stands, in another file: the finding goes there when the file of `at` was not asked for and that one was.
   * What several reports say of one such place is one finding.
   */
  readonly orAt?: Anchor;
  readonly steps: readonly ReportStep[];
  readonly severity?: Severity;
  readonly confidence?: Confidence;
  readonly targets?: readonly string[];
  readonly reachableFrom?: readonly { readonly rust: string; readonly js: string }[];
  readonly fixedIn?: string;
  /** What makes two findings of one rule in one file different, beside the text of the line (a name, a field). */
  readonly key?: string;
}

interface RuleContext<Messages extends Readonly<Record<string, string>>> {
  readonly unit: UnitFacts;
  /**
   * The functions of a file with a lowered body that `bodyTokens` and `bodyRequires` pick, all without them; closures belong to
   * the function around them.
   */
  functionsIn(file: FileIr): readonly FunctionIr[];
  /**
   * Records a finding. The engine drops it when neither of its locations is among the files that were asked for, lowers it
   * to a note in tests, benches and examples, and refuses it inside a function with a syntax error.
   */
  report<Id extends keyof Messages & string>(report: Report<Messages, Id>): void;
}

export interface Rule<Messages extends Readonly<Record<string, string>> = Readonly<Record<string, string>>> {
  readonly meta: RuleMeta<keyof Messages & string> & { readonly messages: Messages };
  /**
   * Byte-level pre-filter: a source file that contains none of these strings is never parsed for this rule. Every bad
   * fixture must contain one (a test checks it).
   */
  readonly tokens: Partial<Record<Language, readonly string[]>>;
  /** When given, a file must also contain one of these (`napi` for rules about addons), or match one. */
  readonly requires?: Partial<Record<Language, readonly (string | RegExp)[]>>;
  /** When given, only function bodies with one of these are lowered for this rule; else all of a file. */
  readonly bodyTokens?: Partial<Record<Language, readonly TextToken[]>>;
  /** When given, the function must also hold one of these. */
  readonly bodyRequires?: Partial<Record<Language, readonly (string | TextTest)[]>>;
  /**
   * Everything it reports starts from a function that `bodyTokens` picks: a file without one is not parsed for it. With
   * `body text` it reads of those functions the head and the text, and their bodies are not lowered for it. Default: it
   * looks at declarations too.
   */
  readonly looksAt?: 'bodies' | 'body text';
  /**
   * Languages in which what it reports in a file comes from going through that file: one that nobody asked about is not gone
   * through.
   */
  readonly perFile?: readonly Language[];
  /**
   * Where it reports beside source files that hold one of its tokens, and manifests: in Rust `in callers` of a function that it picks elsewhere,
   * which the caller names, or anywhere. Default: nowhere else.
   */
  readonly reportsElsewhere?: 'in callers' | 'anywhere';
  /**
   * Which files can hold what it looks for, as far as the manifests tell (the crates of addons, say): any other is not parsed
   * for it. Takes base-relative paths. Default: all.
   */
  readonly concerns?: (project: ProjectModel) => (path: string) => boolean;
  /** Called once per unit. */
  check(context: RuleContext<Messages>): void;
}

/** Ties a rule's messages to its reports: unknown message ids and missing holes do not compile. */
export function defineRule<const Messages extends Readonly<Record<string, string>>>(
  rule: Rule<Messages>,
): Rule<Messages> {
  return rule;
}
