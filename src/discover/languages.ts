/** What a file is to the scan: source of a language, or a file that the project model reads. */
export type FileKind = 'rust' | 'd' | 'javascript' | 'manifest';

const kindsByExtension: ReadonlyMap<string, FileKind> = new Map([
  ['.rs', 'rust'],
  ['.d', 'd'],
  ['.di', 'd'],
  ...['.js', '.cjs', '.mjs', '.jsx', '.ts', '.cts', '.mts', '.tsx'].map(
    (extension) => [extension, 'javascript'] as const,
  ),
]);

const manifestNames: ReadonlySet<string> = new Set([
  'Cargo.toml',
  'Cargo.lock',
  'rust-toolchain',
  'rust-toolchain.toml',
  'package.json',
  'package-lock.json',
  'npm-shrinkwrap.json',
  'pnpm-lock.yaml',
  'pnpm-workspace.yaml',
  'yarn.lock',
  'bun.lock',
  'napi.json',
  'lerna.json',
  // Settings of test runners.
  'jest.config.json',
  'node.config.json',
  '.mocharc.json',
  '.mocharc.jsonc',
  'dub.json',
  'dub.sdl',
  'dub.selections.json',
  // Ours: what is wrong in it is shown as it stands there.
  'lifetime-lint.config.json',
  'lifetime-lint.config.toml',
]);

// Workflows, recipes and shell scripts say with which features an addon is built.
const manifestPath =
  /(?:^|[/\\])(?:\.cargo[/\\]config(?:\.toml)?|\.(?:github|gitea|forgejo)[/\\](?:workflows|actions)[/\\].+\.ya?ml|\.gitlab-ci\.ya?ml|azure-pipelines\.ya?ml|\.?justfile|GNUmakefile|Makefile|[^/\\]+\.(?:just|mk|sh))$/i;

/** True of the JSON files that the JavaScript rules read: manifests and the settings of test runners. */
export function isScriptSettings(path: string): boolean {
  return /(?:^|\/)(?:package\.json|(?:jest|node)\.config\.json|\.mocharc\.jsonc?)$/u.test(path);
}

/** The kind of a file by its path alone; undefined when the scan has no use for it. */
export function findKind(path: string): FileKind | undefined {
  const name = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
  if (manifestNames.has(name)) return 'manifest';
  const dot = name.lastIndexOf('.');
  const kind = dot <= 0 ? undefined : kindsByExtension.get(name.slice(dot));
  return kind ?? (manifestPath.test(path) ? 'manifest' : undefined);
}
