import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeFolder } from '../discover/make-folder.js';

const here = dirname(fileURLToPath(import.meta.url));

let located: Promise<string> | undefined;

/**
 * The compiled entry of the child harness. A built copy stands beside this module; when the sources themselves are run (by a
 * test runner that compiles on the fly), the harness is compiled once into the project's cache, because a child is a plain Node.
 */
export function locateHarness(): Promise<string> {
  located ??= locate();
  return located;
}

async function locate(): Promise<string> {
  const built = join(here, 'child', 'main.js');
  return existsSync(built) ? built : compileFromSources(join(here, 'child'));
}

async function compileFromSources(folder: string): Promise<string> {
  const { default: typescript } = await import('typescript');
  const names = readdirSync(folder).filter((name) => /\.c?ts$/.test(name));
  const sources = names.map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));
  const digest = createHash('sha256').update(sources.map(({ name, text }) => `${name}\0${text}`).join('\0'));
  const cache = join(here, '..', '..', 'node_modules', '.cache', 'lifetime-lint');
  const target = join(cache, `harness-${digest.digest('hex').slice(0, 16)}`);
  const entry = join(target, 'main.js');
  if (existsSync(entry)) return entry;
  const staging = join(cache, `harness-staging-${process.pid}`);
  makeFolder(staging);
  writeFileSync(join(staging, 'package.json'), '{ "type": "module" }\n');
  for (const { name, text } of sources) {
    const { outputText } = typescript.transpileModule(text, {
      // Without a package.json in sight a '.ts' file would become CommonJS.
      fileName: name.replace(/^([^.]+)\.ts$/, '$1.mts'),
      compilerOptions: {
        target: typescript.ScriptTarget.ES2023,
        // Decides by the name whether a file becomes an ES module.
        module: typescript.ModuleKind.NodeNext,
        verbatimModuleSyntax: true,
      },
    });
    writeFileSync(join(staging, name.replace(/ts$/, 'js')), outputText);
  }
  try {
    renameSync(staging, target);
  } catch {
    // Another process was faster; what it made is the same.
    rmSync(staging, { recursive: true, force: true });
  }
  return entry;
}
