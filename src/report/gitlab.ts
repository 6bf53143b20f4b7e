import type { Reporter } from './report.js';
import type { Severity } from '../model/finding.js';

const severities: Readonly<Record<Severity, string>> = { error: 'critical', warning: 'major', note: 'info' };

/** A code quality report for GitLab merge requests. It has no place for gaps. */
export const reportGitlab: Reporter = ({ result }) => {
  const issues = result.findings.map(({ message, ruleId, fingerprint, severity, location }) => ({
    description: message,
    check_name: ruleId,
    fingerprint,
    severity: severities[severity],
    location: { path: location.path, lines: { begin: location.startLine, end: location.endLine } },
  }));
  return `${JSON.stringify(issues, null, 2)}\n`;
};
