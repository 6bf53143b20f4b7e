import {
  aggregateOf,
  calledName,
  collectedContent,
  enclosing,
  hasBody,
  isTypeParameter,
  memberPath,
  methodsOf,
  readAround,
  rootName,
  uncast,
  walkDeep,
  type WithBody,
} from '../facts/d-code.js';
import { lineOf } from '../facts/lines.js';
import type { UnitFacts } from '../facts/unit.js';
import { walkBody, walkExpression, type Walked } from '../model/walk-body.js';
import type { Expr, FileIr, FunctionIr, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { withoutAlias } from '../flow/types.js';
import { defineRule, type ReportStep } from './rule.js';

const MALLOC = new Set([
  'malloc',
  'calloc',
  'realloc',
  'pureMalloc',
  'pureCalloc',
  'pureRealloc',
  'enforceMalloc',
  'enforceCalloc',
  'enforceRealloc',
  'mmap',
]);
/** What may give a block back and another one for it. */
const MOVES = /^(?:\w*[rR]ealloc(?:ate|Array)?|expandArray|shrinkArray)$/u;
const COLLECTED = new Set(['malloc', 'calloc', 'realloc', 'qalloc']);
/** Whoever names one of these has thought of the collector. */
const AWARE = /\b(?:addRange|addRoot|hasIndirections|hasPointers|hasAliasing|removeRange)\b/u;
const TOKENS = [
  'malloc', 'calloc', 'realloc', 'mmap', 'NO_SCAN', 'new ubyte', 'new byte', 'qalloc', 'addRange', '.alloc(', '.allocate(',
  'removeRange', 'addRoot', 'removeRoot', 'make!', 'makeArray!', 'newuserdata',
]; // prettier-ignore
/** How C libraries call what makes an object: `g_closure_new_simple`, `sqlite3_malloc`. */
const FOREIGN_MAKER = /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*_(?:new|alloc|malloc|create)(?:_[a-z0-9]+)*$/u;
/** Memory that a C library gives by its size, as `malloc` does: `g_malloc0`, `sqlite3_malloc`, `lua_newuserdata`. */
const FOREIGN_MEMORY = /^[a-z][A-Za-z0-9]*_(?:(?:m|c|re)alloc(?:0|z|64|_array)?|newuserdata(?:uv)?)$/u;
/** Allocators of the library whose memory the collector does not look into. */
const UNSCANNED_ALLOCATORS = /\b(?:Aligned)?(?:Mallocator|MmapAllocator)\b/u;

interface Unscanned {
  readonly span: Span;
  readonly memory: string;
  readonly content: string;
  readonly steps: readonly ReportStep[];
  readonly weak?: boolean;
  /** What makes it one finding; its place when absent. */
  readonly cause?: string;
}

export default defineRule({
  meta: {
    id: 'unscanned-gc-pointer',
    title: 'Pointer in memory that the collector does not scan',
    summary: 'Memory that the collector does not scan holds values that lead to collected memory.',
    languages: ['d'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-825'],
    messages: {
      unscanned:
        '{memory} is used for {content}, and the collector does not look into it (line {line}): what only this memory refers to is freed while it is in use.',
      inverted:
        "The condition at line {line} marks the block as 'NO_SCAN' when its elements have pointers, and lets the collector scan it when they have none.",
      late: "'GC.removeRange' is called for '{memory}' (line {line}) after '{release}' gave the memory back (line {released}): a collection in between reads freed memory.",
      renewed:
        "'GC.removeRange' is called for '{memory}' (line {line}), which was set to the block that '{maker}' gave (line {made}): the old block, which was registered, stays registered after it is gone.",
      foreign:
        "'GC.addRoot' is called for '{memory}' (line {line}), which is memory of '{maker}' (line {made}) and no block of the collector: the call neither keeps it nor lets the collector look into it.",
      mismatch:
        "'GC.{remover}' is called for '{memory}' (line {line}), but it was registered by 'GC.{adder}' (line {added}): it stays registered after the memory is gone.",
      forgotten:
        "'{memory}' is registered by 'GC.addRange' (line {added}) and given back by '{release}' (line {line}), and nothing calls 'GC.removeRange' before: the collector goes on reading freed memory.",
      size: "'GC.addRange' gets the number of elements of '{slice}' (line {line}), but it takes bytes: the collector scans only the first part of the memory.",
    },
    checklist: 'Does the collector see every pointer that this memory holds?',
    scenarios: ['command'],
  },
  tokens: { d: TOKENS },
  bodyTokens: { d: TOKENS },
  perFile: ['d'],
  check({ unit, report }) {
    for (const read of unit.filesOf('d')) {
      // Who fills the memory decides what it holds.
      const file = readAround(
        unit,
        read,
        read.functions.filter((fn) => hasBody(fn) && unit.holds(read, fn, TOKENS)),
      );
      for (const fn of file.functions) {
        if (!hasBody(fn) || !unit.holds(file, fn, TOKENS)) continue;
        const seen = new Set<number | string>();
        walkBody(fn.body, (walked) => {
          const inverted = invertedCondition(walked.expr);
          if (inverted !== undefined) {
            report({
              messageId: 'inverted',
              data: { line: lineOf(unit, file, inverted.start) },
              at: { file, span: inverted },
              steps: [],
              key: fn.name,
            });
            return;
          }
          const late = lateRemoval(unit, file, fn, walked.expr);
          if (late !== undefined) {
            report({
              messageId: 'late',
              data: {
                memory: late.memory,
                line: lineOf(unit, file, walked.expr.span.start),
                release: late.release,
                released: lineOf(unit, file, late.span.start),
              },
              at: { file, span: walked.expr.span },
              steps: [{ file, span: late.span, role: 'release', note: 'The memory is given back here.' }],
              key: `${fn.name}|${late.memory}`,
            });
            return;
          }
          const renewed = renewedRange(unit, file, fn, walked.expr);
          if (renewed !== undefined) {
            report({
              messageId: 'renewed',
              data: {
                memory: renewed.memory,
                maker: renewed.maker,
                made: lineOf(unit, file, renewed.span.start),
                line: lineOf(unit, file, walked.expr.span.start),
              },
              at: { file, span: walked.expr.span },
              steps: [{ file, span: renewed.span, role: 'release', note: 'The old block is given back here.' }],
              key: `${fn.name}|${renewed.memory}`,
            });
            return;
          }
          const foreign = foreignRoot(fn, walked.expr);
          if (foreign !== undefined) {
            report({
              messageId: 'foreign',
              data: {
                memory: foreign.memory,
                maker: foreign.maker,
                made: lineOf(unit, file, foreign.span.start),
                line: lineOf(unit, file, walked.expr.span.start),
              },
              at: { file, span: walked.expr.span },
              steps: [{ file, span: foreign.span, role: 'acquire', note: `'${foreign.maker}' makes the memory here.` }],
              key: `${fn.name}|${foreign.memory}`,
            });
            return;
          }
          const wrong = wrongRemoval(unit, file, walked.expr);
          if (wrong !== undefined) {
            report({
              messageId: 'mismatch',
              data: {
                remover: wrong.remover,
                adder: wrong.adder,
                memory: wrong.memory,
                line: lineOf(unit, file, walked.expr.span.start),
                added: lineOf(unit, file, wrong.span.start),
              },
              at: { file, span: walked.expr.span },
              steps: [{ file, span: wrong.span, role: 'acquire', note: `'GC.${wrong.adder}' registers it here.` }],
              key: `${fn.name}|${wrong.memory}`,
            });
            return;
          }
          const forgotten = forgottenRange(unit, file, fn, walked.expr);
          if (forgotten !== undefined) {
            report({
              messageId: 'forgotten',
              data: {
                memory: forgotten.memory,
                added: lineOf(unit, file, walked.expr.span.start),
                release: forgotten.release,
                line: lineOf(unit, file, forgotten.span.start),
              },
              at: { file, span: forgotten.span },
              steps: [
                { file, span: walked.expr.span, role: 'acquire', note: "'GC.addRange' registers it here." },
                { file, span: forgotten.span, role: 'release', note: 'The memory is given back here.' },
              ],
              key: `${fn.name}|${forgotten.memory}`,
            });
            return;
          }
          const short = shortRange(file, fn, walked.expr);
          if (short !== undefined) {
            report({
              messageId: 'size',
              data: { slice: short.slice, line: lineOf(unit, file, short.span.start) },
              at: { file, span: short.span },
              steps: [],
              key: `${fn.name}|${short.slice}`,
            });
            return;
          }
          const found =
            castOfUnscanned(unit, file, fn, walked) ??
            madeByAllocator(unit, file, fn, walked.expr) ??
            emplacedObject(unit, file, fn, walked.expr) ??
            memoryOfObject(unit, file, fn, walked.expr) ??
            rawArena(unit, file, fn, walked);
          if (found === undefined || seen.has(found.cause ?? found.span.start)) return;
          seen.add(found.cause ?? found.span.start);
          report({
            messageId: 'unscanned',
            data: { memory: found.memory, content: found.content, line: lineOf(unit, file, found.span.start) },
            at: { file, span: found.span },
            steps: found.steps,
            key: `${fn.name}|${found.content}`,
            ...(found.weak === true ? { confidence: 'medium' as const } : {}),
          });
        });
      }
    }
  },
});

/** `cast(T*) malloc(..)`, `cast(T*) (new ubyte[n]).ptr`, `cast(T*) GC.malloc(.., NO_SCAN)` where `T` may hold pointers. */
function castOfUnscanned(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  { expr, around, statement }: Walked,
): Unscanned | undefined {
  if (expr.kind !== 'cast') return undefined;
  const type = withoutAlias(expr.type, unit.oracle('d'), file.path);
  const pointee = type?.kind === 'pointer' || type?.kind === 'slice' ? type.element : undefined;
  // A parameter of the template, or a type that its body computes, is no alias of the same name somewhere else.
  const isOpen =
    pointee?.kind === 'path' &&
    (isTypeParameter(file, fn, pointee.name) || isComputedType(unit, file, fn, pointee.name));
  const element = storedType(isOpen ? pointee : withoutAlias(pointee, unit.oracle('d'), file.path));
  if (element === undefined) return undefined;
  const memory = unscannedMemory(expr.value, fn);
  if (memory === undefined || isAware(unit, file, fn)) return undefined;
  const content = contentOf(unit, file, fn, element, memory.startsWith("'new "));
  if (content !== undefined) return { span: expr.span, memory, content, steps: [] };
  if (element.kind !== 'pointer') return undefined;
  // A table of pointers: what matters is who fills it.
  const table =
    statement?.kind === 'let' && statement.pattern.kind === 'bind' ? statement.pattern.name : assignedTo(around);
  const filled = table === undefined ? undefined : findCollectedStore(file, fn, table);
  if (filled === undefined) return undefined;
  return {
    span: expr.span,
    memory,
    content: `pointers of type '${element.text}'`,
    steps: [
      {
        file,
        span: filled,
        role: 'escape',
        note: 'The only pointer to a block of the collector is stored in it here.',
      },
    ],
  };
}

/** `Mallocator.instance.make!T(..)`, `make!T(allocator)`, `makeArray!T(allocator, n)` where `T` may hold pointers. */
function madeByAllocator(unit: UnitFacts, file: FileIr, fn: FunctionIr, expr: Expr): Unscanned | undefined {
  const name = calledName(expr);
  if ((name !== 'make' && name !== 'makeArray') || isAware(unit, file, fn)) return undefined;
  const isMethod = expr.kind === 'method';
  const typeArgs = isMethod
    ? expr.typeArgs
    : expr.kind === 'call' && expr.callee.kind === 'name'
      ? expr.callee.typeArgs
      : undefined;
  const made = typeArgs?.[0];
  const given = isMethod ? expr.receiver : expr.kind === 'call' ? expr.args[0]?.value : undefined;
  const allocator = given === undefined ? undefined : unscannedAllocator(unit, file, fn, given);
  if (made === undefined || allocator === undefined) return undefined;
  const decl = made.kind === 'path' ? unit.oracle('d').declaration(made.name, file.path) : undefined;
  const isClass = name === 'make' && decl?.kind === 'class';
  const holds =
    isClass && decl.fields.some((field) => !field.isStatic && collectedContent(field.type, unit, file.path) === 'yes');
  const content = isClass
    ? holds
      ? `an object of class '${decl.name}', which holds references`
      : undefined
    : contentOf(unit, file, fn, made, false);
  return content === undefined
    ? undefined
    : { span: expr.span, memory: `Memory of the allocator '${allocator}'`, content, steps: [], weak: true };
}

/** The name of an allocator whose memory is not scanned: of the library, or of a type that a template is given and that may be one. */
function unscannedAllocator(unit: UnitFacts, file: FileIr, fn: FunctionIr, given: Expr): string | undefined {
  const path = memberPath(given.kind === 'address' || given.kind === 'deref' ? given.base : given);
  if (path === undefined) return undefined;
  if (UNSCANNED_ALLOCATORS.test(path)) return path;
  const lent = fn.params.find((param) => param.name === path)?.type;
  const type =
    lent ??
    aggregateOf(file, fn)?.fields.find((field) => field.name === path)?.type ??
    file.globals.find((global) => global.name === path)?.type;
  if (type === undefined) return /^(?:\w*\.)*_?[aA]llocator$/u.test(path) ? byDefault(unit, file, fn, path) : undefined;
  if (UNSCANNED_ALLOCATORS.test(type.text)) return path;
  // Who gives an allocator to a function knows which one, and gets the memory.
  const bare = lent !== undefined ? undefined : type.kind === 'pointer' ? type.element : type;
  return bare?.kind === 'path' && /Allocator/u.test(bare.name) && isTypeParameter(file, fn, bare.name)
    ? path
    : undefined;
}

/** `struct Set(T, Allocator = Mallocator)`: the allocator when nobody names another, declared by a mixin that is not read. */
function byDefault(unit: UnitFacts, file: FileIr, fn: FunctionIr, path: string): string | undefined {
  const around = file.types.filter((type) => type.span.start <= fn.span.start && fn.span.end <= type.span.end);
  const text = unit.textOf(file.path) ?? '';
  return around.some((type) =>
    /\b\w*Allocator\s*=\s*(?:shared\s*\(?\s*)?(?:Aligned)?Mallocator\b/u.test(
      text.slice(type.span.start, type.nameSpan.end + 400),
    ),
  )
    ? path
    : undefined;
}

/** `GC.removeRange(x)` behind the call that gives `x` back, on the same path. */
function lateRemoval(
  unit: UnitFacts,
  file: FileIr,
  fn: WithBody,
  expr: Expr,
): { memory: string; release: string; span: Span } | undefined {
  if (expr.kind !== 'method' || expr.method !== 'removeRange' || rootName(expr.receiver) !== 'GC') return undefined;
  const memory = blockPath(expr.args[0]?.value);
  if (memory === undefined) return undefined;
  const text = unit.textOf(file.path) ?? '';
  let found: { memory: string; release: string; span: Span } | undefined;
  walkDeep(file, fn, ({ expr: other }) => {
    if ((other.kind !== 'call' && other.kind !== 'method') || other.span.end > expr.span.start) return;
    const release = calledName(other);
    if (release === undefined || !/^(?:free|pureFree|dispose|deallocate)$/u.test(release)) return;
    if (other.kind === 'method' && rootName(other.receiver) === 'GC') return;
    if (!other.args.some(({ value }) => blockPath(value) === memory)) return;
    const between = text.slice(other.span.end, expr.span.start);
    const head = memory.split('.').at(-1) ?? memory;
    if (/\b(?:return|else|case|default|break|continue)\b/u.test(between)) return;
    if (new RegExp(`\\b${head}\\s*=[^=]`, 'u').test(between)) return;
    found = { memory, release, span: other.span };
  });
  return found;
}

/** `GC.removeRange(x)` behind `x = realloc(x, n)`: what was registered is the block before that. */
function renewedRange(
  unit: UnitFacts,
  file: FileIr,
  fn: WithBody,
  expr: Expr,
): { memory: string; maker: string; span: Span } | undefined {
  if (expr.kind !== 'method' || expr.method !== 'removeRange' || rootName(expr.receiver) !== 'GC') return undefined;
  const memory = blockPath(expr.args[0]?.value);
  if (memory === undefined) return undefined;
  let moved: { memory: string; maker: string; span: Span } | undefined;
  let renewed: typeof moved;
  walkBody(fn.body, ({ expr: other }) => {
    if (other.span.end > expr.span.start) return;
    if (other.kind === 'method' && other.method === 'addRange' && blockPath(other.args[0]?.value) === memory)
      renewed = undefined;
    const maker = calledName(other);
    if (maker !== undefined && MOVES.test(maker)) moved = { memory, maker, span: other.span };
    if (other.kind !== 'assign' || other.operator !== '=' || blockPath(other.target) !== memory) return;
    let inside: typeof moved;
    walkExpression(other.value, ({ expr: value }) => {
      const name = calledName(value);
      if (name !== undefined && MOVES.test(name)) inside = { memory, maker: name, span: value.span };
    });
    // What the new block was put into on the way is not followed: the member is set behind the call that moved it.
    renewed = inside ?? moved;
  });
  const between = (unit.textOf(file.path) ?? '').slice(renewed?.span.end ?? 0, expr.span.start);
  return /\b(?:return|else|case|default|break|continue)\b/u.test(between) ? undefined : renewed;
}

/** `GC.addRange(field)` in a type that gives the field's memory back, in a file that never calls `GC.removeRange`. */
function forgottenRange(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  expr: Expr,
): { memory: string; release: string; span: Span } | undefined {
  if (expr.kind !== 'method' || expr.method !== 'addRange' || rootName(expr.receiver) !== 'GC') return undefined;
  const memory = blockPath(expr.args[0]?.value);
  const type = aggregateOf(file, fn);
  if (memory === undefined || !/^\w+$/u.test(memory) || !type?.fields.some((f) => f.name === memory)) return undefined;
  const text = unit.textOf(file.path) ?? '';
  // `removeRoot` instead is told by itself.
  if (/\bremove(?:Range|Root)\b/u.test(text)) return unevenRelease(unit, file, type, memory);
  for (const found of text.slice(type.span.start, type.span.end).matchAll(releaseOf(memory))) {
    const start = type.span.start + found.index;
    const span: Span = { start, end: start + found[0].length };
    if (file.comments.some((c) => c.span.start <= start && span.end <= c.span.end)) continue;
    return { memory, release: found[1] ?? '', span };
  }
  return undefined;
}

/** Calls that give a field's memory back: the name is the first group. */
function releaseOf(memory: string): RegExp {
  return new RegExp(
    String.raw`\b(free|pureFree|deallocate|dispose)\s*\(\s*(?:\w+\s*,\s*)?(?:cast\s*\([^()]*\)\s*)?(?:this\.)?${memory}(?:\.ptr|\[\])?\s*\)`,
    'gu',
  );
}

/**
 * A method that gives the memory of a registered field back without `GC.removeRange`, where another method that does so calls it:
 * not when whoever calls the method has removed the range.
 */
function unevenRelease(
  unit: UnitFacts,
  file: FileIr,
  type: TypeDecl,
  memory: string,
): { memory: string; release: string; span: Span } | undefined {
  const text = unit.textOf(file.path) ?? '';
  const removes = new RegExp(String.raw`\bremoveRange\s*\(\s*(?:cast\s*\([^()]*\)\s*)?(?:this\.)?${memory}\b`, 'u');
  const methods = methodsOf(file, type).map((fn) => ({ fn, code: text.slice(fn.span.start, fn.span.end) }));
  if (!methods.some(({ code }) => removes.test(code) && releaseOf(memory).test(code))) return undefined;
  for (const { fn, code } of methods) {
    const match = releaseOf(memory).exec(code);
    if (match === null || /\bremoveRange\b/u.test(code)) continue;
    const called = new RegExp(String.raw`\b${fn.name}\s*\(|\b${fn.name}\s*;`, 'u');
    const isPaired = methods.some((one) => one.fn !== fn && called.test(one.code) && /\bremoveRange\b/u.test(one.code));
    const start = fn.span.start + match.index;
    const isComment = file.comments.some((c) => c.span.start <= start && start < c.span.end);
    if (!isPaired && !isComment && fn.kind !== 'unittest')
      return { memory, release: match[1] ?? '', span: { start, end: start + match[0].length } };
  }
  return undefined;
}

/** What an argument names as a block of memory: `x` of `x`, `x.ptr`, `x[]`, `cast(void*) x`; also `m_chunks` of `m_chunks[i]`. */
function blockPath(expr: Expr | undefined): string | undefined {
  if (expr === undefined) return undefined;
  if (expr.kind === 'cast') return blockPath(expr.value);
  if (expr.kind === 'slice' || (expr.kind === 'field' && expr.name === 'ptr')) return blockPath(expr.base);
  if (expr.kind === 'index') {
    const [base, index] = [memberPath(expr.base), memberPath(expr.index)];
    return base === undefined || index === undefined ? undefined : `${base}[${index}]`;
  }
  return memberPath(expr);
}

/** `emplace!C(malloc(..)[0 .. n])`: an object of a class whose fields lead to memory of the collector. */
function emplacedObject(unit: UnitFacts, file: FileIr, fn: FunctionIr, expr: Expr): Unscanned | undefined {
  if (expr.kind !== 'call' || expr.callee.kind !== 'name' || expr.callee.path.at(-1) !== 'emplace') return undefined;
  const made = expr.callee.typeArgs?.[0];
  const chunk = expr.args[0]?.value;
  if (made?.kind !== 'path' || chunk === undefined) return undefined;
  if (isAware(unit, file, fn)) return undefined;
  const decl = unit.oracle('d').declaration(made.name, file.path);
  const holds =
    decl?.kind === 'class' &&
    decl.fields.some((field) => !field.isStatic && collectedContent(field.type, unit, file.path) === 'yes');
  const content = holds
    ? `an object of class '${made.name}', which holds references`
    : decl?.kind === 'struct'
      ? contentOf(unit, file, fn, made, false)
      : undefined;
  if (content === undefined) return undefined;
  const base = uncast(chunk.kind === 'slice' ? chunk.base : chunk);
  const source = base.kind === 'name' && base.path.length === 1 ? initOf(fn, base.path[0] ?? '') : base;
  const memory = source === undefined ? undefined : unscannedMemory(source, fn);
  return memory === undefined ? undefined : { span: expr.span, memory, content, steps: [] };
}

/** `malloc(size)` where the size is that of the objects of a class: the object is made in it elsewhere. */
function memoryOfObject(unit: UnitFacts, file: FileIr, fn: FunctionIr, expr: Expr): Unscanned | undefined {
  if (expr.kind !== 'call' || !MALLOC.has(calledName(expr) ?? '') || isAware(unit, file, fn)) return undefined;
  const text = unit.textOf(file.path) ?? '';
  // The names that the size is made of, with what they stand for: members of the class and locals of the function.
  const around = file.types.filter((one) => one.span.start <= fn.span.start && fn.span.end <= one.span.end);
  const scope = text.slice(around[0]?.span.start ?? fn.span.start, around[0]?.span.end ?? fn.span.end);
  // What is made in it at once is told by itself.
  if (AWARE.test(scope) || /\bemplace!/u.test(text.slice(fn.span.start, fn.span.end))) return undefined;
  const size = text.slice(expr.span.start, expr.span.end);
  const made = sizeTexts(scope, size)
    .map((part) => OBJECT_SIZE.exec(part))
    .map((match) => match?.[1] ?? match?.[2])
    .find((name) => name !== undefined);
  if (made === undefined) return undefined;
  const decl = unit.oracle('d').declaration(made, file.path);
  const isOpen = isTypeParameter(file, fn, made);
  const holds =
    decl?.kind === 'class' &&
    decl.fields.some((field) => !field.isStatic && collectedContent(field.type, unit, file.path) === 'yes');
  if (!isOpen && !holds) return undefined;
  return {
    span: expr.span,
    memory: `Memory of '${calledName(expr) ?? ''}'`,
    content: isOpen ? `an object of any class '${made}'` : `an object of class '${made}', which holds references`,
    steps: [],
    weak: true,
  };
}

/** The size of the objects of a class. */
const OBJECT_SIZE = /\b__traits\s*\(\s*classInstanceSize\s*,\s*(\w+)|\bclassInstanceSize!\s*\(?\s*(\w+)/u;

/** The size as written, and what the constants and locals in it are set to. */
function sizeTexts(scope: string, size: string): readonly string[] {
  const found = [size];
  for (let at = 0; at < found.length && found.length < 16; at++)
    for (const [name] of (found[at] ?? '').matchAll(/\b[A-Za-z_]\w*\b/gu)) {
      const declared = new RegExp(
        String.raw`\b(?:enum|auto|immutable|const|size_t)\s+(?:size_t\s+)?${name}\s*=\s*([^;]*);`,
        'u',
      ).exec(scope)?.[1];
      if (declared !== undefined && !found.includes(declared)) found.push(declared);
    }
  return found;
}

function assignedTo(around: readonly Expr[]): string | undefined {
  const parent = around.at(-1);
  return parent?.kind === 'assign' ? rootName(parent.target) : undefined;
}

/** What the value is, when it is memory that the collector does not look into. */
function unscannedMemory(value: Expr, fn: FunctionIr): string | undefined {
  const inner = uncast(value);
  // `(cast(ubyte*) malloc(n))[0 .. n]` is the same memory.
  if (inner.kind === 'slice') return unscannedMemory(inner.base, fn);
  const bytes = inner.kind === 'name' && inner.path.length === 1 ? initOf(fn, inner.path[0] ?? '') : inner;
  if (bytes?.kind === 'new' && /^u?byte\[/u.test(bytes.type.text)) return `'new ${bytes.type.text}'`;
  if (inner.kind === 'field' && inner.name === 'ptr') {
    const base = uncast(inner.base);
    const made = base.kind === 'name' && base.path.length === 1 ? uncast(initOf(fn, base.path[0] ?? '') ?? base) : base;
    const isBytes = made.kind === 'new' && /^(?:u?byte|char)(?:\[|$)/u.test(made.type.text);
    return isBytes ? `'new ${made.type.text}'` : undefined;
  }
  const name = calledName(inner);
  if (name === undefined) return undefined;
  if (inner.kind === 'method' && inner.receiver.kind === 'name' && inner.receiver.path.at(-1) === 'GC')
    return COLLECTED.has(name) && isAlwaysNoScan(inner.args[1]?.value) ? `'GC.${name}' with 'NO_SCAN'` : undefined;
  if (inner.kind === 'method' && (name === 'allocate' || name === 'alloc') && inner.args.length > 0) {
    const allocator = memberPath(inner.receiver);
    // The default allocators of threads and processes use the collector.
    return allocator === undefined || /GC|theAllocator|processAllocator/u.test(allocator)
      ? undefined
      : `Memory of the allocator '${allocator}'`;
  }
  return (MALLOC.has(name) && (inner.kind === 'call' || inner.kind === 'method')) ||
    (FOREIGN_MEMORY.test(name) && inner.kind === 'call')
    ? `Memory of '${name}'`
    : undefined;
}

/** `GC.addRoot(p)` of a local that `malloc` or its kin made: roots are blocks of the collector. */
function foreignRoot(fn: FunctionIr, expr: Expr): { memory: string; maker: string; span: Span } | undefined {
  if (expr.kind !== 'method' || expr.method !== 'addRoot' || rootName(expr.receiver) !== 'GC') return undefined;
  const given = expr.args[0] === undefined ? undefined : uncast(expr.args[0].value);
  const name = given?.kind === 'name' && given.path.length === 1 ? given.path[0] : undefined;
  const init = name === undefined ? undefined : initOf(fn, name);
  const made = init === undefined ? undefined : uncast(init);
  const maker = made?.kind === 'call' ? calledName(made) : undefined;
  if (name === undefined || made === undefined || maker === undefined) return undefined;
  return MALLOC.has(maker) || FOREIGN_MAKER.test(maker) ? { memory: name, maker, span: made.span } : undefined;
}

/** `removeRoot` of what the file registers by `addRange` and never by `addRoot`, or the other way round. */
function wrongRemoval(
  unit: UnitFacts,
  file: FileIr,
  expr: Expr,
): { remover: string; adder: string; memory: string; span: Span } | undefined {
  if (expr.kind !== 'method' || rootName(expr.receiver) !== 'GC') return undefined;
  if (expr.method !== 'removeRoot' && expr.method !== 'removeRange') return undefined;
  const memory = expr.args[0] === undefined ? undefined : memberPath(uncast(expr.args[0].value));
  if (memory === undefined) return undefined;
  const text = unit.textOf(file.path) ?? '';
  const isRoot = expr.method === 'removeRoot';
  const call = (name: string): RegExp =>
    new RegExp(String.raw`\bGC\.${name}\s*\(\s*(?:cast\s*\([^()]*\)\s*)?(?:this\.)?${memory}\s*[,)]`, 'u');
  const adder = isRoot ? 'addRange' : 'addRoot';
  const added = call(adder).exec(text);
  if (added === null || call(isRoot ? 'addRoot' : 'addRange').test(text)) return undefined;
  return {
    remover: expr.method,
    adder,
    memory,
    span: { start: added.index, end: added.index + added[0].length },
  };
}

/** What a local variable is set to where it is declared. */
function initOf(fn: FunctionIr, name: string): Expr | undefined {
  let found: Expr | undefined;
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr, statement }) => {
      if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind')
        if (statement.pattern.name === name) found = expr;
    });
  return found;
}

/** `GC.addRange(x.ptr, x.length)` where an element of `x` is known to be more than a byte. */
function shortRange(file: FileIr, fn: FunctionIr, expr: Expr): { slice: string; span: Span } | undefined {
  if (expr.kind !== 'method' || expr.method !== 'addRange' || expr.args.length < 2) return undefined;
  const [start, size] = expr.args.map(({ value }) => value);
  const counted = start === undefined || size === undefined ? undefined : countedBlock(fn, start, size);
  if (counted !== undefined) return { slice: counted, span: expr.span };
  if (start?.kind !== 'field' || start.name !== 'ptr' || size?.kind !== 'field' || size.name !== 'length')
    return undefined;
  const slice = memberPath(start.base);
  if (slice === undefined || memberPath(size.base) !== slice) return undefined;
  const element = elementOf(file, fn, slice);
  if (
    element === undefined ||
    /^(?:void|u?byte|char|bool|const|immutable|shared)?$/u.test(element.name || element.text)
  )
    return undefined;
  return { slice, span: expr.span };
}

/** `p = malloc(T.sizeof * n)` and `addRange(p, n)`: the number of elements again where bytes are asked for. */
function countedBlock(fn: FunctionIr, start: Expr, size: Expr): string | undefined {
  const [block, count] = [memberPath(uncast(start)), memberPath(size)];
  if (block === undefined || count === undefined || fn.body === undefined) return undefined;
  let isCounted = false;
  const judge = (value: Expr): void => {
    const made = uncast(value);
    if ((made.kind !== 'call' && made.kind !== 'method') || !MALLOC.has(calledName(made) ?? '')) return;
    for (const { value: given } of made.args) {
      if (given.kind !== 'binary' || given.operator !== '*') continue;
      const sides = [given.left, given.right];
      if (sides.some((side) => memberPath(side) === count) && sides.some(isSize)) isCounted = true;
    }
  };
  walkBody(fn.body, ({ expr, statement }) => {
    if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind')
      if (statement.pattern.name === block) judge(expr);
    if (expr.kind === 'assign' && memberPath(expr.target) === block) judge(expr.value);
  });
  return isCounted ? block : undefined;
}

function isSize(expr: Expr): boolean {
  return (expr.kind === 'field' && expr.name === 'sizeof') || (expr.kind === 'name' && expr.path.at(-1) === 'sizeof');
}

/** The element type of a slice, from its declaration or from the cast that made it. */
function elementOf(file: FileIr, fn: FunctionIr, name: string): TypeRef | undefined {
  let declared: TypeRef | undefined = fn.params.find((param) => param.name === name)?.type;
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr, statement }) => {
      if (statement?.kind !== 'let' || statement.pattern.kind !== 'bind' || statement.pattern.name !== name) return;
      const made = expr.kind === 'slice' ? expr.base : expr;
      declared ??= statement.type ?? (made.kind === 'cast' ? made.type : undefined);
    });
  declared ??= aggregateOf(file, fn)?.fields.find((field) => field.name === name)?.type;
  return declared?.kind === 'slice' || declared?.kind === 'pointer' ? declared.element : undefined;
}

function isAlwaysNoScan(attributes: Expr | undefined): boolean {
  if (attributes === undefined) return false;
  if (attributes.kind === 'binary') return isAlwaysNoScan(attributes.left) || isAlwaysNoScan(attributes.right);
  return isNoScan(attributes);
}

function isNoScan(expr: Expr): boolean {
  return (expr.kind === 'field' && expr.name === 'NO_SCAN') || (expr.kind === 'name' && expr.path.at(-1) === 'NO_SCAN');
}

function contentOf(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  element: TypeRef,
  isCollectedMemory: boolean,
): string | undefined {
  if (element.kind === 'path' && isNumber(unit, file, fn, element.name)) return undefined;
  if (
    element.kind === 'path' &&
    (isTypeParameter(file, fn, element.name) || isComputedType(unit, file, fn, element.name))
  )
    return `values of any type '${element.name}'`;
  const isClassReference =
    element.kind === 'path' &&
    ['class', 'interface'].includes(unit.oracle('d').declaration(element.name, file.path)?.kind ?? '');
  if (isClassReference) return `references to '${element.name}'`;
  // A record of the template that surrounds it holds whatever the template is used with.
  const record = plainRecord(file, element);
  const open = record === undefined ? undefined : openParameter(unit, file, fn, record, 0);
  if (open !== undefined) return `values of any type '${open}' in '${element.name}'`;
  const given = openArgument(file, fn, element);
  if (given !== undefined) return `values of any type '${given}' in '${element.name}'`;
  const content = collectedContent(element, unit, file.path);
  // In a block of the collector itself the records that it links to come from there too.
  if (
    content === 'raw' &&
    isCollectedMemory &&
    record?.fields.some((field) => field.type?.element?.name === record.name)
  )
    return `values of type '${element.text}', which are linked by pointers`;
  return content === 'yes' ? `values of type '${element.text}', which hold pointers` : undefined;
}

/** The type of what an array holds in place, without what the library wraps around it to store it (`Unqual!T`). */
function storedType(type: TypeRef | undefined): TypeRef | undefined {
  const bare = type?.kind === 'static-array' ? type.element : type;
  return bare?.kind === 'path' && /^(?:Unqual|\w*StorageType)$/u.test(bare.name) ? bare.args[0] : bare;
}

function plainRecord(file: FileIr, type: TypeRef): TypeDecl | undefined {
  return file.types.find((one) => one.kind === 'struct' && one.name === type.name && one.generics.length === 0);
}

/** `Closure!T` with a field of its parameter's type, where `T` may be any type: the name of that. */
function openArgument(file: FileIr, fn: FunctionIr, element: TypeRef): string | undefined {
  const record = file.types.find(
    (one) => one.kind === 'struct' && one.name === element.name && one.generics.length > 0,
  );
  const at =
    record?.generics.findIndex((one) => record.fields.some((f) => !f.isStatic && f.type?.name === one.name)) ?? -1;
  const given = at < 0 ? undefined : element.args[at];
  return given?.kind === 'path' && isTypeParameter(file, fn, given.name) ? given.name : undefined;
}

/** The type parameter whose values a record holds itself, in arrays and records in it too. */
function openParameter(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  record: TypeDecl,
  depth: number,
): string | undefined {
  if (depth > 3) return undefined;
  for (const field of record.fields) {
    const type = storedType(field.type);
    if (field.isStatic || type?.kind !== 'path') continue;
    if (isTypeParameter(file, fn, type.name) && !isNumber(unit, file, fn, type.name)) return type.name;
    const inner = plainRecord(file, type);
    const found = inner === undefined || inner === record ? undefined : openParameter(unit, file, fn, inner, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A constraint, or what is asked of the type (`T.max`), says that it is a number or character. */
function isNumber(unit: UnitFacts, file: FileIr, fn: FunctionIr, name: string): boolean {
  // Parameters that are called characters, in any of their widths.
  if (/^(?:Char|Char[A-Z]\w*|\w*Char)$/u.test(name)) return true;
  if (!/^\w+$/u.test(name)) return false;
  const outermost = enclosing(file, fn).at(-1) ?? fn;
  const type = file.types.find((one) => one.span.start <= fn.span.start && fn.span.end <= one.span.end);
  const text = (unit.textOf(file.path) ?? '').slice(
    type?.span.start ?? outermost.span.start,
    type?.span.end ?? outermost.span.end,
  );
  // A parameter or member of the type that is multiplied or divided stands for a number, whatever the constraint says.
  const values = [...fn.params, ...(type?.fields ?? [])].filter(
    (one) => one.type?.name === name && /^\w+$/u.test(one.name),
  );
  if (
    values.some((one) =>
      new RegExp(
        // Behind a keyword the star is a dereference.
        `\\b${one.name}\\s*[*/]\\s*[\\w(]|[\\w)](?<!\\b(?:return|in|is|else|case|assert))\\s*[*/]\\s*${one.name}\\b`,
        'u',
      ).test(text),
    )
  )
    return true;
  return new RegExp(
    // What is asked with a `!` in front is whether it is none.
    `(?<![!\\w])is(?:FloatingPoint|Integral|Numeric|SomeChar|ScalarType|BasicType|Unsigned|Signed)!\\(?\\s*${name}\\b|\\b${name}\\.(?:max|min|min_normal|infinity|nan|epsilon)\\b`,
    'u',
  ).test(text);
}

/** `alias T = typeof(f(x))` in a template: a type that depends on what the template is used with. */
function isComputedType(unit: UnitFacts, file: FileIr, fn: FunctionIr, name: string): boolean {
  const template = [fn, ...enclosing(file, fn)].find((one) => one.generics.length > 0);
  if (template === undefined || !/^\w+$/u.test(name)) return false;
  const text = (unit.textOf(file.path) ?? '').slice(template.span.start, template.span.end);
  return new RegExp(`\\balias\\s+${name}\\s*=\\s*typeof\\s*\\(`, 'u').test(text);
}

/** The function, what is around it or what is directly in it names a function that deals with the collector. */
function isAware(unit: UnitFacts, file: FileIr, fn: FunctionIr): boolean {
  const text = unit.textOf(file.path) ?? '';
  const outermost = enclosing(file, fn).at(-1) ?? fn;
  return AWARE.test(text.slice(outermost.span.start, outermost.span.end));
}

/** Where a fresh GC pointer is stored through the table, in the function or in a helper of the file that gets the table. */
function findCollectedStore(file: FileIr, fn: FunctionIr, table: string): Span | undefined {
  let found: Span | undefined;
  const storesInto = (body: FunctionIr, name: string): void => {
    walkDeep(file, body, ({ expr }) => {
      if (expr.kind !== 'assign' || expr.operator !== '=' || found !== undefined) return;
      if (
        (expr.target.kind === 'index' || expr.target.kind === 'deref') &&
        placeRoot(expr.target.base) === name &&
        isCollected(expr.value)
      )
        found = expr.span;
    });
  };
  storesInto(fn, table);
  if (fn.body !== undefined && found === undefined)
    walkBody(fn.body, ({ expr }) => {
      if (expr.kind !== 'call' || expr.callee.kind !== 'name') return;
      const position = expr.args.findIndex(
        (argument) => argument.value.kind === 'name' && argument.value.path[0] === table,
      );
      const called = expr.callee.path.at(-1);
      const callee =
        position < 0 ? undefined : file.functions.find((one) => one.name === called && one.body !== undefined);
      const param = callee?.params[position];
      if (callee !== undefined && param !== undefined && found === undefined) storesInto(callee, param.name);
    });
  return found;
}

/** `az` of `*az++`, `az[i]`, `*(az + i)`. */
function placeRoot(expr: Expr): string | undefined {
  if (expr.kind === 'unary') return placeRoot(expr.operand);
  if (expr.kind === 'binary') return placeRoot(expr.left);
  if (expr.kind === 'assign') return placeRoot(expr.target);
  if (expr.kind === 'unknown') return expr.children.map(placeRoot).find((name) => name !== undefined);
  return rootName(expr);
}

function isCollected(value: Expr): boolean {
  const inner = uncast(value);
  if (inner.kind === 'new') return true;
  const name = calledName(inner);
  if (name === 'toStringz' || name === 'toUTFz' || name === 'dup' || name === 'idup') return true;
  return (
    inner.kind === 'field' &&
    (inner.name === 'toStringz' ||
      inner.name === 'dup' ||
      inner.name === 'idup' ||
      (inner.name === 'ptr' && isCollected(inner.base)))
  );
}

/** `flags & 1 ? NO_SCAN : 0`: bit 0 of `TypeInfo.flags` means "may have pointers". */
function invertedCondition(expr: Expr): Span | undefined {
  if (expr.kind !== 'if' || expr.else === undefined) return undefined;
  const then = valueOf(expr.then);
  if (!isNoScan(then) || isNoScan(valueOf(expr.else))) return undefined;
  const { condition } = expr;
  const isFlag =
    condition.kind === 'binary' &&
    condition.operator === '&' &&
    condition.left.kind === 'field' &&
    condition.left.name === 'flags' &&
    condition.right.kind === 'literal' &&
    condition.right.text === '1';
  const called = condition.kind === 'name' ? condition.path.at(-1) : calledName(condition);
  return isFlag || called === 'hasIndirections' || called === 'hasPointers' ? expr.span : undefined;
}

function valueOf(expr: Expr): Expr {
  return expr.kind === 'block' && expr.block.statements.length === 0 && expr.block.result !== undefined
    ? expr.block.result
    : expr;
}

/** An arena of bytes: the aggregate's buffer is never scanned, and one of its methods makes values of any type in it. */
function rawArena(unit: UnitFacts, file: FileIr, fn: FunctionIr, { expr }: Walked): Unscanned | undefined {
  const buffer = arenaBuffer(expr);
  if (buffer === undefined || isAware(unit, file, fn)) return undefined;
  const aggregate = file.types.find(
    (type) =>
      (type.kind === 'struct' || type.kind === 'class') &&
      type.name === fn.owner &&
      type.span.start <= fn.span.start &&
      fn.span.end <= type.span.end,
  );
  if (aggregate?.fields.some((field) => field.name === buffer) !== true) return undefined;
  const text = unit.textOf(file.path) ?? '';
  let marked: Span | undefined;
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr: other }) => {
      if (other.kind === 'method' && arenaBuffer(other) === buffer) marked = other.span;
    });
  if (AWARE.test(text.slice(aggregate.span.start, aggregate.span.end))) return undefined;
  for (const method of file.functions) {
    if (method.owner !== aggregate.name || !hasBody(method)) continue;
    let made: Span | undefined;
    let left: Span | undefined;
    walkBody(method.body, ({ expr: inner }) => {
      if (inner.kind === 'return' && made !== undefined) left = inner.span;
      if (
        made !== undefined ||
        inner.kind !== 'cast' ||
        inner.type.kind !== 'pointer' ||
        inner.type.element?.kind !== 'path'
      )
        return;
      const name = inner.type.element.name;
      const isAny =
        method.generics.some((generic) => generic.name === name) ||
        aggregate.generics.some((generic) => generic.name === name);
      const from = uncast(inner.value);
      if (isAny && from.kind === 'field' && from.name === 'ptr') made = inner.span;
    });
    if (made !== undefined)
      return {
        span: expr.span,
        memory: `The buffer '${buffer}'`,
        content: `values of any type in '${method.name}'`,
        steps: [
          {
            file,
            span: marked ?? expr.span,
            role: 'acquire',
            note: `'${buffer}' gets memory here that is never scanned.`,
          },
          { file, span: made, role: 'use', note: 'A value of any type is made in the buffer here.' },
          ...(left === undefined
            ? []
            : [{ file, span: left, role: 'escape' as const, note: 'It is handed out here.' }]),
        ],
        cause: buffer,
      };
  }
  return undefined;
}

/** The field that is given memory without pointers: `buffer = new ubyte[n]`, or marked: `GC.setAttr(buffer.ptr, NO_SCAN)`. */
function arenaBuffer(expr: Expr): string | undefined {
  if (expr.kind === 'method' && expr.method === 'setAttr' && expr.args.some((argument) => isNoScan(argument.value))) {
    const first = expr.args[0]?.value;
    return first === undefined ? undefined : rootName(first);
  }
  if (expr.kind !== 'assign' || expr.operator !== '=') return undefined;
  const value = uncast(expr.value);
  const isBytes = value.kind === 'new' && /^u?byte(?:\[|$)/u.test(value.type.text);
  return isBytes ? rootName(expr.target) : undefined;
}
