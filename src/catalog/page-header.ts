import type { RuleLanguage, RuleMeta } from '../model/rule.js';

export const languageNames: Readonly<Record<RuleLanguage, string>> = {
  rust: 'Rust',
  d: 'D',
  javascript: 'JavaScript and TypeScript',
};

/** The generated lines under the title of a rule's page, markers included. */
function renderPageHeader(meta: RuleMeta): string {
  const facts = [
    meta.languages.map((language) => languageNames[language]).join(', '),
    `default level **${meta.severity}**`,
    `confidence ${meta.confidence}`,
    ...(meta.audience === 'audit' ? ['shown in audits only'] : []),
    ...(meta.maturity === 'preview' ? ['preview, off until the configuration gives it a level'] : []),
    `since ${meta.since}`,
    ...meta.cwe.map((cwe) => `[${cwe}](${cweUrl(cwe)})`),
  ];
  const lines = ['<!-- generated: header -->', `**${meta.title}.** ${meta.summary}`, '', facts.join(' · ')];
  if (meta.scenarios.length > 0) {
    lines.push('', `A run can show it: ${meta.scenarios.map((name) => `\`${name}\``).join(', ')}.`);
  }
  return [...lines, '<!-- /generated -->'].join('\n');
}

/** Puts the generated header into a page, replacing an older one or standing under the title. */
export function withPageHeader(markdown: string, meta: RuleMeta): string {
  const header = renderPageHeader(meta);
  const old = /<!-- generated: header -->[^]*?<!-- \/generated -->/u;
  if (old.test(markdown)) return markdown.replace(old, () => header);
  return markdown.replace(/^(# .*\n)\n*/u, (_all, title: string) => `${title}\n${header}\n\n`);
}

/** `CWE-416` to its page. */
export function cweUrl(cwe: string): string {
  return `https://cwe.mitre.org/data/definitions/${cwe.replace(/^CWE-/u, '')}.html`;
}
