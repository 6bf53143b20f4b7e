import type { Expr, FileIr, FunctionIr } from '../model/ir.js';
import { walkBody } from '../model/walk-body.js';
import { calledName, uncast } from './d-code.js';
import type { SharedDescriptor } from './shared-descriptors.js';
import type { UnitFacts } from './unit.js';

/** Classes of the library that close the descriptor that they are made with. */
const SOCKETS = /^(?:Socket|TcpSocket|UdpSocket)$/u;

/** What a function must hold for the fact to matter. */
export const SHOWS_FILENO = /\.\s*fileno\b/u;

/**
 * D: `new Socket(cast(socket_t) file.fileno, family)`, `fdopen(file.fileno, mode)`: the file still closes the number that it shows, and the
 * new owner closes it as well. Quiet where the number is duplicated or the file detached, and for the descriptors that every process has.
 */
export function findSharedFilenos(unit: UnitFacts, file: FileIr, fn: FunctionIr): readonly SharedDescriptor[] {
  const { body, bodySpan } = fn;
  const all = unit.textOf(file.path) ?? '';
  if (!body || !bodySpan) return [];
  const text = all.slice(bodySpan.start, bodySpan.end);
  if (!SHOWS_FILENO.test(text) || unit.functionsNamed('fileno', 'd', file.path).length > 0) return [];
  const found: SharedDescriptor[] = [];
  walkBody(body, ({ expr }) => {
    const taker = takerOf(unit, file, expr);
    if (taker === undefined) return;
    const shown = taker.given && shownBy(taker.given);
    if (shown === undefined) return;
    const owner = all.slice(shown.span.start, shown.span.end);
    // What is let go of, or never ends.
    const isKept = text.includes(`${owner}.detach`);
    if (/\bstd(?:in|out|err)\b/u.test(owner) || isKept) return;
    found.push({ taker: taker.name, owner, shown: shown.span, span: expr.span });
  });
  return found;
}

function takerOf(
  unit: UnitFacts,
  file: FileIr,
  expr: Expr,
): { readonly name: string; readonly given: Expr | undefined } | undefined {
  if (expr.kind === 'new') {
    const { name } = expr.type;
    const bases = SOCKETS.test(name) ? [] : (unit.oracle('d').declaration(name, file.path)?.bases ?? []);
    return SOCKETS.test(name) || bases.some((base) => SOCKETS.test(base))
      ? { name: `new ${name}`, given: expr.args[0]?.value }
      : undefined;
  }
  if ((expr.kind !== 'call' && expr.kind !== 'method') || calledName(expr) !== 'fdopen') return undefined;
  return { name: 'fdopen', given: expr.args[0]?.value };
}

/** The owner of `pipe.readEnd.fileno`, also under a cast. */
function shownBy(given: Expr): Expr | undefined {
  const plain = uncast(given);
  if (plain.kind === 'field' && plain.name === 'fileno') return plain.base;
  return plain.kind === 'method' && plain.method === 'fileno' && plain.args.length === 0 ? plain.receiver : undefined;
}
