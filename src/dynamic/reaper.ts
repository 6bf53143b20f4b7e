import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';

/**
 * What must not outlive this process: a process group (`g:PID`), every process that carries a mark in its environment
 * (`m:NAME=VALUE`, Linux only), a folder of ours (`f:PATH`, by its name).
 */
export type Charge = `g:${number}` | `m:${string}` | `f:${string}`;

/**
 * Reads lines until the other end closes, each the whole list of charges with tabs between them, and then ends what the last one
 * names. A shell is there wherever this runs, and takes no memory to speak of.
 */
const script = `trap '' HUP INT TERM
set -f
charges=
while IFS= read -r line; do charges=$line; done
IFS='\t'
for charge in $charges; do
  case $charge in g:*) kill -9 -- "-\${charge#g:}" ;; esac
done
for charge in $charges; do
  case $charge in m:*)
    for round in 1 2 3; do
      set +f; set -- /proc/[0-9]*/environ; set -f
      IFS='
'
      for file in $(grep -lsaF -e "\${charge#m:}" "$@"); do
        pid=\${file#/proc/}
        kill -9 "\${pid%/environ}"
      done
    done ;;
  esac
done
IFS='\t'
for charge in $charges; do
  case $charge in f:*/lifetime-lint-* | f:*.staging-[0-9]*) rm -rf -- "\${charge#f:}" || { sleep 1; rm -rf -- "\${charge#f:}"; } ;; esac
done
`;

const charges = new Set<Charge>();
let shell: ChildProcess | undefined;

/** Starts the shell with the first charge. It holds no terminal, no folder and no environment of ours, and keeps nobody waiting. */
function start(): ChildProcess {
  const started = spawn('/bin/sh', ['-c', script], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
  });
  started.unref();
  if (started.stdin instanceof Socket) started.stdin.unref();
  // Without it the runs go on; only a sudden end of this process would leave something behind.
  started.on('error', () => undefined);
  started.stdin?.on('error', () => undefined);
  return started;
}

function tell(): void {
  if (process.platform === 'win32') return;
  shell ??= start();
  shell.stdin?.write(`${[...charges].join('\t')}\n`);
}

/**
 * Makes sure that something ends with this process even when it is killed. Nothing happens on Windows.
 *
 * @returns to be called when it has ended, or has been deleted, in the ordinary way
 */
export function entrust(charge: Charge): () => void {
  // A path that the list cannot hold is left to the ordinary way.
  if (/[\t\n]/.test(charge)) return () => undefined;
  charges.add(charge);
  tell();
  return () => {
    if (charges.delete(charge)) tell();
  };
}
