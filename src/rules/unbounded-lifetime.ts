import { findBareView, findCopiedHandle, findShown } from '../facts/bare-views.js';
import { hasDrop } from '../facts/declarations.js';
import { findGuardedReference } from '../facts/guarded-references.js';
import { findKeptArgument } from '../facts/kept-arguments.js';
import { lineOf } from '../facts/lines.js';
import { implAround } from '../facts/rust-code.js';
import { findUntiedBound, findUntiedChoice, findUntiedGeneric, referenceIn } from '../facts/untied-arguments.js';
import { findUntiedSetter } from '../facts/untied-setters.js';
import type { BesideWord, TextToken, UnitFacts } from '../facts/unit.js';
import type { FileIr, FunctionIr, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { defineRule, type ReportStep } from './rule.js';

/** How a body turns a raw pointer into a reference. */
const DEREFERENCE =
  /(?<!\b(?:Vec|String)::)\bfrom_raw_parts|transmute|CStr::from_ptr|&\s*(?:mut\s+)?\(*\*|\.as_(?:ref|mut)\s*\(|\bfrom_ptr\s*\(|\.as_uninit_ref\s*\(/u;

/** `fn name(&self) -> .. 'a`: a lifetime of the function or of the block around, which something in `self` may show. */
const SHOWN_BY_SELF = /^[^{;]*\(\s*(?:&[^,)]*\bself\b|(?:mut\s+)?self\s*:)[^{;]*->[^{;]*'(?!static\b|_\b)\w/u;
/** Where that may be wrong: in unsafe code, by a wrapper of a pointer, and beside the guard of a lock. */
const OF_SELF: readonly TextToken[] = [
  { word: 'unsafe', pattern: SHOWN_BY_SELF },
  /^[^{;]*\(\s*(?:&[^,)]*\bself\b|(?:mut\s+)?self\s*:)[^{;]*->[^{;]*\b[A-Z]\w*\s*<\s*'(?!static\b|_\b)\w/u,
  { inFile: /Guard\s*<\s*'/u, pattern: SHOWN_BY_SELF },
];

/** An `impl` block with a lifetime that the type of the block does not have. */
const FREE_LIFETIME =
  /\bimpl\s*<(?:[^{;<>]*[\s,])?'(\w+)\b[^{;<>]*(?:<[^{;<>]*>[^{;<>]*)*>(?:(?![^{;]*'\1\b)|[^{;]*\bfor\b(?![^{;]*'\1\b))/u;
/**
 * `-> .. 'a`, or what a conversion into a reference returns, of a function that may make a reference of a pointer, which takes `unsafe`.
 * The head is asked first, and once, so that few bodies are searched.
 */
const MADE_OF_POINTER = `(?=[^{;]*->[^{;]*(?:'(?!static\\b|_\\b)\\w|\\bSelf\\b))[^{]*\\{[^]*?(?:${DEREFERENCE.source})`;
const OF_POINTER: readonly TextToken[] = [
  // `fn name(self) -> .. 'a`: the lifetime is one of the type.
  {
    word: 'unsafe',
    pattern: new RegExp(`^(?![^{;]*\\bfn\\s+(?:r#)?\\w+\\s*\\(\\s*(?:mut\\s+)?self\\s*\\))${MADE_OF_POINTER}`, 'u'),
  },
  { inFile: FREE_LIFETIME, pattern: new RegExp(`^(?=[^]*\\bunsafe\\b)${MADE_OF_POINTER}`, 'u') },
];

/** A public function that gives a struct and hands on a field of `self` or of what a parameter lends, or any that makes what works on another object. */
const SHOWS: BesideWord = {
  word: 'unsafe',
  pattern:
    /^(?=[^{]*&[^{]*->[^{]*\b[A-Z])(?=[^{]*\bpub\b|[^]*(?:[iI]ter|[cC]ursor|[sS]napshot|[tT]xn|[tT]ransaction|[sS]tatement|[sS]tmt|[pP]repare))[^{]*\{(?:(?!\bunsafe\b)[^])*\bunsafe\b[^]*?\(\s*\w+\s*\.\s*\w/u,
};

/**
 * A public function that gives a struct without a lifetime and may put a pointer into what is lent into it: `Self { data: bytes.as_ptr() }`,
 * `View(self.0)`.
 */
const FILLS =
  /^(?=[^{]*\bpub\b)(?=[^{]*&)[^{]*->\s*(?:(?:Option|Result|Box)\s*<\s*)?(?:\w+::)*([A-Z]\w*)(?![\w])(?!\s*<[^>]*')[^{;]*\{[^]*\b(?:\1(?:\s*::\s*\w+)?\s*[({]\s*(?:\w+\s*:\s*)?self\s*\.\s*\w+(?:\s*\.\s*\w+)?(?:\.as_ptr\(\))?\s*[,)}]|(?:Self|\1)\s*(?:\((?:[^()]|\([^()]*\))*|\{(?:[^{}]|\{[^{}]*\})*)(?<=[({,:]\s*)(?:&\s*(?:mut\s+)?\w+\s*\.\s*\w|\w+\s+as\s+\*|\w+(?:\.as_bytes\(\))?\.as_(?:mut_)?ptr\(\)))/u;

/** A method by value that hands on the block of what it forgets. */
const HANDS_ON =
  /^[^{]*\(\s*(?:mut\s+)?self\s*\)\s*->\s*(?:\w+::)*[A-Z]\w*(?!\s*<[^>{]*')[^{;]*\{(?=[^]*\b(?:forget|ManuallyDrop))[^]*\.as_(?:mut_)?ptr\(\)/u;

/** A function that returns a marker for a type parameter with a bound of the same lifetime: `<'s, S: 's>(data: &S) -> Request<'s, S>`. */
const OF_BOUND: BesideWord = {
  word: 'PhantomData',
  pattern: /^(?=[^{]*<[^{]*\w\s*:\s*'(?!static\b)\w)(?=[^{]*->[^{]*'(?!static\b|_\b)\w)[^{]*\{[^]*\bunsafe\b/u,
};

/** A method that puts the pointer of a list into a field of `self`. */
const SETS: BesideWord = {
  word: 'ptr()',
  pattern:
    /^(?=[^{]*\bpub\b)(?=[^{]*\bself\b[^{]*&)[^{]*\{[^]*\bself(?:\s*\.\s*\w+)+\s*=\s*\w+(?:\s*\.\s*as_\w+\(\))?\s*\.\s*as_(?:mut_)?ptr\(\)/u,
};

/** A constructor that takes a pointer into a value of a type parameter. */
const OF_GENERIC: BesideWord = {
  word: 'as_ptr',
  pattern:
    /^(?=[^{]*(?:\bimpl\s+\w|<[^{]*\w\s*:|\(\s*(?:mut\s+)?\w+\s*:\s*[A-Z]\w?\s*[,)]))(?=[^{]*->[^{]*(?:'(?!static\b|_\b)\w|\bSelf\b))[^{]*\{[^]*\bunsafe\b/u,
};

/** A reference to what `self` owns whose lifetime is taken away: `transmute(&self.x)`, `&*(&self.x as *const _)`, `from_raw_parts(self.x.as_ptr(), ..)`. */
const OWN_FIELD =
  /\btransmute(?:\s*::\s*<[^()]*>)?\s*\(\s*(?:&\s*(?:mut\s+)?\*?\s*)?self\s*\.\s*(\w+)|&\s*(?:mut\s+)?\*\s*\(\s*(?:&\s*(?:raw\s+(?:const|mut)\s+|mut\s+)?|(?:\w+::)*(?:addr_of|addr_of_mut)!\s*\(\s*|(?:\w+::)*from_(?:ref|mut)\s*\(\s*&\s*(?:mut\s+)?)\*?self\s*\.\s*(\w+)|(?<!\b(?:Vec|String)::)\bfrom_raw_parts(?:_mut)?\s*\(\s*self\s*\.\s*(\w+)\s*\.\s*as_(?:mut_)?ptr\s*\(/u;
/** Types that own what a reference into them shows. */
const OWNERS = /^(?:Vec|String|Box|CString|OsString|PathBuf|VecDeque|HashMap|BTreeMap|HashSet|SmallVec|ArrayVec)$/u;

export default defineRule({
  meta: {
    id: 'unbounded-lifetime',
    title: 'Unbounded lifetime',
    summary:
      'A function makes a reference from a raw pointer with a lifetime that nothing ties to an owner, so the caller may choose any.',
    languages: ['rust'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-825'],
    messages: {
      unbounded:
        "'{function}' returns '{type}', but no argument ties '{lifetime}': the caller may keep the reference as long as it likes, whatever happens to the memory behind '{pointer}'.",
      own: "'{function}' returns '{type}' with the lifetime '{lifetime}' of the type's parameter, but the memory is that of '{pointer}' (line {line}): the caller may keep the reference when 'self' is changed or gone.",
      guarded:
        "'{function}' returns '{type}' with the lifetime '{lifetime}' of the guard in '{guard}' instead of the borrow of 'self': '{field}' (line {line}) can be kept when the guard is dropped and the lock is free.",
      exclusive:
        "'{function}' returns '{type}' by '&self' with the lifetime '{lifetime}', for which '{field}' lends exclusively: '{changes}' (line {line}) may change what the reference shows while it is still there.",
      repeated:
        "'{function}' returns '{type}' with the lifetime '{lifetime}' of the type's parameter instead of the borrow of 'self': called twice with the same '{parameter}', it gives two exclusive references to one value (made at line {line}).",
      twice:
        "'{function}' returns '{type}' with the lifetime '{lifetime}' of the type's parameter instead of the borrow of 'self': called twice, it gives two exclusive references to one value (made at line {line}).",
      bare: "'{function}' returns '{type}', whose raw pointer '{callee}' (line {line}) makes of that of '{owner}', and which has no lifetime: it stays usable after '{owner}' is dropped, which frees what it needs.",
      copied:
        "'{function}' returns '{type}', which is given '{pointer}' (line {line}) and has no lifetime: it stays usable after '{owner}' is dropped, which frees what the pointer leads to.",
      kept: "'{function}' returns '{type}', which keeps a pointer into what '{parameter}' lends (line {line}) and has no lifetime: it stays usable after the borrow has ended.",
      chosen:
        "'{function}' returns '{type}' with the lifetime of '{tied}', but '{callee}' (line {line}) is given '{parameter}' as well and may choose it: the caller may keep the result when '{parameter}' is gone.",
      generic:
        "'{function}' returns '{type}', but nothing ties '{parameter}' to '{lifetime}': a pointer into it is taken (line {line}), and what it borrows may end while the result is there.",
      setter:
        "'{function}' puts a pointer into '{parameter}' into '{field}' (line {line}), and nothing ties '{parameter}' to '{lifetime}' of '{owner}': it may end while '{owner}' still leads to it.",
      contract:
        "'{function}' returns '{type}' with '{lifetime}' tied to no argument: its callers must limit it themselves.",
    },
    checklist: 'Which owner limits the lifetime of the returned reference?',
    scenarios: [],
  },
  tokens: {
    rust: [
      'from_raw_parts',
      'transmute',
      'CStr::from_ptr',
      '*const ',
      '*mut ',
      'NonNull',
      ' ffi::',
      'crate::ffi',
      '(ffi::',
      '_sys::',
      // A handle of Node-API that is given a lifetime: the pointer is the library's, behind a type without a star.
      'sys::napi_',
      // A reference beside the guard of a lock.
      "Guard<'",
    ],
  },
  bodyTokens: { rust: [...OF_SELF, ...OF_POINTER, SHOWS, FILLS, HANDS_ON, OF_GENERIC, OF_BOUND, SETS] },
  looksAt: 'body text',
  perFile: ['rust'],
  check({ unit, report }) {
    for (const file of unit.filesOf('rust')) {
      for (const fn of file.functions) {
        // A function inside another has no callers but those in sight.
        if (fn.parent !== undefined) continue;
        const own = findOwn(unit, file, fn);
        if (own) {
          const { type, lifetime, pointer, at } = own;
          report({
            messageId: 'own',
            data: { function: fn.name, type: type.text, lifetime, pointer, line: lineOf(unit, file, at.start) },
            ...place(
              file,
              fn,
              own,
              `'${lifetime}' is not the borrow of 'self'.`,
              `The reference to '${pointer}' loses its lifetime here.`,
            ),
          });
          continue;
        }
        const guarded = findGuardedReference(unit, file, fn);
        if (guarded) {
          const { type, lifetime, guard, field, at } = guarded;
          report({
            messageId: 'guarded',
            data: { function: fn.name, type: type.text, lifetime, guard, field, line: lineOf(unit, file, at.start) },
            ...place(file, fn, guarded, `'${lifetime}' is not the borrow of 'self'.`, `'${field}' is handed out here.`),
            confidence: 'medium',
          });
          continue;
        }
        const exclusive = findExclusive(unit, file, fn);
        if (exclusive) {
          const { type, lifetime, field, changes } = exclusive;
          report({
            messageId: 'exclusive',
            data: {
              function: fn.name,
              type: type.text,
              lifetime,
              field,
              changes: changes.name,
              line: lineOf(unit, file, changes.nameSpan.start),
            },
            ...place(file, fn, exclusive, `'${lifetime}' is not the borrow of 'self'.`, 'The reference is made here.'),
          });
          continue;
        }
        const repeated = findRepeated(unit, file, fn);
        if (repeated) {
          const { type, lifetime, parameter } = repeated;
          report({
            messageId: parameter === '' ? 'twice' : 'repeated',
            data: {
              function: fn.name,
              type: type.text,
              lifetime,
              parameter,
              line: lineOf(unit, file, repeated.at.start),
            },
            ...place(file, fn, repeated, `'${lifetime}' is not the borrow of 'self'.`, 'The reference is made here.'),
          });
          continue;
        }
        const bare = findBareView(unit, file, fn);
        if (bare) {
          const { type, callee, owner, at, within } = bare;
          const placed = place(file, fn, bare, 'It has no lifetime.', `'${callee}' gives the pointer.`);
          const begun: ReportStep[] = within
            ? [{ ...within, role: 'borrow', note: `'${callee}' is called here.` }]
            : [];
          report({
            messageId: 'bare',
            data: { function: fn.name, type: type.text, callee, owner, line: lineOf(unit, file, at.start) },
            ...placed,
            steps: [...placed.steps, ...begun],
          });
          continue;
        }
        const copied = findCopiedHandle(unit, file, fn);
        if (copied) {
          const { type, callee, owner, at } = copied;
          report({
            messageId: 'copied',
            data: { function: fn.name, type: type.text, pointer: callee, owner, line: lineOf(unit, file, at.start) },
            ...place(file, fn, copied, 'It has no lifetime.', `'${callee}' is given to it.`),
          });
          continue;
        }
        const kept = findKeptArgument(unit, file, fn);
        if (kept) {
          const { type, parameter, at } = kept;
          report({
            messageId: 'kept',
            data: { function: fn.name, type: type.text, parameter, line: lineOf(unit, file, at.start) },
            ...place(file, fn, kept, 'It has no lifetime.', `A pointer into '${parameter}' is put into it here.`),
            confidence: 'medium',
          });
          continue;
        }
        const chosen = findUntiedChoice(unit, file, fn);
        if (chosen) {
          const { type, lifetime, parameter, tied, callee, at } = chosen;
          report({
            messageId: 'chosen',
            data: { function: fn.name, type: type.text, tied, callee, parameter, line: lineOf(unit, file, at.start) },
            ...place(file, fn, chosen, `'${lifetime}' is not that of '${parameter}'.`, `'${callee}' is given both.`),
            confidence: 'medium',
          });
          continue;
        }
        const generic = findUntiedGeneric(unit, file, fn) ?? findUntiedBound(unit, file, fn);
        if (generic) {
          const { type, lifetime, parameter, at } = generic;
          report({
            messageId: 'generic',
            data: { function: fn.name, type: type.text, parameter, lifetime, line: lineOf(unit, file, at.start) },
            ...place(
              file,
              fn,
              generic,
              `'${lifetime}' is in no argument.`,
              `The pointer into '${parameter}' is taken here.`,
            ),
            confidence: 'medium',
          });
          continue;
        }
        const setter = findUntiedSetter(unit, file, fn);
        if (setter) {
          const { lifetime, owner, parameter, field, at } = setter;
          report({
            messageId: 'setter',
            data: { function: fn.name, parameter, field, lifetime, owner, line: lineOf(unit, file, at.start) },
            ...place(file, fn, setter, `It is not lent for '${lifetime}'.`, `The pointer into '${parameter}' is kept.`),
          });
          continue;
        }
        const found = findUnbounded(unit, file, fn) ?? findConverted(unit, file, fn);
        if (!found) continue;
        report({
          messageId: fn.isUnsafe ? 'contract' : 'unbounded',
          data: { function: fn.name, type: found.type.text, lifetime: found.lifetime, pointer: found.pointer },
          ...place(
            file,
            fn,
            found,
            `'${found.lifetime}' is in no argument.`,
            'The reference is made from a raw pointer here.',
          ),
        });
      }
    }
  },
});

interface Found {
  readonly type: TypeRef;
  /** Where the reference or the pointer comes from. */
  readonly at: Span;
}

interface Untied extends Found {
  readonly lifetime: string;
  readonly pointer: string;
}

/** What all reports have: the function, its result, and where that is made. What an `unsafe fn` gives is its callers' to limit. */
function place(
  file: FileIr,
  { nameSpan, qualifiedName, isUnsafe }: FunctionIr,
  { type, at }: Found,
  declared: string,
  made: string,
): { at: { file: FileIr; span: Span }; steps: readonly ReportStep[]; key: string; severity?: 'note' } {
  return {
    at: { file, span: nameSpan },
    steps: [
      { file, span: type.span, role: 'declare', note: declared },
      { file, span: at, role: 'borrow', note: made },
    ],
    key: qualifiedName,
    ...(isUnsafe ? { severity: 'note' } : {}),
  };
}

function findUnbounded(unit: UnitFacts, file: FileIr, fn: FunctionIr): Untied | undefined {
  const type = fn.returns;
  if (!type || !fn.bodySpan || fn.kind === 'closure') return undefined;
  // An implementation has the signature that the trait wants.
  if (fn.trait !== undefined) return undefined;
  const impl = implAround(file, fn);
  // `impl<'a> Sound<'_>`: a lifetime that the type of the block does not have is free, too.
  const free = impl?.generics.filter((g) => g.name.startsWith("'") && impl.target.lifetimes?.includes(g.name) !== true);
  const generics = [...fn.generics, ...(free ?? [])];
  if (generics.length === 0) return undefined;
  // The reference is tied to an argument; what is free is a lifetime in the type of what it shows, as a brand.
  if (type.kind === 'reference' && (type.lifetime === undefined || isTied(fn, type.lifetime))) return undefined;
  const lifetime = generics.find(
    (g) => g.name.startsWith("'") && (type.lifetimes?.includes(g.name) ?? false) && !isTied(fn, g.name),
  )?.name;
  if (lifetime === undefined) return undefined;
  const text = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
  if (isOwnedThere(type, lifetime, text) || isOfClosure(unit, file, fn, type, lifetime)) return undefined;
  const made = fn.isUnsafe || /\bunsafe\b/u.test(text) ? DEREFERENCE.exec(text) : null;
  // A wrapper of a pointer is made without `unsafe`.
  if (!made && !isWrapper(unit, file, fn, type)) return undefined;
  if (/\bleak\s*\(/u.test(text)) return undefined;
  const pointers = fn.params.filter((p) => p.type && reachesPointer(unit, file, p.type));
  // What a reference parameter lends could have been tied; what a pointer shows can't.
  const pointer = pointers[0]?.name ?? (fn.self ? 'self' : undefined) ?? extended(fn, text) ?? globalIn(file, text);
  if (pointer === undefined) return undefined;
  // `&[u8; 0]`: nothing is behind it.
  if (/;\s*0\s*\]$/u.test(fn.params.find((p) => p.name === pointer)?.type?.element?.text ?? '')) return undefined;
  // What has nothing to do with `self` and ends with its value is the value's own.
  if (pointer === 'self' && !/\bself\b/u.test(text) && hasDrop(unit, type.name)) return undefined;
  const start = fn.bodySpan.start + (made?.index ?? 0);
  return { type, lifetime, pointer, at: { start, end: start + (made?.[0].length ?? 1) } };
}

/** `Err(ReadError::new(Cow::Owned(text)))` in a `Result<Frame, ReadError<'e>>`: wherever the one type with the lifetime is made, it owns its content. */
function isOwnedThere(type: TypeRef, lifetime: string, text: string): boolean {
  const parts = type.kind === 'path' && /^(?:Result|Option)$/u.test(type.name) ? type.args : [];
  const having = parts.filter((part) => part.lifetimes?.includes(lifetime) === true);
  const [part] = having;
  if (having.length !== 1 || part?.kind !== 'path') return false;
  const makes = text.match(new RegExp(`\\b${part.name}\\s*(?:::\\s*\\w+\\s*)?[({]`, 'gu')) ?? [];
  const owned =
    text.match(
      new RegExp(`\\b${part.name}\\s*(?:::\\s*\\w+\\s*)?\\(\\s*(?:\\w+\\s*::\\s*)*Cow\\s*::\\s*Owned\\b`, 'gu'),
    ) ?? [];
  return owned.length > 0 && owned.length === makes.length;
}

/** `Subscription<'a>` for an `F: FnMut() + 'a` that it keeps as a `dyn FnMut() + 'a`: the lifetime is the closure's. */
function isOfClosure(unit: UnitFacts, file: FileIr, fn: FunctionIr, type: TypeRef, lifetime: string): boolean {
  if (!fn.generics.some((g) => !g.name.startsWith("'") && g.bounds.some((b) => b.trim() === lifetime))) return false;
  const kept = type.kind === 'path' && /^(?:Result|Option)$/u.test(type.name) ? type.args[0] : type;
  if (kept?.kind !== 'path') return false;
  const decl = unit.oracle('rust').declaration(kept.name, file.path);
  const own = decl?.generics.filter((g) => g.name.startsWith("'"))[kept.lifetimes?.indexOf(lifetime) ?? -1]?.name;
  if (own === undefined) return false;
  const having = decl?.fields.filter((f) => new RegExp(`${own}\\b`, 'u').test(f.type?.text ?? '')) ?? [];
  return (
    having.length > 0 && having.every((f) => new RegExp(`\\bdyn\\b[^;]*\\+\\s*${own}\\b`, 'u').test(f.type?.text ?? ''))
  );
}

/** A static of the file that holds a raw pointer, read by the function: `GLOBAL.load(..)`, `*GLOBAL`. */
function globalIn(file: FileIr, text: string): string | undefined {
  return file.globals.find(
    ({ name, kind, type, isTest }) =>
      !isTest &&
      kind !== 'const' &&
      /\bAtomicPtr\b|\bNonNull\b|\*\s*(?:mut|const)\b/u.test(type?.text ?? '') &&
      new RegExp(
        `(?<![.\\w])${name}\\s*(?:\\.\\s*(?:load|get|lock|read|with|borrow)\\b|\\.\\s*is_null|\\)|;|,)`,
        'u',
      ).test(text),
  )?.name;
}

/** A parameter that lends something, made into a reference of another lifetime: `transmute(text)`, `&*(text as *const str)`. */
function extended(fn: FunctionIr, text: string): string | undefined {
  return fn.params.find(({ name, type }) => {
    if (!type || (type.kind !== 'reference' && (type.lifetimes?.length ?? 0) === 0)) return false;
    if (type.lifetime === "'static" || type.lifetimes?.includes("'static") === true || !/^\w+$/u.test(name))
      return false;
    const shown = `${name}(?:\\s*\\.\\s*\\w+(?:\\(\\))?)*`;
    return new RegExp(
      [
        `\\btransmute(?:\\s*::\\s*<[^()]*>)?\\s*\\(\\s*(?:&\\s*(?:mut\\s+)?)?${shown}\\s*,?\\s*\\)`,
        `&\\s*(?:mut\\s+)?\\*\\s*\\(\\s*(?:&\\s*(?:raw\\s+(?:const|mut)\\s+|mut\\s+)?)?${shown}\\s+as\\s+\\*`,
        `\\bfrom_raw_parts(?:_mut)?\\s*\\(\\s*${name}\\s*\\.\\s*as_(?:mut_)?ptr\\s*\\(`,
        `&\\s*(?:mut\\s+)?\\*\\s*${name}\\s*\\.\\s*as_(?:mut_)?ptr\\s*\\(`,
        `\\bNonNull\\s*::\\s*from\\s*\\(\\s*${name}\\s*\\)\\s*\\.\\s*as_(?:ref|mut)\\s*\\(`,
      ].join('|'),
      'u',
    ).test(text);
  })?.name;
}

/** `fn name(&self) -> &'a T` where `'a` belongs to the type and the reference is one to a field that `self` owns. */
function findOwn(unit: UnitFacts, file: FileIr, fn: FunctionIr): Untied | undefined {
  const type = fn.returns;
  if (!type || !fn.bodySpan || !fn.self || fn.self.mode === 'value' || fn.owner === undefined) return undefined;
  const { self } = fn;
  const lifetime = type.lifetimes?.find(
    (l) => l !== "'static" && l !== "'_" && l !== self.lifetime && self.type?.lifetimes?.includes(l) !== true,
  );
  if (lifetime === undefined || self.lifetime !== undefined || isBoundToSelf(fn, lifetime)) return undefined;
  // `&State<'a>`: the reference is tied to `self`, and what is free is a lifetime in what it shows.
  const reference = referenceIn(type);
  if (reference && (reference.lifetime === undefined || reference.lifetime === "'_")) return undefined;
  const text = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
  const made = OWN_FIELD.exec(text);
  const field = made?.slice(1).find((group) => group !== undefined);
  if (!made || field === undefined) {
    const shown = fn.isUnsafe || fn.trait !== undefined ? undefined : findShown(unit, fn, text);
    // What has a `Drop` of its own may be an object of its own.
    if (!shown || isOwner(unit, type) || isGivenBefore(file, fn, reference)) return undefined;
    return { type, lifetime, pointer: shown.pointer, at: shown.at };
  }
  const oracle = unit.oracle('rust');
  const owned = oracle.declaration(fn.owner, file.path)?.fields.find((f) => f.name === field)?.type;
  if (owned?.kind !== 'path' && owned?.kind !== 'static-array') return undefined;
  if (owned.kind === 'path' && !OWNERS.test(owned.name)) {
    const decl = oracle.declaration(owned.name, file.path);
    if (decl?.kind !== 'struct' || decl.attributes.some((a) => a.name === 'derive' && /\bCopy\b/u.test(a.args ?? '')))
      return undefined;
  }
  const start = fn.bodySpan.start + made.index;
  return { type, lifetime, pointer: `self.${field}`, at: { start, end: start + made[0].length } };
}

/** `fn texture(&self) -> &'t Texture` beside `fn set_texture(&mut self, texture: &'t Texture)`: what the library gives is what it was given. */
function isGivenBefore(file: FileIr, { owner }: FunctionIr, reference: TypeRef | undefined): boolean {
  if (reference?.lifetime === undefined || reference.mutable === true) return false;
  return file.functions.some((f) => {
    if (f.owner !== owner || f.trait !== undefined) return false;
    const own = implAround(file, f)?.target.lifetimes ?? [];
    return f.params.some(
      ({ type }) =>
        type?.kind === 'reference' &&
        type.lifetime !== undefined &&
        own.includes(type.lifetime) &&
        type.element?.name === reference.element?.name,
    );
  });
}

interface Lasting extends Found {
  readonly lifetime: string;
  readonly field: string;
  /** A method by `&mut self`, which the borrow of `self` does not keep from being called. */
  readonly changes: FunctionIr;
}

/**
 * `fn get(&self) -> &'a T` of a type that holds `&'a mut T`, or a marker of one, made by `unsafe`: safe code can lend it for as long as
 * `self` is borrowed only, since methods by `&mut self` change it.
 */
function findExclusive(unit: UnitFacts, file: FileIr, fn: FunctionIr): Lasting | undefined {
  const type = fn.returns;
  if (!type || !fn.bodySpan || fn.owner === undefined || fn.isUnsafe || fn.isTest || fn.trait !== undefined)
    return undefined;
  if (fn.self?.mode !== 'shared' || fn.self.lifetime !== undefined || fn.kind === 'closure') return undefined;
  const lifetime = referenceIn(type)?.lifetime;
  if (lifetime === undefined || lifetime === "'static" || lifetime === "'_" || isBoundToSelf(fn, lifetime))
    return undefined;
  const text = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
  const made = /\bunsafe\b/u.exec(text);
  if (!made || !DEREFERENCE.test(text)) return undefined;
  const around = implAround(file, fn);
  const decl = unit.oracle('rust').declaration(fn.owner, file.path);
  // The lifetime has the name of the impl block here and of the declaration there.
  const own = decl?.generics.filter((g) => g.name.startsWith("'"))[around?.target.lifetimes?.indexOf(lifetime) ?? -1];
  const lends = own && new RegExp(`^(?:(?:\\w+::)*PhantomData\\s*<\\s*)?&\\s*${own.name}\\s+mut\\b`, 'u');
  const field = lends && decl?.fields.find((f) => lends.test(f.type?.text ?? ''));
  if (!field) return undefined;
  const lent = field.type?.kind === 'reference' ? field.name : undefined;
  const changes = file.functions.find(
    (f) =>
      f.owner === fn.owner &&
      f.self?.mode === 'mutable' &&
      f.trait !== 'Drop' &&
      // Two calls give one `&mut` twice, whatever else there is.
      (referenceIn(type)?.mutable === true || changesContent(unit, file, f, lent)) &&
      !isOfAnotherPointer(text, unit.textOf(file.path)?.slice(f.span.start, f.span.end) ?? ''),
  );
  if (!changes) return undefined;
  const start = fn.bodySpan.start + made.index;
  return { type, lifetime, field: field.name, changes, at: { start, end: start + made[0].length } };
}

/** Writes through a pointer, an exclusive reference made of one, or a release of what it leads to. */
const CHANGES_CONTENT =
  /&\s*mut\s*\(?\s*\*|\bfrom_raw\b|\bdrop_in_place\b|\.\s*as_mut\s*\(|\bptr\s*::\s*(?:write|swap|replace|copy)\w*\s*\(|\.\s*(?:write|copy_from)\w*\s*\(|[{;(]\s*\*(?!\s*self\s*=)[^;{}=]*=(?!=)|\(\s*\*[^;{}=]*\)\s*(?:\.\s*\w+\s*)+[-+*/|&^]?=(?!=)/u;
/** Functions of a library that change what they are given a handle of. */
const CHANGES_BY_NAME =
  /(?<![.\w])(?:\w+\s*::\s*)*\w+_(?:put|del|delete|insert|remove|clear|update|append|free|set|erase|write)\w*\s*\(/u;

/**
 * Whether a method gives out `&mut`, or writes what the pointers of `self` lead to; one that only moves a cursor does neither. `lent` is
 * the field that is an exclusive reference.
 */
function changesContent(unit: UnitFacts, file: FileIr, fn: FunctionIr, lent: string | undefined): boolean {
  const given = fn.returns && referenceIn(fn.returns);
  if (given?.mutable === true && given.element?.name !== 'Self' && given.element?.name !== fn.owner) return true;
  if (!fn.bodySpan) return false;
  const text = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
  if (CHANGES_CONTENT.test(text) || CHANGES_BY_NAME.test(text)) return true;
  if (lent === undefined) return false;
  const written = `\\bself\\s*\\.\\s*${lent}(?:\\s*\\.\\s*\\w+)*`;
  return new RegExp(
    `${written}\\s*(?:\\[[^;{}]*\\]\\s*)?[-+*/|&^]?=(?!=)|${written}\\.\\s*\\w*(?:put|del|insert|remove|clear|update|push|pop|append|set|take|link|truncate|split|splice|drain|retain|swap|erase|_mut|alloc|attach|detach|replace)\\w*\\s*\\(`,
    'u',
  ).test(text);
}

/** Whether two methods each make a slice of one pointer, and not of the same: `from_raw_parts(self.key, ..)` and `from_raw_parts_mut(self.iv, ..)`. */
function isOfAnotherPointer(shown: string, changed: string): boolean {
  const pointersIn = (text: string) =>
    Array.from(
      text.matchAll(/\bfrom_raw_parts(?:_mut)?\s*\(\s*(self(?:\s*\.\s*\w+)+)\s*,/gu),
      ([, pointer]) => pointer,
    );
  const [first, ...more] = pointersIn(shown);
  const others = pointersIn(changed);
  return first !== undefined && more.length === 0 && others.length > 0 && !others.includes(first);
}

/** What goes on to the next element, or takes one out, gives each once. */
const GOES_ON =
  /\bself(?:\s*\.\s*\w+)+\s*[-+*]?=(?!=)|\b(?:insert|take|remove|replace|swap\w*|set|next\w*|advance\w*|pop\w*|push\w*|split\w*|alloc\w*|fetch_\w+|compare_exchange\w*|lock|try_lock|borrow_mut|unsafe_\w+)\s*\(/u;

/**
 * `fn get_mut(&mut self, key: usize) -> Option<&'a mut T>` made by `unsafe`, where `'a` belongs to the type and nothing goes on from element
 * to element: the same key may be asked for while the first reference is there.
 */
function findRepeated(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
): (Found & { readonly lifetime: string; readonly parameter: string }) | undefined {
  const type = fn.returns;
  if (!type || !fn.bodySpan || fn.owner === undefined || fn.isUnsafe || fn.isTest || fn.trait !== undefined)
    return undefined;
  if (!fn.self || fn.self.mode === 'value' || fn.self.lifetime !== undefined || !fn.isPublic) return undefined;
  const content = referenceIn(type);
  const lifetime = content?.mutable === true ? content.lifetime : undefined;
  if (lifetime === undefined || lifetime === "'static" || lifetime === "'_" || isBoundToSelf(fn, lifetime))
    return undefined;
  const [parameter, ...others] = fn.params;
  // A value that is moved in is the caller's alone; only keys can be given again.
  const isKey = (one: TypeRef | undefined): boolean =>
    one?.kind === 'reference' ? one.mutable !== true : one !== undefined && PLAIN_KEY.test(one.name);
  if (others.length > 0 || isTied(fn, lifetime)) return undefined;
  // Without a key there is one value, unless the name says that it is another one each time.
  if (parameter ? !isKey(parameter.type) : TAKES_NEXT.test(fn.name)) return undefined;
  const text = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
  const made = /\bunsafe\b/u.exec(text);
  if (!made || !DEREFERENCE.test(text) || GOES_ON.test(text) || !/\bself\b/u.test(text)) return undefined;
  const start = fn.bodySpan.start + made.index;
  return { type, lifetime, parameter: parameter?.name ?? '', at: { start, end: start + made[0].length } };
}

const TAKES_NEXT =
  /next|prev|pop|take|split|into|leak|remove|detach|advance|steal|alloc|push|insert|add|new|unsafe|unchecked/u;

const PLAIN_KEY = /^(?:[iu](?:8|16|32|64|size)|\w*(?:Id|ID|Key|Index|Idx|Entity|Handle))$/u;

/** A type, or the content of an Option or Result of one, that the unit knows how to drop. */
function isOwner(unit: UnitFacts, type: TypeRef): boolean {
  return hasDrop(unit, type.name) || type.args.some((a) => isOwner(unit, a));
}

/** `fn name<'b>(&'b self)`, or a `'b` of the function's own that a parameter ties. */
function isBoundToSelf(fn: FunctionIr, lifetime: string): boolean {
  return fn.generics.some((g) => g.name === lifetime) && isTied(fn, lifetime);
}

/** `impl<'a> Trait for &'a T { fn convert(raw: Raw) -> Self }`: no argument has the lifetime that the result is given. */
function findConverted(unit: UnitFacts, file: FileIr, fn: FunctionIr): Untied | undefined {
  const type = fn.returns;
  if (!type || !fn.bodySpan || fn.isUnsafe || fn.self || fn.owner === undefined || !/\bSelf\b/u.test(type.text))
    return undefined;
  const impl = implAround(file, fn);
  const target = impl?.target;
  // What a conversion is given could have the lifetime.
  const isMade = target?.kind === 'path' && /^(?:From|TryFrom)$/u.test(impl?.trait?.name ?? '');
  const lifetime = target?.kind === 'reference' ? target.lifetime : isMade ? target.lifetimes?.[0] : undefined;
  // A trait without a lifetime of its own leaves nothing to tie it to.
  if (!impl || lifetime === undefined || lifetime === "'static") return undefined;
  if (isMade ? impl.trait?.text.includes("'") === true : impl.trait?.lifetimes?.includes(lifetime) !== true)
    return undefined;
  if (isTied(fn, lifetime)) return undefined;
  const text = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
  const made = /(?<!\b(?:Vec|String)::)\bfrom_raw_parts(?:_mut)?\b|\bCStr::from_ptr\b/u.exec(text);
  const pointer = fn.params.find((p) => p.type && reachesPointer(unit, file, p.type))?.name;
  if (!made || pointer === undefined) return undefined;
  const start = fn.bodySpan.start + made.index;
  return { type, lifetime, pointer, at: { start, end: start + made[0].length } };
}

function isTied(fn: FunctionIr, lifetime: string): boolean {
  if (fn.self && (fn.self.lifetime === lifetime || fn.self.type?.lifetimes?.includes(lifetime) === true)) return true;
  if (fn.params.some((p) => p.type?.lifetimes?.includes(lifetime) === true || p.type?.text.includes(lifetime) === true))
    return true;
  const mentions = new RegExp(`${lifetime}\\b`, 'u');
  // `F: FnOnce(&'a T)` and `'b: 'a` may tie it through something else; bounds of its own only make it longer.
  return fn.generics.some(
    (g) =>
      g.name !== lifetime &&
      g.bounds.some((b) => mentions.test(b) && (g.name.startsWith("'") || b.trim() !== lifetime)),
  );
}

/** Whether a method by reference gives a struct of the unit that holds a raw pointer and whose lifetime only a marker holds. */
function isWrapper(unit: UnitFacts, file: FileIr, fn: FunctionIr, type: TypeRef): boolean {
  const bare = type.kind === 'path' && /^(?:Option|Result)$/u.test(type.name) ? type.args[0] : type;
  if (bare?.kind !== 'path' || !fn.bodySpan || !fn.self || fn.self.mode === 'value') return false;
  // Whatever is made of what `self` shows is a value of its own.
  const text = (unit.textOf(file.path) ?? '').slice(fn.bodySpan.start, fn.bodySpan.end);
  if (!/\bself\s*[,)]|\bself(?:\s*\.\s*\w+)+\s*[,)}\n]/u.test(text)) return false;
  const decl = unit.oracle('rust').declaration(bare.name, file.path);
  return (
    decl?.kind === 'struct' &&
    decl.generics.some((g) => g.name.startsWith("'")) &&
    decl.fields.every((f) => f.type?.kind !== 'reference') &&
    (reachesPointer(unit, file, bare) || decl.fields.some((f) => isForeignValue(f.type)))
  );
}

/** A record of a library, by the path of its bindings. */
function isForeignValue(type: TypeRef | undefined): boolean {
  return type?.kind === 'path' && type.path.length > 1 && /^(?:ffi|sys|\w+_sys|\w+_ffi)$/u.test(type.path[0] ?? '');
}

function reachesPointer(unit: UnitFacts, file: FileIr, type: TypeRef, depth = 0): boolean {
  if (type.kind === 'pointer') return true;
  if (
    type.kind === 'path' &&
    (type.name === 'NonNull' || /^(?:napi_\w+|\w+_t|\w*(?:Handle|Ptr|Raw)\w*)$/u.test(type.name))
  )
    return true;
  if (type.kind === 'reference')
    return type.element !== undefined && depth < 3 && reachesPointer(unit, file, type.element, depth + 1);
  if (type.kind !== 'path' || depth > 2)
    return type.kind === 'tuple' && type.args.some((a) => reachesPointer(unit, file, a, depth + 1));
  if (type.args.some((a) => reachesPointer(unit, file, a, depth + 1))) return true;
  const decl = unit.oracle('rust').declaration(type.name, file.path);
  return decl?.fields.some((f) => f.type !== undefined && reachesPointer(unit, file, f.type, depth + 1)) ?? false;
}
