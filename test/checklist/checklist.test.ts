import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readHunks, touches } from '../../src/checklist/diff-hunks.js';
import { commentLimit } from '../../src/checklist/render-markdown.js';
import { callCli, makeFolder } from '../cli/call-cli.js';

const pool = `module pool;

final class Pool {
    private Job[] jobs;

    /// Jobs stay where they are.
    @trusted Job* next() {
        int unused = 1;
        return &jobs[0];
    }

    void add(Job job) {
        jobs ~= job;
    }

    @trusted int count() {
        return cast(int) jobs.length;
    }
}

struct Job {
    int id;
}
`;

const rust = `pub struct Handle(*mut u8);

unsafe impl Send for Handle {}

pub fn first(bytes: &[u8]) -> u8 {
    let at = 0;
    unsafe { *bytes.get_unchecked(at) }
}

pub fn twice(x: u32) -> u32 {
    x * 2
}
`;

const cargo = '[package]\nname = "x"\nversion = "0.1.0"\nedition = "2021"\n';

/** A repository with one commit. */
function makeRepository(files: Readonly<Record<string, string>>): string {
  const folder = makeFolder(files);
  git(folder, 'init', '-q', '-b', 'main');
  commit(folder);
  return folder;
}

function git(folder: string, ...args: readonly string[]): void {
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], { cwd: folder, stdio: 'pipe' });
}

function commit(folder: string): void {
  git(folder, 'add', '.');
  git(folder, 'commit', '-q', '-m', 'x');
}

function change(folder: string, path: string, from: string, to: string): void {
  const text = readFileSync(join(folder, path), 'utf8');
  expect(text).toContain(from);
  writeFileSync(join(folder, path), text.replace(from, to));
}

interface Listed {
  readonly entries: readonly {
    readonly name: string;
    readonly kind: string;
    readonly findings: readonly { readonly ruleId: string }[];
    readonly questions: readonly {
      readonly id: string;
      readonly answer?: string;
      readonly facts: readonly { readonly text: string; readonly line?: number }[];
    }[];
  }[];
}

async function list(folder: string, ...args: readonly string[]): Promise<Listed['entries']> {
  const { code, stdout, stderr } = await callCli(folder, ['checklist', '--format', 'json', ...args]);
  expect([code, stderr]).toEqual([0, '']);
  const parsed: Listed = JSON.parse(stdout);
  return parsed.entries;
}

async function namesIn(folder: string, ...args: readonly string[]): Promise<readonly string[]> {
  return (await list(folder, ...args)).map(({ name }) => name).sort();
}

describe('hunks of a diff', () => {
  it('reads added, removed and renamed lines, and is not misled by the text', () => {
    const hunks = readHunks(
      [
        'diff --git a/x.d b/x.d',
        '--- a/x.d',
        '+++ b/x.d',
        '@@ -3,0 +4,2 @@ void f()',
        '++++ b/fake.d',
        '+@@ -1 +1 @@',
        '@@ -9,2 +11,0 @@',
        '-a',
        '-b',
        '--- a/gone.d',
        '+++ /dev/null',
        '@@ -1 +0,0 @@',
        '-x',
        '--- a/old',
        '+++ "b/with \\"quotes\\".d"',
        '@@ -1 +1 @@',
        '-x',
        '+y',
      ].join('\n'),
    );
    expect([...hunks]).toEqual([
      [
        'x.d',
        [
          { start: 4, end: 5, isRemoval: false },
          { start: 11, end: 12, isRemoval: true },
        ],
      ],
      ['with "quotes".d', [{ start: 1, end: 1, isRemoval: false }]],
    ]);
  });

  it('counts a removal only where it took something out of the range', () => {
    const removal = { start: 11, end: 12, isRemoval: true };
    expect([touches(removal, 10, 12), touches(removal, 12, 20), touches(removal, 5, 11)]).toEqual([true, false, false]);
  });
});

