import { declaringFile } from '../facts/declarations.js';
import { lineOf } from '../facts/lines.js';
import { publishedTriples } from '../project/triples.js';
import { findThreadBounds, type ThreadBound } from '../facts/thread-bound.js';
import { isGuardedByThread } from '../facts/thread-guards.js';
import { plainText } from '../facts/plain-text.js';
import { findSharedContent, findSharingGuards } from '../facts/shared-content.js';
import type { UnitFacts } from '../facts/unit.js';
import type { FileIr, ImplDecl, TypeDecl } from '../model/ir.js';
import type { FeatureStates } from '../model/project.js';
import { isInside, type Span } from '../model/source.js';
import { defineRule, type ReportStep } from './rule.js';

/** No body is needed: declarations say it all. */
const NO_BODY = ['unsafe impl of a body'];

/** What decides first when a type has several reasons. */
const ORDER: readonly ThreadBound['kind'][] = [
  'handle',
  'count',
  'guard',
  'generic',
  'object',
  'shared',
  'cell',
  'pointer',
];

/** Read as a block of data that the type's own methods share read-only, as a string does; `()` is an identity only. */
const SCALARS = /^(?:[iu](?:8|16|32|64|128|size)|f32|f64|bool|char|str|c_char|c_uchar)$/u;

