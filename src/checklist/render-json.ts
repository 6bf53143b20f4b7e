import type { Checklist } from './checklist.js';
import { verdictOf } from './words.js';

/** The whole list as JSON, uncut: `{ schema: 1, summary, scope?, entries, gaps, gone }`. */
export function renderJson(list: Checklist): string {
  return `${JSON.stringify({ schema: 1, summary: verdictOf(list), ...list }, null, 2)}\n`;
}
