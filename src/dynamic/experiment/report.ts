import { formatPercent } from '../statistics.js';
import type { ExperimentReport, VariantResult } from './run-experiment.js';

const range = ([low, high]: readonly [number, number]): string => `${formatPercent(low)} to ${formatPercent(high)}`;

function classesOf({ classes }: VariantResult): string {
  return Object.entries(classes)
    .filter(([name]) => name !== 'clean')
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

function rowsOf(report: ExperimentReport): readonly (readonly string[])[] {
  return report.variants.map((variant) => [
    variant.name,
    String(variant.runs),
    String(variant.hits),
    variant.runs === 0 ? '–' : formatPercent(variant.hits / variant.runs),
    variant.runs === 0 ? 'not run' : range(variant.rate),
    classesOf(variant),
  ]);
}

const head = ['variant', 'runs', 'hits', 'rate', 'at 95 %', 'seen'] as const;

/** `a` against `b`, with the word that the numbers allow. */
function comparisonsOf(report: ExperimentReport): readonly string[] {
  return report.comparisons.map(({ a, b, adjusted, real }) => {
    const p = adjusted < 0.001 ? 'p < 0.001' : `p = ${adjusted.toFixed(3)}`;
    return `'${a}' and '${b}': ${real ? 'a real difference' : 'not told apart'} (${p}).`;
  });
}

function remarksOf(report: ExperimentReport): readonly string[] {
  return [
    ...report.variants.flatMap(({ name, useless, reason, runs }) =>
      reason === undefined
        ? []
        : [
            runs === 0
              ? `'${name}' could not be run: ${reason.replace(/\.$/u, '')}.`
              : `'${name}': ${useless} ${useless === 1 ? 'run' : 'runs'} said nothing (${reason.replace(/\.$/u, '')}).`,
          ],
    ),
    ...(report.interrupted ? ['It was interrupted; the counts are what was seen until then.'] : []),
  ];
}

/** Every line starts with the sentences that answer the question; the table and the pairs come after. */
export function renderExperiment(report: ExperimentReport): string {
  const rows = [head, ...rowsOf(report)];
  const widths = head.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const isNumber = [false, true, true, true, false, false];
  const table = rows.map((row) =>
    row
      .map((cell, column) =>
        isNumber[column] === true ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
  const [first] = report.variants;
  return `${[
    ...table,
    '',
    ...report.theories,
    '',
    ...comparisonsOf(report),
    ...remarksOf(report),
    '',
    `On ${report.platform}, Node ${report.node}; ${first?.how ?? ''}; interleaved, seed ${report.seed}. ${report.method}`,
  ].join('\n')}\n`;
}

export function renderExperimentMarkdown(report: ExperimentReport): string {
  const escape = (text: string): string => text.replaceAll('|', '\\|');
  const [first] = report.variants;
  return `${[
    `| ${head.join(' | ')} |`,
    '| --- | ---: | ---: | ---: | --- | --- |',
    ...rowsOf(report).map((row) => `| ${row.map(escape).join(' | ')} |`),
    '',
    ...report.theories.map((line) => `- ${line}`),
    '',
    ...comparisonsOf(report).map((line) => `- ${line}`),
    ...remarksOf(report).map((line) => `- ${line}`),
    '',
    `On ${report.platform}, Node ${report.node}; ${first?.how ?? ''}; interleaved, seed ${report.seed}. ${report.method}`,
  ].join('\n')}\n`;
}

export function renderExperimentJson(report: ExperimentReport): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}