export default defineRule({
  meta: {
    id: 'handle-sent-across-threads',
    title: 'Thread-bound value declared Send or Sync',
    summary: "An 'unsafe impl Send' or 'Sync' lets a value cross threads that is tied to one by what it holds.",
    languages: ['rust'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-362', 'CWE-416'],
    messages: {
      handle:
        "'{type}' is declared {traits}, but '{field}' holds '{what}', which only the JavaScript thread may touch or drop.",
      count: "'{type}' is declared {traits}, but '{field}' holds '{what}', whose count is not atomic.",
      guard:
        "'{type}' is declared {traits}, but '{field}' holds '{what}', which must be dropped on the thread that locked.",
      generic:
        "'{type}' is declared {traits} for every '{what}', also for types that are not, and '{field}' holds or reaches one.",
      object:
        "'{type}' is declared {traits}, but '{field}' holds '{what}', and nothing says that what is behind it may leave its thread.",
      shared:
        "'{type}' is declared {traits} for every '{what}' that is 'Send', but '{field}' shares one by reference, which needs '{what}: Sync'.",
      cell: "'{type}' is declared {traits}, but '{field}' ('{what}') changes through a shared reference without a lock.",
      pointer:
        "'{type}' is declared {traits} and can be cloned, so that two threads can reach what the raw pointer '{field}' ('{what}') points to at once.",
      lends:
        "'{type}' is declared {traits}, and '{method}' (line {line}) hands out an exclusive reference through '&self' to what the raw pointer '{field}' ('{what}') points to: two threads can change it at once.",
      peeks:
        "'{type}' is declared 'Sync' for every '{what}' that is 'Send', but '{method}' (line {line}) lends one through '&self': two threads use the same value, which needs '{what}: Sync'.",
      clones:
        "'{type}' is declared 'Send' for every '{what}' that is 'Send', but its clones lead to the same one, and '{method}' (line {line}) lends it: two threads use the same value, which needs '{what}: Sync'.",
      passes:
        "'{type}' is declared 'Sync' for every '{what}' that is 'Sync', but '{method}' (line {line}) moves one in or out through '&self': the value comes to another thread, which needs '{what}: Send'.",
      inherits:
        "'{type}' is 'Sync' for every '{what}' that is 'Send', because '{lock}' in '{field}' is, but 'deref' (line {line}) lends one: two threads use the same value, which needs '{what}: Sync'.",
      sole: "'{type}' is declared {traits} by hand over the raw pointer '{field}' ('{what}'): it holds only while nothing else uses what the pointer points to.",
    },
    checklist: 'Can every field be moved to, used and dropped on any thread?',
    scenarios: [],
  },
  tokens: { rust: ['unsafe impl'] },
  bodyTokens: { rust: NO_BODY },
  check({ unit, report }) {
    for (const file of unit.filesOf('rust')) {
      for (const impls of groupByTarget(file)) {
        for (const impl of impls)
          for (const { decl, parameter, field, fieldSpan, lock, deref } of findSharingGuards(unit, file, impl))
            report({
              messageId: 'inherits',
              data: { type: decl.name, what: parameter, lock, field, line: lineOf(unit, file, deref.start) },
              at: { file, span: decl.nameSpan },
              steps: [
                { file, span: fieldSpan, role: 'declare', note: `'${field}' holds '${lock}'.` },
                { file, span: impl.headSpan, role: 'escape', note: `'${lock}' is declared 'Sync' here.` },
                { file, span: deref, role: 'borrow', note: 'The content comes out by reference here.' },
              ],
              key: decl.name,
              confidence: 'medium',
            });
        const judged = impls.flatMap((impl) => {
          const reason = judge(unit, file, impl);
          return reason ? [{ impl, ...reason }] : [];
        });
        const first =
          judged
            .toSorted((a, b) => Number(a.isNote) - Number(b.isNote))
            .find((j) => j.isNote === judged.every((x) => x.isNote)) ?? judged[0];
        if (first === undefined || first.isNote) {
          const content = impls.flatMap((impl) => {
            const found = findSharedContent(unit, file, impl);
            return found ? [{ impl, ...found }] : [];
          })[0];
          if (content) {
            const { impl, kind, parameter, method, span } = content;
            report({
              messageId: kind,
              data: { type: impl.target.name, what: parameter, method, line: lineOf(unit, file, span.start) },
              at: { file, span: impl.headSpan },
              steps: [
                {
                  file,
                  span: impl.headSpan,
                  role: 'escape',
                  note: `'${impl.target.name}' is declared '${impl.trait?.name ?? ''}' here.`,
                },
                {
                  file,
                  span,
                  role: 'borrow',
                  note: kind === 'passes' ? 'It changes its owner here.' : 'It comes out by reference here.',
                },
              ],
              key: impl.target.name,
              confidence: 'medium',
            });
            continue;
          }
        }
        if (!first) continue;
        const same = judged.filter((j) => j.isNote === first.isNote);
        const traits = [...new Set(same.map((j) => `'${j.impl.trait?.name ?? ''}'`))].join(' and ');
        const { bound, impl } = first;
        const steps: ReportStep[] = [
          { file: bound.file, span: bound.span, role: 'declare', note: `'${bound.field}' holds '${bound.what}'.` },
          ...same.map((j): ReportStep => ({
            file,
            span: j.impl.headSpan,
            role: 'escape',
            note: `'${impl.target.name}' is declared '${j.impl.trait?.name ?? ''}' here.`,
          })),
          ...(first.lender
            ? [
                {
                  ...first.lender.at,
                  role: 'borrow' as const,
                  note: "An exclusive reference comes out of '&self' here.",
                },
              ]
            : []),
        ];
        report({
          messageId:
            first.isNote && bound.kind === 'pointer' ? 'sole' : first.lender === undefined ? bound.kind : 'lends',
          data: {
            type: impl.target.name,
            traits,
            field: bound.field,
            what: bound.what,
            method: first.lender?.name ?? '',
            line: first.lender ? lineOf(unit, first.lender.at.file, first.lender.at.span.start) : '',
          },
          at: { file, span: impl.headSpan },
          steps,
          key: impl.target.name,
          ...(first.isNote ? { severity: 'note' as const } : {}),
          ...(bound.kind === 'pointer' || bound.kind === 'cell' || bound.kind === 'object'
            ? { confidence: 'medium' as const }
            : {}),
        });
      }
    }
  },
});

/** The `unsafe impl Send` and `Sync` of a file, by the type they are for. */
function groupByTarget(file: FileIr): readonly (readonly ImplDecl[])[] {
  const groups = new Map<string, ImplDecl[]>();
  for (const impl of file.impls) {
    const trait = impl.trait?.name;
    if (!impl.isUnsafe || impl.isNegative || (trait !== 'Send' && trait !== 'Sync')) continue;
    const group = groups.get(impl.target.name);
    if (group) group.push(impl);
    else groups.set(impl.target.name, [impl]);
  }
  return [...groups.values()];
}

interface Judged {
  readonly bound: ThreadBound;
  readonly isNote: boolean;
  /** A method that gives out what the pointer points to. */
  readonly lender?: { readonly name: string; readonly at: { readonly file: FileIr; readonly span: Span } };
}

function judge(unit: UnitFacts, file: FileIr, impl: ImplDecl): Judged | undefined {
  const conditions = [...unit.project.conditionsOf(file.path), ...impl.conditions];
  const isWasmOnly = publishedTriples.every(
    (triple) =>
      triple.startsWith('wasm32') ||
      conditions.some((c) => unit.project.evaluateCfg(c, triple, openFeatures(c)) === 'no'),
  );
  // Without atomics WebAssembly has one thread, and nobody else asks for what only WebAssembly may lack.
  if (conditions.some((c) => (isWasmOnly ? NO_ATOMICS : ONLY_NO_ATOMICS).test(c))) return undefined;
  const bounds = findThreadBounds(unit, file, impl);
  const bound = bounds.toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind))[0];
  if (!bound) return undefined;
  // WebAssembly seldom has threads to send anything to; what a build script's own cfg stands for is not known.
  const isNote = isWasmOnly || (bound.kind === 'handle' && conditions.some((c) => isOwnCfg(c)));
  if (bound.kind === 'generic' && (isGuardedByToken(file, impl) || isForPlainValues(unit, file, impl)))
    return undefined;
  if (bound.kind === 'object' && isFilledWithSend(unit, bound)) return undefined;
  if (bound.kind === 'generic' && isMadeByUnsafeOnly(unit, file, impl)) return { bound, isNote: true };
  if (bound.kind !== 'pointer' && isGuardedByThread(unit, file, impl, bound.field)) return { bound, isNote: true };
  if (bound.kind === 'generic' && impl.trait?.name === 'Sync' && isExclusive(unit, file, impl)) return undefined;
  if (bound.kind === 'generic' && impl.conditions.some((c) => THREAD_FEATURE.test(c))) return { bound, isNote: true };
  if (bound.kind === 'cell' && isOpenedByUnsafeOnly(unit, file, impl, bound.field)) return { bound, isNote: true };
  if (bound.kind !== 'pointer') return { bound, isNote };
  const shared = bounds.find((b) => b.mutable === true && !SCALARS.test(b.pointee ?? '') && !/\(\)>?$/u.test(b.what));
  if (
    !shared ||
    isNote ||
    impl.conditions.some((c) => THREAD_FEATURE.test(c)) ||
    isForeignTable(unit, file, impl) ||
    isBoundByParameter(unit, file, impl, shared.what)
  )
    return { bound, isNote: true };
  if (isDuplicable(unit, file, impl, shared.field))
    return {
      bound: shared,
      isNote: isOpenedByUnsafeOnly(unit, file, impl, shared.field) || isBarePointer(file, impl, shared.field),
    };
  const lender =
    impl.trait?.name === 'Sync' ? findLender(file, impl, shared.field, unit.textOf(file.path) ?? '') : undefined;
  return lender ? { bound: shared, isNote: false, lender } : { bound, isNote: true };
}

