import type { Reporter } from './report.js';

/** Every output format, loaded when it is asked for. */
export const formats = {
  terminal: async () => (await import('./terminal.js')).reportTerminal,
  concise: async () => (await import('./concise.js')).reportConcise,
  json: async () => (await import('./json.js')).reportJson,
  sarif: async () => (await import('./sarif.js')).reportSarif,
  github: async () => (await import('./github.js')).reportGithub,
  gitlab: async () => (await import('./gitlab.js')).reportGitlab,
  rdjson: async () => (await import('./rdjson.js')).reportRdjson,
  junit: async () => (await import('./junit.js')).reportJunit,
  checklist: async () => (await import('./checklist.js')).reportChecklist,
} satisfies Readonly<Record<string, () => Promise<Reporter>>>;

export type FormatName = keyof typeof formats;

export const formatNames: readonly string[] = Object.keys(formats);

export function isFormatName(name: string): name is FormatName {
  return Object.hasOwn(formats, name);
}
