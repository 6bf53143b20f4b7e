import { lineOf } from '../facts/lines.js';
import type { UnitFacts } from '../facts/unit.js';
import type { Adoption, FunctionFlow } from '../flow/result.js';
import { withoutAlias } from '../flow/types.js';
import type { FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
import { defineRule } from './rule.js';

const TOKENS = { rust: ['from_raw', 'libc::free', 'free('] };

export default defineRule({
  meta: {
    id: 'foreign-allocator-free',
    title: 'Memory freed by another allocator',
    summary: 'Memory that came from foreign code is freed by Rust, or the other way round.',
    languages: ['rust'],
    severity: 'error',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-762', 'CWE-590'],
    messages: {
      adopted:
        "Memory from '{source}' (line {acquired}) is taken over by '{adopter}' at line {line}: Rust will free what it did not allocate.",
      freed: "Memory that Rust allocated by '{source}' (line {acquired}) is freed by '{release}' at line {line}.",
    },
    checklist: 'Is every block freed by the allocator that made it?',
    scenarios: ['sequential', 'command'],
  },
  tokens: TOKENS,
  bodyTokens: { rust: ['from_raw', 'free'] },
  check({ unit, report }) {
    for (const file of unit.filesOf('rust')) {
      for (const fn of unit.functionsWith(file, ['from_raw', 'free'])) {
        const flow = unit.flowOf(file, fn);
        const seen = new Set<number>();
        for (const adoption of flow.adoptions) {
          const { root } = adoption.pointer.target;
          if (
            root.kind !== 'allocation' ||
            !(root.storage === 'foreign' || (root.storage === 'malloc' && MALLOC.test(root.name))) ||
            seen.has(adoption.span.start) ||
            isNeverFreed(flow, adoption)
          )
            continue;
          // A getter of the same library, or a setter that returns what it held before, hands back what Rust gave it.
          if (/(^|_|::)(get|from|user_data|data|cast|hook|swap|exchange|replace|take)(_|$)/u.test(root.name)) continue;
          if (isCastToOwnType(unit, file, fn, adoption) || isOpaque(unit, file, root.name)) continue;
          seen.add(adoption.span.start);
          report({
            messageId: 'adopted',
            data: {
              source: root.name,
              acquired: lineOf(unit, file, root.span.start),
              adopter: adoption.through ?? adoption.how,
              line: lineOf(unit, file, adoption.span.start),
            },
            at: { file, span: adoption.span },
            steps: [
              { file, span: root.span, role: 'acquire', note: `'${root.name}' returns memory of foreign code.` },
              {
                file,
                span: adoption.span,
                role: 'release',
                note: `'${adoption.through ?? adoption.how}' makes it a ${adoption.rawType}, which Rust's allocator frees.`,
              },
            ],
            key: root.name,
          });
        }
        for (const call of flow.calls) {
          if (!/(^|::)libc::free$|^free$/u.test(call.callee)) continue;
          for (const pointer of call.args[0]?.pointers ?? []) {
            const { root } = pointer.target;
            const rust = (root.kind === 'allocation' && root.storage === 'heap') || pointer.target.path.at(-1) === '[]';
            if (!rust || seen.has(call.span.start)) continue;
            seen.add(call.span.start);
            report({
              messageId: 'freed',
              data: {
                source: pointer.how,
                acquired: lineOf(unit, file, pointer.site.start),
                release: call.callee,
                line: lineOf(unit, file, call.span.start),
              },
              at: { file, span: call.span },
              steps: [
                {
                  file,
                  span: pointer.site,
                  role: 'acquire',
                  note: `'${pointer.how}' points to memory of Rust's allocator.`,
                },
                { file, span: call.span, role: 'release', note: `'${call.callee}' gives it to another allocator.` },
              ],
              key: pointer.how,
            });
          }
        }
      }
    }
  },
});

/** What hands out memory of the C library; Rust's own `alloc::alloc` is the allocator that `Box` frees with. */
const MALLOC = /(?:^|::)(?:malloc|calloc|strdup|strndup)$/u;

function isNeverFreed(flow: FunctionFlow, adoption: Adoption): boolean {
  return flow.calls.some(
    (c) =>
      c.rows.some((r) => r.effects.some((e) => e.kind === 'forget')) &&
      c.argSpans.some((s) => s.start <= adoption.span.start && adoption.span.end <= s.end),
  );
}

/** Foreign code keeps what Rust gave it as `void *`: a cast back to a type of this package says who made it. */
function isCastToOwnType(unit: UnitFacts, file: FileIr, fn: FunctionIr, { span }: Adoption): boolean {
  const text = (unit.textOf(file.path) ?? '').slice(span.start, span.end);
  const name =
    /\bas\s+\*mut\s+(?:\w+::)*([A-Z]\w*)[^*]*$/u.exec(text)?.[1] ??
    /\bcast(?:_mut)?::<\s*(?:\w+::)*([A-Z]\w*)/u.exec(text)?.[1];
  if (name === undefined) return false;
  if (name === 'Self' || name === 'Box' || name === 'Vec' || fn.generics.some((g) => g.name === name)) return true;
  const decl = unit.oracle('rust').declaration(name, file.path);
  return decl !== undefined && !decl.attributes.some((a) => a.name === 'repr' && /\bC\b/u.test(a.args ?? ''));
}

/** A `Box` of a type without size frees nothing: the type stands for a foreign object, and its `Drop` calls the library. */
function isOpaque(unit: UnitFacts, file: FileIr, source: string): boolean {
  const oracle = unit.oracle('rust');
  const name = source.split('::').at(-1) ?? '';
  const returns = file.functions.find((f) => f.name === name && f.abi !== undefined)?.returns;
  const sizeless = (written: TypeRef | undefined, depth: number): boolean => {
    const type = withoutAlias(written, oracle, file.path);
    if (type === undefined || depth > 3) return false;
    if (type.kind === 'static-array') return /;\s*0\s*\]$/u.test(type.text);
    if (type.kind !== 'path') return false;
    const decl: TypeDecl | undefined = oracle.declaration(type.name, file.path);
    return (
      type.name === 'PhantomData' ||
      type.name === 'PhantomPinned' ||
      (decl?.kind === 'struct' && decl.fields.length > 0 && decl.fields.every((f) => sizeless(f.type, depth + 1)))
    );
  };
  return returns?.kind === 'pointer' && sizeless(returns.element, 0);
}
