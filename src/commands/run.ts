import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import { nearestName } from '../catalog/nearest-name.js';
import { UsageError } from '../model/usage-error.js';
import { commands, defaultCommand } from './index.js';
import type { Io } from './io.js';
import { readToolInfo } from './tool-info.js';

/**
 * Runs one command line and returns the exit code: what the command decides, 2 for a usage error or a failure of the tool
 * itself, which are told in a sentence on the standard error.
 */
export async function run(args: readonly string[], io: Io): Promise<number> {
  let code = 0;
  const { name, version } = readToolInfo();
  const program = new Command(name)
    .usage('[options] [paths...]\n       lifetime-lint [command]')
    .description(
      'Finds lifetime bugs at the border of a garbage collector: Rust Node-API addons, D sources, and the JavaScript that loads them.',
    )
    .version(version, '-V, --version', 'print the version')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns ?? 100,
      getErrHelpWidth: () => io.stderr.columns ?? 100,
      outputError: (text, write) => write(`${name}: ${sentence(text)}\n`),
    });
  try {
    // Only the module that is called is loaded; the overview needs all of them.
    const [first] = args;
    const called = first !== undefined && Object.hasOwn(commands, first) ? [first] : [];
    const isOverview = first === 'help' || first === '--help' || first === '-h';
    if (first !== undefined) checkWord(first, io);
    if (first === 'help') checkTopic(args[1]);
    const isVersion = first === '--version' || first === '-V';
    const named = called.length > 0 ? called : [defaultCommand];
    const wanted = isVersion ? [] : isOverview ? Object.keys(commands) : named;
    for (const word of wanted) {
      const module = await commands[word]?.();
      module?.register(program, io, (value) => {
        code = value;
      });
    }
    if (isOverview)
      program.addHelpText('after', ({ error }) => `\n${describeScan(program, error ? io.stderr : io.stdout)}`);
    for (const command of program.commands) command.exitOverride().copyInheritedSettings(program);
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof UsageError) {
      for (const line of error.message.split('\n')) io.stderr.write(`${name}: ${line}\n`);
      return 2;
    }
    const denied = describeDenial(error);
    if (denied !== undefined) {
      io.stderr.write(`${name}: ${denied}\n`);
      return 2;
    }
    const text = error instanceof Error ? error.message : String(error);
    io.stderr.write(
      `${name}: It failed with an error of its own (${(text.split('\n')[0] ?? '').replace(/\.$/u, '')}); please report it.\n`,
    );
    if (error instanceof Error && (io.env['LIFETIME_LINT_DEBUG'] ?? '') !== '')
      io.stderr.write(`${error.stack ?? ''}\n`);
    return 2;
  }
}

/** What a Node that was started with `--permission` refused, as a sentence; undefined for any other error. */
function describeDenial(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'ERR_ACCESS_DENIED') return undefined;
  const resource = 'resource' in error && error.resource !== '' ? ` of '${String(error.resource)}'` : '';
  const permission = 'permission' in error ? `'${String(error.permission)}'` : 'something';
  return `The permissions that Node was started with deny ${permission}${resource}, which is needed; allow it.`;
}

/** The options of the command that is meant when none is named, for the overview. */
function describeScan(program: Command, { columns }: Io['stdout']): string {
  const scan = program.commands.find((command) => command.name() === defaultCommand);
  if (scan === undefined) return '';
  const help = scan.createHelp();
  help.prepareContext({ helpWidth: columns ?? 100 });
  const options = help.visibleOptions(scan).filter(({ long }) => long !== '--help');
  const width = Math.max(...options.map((option) => help.optionTerm(option).length));
  const lines = options.map((option) =>
    help.formatItem(help.optionTerm(option), width, help.optionDescription(option), help),
  );
  return `Options of '${defaultCommand}', which is what runs when no command is named:\n${lines.join('\n')}`;
}

/** A word that is neither a command nor a path, and close to a command, is a mistyped one. */
function checkWord(word: string, io: Io): void {
  if (!/^[a-z]+$/u.test(word) || word === 'help' || Object.hasOwn(commands, word) || existsSync(resolve(io.cwd, word)))
    return;
  const nearest = nearestName(word, Object.keys(commands));
  if (nearest === undefined) return;
  throw new UsageError(`There is no path and no command '${word}'; the nearest command is '${nearest}'.`);
}

/** What help is asked for must be a command; Commander would print the overview as an error. */
function checkTopic(word: string | undefined): void {
  if (word === undefined || word === '' || word.startsWith('-') || word === 'help' || Object.hasOwn(commands, word))
    return;
  const nearest = nearestName(word, Object.keys(commands));
  const hint = nearest === undefined ? "'lifetime-lint help' lists them" : `the nearest is '${nearest}'`;
  throw new UsageError(`There is no command '${word}'; ${hint}.`);
}

/** Commander's `error: unknown option '--x'` as a sentence. */
function sentence(text: string): string {
  const plain = text
    .replace(/^error: /u, '')
    .trim()
    .split('\n')
    .join(' ');
  return `${plain.slice(0, 1).toUpperCase()}${plain.slice(1)}${/[.?!)]$/u.test(plain) ? '' : '.'}`;
}
