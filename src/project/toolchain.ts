/** Which Rust builds a package, as far as the repository pins it. */
import type { Fact } from '../model/project.js';
import { findNode, placeOf, textOf } from './document.js';
import { findAncestors, joinPath, type ProjectFiles } from './input.js';

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
