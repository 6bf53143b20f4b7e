import { findCommits, runGit } from '../bisect/commits.js';
import { findVersions, selectVersions } from '../bisect/versions.js';
import { runNpm } from '../target.js';

/** What was typed into the form of a workflow: exactly one of the three is not empty. */
export interface ShardRequest {
  readonly one: string;
  readonly list: string;
  readonly range: string;
  /** Versions of this package; commits of the repository here when it is absent. */
  readonly package?: string;
  /** Most shards; a longer range is thinned out evenly, with its ends kept. */
  readonly most: number;
  readonly cwd: string;
}

/** Versions, or full commit hashes, oldest first. Nothing else ever comes out, whatever went in. */
export async function planShards(request: ShardRequest): Promise<readonly string[] | { readonly error: string }> {
  // A range has a default, so that it gives way to what was typed beside it.
  const { one, list, range } = request;
  if (one !== '' && list !== '') return { error: 'Give one, or a list, not both.' };
  if (one !== '' || list !== '') {
    const names = (one === '' ? list : one)
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '');
    return request.package === undefined
      ? resolveCommits(names, request.cwd)
      : checkVersions(names, request.package, request.cwd);
  }
  if (range === '') return { error: 'There is nothing to run; give one, a list or a range.' };
  const found =
    request.package === undefined
      ? await findCommits(range, request.cwd)
      : await versionsOf(range, request.package, request.cwd);
  return 'error' in found ? found : thin(found, request.most);
}

async function resolveCommits(
  names: readonly string[],
  cwd: string,
): Promise<readonly string[] | { readonly error: string }> {
  const commits: string[] = [];
  for (const name of names) {
    const resolved = await runGit(['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`], cwd);
    if ('error' in resolved)
      return { error: `'${name}' is not a commit of this repository; fetch it or name another one.` };
    commits.push(resolved.stdout.trim());
  }
  return commits;
}

async function checkVersions(
  names: readonly string[],
  name: string,
  cwd: string,
): Promise<readonly string[] | { readonly error: string }> {
  const answer = await runNpm(['view', name, 'versions', '--json'], cwd, { timeoutMs: 60_000 });
  if ('error' in answer) return { error: `The versions of '${name}' could not be listed. ${answer.error}` };
  const parsed: unknown = JSON.parse(answer.stdout);
  const published = (Array.isArray(parsed) ? parsed : [parsed]).filter((version) => typeof version === 'string');
  for (const version of names) {
    const selected = selectVersions(published, { from: version, to: version, prereleases: true });
    if ('error' in selected) return selected;
  }
  return names;
}

async function versionsOf(
  range: string,
  name: string,
  cwd: string,
): Promise<readonly string[] | { readonly error: string }> {
  const [, from, to] = /^([^.\s](?:\.?[^.\s])*)\.\.([^.\s](?:\.?[^.\s])*)$/.exec(range) ?? [];
  if (from === undefined || to === undefined)
    return { error: `'${range}' is not a range of versions; write OLDER..NEWER.` };
  const found = await findVersions({ package: name, from, to, prereleases: false }, cwd);
  if ('error' in found) return found;
  return found.versions.length === 0
    ? { error: `There is no version from '${from}' to '${to}'; the older one comes first.` }
    : found.versions;
}

/** At most `most` entries, evenly spaced, the first and the last among them. */
function thin(entries: readonly string[], most: number): readonly string[] {
  if (entries.length <= most) return entries;
  return Array.from(
    { length: most },
    (_, index) => entries[Math.round((index * (entries.length - 1)) / (most - 1))] ?? '',
  );
}
