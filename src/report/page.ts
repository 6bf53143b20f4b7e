import picocolors from 'picocolors';
import type { CatalogEntry } from '../catalog/catalog.js';
import { languageNames } from '../catalog/page-header.js';
import { displayWidth } from './display-width.js';

type Colors = ReturnType<typeof picocolors.createColors>;

/** A rule's page for a terminal: headings and code stand out, text is wrapped, code blocks are not. */
export function renderPage(
  { meta, page, url }: CatalogEntry,
  { color, columns }: { readonly color: boolean; readonly columns: number },
): string {
  const colors = picocolors.createColors(color);
  const paint = { error: colors.red, warning: colors.yellow, note: colors.green }[meta.severity];
  const facts = [
    meta.languages.map((language) => languageNames[language]).join(', '),
    `default level ${paint(meta.severity)}`,
    `confidence ${meta.confidence}`,
    ...(meta.audience === 'audit' ? ['audit only'] : []),
    ...(meta.maturity === 'preview' ? ['preview, off by default'] : []),
    ...(meta.cwe.length === 0 ? [] : [meta.cwe.join(', ')]),
  ];
  const width = Math.max(40, Math.min(columns, 100));
  const lines = [
    colors.bold(meta.id),
    '',
    ...wrap(`${meta.title}. ${meta.summary}`, width),
    ...wrap(facts.join(' · '), width).map((line) => colors.dim(line)),
    '',
    ...renderMarkdown(page.body, width, colors),
    '',
    colors.dim(url),
  ];
  return `${lines.join('\n')}\n`;
}

/** Paragraphs and list items are joined and wrapped; fences, tables and blank lines stay. */
function renderMarkdown(markdown: string, width: number, colors: Colors): readonly string[] {
  const lines: string[] = [];
  let paragraph: string[] = [];
  let isFenced = false;
  const flush = (): void => {
    const [first] = paragraph;
    if (first === undefined) return;
    const indent = /^\s*(?:[-*]|\d+\.)\s+/u.exec(first)?.[0].length ?? 0;
    const text = paragraph.map((line) => line.trim()).join(' ');
    const wrapped = wrap(text, width - indent);
    const marker = ' '.repeat(first.length - first.trimStart().length);
    lines.push(
      ...wrapped.map((line, index) => styleInline(index === 0 ? marker + line : ' '.repeat(indent) + line, colors)),
    );
    paragraph = [];
  };
  for (const line of markdown.split('\n')) {
    if (/^\s*(?:```|~~~)/u.test(line)) {
      flush();
      isFenced = !isFenced;
    } else if (isFenced) lines.push(colors.cyan(`    ${line}`));
    else if (line.trim() === '') {
      flush();
      lines.push('');
    } else if (/^#{1,6} /u.test(line)) {
      flush();
      lines.push(colors.bold(line.replace(/^#+ /u, '')));
    } else if (/^\s*\|/u.test(line)) {
      flush();
      lines.push(styleInline(line, colors));
    } else {
      if (/^\s*(?:[-*]|\d+\.)\s/u.test(line)) flush();
      paragraph.push(line);
    }
  }
  flush();
  return lines;
}

function styleInline(line: string, colors: Colors): string {
  return line
    .replace(/\[([^\]]*)\]\(([^)]*)\)/gu, '$1 ($2)')
    .replace(/\*\*(.+?)\*\*/gu, (_marks, text: string) => colors.bold(text))
    .replace(/`([^`]*)`/gu, (_marks, text: string) => (colors.isColorSupported ? colors.cyan(text) : `'${text}'`));
}

/** Breaks text between words so that lines fit, as far as words do. */
function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/u)) {
    const joined = line === '' ? word : `${line} ${word}`;
    if (displayWidth(joined) > width && line !== '') {
      lines.push(line);
      line = word;
    } else line = joined;
  }
  return line === '' ? lines : [...lines, line];
}
