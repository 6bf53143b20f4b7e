import type { Block, Expr, FunctionIr, Statement } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { calledName, memberPath } from './d-code.js';

/** What `scope (exit)` releases, and a second `scope` of the same block releases as well. */
export interface ScopeRelease {
  readonly what: string;
  readonly how: string;
  readonly span: Span;
  readonly second: Span;
}

type Deferred = Extract<Statement, { kind: 'defer' }>;

/** Names of functions that end what they are given, and do not count. */
const ENDS = /^(?:pureFree|free|fclose|dispose|deallocate)$|_(?:free|destroy|dispose)$/u;

/**
 * D: `scope (exit) free(p); scope (failure) free(p);`: `scope (exit)` runs on every way out, so that when an exception leaves the block
 * both run. A function that sets the variable anew is believed.
 */
export function findScopeReleases({ body }: FunctionIr): readonly ScopeRelease[] {
  if (body === undefined) return [];
  const blocks: Block[] = [body];
  const set = new Set<string>();
  walkBody(body, ({ expr }) => {
    if (expr.kind === 'block') blocks.push(expr.block);
    if (expr.kind === 'assign') set.add(memberPath(expr.target) ?? '');
  });
  return blocks.flatMap(({ statements }) => {
    const released = statements.flatMap((one) => (one.kind === 'defer' ? releaseOf(one) : []));
    return released.flatMap((always) => {
      if (always.when !== 'exit' || set.has(always.what)) return [];
      const { what, how, span } = always;
      const again = released.find((one) => one.when !== 'exit' && one.what === what && one.how === how);
      return again === undefined ? [] : [{ what, how, span, second: again.span }];
    });
  });
}

function releaseOf({
  body,
  when,
}: Deferred): readonly { what: string; how: string; span: Span; when: Deferred['when'] }[] {
  const [only, ...others] = body.statements;
  const call: Expr | undefined = only?.kind === 'expression' ? only.expr : only === undefined ? body.result : undefined;
  if (call?.kind !== 'call' || others.length > 0 || call.args.length !== 1) return [];
  const how = calledName(call) ?? '';
  const given = call.args[0]?.value;
  const what = given === undefined ? undefined : memberPath(given);
  return what !== undefined && ENDS.test(how) ? [{ what, how, span: call.span, when }] : [];
}
