import type {
  Invocation,
  Location as SarifLocation,
  Log,
  Notification,
  PhysicalLocation,
  ReportingDescriptor,
  Result,
  ThreadFlowLocation,
  ToolComponent,
} from 'sarif';
import { homeUrl, type CatalogEntry } from '../catalog/catalog.js';
import { findGapKinds } from '../catalog/gap-kinds.js';
import { cweUrl } from '../catalog/page-header.js';
import type {
  Confidence,
  Finding,
  Gap,
  GapKind,
  Location,
  Severity,
  Step,
  SuppressedFinding,
} from '../model/finding.js';
import { describeEvidence } from './describe-evidence.js';
import { findLineHashes } from './line-hash.js';
import { plainMarkdown } from './plain-markdown.js';
import { relatedFindings } from './related-findings.js';
import type { Reporter, ReportInput } from './report.js';

/** GitHub code scanning keeps this many results of a run (25,000 are refused). */
const keptResults = 5000;
const keptTags = 10;
const descriptionLimit = 1024;
const snippetLimit = 2000;

/** SARIF 2.1.0 for GitHub code scanning: the whole rule set, code flows, fingerprints, and gaps as notifications. */
export const reportSarif: Reporter = (input) => `${JSON.stringify(buildSarif(input), null, 2)}\n`;

/** The document before it is written; for callers that put several runs into one file. */
export function buildSarif(input: ReportInput): Log {
  const { result, catalog, tool } = input;
  const cwes = [...new Set(catalog.entries.flatMap(({ meta }) => meta.cwe))].sort(compareCwe);
  const all: readonly (Finding | SuppressedFinding)[] = [
    ...result.findings,
    ...(input.options.reportSuppressed ? result.suppressed : []),
  ];
  const kept = capResults(all);
  const gaps = kept.length < all.length ? [...result.gaps, cappedGap(all.length)] : result.gaps;
  const hashes = findHashes(kept.map(findingIn), input.textOf);

  const driver: ToolComponent = {
    name: tool.name,
    organization: tool.name,
    version: tool.version,
    semanticVersion: tool.version,
    informationUri: homeUrl,
    rules: catalog.entries.map((entry) => describeRule(entry, cwes)),
    notifications: findGapKinds().map(([kind, info]) => ({
      id: gapId(kind),
      name: pascalCase(`gap-${kind}`),
      shortDescription: { text: info.description },
      fullDescription: { text: info.description },
      help: { text: info.help },
    })),
    supportedTaxonomies: [{ name: 'CWE', index: 0 }],
  };
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver },
        automationDetails: { id: `${tool.name}/` },
        columnKind: 'utf16CodeUnits',
        taxonomies: [describeTaxonomy(cwes)],
        invocations: [describeInvocation(gaps)],
        results: kept.map((item) => describeResult(item, input, hashes)),
      },
    ],
  };
}

function describeRule({ meta, page, url }: CatalogEntry, cwes: readonly string[]): ReportingDescriptor {
  const markdown = page.body === '' ? meta.summary : page.body;
  const isSecurity = meta.cwe.length > 0;
  const tags = [
    ...(isSecurity ? ['security', 'memory-safety'] : ['maintainability']),
    ...meta.languages,
    ...meta.cwe.map((cwe) => `external/cwe/${cwe.toLowerCase()}`),
  ];
  return {
    id: meta.id,
    // An id of one word would differ from its name in case only.
    name: pascalCase(meta.id.includes('-') ? meta.id : meta.title.toLowerCase().replaceAll(' ', '-')),
    shortDescription: { text: limit(sentence(meta.title)) },
    fullDescription: { text: limit(meta.summary) },
    help: { text: plainMarkdown(markdown), markdown },
    helpUri: url,
    defaultConfiguration: { level: meta.severity, enabled: meta.maturity === 'stable' },
    relationships: meta.cwe.map((cwe) => ({
      target: { id: cwe, index: cwes.indexOf(cwe), toolComponent: { name: 'CWE', index: 0 } },
      kinds: ['superset'],
    })),
    properties: {
      tags: tags.slice(0, keptTags),
      precision: meta.confidence,
      'problem.severity': meta.severity === 'note' ? 'recommendation' : meta.severity,
      ...(isSecurity ? { 'security-severity': securitySeverity[meta.severity] } : {}),
      audience: meta.audience,
      maturity: meta.maturity,
    },
  };
}