describe('what is on the list', () => {
  it('holds nothing when nothing changed, and everything with --all', async () => {
    const folder = makeRepository({ 'pool.d': pool, 'Cargo.toml': cargo, 'src/lib.rs': rust });
    expect(await namesIn(folder)).toEqual([]);
    expect(await namesIn(folder, '--all')).toEqual(['Pool.count', 'Pool.next', 'Send for Handle', 'first']);
    expect(await namesIn(folder, '--all', 'src')).toEqual(['Send for Handle', 'first']);
  });

  it('holds a function that was touched anywhere, also in the comment above it', async () => {
    const folder = makeRepository({ 'pool.d': pool });
    change(folder, 'pool.d', 'unused = 1', 'unused = 2');
    expect(await namesIn(folder)).toEqual(['Pool.next']);
    git(folder, 'checkout', '-q', '.');
    change(folder, 'pool.d', 'stay where', 'stay just where');
    expect(await namesIn(folder)).toEqual(['Pool.next']);
  });

  it('holds a function whose array grows on a touched line elsewhere', async () => {
    const folder = makeRepository({ 'pool.d': pool });
    change(folder, 'pool.d', 'jobs ~= job;', 'jobs ~= Job(job.id);');
    expect(await namesIn(folder)).toEqual(['Pool.next']);
  });

  it('holds an unsafe block when the function around it was touched, and not for its neighbour', async () => {
    const folder = makeRepository({ 'Cargo.toml': cargo, 'src/lib.rs': rust });
    change(folder, 'src/lib.rs', 'x * 2', 'x + x');
    expect(await namesIn(folder)).toEqual([]);
    change(folder, 'src/lib.rs', 'let at = 0', 'let at = 1');
    expect(await namesIn(folder)).toEqual(['first']);
  });

  it('compares with the common ancestor, what is staged, and takes new files as a whole', async () => {
    const folder = makeRepository({ 'pool.d': pool, 'src/lib.rs': rust, 'Cargo.toml': cargo });
    git(folder, 'checkout', '-q', '-b', 'work');
    change(folder, 'pool.d', 'unused = 1', 'unused = 2');
    commit(folder);
    expect(await namesIn(folder)).toEqual([]);
    expect(await namesIn(folder, '--since', 'main')).toEqual(['Pool.next']);
    change(folder, 'src/lib.rs', 'let at = 0', 'let at = 1');
    expect(await namesIn(folder, '--staged')).toEqual([]);
    git(folder, 'add', '.');
    expect(await namesIn(folder, '--staged')).toEqual(['first']);
    writeFileSync(join(folder, 'new.d'), 'module fresh;\n@trusted void f() {}\n');
    expect(await namesIn(folder, '--changed')).toEqual(['f', 'first']);
  });
});

describe('what git says', () => {
  it('takes a renamed file by its changed lines only, staged or not', async () => {
    const folder = makeRepository({ 'pool.d': pool });
    git(folder, 'mv', 'pool.d', 'jobs.d');
    expect(await namesIn(folder)).toEqual([]);
    change(folder, 'jobs.d', 'unused = 1', 'unused = 2');
    git(folder, 'add', '.');
    expect(await namesIn(folder, '--staged')).toEqual(['Pool.next']);
    expect(await namesIn(folder)).toEqual(['Pool.next']);
  });

  it('reads what an attribute calls binary, other line ends and deleted files', async () => {
    const folder = makeRepository({
      'pool.d': pool.replaceAll('\n', '\r\n'),
      'gone.d': pool.replaceAll('Pool', 'Gone'),
      '.gitattributes': '*.d binary\n',
    });
    change(folder, 'pool.d', 'unused = 1', 'unused = 2');
    git(folder, 'rm', '-q', 'gone.d');
    expect(await namesIn(folder)).toEqual(['Pool.next']);
  });
});

