/** What keeps an addon in memory after its last environment is gone: linker arguments, and versions of napi that pin it. */
import type { CargoPackage, Fact, Place, Tri } from '../model/project.js';
import type { CargoModel } from './cargo.js';
import { targetApplies } from './cfg.js';
import { findEntries, findNode, findStrings, placeOf, type DocumentNode } from './document.js';
import { findAncestors, folderOf, joinPath, type ProjectFiles } from './input.js';
import { compareVersions, type Lockfiles } from './lockfiles.js';
import { readTriple } from './triples.js';

export interface KeptLoaded {
  readonly state: Tri;
  readonly by?: Place & { readonly note: string };
}

/** napi-build passes `-z nodelete` to the linkers of glibc and BSD targets since this version. */
export const nodeleteSince = '2.3.0';
/** napi pins the module when it creates something that outlives an environment, since this version. */
const pinnedSince = '3.12.1';

export class LinkerFacts {
  constructor(
    private readonly files: ProjectFiles,
    private readonly cargo: CargoModel,
    private readonly locks: Lockfiles,
  ) {}

  keptLoaded(addon: CargoPackage, triple: string): KeptLoaded {
    const facts = readTriple(triple);
    // A WASI module lives in its own memory and is never unmapped under a thread.
    if (facts.families.includes('wasm')) return { state: 'yes' };
    const flag = this.findFlag(addon, triple);
    if (flag !== undefined) return { state: 'yes', by: { ...flag, note: "passes '-z nodelete' to the linker" } };
    const build = this.findBuildScript(addon);
    let weak: KeptLoaded | undefined;
    if (build?.kind === 'argument' && facts.os !== 'windows')
      weak = { state: 'unknown', by: { ...build.place, note: "passes '-z nodelete' to the linker under a condition" } };
    if (
      build?.kind === 'setup' &&
      ((facts.env === 'gnu' && facts.os !== 'windows') || facts.os === 'freebsd' || facts.os === 'openbsd')
    ) {
      const version = this.versionOf('napi-build', addon);
      if (version.locked !== undefined && compareVersions(version.locked.value, nodeleteSince) >= 0) {
        return {
          state: 'yes',
          by: {
            path: version.locked.path,
            line: version.locked.line,
            note: `napi-build ${version.locked.value} passes '-z nodelete' to the linker`,
          },
        };
      }
      if (version.locked === undefined)
        weak = {
          state: 'unknown',
          by: {
            ...build.place,
            note: `napi-build passes '-z nodelete' to the linker from ${nodeleteSince} on, and no lockfile says which version is used`,
          },
        };
    }
    const byNapi = this.pinnedByNapi(addon);
    if (byNapi?.state === 'yes') return byNapi;
    return this.pinnedByItself(addon, facts.os) ?? byNapi ?? weak ?? { state: 'no' };
  }

  /**
   * Code of the addon that opens its own image and never closes it: `dlopen` of the name that `dladdr` gives, or the module of an
   * address that Windows is asked to pin. Looked for in the files beside the root of the crate.
   */
  private pinnedByItself(addon: CargoPackage, os: string): KeptLoaded | undefined {
    const root = addon.targets.find((target) => target.kind === 'lib')?.path;
    if (root === undefined) return undefined;
    for (const path of this.files.filesIn(folderOf(root)).filter((name) => name.endsWith('.rs'))) {
      const text = withoutComments(this.files.text(path) ?? '');
      const at = os === 'windows' ? findPinnedModule(text) : findOwnImage(text);
      if (at >= 0)
        return {
          state: 'yes',
          by: { path, line: countLines(text, at), note: 'the addon opens its own image and keeps it' },
        };
    }
    return undefined;
  }

  private pinnedByNapi(addon: CargoPackage): KeptLoaded | undefined {
    const version = this.versionOf('napi', addon);
    if (version.locked === undefined || compareVersions(version.locked.value, pinnedSince) < 0) return undefined;
    const by = { path: version.locked.path, line: version.locked.line };
    return hasNapiRuntime(addon)
      ? { state: 'yes', by: { ...by, note: `napi ${version.locked.value} pins the module when it starts its runtime` } }
      : {
          state: 'unknown',
          by: {
            ...by,
            note: `napi ${version.locked.value} pins the module once it makes a runtime, a threadsafe function, a deferred promise or an error`,
          },
        };
  }

  private versionOf(crate: string, addon: CargoPackage): { readonly locked?: Fact<string> } {
    // The oldest one counts when several are locked: any of them may be the one that is linked.
    const versions = this.locks.lockedVersions(crate, addon);
    const locked = versions[versions.length - 1];
    return locked === undefined ? {} : { locked };
  }

