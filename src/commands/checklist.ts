import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { readCatalog } from '../catalog/read-catalog.js';
import { assemble } from '../checklist/assemble.js';
import type { Checklist } from '../checklist/checklist.js';
import { createCollector, type BareEntry } from '../checklist/collect-entries.js';
import { readHunks, type Hunk } from '../checklist/diff-hunks.js';
import { renderHtml } from '../checklist/render-html.js';
import { renderJson } from '../checklist/render-json.js';
import { renderMarkdown } from '../checklist/render-markdown.js';
import { readPrevious, type PreviousEntry } from '../checklist/review.js';
import { readBaseline, readConfig } from '../config/read-config.js';
import { resolveInputs } from '../discover/inputs.js';
import { findGitRoot, reasonOf, runGit } from '../discover/list-files.js';
import { readNamedText } from '../discover/read-named-text.js';
import type { Evidence, Finding } from '../model/finding.js';
import { UsageError } from '../model/usage-error.js';
import { rules } from '../rules/index.js';
import { scan } from '../scan.js';
import type { Io } from './io.js';
import { createProgress } from './progress.js';
import { writeOutput } from './output-file.js';

interface ChecklistFlags {
  readonly since?: string;
  readonly changed?: true;
  readonly staged?: true;
  readonly all?: true;
  readonly merge?: string;
  readonly evidence?: string;
  readonly format: 'markdown' | 'json' | 'html';
  readonly outputFile?: string;
  readonly config?: string;
}

export function register(program: Command, io: Io, exit: (code: number) => void): void {
  program
    .command('checklist')
    .description('what a reviewer has to vouch for in changed @trusted and unsafe code')
    .argument('[paths...]', 'files and folders; by default the current folder')
    .option('--since <ref>', 'what changed since the common ancestor with a branch, tag or commit')
    .option('--changed', 'what changed since the last commit (the default)')
    .option('--staged', 'files that are staged, as they are on disk')
    .option('--all', 'every @trusted and unsafe piece, changed or not')
    .option('--merge <file>', 'keep the ticks and justifications of this earlier list in Markdown')
    .option(
      '--evidence <file>',
      "show what the runs of 'verify' or 'repro' in this evidence file said about the findings",
    )
    .addOption(
      new Option('--format <name>', 'markdown, json or html').choices(['markdown', 'json', 'html']).default('markdown'),
    )
    .option('--output-file <file>', 'where it goes, instead of the standard output')
    .option('--config <file>', 'use this configuration file')
    .action(async (paths: string[], flags: ChecklistFlags) => {
      exit(await runChecklist(paths, flags, io));
    });
}

async function runChecklist(paths: readonly string[], flags: ChecklistFlags, io: Io): Promise<number> {
  const chosen = [
    flags.since !== undefined && '--since',
    flags.changed && '--changed',
    flags.staged && '--staged',
    flags.all && '--all',
  ].filter((name) => typeof name === 'string');
  if (chosen.length > 1) throw new UsageError(`The options ${chosen.join(' and ')} exclude each other; give one.`);
  const previous = flags.merge === undefined ? [] : readMerged(resolve(io.cwd, flags.merge), flags.merge);
  const stored = flags.evidence === undefined ? [] : await readRuns(resolve(io.cwd, flags.evidence), flags.evidence);
  const inputs = resolveInputs(paths, io.cwd);
  const catalog = readCatalog();
  const config = await readConfig({
    base: inputs.base,
    cwd: io.cwd,
    paths,
    file: flags.config === undefined ? undefined : resolve(io.cwd, flags.config),
    ruleIds: catalog.ids,
  });
  const changes = flags.all === true ? undefined : readChanges(inputs.base, flags);
  const entries: BareEntry[] = [];
  const collector = createCollector({
    asked: (path) => inputs.units.some((unit) => unit.asked(path)),
    changed: changes?.lines,
    onEntry: (entry) => entries.push(entry),
  });
  const progress = createProgress(io);
  const { result } = await scan({
    inputs,
    config,
    rules: [...rules, collector],
    baseline: readBaseline(config, inputs.base),
    onProgress: progress.update,
  });
  progress.clear();
  const list = assemble(entries, { ...result, findings: withEvidence(result.findings, stored) }, changes, previous);
  writeOutput(
    render(list, flags.format, (id) => catalog.find(id)?.url),
    flags.outputFile,
    io,
  );
  return result.gaps.some(({ kind }) => kind === 'internal') ? 2 : 0;
}

interface StoredRun {
  readonly fingerprint: string;
  readonly evidence: Evidence;
}

