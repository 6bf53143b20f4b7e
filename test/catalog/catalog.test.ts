import { describe, expect, it } from 'vitest';
import { nearestName } from '../../src/catalog/nearest-name.js';
import { withPageHeader } from '../../src/catalog/page-header.js';
import { readRulePage } from '../../src/catalog/rule-page.js';
import { renderPage } from '../../src/report/page.js';
import { buildCatalog } from '../../src/catalog/catalog.js';
import { sampleMetas, samplePage } from '../report/sample.js';

const [meta] = sampleMetas;
if (meta === undefined) throw new Error('no sample');

describe('the nearest name', () => {
  const known = ['pointer-into-growable', 'growth-while-borrowed', 'minSeverity', 'scan'];
  it.each([
    ['pointer-in-growable', 'pointer-into-growable'],
    ['pointer-into-growabel', 'pointer-into-growable'],
    ['growable', 'pointer-into-growable'],
    ['minseverity', 'minSeverity'],
    ['sacn', 'scan'],
    ['zzzz', undefined],
    ['', undefined],
  ])('of %j is %j', (typed, name) => {
    expect(nearestName(typed, known)).toBe(name);
  });
});

describe('a page', () => {
  it('is split at its headings, not inside code', () => {
    const { sections, headings } = readRulePage(
      '# x\n\n## What it catches\n\na\n\n```sh\n## no heading\n```\n\n## Fix\n\nb\n',
    );
    expect(headings).toEqual(['What it catches', 'Fix']);
    expect(sections['What it catches']).toBe('a\n\n```sh\n## no heading\n```');
    expect(sections.Fix).toBe('b');
  });

  it('gets its generated header once', () => {
    const once = withPageHeader(samplePage, meta);
    expect(once).toMatch(
      /^# pointer-into-growable\n\n<!-- generated: header -->\n\*\*Pointer into growable storage\.\*\* /u,
    );
    expect(withPageHeader(once, meta)).toBe(once);
    expect(withPageHeader(once, { ...meta, severity: 'error' })).toContain('default level **error**');
    expect(readRulePage(once)).toEqual(readRulePage(samplePage));
  });

  it('is shown in a terminal without its marks, wrapped, with code as it is', () => {
    const catalog = buildCatalog([meta], () =>
      samplePage.replace(
        'Use an index.',
        `Use an index. ${'word '.repeat(30)}\n\n- one \`a\`\n  more\n- two\n\n\`\`\`d\nreturn &x;   // two\n\`\`\``,
      ),
    );
    const entry = catalog.find(meta.id);
    if (entry === undefined) throw new Error('no entry');
    const text = renderPage(entry, { color: false, columns: 60 });
    expect(text).toContain("\nThe address of an element '&jobs[i]' leaves its owner.\n");
    expect(text).toContain("\n- one 'a' more\n- two\n");
    expect(text).toContain('\n    return &x;   // two\n');
    expect(text.split('\n').filter((line) => line.length > 60 && !line.includes('http'))).toEqual([]);
    expect(renderPage(entry, { color: true, columns: 60 })).toContain('\u001b[');
  });
});
