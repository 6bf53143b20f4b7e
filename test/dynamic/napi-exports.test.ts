import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { resolveInputs } from '../../src/discover/inputs.js';
import { addReachableExports } from '../../src/dynamic/napi-exports.js';
import type { Finding } from '../../src/model/finding.js';

const root = mkdtempSync(join(tmpdir(), 'lifetime-lint-exports-'));
mkdirSync(join(root, 'crate', 'src'), { recursive: true });
writeFileSync(join(root, 'crate', 'Cargo.toml'), '[package]\nname = "x"\nversion = "1.0.0"\n');
writeFileSync(
  join(root, 'crate', 'src', 'task.rs'),
  `pub struct SumTask {
  input: Buffer,
}
impl Task for SumTask {
  fn compute(&mut self) -> Result<u32> { checksum(&self.input) }
}
fn checksum(bytes: &[u8]) -> Result<u32> { Ok(bytes.len() as u32) }
fn unrelated() {}
`,
);
writeFileSync(
  join(root, 'crate', 'src', 'lib.rs'),
  `// #[napi] fn commented() -> AsyncTask<SumTask> {}
#[napi]
pub fn start_sum(input: Buffer) -> AsyncTask<SumTask> {
  AsyncTask::new(SumTask { input })
}
#[napi(js_name = "total", ts_return_type = "Promise<number> // ]")]
#[allow(clippy::all)]
pub async fn sum_all(input: Buffer) -> Result<u32> {
  checksum(&input)
}
#[napi]
pub struct Pool { jobs: Vec<u32> }
#[napi]
impl Pool {
  #[napi(constructor)]
  pub fn new() -> Self { Self { jobs: Vec::new() } }
  #[napi]
  pub fn finish_all(&mut self) -> u32 {
    self.jobs.len() as u32
  }
}
`,
);
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function reach(file: string, startLine: number): Promise<readonly string[] | undefined> {
  const location = { path: `crate/src/${file}`, startLine, startColumn: 1, endLine: startLine, endColumn: 2 };
  // Only the place of a finding is read here.
  const [finding] = await addReachableExports(
    [{ location, steps: [] } as unknown as Finding],
    resolveInputs([root], root),
  );
  return finding?.reachableFrom?.map(({ js }) => js);
}

describe('the exports that reach a finding', () => {
  it.each([
    ['the exported function itself, by its name in JavaScript', 'lib.rs', 9, ['total']],
    ['a method by its class', 'lib.rs', 18, ['Pool.finishAll']],
    ['a task by the function that makes it, in another file', 'task.rs', 2, ['startSum']],
    ["a task's method by its type", 'task.rs', 5, ['startSum']],
    ['a helper by the function that calls it', 'task.rs', 7, ['total']],
    ['a class by its methods', 'lib.rs', 12, ['Pool', 'Pool.finishAll']],
    ['nothing that no export names', 'task.rs', 8, undefined],
  ])('are found: %s', async (_, file, line, expected) => {
    expect(await reach(file, line)).toEqual(expected);
  });

  it('are left as the rule said', async () => {
    const location = { path: 'crate/src/lib.rs', startLine: 9, startColumn: 1, endLine: 9, endColumn: 2 };
    const said = { location, reachableFrom: [{ rust: 'a', js: 'b' }] } as unknown as Finding;
    expect(await addReachableExports([said], resolveInputs([root], root))).toEqual([said]);
  });
});
