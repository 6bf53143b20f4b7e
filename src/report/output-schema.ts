import * as v from 'valibot';

/**
 * The JSON format as a schema. `schema/output.schema.json` is generated from it; nothing in a run loads it.
 * Objects are open: a later version of the same schema number may add keys.
 */
const line = v.pipe(v.number(), v.integer(), v.minValue(1));
const severity = v.picklist(['note', 'warning', 'error']);
const confidence = v.picklist(['low', 'medium', 'high']);
const role = v.picklist([
  'declare',
  'acquire',
  'borrow',
  'enable',
  'load',
  'grow',
  'escape',
  'suspend',
  'release',
  'use',
]);

const location = v.pipe(
  v.object({ path: v.string(), startLine: line, startColumn: line, endLine: line, endColumn: line }),
  v.description('1-based lines and columns; columns count UTF-16 code units; the end is exclusive.'),
);

const step = v.object({
  role,
  path: v.string(),
  line,
  column: line,
  endColumn: v.optional(line),
  note: v.string(),
});

const evidence = v.object({
  verdict: v.picklist(['confirmed', 'not-reproduced', 'not-run']),
  reason: v.optional(v.string()),
  scenario: v.optional(v.string()),
  amplifier: v.optional(v.string()),
  runs: v.optional(v.number()),
  hits: v.optional(v.number()),
  excludedRate: v.optional(v.number()),
  rate: v.optional(v.tuple([v.number(), v.number()])),
  crashClass: v.optional(v.string()),
  attributed: v.optional(v.boolean()),
  cause: v.optional(v.string()),
  refutes: v.optional(v.string()),
  platform: v.optional(v.string()),
  artifacts: v.optional(v.array(v.string())),
  lines: v.optional(v.array(v.string())),
});

const finding = v.object({
  fingerprint: v.pipe(v.string(), v.description('Survives moved lines; the key of baselines and evidence.')),
  ruleId: v.string(),
  messageId: v.string(),
  message: v.string(),
  severity,
  confidence,
  audience: v.picklist(['everyone', 'audit']),
  unit: v.pipe(v.string(), v.description("Folder whose facts belong together; '' is the base.")),
  manifest: v.optional(v.string()),
  location,
  steps: v.array(step),
  targets: v.optional(v.array(v.string())),
  reachableFrom: v.optional(v.array(v.object({ rust: v.string(), js: v.string() }))),
  fixedIn: v.optional(v.string()),
  evidence: v.optional(v.array(evidence)),
  related: v.optional(v.array(v.string())),
});

const gap = v.object({
  kind: v.picklist([
    'parse-error',
    'macro-body',
    'unsupported-syntax',
    'manifest',
    'unreadable',
    'too-large',
    'binary',
    'vanished',
    'limit',
    'missing-dependency',
    'nothing-to-scan',
    'not-run',
    'internal',
  ]),
  path: v.string(),
  line: v.optional(line),
  message: v.string(),
});

export const outputSchema = v.object({
  schema: v.literal(1),
  tool: v.object({ name: v.string(), version: v.string() }),
  base: v.pipe(v.string(), v.description('Absolute folder to which every path is relative.')),
  findings: v.array(finding),
  gaps: v.array(gap),
  suppressed: v.array(
    v.object({ finding, by: v.picklist(['comment', 'configuration', 'baseline']), reason: v.string() }),
  ),
  stats: v.object({
    files: v.number(),
    parsed: v.number(),
    milliseconds: v.number(),
    perRule: v.pipe(v.record(v.string(), v.number()), v.description('Milliseconds spent in each rule.')),
  }),
});
