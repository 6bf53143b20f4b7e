import type { RuleMeta } from '../model/rule.js';
import type { Rule } from './rule.js';

export type TextTest = (text: string) => boolean;

/**
 * A rule about JavaScript and TypeScript. Its visitor is `src/eslint/rules/<id>.ts`, so the neutral-tree engine has nothing to
 * check: it finds no tokens here and never parses a file for it.
 */
export interface JavaScriptRule<
  Messages extends Readonly<Record<string, string>> = Readonly<Record<string, string>>,
> extends Rule<Messages> {
  /** A JavaScript file, configuration or manifest that contains none of these strings is not parsed for this rule. */
  readonly javascriptTokens: readonly string[];
  /** Beside a token, each of these must be true of the text. */
  readonly javascriptPatterns: readonly TextTest[];
  /** The rule has something to say only about files that load an addon themselves. */
  readonly onlyWithAddon: boolean;
}

/** Makes the catalogue entry of a JavaScript rule; `tokens` and `patterns` are its text pre-filter; `onlyWithAddon` is false by default. */
export function defineJavaScriptRule<const Messages extends Readonly<Record<string, string>>>(rule: {
  readonly meta: RuleMeta<keyof Messages & string> & {
    readonly languages: readonly ['javascript'];
    readonly messages: Messages;
  };
  readonly tokens: readonly string[];
  readonly patterns?: readonly TextTest[];
  readonly onlyWithAddon?: boolean;
}): JavaScriptRule<Messages> {
  const { meta, tokens, patterns = [], onlyWithAddon = false } = rule;
  return {
    meta,
    tokens: {},
    javascriptTokens: tokens,
    javascriptPatterns: patterns,
    onlyWithAddon,
    check: () => undefined,
  };
}

export function isJavaScriptRule(rule: Rule): rule is JavaScriptRule {
  return 'javascriptTokens' in rule;
}

/** The first half of the text pre-filter. */
export function holdsToken(rule: JavaScriptRule, text: string): boolean {
  return rule.javascriptTokens.some((token) => text.includes(token));
}

/** The text pre-filter of a rule: cheap, and true for every text in which the rule finds something without types. */
export function mayConcern(rule: JavaScriptRule, text: string): boolean {
  return holdsToken(rule, text) && rule.javascriptPatterns.every((holds) => holds(text));
}
