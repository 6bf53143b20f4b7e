import { resolve } from 'node:path';
import type { ReproOptions } from '../reproduce.js';
import { describeSettings, runSettings } from '../single-plan.js';
import type { BoundaryChange } from './boundary-change.js';
import { compareCommits } from './commit-boundary.js';
import { createCommitTester, findCommits, runGit } from './commits.js';
import { comparePackages } from './package-boundary.js';
import { createPackageTester } from './package-tester.js';
import type { Tester } from './tester.js';
import { findVersions } from './versions.js';

/** What the user asked to bisect, checked for form only. */
export type HistoryRequest =
  | {
      readonly kind: 'package';
      readonly package: string;
      readonly good: string;
      readonly bad: string;
      readonly list?: readonly string[];
      readonly prereleases: boolean;
      readonly firstGood: boolean;
    }
  | {
      readonly kind: 'commits';
      readonly range?: string;
      readonly list?: readonly string[];
      readonly firstGood: boolean;
      readonly build?: string;
      readonly buildTimeoutMs: number;
      readonly run: { readonly command: string } | { readonly path: string };
    };

/** A history that is ready to be bisected. */
export interface History {
  readonly target: string;
  readonly scenario: string;
  /** The good end first, whichever is older. */
  readonly versions: readonly string[];
  readonly left: readonly { readonly version: string; readonly reason: string }[];
  /** Longer names for people. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly tester: Tester;
  /** What changed between two versions, by position: the older first. */
  boundary(older: number, newer: number): Promise<readonly BoundaryChange[]>;
  /** What the report has to say beside its own findings, known after {@link boundary}. */
  readonly notes: readonly string[];
  close(): Promise<void>;
}

interface Failure {
  readonly error: string;
}

export interface HistoryContext {
  readonly cwd: string;
  readonly options: ReproOptions;
  readonly allowScripts: boolean;
  readonly signal?: AbortSignal;
  readonly onStep?: (text: string) => void;
}

/** Lists the versions or commits between the ends and makes the tester that runs them. */
export function openHistory(request: HistoryRequest, context: HistoryContext): Promise<History | Failure> {
  return request.kind === 'package' ? openPackage(request, context) : openCommits(request, context);
}

/** Where it broke, the old end is the good one; where it was fixed, the new end is. */
function goodFirst(oldestFirst: readonly string[], firstGood: boolean): readonly string[] {
  return firstGood ? oldestFirst.toReversed() : oldestFirst;
}

async function openPackage(
  request: Extract<HistoryRequest, { kind: 'package' }>,
  context: HistoryContext,
): Promise<History | Failure> {
  const [from, to] = request.firstGood ? [request.bad, request.good] : [request.good, request.bad];
  const found =
    request.list === undefined
      ? await findVersions(
          { package: request.package, from, to, prereleases: request.prereleases },
          context.cwd,
          context.signal,
        )
      : { versions: request.list, left: [] };
  if ('error' in found) return found;
  if (found.versions.length < 2) {
    return {
      error: request.firstGood
        ? `'${request.bad}' is not older than '${request.good}'; with --first-good the bad version is the older one.`
        : `'${request.good}' is not older than '${request.bad}'; add --first-good to ask where it was fixed.`,
    };
  }
  const versions = goodFirst(found.versions, request.firstGood);
  const settings = runSettings(context.options);
  const tester = createPackageTester({
    package: request.package,
    versions,
    settings,
    allowScripts: context.allowScripts,
    ...(context.signal === undefined ? {} : { signal: context.signal }),
    ...(context.onStep === undefined ? {} : { onStep: context.onStep }),
  });
  const notes: string[] = [];
  const installed = async (index: number): Promise<{ root: string; packageFolder: string } | undefined> => {
    if (!tester.isPrepared(index)) await tester.prepare(index);
    const target = tester.targetOf(index);
    return target?.packageFolder === undefined ? undefined : { root: target.root, packageFolder: target.packageFolder };
  };
  return {
    target: request.package,
    scenario: describeSettings(settings),
    versions,
    left: found.left,
    tester,
    async boundary(older, newer) {
      const [before, after] = [await installed(older), await installed(newer)];
      if (before !== undefined && after !== undefined) return comparePackages(before, after);
      notes.push('What changed between the two could not be read: one of them could not be installed again.');
      return [];
    },
    notes,
    close: () => Promise.resolve(),
  };
}

async function openCommits(
  request: Extract<HistoryRequest, { kind: 'commits' }>,
  context: HistoryContext,
): Promise<History | Failure> {
  const top = await runGit(['rev-parse', '--show-toplevel'], context.cwd);
  if ('error' in top)
    return { error: 'There is no git repository here; run it inside the one whose commits are meant.' };
  const repository = resolve(top.stdout.trim());
  const commits =
    request.range === undefined
      ? await resolveCommits(request.list ?? [], repository)
      : await findCommits(request.range, repository);
  if ('error' in commits) return commits;
  if (commits.length < 2) return { error: 'There is only one commit to test; name two that differ.' };
  const versions = goodFirst(commits, request.firstGood);
  const settings = runSettings(context.options);
  const notes: string[] = [];
  const tester = await createCommitTester({
    repository,
    commits: versions,
    settings,
    buildTimeoutMs: request.buildTimeoutMs,
    run: request.run,
    ...(request.build === undefined ? {} : { build: request.build }),
    ...(context.signal === undefined ? {} : { signal: context.signal }),
    ...(context.onStep === undefined ? {} : { onStep: context.onStep }),
  });
  if ('error' in tester) return tester;
  const subjects = await runGit(['log', '--no-walk=unsorted', '--format=%H%x09%s', ...commits], repository);
  const labels = Object.fromEntries(
    ('error' in subjects ? '' : subjects.stdout)
      .split('\n')
      .filter((line) => line.includes('\t'))
      .map((line) => [line.slice(0, line.indexOf('\t')), line.slice(line.indexOf('\t') + 1, line.indexOf('\t') + 61)]),
  );
  const what = 'command' in request.run ? request.run.command : request.run.path;
  return {
    target: request.range ?? `${commits.length} commits`,
    scenario: `${describeSettings(settings)}, '${what}'${request.build === undefined ? '' : ` built with '${request.build}'`}`,
    versions,
    left: [],
    labels,
    tester,
    async boundary(older, newer) {
      const parents = await runGit(['rev-list', '--parents', '-n', '1', versions[newer] ?? ''], repository);
      if (!('error' in parents) && parents.stdout.trim().split(' ').length > 2) {
        const merge = (versions[newer] ?? '').slice(0, 12);
        notes.push(
          `'${merge}' is a merge; for the commits that it brought, bisect --commits "$(git merge-base ${merge}^1 ${merge}^2)..${merge}^2".`,
        );
      }
      const changes = await compareCommits(repository, versions[older] ?? '', versions[newer] ?? '');
      if (!('error' in changes)) return changes;
      notes.push(`What changed between the two could not be read. ${changes.error}`);
      return [];
    },
    notes,
    close: () => tester.close(),
  };
}

async function resolveCommits(names: readonly string[], repository: string): Promise<readonly string[] | Failure> {
  const commits: string[] = [];
  for (const name of names) {
    const resolved = await runGit(
      ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`],
      repository,
    );
    if ('error' in resolved)
      return { error: `'${name}' is not a commit of this repository; fetch it or name another one.` };
    commits.push(resolved.stdout.trim());
  }
  return commits;
}