/** Features that a condition asks for: whoever uses the package may turn them on. */
function openFeatures(condition: string): FeatureStates {
  return new Map(
    Array.from(condition.matchAll(/\bfeature\s*=\s*"([^"]+)"/gu), ([, name]) => [name ?? '', 'unknown'] as const),
  );
}

/** A feature that is there to make the package's types `Send` or `Sync`: whoever turns it on gets locks with it. */
const THREAD_FEATURE = /\bfeature\s*=\s*"(?:\w+[-_])?(?:send|sync|thread\w*|multi\w*|parallel)(?:[-_]\w+)?"/u;

const NO_ATOMICS = /\bnot\s*\(\s*target_feature\s*=\s*"atomics"\s*\)/u;
const ONLY_NO_ATOMICS = /^\s*not\s*\(\s*target_feature\s*=\s*"atomics"\s*\)\s*$/u;

/** A bare name in a cfg that the compiler does not set. */
function isOwnCfg(condition: string): boolean {
  return /^\s*\w+\s*$/u.test(condition) && !/^\s*(?:unix|windows|test|doc|miri|debug_assertions)\s*$/u.test(condition);
}

/** A record of C that carries functions: its pointers are read by the library, and a copy is the same table again. */
function isForeignTable(unit: UnitFacts, file: FileIr, impl: ImplDecl): boolean {
  const decl = unit.oracle('rust').declaration(impl.target.name, file.path);
  return (
    decl?.attributes.some((a) => a.name === 'repr' && /\bC\b/u.test(a.args ?? '')) === true &&
    decl.fields.some((f) => /\bextern\b[^,]*\bfn\s*\(/u.test(f.type?.text ?? ''))
  );
}

/** `T: Send` in the impl, where the pointer stands for a `T` by a marker beside it or for an object of foreign code. */
function isBoundByParameter(unit: UnitFacts, file: FileIr, impl: ImplDecl, what: string): boolean {
  const fields = unit.oracle('rust').declaration(impl.target.name, file.path)?.fields ?? [];
  return impl.generics.some(
    (g) =>
      (g.bounds.some((b) => b.trim() === impl.trait?.name) &&
        fields.some((f) => f.type?.name === 'PhantomData' && f.type.args.some((a) => a.name === g.name))) ||
      // A foreign object that stands for the parameter, and whose count is the foreign library's.
      (g.bounds.some((b) => /\b(?:Send|Sync)\b/u.test(b)) && !new RegExp(`\\b${g.name}\\b`, 'u').test(what)),
  );
}

/** Whether all that put an object into the field ask for `Send`, as the setters of a callback do. */
function isFilledWithSend(unit: UnitFacts, { file, field, span }: ThreadBound): boolean {
  const text = unit.textOf(file.path) ?? '';
  // Whoever has the value may fill a public one.
  if (file.types.some(({ fields }) => fields.some((own) => own.span.start === span.start && own.isPublic)))
    return false;
  const puts = new RegExp(
    `\\b${field}\\b(?:\\s*\\.\\s*\\w+)*\\s*(?:=(?!=)|\\.\\s*(?:push\\w*|insert|replace|set|get_or_insert\\w*)\\s*\\()|\\b${field}\\s*(?::(?!:|\\s*(?:None\\b|(?:\\w+::)*(?:new|default)\\s*\\(\\s*\\)))|[,}])`,
    'u',
  );
  const setters = file.functions.filter(
    (f) =>
      f.bodySpan !== undefined &&
      f.kind !== 'closure' &&
      !f.isTest &&
      !isInside(span, f.span) &&
      puts.test(plainText(unit, file, f.bodySpan)),
  );
  return (
    setters.length > 0 &&
    setters.every((f) => /\bSend\b/u.test(text.slice(f.span.start, f.bodySpan?.start ?? f.span.start)))
  );
}

/**
 * Whether a wrapper around a value of any type, whose field is private, is made by `unsafe` functions of its own alone: their callers promise
 * what the impl does.
 */
function isMadeByUnsafeOnly(unit: UnitFacts, file: FileIr, impl: ImplDecl): boolean {
  const { name } = impl.target;
  const decl = file.types.find((t) => t.name === name);
  if (!decl || decl.fields.length === 0 || decl.fields.some((f) => f.isPublic)) return false;
  const made = new RegExp(`(?<![\\w:])(?:Self|${name})\\s*(?:::\\s*<[^()]*>\\s*)?[({]`, 'u');
  const makers = file.functions.filter(
    (f) =>
      f.bodySpan !== undefined &&
      (f.owner === name || (unit.textOf(file.path) ?? '').slice(f.bodySpan.start, f.bodySpan.end).includes(name)) &&
      made.test(plainText(unit, file, f.bodySpan)),
  );
  if (makers.length === 0 || !makers.every((f) => f.isUnsafe)) return false;
  // `impl From<T>` that calls `unsafe { Self::new(value) }`, or a derived `Default`, makes it for anybody.
  if (decl.attributes.some((a) => a.name === 'derive' && /\bDefault\b/u.test(a.args ?? ''))) return false;
  const calls = new RegExp(
    `(?<![\\w:])(?:Self|${name})\\s*::\\s*(?:${makers.map((f) => f.name).join('|')})\\s*\\(`,
    'u',
  );
  return !file.functions.some(
    (f) => !f.isUnsafe && f.owner === name && f.bodySpan !== undefined && calls.test(plainText(unit, file, f.bodySpan)),
  );
}

/** Traits whose methods copy, compare or print a pointer. */
const COPIES_OR_COMPARES = /^(?:Clone|Debug|Eq|Hash|Ord|PartialEq|PartialOrd|Pointer)$/u;

/**
 * Whether what is in the private field is reached by methods that are `unsafe` alone, whose callers promise that no other thread is
 * there: then sharing or copying the value shows nobody anything. What only compares, prints or copies the field does not reach it.
 */
function isOpenedByUnsafeOnly(unit: UnitFacts, file: FileIr, impl: ImplDecl, field: string): boolean {
  const decl = file.types.find((t) => t.name === impl.target.name);
  if (!decl || decl.fields.some((f) => f.name === field && f.isPublic)) return false;
  const text = unit.textOf(file.path) ?? '';
  const reads = new RegExp(String.raw`\.\s*${field}\b(?!\s*\()`, 'u');
  const readers = file.functions.filter(
    (f) =>
      f.bodySpan !== undefined &&
      (f.owner === decl.name || !/^\d/u.test(field)) &&
      reads.test(text.slice(f.bodySpan.start, f.bodySpan.end)) &&
      // A comment may name it, too.
      reads.test(plainText(unit, file, f.bodySpan)) &&
      !COPIES_OR_COMPARES.test(f.trait ?? '') &&
      // Who has the only reference shares the cell with nobody.
      !(impl.trait?.name === 'Sync' && f.owner === decl.name && (f.self?.mode === 'mutable' || f.trait === 'Drop')),
  );
  return readers.length > 0 && readers.every((f) => f.isUnsafe);
}

/** A name for a raw pointer and nothing else: no method of the type looks at what it leads to, and whoever does needs `unsafe` for it. */
function isBarePointer(file: FileIr, impl: ImplDecl, field: string): boolean {
  const decl = file.types.find((t) => t.name === impl.target.name);
  if (decl?.fields.length !== 1 || !decl.fields.some((f) => f.name === field && f.type?.kind === 'pointer'))
    return false;
  return file.functions.every(
    (f) => f.owner !== decl.name || f.self === undefined || COPIES_OR_COMPARES.test(f.trait ?? ''),
  );
}

/** Values that every thread may have and share. */
const PLAIN_VALUE =
  /^(?:(?:\w+::)*PhantomData<\(\)>|\(\)|bool|char|[iu](?:8|16|32|64|128|size)|f32|f64|(?:\w+::)*String|&'static str|\[(?:bool|[iu](?:8|16|32|64|128|size)|f32|f64);[^\]]*\])$/u;

/** A type that is private to the file, whose parameter stands for nothing but plain values wherever the file names the type. */
function isForPlainValues(unit: UnitFacts, file: FileIr, { target }: ImplDecl): boolean {
  const decl = file.types.find((t) => t.name === target.name);
  if (!decl || decl.isPublic || decl.generics.length !== 1) return false;
  const text = plainText(unit, file, { start: 0, end: (unit.textOf(file.path) ?? '').length });
  const heads = [decl.span, ...file.impls.filter((i) => i.target.name === decl.name).map((i) => i.headSpan)];
  const uses = [...text.matchAll(new RegExp(String.raw`\b${decl.name}\s*(?:::\s*)?<`, 'gu'))].filter(
    ({ index }) => !heads.some(({ start, end }) => start <= index && index < end),
  );
  return (
    uses.length > 0 &&
    uses.every(({ index, 0: head }) => PLAIN_VALUE.test(argumentAt(text, index + head.length).trim())) &&
    isMadeAsDeclared(file, decl, text) &&
    unit
      .filesOf('rust')
      .every(
        (other) =>
          other === file ||
          !new RegExp(`\\b(?:super|crate)\\s*::[^;]*\\b${decl.name}\\b`, 'u').test(unit.textOf(other.path) ?? ''),
      )
  );
}

/** Every value is made where its type is written: in a static, a constant or a field, or by the methods of the type. */
function isMadeAsDeclared(file: FileIr, decl: TypeDecl, text: string): boolean {
  const own = [decl.span, ...file.impls.filter((i) => i.target.name === decl.name).map((i) => i.span)];
  return [...text.matchAll(new RegExp(String.raw`\b${decl.name}\b(?!\s*(?:::\s*)?<)`, 'gu'))].every(
    ({ index }) =>
      own.some(({ start, end }) => start <= index && index < end) ||
      /(?:\b(?:static|const|let)\s+(?:mut\s+)?\w+\s*:(?:\[[^\]]*\]|[^=;[])*=|\b[a-z_]\w*\s*:)\s*$/u.test(
        text.slice(Math.max(0, index - 200), index),
      ),
  );
}

/** The text from a place to the `>` that ends the list of arguments around it. */
function argumentAt(text: string, start: number): string {
  let depth = 1;
  let end = start;
  for (; end < text.length && depth > 0; end++) {
    if (text[end] === '<') depth++;
    else if (text[end] === '>') depth--;
  }
  return text.slice(start, end - 1);
}

/** What shows by its type that the code runs on the thread of the value. */
const TOKEN_OF_THREAD = /(?:Marker|Token)$/u;
/** What PyO3 and magnus hand out to whoever holds the interpreter. */
const INTERPRETER = /^(?:Python|Ruby)$/u;

/** Whether whoever gets at the content must show a token of the thread that it belongs to: `get(&self, _: MainThreadMarker)`. */
function isGuardedByToken(file: FileIr, impl: ImplDecl): boolean {
  const decl = file.types.find((t) => t.name === impl.target.name);
  if (!decl || decl.fields.some((f) => f.isPublic)) return false;
  const methods = file.functions.filter(
    (f) => f.owner === decl.name && f.self !== undefined && !/^(?:Drop|Debug|Deref)$/u.test(f.trait ?? ''),
  );
  return (
    methods.length > 0 &&
    methods.every((f) =>
      f.params.some(({ type }) =>
        type?.kind === 'reference'
          ? INTERPRETER.test(type.element?.name ?? '')
          : TOKEN_OF_THREAD.test(type?.name ?? '') || INTERPRETER.test(type?.name ?? ''),
      ),
    )
  );
}

/** Whether nothing in the package gives out the private content through `&self`: then sharing the value shows nobody anything. */
function isExclusive(unit: UnitFacts, file: FileIr, impl: ImplDecl): boolean {
  const { name } = impl.target;
  const decl = file.types.find((t) => t.name === name);
  if (!decl || decl.fields.some((f) => f.isPublic) || decl.attributes.some((a) => a.name === 'derive')) return false;
  const text = unit.textOf(file.path) ?? '';
  const methods = file.functions.filter((f) => f.owner === name);
  return (
    methods.some((f) => f.self?.mode === 'mutable') &&
    methods.every(
      (f) =>
        f.self?.mode !== 'shared' ||
        (f.bodySpan !== undefined &&
          // `where T: Sync` asks for what the wrapper does not promise.
          (/\bSync\b/u.test(text.slice(f.span.start, f.bodySpan.start)) ||
            !/\bself\b/u.test(text.slice(f.bodySpan.start, f.bodySpan.end)))),
    )
  );
}

const EXCLUSIVE = /(?:^|<|\()\s*&\s*(?:'\w+\s+)?mut\b/u;
const LENDS_TO_CLOSURE = /\bFn(?:Mut|Once)?\s*\(\s*&\s*(?:'\w+\s+)?mut\b/u;

/** A method that makes a `&mut` to what the pointer points to out of `&self`, for its caller or for a closure of its caller. */
function findLender(file: FileIr, impl: ImplDecl, field: string, text: string): Judged['lender'] {
  const reads = new RegExp(`\\bself\\s*\\.\\s*${field}\\b`, 'u');
  const fn = file.functions.find(
    (f) =>
      f.owner === impl.target.name &&
      f.trait === undefined &&
      !f.isUnsafe &&
      f.self?.mode === 'shared' &&
      f.bodySpan !== undefined &&
      (EXCLUSIVE.test(f.returns?.text ?? '')
        ? reads.test(text.slice(f.bodySpan.start, f.bodySpan.end))
        : [...f.generics.flatMap((g) => g.bounds), ...f.params.map((p) => p.type?.text ?? '')].some((b) =>
            LENDS_TO_CLOSURE.test(b),
          ) && isLentAlone(text.slice(f.bodySpan.start, f.bodySpan.end), reads)),
  );
  return fn && { name: fn.name, at: { file, span: fn.nameSpan } };
}

/** Whether a body makes an exclusive reference out of what it reads, and nothing in it waits for a turn. */
function isLentAlone(body: string, reads: RegExp): boolean {
  return (
    reads.test(body) &&
    /&\s*mut\s*\*|\bas_mut\b|\bBox\s*::\s*from_raw\b/u.test(body) &&
    !/lock|\bcompare_exchange|\bswap\b|\bacquire|\bcritical_section\b|thread/u.test(body)
  );
}

/** Whether a second value with the same pointer can be made by `Clone` or `Copy`, and no atomic count watches over them. */
function isDuplicable(unit: UnitFacts, file: FileIr, impl: ImplDecl, field: string): boolean {
  const { name } = impl.target;
  const decl = unit.oracle('rust').declaration(name, file.path);
  const declFile = decl && declaringFile(unit, file, decl);
  if (!decl || !declFile) return false;
  if (decl.generics.some((g) => g.name.startsWith("'"))) return false;
  if (decl.attributes.some((a) => a.name === 'derive' && /\b(?:Clone|Copy)\b/u.test(a.args ?? ''))) return true;
  const clones = [...new Set([declFile, file])].flatMap((f) =>
    f.impls.filter((i) => i.trait?.name === 'Clone' && i.target.name === name).map((i) => ({ f, i })),
  );
  // A clone by hand that does not copy the pointer makes memory of its own.
  const copies = new RegExp(
    `\\*self\\b|\\bself\\s*\\.\\s*${field}(?:\\.clone\\(\\))?\\s*[,;)}]|\\bSelf\\s*\\{[^}]*\\b${field}\\b`,
    'u',
  );
  return clones.some(({ f, i }) => {
    const text = unit.textOf(f.path)?.slice(i.span.start, i.span.end) ?? '';
    return (
      copies.test(text) &&
      !isMadeAnew(text, field) &&
      !RETURNS_REFERENCE.test(text) &&
      !/fetch_add|Arc::|increment_strong|retain|Self::new|to_vec|alloc|_dup\b|_copy(?:\b|_)|_clone\b/u.test(text)
    );
  });
}

/**
 * `Frames { raw: frames_ref(self.raw) }`: the clone has a reference of its own, as the library gave it. One that only counts and
 * copies the pointer (`surface_ref(self.0); Surface(self.0)`) shares the object.
 */
const RETURNS_REFERENCE = /(?:=|[^:]:|\()\s*(?:unsafe\s*\{\s*)?(?:\w+::)*\w+_(?:add_?|inc_?|up_)?ref\s*\(/u;

/** `let ctx = CTX_new(); .. Self { ctx, .. }`: the field of the clone is a variable of its own. */
function isMadeAnew(text: string, field: string): boolean {
  const init = new RegExp(`\\blet\\s+(?:mut\\s+)?${field}\\s*(?::[^=;]*)?=\\s*([^;]*)`, 'u').exec(text)?.[1];
  return (
    init !== undefined &&
    !new RegExp(`^self\\s*\\.\\s*${field}\\s*$`, 'u').test(init) &&
    new RegExp(`[{,]\\s*${field}\\s*[,}]`, 'u').test(text)
  );
}
