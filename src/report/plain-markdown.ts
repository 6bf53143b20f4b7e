/** Markdown as text for readers that show no Markdown: headings, emphasis, code marks and links are taken apart. */
export function plainMarkdown(markdown: string): string {
  let isFenced = false;
  return markdown
    .split('\n')
    .flatMap((line) => {
      if (/^\s*(?:```|~~~)/u.test(line)) {
        isFenced = !isFenced;
        return [];
      }
      return [isFenced ? `    ${line}` : plainInline(line.replace(/^#+\s+/u, ''))];
    })
    .join('\n')
    .trim();
}

/** One line of Markdown without its marks. */
function plainInline(line: string): string {
  return line
    .replace(/\[([^\]]*)\]\(([^)]*)\)/gu, '$1 ($2)')
    .replace(/(\*\*|__)(.+?)\1/gu, '$2')
    .replace(/`([^`]*)`/gu, '$1');
}
