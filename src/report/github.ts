import { compareFindings } from './severity-order.js';
import type { Reporter } from './report.js';
import type { Severity } from '../model/finding.js';

const commands: Readonly<Record<Severity, string>> = { error: 'error', warning: 'warning', note: 'notice' };

/**
 * Workflow commands that GitHub Actions shows as annotations. It shows ten of a kind per step, so the worst come first; gaps
 * are one notice.
 */
export const reportGithub: Reporter = ({ result, options }) => {
  const lines = [...result.findings].sort(compareFindings).map(({ location, severity, ruleId, message }) => {
    const isOneLine = location.startLine === location.endLine;
    const properties = [
      ['file', location.path],
      ['line', location.startLine],
      ['endLine', location.endLine],
      // Columns are only understood within one line.
      ...(isOneLine ? [['col', location.startColumn] as const, ['endColumn', location.endColumn] as const] : []),
      ['title', ruleId],
    ];
    const written = properties.map(([name, value]) => `${name}=${escapeProperty(String(value))}`).join(',');
    return `::${commands[severity]} ${written}::${escapeData(message)}`;
  });
  if (!options.quiet && result.gaps.length > 0) {
    const text = result.gaps
      .map(({ path, line, message }) => `${line === undefined ? path : `${path}:${line}`}: ${message}`)
      .join('\n');
    lines.push(`::notice title=Not seen::${escapeData(text)}`);
  }
  return lines.map((line) => `${line}\n`).join('');
};

function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
