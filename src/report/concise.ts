import { summaryLine } from './counts.js';
import type { Reporter } from './report.js';
import { visible } from './source-line.js';

/** One line per finding and gap, `path:line:column: severity[rule] message`, for people and for editors' error parsers. */
export const reportConcise: Reporter = ({ result, options }) => {
  const lines = result.findings.map(
    ({ location: { path, startLine, startColumn }, severity, ruleId, message }) =>
      `${path}:${startLine}:${startColumn}: ${severity}[${ruleId}] ${message}`,
  );
  if (options.reportSuppressed) {
    for (const { finding, reason } of result.suppressed) {
      const { path, startLine, startColumn } = finding.location;
      lines.push(`${path}:${startLine}:${startColumn}: suppressed[${finding.ruleId}] ${finding.message} (${reason})`);
    }
  }
  if (!options.quiet) {
    for (const { kind, path, line, message } of result.gaps) {
      lines.push(`${line === undefined ? path : `${path}:${line}`}: gap[${kind}] ${message}`);
    }
    lines.push(summaryLine(result));
  }
  return lines.map((line) => `${visible(line)}\n`).join('');
};
