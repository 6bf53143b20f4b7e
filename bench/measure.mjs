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

/** The run in the middle by CPU time of `runs` runs. */
export async function measureMedian(runs, program, args, options) {
  const results = [];
  for (let i = 0; i < runs; i++) results.push(await measure(program, args, options));
  results.sort((a, b) => a.cpu - b.cpu);
  return results[Math.floor(results.length / 2)];
}
