import type { Catalog } from '../catalog/catalog.js';
import type { ScanResult } from '../model/finding.js';

export interface ReportInput {
  readonly result: ScanResult;
  readonly catalog: Catalog;
  readonly tool: { readonly name: string; readonly version: string };
  /** The text of a file by its base-relative path; undefined when it can't be read any more. */
  readonly textOf: (path: string) => string | undefined;
  readonly options: ReportOptions;
}

export interface ReportOptions {
  readonly color: boolean;
  /** Width of the terminal in columns. */
  readonly columns: number;
  /** Findings only: no gaps, no summary. */
  readonly quiet: boolean;
  /** Suppressed findings too. */
  readonly reportSuppressed: boolean;
  /** Counts and times per rule. */
  readonly statistics: boolean;
}

/** Turns a result into text that ends with a line break, or is empty. */
export type Reporter = (input: ReportInput) => string;
