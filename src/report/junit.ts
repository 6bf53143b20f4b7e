import type { Finding } from '../model/finding.js';
import type { Reporter } from './report.js';

/** JUnit XML for servers that show tests: a suite per file, a failed case per finding. Notes pass, gaps are skipped cases. */
export const reportJunit: Reporter = ({ result, tool }) => {
  const byPath = new Map<string, Finding[]>();
  for (const finding of result.findings) {
    byPath.set(finding.location.path, [...(byPath.get(finding.location.path) ?? []), finding]);
  }
  const suites = [...byPath].map(([path, findings]) =>
    suite(
      path,
      findings.filter(isFailure).length,
      0,
      findings.map((finding) => findingCase(path, finding)),
    ),
  );
  const gaps = result.gaps.map(
    ({ kind, path, line, message }) =>
      `<testcase classname="${escapeXml(path)}" name="gap ${kind}${line === undefined ? '' : ` at line ${line}`}"><skipped message="${escapeXml(message)}"/></testcase>`,
  );
  if (gaps.length > 0) suites.push(suite('What was not seen', 0, gaps.length, gaps));
  if (suites.length === 0)
    suites.push(suite(tool.name, 0, 0, [`<testcase classname="${tool.name}" name="No findings"/>`]));
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${tool.name}">`,
    ...suites,
    '</testsuites>',
    '',
  ].join('\n');
};

function isFailure({ severity }: Finding): boolean {
  return severity !== 'note';
}

function suite(name: string, failures: number, skipped: number, cases: readonly string[]): string {
  const head = `<testsuite name="${escapeXml(name)}" tests="${cases.length}" failures="${failures}" errors="0" skipped="${skipped}">`;
  return [head, ...cases, '</testsuite>'].join('\n');
}

function findingCase(path: string, finding: Finding): string {
  const { ruleId, location, severity, message, steps } = finding;
  const head = `<testcase classname="${escapeXml(path)}" name="${escapeXml(`${ruleId} at line ${location.startLine}`)}"`;
  const body = [message, ...steps.map(({ role, path: at, line, note }) => `${role} ${at}:${line}: ${note}`)].join('\n');
  if (!isFailure(finding)) return `${head}><system-out>${escapeXml(body)}</system-out></testcase>`;
  return `${head}><failure type="${severity}" message="${escapeXml(message)}">${escapeXml(body)}</failure></testcase>`;
}

/** Text for XML 1.0: markup is escaped, and characters that XML cannot hold at all are replaced. */
function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;');
}
