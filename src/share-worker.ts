import { parentPort, workerData } from 'node:worker_threads';
import { scanUnit } from './engine/scan-unit.js';
import { shareOf } from './engine/shares.js';
import { expectSource } from './parsers/tree.js';
import { rules } from './rules/index.js';
import type { ShareInput, ShareResult } from './scan-shares.js';

// The parent of this file is src/scan-shares.ts, which passes exactly this shape.
const input = workerData as ShareInput;
const asked = new Set(input.asked);
const wanted = new Set(input.ruleIds);

expectSource(input.size);
const { drafts, gaps, perRule, commented, parsed } = await scanUnit({
  base: input.base,
  unit: { root: input.root, files: input.files, asked: (path) => asked.has(path) },
  listing: input.listing,
  rules: rules.filter(({ meta }) => wanted.has(meta.id)),
  targets: input.targets,
  native: input.native,
  isFiltered: true,
  share: shareOf(input.parts, input.index),
  onFile: () => undefined,
});
const result: ShareResult = { drafts, gaps, perRule, commented, parsed };
parentPort?.postMessage(result);