/** The results that an evidence file holds. The readers of the dynamic side are loaded only when there is one. */
async function readRuns(file: string, shown: string): Promise<readonly StoredRun[]> {
  if (!existsSync(file))
    throw new UsageError(`The evidence file '${shown}' does not exist; 'lifetime-lint verify --evidence' writes one.`);
  const { fromEntry, readEvidenceFile } = await import('../dynamic/evidence-file.js');
  const read = readEvidenceFile(file);
  if ('error' in read) throw new UsageError(read.error);
  return read.entries.map((entry) => ({ fingerprint: entry.fingerprint, evidence: fromEntry(entry) }));
}

function withEvidence(findings: readonly Finding[], stored: readonly StoredRun[]): readonly Finding[] {
  if (stored.length === 0) return findings;
  return findings.map((finding) => {
    const evidence = stored.filter(({ fingerprint }) => fingerprint === finding.fingerprint).map((run) => run.evidence);
    return evidence.length === 0 ? finding : { ...finding, evidence: [...(finding.evidence ?? []), ...evidence] };
  });
}

function render(list: Checklist, format: ChecklistFlags['format'], linkOf: (id: string) => string | undefined): string {
  if (format === 'json') return renderJson(list);
  return format === 'html' ? renderHtml(list, linkOf) : renderMarkdown(list, linkOf);
}

/** Files that entries and gaps come from: git need not read or compare the others, which a partial clone may lack. */
const concerned = ['*.rs', '*.d', '*.di', '*Cargo.toml', '*Cargo.lock', '*dub.json', '*dub.sdl', '*package.json'];

interface Changes {
  readonly scope: string;
  readonly lines: ReadonlyMap<string, readonly Hunk[]>;
}

/** Changed lines of the files on disk, by path from the repository's root; files that git doesn't know are new as a whole. */
function readChanges(base: string, { since, staged }: ChecklistFlags): Changes {
  if (findGitRoot(base) !== base)
    throw new UsageError(
      `'${base}' is not the root of one git repository, so nothing is known to have changed; use --all.`,
    );
  const git = (args: readonly string[], what: string): string => {
    const run = runGit(base, args);
    if ('why' in run) throw new UsageError(`${what} could not be read from git: ${run.why}.`);
    return run.output;
  };
  const commit = (ref: string): string | undefined => {
    const run = runGit(base, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`]);
    return 'why' in run ? undefined : run.output.trim();
  };
  // Before the first commit everything is new: compare with the empty tree.
  const head = commit('HEAD') ?? git(['hash-object', '-t', 'tree', '/dev/null'], 'The empty tree').trim();
  let from = head;
  if (since !== undefined) {
    const named = commit(since);
    if (named === undefined)
      throw new UsageError(
        `There is no commit '${since}'; give a branch, tag or commit to --since, and fetch it if the clone is shallow.`,
      );
    const shared = runGit(base, ['merge-base', named, head]);
    // Without a common ancestor (a shallow clone) the commit itself is the best there is.
    from = 'why' in shared ? named : shared.output.trim();
  }
  const diff = (): ReadonlyMap<string, readonly Hunk[]> =>
    readHunks(
      git(
        [
          'diff',
          '--no-ext-diff',
          '--no-textconv',
          // What git takes for binary, by a NUL or by an attribute, has changed lines like anything else.
          '--text',
          '--no-color',
          '--unified=0',
          '--inter-hunk-context=0',
          '--find-renames',
          '--ignore-submodules',
          '--no-relative',
          '--src-prefix=a/',
          '--dst-prefix=b/',
          from,
          '--',
          ...concerned,
        ],
        'The changes',
      ),
    );
  if (staged === true) {
    const files = git(
      ['diff', '--cached', '--name-only', '-z', '--diff-filter=d', '--no-relative', head, '--', ...concerned],
      'The staged files',
    )
      .split('\0')
      .filter((path) => path !== '');
    // All files are compared, since a renamed one is found by its old name only.
    const stagedFiles = new Set(files);
    const lines = new Map([...diff()].filter(([path]) => stagedFiles.has(path)));
    return { scope: 'the changes in staged files', lines };
  }
  const lines = new Map(diff());
  const whole: Hunk = { start: 1, end: Number.MAX_SAFE_INTEGER, isRemoval: false };
  for (const path of git(['ls-files', '-z', '--others', '--exclude-standard'], 'The new files').split('\0'))
    if (path !== '') lines.set(path, [whole]);
  return { scope: since === undefined ? 'the changes since the last commit' : `the changes since '${since}'`, lines };
}

function readMerged(file: string, shown: string): readonly PreviousEntry[] {
  let text: string;
  try {
    text = readNamedText(file);
  } catch (error) {
    throw new UsageError(`The earlier list '${shown}' could not be read: ${reasonOf(error)}.`);
  }
  if (text.trim() !== '' && !/^# Lifetime checklist$/mu.test(text) && !text.includes('<!-- lifetime-lint-review:'))
    throw new UsageError(`'${shown}' is not a list that 'lifetime-lint checklist' wrote in Markdown.`);
  return readPrevious(text);
}
