import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { findAddons } from './amplify.js';
import { readManifest } from './package-manifest.js';
import type { PreparedTarget } from './target.js';

/** Why loading the target opened no addon, and what can be done about it; one sentence without its capital and its stop. */
export function explainUnopened(target: PreparedTarget): string {
  const nothing = 'no addon was opened, so nothing was tested';
  const { packageFolder } = target;
  if (packageFolder === undefined || target.kind === 'addon') return nothing;
  const addons = addonsOf(target);
  const first = addons.find((path) => isForThisSystem(path, target)) ?? addons[0];
  if (first !== undefined) {
    return `${nothing}: importing '${target.label}' does not open its '${basename(first)}'; name a scenario with calls, or a driver that opens it`;
  }
  return `${nothing}: '${target.label}' was installed with no '.node' file${explainScripts(target) ?? ' for this system'}`;
}

/** The addons of the target, and of the packages for one system each that stand beside the one that loads them. */
function addonsOf(target: PreparedTarget): readonly string[] {
  if (target.packageFolder === undefined) return [];
  const dependencies = join(target.root, 'node_modules');
  return [
    ...findAddons(target.packageFolder),
    ...(target.kind === 'package' && existsSync(dependencies) ? findAddons(dependencies, 6) : []),
  ];
}

/** Some packages bring an addon for every system; their paths name it, and so may the folder in which they all lie. */
function isForThisSystem(path: string, { root }: PreparedTarget): boolean {
  const own = path.startsWith(root) ? path.slice(root.length) : path;
  return own.includes(process.platform) && own.includes(process.arch);
}

/** What to say of an install script that was not run; undefined when there is none, or when an addon for this system is there. */
export function explainScripts(target: PreparedTarget): string | undefined {
  const { packageFolder, kind } = target;
  if (packageFolder === undefined || kind !== 'package' || target.root.endsWith('+scripts')) return undefined;
  if (addonsOf(target).some((path) => isForThisSystem(path, target))) return undefined;
  const manifest = readManifest(packageFolder);
  return 'error' in manifest || !manifest.hasInstallScript
    ? undefined
    : ', and its install script, which may fetch or build one, was not run; --allow-scripts lets it';
}
