import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { Log } from 'sarif';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { run } from '../../src/commands/run.js';
import { outputSchema } from '../../src/report/output-schema.js';

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly isTTY?: boolean;
}

/** Runs a command line in this process, in a folder, with an environment of its own. */
export async function callCli(cwd: string, args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  let stdout = '';
  let stderr = '';
  const isTTY = options.isTTY ?? false;
  const code = await run(args, {
    cwd,
    env: options.env ?? {},
    stdout: { write: (text) => void (stdout += text), isTTY, columns: isTTY ? 100 : undefined },
    stderr: { write: (text) => void (stderr += text), isTTY, columns: isTTY ? 100 : undefined },
  });
  return { code, stdout, stderr };
}

/** The output of `--format json`, which must fit its schema. */
export function parseOutput(text: string): v.InferOutput<typeof outputSchema> {
  return v.parse(outputSchema, JSON.parse(text));
}

/** The output of `--format sarif`. */
export function parseSarif(text: string): Log {
  const value: Log = JSON.parse(text);
  return value;
}

const folders: string[] = [];
process.on('exit', () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A folder with files, outside any repository; removed when the process ends. */
export function makeFolder(files: Readonly<Record<string, string>>): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'lifetime-lint-cli-')));
  folders.push(folder);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** A D module with one `pointer-into-growable` on line 7. */
export const hazard = `module pool;

struct Pool {
    private Job[] jobs;

    Job* next() {
        return &jobs[0];
    }

    void add(Job job) {
        jobs ~= job;
    }
}

struct Job {
    int id;
}
`;

/** A D module without a finding. */
export const harmless = 'module harmless;\n\nint twice(int x) {\n    return x * 2;\n}\n';
