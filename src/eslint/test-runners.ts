import { basename } from 'node:path';

export type Runner = 'vitest' | 'jest' | 'mocha' | 'ava' | 'tap' | 'node';

/** The test runner whose configuration a file is, by its name. */
export function runnerOf(file: string): Runner | 'manifest' | undefined {
  const name = basename(file);
  if (name === 'package.json') return 'manifest';
  if (
    /^(?:vitest|vite)\.(?:[\w-]+\.)*(?:config|workspace|projects)(?:\.[\w-]+)*\.[cm]?[jt]s$|^(?:vitest|vite)\.config\b/u.test(
      name,
    )
  )
    return 'vitest';
  if (/^jest\.(?:[\w-]+\.)*config(?:\.[\w-]+)*\.(?:[cm]?[jt]s|json)$/u.test(name)) return 'jest';
  if (/^\.mocharc\.(?:c?js|mjs|json|jsonc)$/u.test(name)) return 'mocha';
  if (name === 'node.config.json') return 'node';
  return /^ava\.config\.[cm]?js$/u.test(name) ? 'ava' : undefined;
}