  /** `nodelete` in the rustflags that Cargo would use for the triple, from the configuration files at and above the package. */
  private findFlag(addon: CargoPackage, triple: string): Place | undefined {
    for (const dir of findAncestors(addon.dir)) {
      for (const name of ['.cargo/config.toml', '.cargo/config']) {
        const path = joinPath(dir, name);
        if (!this.files.has(path)) continue;
        const document = this.files.document(path);
        for (const node of rustflagsFor(document, triple)) {
          const found = findStrings(node).find((item) => item.value.includes('nodelete'));
          if (found !== undefined) return placeOf(path, found);
        }
      }
    }
    return undefined;
  }

  /** What build.rs prints or calls: an own linker argument, or napi_build's setup, directly or through a crate of the unit. */
  private findBuildScript(
    addon: CargoPackage,
  ): { readonly kind: 'argument' | 'setup'; readonly place: Place } | undefined {
    const script = addon.targets.find((target) => target.kind === 'build-script')?.path;
    const text = script === undefined ? undefined : this.files.text(script);
    if (script === undefined || text === undefined) return undefined;
    const argument = /cargo::?rustc-(?:cdylib-)?link-arg[^\n]*nodelete/.exec(text);
    if (argument !== null) return { kind: 'argument', place: { path: script, line: countLines(text, argument.index) } };
    const setup = findSetup(text);
    if (setup !== undefined) return { kind: 'setup', place: { path: script, line: countLines(text, setup) } };
    for (const dependency of addon.dependencies) {
      const helper =
        dependency.kind === 'build' && dependency.dir !== undefined ? this.cargo.packageAt(dependency.dir) : undefined;
      const root = helper?.targets.find((target) => target.kind === 'lib')?.path;
      if (root === undefined || !text.includes(`${dependency.name}::`)) continue;
      const inner = this.files.text(root) ?? '';
      const at = findSetup(inner);
      if (at !== undefined) return { kind: 'setup', place: { path: root, line: countLines(inner, at) } };
    }
    return undefined;
  }
}

/** Whether the addon turns on a feature of napi that brings its runtime of threads. */
export function hasNapiRuntime(addon: CargoPackage): boolean {
  return addon.dependencies.some(
    (dependency) =>
      dependency.package === 'napi' &&
      dependency.features.some((feature) => /^(?:async|tokio_rt|full|async-runtime)$/.test(feature)),
  );
}

/** Where the image that `dladdr` names is opened, by the name itself or a variable of it; -1 for none. */
function findOwnImage(text: string): number {
  if (!/\bdladdr\s*\(/.test(text)) return -1;
  const names = ['dli_fname', ...[...text.matchAll(/\blet\s+(\w+)\b[^;]*\bdli_fname\b/g)].map(([, name]) => name)];
  return text.search(new RegExp(String.raw`\bdlopen\s*\([^;{}]*\b(?:${names.join('|')})\b`));
}

/** Where Windows is asked to pin the module of an address; -1 for nowhere. A declared flag asks nothing. */
function findPinnedModule(text: string): number {
  if (!/\bGetModuleHandleEx[AW]?\s*\(/.test(text)) return -1;
  const used = text.replace(/\b(?:const|static)\s+\w+\s*:[^;]*;|\buse\s[^;]*;/g, (declared) =>
    ' '.repeat(declared.length),
  );
  return /\bGET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS\b/.test(used)
    ? used.search(/\bGET_MODULE_HANDLE_EX_FLAG_PIN\b/)
    : -1;
}

/** The text with the same places and no comments. */
function withoutComments(text: string): string {
  // Texts and characters are gone over, since they may hold what looks like a comment.
  return text.replace(/"(?:\\[^]|[^"\\])*"|'(?:\\[^]|[^'\\])'|\/\/[^\n]*|\/\*[^]*?\*\//g, (part) =>
    part.startsWith('/') ? part.replace(/[^\n]/g, ' ') : part,
  );
}

function findSetup(text: string): number | undefined {
  const at = withoutComments(text).search(/\bnapi_build::(?:setup\b|\{[^}]*setup|\*)/);
  return at < 0 ? undefined : at;
}

/** `target.TRIPLE.rustflags`, `target.'cfg(..)'.rustflags`, else `build.rustflags`. */
function rustflagsFor(document: DocumentNode | undefined, triple: string): readonly DocumentNode[] {
  const found: DocumentNode[] = [];
  for (const [key, entry] of findEntries(findNode(document, 'target'))) {
    const applies = targetApplies(key, triple) === 'yes';
    const flags = applies ? findNode(entry.value, 'rustflags') : undefined;
    if (flags !== undefined) found.push(flags);
  }
  const general = findNode(document, 'build', 'rustflags');
  return found.length > 0 || general === undefined ? found : [general];
}

function countLines(text: string, offset: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i >= 0 && i < offset; i = text.indexOf('\n', i + 1)) line++;
  return line;
}
