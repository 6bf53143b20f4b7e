import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * Runs a program and tells what it took: CPU seconds (user and system, all threads), wall seconds, and the largest
 * resident set in MB, which is known on Linux only. Its output is thrown away.
 */
export async function measure(program, args, options = {}) {
  // bash's `time` knows the CPU time of a child to its end, which Node does not tell.
  const child = spawn(
    'bash',
    ['-c', 'TIMEFORMAT="%U %S %R"; time "$@" > /dev/null 2> /dev/null', 'bash', program, ...args],
    {
      ...options,
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let output = '';
  child.stderr.on('data', (data) => (output += data));
  let peak = 0;
  const timer = setInterval(() => (peak = Math.max(peak, peakOf(child.pid))), 5);
  const status = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  clearInterval(timer);
  const [user, system, wall] = output.trim().split(/\s+/).map(Number);
  return { cpu: user + system, wall, megabytes: peak === 0 ? undefined : peak / 1024, status };
}

/** High-water mark of the child of a bash, in kB. */
function peakOf(pid) {
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${child}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    // Not Linux, not started yet, or over already.
    return 0;
  }
}

/**
 * Runs commands (program, arguments, options) one after the other, `rounds` times, so that what the machine does beside them in an hour
 * meets all of them alike. For each command its runs, by round.
 */
export async function measureRounds(rounds, commands) {
  const results = commands.map(() => []);
  for (let round = 0; round < rounds; round++)
    for (const [index, [program, args, options]] of commands.entries())
      results[index].push(await measure(program, args, options));
  return results;
}

/** The run in the middle by CPU time. */
export function middleOf(runs) {
  return runs.toSorted((a, b) => a.cpu - b.cpu)[Math.floor(runs.length / 2)];
}

/** The middle of how many times the CPU of the other run of its round a run took. */
export function middleRatio(runs, others) {
  const ratios = runs.map(({ cpu }, round) => cpu / others[round].cpu).sort((a, b) => a - b);
  return ratios[Math.floor(ratios.length / 2)];
}

/** The run in the middle by CPU time of `runs` runs of one command. */
export async function measureMedian(runs, program, args, options) {
  const [results] = await measureRounds(runs, [[program, args, options]]);
  return middleOf(results);
}