/** CVSS bands as GitHub shows them: high, medium, low. */
const securitySeverity: Readonly<Record<Severity, string>> = { error: '8.1', warning: '6.3', note: '3.1' };

function describeTaxonomy(cwes: readonly string[]): ToolComponent {
  return {
    name: 'CWE',
    organization: 'MITRE',
    version: '4.18',
    informationUri: 'https://cwe.mitre.org/',
    downloadUri: 'https://cwe.mitre.org/data/xml/cwec_latest.xml.zip',
    shortDescription: { text: 'The MITRE Common Weakness Enumeration.' },
    isComprehensive: false,
    taxa: cwes.map((cwe) => ({
      id: cwe,
      helpUri: cweUrl(cwe),
      shortDescription: { text: `${cwe} of the Common Weakness Enumeration.` },
    })),
  };
}

function describeInvocation(gaps: readonly Gap[]): Invocation {
  return {
    executionSuccessful: gaps.every(({ kind }) => kind !== 'internal'),
    toolExecutionNotifications: gaps.map(describeGap),
  };
}

const notificationLevels: Readonly<Partial<Record<GapKind, 'note' | 'error'>>> = {
  'macro-body': 'note',
  'unsupported-syntax': 'note',
  'nothing-to-scan': 'note',
  internal: 'error',
};

function describeGap({ kind, path, line, message }: Gap): Notification {
  return {
    descriptor: { id: gapId(kind), index: findGapKinds().findIndex(([other]) => other === kind) },
    level: notificationLevels[kind] ?? 'warning',
    message: { text: message },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: toUri(path) },
          ...(line === undefined ? {} : { region: { startLine: line } }),
        },
      },
    ],
  };
}

function describeResult(
  item: Finding | SuppressedFinding,
  { catalog, textOf, result }: ReportInput,
  hashes: ReadonlyMap<string, ReadonlyMap<number, string>>,
): Result {
  const finding = findingIn(item);
  const { location } = finding;
  const others = finding.steps.filter((step) => !startsAt(step, location));
  const related = relatedFindings(finding, result);
  const hash = hashes.get(location.path)?.get(location.startLine);
  return {
    ruleId: finding.ruleId,
    ruleIndex: catalog.ids.indexOf(finding.ruleId),
    level: finding.severity,
    message: { text: messageWithLinks(finding, others, related) },
    locations: [{ physicalLocation: withSnippet(location, textOf(location.path)) }],
    ...(finding.steps.length < 2
      ? {}
      : { codeFlows: [{ threadFlows: [{ locations: finding.steps.map(describeStep) }] }] }),
    ...(others.length + related.length === 0
      ? {}
      : {
          relatedLocations: [...others.map(stepLocation), ...related.map(findingLocation)].map((place, index) => ({
            id: index + 1,
            ...place,
          })),
        }),
    partialFingerprints: {
      ...(hash === undefined ? {} : { primaryLocationLineHash: hash }),
      'lifetimeLint/v1': finding.fingerprint,
    },
    ...(finding === item
      ? {}
      : { suppressions: [{ kind: isInSource(item) ? 'inSource' : 'external', justification: reasonOf(item) }] }),
    rank: ranks[finding.confidence],
    properties: propertiesOf(finding),
  };
}

const ranks: Readonly<Record<Confidence, number>> = { high: 90, medium: 60, low: 30 };

function propertiesOf(finding: Finding): Record<string, unknown> {
  const { messageId, confidence, audience, unit, manifest, targets, reachableFrom, fixedIn, evidence, related } =
    finding;
  return {
    messageId,
    confidence,
    audience,
    unit,
    ...(manifest === undefined ? {} : { manifest }),
    ...(targets === undefined ? {} : { targets }),
    ...(reachableFrom === undefined ? {} : { reachableFrom }),
    ...(fixedIn === undefined ? {} : { fixedIn }),
    ...(related === undefined ? {} : { related }),
    ...(evidence === undefined ? {} : { evidence }),
  };
}

/** The message, its evidence, and one link per related location; brackets in the text itself are escaped. */
function messageWithLinks(finding: Finding, others: readonly Step[], related: readonly Finding[]): string {
  const evidence = (finding.evidence ?? []).map((item) => ` ${describeEvidence(item)}`).join('');
  const links = others.map(({ role }, index) => `[${role}](${index + 1})`).join(', ');
  const also = related.map(({ ruleId }, index) => `[${ruleId}](${others.length + index + 1})`).join(', ');
  const path = links === '' ? '' : ` Path: ${links}.`;
  return escapeLinks(finding.message + evidence) + path + (also === '' ? '' : ` See also: ${also}.`);
}

