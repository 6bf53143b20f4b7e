import { byRelevance, diffVersions, withRelevance, type BoundaryChange } from './boundary-change.js';
import { runGit } from './commits.js';

/** Versions by crate name of a Cargo.lock. */
export function readCargoLock(text: string): ReadonlyMap<string, string> {
  const result = new Map<string, string[]>();
  for (const [, name, version] of text.matchAll(/\[\[package\]\]\s+name = "([^"]+)"\s+version = "([^"]+)"/g)) {
    if (name === undefined || version === undefined) continue;
    result.set(name, [...(result.get(name) ?? []), version]);
  }
  return new Map([...result].map(([name, versions]) => [name, versions.sort().join(', ')]));
}

/** Requirements of a package.json, whatever their section. */
function readRequirements(text: string): ReadonlyMap<string, string> {
  const result = new Map<string, string>();
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch {
    return result;
  }
  if (typeof manifest !== 'object' || manifest === null) return result;
  for (const section of ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies', 'scripts']) {
    const entries: unknown = Reflect.get(manifest, section);
    if (typeof entries !== 'object' || entries === null) continue;
    for (const [name, value] of Object.entries(entries)) {
      if (typeof value === 'string') result.set(section === 'scripts' ? `scripts.${name}` : name, value);
    }
  }
  return result;
}

const telling =
  /global_allocator|nodelete|process\.report|crate-type|mimalloc|jemalloc|\blto\b|\bpanic\s*=|codegen-units/;
const watched =
  /(^|\/)(Cargo\.toml|build\.rs|config\.toml|rust-toolchain(\.toml)?|binding\.gyp|dub\.(json|sdl))$|\.(rs|[cm]?js)$/;

/** What changed between two commits in manifests, lockfiles, build files and the lines that decide about loading and allocating. */
export async function compareCommits(
  repository: string,
  before: string,
  after: string,
): Promise<readonly BoundaryChange[] | { readonly error: string }> {
  const listed = await runGit(['diff', '--name-only', '-z', before, after], repository);
  if ('error' in listed) return listed;
  const paths = listed.stdout.split('\0').filter((path) => path !== '');
  const changes: BoundaryChange[] = [];
  const show = async (commit: string, path: string): Promise<string> => {
    const shown = await runGit(['show', `${commit}:${path}`], repository);
    return 'error' in shown ? '' : shown.stdout;
  };
  for (const path of paths) {
    if (path.endsWith('Cargo.lock')) {
      changes.push(
        ...diffVersions(path, readCargoLock(await show(before, path)), readCargoLock(await show(after, path))),
      );
    } else if (/(^|\/)package\.json$/.test(path)) {
      changes.push(
        ...diffVersions(path, readRequirements(await show(before, path)), readRequirements(await show(after, path))),
      );
    } else if (watched.test(path)) {
      const diff = await runGit(['diff', '--unified=0', before, after, '--', path], repository);
      if ('error' in diff) continue;
      for (const line of diff.stdout.split('\n')) {
        if (!/^[+-](?![+-]{2} )/.test(line) || !telling.test(line)) continue;
        const text = line.slice(1).trim();
        changes.push(
          withRelevance({ where: path, name: text, ...(line.startsWith('-') ? { before: text } : { after: text }) }),
        );
      }
    }
  }
  return byRelevance(changes);
}
