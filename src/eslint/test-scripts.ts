/** What a package.json script does to the tests of an addon. */
export interface ScriptVerdict {
  readonly effect: 'serial' | 'batches' | 'forcedExit' | 'ignoredStatus';
  readonly runner: string;
  /** How often the runner is started, for `batches`. */
  readonly count: number;
  /** The flag as written, for `serial` and `forcedExit`. */
  readonly flag: string;
}

const runners = ['vitest', 'jest', 'mocha', 'ava', 'tap', 'node --test'];

const serialFlags: Readonly<Record<string, RegExp>> = {
  vitest:
    /--(?:poolOptions\.\w+\.single(?:Thread|Fork)|single-?[tT]hread|no-file-parallelism|no-threads-parallelism|fileParallelism[= ]false|max-?[wW]orkers[= ]1\b|poolOptions\.\w+\.max(?:Threads|Forks)[= ]1\b)(?:=true)?(?![=\w])|\bVITEST_MAX_(?:THREADS|FORKS|WORKERS)=1\b/u,
  jest: /(?:--runInBand|--run-in-band|(?<=\s)-i(?=\s|$)|--max-?[wW]orkers[= ]1\b|(?<=\s)-w[= ]?1\b)/u,
  mocha: /--jobs[= ]1\b|(?<=\s)-j[= ]1\b/u,
  tap: /--jobs[= ]1\b|(?<=\s)-j[= ]?1\b/u,
  'node --test': /--test-concurrency[= ]1\b|--(?:experimental-)?test-isolation[= ]none\b/u,
  ava: /--serial\b|(?<=\s)-s(?=\s|$)|--concurrency[= ]1\b|(?<=\s)-c[= ]1\b/u,
};

const exitFlags: Readonly<Record<string, RegExp>> = {
  jest: /--force-?[eE]xit\b/u,
  mocha: /--exit\b/u,
  'node --test': /--test-force-exit\b/u,
};

/**
 * Reads one script command. Runs that differ in more than what they select (a configuration, a project, a folder to run
 * in, a browser, coverage) are not batches of one test suite.
 */
export function judgeScript(command: string): ScriptVerdict | undefined {
  const parts = splitCommand(command);
  for (const runner of runners) {
    const own = parts.filter((part) => startsRunner(part, runner));
    const [first] = own;
    if (first === undefined) continue;
    const flag = own.map((part) => serialFlags[runner]?.exec(part)?.[0]).find((each) => each !== undefined);
    if (flag !== undefined) return { effect: 'serial', runner, count: own.length, flag: flag.trim() };
    const forced = own.map((part) => exitFlags[runner]?.exec(part)?.[0]).find((each) => each !== undefined);
    if (forced !== undefined) return { effect: 'forcedExit', runner, count: own.length, flag: forced };
    if (own.length > 1 && command.includes('&&') && own.every((part) => selectsTests(part, runner))) {
      return { effect: 'batches', runner, count: own.length, flag: '' };
    }
    if (/(?:\|\||;)\s*(?:true|:|exit 0)\s*$|\|\|\s*(?:echo|printf)\b[^&|]*$/u.test(command))
      return { effect: 'ignoredStatus', runner, count: own.length, flag: '' };
  }
  return undefined;
}

const variable = `\\w+=(?:'[^']*'|"[^"]*"|[^\\s'"])*\\s+`;
const option = `--?[\\w-]+(?:=(?:'[^']*'|"[^"]*"|[^\\s'"])*)?\\s+`;
const starter = 'npx|pnpm|yarn|bunx|dlx|c8|nyc|cross-env|env|exec|run|node|tsx|dotenv|xvfb-run|--';

/** `vitest …`, also behind `npx`, `cross-env A=b`, `node --flag node_modules/.bin/`; `node … --test`. */
function startsRunner(part: string, runner: string): boolean {
  const before = `^(?:${variable})*(?:(?:${starter})\\s+(?:${variable}|${option})*)*`;
  return runner === 'node --test'
    ? new RegExp(`^(?:${variable})*(?:(?:${starter})\\s+(?:${variable}|${option})*)*--test(?=\\s|$)`, 'u').test(part)
    : new RegExp(`${before}(?:\\S*/)?${runner}(?:\\.[cm]?js)?(?=\\s|$)`, 'u').test(part);
}

function selectsTests(part: string, runner: string): boolean {
  if (
    /--(?:config|project|dir|root|browser|workspace|typecheck|environment|selectProjects)\b|(?<=\s)-(?:c|r)\s/u.test(
      part,
    )
  )
    return false;
  const rest = part.slice(part.indexOf(runner) + runner.length).trim();
  const words = rest.split(/\s+/u).filter((word) => word !== '' && word !== 'run' && word !== 'watch');
  return (
    words.some((word) => !word.startsWith('-')) || /(?:^|\s)(?:-t|--testNamePattern|--grep|-g|--match|-m)\b/u.test(rest)
  );
}

/** The commands of a line, cut at `&&`, `||`, `;` and `|` outside quotes. */
function splitCommand(line: string): readonly string[] {
  const parts: string[] = [''];
  let quote = '';
  for (const character of line) {
    if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === quote) quote = '';
    if (quote === '' && (character === '&' || character === '|' || character === ';')) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}
