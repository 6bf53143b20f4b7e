import type { ScanResult } from '../model/finding.js';
import type { Reporter } from './report.js';

/** The version of the JSON format; it changes only when a reader of the old one would break (docs/output.md). */
export const jsonSchemaVersion = 1;

/** The whole result as JSON; the keys are those of `ScanResult` behind `schema` and `tool`. */
export const reportJson: Reporter = ({ result, tool }) =>
  `${JSON.stringify({ schema: jsonSchemaVersion, tool, ...plain(result) }, null, 2)}\n`;

function plain({ base, findings, gaps, suppressed, stats }: ScanResult): ScanResult {
  return { base, findings, gaps, suppressed, stats };
}
