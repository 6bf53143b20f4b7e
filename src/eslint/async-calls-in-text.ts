import type { NativeModules } from './native-modules.js';
import { nativeLoadsIn } from './worker-files.js';

export interface TextCall {
  /** The callee as written. */
  readonly callee: string;
  /** 1-based. */
  readonly line: number;
  readonly column: number;
}

/**
 * Calls of native functions whose result a file awaits, chains or discards, by the text alone: the worker's file is not the
 * one that is being linted, so there is no syntax tree of it.
 */
export function asyncCallsInText(modules: NativeModules, file: string, text: string): readonly TextCall[] {
  const found: TextCall[] = [];
  for (const { specifier, module } of nativeLoadsIn(modules, file, text)) {
    for (const { local, exported } of localNames(text, specifier)) {
      const call = exported === undefined ? `${escape(local)}(?:\\s*\\??\\.\\s*[\\w$.]+)?` : escape(local);
      const pattern = new RegExp(
        `\\b(?:await|void)\\s+(?:new\\s+)?(${call})\\s*\\(|\\b(${call})\\s*\\([^;\\n]*\\)\\s*\\.(?:then|catch|finally)\\b`,
        'gu',
      );
      for (const match of text.matchAll(pattern)) {
        const callee = (match[1] ?? match[2] ?? '').replace(/\s+/gu, '');
        const name = callee.split('.').at(-1) ?? callee;
        const declared = module.declarations()?.functions.get(exported ?? name);
        if (declared === false) continue;
        const before = text.slice(0, match.index);
        found.push({
          callee,
          line: before.split('\n').length,
          column: match.index - (before.lastIndexOf('\n') + 1) + 1,
        });
      }
    }
  }
  return found;
}

interface LocalName {
  readonly local: string;
  /** The exported name; undefined for the whole module. */
  readonly exported: string | undefined;
}

function localNames(text: string, specifier: string): readonly LocalName[] {
  const quoted = `['"]${escape(specifier)}['"]`;
  const loaded = `(?:await\\s+import|require)\\(\\s*${quoted}\\s*\\)`;
  const names: LocalName[] = [];
  const heads = [
    ...text.matchAll(new RegExp(`\\bimport\\s+([\\w$*{}\\s,]+?)\\s+from\\s+${quoted}`, 'gu')),
    ...text.matchAll(new RegExp(`\\b(?:const|let|var)\\s+(\\{[^}]*\\}|[\\w$]+)\\s*=\\s*${loaded}`, 'gu')),
  ];
  for (const [, head = ''] of heads) {
    const braces = /\{([^}]*)\}/u.exec(head)?.[1];
    for (const part of (braces ?? '').split(',')) {
      const [exported, local] = part.split(/\s+as\s+|:/u).map((each) => each.trim());
      if (exported !== undefined && exported !== '') names.push({ local: local ?? exported, exported });
    }
    const whole = /^(?:\*\s+as\s+)?([\w$]+)/u.exec(head.trim())?.[1];
    if (whole !== undefined) names.push({ local: whole, exported: undefined });
  }
  return names;
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/gu, '\\$&');
}
