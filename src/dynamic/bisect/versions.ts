import semver from 'semver';
import { runNpm } from '../target.js';

export interface VersionRange {
  readonly package: string;
  /** The older and the newer end, both included. */
  readonly from: string;
  readonly to: string;
  /** Pre-releases too. */
  readonly prereleases: boolean;
}

export interface PublishedVersions {
  /** In semver order, oldest first. */
  readonly versions: readonly string[];
  /** Versions between the ends that were left out, with the reason. */
  readonly left: readonly { readonly version: string; readonly reason: string }[];
}

/** The versions of a range, in semver order; the ends stay in even when they are pre-releases. */
export function selectVersions(
  published: readonly string[],
  range: Omit<VersionRange, 'package'>,
): PublishedVersions | { readonly error: string } {
  const known = published.filter((version) => semver.valid(version) !== null);
  for (const end of [range.from, range.to]) {
    if (!known.includes(end)) {
      const near = known
        .toSorted((a, b) => semver.compareBuild(a, b))
        .filter((version) => semver.valid(end) !== null && semver.lte(version, end))
        .at(-1);
      return {
        error:
          semver.valid(end) === null
            ? `'${end}' is not a version; write all of it, such as '${known.at(-1) ?? '1.2.3'}'.`
            : `Version '${end}' is not published${near === undefined ? '' : `; the newest before it is '${near}'`}.`,
      };
    }
  }
  const versions: string[] = [];
  const left: { version: string; reason: string }[] = [];
  for (const version of known.toSorted((a, b) => semver.compareBuild(a, b))) {
    if (semver.compareBuild(version, range.from) < 0 || semver.compareBuild(version, range.to) > 0) continue;
    const isEnd = version === range.from || version === range.to;
    if (!isEnd && !range.prereleases && semver.prerelease(version) !== null) {
      left.push({ version, reason: 'pre-release, tested with --pre' });
    } else versions.push(version);
  }
  return { versions, left };
}

/** Asks the registry for the versions of a package between two ends. */
export async function findVersions(
  range: VersionRange,
  cwd: string,
  signal?: AbortSignal,
): Promise<PublishedVersions | { readonly error: string }> {
  const answer = await runNpm(['view', range.package, 'versions', '--json'], cwd, {
    timeoutMs: 60_000,
    ...(signal === undefined ? {} : { signal }),
  });
  if ('error' in answer) {
    return { error: `The versions of '${range.package}' could not be listed. ${answer.error}` };
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(answer.stdout);
  } catch {
    return { error: `The registry's answer about '${range.package}' is not JSON.` };
  }
  const list = Array.isArray(parsed) ? parsed : [parsed];
  return selectVersions(
    list.filter((version) => typeof version === 'string'),
    range,
  );
}
