/** Which Rust builds a package, as far as the repository pins it. */
import type { Fact } from '../model/project.js';
import { findNode, placeOf, textOf } from './document.js';
import { findAncestors, joinPath, type ProjectFiles } from './input.js';
import { build, workflowPath } from './workflows.js';

/**
 * The channel of the nearest `rust-toolchain.toml` or `rust-toolchain` at or above a folder (`1.84.0`, `stable`,
 * `nightly-2025-01-10`), as rustup looks for it; undefined when none is there or it names a toolchain by path.
 */
export function findToolchain(files: ProjectFiles, dir: string): Fact<string> | undefined {
  for (const at of findAncestors(dir)) {
    // rustup prefers the name without an ending, which may hold the channel alone.
    for (const name of ['rust-toolchain', 'rust-toolchain.toml']) {
      const path = joinPath(at, name);
      const text = files.text(path);
      if (text === undefined) continue;
      const alone = /^\s*([\w.-]+)\s*$/.exec(text)?.[1];
      if (name === 'rust-toolchain' && alone !== undefined) return { value: alone, path, line: 1 };
      const channel = findNode(files.document(path), 'toolchain', 'channel');
      const value = channel === undefined ? undefined : textOf(channel);
      return channel === undefined || value === undefined ? undefined : { value, ...placeOf(path, channel) };
    }
  }
  return undefined;
}

/** Where a workflow names the Rust it builds with: an action by its tag, its input, a call of rustup, or rustup's variable. */
const named =
  /\buses:\s*['"]?[\w.-]+\/[\w.-]*rust-toolchain[\w.-]*@([^\s'"#]+)|^\s*(?:-\s+)?(?:rust-)?toolchain:\s*['"]?([^'"\s#]+)|\brustup\s+(?:default|install|toolchain\s+install|override\s+set)\s+['"]?([^'"\s]+)|\bRUSTUP_TOOLCHAIN\s*[:=]\s*['"]?([^'"\s]+)/gm;
/** A tag of the action that is no channel: what it installs stands in its input. */
const tag = /^(?:[0-9a-f]{40}|v\d+(?:\.\d+)*|master|main)$/;
const release = /^(\d+)\.(\d+)/;

/**
 * The newest of the releases that the workflows which build native code install, when each of them installs numbered releases and
 * nothing else; undefined as soon as one follows a channel, an expression or a container's own Rust.
 */
export function findWorkflowToolchain(files: ProjectFiles): Fact<string> | undefined {
  let newest: Fact<string> | undefined;
  for (const path of files.input.listing) {
    const text = workflowPath.test(path) ? files.text(path) : undefined;
    if (text === undefined || !build.test(text)) continue;
    const channels = [...text.matchAll(named)].flatMap((match) => {
      const value = match[1] ?? match[2] ?? match[3] ?? match[4] ?? '';
      if (match[1] !== undefined && tag.test(value)) return [];
      const start = match.index + match[0].search(/\S/);
      return [{ value, path, line: text.slice(0, start).split('\n').length }];
    });
    if (channels.length === 0 || /\bdocker\b|^\s*(?:container|image):/m.test(text)) return undefined;
    for (const channel of channels) {
      const number = release.exec(channel.value);
      if (number === null) return undefined;
      if (newest === undefined || isAtLeast(channel.value, releaseOf(newest.value), '')) newest = channel;
    }
  }
  return newest;
}

function releaseOf(value: string): readonly [number, number] {
  const number = release.exec(value);
  return [Number(number?.[1] ?? 0), Number(number?.[2] ?? 0)];
}

/**
 * Whether a channel is at least a release of Rust. A channel without a number or a date is as new as it gets; `releasedOn`
 * (`2024-10-12`) is the first day whose nightly has all of the release.
 */
export function isAtLeast(channel: string, release: readonly [number, number], releasedOn: string): boolean {
  const number = /^(\d+)\.(\d+)/.exec(channel);
  if (number !== null) {
    const [major, minor] = [Number(number[1]), Number(number[2])];
    return major > release[0] || (major === release[0] && minor >= release[1]);
  }
  const date = /^(?:nightly|beta|stable)-(\d{4}-\d{2}-\d{2})/.exec(channel)?.[1];
  return date === undefined || date >= releasedOn;
}