describe('what an entry says', () => {
  it('fills the five questions of D in and attaches the finding', async () => {
    const entries = await list(makeRepository({ 'pool.d': pool }), '--all');
    const next = entries.find(({ name }) => name === 'Pool.next');
    expect(next?.findings.map(({ ruleId }) => ruleId)).toContain('pointer-into-growable');
    expect(next?.questions.map(({ id }) => id)).toEqual([
      'returned-pointers',
      'captures',
      'array-stability',
      'thread-state',
      'collector',
    ]);
    const facts = (id: string): readonly string[] =>
      (next?.questions.find((question) => question.id === id)?.facts ?? []).map(
        ({ text, line }) => `${String(line)} ${text}`,
      );
    expect(facts('returned-pointers').join('\n')).toMatch(/It returns a pointer \('Job\*'\)/u);
    expect(facts('array-stability').join('\n')).toMatch(/13 'this\.jobs' is changed by '~=' in 'Pool\.add'/u);
    expect(next?.questions.find(({ id }) => id === 'returned-pointers')?.answer).toBeUndefined();
    const count = entries.find(({ name }) => name === 'Pool.count');
    expect(count?.questions.find(({ id }) => id === 'returned-pointers')?.answer).toMatch(/holds no pointer/u);
  });

  it('says what a lambda without a value returns, and where a pointer was before', async () => {
    const nodes = `module nodes;

import core.stdc.stdlib : free;

struct Node { Node* next; }

final class Nodes {
    private Node* first, last;

    void clear() @safe {
        auto node = first;
        while (node !is null) {
            () @trusted { free(node); }();
            node = node.next;
        }
        () @trusted { mixin("return first;"); }();
    }

    @trusted void tie() {
        last = first;
    }
}
`;
    const entries = await list(makeRepository({ 'nodes.d': nodes }), '--all');
    const [freed, mixed, tied] = ['Nodes.clear.{closure}', 'Nodes.clear.{closure}', 'Nodes.tie'].map((name, at) => {
      const asked = entries.filter((entry) => entry.name === name)[at % 2]?.questions;
      return asked?.find(({ id }) => id === 'returned-pointers');
    });
    expect(freed?.answer).toBe('it returns nothing, and no pointer was seen to be stored');
    expect([mixed?.answer, mixed?.facts[0]?.text]).toEqual([undefined, 'Its return type is inferred.']);
    expect(tied?.facts.map(({ text }) => text)).toContain("The pointer in 'this.first' is stored in 'this.last'.");
  });

  it('answers array stability for elements that are class references, and only then', async () => {
    const asClass = pool
      .replace('struct Job', 'final class Job')
      .replace('Job* next', 'Job next')
      .replace('&jobs[0]', 'jobs[0]');
    const question = (entries: Listed['entries']): string | undefined =>
      entries.find(({ name }) => name === 'Pool.next')?.questions.find(({ id }) => id === 'array-stability')?.answer;
    expect(question(await list(makeRepository({ 'pool.d': asClass }), '--all'))).toMatch(
      /growth moves the references/u,
    );
    expect(question(await list(makeRepository({ 'pool.d': pool }), '--all'))).toBeUndefined();
  });

  it('asks the nine preconditions of an unsafe block', async () => {
    const entries = await list(makeRepository({ 'Cargo.toml': cargo, 'src/lib.rs': rust }), '--all');
    const first = entries.find(({ name }) => name === 'first');
    expect(first?.questions).toHaveLength(9);
    expect(first?.questions.find(({ id }) => id === 'bounds')?.facts.map(({ text, line }) => [text, line])).toEqual([
      ["'get_unchecked' is called.", 7],
    ]);
    expect(first?.questions.find(({ id }) => id === 'allocator')?.facts).toEqual([]);
  });
});

