import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { amplifierNames } from '../../src/dynamic/amplifier.js';
import { chooseAmplifiers, findExecutable, isSanitizerBuilt, prepareAmplifier } from '../../src/dynamic/amplify.js';
import { defaultPlan, runOnce, type RunOutcome } from '../../src/dynamic/run.js';
import { scenarioNames } from '../../src/dynamic/scenario.js';

const compiler = findExecutable(['cc', 'gcc', 'clang']);
const reason =
  process.platform !== 'linux'
    ? `guard pages are for Linux, and this is ${process.platform}`
    : compiler === undefined
      ? "there is no C compiler ('cc')"
      : undefined;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifetime-lint-guard-'));
  if (reason !== undefined || compiler === undefined) return;
  writeFileSync(
    join(folder, 'addon.c'),
    `#include <stdlib.h>
     #include <string.h>
     int play(const char *what) {
       volatile char *block = malloc(100);
       if (!strcmp(what, "past")) block[100 + 12] = 1;
       memset((char *)block, 7, 100);
       if (!strcmp(what, "grown")) { block = realloc((char *)block, 5000); return block[99] == 7 ? 0 : 3; }
       if (!strcmp(what, "aligned")) { void *p = NULL; return posix_memalign(&p, 64, 10) || ((unsigned long)p & 63) != 0; }
       if (!strcmp(what, "zeroed")) { char *z = calloc(10, 10); for (int i = 0; i < 100; i++) if (z[i]) return 4; free(z); return 0; }
       free((char *)block);
       if (!strcmp(what, "after")) return block[5];
       if (!strcmp(what, "twice")) free((char *)block);
       return 0;
     }
     void late(void) {}`,
  );
  writeFileSync(
    join(folder, 'main.c'),
    `#include <dlfcn.h>
     #include <string.h>
     int main(int count, char **arguments) {
       void *addon = dlopen(arguments[1], RTLD_NOW);
       if (!addon) return 9;
       if (!strcmp(arguments[2], "unloaded")) { void (*late)(void) = (void (*)(void))dlsym(addon, "late"); dlclose(addon); late(); return 0; }
       int (*play)(const char *) = (int (*)(const char *))dlsym(addon, "play");
       return play(arguments[2]);
     }`,
  );
  for (const args of [
    ['-O0', '-g', '-shared', '-fPIC', '-o', 'case.node', 'addon.c'],
    ['-O0', '-g', '-o', 'main', 'main.c', '-ldl'],
  ]) {
    const built = spawnSync(compiler, args, { cwd: folder, encoding: 'utf8' });
    if (built.status !== 0) throw new Error(built.stderr);
  }
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function play(what: string, env: Readonly<Record<string, string>> = {}): Promise<RunOutcome> {
  const command = `${join(folder, 'main')} ${join(folder, 'case.node')} ${what}`;
  return runOnce(
    defaultPlan({ kind: 'command', label: 'main', root: folder, specifier: '', command }, 'command', {
      amplifier: 'guard-pages',
      env,
    }),
  );
}

describe('guard pages', () => {
  it.each([
    ['after', 'use after free', 'freed by thread'],
    ['past', 'access past the end', 'allocated by thread'],
    ['twice', 'double free', 'freed again at'],
    ['unloaded', 'jump into an unloaded image', 'case.node'],
  ])('report %s', async (what, report, evidence) => {
    if (reason !== undefined) return expect(prepareAmplifier('guard-pages')).toHaveProperty('error');
    const outcome = await play(what);
    expect(outcome).toMatchObject({ kind: 'hit', class: 'guard-page' });
    expect(outcome.detail).toContain(report);
    expect(outcome.evidenceLines.join('\n')).toContain(evidence);
  });

  it.each(['nothing', 'grown', 'aligned', 'zeroed'])('leave %s alone', async (what) => {
    if (reason !== undefined) return expect(prepareAmplifier('guard-pages')).toHaveProperty('error');
    expect(await play(what)).toMatchObject({ kind: 'clean', exitCode: 0 });
  });

  it('keep images in memory when they are told to', async () => {
    if (reason !== undefined) return expect(prepareAmplifier('guard-pages')).toHaveProperty('error');
    expect(await play('unloaded', { LIFETIME_LINT_GUARD_KEEP: '1' })).toMatchObject({ kind: 'clean' });
  });

  it('name the block, both threads and both places', async () => {
    if (reason !== undefined) return expect(prepareAmplifier('guard-pages')).toHaveProperty('error');
    const lines = (await play('after')).evidenceLines.join('\n');
    expect(lines).toMatch(/5 bytes after the start of a block of 100 bytes/);
    expect(lines).toMatch(
      /allocated by thread \d+ at[\s\S]*play[\s\S]*freed by thread \d+ at[\s\S]*play[\s\S]*accessed at/,
    );
  });
});

describe('the built library', () => {
  it('is built again when it is broken, and refused where the loader could not take it', () => {
    if (reason !== undefined) return expect(prepareAmplifier('guard-pages')).toHaveProperty('error');
    const first = prepareAmplifier('guard-pages', join(folder, 'a'));
    if ('error' in first) throw new Error(first.error);
    const library = first.env['LD_PRELOAD'] ?? '';
    mkdirSync(join(folder, 'b', 'guard'), { recursive: true });
    const broken = join(folder, 'b', 'guard', basename(library));
    writeFileSync(broken, 'no library');
    expect(prepareAmplifier('guard-pages', join(folder, 'b'))).toMatchObject({ env: { LD_PRELOAD: broken } });
    expect(readFileSync(broken).length).toBeGreaterThan(1000);
    expect(prepareAmplifier('guard-pages', join(folder, 'with space'))).toEqual({
      error: expect.stringContaining('without spaces'),
    });
  });
});

describe('choosing', () => {
  it('says in one sentence what an amplifier lacks', () => {
    for (const name of amplifierNames) {
      const prepared = prepareAmplifier(name);
      if ('error' in prepared) expect(prepared.error).toMatch(new RegExp(`^The amplifier '${name}' .*[.]$`));
      else expect(prepared.name).toBe(name);
    }
  });

  it('never takes what is slow or hides more than it shows by itself', () => {
    for (const scenario of scenarioNames) {
      expect(chooseAmplifiers(scenario, false)).not.toContain('valgrind');
      expect(chooseAmplifiers(scenario, false)).not.toContain('sanitizer');
    }
    expect(chooseAmplifiers('detach', true)).toEqual(['sanitizer']);
    expect(chooseAmplifiers('detach', false)[0]).toBe('gc');
  });

  it('knows an addon that was built with a sanitizer', () => {
    writeFileSync(join(folder, 'with.node'), 'ELF __asan_init ELF');
    writeFileSync(join(folder, 'without.node'), 'ELF');
    expect(isSanitizerBuilt(join(folder, 'with.node'))).toBe(true);
    expect(isSanitizerBuilt(join(folder, 'without.node'))).toBe(false);
    expect(isSanitizerBuilt(join(folder, 'absent.node'))).toBe(false);
  });
});

it('finds no program by an empty name', () => {
  expect(findExecutable(['', 'nothing-of-that-name'])).toBeUndefined();
});
