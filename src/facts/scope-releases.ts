import type { Block, Expr, FileIr, FunctionIr, Statement } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';
import { calledName, declaredAs, memberPath, takesByRef } from './d-code.js';
import type { UnitFacts } from './unit.js';

/** What `scope (exit)` releases, and a second `scope` of the same block releases as well. */
export interface ScopeRelease {
  readonly what: string;
  readonly how: string;
  readonly span: Span;
  readonly second: Span;
}

type Deferred = Extract<Statement, { kind: 'defer' }>;

/** Functions of C libraries that end what they are given, and leave the variable as it is. */
const ENDS = /^(?:pureFree|free|fclose)$|_(?:free|destroy)$/u;

/** A function that is not known, by a name of one that may end a variable and empty it. */
const MAY_END = /free|release|dispose|destroy|delete|close|reset|clear|take|move|swap/iu;

/**
 * D: `scope (exit) free(p); scope (failure) free(p);`: `scope (exit)` runs on every way out, so that when an exception leaves the block
 * both run. A function that sets the variable anew, or gives it to one that may, is believed.
 */
export function findScopeReleases(unit: UnitFacts, file: FileIr, { body }: FunctionIr): readonly ScopeRelease[] {
  if (body === undefined) return [];
  const blocks: Block[] = [body];
  const set = new Set<string>();
  walkBody(body, ({ expr }) => {
    if (expr.kind === 'block') blocks.push(expr.block);
    if (expr.kind === 'assign') set.add(memberPath(expr.target) ?? '');
    else if (expr.kind === 'address') set.add(memberPath(expr.base) ?? '');
    else if (expr.kind === 'call' && !isLibrary(unit, file, calledName(expr) ?? ''))
      expr.args.forEach(({ value }, index) => {
        if (maySet(unit, file, calledName(expr) ?? '', index)) set.add(memberPath(value) ?? '');
      });
    else if (expr.kind === 'method')
      [expr.receiver, ...expr.args.map((arg) => arg.value)].forEach((value, index) => {
        if (maySet(unit, file, expr.method, index)) set.add(memberPath(value) ?? '');
      });
  });
  return blocks.flatMap(({ statements }) => {
    const released = statements.flatMap((one) => (one.kind === 'defer' ? releaseOf(one) : []));
    return released.flatMap((always) => {
      if (always.when !== 'exit' || set.has(always.what) || !isLibrary(unit, file, always.how)) return [];
      const { what, how, span } = always;
      const again = released.find((one) => one.when !== 'exit' && one.what === what && one.how === how);
      return again === undefined ? [] : [{ what, how, span, second: again.span }];
    });
  });
}

/** A function that the unit does not define itself. */
function isLibrary(unit: UnitFacts, file: FileIr, name: string): boolean {
  if (!ENDS.test(name) || file.functions.some((fn) => fn.name === name && fn.body !== undefined)) return false;
  const [declared] = declaredAs(unit, file, name);
  return (
    declared === undefined || (declared.body === undefined && declared.abi !== undefined && !takesByRef(declared, 0))
  );
}

/** Whether a function takes a variable by reference, or may as far as its name tells. */
function maySet(unit: UnitFacts, file: FileIr, name: string, index: number): boolean {
  const all = declaredAs(unit, file, name);
  return all.length === 0 ? MAY_END.test(name) : all.some((fn) => takesByRef(fn, index));
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
