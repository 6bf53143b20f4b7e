import { findMistakenData } from '../facts/callback-data.js';
import { lineOf } from '../facts/lines.js';
import { findFreedAs } from '../facts/freed-as.js';
import { findFieldMismatches } from '../facts/raw-fields.js';
import { findRawTakers, foreignMakers } from '../facts/raw-pairs.js';
import { bindingsOf } from '../facts/raw-views.js';
import { isByte, layoutsDiffer } from '../facts/layouts.js';
import type { UnitFacts } from '../facts/unit.js';
import type { Adoption, CallSite, FunctionFlow, Pointer } from '../flow/result.js';
import type { TypeOracle } from '../flow/types.js';
import type { Expr, ExprOf, FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { defineRule, type ReportStep } from './rule.js';

const TOKENS = { rust: ['from_raw', 'into_raw', 'decrement_strong_count'] };
/** A call that is given a function and, cast to no type, its data. */
const GIVES_DATA = /\bas\s+\*(?:mut|const)\s+(?:\w+::)*c_void\b/u;
/** Calls that free or count what a pointer of their own type leads to. */
const TAKES = /(?:^|::)(Box|Rc|Arc|Weak)::(?:from_raw|decrement_strong_count)$/u;

export default defineRule({
  meta: {
    id: 'raw-round-trip-mismatch',
    title: 'Raw pointer made by one type and taken by another',
    summary: 'A pointer made by into_raw of one owner type is taken over by from_raw of another.',
    languages: ['rust'],
    severity: 'error',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-762', 'CWE-843'],
    messages: {
      mismatch:
        "The pointer that '{maker}' made (line {made}) is taken over by '{taker}' at line {taken}: the two types free different memory.",
      content:
        "The pointer that '{maker}' made of a '{from}' (line {made}) is taken over as a '{to}' by '{taker}' at line {taken}: what is dropped and freed is not what was allocated.",
      finalizer:
        "'{callee}' is given a '{from}' (line {made}), and its finalizer '{taker}' takes it over as a '{to}' at line {taken}: what is dropped and freed is not what was allocated.",
      released:
        "'{callee}' is given a pointer that '{maker}' made (line {made}), and '{taker}' takes it over by '{by}' at line {taken}: the two types free different memory.",
      callback:
        "'{callee}' is given a pointer to a '{from}' as data, and the callback '{taker}' takes it for a '{to}' (line {taken}): what it reads is not what is there.",
      elsewhere:
        "'{taker}' at line {taken} takes over a pointer to a '{content}', and the package makes such pointers by '{maker}' ({file}:{made}): the two types free different memory.",
      field:
        "'{type}.{field}' is filled by '{maker}' (line {made}) and taken over by '{taker}' at line {taken}: the two types free different memory.",
      filled:
        "'{type}.{field}' is filled by '{maker}' of a '{from}' (line {made}) and taken over as a '{to}' by '{taker}' at line {taken}: what is dropped and freed is not what was allocated.",
      untyped:
        "'{taker}' at line {taken} is given '{pointer}', a '{type}': it frees memory for a value without size or content, not for the one that was boxed.",
      text: "'{taker}' at line {taken} takes over '{pointer}', a '{type}', as a box of one character: what 'CString::into_raw' or C made of a text is not freed by that.",
      byte: "'{taker}' at line {taken} takes over '{pointer}' as a box of one byte, and the file hands out whole blocks of bytes by '{maker}' (line {made}): they are freed with another size.",
    },
    checklist: 'Do into_raw and from_raw name the same type?',
    scenarios: ['sequential', 'command'],
  },
  tokens: { rust: [...TOKENS.rust, 'c_void'] },
  bodyTokens: { rust: [...TOKENS.rust, GIVES_DATA] },
  looksAt: 'bodies',
  perFile: ['rust'],
  check({ unit, functionsIn, report }) {
    for (const file of unit.filesOf('rust')) {
      const calledBack = file.functions.some((f) => f.abi !== undefined && f.bodySpan !== undefined);
      const judged = new Set<number>();
      for (const { type, field, maker, taker, content, isForeign } of findFieldMismatches(unit, file)) {
        if (isForeign) continue;
        judged.add(taker.span.start);
        report({
          messageId: content ? 'filled' : 'field',
          data: {
            from: content ? spell(content.from) : '',
            to: content ? spell(content.to) : '',
            type,
            field,
            maker: maker.how,
            made: lineOf(unit, file, maker.span.start),
            taker: taker.how,
            taken: lineOf(unit, file, taker.span.start),
          },
          at: { file, span: taker.span },
          steps: [
            { file, span: maker.span, role: 'acquire', note: `'${field}' is filled here.` },
            { file, span: taker.span, role: 'release', note: `'${taker.how}' takes it for its own.` },
          ],
          key: `${type}.${field}|${taker.how}`,
        });
      }
      for (const fn of functionsIn(file)) {
        const mistaken = calledBack ? findMistakenData(unit, file, fn) : undefined;
        if (mistaken) {
          const { callee, callback, from, to, given, taken } = mistaken;
          report({
            messageId: 'callback',
            data: { callee, from, taker: callback.name, to, taken: lineOf(unit, file, taken.start) },
            at: { file, span: taken },
            steps: [
              { file, span: given, role: 'acquire', note: `It is given as a pointer to a '${from}'.` },
              { file, span: taken, role: 'use', note: `'${callback.name}' takes it for a '${to}'.` },
            ],
            key: `${callback.name}|${from}|${to}`,
            confidence: 'medium',
          });
        }
        if (!unit.holds(file, fn, TOKENS.rust)) continue;
        const freed = calledBack && !mistaken ? findFreedAs(unit, file, fn) : undefined;
        const told = new Set<number>();
        const flow = unit.flowOf(file, fn);
        for (const call of flow.calls) {
          const type = call.args[0]?.type;
          const span = call.argSpans[0];
          if (!TAKES.test(call.callee) || call.method || !span) continue;
          const byte = singleByte(unit, file, fn, call);
          if (byte) {
            report({
              messageId: 'byte',
              data: {
                taker: call.callee,
                taken: lineOf(unit, file, call.span.start),
                pointer: byte.pointer,
                maker: byte.maker,
                made: lineOf(unit, file, byte.made.start),
              },
              at: { file, span: call.span },
              steps: [
                { file, span: byte.made, role: 'acquire', note: 'A block of bytes is made here.' },
                { file, span: call.span, role: 'release', note: `'${call.callee}' takes it for one byte.` },
              ],
              key: `byte|${byte.pointer}`,
              confidence: 'medium',
            });
            continue;
          }
          const isText = isCharacters(type) && /(?:^|::)Box::from_raw$/u.test(call.callee);
          const shown = isUntyped(type) || isText ? type?.text : userDataOf(fn, call);
          if (shown === undefined) continue;
          const pointer = (unit.textOf(file.path) ?? '').slice(span.start, span.end);
          // A turbofish or a cast to `*mut _` says what it really is.
          if (!/^\w+$/u.test(pointer) || /::</u.test((unit.textOf(file.path) ?? '').slice(call.span.start, span.start)))
            continue;
          // A count without content is a token that its clones share.
          if (/(?:Rc|Arc)::/u.test(call.callee) && isToken(unit.textOf(file.path) ?? '')) continue;
          // Where the maker is in sight, and what it held, that says more.
          if (
            flow.adoptions.some((a) => a.span.start === call.span.start && isJudged(a, unit.oracle('rust'), file.path))
          )
            continue;
          const taken = lineOf(unit, file, call.span.start);
          report({
            messageId: isText ? 'text' : 'untyped',
            data: { taker: call.callee, taken, pointer, type: shown },
            at: { file, span: call.span },
            steps: [
              {
                file,
                span: type?.span ?? span,
                role: 'declare',
                note: isText ? `'${pointer}' leads to a text.` : `'${pointer}' has lost its type here.`,
              },
              { file, span: call.span, role: 'release', note: `'${call.callee}' takes it for what it is declared as.` },
            ],
            key: `untyped|${pointer}`,
          });
        }
        for (const adoption of flow.adoptions) {
          const { pointer } = adoption;
          const made = makerOf(pointer);
          if (made === undefined) continue;
          const place = {
            at: { file, span: adoption.span },
            steps: [
              {
                file,
                span: pointer.site,
                role: 'acquire' as const,
                note: `'${pointer.how}' makes a pointer to a ${made}.`,
              },
              {
                file,
                span: adoption.span,
                role: 'release' as const,
                note: `'${adoption.how}' takes it for a ${adoption.rawType}.`,
              },
            ],
            key: `${made}|${adoption.rawType}`,
          };
          const data = {
            maker: pointer.how,
            made: lineOf(unit, file, pointer.site.start),
            taker: adoption.how,
            taken: lineOf(unit, file, adoption.span.start),
          };
          // A leaked Vec or String is taken back by its raw parts.
          const isReassembled =
            (made === 'Box' && adoption.rawType === 'Vec') || (made === 'Vec' && adoption.rawType === 'Box');
          if (made !== adoption.rawType) {
            if (!isReassembled) report({ ...place, messageId: 'mismatch', data });
            continue;
          }
          const from = contentOf(pointer);
          const to = adoption.content;
          if (from && to && layoutsDiffer(from, to, unit.oracle('rust'), file.path))
            report({ ...place, messageId: 'content', data: { ...data, from: spell(from), to: spell(to) } });
        }
        for (const taker of findRawTakers(unit, fn)) {
          // Both ends in one function are judged above.
          if (
            judged.has(taker.span.start) ||
            flow.adoptions.some((a) => a.span.start === taker.span.start && makerOf(a.pointer) !== undefined)
          )
            continue;
          const [maker] = foreignMakers(unit, taker);
          if (!maker) continue;
          const how = `${taker.owner}::from_raw`;
          report({
            messageId: 'elsewhere',
            data: {
              taker: how,
              taken: lineOf(unit, file, taker.span.start),
              content: taker.content,
              maker: maker.how,
              file: maker.file.path,
              made: lineOf(unit, maker.file, maker.span.start),
            },
            at: { file, span: taker.span },
            steps: [
              { file: maker.file, span: maker.span, role: 'acquire', note: `'${maker.how}' makes the pointer here.` },
              { file, span: taker.span, role: 'release', note: `'${how}' takes it for its own.` },
            ],
            key: `${taker.content}|${how}`,
          });
        }
        for (const pair of findFinalizers(unit, file, flow)) {
          const { adoption, pointer } = pair;
          const from = contentOf(pointer);
          const to = adoption.content;
          // `Box::from_raw(hint.cast())` gets its type from where the result goes.
          if (!from || !to || to.name === 'c_void' || !layoutsDiffer(from, to, unit.oracle('rust'), file.path))
            continue;
          told.add(pair.call.span.start);
          report({
            messageId: 'finalizer',
            data: {
              callee: pair.call.callee,
              from: spell(from),
              made: lineOf(unit, file, pointer.site.start),
              taker: pair.name,
              to: spell(to),
              taken: lineOf(unit, pair.file, adoption.span.start),
            },
            at: { file, span: pair.call.span },
            steps: [
              {
                file,
                span: pointer.site,
                role: 'acquire',
                note: `'${pointer.how}' makes a pointer to a '${spell(from)}'.`,
              },
              {
                file: pair.file,
                span: adoption.span,
                role: 'release',
                note: `The finalizer takes it for a '${spell(to)}'.`,
              },
            ],
            key: `${pair.name}|${spell(from)}|${spell(to)}`,
          });
        }
        if (freed && !told.has(freed.call.start)) {
          const { callee, callback, content, by, how } = freed;
          const lines = { made: lineOf(unit, file, freed.made.start), taken: lineOf(unit, file, freed.taken.start) };
          const made = content ? `a pointer to a '${spell(content.from)}'` : 'the pointer';
          const taken = content ? `it for a '${spell(content.to)}'` : `it over by '${by}'`;
          const steps: ReportStep[] = [
            { file, span: freed.made, role: 'acquire', note: `'${how}' makes ${made}.` },
            { file, span: freed.taken, role: 'release', note: `'${callback.name}' takes ${taken}.` },
          ];
          const place = { at: { file, span: freed.call }, steps };
          if (content) {
            const ends = { from: spell(content.from), to: spell(content.to) };
            report({
              messageId: 'finalizer',
              data: { callee, taker: callback.name, ...ends, ...lines },
              ...place,
              key: `${callback.name}|${ends.from}|${ends.to}`,
            });
          } else
            report({
              messageId: 'released',
              data: { callee, maker: how, taker: callback.name, by, ...lines },
              ...place,
              key: `${callback.name}|${how}|${by}`,
            });
        }
      }
    }
  },
});

/** The owner type whose `into_raw` or `leak` made the pointer. */
function makerOf(pointer: Pointer): string | undefined {
  const forget = pointer.row?.effects.find((e) => e.kind === 'forget');
  const made = forget?.kind === 'forget' ? (forget.rawType ?? pointer.how.split('::').at(-2)) : undefined;
  const head = made ?? (forget ? pointer.target.root.type?.name : undefined);
  return head !== undefined && /^(Box|Rc|Arc|Weak|CString|Vec|String)$/u.test(head) ? head : undefined;
}

/** What the owner held that the pointer was made of. */
function contentOf(pointer: Pointer): TypeRef | undefined {
  const { type } = pointer.target.root;
  return type?.kind === 'path' && /^(?:Box|Rc|Arc|Weak)$/u.test(type.name) ? type.args[0] : undefined;
}

/** Whether the two ends are judged by what is known of both: other owners, other contents, or a byte that is freed as a byte. */
function isJudged({ pointer, rawType, content: to }: Adoption, oracle: TypeOracle, fromPath: string): boolean {
  const made = makerOf(pointer);
  const from = contentOf(pointer);
  if (made === undefined || made !== rawType) return made !== undefined;
  return from !== undefined && (isByte(from) || (to !== undefined && layoutsDiffer(from, to, oracle, fromPath)));
}

function spell(type: TypeRef): string {
  if (type.kind === 'tuple') return `(${type.args.map(spell).join(', ')})`;
  if (type.kind === 'slice') return `[${type.element ? spell(type.element) : '_'}]`;
  if (type.kind === 'pointer') return type.text;
  return type.args.length > 0 ? `${type.name}<${type.args.map(spell).join(', ')}>` : type.name || type.text;
}

interface Finalized {
  readonly call: CallSite;
  readonly pointer: Pointer;
  readonly name: string;
  readonly file: FileIr;
  readonly adoption: Pick<Adoption, 'content'> & { readonly span: Span };
}

/** Registrations that are given memory and, in the same call, the function that takes it back. */
function findFinalizers(unit: UnitFacts, file: FileIr, flow: FunctionFlow): readonly Finalized[] {
  const found: Finalized[] = [];
  const oracle = unit.oracle('rust');
  for (const call of flow.calls) {
    if (call.method || call.expr.kind !== 'call') continue;
    const retained = call.rows.flatMap((row) => row.effects.flatMap((e) => (e.kind === 'retain' ? [e.what] : [])));
    if (retained.length === 0) continue;
    for (const { value } of call.expr.args) {
      const named = functionName(value);
      const target = named === undefined ? undefined : oracle.freeFunction(named.path.at(-1) ?? '', file.path);
      if (!target?.fn.body) continue;
      const helper = unit.fileAt(target.path);
      if (!helper) continue;
      const { summary } = unit.flowOf(helper, target.fn);
      // (env, data, hint): the first memory that the call keeps comes as the second argument, the next as the third.
      retained.forEach((what, position) => {
        const taken = summary.adopts.find((a) => a.place.root.kind === 'param' && a.place.root.index === position + 1);
        const given = typeof what === 'number' ? call.args[what] : undefined;
        const pointer = given?.pointers.find((p) => makerOf(p) === taken?.rawType);
        if (!taken || !pointer) return;
        const parameters = target.fn.generics.filter((g) => !g.name.startsWith("'")).map((g) => g.name);
        const at = taken.content?.kind === 'path' ? parameters.indexOf(taken.content.name) : -1;
        const content = at < 0 ? taken.content : named?.typeArgs?.[at];
        found.push({
          call,
          pointer,
          name: target.fn.name,
          file: helper,
          adoption: { span: taken.span, ...(content ? { content } : {}) },
        });
      });
    }
  }
  return found;
}

/** `f` and `Some(f)`. */
function functionName(expr: Expr): ExprOf<'name'> | undefined {
  if (expr.kind === 'name') return expr;
  const inner =
    expr.kind === 'call' && expr.callee.kind === 'name' && expr.callee.path.at(-1) === 'Some'
      ? expr.args[0]
      : undefined;
  return inner ? functionName(inner.value) : undefined;
}

/** The type of what `lib_get_user_data(..)` gives, which every library declares without one, in a variable that is given on as it is. */
function userDataOf(fn: FunctionIr, { expr }: CallSite): string | undefined {
  const given = expr.kind === 'call' ? expr.args[0]?.value : undefined;
  if (given?.kind !== 'name' || given.path.length !== 1 || !fn.body) return undefined;
  let init = bindingsOf(fn.body).get(given.path[0] ?? '');
  while (init?.kind === 'block') init = init.block.result;
  if (init?.kind !== 'call' || init.callee.kind !== 'name') return undefined;
  const { path } = init.callee;
  const isForeign = path.slice(0, -1).some((s) => /^(?:ffi|sys|\w+_sys|\w+_ffi)$/u.test(s));
  return isForeign && /_get_?(?:user|client)_?(?:data|ptr|pointer)$/u.test(path.at(-1) ?? '')
    ? '*mut c_void'
    : undefined;
}

/**
 * `Box::from_raw(block as *mut u8)` of a parameter of an exported function, in a file that hands out blocks of bytes under a thin pointer,
 * and boxes no single byte.
 */
function singleByte(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  { callee, expr }: CallSite,
): { readonly pointer: string; readonly maker: string; readonly made: Span } | undefined {
  if (!/(?:^|::)Box::from_raw$/u.test(callee) || fn.abi === undefined || expr.kind !== 'call') return undefined;
  const given = expr.args[0]?.value;
  const cast = given?.kind === 'cast' ? given : undefined;
  const name = cast ? cast.value : given;
  if (name?.kind !== 'name' || name.path.length !== 1) return undefined;
  const param = fn.params.find((p) => p.name === name.path[0]);
  const type = cast?.type ?? param?.type;
  if (!param || type?.kind !== 'pointer' || !/^(?:u8|i8|c_char|c_uchar|c_schar)$/u.test(type.element?.name ?? ''))
    return undefined;
  if (fn.params.length !== 1) return undefined;
  const text = unit.textOf(file.path) ?? '';
  if (/\bBox\s*(?:::\s*<\s*[ui]8\s*>\s*)?::\s*new\s*\(\s*(?:\d|b'|\w+\s+as\s+[ui]8\b)/u.test(text)) return undefined;
  const boxed = [...text.matchAll(/\bBox\s*::\s*new\s*\(\s*(\w+)\s*\)/gu)].map((match) => match[1] ?? '');
  if (boxed.some((one) => new RegExp(`\\b${one}\\s*:\\s*[ui]8\\b`, 'u').test(text))) return undefined;
  const made = /\b(into_boxed_slice|into_boxed_bytes|shrink_to_fit|into_raw_parts)\s*\(/u.exec(text);
  if (!made || !/\b(?:forget|leak|into_raw|ManuallyDrop)\b/u.test(text)) return undefined;
  return {
    pointer: name.path[0] ?? '',
    maker: made[1] ?? '',
    made: { start: made.index, end: made.index + made[0].length },
  };
}

/** Whether the file counts references to nothing: `Arc<()>`. */
function isToken(text: string): boolean {
  return /\b(?:Rc|Arc)<\(\)>/u.test(text);
}

/** `*mut c_char`: a text of C. */
function isCharacters(type: TypeRef | undefined): boolean {
  return type?.kind === 'pointer' && type.element?.name === 'c_char';
}

/** `*mut c_void` and `*mut ()`. */
function isUntyped(type: TypeRef | undefined): boolean {
  if (type?.kind !== 'pointer' || !type.element) return false;
  return type.element.name === 'c_void' || (type.element.kind === 'tuple' && type.element.args.length === 0);
}
