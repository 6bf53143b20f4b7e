import type { RuleMeta } from '../model/rule.js';
import type { Rule } from './rule.js';

/**
 * A rule about JavaScript and TypeScript. Its visitor is `src/eslint/rules/<id>.ts`, so the neutral-tree engine has nothing to
 * check: it finds no tokens here and never parses a file for it.
 */
export interface JavaScriptRule<
  Messages extends Readonly<Record<string, string>> = Readonly<Record<string, string>>,
> extends Rule<Messages> {
  /** A JavaScript file, configuration or manifest that contains none of these strings is not parsed for this rule. */
  readonly javascriptTokens: readonly string[];
  /** The rule has something to say only about files that load an addon themselves. */
  readonly onlyWithAddon: boolean;
}

/** Makes the catalogue entry of a JavaScript rule; `tokens` is its text pre-filter; `onlyWithAddon` is false by default. */
export function defineJavaScriptRule<const Messages extends Readonly<Record<string, string>>>(rule: {
  readonly meta: RuleMeta<keyof Messages & string> & {
    readonly languages: readonly ['javascript'];
    readonly messages: Messages;
  };
  readonly tokens: readonly string[];
  readonly onlyWithAddon?: boolean;
}): JavaScriptRule<Messages> {
  const { meta, tokens, onlyWithAddon = false } = rule;
  return { meta, tokens: {}, javascriptTokens: tokens, onlyWithAddon, check: () => undefined };
}

export function isJavaScriptRule(rule: Rule): rule is JavaScriptRule {
  return 'javascriptTokens' in rule;
}