describe('what a block that calls foreign code shows', () => {
  const foreign = `pub enum Thing {}

extern "C" {
    fn thing_ref(thing: *mut Thing);
    fn thing_destroy(thing: *mut Thing);
    fn thing_write(thing: *mut Thing, data: *const u8, data_len: usize) -> *mut Thing;
}

pub struct Handle(*mut Thing);

unsafe impl Send for Handle {}

impl Clone for Handle {
    fn clone(&self) -> Self {
        if !self.0.is_null() {
            unsafe {
                thing_ref(self.0);
            }
        }
        Handle(self.0)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        unsafe {
            thing_destroy(self.0);
        }
    }
}

pub fn fill(handle: &Handle, data: &[u8]) {
    unsafe {
        thing_write(handle.0, data.as_ptr(), data.len());
    }
}
`;
  const files = { 'Cargo.toml': cargo, 'src/lib.rs': foreign };

  it('names the pointers that it gets, who releases them, and the checks around', async () => {
    const entries = await list(makeRepository(files), '--all');
    const facts = (name: string, id: string): readonly string[] =>
      (entries.find((entry) => entry.name === name)?.questions.find((question) => question.id === id)?.facts ?? []).map(
        ({ text, line }) => `${String(line)} ${text}`,
      );
    expect(facts('Handle.clone', 'lifetimes')).toEqual([
      "17 The foreign 'thing_ref' gets a pointer ('self.0') as 'thing'.",
      "25 'Handle' has a 'drop', after which its pointer is dead.",
    ]);
    expect(facts('Handle.clone', 'validity')).toEqual(["15 'is_null' is asked in the function around it."]);
    expect(facts('Handle.drop', 'allocator')).toEqual([
      "27 The foreign 'thing_destroy' is called, by its name a release.",
    ]);
    expect(facts('fill', 'bounds')).toEqual([
      "34 The foreign 'thing_write' takes 'data' together with the length 'data_len'.",
    ]);
    expect(facts('fill', 'validity')).toEqual([
      "34 The foreign 'thing_write' gives back a '*mut Thing', which may be null.",
    ]);
  });

  it('lists an unsafe impl when the declaration of its type changed', async () => {
    const folder = makeRepository(files);
    change(folder, 'src/lib.rs', 'Handle(*mut Thing)', 'Handle(pub *mut Thing)');
    expect(await namesIn(folder)).toEqual(['Send for Handle']);
  });
});

it('answers nothing about a function of which a part could not be read', async () => {
  const folder = makeRepository({
    'm.d': 'module m;\n@trusted int f() {\n    mixin("int x = 1;");\n    return x;\n}\n',
  });
  const [entry] = await list(folder, '--all');
  expect([entry?.name, entry?.questions.filter(({ answer }) => answer !== undefined)]).toEqual(['f', []]);
});

