/** What a file is to the scan: source of a language, or a file that the project model reads. */
export type FileKind = 'rust' | 'd' | 'javascript' | 'manifest';

const kindsByExtension: ReadonlyMap<string, FileKind> = new Map([
  ['.rs', 'rust'],
  ['.d', 'd'],
  ['.di', 'd'],
  ...['.js', '.cjs', '.mjs', '.jsx', '.ts', '.cts', '.mts', '.tsx'].map((extension) => [extension, 'javascript'] as const),
]);

const manifestNames: ReadonlySet<string> = new Set([
  'Cargo.toml',
  'Cargo.lock',
  'package.json',
  'package-lock.json',
  'npm-shrinkwrap.json',
  'pnpm-lock.yaml',
  'pnpm-workspace.yaml',
  'yarn.lock',
  'lerna.json',
  'dub.json',
  'dub.sdl',
  'dub.selections.json',
]);

/** The kind of a file by its `/`-separated path alone; undefined when the scan has no use for it. */
export function findKind(path: string): FileKind | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (manifestNames.has(name)) return 'manifest';
  if (/(^|\/)\.cargo\/config(\.toml)?$/.test(path) || /(^|\/)\.github\/workflows\/[^/]+\.ya?ml$/.test(path)) return 'manifest';
  const dot = name.lastIndexOf('.');
  return dot <= 0 ? undefined : kindsByExtension.get(name.slice(dot));
}
