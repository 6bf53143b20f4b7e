/** What a command may touch of its process, so that tests can run it without one. */
export interface Io {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Output;
  readonly stderr: Output;
}

interface Output {
  write(text: string): void;
  readonly isTTY: boolean;
  /** Width of the terminal, when it is one. */
  readonly columns: number | undefined;
}

/** The real process. */
export function processIo(): Io {
  const wrap = (stream: NodeJS.WriteStream): Output => ({
    write: (text) => void stream.write(text),
    get isTTY() {
      return stream.isTTY === true;
    },
    get columns() {
      return stream.columns;
    },
  });
  return { cwd: process.cwd(), env: process.env, stdout: wrap(process.stdout), stderr: wrap(process.stderr) };
}

/** Whether to use colours: the flag first, then NO_COLOR, FORCE_COLOR, and at last whether somebody looks. */
export function wantsColor(flag: boolean | undefined, { env, stdout }: Io): boolean {
  if (flag !== undefined) return flag;
  if ((env['NO_COLOR'] ?? '') !== '') return false;
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined && forced !== '') return forced !== '0' && forced !== 'false';
  return stdout.isTTY && env['TERM'] !== 'dumb';
}

/** Width for text that wraps or is clipped. */
export function widthOf({ env, stdout }: Io): number {
  const written = Number.parseInt(env['COLUMNS'] ?? '', 10);
  return stdout.columns ?? (written > 0 ? written : 120);
}
