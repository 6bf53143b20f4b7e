import type { Escape, FunctionFlow } from '../flow/result.js';

/** Rust: in the text of a function, what keeps its caller there until a thread or task is done with what it was given. */
export const WAITS =
  /\b(?:join|recv|blocking_recv|wait|scope|block_on|block_in_place|is_finished|park)\w*\s*\(|\bspin_loop\b|\bwhile\b[^{;]*\.\s*load\s*\(/u;

/** Whether the function waits for spawned work after the escape, as the API tables know waiting, or the work stands in a scope of threads. */
export function isWaitedFor(flow: FunctionFlow, { span }: Pick<Escape, 'span'>): boolean {
  return flow.calls.some(
    (call) =>
      call.span.end > span.end &&
      (call.rows.some((row) => row.effects.some(({ kind }) => kind === 'wait')) ||
        (call.method && SCOPES.test(call.callee) && call.span.start < span.start)),
  );
}

/** `POOL.scope(|s| s.spawn(..))` comes back when all that was spawned in it is done. */
const SCOPES = /^(?:in_place_)?scope(?:_fifo)?$/u;