function escapeLinks(text: string): string {
  return text.replace(/[\\[\]]/gu, '\\$&');
}

function describeStep(step: Step): ThreadFlowLocation {
  return { location: stepLocation(step), kinds: [step.role], importance: 'essential' };
}

function stepLocation(step: Step): SarifLocation {
  const { path, line, column, endColumn = column + 1 } = step;
  const location = { path, startLine: line, startColumn: column, endLine: line, endColumn };
  return { physicalLocation: physicalLocation(location), message: { text: escapeLinks(`${step.role}: ${step.note}`) } };
}

function findingLocation({ ruleId, message, location }: Finding): SarifLocation {
  return { physicalLocation: physicalLocation(location), message: { text: escapeLinks(`${ruleId}: ${message}`) } };
}

function physicalLocation({ path, ...region }: Location): PhysicalLocation {
  return { artifactLocation: { uri: toUri(path) }, region };
}

/** The place with the text of its region, for viewers that have no access to the source. */
function withSnippet(location: Location, source: string | undefined): PhysicalLocation {
  const place = physicalLocation(location);
  if (source === undefined) return place;
  const lines = source.split(/\r\n|\r|\n/u).slice(location.startLine - 1, location.endLine);
  const last = lines.length - 1;
  lines[last] = (lines[last] ?? '').slice(0, location.endColumn - 1);
  lines[0] = (lines[0] ?? '').slice(location.startColumn - 1);
  const text = lines.join('\n');
  return text === ''
    ? place
    : { ...place, region: { ...place.region, snippet: { text: text.slice(0, snippetLimit) } } };
}

/** A base-relative path as a relative URI reference. */
export function toUri(path: string): string {
  const encoded = path.split('/').map((part) => encodeURIComponent(part));
  // A first segment with a colon would read as a scheme; encodeURIComponent has already turned it into %3A.
  return encoded.join('/');
}

function findHashes(
  findings: readonly Finding[],
  textOf: ReportInput['textOf'],
): ReadonlyMap<string, ReadonlyMap<number, string>> {
  const wanted = new Map<string, Set<number>>();
  for (const { location } of findings) {
    const lines = wanted.get(location.path) ?? new Set<number>();
    lines.add(location.startLine);
    wanted.set(location.path, lines);
  }
  return new Map([...wanted].map(([path, lines]) => [path, findLineHashes(textOf(path) ?? '', lines)]));
}

/** The most severe and certain results up to the limit, in their old order. */
function capResults(all: readonly (Finding | SuppressedFinding)[]): readonly (Finding | SuppressedFinding)[] {
  if (all.length <= keptResults) return all;
  const weight: Readonly<Record<Severity, number>> = { error: 200, warning: 100, note: 0 };
  const worst = [...all].sort((a, b) => weightOf(b) - weightOf(a)).slice(0, keptResults);
  const chosen = new Set(worst);
  return all.filter((item) => chosen.has(item));

  function weightOf(item: Finding | SuppressedFinding): number {
    const { severity, confidence } = findingIn(item);
    return weight[severity] + ranks[confidence];
  }
}

function cappedGap(total: number): Gap {
  return {
    kind: 'limit',
    path: '.',
    message: `${total - keptResults} of ${total} findings were left out of this file, because GitHub keeps ${keptResults}; the most severe are in it, and --format json has all.`,
  };
}

function findingIn(item: Finding | SuppressedFinding): Finding {
  return 'finding' in item ? item.finding : item;
}

function isInSource(item: Finding | SuppressedFinding): boolean {
  return 'by' in item && item.by === 'comment';
}

function reasonOf(item: Finding | SuppressedFinding): string {
  return 'reason' in item ? item.reason : '';
}

function startsAt(step: Step, location: Location): boolean {
  return step.path === location.path && step.line === location.startLine && step.column === location.startColumn;
}

function gapId(kind: GapKind): string {
  return `gap/${kind}`;
}

function pascalCase(id: string): string {
  return id.replace(/(?:^|-)([a-z])/gu, (_dash, letter: string) => letter.toUpperCase());
}

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`;
}

function limit(text: string): string {
  return text.length <= descriptionLimit ? text : `${text.slice(0, descriptionLimit - 1)}…`;
}

function compareCwe(a: string, b: string): number {
  return Number(a.slice(4)) - Number(b.slice(4));
}
