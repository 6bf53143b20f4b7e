import { formatPercent, wilsonInterval } from '../statistics.js';
import type { MinimiseResult, Observed } from './index.js';

/** What a reader of the reproduction needs: how to run it, what was seen, and what it does not claim. */
export function renderReadme(
  title: string,
  result: Omit<MinimiseResult, 'folder' | 'files'>,
  observed: Observed,
  install: boolean,
): string {
  const [low, high] = wilsonInterval(result.hits, result.runs);
  const lines = [
    `# ${title}`,
    '',
    `A stand-alone reproduction of a native crash; it needs ${result.command.startsWith('node ') ? 'Node and nothing else' : 'nothing but what is here'}.`,
    '',
    '```sh',
    ...(install ? ['npm install --ignore-scripts'] : []),
    result.command,
    '```',
    '',
    `It crashed in ${result.hits} of ${result.runs} runs (${formatPercent(low)} to ${formatPercent(high)} at 95 %) on ${observed.platform} with Node ${observed.node}. A run that does not crash ends with exit code 0, so repeat it:`,
    '',
    '```sh',
    `for i in $(seq 20); do ${result.command} || echo "run $i: exit code $?"; done`,
    '```',
    '',
    '## What was observed',
    '',
    `- Class: ${observed.class} (${observed.detail}).`,
    ...(result.workers === undefined ? [] : [`- Workers: ${result.workers}, the fewest that crash at a useful rate.`]),
    ...(result.calls === undefined ? [] : [`- Calls: ${result.calls}, the fewest that crash at a useful rate.`]),
    ...(observed.lines.length === 0 ? [] : ['', '```', ...observed.lines, '```']),
    '',
    'A crash ends the process by a signal, or with exit code 128 + its number where a shell is in between (139 is SIGSEGV, 134 SIGABRT, 132 SIGILL); on Windows with a status such as -1073741819 (0xC0000005, access violation) or -1073740940 (0xC0000374, heap corruption). One bug may show as several of these.',
  ];
  if (result.notes.length > 0) lines.push('', ...result.notes.map((note) => `- ${note}`));
  return `${lines.join('\n')}\n`;
}
