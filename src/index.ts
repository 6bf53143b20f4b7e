/** The public API: scan paths, read the catalog, and turn a result into text. */
import { readCatalog } from './catalog/read-catalog.js';
import type { Config } from './config/config.js';
import { readBaseline, readConfig } from './config/read-config.js';
import { resolveInputs } from './discover/inputs.js';
import { rules } from './rules/index.js';
import { scan, type Scan, type ScanStep } from './scan.js';

export type { Catalog, CatalogEntry } from './catalog/catalog.js';
export type { Config, RuleLevel } from './config/config.js';
export { defaultConfig } from './config/config.js';
export { readCatalog } from './catalog/read-catalog.js';
export type * from './model/finding.js';
export type { RuleMeta } from './model/rule.js';
export { UsageError } from './model/usage-error.js';
export { formats, type FormatName } from './report/formats.js';
export type { Reporter, ReportInput, ReportOptions } from './report/report.js';
export type { Scan, ScanStep } from './scan.js';

export interface ScanOptions {
  /** Absolute folder that relative paths start from; by default the current one. */
  readonly cwd?: string;
  /** Keys that replace those of the configuration file. */
  readonly config?: Partial<Config>;
  readonly onProgress?: (step: ScanStep) => void;
}

/**
 * Scans files and folders with the configuration found beside them. Throws a `UsageError` for paths that do not exist and for a
 * configuration that is wrong; everything else that could not be read is a gap of the result.
 */
export async function scanPaths(paths: readonly string[], options: ScanOptions = {}): Promise<Scan> {
  const cwd = options.cwd ?? process.cwd();
  const inputs = resolveInputs(paths, cwd);
  const found = await readConfig({ base: inputs.base, cwd, paths, ruleIds: readCatalog().ids });
  const config = { ...found, ...options.config };
  const { onProgress } = options;
  return scan({
    inputs,
    config,
    rules,
    baseline: readBaseline(config, inputs.base),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
}
