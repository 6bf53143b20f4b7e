import { compareSeverity } from './levels.js';
import type { Finding } from '../model/finding.js';
import type { CargoPackage, NpmPackage, ProjectModel } from '../model/project.js';

/**
 * Rules that tell parts of one story about an addon: how it is loaded and unloaded, and how bytes cross the border. A rule may
 * be in both.
 */
const stories: readonly ReadonlySet<string>[] = [
  new Set([
    'allocator-in-addon',
    'unpinned-addon',
    'threads-outlive-addon',
    'handle-in-process-static',
    'handle-dropped-off-thread',
    'callback-without-teardown',
    'outdated-napi',
    'loader-process-report',
    'addon-only-in-workers',
    'addon-not-context-aware',
    'terminate-during-native-work',
    'native-handle-undisposed',
    'crash-masking-config',
  ]),
  new Set([
    'buffer-across-await',
    'buffer-off-thread',
    'exclusive-self-across-await',
    'external-buffer-without-fallback',
    'forged-static-lifetime',
    'buffer-mutated-in-flight',
    'buffer-transferred-in-flight',
    'pooled-buffer-transfer',
    'whole-backing-store',
    'crash-masking-config',
  ]),
];

const mostRelated = 8;

/**
 * Fills `related` of findings that belong to the same addon and the same story, where at least one of the two is on the
 * JavaScript side: the allocator, the worker file that loads the addon, the configuration that hides the crash. `projects`
 * are the models of the units, by their root. At most eight per finding, one of each rule before a second of any, in the
 * order of the findings.
 */
export function linkPackageFindings(
  findings: readonly Finding[],
  projects: ReadonlyMap<string, ProjectModel>,
): readonly Finding[] {
  const told = findings.filter(({ ruleId }) => stories.some((story) => story.has(ruleId)));
  if (!told.some(isJavaScript)) return findings;
  const addons = new Map(
    told.map((finding) => {
      const project = projects.get(finding.unit);
      return [finding, project === undefined ? [] : addonsOf(finding, project)] as const;
    }),
  );
  const areRelated = (a: Finding, b: Finding): boolean =>
    a.ruleId !== b.ruleId &&
    a.unit === b.unit &&
    (isJavaScript(a) || isJavaScript(b)) &&
    stories.some((story) => story.has(a.ruleId) && story.has(b.ruleId)) &&
    (addons.get(a) ?? []).some((addon) => (addons.get(b) ?? []).includes(addon));
  return findings.map((finding) => {
    if (!addons.has(finding)) return finding;
    const related = mostTelling(told.filter((other) => areRelated(finding, other)));
    return related.length === 0 ? finding : { ...finding, related: related.map(({ fingerprint }) => fingerprint) };
  });
}

/** The findings to name when there are many: one of each rule before a second of any, the worse ones first. */
function mostTelling(related: readonly Finding[]): readonly Finding[] {
  if (related.length <= mostRelated) return related;
  const seen = new Map<string, number>();
  const ranked = related.map((finding) => {
    const repeated = seen.get(finding.ruleId) ?? 0;
    seen.set(finding.ruleId, repeated + 1);
    return { finding, repeated };
  });
  ranked.sort((a, b) => a.repeated - b.repeated || compareSeverity(b.finding.severity, a.finding.severity));
  const kept = new Set(ranked.slice(0, mostRelated).map(({ finding }) => finding));
  return related.filter((finding) => kept.has(finding));
}

function isJavaScript({ location: { path } }: Finding): boolean {
  return /\.[cm]?[jt]sx?$|(?:^|\/)package\.json$/u.test(path);
}

/** Keys of the addons that a finding is about: the folder of the npm package that ships it, else that of the crate. */
function addonsOf(finding: Finding, project: ProjectModel): readonly string[] {
  const { path } = finding.location;
  if (isJavaScript(finding)) {
    const owner = nearest(project.npm, path);
    return owner === undefined ? [] : addonsOfPackage(owner, project);
  }
  const crate = project.cargoPackageOf(path) ?? nearest(project.cargo, path);
  if (crate === undefined) return [];
  return project
    .addonsReaching(crate)
    .map(({ addon, npm }) => (npm === undefined ? keyOfCrate(addon, project) : keyOf(npm)));
}

/** The addon that an npm package ships, and those of the unit that it depends on. */
function addonsOfPackage(owner: NpmPackage, project: ProjectModel): readonly string[] {
  const needed = project.npm.filter(
    ({ name, shipsAddon }) => name !== undefined && shipsAddon !== undefined && owner.dependencies.has(name),
  );
  const shipped = owner.shipsAddon === undefined ? [] : [owner];
  return [...shipped, ...needed].map(keyOf);
}

function keyOf({ dir }: NpmPackage): string {
  return `npm:${dir}`;
}

/** A crate whose npm package no manifest names: the package in the crate's folder or around it, when that ships an addon. */
function keyOfCrate(crate: CargoPackage, project: ProjectModel): string {
  const around = nearest(
    project.npm.filter(({ shipsAddon }) => shipsAddon !== undefined),
    crate.manifest,
  );
  return around === undefined ? `cargo:${crate.dir}` : keyOf(around);
}

/** The package whose folder holds the path, the innermost of them. */
function nearest<T extends { readonly dir: string }>(packages: readonly T[], path: string): T | undefined {
  return packages
    .filter(({ dir }) => dir === '' || path.startsWith(`${dir}/`))
    .sort((a, b) => b.dir.length - a.dir.length)[0];
}