describe('the list in Markdown', () => {
  it('ticks nothing, and keeps ticks and reasons of a reviewer while the code stays', async () => {
    const folder = makeRepository({ 'pool.d': pool, '.gitignore': '*.md\n' });
    const print = async (...args: readonly string[]): Promise<string> =>
      (await callCli(folder, ['checklist', '--all', ...args])).stdout;
    const fresh = await print();
    expect(fresh).not.toMatch(/^- \[x\]/mu);
    const written = fresh
      .replace('- [ ] **Captures.**', '- [x] **Captures.**')
      .replace('- Justification:', '- Justification: Jobs are\n  reserved first.');
    writeFileSync(join(folder, 'old.md'), written);
    const moved = pool.replace('module pool;\n', 'module pool;\n\n\n');
    writeFileSync(join(folder, 'pool.d'), moved);
    const kept = await print('--merge', 'old.md');
    expect(kept.match(/^- \[x\] \*\*Captures\.\*\*/gmu)).toHaveLength(1);
    expect(kept).toContain('- Justification: Jobs are\n  reserved first.');
    // Twice gives the same.
    writeFileSync(join(folder, 'old.md'), kept);
    expect(await print('--merge', 'old.md')).toBe(kept);

    writeFileSync(join(folder, 'pool.d'), moved.replace('unused = 1', 'unused = 2'));
    const changed = await print('--merge', 'old.md');
    expect(changed).not.toMatch(/^- \[x\]/mu);
    expect(changed).toContain('1 tick was taken away');
    expect(changed).toContain('- Justification: Jobs are\n  reserved first.');

    writeFileSync(join(folder, 'pool.d'), 'module pool;\n');
    expect(await print('--merge', 'old.md')).toContain('No @\u200btrusted or unsafe code is to be vouched for');
  });

  it('is cut to what a comment holds, counts what was cut, and cuts reviewed entries last', async () => {
    const names = Array.from({ length: 150 }, (_, i) => `f${String(i)}`);
    const text = names.map((name) => `@trusted void ${name}(int* p) { *p = 1; }\n`).join('');
    const folder = makeRepository({ 'many.d': `module many;\n${text}`, '.gitignore': '*.md\n' });
    const all = await callCli(folder, ['checklist', '--all']);
    expect(all.stdout.length).toBeLessThanOrEqual(commentLimit);
    const shown = all.stdout.match(/^## `f\d+`/gmu) ?? [];
    expect(shown.length).toBeGreaterThan(10);
    expect(all.stdout).toContain(`**${String(150 - shown.length)} entries of 150 did not fit and were cut**`);
    const last = await callCli(folder, ['checklist', 'many.d', '--all', '--format', 'json']);
    const parsed: { entries: { name: string; fingerprint: string; state: string }[] } = JSON.parse(last.stdout);
    const entry = parsed.entries.find(({ name }) => name === 'f149');
    writeFileSync(
      join(folder, 'old.md'),
      `# Lifetime checklist\n\n## \`f149\`\n\n<!-- lifetime-lint-review:${entry?.fingerprint ?? ''}:${entry?.state ?? ''} -->\n- [x] **Captures.**\n- Justification: Seen.\n`,
    );
    const merged = await callCli(folder, ['checklist', '--all', '--merge', 'old.md']);
    expect(merged.stdout).toMatch(/^## `f149`/mu);
    expect(merged.stdout).toContain('- Justification: Seen.');
  });
});

it('shows what the runs of an evidence file said about a finding', async () => {
  const folder = makeRepository({ 'pool.d': pool, '.gitignore': '*.json\n' });
  const scanned = await callCli(folder, ['--format', 'json', '--exit-zero']);
  const { findings }: { findings: { fingerprint: string; ruleId: string }[] } = JSON.parse(scanned.stdout);
  const finding = findings.find(({ ruleId }) => ruleId === 'pointer-into-growable');
  const entry = {
    fingerprint: finding?.fingerprint,
    ruleId: 'pointer-into-growable',
    target: 'pool',
    scenario: 'd-identity',
    runs: 5,
    hits: 3,
    class: 'changed-value',
    verdict: 'confirmed',
    platform: 'linux-x64',
    toolVersion: '0.1.0',
    when: '2026-01-01T00:00:00.000Z',
    artifacts: [],
  };
  writeFileSync(join(folder, 'runs.json'), JSON.stringify({ schema: 1, entries: [entry] }));
  for (const format of ['markdown', 'html']) {
    const { stdout } = await callCli(folder, ['checklist', '--all', '--format', format, '--evidence', 'runs.json']);
    expect(stdout).toMatch(/Evidence: Confirmed in 3 of 5 runs/u);
  }
});

it('is one HTML page that loads nothing and is made for narrow screens', async () => {
  const folder = makeRepository({ 'pool.d': pool });
  const { stdout } = await callCli(folder, ['checklist', '--all', '--format', 'html']);
  expect(stdout).toContain('<meta name="viewport" content="width=device-width, initial-scale=1">');
  expect(stdout).not.toMatch(/<link|src=|@import|url\(/u);
  expect(stdout).not.toMatch(/ checked/u);
  expect(stdout.match(/type="checkbox"/gu)).toHaveLength(10);
});

describe('mistakes get one sentence', () => {
  const folder = makeRepository({ 'pool.d': pool });
  it.each([
    [['--since', 'nowhere'], "There is no commit 'nowhere'"],
    [['--since', '--all'], "There is no commit '--all'"],
    [['--all', '--changed'], 'The options --changed and --all exclude each other'],
    [['--merge', 'none.md'], "The earlier list 'none.md' could not be read: it does not exist."],
    [['--evidence', 'none.json'], "The evidence file 'none.json' does not exist"],
    [['--evidence', 'pool.d'], 'is not JSON'],
    [['--merge', 'pool.d'], "'pool.d' is not a list"],
  ])('%j', async (args, message) => {
    const { code, stderr } = await callCli(folder, ['checklist', ...args]);
    expect([code, stderr.split('\n').length]).toEqual([2, 2]);
    expect(stderr).toContain(message);
  });

  it('outside a repository', async () => {
    const { code, stderr } = await callCli(makeFolder({ 'pool.d': pool }), ['checklist']);
    expect([code, /use --all/u.test(stderr)]).toEqual([2, true]);
  });
});
