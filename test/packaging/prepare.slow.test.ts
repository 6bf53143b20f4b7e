import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/run.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';

/** What a user's shell gives, without what the npm that runs the tests adds. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(npm_|LIFETIME_LINT_|VITEST|NODE_ENV$|NODE_OPTIONS$|GIT_)/i.test(name),
  ),
);

describe('a clone without development dependencies', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'lifetime-lint-clone-'));
    expect(run('git', ['clone', '-q', root, join(folder, 'clone')]).stderr).toBe('');
    // Packages of a folder around the clone, at versions that nobody asked for.
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, object>;
    for (const name of Object.keys({ ...manifest['dependencies'], ...manifest['devDependencies'] })) {
      mkdirSync(join(folder, 'node_modules', name), { recursive: true });
      writeFileSync(join(folder, 'node_modules', name, 'package.json'), JSON.stringify({ name, version: '0.0.1' }));
    }
  });

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it(
    'is packed by prepare, which says nothing on standard output, and the package works on its own',
    { timeout: 900_000 },
    () => {
      const packed = run(npm, ['pack', '--pack-destination', folder], { cwd: join(folder, 'clone'), env: environment });
      expect(packed.status, packed.stderr).toBe(0);
      // pre-commit 3 takes all of it for the name of the file.
      const name = packed.stdout.trim();
      expect(name).toMatch(/^lifetime-lint-[\w.-]+\.tgz$/);
      expect(existsSync(join(folder, 'clone', 'node_modules'))).toBe(false);

      const place = join(folder, 'place');
      const installed = run(npm, ['install', '--prefix', place, '--no-audit', '--no-fund', join(folder, name)], {
        cwd: folder,
        env: environment,
      });
      expect(installed.status, installed.stderr).toBe(0);
      const bin = join(place, 'node_modules', '.bin', 'lifetime-lint');
      writeFileSync(
        join(folder, 'pool.d'),
        'struct S { int[] a; int* f() @trusted { return &a[0]; } void g() { a ~= 1; } }\n',
      );
      writeFileSync(join(folder, 'ok.rs'), 'fn main() {}\n');
      const scanned = run(bin, ['pool.d', 'ok.rs', '--format', 'concise'], { cwd: folder, env: environment });
      expect(scanned.stdout).toContain('pointer-into-growable');
      expect(scanned.status).toBe(1);
      expect(readdirSync(join(place, 'node_modules', 'lifetime-lint', 'dist', 'grammars'))).toHaveLength(6);
    },
  );
});
