import type { CargoPackage, Fact, ProjectModel } from '../model/project.js';
import { compareVersions } from '../project/lockfiles.js';
import { hasNapiRuntime } from '../project/linker.js';
import { isAtLeast } from '../project/toolchain.js';

/**
 * The destructor that Rust's standard library leaves with a thread which asks for `thread::current()`. Before 1.83 it was one
 * of those that glibc counts, so that the image stayed until it had run; since then it belongs to a pthread key, which holds
 * nothing (rust-lang/rust #127912). napi asks when it registers the module, in every thread that loads it.
 */
export interface LibraryDestructor {
  /** The locked napi, with its line. */
  readonly napi: Fact<string>;
  /** What pins the toolchain; undefined when the newest one is as good as any. */
  readonly toolchain?: Fact<string>;
  /** napi's runtime is part of the addon. */
  readonly hasRuntime: boolean;
}

const release = [1, 83] as const;
/** 1.83 left the nightly channel on the day before. */
const firstNightly = '2024-10-12';
/** It asks since it keeps its classes by thread. */
const asksSince = '2.10.3';
/** From here on it keeps them in a thread-local variable, whose destructor glibc counts again. */
const asksUntil = '3.0.0-beta';

/** Read in the sources of napi-rs and seen in the addons of published packages (docs/evidence-dynamic.md). */
export function findLibraryDestructor(project: ProjectModel, addon: CargoPackage): LibraryDestructor | undefined {
  const locked = project.lockedVersions('napi', addon);
  const [napi] = locked;
  const asks = ({ value }: Fact<string>): boolean =>
    compareVersions(value, asksSince) >= 0 && compareVersions(value, asksUntil) < 0;
  // One of several locked ones is linked; only all of them decide it.
  if (napi === undefined || !locked.every(asks)) return undefined;
  const toolchain = project.toolchainOf(addon);
  if (toolchain !== undefined && !isAtLeast(toolchain.value, release, firstNightly)) return undefined;
  return { napi, ...(toolchain === undefined ? {} : { toolchain }), hasRuntime: hasNapiRuntime(addon) };
}
