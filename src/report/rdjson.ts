import { homeUrl } from '../catalog/catalog.js';
import type { Location, Severity } from '../model/finding.js';
import type { Reporter, ReportInput } from './report.js';

const severities: Readonly<Record<Severity, string>> = { error: 'ERROR', warning: 'WARNING', note: 'INFO' };

/** Reviewdog's diagnostic format. Its columns count UTF-8 bytes, from 1. It has no place for gaps. */
export const reportRdjson: Reporter = ({ result, catalog, tool, textOf }) => {
  const lines = createLineReader(textOf);
  const place = (location: Location) => ({
    path: location.path,
    range: {
      start: {
        line: location.startLine,
        column: byteColumn(lines(location.path, location.startLine), location.startColumn),
      },
      end: { line: location.endLine, column: byteColumn(lines(location.path, location.endLine), location.endColumn) },
    },
  });
  const diagnostics = result.findings.map((finding) => ({
    message: finding.message,
    location: place(finding.location),
    severity: severities[finding.severity],
    code: { value: finding.ruleId, url: catalog.find(finding.ruleId)?.url ?? homeUrl },
    related_locations: finding.steps.map(({ role, note, path, line, column, endColumn = column + 1 }) => ({
      message: `${role}: ${note}`,
      location: place({ path, startLine: line, startColumn: column, endLine: line, endColumn }),
    })),
  }));
  return `${JSON.stringify({ source: { name: tool.name, url: homeUrl }, diagnostics }, null, 2)}\n`;
};

function createLineReader(textOf: ReportInput['textOf']): (path: string, line: number) => string {
  const files = new Map<string, readonly string[]>();
  return (path, line) => {
    const lines = files.get(path) ?? (textOf(path) ?? '').split(/\r\n|\r|\n/u);
    files.set(path, lines);
    return lines[line - 1] ?? '';
  };
}

function byteColumn(line: string, column: number): number {
  return Buffer.byteLength(line.slice(0, column - 1)) + 1;
}
