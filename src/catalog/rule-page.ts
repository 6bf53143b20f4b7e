/** The headings of every rule page, in this order. */
export const pageHeadings = [
  'What it catches',
  'Why it matters',
  'Fix',
  'Known limits',
  'When to allow it',
  'References',
] as const;

type PageHeading = (typeof pageHeadings)[number];

/** A rule's page in parts. */
export interface RulePage {
  /** The Markdown below the title and the generated header; empty when there is no page. */
  readonly body: string;
  /** The Markdown below each heading. */
  readonly sections: Readonly<Partial<Record<PageHeading, string>>>;
  /** Level-two headings as written, in their order. */
  readonly headings: readonly string[];
}

const header = /^<!-- generated: header -->[^]*?<!-- \/generated -->\n*/mu;

/** Splits a page `docs/rules/<id>.md`; lines inside code fences are never headings. */
export function readRulePage(markdown: string): RulePage {
  const body = markdown
    .replaceAll('\r\n', '\n')
    .replace(/^# .*\n+/u, '')
    .replace(header, '')
    .trim();
  const headings: string[] = [];
  const sections: Partial<Record<PageHeading, string>> = {};
  let current: string | undefined;
  let lines: string[] = [];
  let isFenced = false;
  const close = (): void => {
    if (current !== undefined && isPageHeading(current)) sections[current] = lines.join('\n').trim();
    lines = [];
  };
  for (const line of body.split('\n')) {
    if (/^\s*(?:```|~~~)/u.test(line)) isFenced = !isFenced;
    if (!isFenced && line.startsWith('## ')) {
      close();
      current = line.slice(3).trim();
      headings.push(current);
    } else lines.push(line);
  }
  close();
  return { body, sections, headings };
}

function isPageHeading(text: string): text is PageHeading {
  return pageHeadings.some((heading) => heading === text);
}
