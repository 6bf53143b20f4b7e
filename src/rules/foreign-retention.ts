import { calledName, memberPath, methodsOf, uncast, withCallersOf } from '../facts/d-code.js';
import { RAW_CODE } from '../facts/raw-words.js';
import { findBoxedCallbacks } from '../facts/boxed-callbacks.js';
import { hasDrop } from '../facts/declarations.js';
import { findExternalMemory } from '../facts/external-memory.js';
import { findForgottenLocal } from '../facts/forgotten-locals.js';
import { findFreedCallbackData } from '../facts/freed-callback-data.js';
import { NUMBER_WORD } from '../facts/handing-on.js';
import { findLentHandle } from '../facts/lent-handles.js';
import { findLentToHandles } from '../facts/lent-to-handles.js';
import { lineOf } from '../facts/lines.js';
import { findRegisteredParam, findRegisteredSelf } from '../facts/registered-self.js';
import { bindingsOf, findResults } from '../facts/raw-views.js';
import { endsWithItsRoot } from '../facts/storage.js';
import type { BesideWord, UnitFacts } from '../facts/unit.js';
import { walkBody } from '../model/walk-body.js';
import { describePlace, placeKey, type Place, type Root } from '../flow/place.js';
import type { CallSite, Escape, FunctionFlow, Pointer, Value } from '../flow/result.js';
import type { Expr, FileIr, FunctionIr, Param, TypeRef } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';
import { withoutAlias } from '../flow/types.js';
import { defineRule } from './rule.js';

const SETTER = 'set_';

const TOKENS = {
  rust: [
    'external(',
    'external_data(',
    'borrowed_data(',
    'napi_',
    'ffi::',
    '_sys::',
    'libc::',
    SETTER,
    'set0',
    'add0',
    'push0',
    'register',
    'pthread',
    'sqlite3_',
    'c_void',
    // Of systems and libraries whose functions the table names.
    'CreateThread',
    'Threadpool',
    'QueueUserWorkItem',
    'LongPtr',
    'WindowLong',
    'SetProp',
    'Subclass',
    'TimerQueue',
    'RegisterWait',
    'timeSetEvent',
    'midiInOpen',
    'waveInOpen',
    'waveOutOpen',
    'dispatch_a',
    'RegisterReconfiguration',
    'AddObserver',
    'IOHID',
    'AudioDevice',
    'AudioObject',
    'MIDI',
    'AddMatchingNotification',
    'EventTapCreate',
    'g_idle_add',
    'g_timeout_add',
    'g_thread_new',
    'g_object_set',
    'g_signal_connect',
    'g_io_add_watch',
    'SDL_',
    'UserPointer',
    'Pa_OpenStream',
    'libusb_hotplug',
    'CFRunLoop',
    'FSEventStream',
    'SCDynamicStore',
    'into_raw',
    'NoCopy',
    'CreateWithData',
    'PyCapsule_New',
    'forget(',
    'openlog',
    'putenv',
    'setvbuf',
  ],
  d: [
    'toStringz',
    'extern',
    'set',
    'register',
    'add',
    'Set',
    'Register',
    'pthread_create',
    'on_',
    'putenv',
    'openlog',
    'sigaltstack',
    'epoll_ctl',
    'kevent',
    'inflateGetHeader',
    'attach',
    'install',
    'subscribe',
  ],
};

/** A function that C calls later, given beside its data, or a foreign function whose name says that it keeps something. */
const GIVES_CALLBACK =
  /,\s*Some\(\s*[a-z]\w*(?:::\s*<[^()]*>)?\s*\)\s*,|\b[a-z]\w*_(?:add|install|attach|subscribe|watch|hook|connect|listen|on)(?:_\w+)?\s*\(/u;

/** `set_data(data)`; what is only given a number, `set_scope_id(id)`, keeps no memory, unless the number is a text: `id.as_ptr()`. */
const SETS_MEMORY: BesideWord = {
  word: SETTER,
  pattern: new RegExp(
    String.raw`${SETTER}(?!\w*\s*\(\s*(?:\w+_)?${NUMBER_WORD}\s*\))|as_(?:mut_)?ptr|to_ptr|into_raw|\*\s*const`,
    'u',
  ),
};

/** How D code gives memory to foreign code. */
const D_GIVEN = [
  /\.ptr\b|toStringz|tempCString|\bcast\s*\([^)]*\*|(?<![&\w)\]\s])\s*&\s*[A-Za-z_(]/u,
  /\[\s*\]\s*[),]/u,
  // `auto data = new Data; .. set_user_data(handle, data);`
  /=\s*new\b[^]*(?:set|register|add|install|attach|subscribe|on)(?:_\w+)?\s*\(/iu,
];

export default defineRule({
  meta: {
    id: 'foreign-retention',
    title: 'Foreign code keeps memory that ends',
    summary: 'Memory is handed to foreign code that keeps it, and its owner ends before.',
    languages: ['rust', 'd'],
    severity: 'error',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-562'],
    messages: {
      lent: "'{helper}' at line {line} hands the borrowed '{owner}' to '{callee}', which keeps a pointer into it after the borrow has ended.",
      unbounded:
        "'{callee}' at line {line} keeps '{owner}' of the generic type '{type}', which has no \"'static\" bound: it may borrow something that ends before '{callee}' lets go.",
      shown:
        "'{callee}' shows JavaScript the memory of '{owner}' (taken at line {line}), and neither its hint nor its finalizer keeps it: it may end while JavaScript still holds the buffer.",
      value:
        "'{callee}' at line {line} hands '{owner}' over to foreign code, and its type '{type}' has no lifetime bound: what it borrows may end before foreign code is done with it. Ask for '{type}: 'static'.",
      callback:
        "'{callee}' at line {line} keeps the boxed closure '{owner}' of the generic type '{type}', which has no lifetime bound: it may borrow something that ends while the library still calls it.",
      tied: "'{callee}' at line {line} keeps the boxed closure '{owner}', and no 'Drop' of '{guard}' takes it back: what the closure borrows may end while the library still calls it.",
      handle:
        "'{callee}' at line {line} is given '{owner}' as the data of its callback, and '{type}' keeps the handle without a lifetime: it may call back when '{owner}' is gone.",
      moved:
        "'{callee}' at line {line} keeps the address of 'self' as the data of its callback, and a '{type}' may be moved: '{maker}' returns it by value (line {made}). The library then calls back with the place that it has left. Box or pin it, or register a part of it that is boxed.",
      freed:
        "'{callee}' at line {line} keeps '{type}.{field}' as the data of its callback, and 'drop' frees it (line {freed}) without taking the callback back: the library may call it afterwards.",
      unrooted:
        "'{callee}' at line {line} keeps the address of '{owner}', an object of the collector that nothing else refers to: it is freed by the next collection after the function has ended.",
      forgotten:
        "'{callee}' at line {line} keeps the address of '{owner}', which is then forgotten (line {forgotten}): that keeps its destructor from running, but the variable ends with its scope.",
      kept: "'{callee}' at line {line} keeps a pointer into '{owner}' (line {borrow}), which {end}.",
    },
    checklist: 'Does everything that foreign code keeps live until it lets go?',
    scenarios: ['gc-churn', 'command'],
  },
  tokens: TOKENS,
  // Without `unsafe` nothing of this compiles.
  requires: { rust: ['unsafe'] },
  bodyTokens: { rust: [...TOKENS.rust.filter((token) => token !== SETTER), SETS_MEMORY, GIVES_CALLBACK], d: TOKENS.d },
  bodyRequires: { rust: RAW_CODE, d: D_GIVEN },
  looksAt: 'bodies',
  perFile: ['d'],
  reportsElsewhere: 'in callers',
  check({ unit, functionsIn, report }) {
    for (const language of ['rust', 'd'] as const) {
      for (const file of unit.filesOf(language)) {
        for (const { type, field, callee, span, freed, how } of language === 'rust'
          ? findFreedCallbackData(unit, file)
          : [])
          report({
            messageId: 'freed',
            data: {
              callee,
              line: lineOf(unit, file, span.start),
              type,
              field,
              freed: lineOf(unit, file, freed.start),
            },
            at: { file, span },
            steps: [
              { file, span, role: 'escape', note: `'${callee}' keeps the function and its data.` },
              { file, span: freed, role: 'release', note: `'${how}' frees the data here.` },
            ],
            key: `${type}.${field}`,
            severity: 'warning',
            confidence: 'medium',
          });
        const source = unit.textOf(file.path) ?? '';
        const boxes = /\b(?:(?:Box|Arc|Rc)::(?:into_raw|leak)|ptr::write)\b/u.test(source);
        for (const { made, callee, maker, span } of language === 'd'
          ? findMadeAlone(unit, file, functionsIn(file))
          : [])
          report({
            messageId: 'unrooted',
            data: { callee, line: lineOf(unit, file, span.start), owner: made },
            at: { file, span: maker },
            steps: [
              { file, span: maker, role: 'declare', note: 'Nothing refers to the object that is made here.' },
              {
                file,
                span,
                role: 'escape',
                note: `The constructor gives its address to '${callee}', where the collector does not look.`,
              },
            ],
            key: `${callee}|${made}`,
            severity: 'warning',
            confidence: 'medium',
          });
        for (const fn of functionsIn(file)) {
          const flow = unit.flowOf(file, fn);
          const seen = new Set<string>();
          const reportLent = (lender: Lender, { callee, kept }: Keeping, end: string, lent: string): void => {
            const { param, span, declared } = lender;
            report({
              messageId: 'lent',
              data: { helper: fn.name, line: lineOf(unit, lender.file, span.start), owner: param, callee },
              at: { file: lender.file, span },
              steps: [
                { file: lender.file, span: declared, role: 'declare', note: `'${param}' ${end}.` },
                { file: lender.file, span, role: 'borrow', note: lent },
                { file, span: kept, role: 'escape', note: `'${callee}' keeps the pointer beyond the call.` },
              ],
              key: `${fn.name}|${param}`,
            });
          };
          for (const kept of findUnbounded(fn, flow)) {
            const bound = boundSpan(unit.textOf(file.path) ?? '', fn, kept.type) ?? kept.span;
            report({
              messageId: 'unbounded',
              data: {
                callee: kept.callee,
                line: lineOf(unit, file, kept.span.start),
                owner: kept.param.name,
                type: kept.type,
              },
              at: { file, span: bound },
              steps: [
                {
                  file,
                  span: kept.param.span,
                  role: 'declare',
                  note: `'${kept.param.name}' may hold borrowed data: its type has no "'static" bound.`,
                },
                { file, span: kept.span, role: 'escape', note: `'${kept.callee}' keeps it beyond the call.` },
              ],
              key: `${kept.callee}|${kept.param.name}`,
            });
          }
          for (const shown of language === 'rust' ? findExternalMemory(file, fn) : []) {
            if (shown.freed) continue;
            report({
              messageId: 'shown',
              data: { callee: shown.callee, owner: shown.owner, line: lineOf(unit, file, shown.taken.start) },
              at: { file, span: shown.span },
              steps: [
                { file, span: shown.taken, role: 'borrow', note: `The pointer into '${shown.owner}' is taken here.` },
                { file, span: shown.span, role: 'escape', note: 'JavaScript is given the buffer here.' },
              ],
              key: `${shown.callee}|${shown.owner}`,
              severity: 'warning',
              confidence: 'medium',
            });
          }
          for (const kept of language === 'rust' && boxes
            ? findBoxedCallbacks(
                file,
                source,
                fn,
                flow,
                (type) => withoutAlias(type, unit.oracle('rust'), file.path),
                (type) => isTakenBackByDrop(unit, file, type),
                (name) => unit.typesNamed(name, 'rust').find(({ item }) => item.kind === 'trait')?.item,
              )
            : []) {
            const bound = boundSpan(source, fn, kept.type) ?? (kept.isValue === true ? fn.nameSpan : kept.span);
            const data = { callee: kept.callee, line: lineOf(unit, file, kept.span.start), owner: kept.param.name };
            const place = {
              at: { file, span: bound },
              steps: [
                {
                  file,
                  span: kept.param.span,
                  role: 'declare' as const,
                  note:
                    kept.guard === undefined
                      ? `'${kept.param.name}' may borrow: its type has neither "'static" nor another lifetime as a bound.`
                      : `'${kept.param.name}' may borrow: its type has a lifetime as a bound.`,
                },
                { file, span: kept.span, role: 'escape' as const, note: `'${kept.callee}' is given the box here.` },
              ],
              key: `${kept.callee}|${kept.param.name}`,
              severity: 'warning' as const,
              confidence: 'medium' as const,
            };
            if (kept.isValue === true) report({ ...place, messageId: 'value', data: { ...data, type: kept.type } });
            else if (kept.guard === undefined)
              report({ ...place, messageId: 'callback', data: { ...data, type: kept.type } });
            else report({ ...place, messageId: 'tied', data: { ...data, guard: kept.guard } });
          }
          const forgotten = language === 'rust' ? findForgottenLocal(unit, file, fn) : undefined;
          if (forgotten)
            report({
              messageId: 'forgotten',
              data: {
                callee: forgotten.callee,
                line: lineOf(unit, file, forgotten.registered.start),
                owner: forgotten.name,
                forgotten: lineOf(unit, file, forgotten.forgotten.start),
              },
              at: { file, span: forgotten.registered },
              steps: [
                { file, span: forgotten.declared, role: 'declare', note: `'${forgotten.name}' is on the stack.` },
                { file, span: forgotten.registered, role: 'escape', note: 'Its address is given away here.' },
                {
                  file,
                  span: forgotten.forgotten,
                  role: 'release',
                  note: 'It is forgotten here, and ends all the same.',
                },
              ],
              key: `${forgotten.callee}|${forgotten.name}`,
            });
          const handle = language === 'rust' ? findLentHandle(unit, file, fn) : undefined;
          if (handle)
            report({
              messageId: 'handle',
              data: {
                callee: handle.callee,
                line: lineOf(unit, file, handle.span.start),
                owner: handle.owner,
                type: handle.type.text,
              },
              at: { file, span: handle.span },
              steps: [
                { file, span: handle.declared, role: 'declare', note: `'${handle.owner}' is not kept beyond this.` },
                { file, span: handle.span, role: 'escape', note: `'${handle.callee}' is given it here.` },
                { file, span: handle.type.span, role: 'escape', note: 'What is returned has no lifetime.' },
              ],
              key: `${handle.callee}|${handle.owner}`,
              severity: 'warning',
              confidence: 'medium',
            });
          const itself = language === 'rust' && handle === undefined ? findRegisteredSelf(unit, file, fn) : undefined;
          if (itself)
            report({
              messageId: 'moved',
              data: {
                callee: itself.callee,
                line: lineOf(unit, file, itself.span.start),
                type: itself.owner,
                maker: itself.maker.name,
                made: lineOf(unit, file, itself.maker.nameSpan.start),
              },
              at: { file, span: itself.span },
              steps: [
                {
                  file,
                  span: itself.maker.nameSpan,
                  role: 'declare',
                  note: `'${itself.maker.name}' leaves it to the caller where the value is.`,
                },
                { file, span: itself.span, role: 'escape', note: `'${itself.callee}' keeps its address.` },
              ],
              key: `${itself.callee}|self`,
              severity: 'warning',
              confidence: 'medium',
            });
          const registered =
            language === 'rust' && handle === undefined ? findRegisteredParam(unit, file, fn) : undefined;
          if (registered && !seen.has(`${registered.span.start}|${registered.param.name}`)) {
            const { callee, span, param, borrow } = registered;
            seen.add(`${span.start}|${param.name}`);
            report({
              messageId: 'kept',
              data: {
                callee,
                line: lineOf(unit, file, span.start),
                owner: param.name,
                borrow: lineOf(unit, file, borrow.start),
                end: 'the caller only lends',
              },
              at: { file, span },
              steps: [
                { file, span: param.span, role: 'declare', note: `'${param.name}' is lent for the call.` },
                { file, span, role: 'escape', note: `'${callee}' keeps its address with the callback.` },
              ],
              key: `${callee}|${param.name}`,
              severity: 'warning',
              confidence: 'medium',
            });
          }
          for (const { name, callee, span, declared } of language === 'd' && !/\baddRoot\b/u.test(textOf(source, fn))
            ? findUnrooted(unit, file, fn)
            : [])
            report({
              messageId: 'unrooted',
              data: { callee, line: lineOf(unit, file, span.start), owner: name },
              at: { file, span },
              steps: [
                { file, span: declared, role: 'declare', note: `Only '${name}' refers to the object.` },
                {
                  file,
                  span,
                  role: 'escape',
                  note: `'${callee}' keeps its address, where the collector does not look.`,
                },
              ],
              key: `${callee}|${name}`,
              severity: 'warning',
              confidence: 'medium',
            });
          for (const holder of language === 'rust' ? findHolders(unit, file, fn, flow) : [])
            reportLent(holder, holder, 'ends with its scope', `It is lent to '${fn.name}' here.`);
          for (const lent of language === 'd' ? findLentToHandles(fn) : []) {
            seen.add(`${lent.span.start}|${lent.owner}`);
            report({
              messageId: 'kept',
              data: {
                callee: lent.callee,
                line: lineOf(unit, file, lent.span.start),
                owner: lent.owner,
                borrow: lineOf(unit, file, lent.borrow.start),
                end: lent.isCollected ? 'is freed by the collector' : 'ends with its scope',
              },
              at: { file, span: lent.span },
              steps: [
                {
                  file,
                  span: lent.declared,
                  role: 'declare',
                  note: lent.isCollected
                    ? `Only '${lent.owner}' refers to it, and the collector does not look into the memory of C.`
                    : `'${lent.owner}' is on the stack.`,
                },
                { file, span: lent.span, role: 'escape', note: `'${lent.callee}' keeps its address for the handle.` },
              ],
              key: `${lent.callee}|${lent.owner}`,
            });
          }
          for (const escape of flow.escapes) {
            const end = endOf(unit, file, fn, flow, escape);
            if (!end || escape.callee === undefined) continue;
            const lenders = escape.pointer.target.root.kind === 'param' ? findLenders(unit, file, fn) : undefined;
            if (lenders !== undefined) {
              // Somebody in the unit calls it: whether the memory lives long enough is decided there.
              const kept = { callee: escape.callee, kept: escape.span };
              for (const lender of lenders)
                reportLent(lender, kept, 'is only lent by the caller', `It is handed to '${fn.name}' here.`);
              continue;
            }
            const owner = describePlace({ root: escape.pointer.target.root, path: [] });
            const key = `${escape.span.start}|${owner}`;
            if (seen.has(key)) continue;
            seen.add(key);
            report({
              messageId: 'kept',
              data: {
                callee: escape.callee,
                line: lineOf(unit, file, escape.span.start),
                owner,
                borrow: lineOf(unit, file, escape.pointer.site.start),
                end,
              },
              at: { file, span: escape.span },
              steps: [
                ...(escape.pointer.target.root.kind === 'temp'
                  ? []
                  : [
                      {
                        file,
                        span: escape.pointer.target.root.span,
                        role: 'declare' as const,
                        note: `'${owner}' is declared here.`,
                      },
                    ]),
                {
                  file,
                  span: escape.pointer.site,
                  role: 'borrow',
                  note: `'${escape.pointer.how}' points into it here.`,
                },
                {
                  file,
                  span: escape.span,
                  role: 'escape',
                  note: `'${escape.callee}' keeps the pointer beyond the call.`,
                },
              ],
              key: `${escape.callee}|${owner}`,
            });
          }
        }
      }
    }
  },
});

/** Whether a type, or one of its fields, runs code when it is dropped, or is not declared here. */
function isTakenBackByDrop(unit: UnitFacts, file: FileIr, name: string): boolean {
  const declared = unit.oracle('rust').declaration(name, file.path);
  if (declared === undefined) return true;
  const names = [name, ...declared.fields.flatMap((f) => (f.type?.kind === 'path' ? [f.type.name] : []))];
  return names.some((n) => hasDrop(unit, n));
}

/** The foreign call that keeps what a helper was lent. */
interface Keeping {
  readonly callee: string;
  readonly kept: Span;
}

/**
 * Functions that call a method by `&mut self` which registers the address of `self` with foreign code, on a local of the type that ends
 * with them: neither boxed nor pinned, and nothing takes the registration back.
 */
function findHolders(unit: UnitFacts, file: FileIr, fn: FunctionIr, flow: FunctionFlow): readonly (Lender & Keeping)[] {
  const { owner } = fn;
  if (owner === undefined || fn.self === undefined || fn.self.mode === 'value' || fn.kind === 'closure') return [];
  const kept = flow.escapes.find(
    (e) =>
      isSelf(e.pointer.target) &&
      e.pointer.form === 'raw' &&
      e.callee !== undefined &&
      (e.kind === 'store' ? e.into === undefined : isRegistration(unit, file, flow, e)) &&
      !isTakenBack(flow, e),
  );
  if (kept?.callee === undefined || hasDrop(unit, owner)) return [];
  const call = new RegExp(`(?<![.\\w])(\\w+)\\.${fn.name}\\s*\\(`, 'gu');
  const made = new RegExp(
    `\\blet\\s+(?:mut\\s+)?(\\w+)\\s*(?::\\s*${owner}\\s*)?=\\s*${owner}\\s*(?:\\{|::\\s*\\w+\\s*\\()`,
    'gu',
  );
  const found: (Lender & Keeping)[] = [];
  for (const other of unit.filesMatching('rust', new RegExp(`\\.${fn.name}\\s*\\(`, 'u'))) {
    const all = unit.textOf(other.path) ?? '';
    for (const { bodySpan, isTest, parent, nameSpan } of other.functions) {
      if (!bodySpan || isTest || parent !== undefined || (other === file && nameSpan.start === fn.nameSpan.start))
        continue;
      const text = all.slice(bodySpan.start, bodySpan.end);
      const calls = [...text.matchAll(call)];
      for (const { 1: name = '', index } of calls.length > 0 ? text.matchAll(made) : []) {
        const called = calls.find((m) => m[1] === name && m.index > index);
        if (!called) continue;
        const rest = text.slice(called.index + called[0].length);
        // It moves on, or what was registered is run or ended here.
        if (new RegExp(`(?<![.\\w&])${name}\\b(?!\\s*\\.)`, 'u').test(rest) || DONE_WITH.test(rest)) continue;
        const start = bodySpan.start + called.index + name.length + 1;
        const declared = bodySpan.start + index;
        found.push({
          file: other,
          span: { start, end: start + fn.name.length },
          param: name,
          declared: { start: declared, end: declared + 'let'.length },
          callee: kept.callee,
          kept: kept.span,
        });
      }
    }
  }
  return found;
}

/** What `self` leads to, also by way of a variable: `let me = self as *mut Self`. */
function isSelf({ root, path }: Place): boolean {
  if (path.length > 1 || (path.length === 1 && path[0] !== '*')) return false;
  return root.kind === 'self' || (root.origin?.root.kind === 'self' && root.origin.path.length === 0);
}

/** Something runs until it is done, waits, or takes a registration back. */
const DONE_WITH =
  /(?:^|[_.])(?:run|wait|perform|poll|dispatch|loop|main|join|exec|start|free|close|destroy|cleanup|shut_?down)\w*\s*\(|\b\w*(?:un(?:register|set|subscribe|hook|watch|install)|remove|clear|detach|disconnect|reset)\w*\s*\(/u;

interface Lender {
  readonly file: FileIr;
  readonly span: Span;
  readonly param: string;
  readonly declared: Span;
}

/**
 * Functions of the unit that call the helper with a reference that was lent to themselves; undefined when nobody in the unit
 * calls it, so that the helper itself is the border.
 */
function findLenders(unit: UnitFacts, file: FileIr, helper: FunctionIr): readonly Lender[] | undefined {
  if (!/^\w{4,}$/u.test(helper.name)) return undefined;
  const call = new RegExp(`[.:]\\s*${helper.name}\\s*\\(([^()]*)\\)`, 'gu');
  let isCalled = false;
  const lenders: Lender[] = [];
  for (const other of unit.filesMatching('rust', new RegExp(`[.:]\\s*${helper.name}\\s*\\(`, 'u'))) {
    const text = unit.textOf(other.path) ?? '';
    for (const fn of other.functions) {
      if (
        !fn.bodySpan ||
        fn.isTest ||
        fn.parent !== undefined ||
        (other.path === file.path && fn.nameSpan.start === helper.nameSpan.start)
      )
        continue;
      for (const match of text.slice(fn.bodySpan.start, fn.bodySpan.end).matchAll(call)) {
        isCalled = true;
        const words = (match[1] ?? '').split(',').map((w) => w.trim());
        const param = fn.params.find(
          (p) => p.type?.kind === 'reference' && p.type.lifetime !== "'static" && words.includes(p.name),
        );
        if (!param) continue;
        const start = fn.bodySpan.start + match.index + match[0].indexOf(helper.name);
        lenders.push({
          file: other,
          span: { start, end: start + helper.name.length },
          param: param.name,
          declared: param.span,
        });
      }
    }
  }
  return isCalled ? lenders : undefined;
}

/** Values of generic types without a `'static` bound that the function hands to something that makes an external of them. */
function findUnbounded(
  fn: FunctionIr,
  flow: FunctionFlow,
): readonly { callee: string; span: Span; param: Param; type: string }[] {
  const found = [];
  for (const call of flow.calls) {
    if (!/(?:^|[_:])(?:new_|create_)?external(?:_buffer|_arraybuffer|_with_callback)?$/u.test(call.callee)) continue;
    for (const value of call.args) {
      const root = value.places.length === 1 && value.places[0]?.path.length === 0 ? value.places[0].root : undefined;
      const param = root?.kind === 'param' && root.index !== undefined ? fn.params[root.index] : undefined;
      const generic = param?.type?.kind === 'path' ? fn.generics.find((g) => g.name === param.type?.name) : undefined;
      if (param && generic && generic.bounds.length > 0 && !generic.bounds.some((b) => b.includes("'")))
        found.push({ callee: call.callee, span: call.span, param, type: generic.name });
    }
  }
  return found;
}

/** Where a generic type gets its bounds: `T: ..` in the head of the function, the `where` clause before the list. */
function boundSpan(text: string, fn: FunctionIr, type: string): Span | undefined {
  // The bounds of `impl FnMut()` stand at the parameter.
  if (!/^\w+$/u.test(type)) return fn.params.find((param) => param.type?.text === type)?.span;
  const head = text.slice(fn.span.start, fn.bodySpan?.start ?? fn.span.end);
  const at = [...head.matchAll(new RegExp(`\\b${type}\\s*:(?!:)[^,{>]*`, 'gu'))].at(-1);
  return at ? { start: fn.span.start + at.index, end: fn.span.start + at.index + at[0].trimEnd().length } : undefined;
}

function textOf(source: string, fn: FunctionIr): string {
  return source.slice(fn.span.start, fn.span.end);
}

/** How the owner of a kept pointer ends; undefined when it does not, as far as the function shows. */
function endOf(unit: UnitFacts, file: FileIr, fn: FunctionIr, flow: FunctionFlow, escape: Escape): string | undefined {
  if (escape.into !== undefined || escape.callee === undefined || escape.ownerMoved) return undefined;
  const registered = file.language === 'rust' ? registrationOf(unit, file, flow, escape) : undefined;
  const isRegistered =
    registered !== undefined || (file.language === 'd' && isDataOfCallback(unit, file, flow, escape));
  const isTaken = file.language === 'rust' && isTakenOver(escape);
  const isBound =
    file.language === 'rust' && (isStaticBinding(flow, escape) || isReleasedLater(unit, file, fn, flow, escape));
  if (escape.kind !== 'store' && !isRegistered && !isTaken && !isBound) return undefined;
  if (file.language === 'rust' && (isTakenBack(flow, escape) || isTakenBackByGuard(unit, file, fn, escape)))
    return undefined;
  if (file.language === 'd' && isReplaced(flow, escape)) return undefined;
  if (file.language === 'rust' && isReadAsBytes(flow, escape)) return undefined;
  if (isWaitedFor(flow, escape)) return undefined;
  const { pointer } = escape;
  if (pointer.form === 'closure' || pointer.form === 'guard' || pointer.form === 'iterator') return undefined;
  const { root } = pointer.target;
  if (isTaken) return isOwnWrapper(escape) && !isForgotten(flow, root) ? 'ends with its scope and frees it' : undefined;
  // `&f as *const F as *mut c_void`: the address of the parameter itself, whatever it holds.
  const isOwnAddress =
    root.kind === 'param' &&
    root.byValue &&
    pointer.target.path.length === 0 &&
    /^&/u.test(pointer.how) &&
    (root.type?.kind === 'path' || (file.language === 'd' && root.type?.kind === 'delegate'));
  if (
    escape.kind === 'argument' &&
    !isBound &&
    ((root.kind === 'param' && !isOwnAddress) || (pointer.form !== 'raw' && !pointer.erased && registered !== 'record'))
  )
    return undefined;
  if (root.kind === 'param' && root.type?.kind === 'reference' && root.type.lifetime !== "'static") {
    // A borrowed slice may end as soon as the function returns.
    return pointer.target.path.length > 0 &&
      (root.type.element?.kind === 'slice' || /^(?:str|CStr)$/u.test(root.type.element?.name ?? '')) &&
      fn.generics.every((g) => !g.name.startsWith("'"))
      ? 'the caller only lends'
      : undefined;
  }
  if (isDoneWith(flow, escape) || isAloneWithoutCode(file, flow, escape)) return undefined;
  if (file.language === 'rust' && isMovedLater(fn, escape)) return undefined;
  if (file.language === 'rust' && isSoleCount(unit, file, fn, escape)) return 'ends with its scope';
  if (!endsWithItsRoot(pointer.target, file.language, unit.oracle(file.language), file.path)) return undefined;
  if (file.language === 'rust' && (isHandedBack(fn, escape) || (!isBound && isCopiedText(file, flow, escape))))
    return undefined;
  return isForgotten(flow, root) ? undefined : 'ends with its scope';
}

/**
 * `data_wrap(&mut data, bytes.as_ptr(), len, Some(release), cookie)`: foreign code that is told how to let go of the memory, by a function of the
 * file, has it until then. Only lists and untyped data count: a record may be filled in by the call.
 */
function isReleasedLater(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
  flow: FunctionFlow,
  { kind, callee, index, span, pointer }: Escape,
): boolean {
  if (kind !== 'argument' || index === undefined) return false;
  const call = flow.calls.find((c) => c.span.start === span.start && c.callee === callee);
  if (call?.expr.kind !== 'call' || call.method || call.resolved || call.rows.length > 0) return false;
  if (!/_/u.test(callee?.split('::').at(-1) ?? '')) return false;
  // A name of something is copied, and room for a result is filled in.
  if (/^(?:CString|CStr|String|str|MaybeUninit)$/u.test(pointer.target.root.type?.name ?? '')) return false;
  const values = call.expr.args.map(({ value }) => value);
  const given = values[index];
  const isUntyped =
    given?.kind === 'cast' && given.type.kind === 'pointer' && /^(?:c_)?void$/u.test(given.type.element?.name ?? '');
  if (!isUntyped && !/^as_(?:mut_)?ptr$/u.test(pointer.how)) return false;
  const releaser = values.findIndex((value) => isReleaser(file, value));
  // What stands behind it is what it is told, without a type; anything else there is for the result.
  if (releaser < 0 || (releaser < index && !isUntyped)) return false;
  const between = values.slice(index + 1, Math.max(releaser, index + 1));
  // Another function beside it tells that the call works on the data, and another pointer is what the function is for.
  if (between.some((value, at) => isPointerGiven(value, call.args[index + 1 + at]))) return false;
  if (between.some((value) => value.kind === 'call' && calledName(value) === 'Some')) return false;
  return !isEndedAfter(unit.textOf(file.path)?.slice(call.expr.span.end, fn.span.end) ?? '', fn, values, call.expr);
}

function isReleaser(file: FileIr, value: Expr): boolean {
  const [inner] = value.kind === 'call' && calledName(value) === 'Some' ? value.args : [];
  const named = inner?.value ?? value;
  const name = named.kind === 'name' ? (named.path.at(-1) ?? '') : '';
  return RELEASER.test(name) && file.functions.some((f) => f.name === name && f.abi !== undefined);
}

function isPointerGiven(value: Expr, given: Value | undefined): boolean {
  return (value.kind === 'cast' && value.type.kind === 'pointer') || (given?.pointers.length ?? 0) > 0;
}

/** `Blob(..)`, `Blob { .. }` */
function isMaker(expr: Expr): boolean {
  return expr.kind === 'struct' || (expr.kind === 'call' && /^[A-Z]/u.test(calledName(expr) ?? ''));
}

/** Whether what the call made, `let blob = blob_create(..)` or `data_wrap(&mut data, ..)`, is given to a function that ends it behind the call. */
function isEndedAfter(after: string, fn: FunctionIr, values: readonly Expr[], call: Expr): boolean {
  const names: string[] = [];
  let isWrapped = false;
  const [first] = values;
  if (first?.kind === 'address' && first.base.kind === 'name') names.push(first.base.path.at(-1) ?? '');
  if (fn.body)
    walkBody(fn.body, ({ statement, expr, around }) => {
      if (expr !== call || statement?.kind !== 'let' || statement.pattern.kind !== 'bind') return;
      names.push(statement.pattern.name);
      isWrapped = around.some((outer) => isInside(call.span, outer.span) && isMaker(outer));
    });
  // A wrapper that is declared later ends earlier.
  if (isWrapped) return true;
  return names.some((name) =>
    new RegExp(`_(?:release|free|destroy|unref|close|delete)\\w*\\s*\\(\\s*(?:&\\s*(?:mut\\s+)?)?${name}\\b`, 'u').test(
      after,
    ),
  );
}

const RELEASER = /(?:^|_)(?:release|free|destroy|drop|dealloc|deallocate|finalize|delete|unref|dispose)(?:_|$)/u;

/** Functions of SQLite that bind or give out a text or blob, with the places of the text and of its destructor. */
const BINDS: Readonly<Record<string, readonly [text: number, destructor: number]>> = {
  sqlite3_bind_text: [2, 4],
  sqlite3_bind_text16: [2, 4],
  sqlite3_bind_blob: [2, 4],
  sqlite3_bind_text64: [2, 4],
  sqlite3_bind_blob64: [2, 4],
  sqlite3_result_text: [1, 3],
  sqlite3_result_blob: [1, 3],
};

/** Rust: a text given to SQLite as one that never ends (`None`, `SQLITE_STATIC()`), to a statement that this function does not run. */
function isStaticBinding(flow: FunctionFlow, { kind, callee, index, span }: Escape): boolean {
  const [text, destructor] = BINDS[callee?.split('::').at(-1) ?? ''] ?? [];
  if (kind !== 'argument' || text === undefined || index !== text || destructor === undefined) return false;
  const call = flow.calls.find((c) => c.span.start === span.start && c.callee === callee);
  const given = call?.expr.kind === 'call' ? call.expr.args[destructor]?.value : undefined;
  const name = given?.kind === 'call' ? given.callee : given;
  if (name?.kind !== 'name' || !/^(?:None|SQLITE_STATIC)$/u.test(name.path.at(-1) ?? '')) return false;
  const statement = call?.args[0]?.places[0];
  return !flow.calls.some(
    (c) =>
      c.span.start > span.start &&
      c.args[0]?.places.some((p) => statement !== undefined && placeKey(p) === placeKey(statement)) === true &&
      !/_bind_/u.test(c.callee),
  );
}

/** Rust: the content of an `Arc` or `Rc` that the function makes, and of which it makes no second one: it ends with the variable. */
function isSoleCount(unit: UnitFacts, file: FileIr, fn: FunctionIr, { pointer }: Escape): boolean {
  const { root, path } = pointer.target;
  if (root.kind !== 'local' || root.declared !== 'let' || path.join('.') !== '[]' || !fn.bodySpan) return false;
  if (root.type?.kind !== 'path' || !/^(?:Rc|Arc)$/u.test(root.type.name)) return false;
  const text = (unit.textOf(file.path) ?? '').slice(root.span.end, fn.bodySpan.end);
  if (!/^\s*(?::[^=;]*)?=\s*(?:\w+::)*(?:Rc|Arc)::new\s*\(/u.test(text)) return false;
  // Whatever else is done with the variable may be another count of it.
  const uses = [...text.matchAll(new RegExp(`(?<![.\\w])${root.name}\\b`, 'gu'))];
  return uses.every(({ index }) => /(?:Rc|Arc)::as_ptr\s*\(\s*&\s*$/u.test(text.slice(0, index)));
}

/** Rust: the owner of the block goes into the value that the function returns: `Guard { context, _callback: callback }`. */
function isHandedBack(fn: FunctionIr, { pointer, span }: Escape): boolean {
  const { root, path } = pointer.target;
  // The variable itself does not move along.
  if (path.length === 0 || !fn.body) return false;
  const results = findResults(fn.body, bindingsOf(fn.body));
  let isPart = false;
  walkBody(fn.body, ({ expr, around }) => {
    if (expr.kind !== 'name' || expr.path.join('::') !== root.name || expr.span.start < span.end) return;
    const outer = around.at(-1);
    isPart ||=
      outer !== undefined &&
      /^(?:struct|tuple|call)$/u.test(outer.kind) &&
      results.some((r) => r.start <= expr.span.start && expr.span.end <= r.end);
  });
  return isPart;
}

/** Rust: the owner of the block moves on after the call: `self.hook = Some(boxed)`, `keep(boxed)`. */
function isMovedLater(fn: FunctionIr, { pointer, span }: Escape): boolean {
  const { root, path } = pointer.target;
  if (path.length === 0 || root.kind === 'temp' || !fn.body) return false;
  let isMoved = false;
  walkBody(fn.body, ({ expr, around }) => {
    if (expr.kind !== 'name' || expr.path.join('::') !== root.name || expr.span.start < span.end) return;
    const outer = around.at(-1);
    isMoved ||=
      (outer?.kind === 'call' && calledName(outer) !== 'drop') ||
      outer?.kind === 'struct' ||
      outer?.kind === 'tuple' ||
      (outer?.kind === 'method' && outer.receiver !== expr) ||
      (outer?.kind === 'assign' && outer.value === expr) ||
      isConvertedAway(expr, around);
  });
  return isMoved;
}

/** `self.hook = boxed.map(|b| b as _);`: what is in the option goes into what takes the result. */
function isConvertedAway(expr: Expr, around: readonly Expr[]): boolean {
  let value = expr;
  let at = around.length - 1;
  for (let outer = around[at]; outer?.kind === 'method' && outer.receiver === value; outer = around[--at]) {
    if (!CONVERTS.test(outer.method)) return false;
    value = outer;
  }
  const taker = around[at];
  if (value === expr || !taker) return false;
  if (taker.kind === 'assign') return taker.value === value;
  return /^(?:call|struct|tuple|return|method)$/u.test(taker.kind);
}

const CONVERTS = /^(?:map|into|into_boxed_\w+|unwrap|expect|unwrap_or_else|and_then|ok_or|ok_or_else|take)$/u;

/** Rust: text beside the data of a callback is a name, which the library copies, where no declaration says otherwise. */
function isCopiedText(file: FileIr, flow: FunctionFlow, escape: Escape): boolean {
  const { kind, callee, pointer } = escape;
  if (!/^(?:CString|String|CStr|str)$/u.test(pointer.target.root.type?.name ?? '')) return false;
  if (kind !== 'argument' && !isNameOfData(flow, escape)) return false;
  const name = callee?.split('::').at(-1);
  return !file.functions.some((f) => f.name === name && f.abi !== undefined && !f.body);
}

/** `set_data(handle, name.as_ptr(), data, free)`: the name of the data. */
function isNameOfData(flow: FunctionFlow, { callee, span, pointer }: Escape): boolean {
  if (!/_set_data$/u.test(callee ?? '')) return false;
  const call = flow.calls.find((c) => c.span.start === span.start && c.callee === callee);
  return call?.argSpans.length === 4 && call.argSpans[1] !== undefined && isInside(pointer.site, call.argSpans[1]);
}

/** `mem::forget(owner)`, or a tuple of several. */
function isForgotten(flow: FunctionFlow, root: Root): boolean {
  return flow.calls.some(
    (c) =>
      c.rows.some((r) => r.effects.some((e) => e.kind === 'forget')) &&
      (c.args.some((a) => a.places.some((p) => p.root.id === root.id)) || isInTuple(c.expr, root.name)),
  );
}

function isInTuple(call: Expr, name: string): boolean {
  if (call.kind !== 'call') return false;
  return call.args.some(
    ({ value }) =>
      value.kind === 'tuple' && value.items.some((item) => item.kind === 'name' && item.path.join('::') === name),
  );
}

/** Rust: functions of OpenSSL and its kin whose name ends in `0` take the object over; those in `1` count it up. */
function isTakenOver({ kind, callee, index }: Escape): boolean {
  return kind === 'argument' && index !== undefined && index > 0 && TAKES_OVER.test(callee ?? '');
}

/** The object of a wrapper that the function owns, shown by `as_ptr`: the wrapper frees it at its end. */
function isOwnWrapper({ pointer }: Escape): boolean {
  const { root, path } = pointer.target;
  return (
    (root.kind === 'param' || root.kind === 'local') &&
    root.byValue &&
    root.type?.kind === 'path' &&
    /^[A-Z]\w{2,}$/u.test(root.type.name) &&
    // By an `as_ptr` of unknown content, or by one that shows the pointer in a field.
    (pointer.how === 'as_ptr' ? path.join('.') === '[]' : path.length === 2 && path[1] === '*')
  );
}

/**
 * Rust: bytes with their length behind them, given to a function that only its name makes a keeper of data: `state_set_data(s, v.as_ptr(),
 * v.len())` reads them. Data that is kept for a callback has no length.
 */
function isReadAsBytes(flow: FunctionFlow, { callee, pointer, span }: Escape): boolean {
  if (!/_set_data$/u.test(callee ?? '')) return false;
  const call = flow.calls.find((c) => c.span.start === span.start && c.callee === callee)?.expr;
  if (call?.kind !== 'call') return false;
  const values = call.args.map(({ value }) => uncast(value));
  return values.some((given, i) => {
    const next = values[i + 1];
    if (given.kind !== 'method' || next?.kind !== 'method' || next.method !== 'len') return false;
    const owner = memberPath(given.receiver);
    const isIt = given.span.start <= pointer.site.start && pointer.site.end <= given.span.end;
    return isIt && owner !== undefined && owner === memberPath(next.receiver);
  });
}

const REGISTERS = /^(?:\w+_)?(?:set|register|add|install|attach|subscribe|watch|hook|connect|listen|on)(?:_\w+)?$/u;
const TAKES_OVER = /(?:^|[_:])(?:set|add|push)0(?:_\w+)?$/u;
const KEEPS =
  /(?:callback|cb|handler|hook|listener|user_?data|context|ctx|observer|logger|finalizer|destructor|func|event|signal)s?(?:_\w+)?$/u;
const KEEPS_RECORD =
  /(?:callback|cb|handler|hook|listener|observer|logger|watch(?:er)?|event|signal)s?(?:_(?:add|attach|connect|install|register))?$/u;
const TAKES_OFF = /(?:^|_)(?:un(?:register|subscribe|hook|watch|install)|remove|detach|disconnect)(?:_|$)/u;
/** Ends what a library has, and with that whatever was registered with it. */
const SHUTS_DOWN =
  /(?:^|_)(?:shut_?down|stop|quit|halt|de_?init|un_?init|deinitiali[sz]e|uninitiali[sz]e|tear_?down|term|terminate|fini|finish|finali[sz]e|dispose|cleanup|delete|release|exit|end)(?:_|$)/u;
const ENDS =
  /(?:un(?:register|set|subscribe|hook|watch|install)|remove|clear|detach|disconnect|destroy|free|close|reset)/u;

/**
 * Rust: a foreign function by whose name memory is registered for later, given untyped data beside a function or under a
 * name that says so.
 */
function isRegistration(unit: UnitFacts, file: FileIr, flow: FunctionFlow, escape: Escape): boolean {
  return registrationOf(unit, file, flow, escape) !== undefined;
}

/** What is registered: untyped `data`, or a `record` of the library that it knows by its address. */
function registrationOf(
  unit: UnitFacts,
  file: FileIr,
  flow: FunctionFlow,
  escape: Escape,
): 'data' | 'record' | undefined {
  const plain = (type: TypeRef | undefined): TypeRef | undefined => withoutAlias(type, unit.oracle('rust'), file.path);
  const name = escape.callee?.split(/::|\./u).at(-1) ?? '';
  if (escape.kind !== 'argument' || !REGISTERS.test(name)) return undefined;
  const call = flow.calls.find((c) => c.span === escape.span);
  // A name that speaks of another argument says nothing of a record of the library.
  if (!call || call.method || call.resolved || !call.rows.every(({ match }) => 'suffix' in match)) return undefined;
  const declared = foreignOf(file).byName.get(name);
  const isForeign =
    declared !== undefined || /(?:^|::)(?:ffi|sys|\w+_sys|\w+_ffi|bindings)::/u.test(escape.callee ?? '');
  if (!isForeign) return undefined;
  const param = escape.index === undefined ? undefined : declared?.params[escape.index]?.type;
  // The first of several is the object that the call is about.
  const isObject = escape.index === 0 && (declared?.params.length ?? 0) > 1;
  if (declared && !isObject && isKnownByAddress(unit, file, name, param)) return 'record';
  if (call.rows.length > 0) return undefined;
  if (declared && !(param?.kind === 'pointer' && /^(?:c_)?void$/u.test(param.element?.name ?? ''))) return undefined;
  const hasCallback = declared?.params.some((p) => isCallback(plain(p.type))) ?? false;
  if (!hasCallback && !KEEPS.test(name)) return undefined;
  return 'data';
}

/**
 * A record that a library keeps and does not copy: it knows it by its address, since the record leads to the next of its kind
 * (`next: *mut Listener`), or since another function of the library is given the address to take the record off again.
 */
function isKnownByAddress(unit: UnitFacts, file: FileIr, name: string, param: TypeRef | undefined): boolean {
  const record = param?.kind === 'pointer' && param.element?.kind === 'path' ? param.element.name : '';
  if (record === '' || /^(?:c_)?(?:void|char)$|^[ui]\d+$/u.test(record) || !KEEPS_RECORD.test(name)) return false;
  const isOfKind = (type: TypeRef | undefined): boolean => type?.kind === 'pointer' && type.element?.name === record;
  const declared = unit.oracle('rust').declaration(record, file.path);
  if (declared?.fields.some((f) => /^(?:next|prev|link|node)$/u.test(f.name) && isOfKind(f.type)) === true) return true;
  const library = name.slice(
    0,
    name.search(/(?:^|(?<=_))(?:set|register|add|install|attach|subscribe|watch|hook|connect|listen|on)(?:_|$)/u),
  );
  // What fills in a record, `queue_remove_event(queue, &mut event)`, is told none that it knows.
  return (foreignOf(file).takingOff.get(record) ?? []).some(
    (f) =>
      f.name.startsWith(library) &&
      f.params.some(
        (p) =>
          isOfKind(p.type) &&
          (p.type?.mutable !== true || param?.mutable === true) &&
          !/^(?:out|res|ret|dst|dest)/u.test(p.name),
      ),
  );
}

/** Foreign functions that a file declares: by name, and those that take something off by the records that they are told. */
interface Foreign {
  readonly byName: ReadonlyMap<string, FunctionIr>;
  readonly takingOff: ReadonlyMap<string, readonly FunctionIr[]>;
}

/** Read once for each file, which may declare thousands. */
const foreign = new WeakMap<FileIr['functions'], Foreign>();

function foreignOf({ functions }: FileIr): Foreign {
  const known = foreign.get(functions);
  if (known !== undefined) return known;
  const byName = new Map<string, FunctionIr>();
  const takingOff = new Map<string, FunctionIr[]>();
  for (const fn of functions) {
    if (fn.abi === undefined || fn.body) continue;
    if (fn.skipped !== true && !byName.has(fn.name)) byName.set(fn.name, fn);
    if (!TAKES_OFF.test(fn.name)) continue;
    const records = fn.params.flatMap(({ type }) => (type?.kind === 'pointer' ? [type.element?.name ?? ''] : []));
    for (const record of new Set(records)) takingOff.set(record, [...(takingOff.get(record) ?? []), fn]);
  }
  const found = { byName, takingOff };
  foreign.set(functions, found);
  return found;
}

/** Whether a later call of the function ends the registration: the same one again, or one whose name says so. */
function isTakenBack(flow: FunctionFlow, escape: Escape): boolean {
  return flow.calls.some(
    (c) => !c.method && c.span.start > escape.span.end && (c.callee === escape.callee || takesBack(c.callee)),
  );
}

/** A function whose name says that it takes a registration back, or ends the library that has it. */
function takesBack(callee: string): boolean {
  return ENDS.test(callee) || SHUTS_DOWN.test(nameOf(callee));
}

/** D: whether a record that tells where memory is gives way to another one: `sigaltstack(&stack, &before); .. sigaltstack(&before, null);` */
function isReplaced(flow: FunctionFlow, { callee, span }: Escape): boolean {
  const call = flow.calls.find((c) => c.span.start === span.start);
  const isRecord = call?.rows.some((row) => row.effects.some((e) => e.kind === 'retain' && e.contents === true));
  return isRecord === true && flow.calls.some((c) => c.callee === callee && c.span.start > span.end);
}

/**
 * Whether the function makes a value whose `drop` calls the same function again, which sets what was there before, or one that is
 * declared behind the memory, so that it ends first, and whose `drop` takes the registration back.
 */
function isTakenBackByGuard(unit: UnitFacts, file: FileIr, fn: FunctionIr, { callee, pointer }: Escape): boolean {
  const name = callee?.split('::').at(-1);
  const { root } = pointer.target;
  if (!fn.body || name === undefined) return false;
  // The last place where each is made.
  const guards = new Map<string, number>();
  walkBody(fn.body, ({ expr }) => {
    const type = madeType(expr);
    if (type !== undefined) guards.set(type === 'Self' ? (fn.owner ?? '') : type, expr.span.start);
  });
  const again = new RegExp(`\\b${name}\\s*\\(`, 'u');
  return [...guards].some(([guard, made]) =>
    unit.implsOf(guard, 'Drop').some(({ file: other, item }) => {
      const text = (unit.textOf(other.path) ?? '').slice(item.span.start, item.span.end);
      if (again.test(text)) return true;
      if (other.path !== file.path || made < root.span.end) return false;
      return [...text.matchAll(/\b(\w+)\s*\(/gu)].some(({ 1: called = '' }) => takesBack(called));
    }),
  );
}

/** The type that `Guard { .. }`, `Guard(..)` or `Guard::new(..)` makes a value of. */
function madeType(expr: Expr): string | undefined {
  if (expr.kind === 'struct') return expr.type.name;
  if (expr.kind !== 'call' || expr.callee.kind !== 'name') return undefined;
  return expr.callee.path.findLast((segment) => /^[A-Z]/u.test(segment));
}

function isCallback(type: TypeRef | undefined): boolean {
  return type?.kind === 'function' || (type?.kind === 'path' && type.name === 'Option' && isCallback(type.args[0]));
}

/** The function waits for the thread that it started with the pointer, or for what the thread does with it. */
function isWaitedFor(flow: FunctionFlow, escape: Escape): boolean {
  return (
    (/(?:^|::)pthread_create$/u.test(escape.callee ?? '') &&
      flow.calls.some(
        (call) => call.span.start > escape.span.start && /(?:join|wait)(?:[A-Z_]\w*)?$/iu.test(call.callee),
      )) ||
    (SYSTEM.test(escape.callee ?? '') &&
      flow.calls.some((call) => call.span.start > escape.span.start && RUNS_OR_ENDS.test(call.callee)))
  );
}

/** Functions of systems, whose names are written in capitals, and of libraries with a loop of their own. */
const SYSTEM = /(?:^|::)(?:[A-Z]\w*|(?:g|SDL|dispatch|midi|wave|time|libusb|sqlite3)\w+|timeSetEvent)$/u;
/** What runs until it is done, or takes a registration back. */
const RUNS_OR_ENDS =
  /(?:Run(?:LoopRun\w*|InMode)?|GetMessage[AW]?|PeekMessage[AW]?|MsgWait\w*|WaitFor\w*|Dispatch\w*|[Jj]oin|_join|_wait|[Ww]ait\w*|main|main_loop_run|dispatch_sync\w*|Destroy\w*|Delete\w*|Remove\w*|Unregister\w*|Invalidate\w*|Stop\w*|Close\w*|_close|_remove|_disconnect|_deregister\w*|recv|park|block_on|sleep|run)$/u;

/** The handle that keeps the pointer is used up in the same function: `curl_easy_perform(h)`, `sqlite3_close(h)`. */
function isDoneWith(flow: FunctionFlow, escape: Escape): boolean {
  const keeper = flow.calls.find((call) => call.span.start === escape.span.start);
  const handle = keeper?.args[0]?.places[0]?.root.id;
  // A library without objects: whatever it does next may run what was registered, or end it.
  if (keeper && isAlone(keeper)) {
    const library = nameOf(keeper.callee).replace(/(?:set|register|add)_callback$/u, '');
    return flow.calls.some(
      ({ span, callee }) =>
        span.start > escape.span.start && (nameOf(callee).startsWith(library) || ENDS_ALONE.test(callee)),
    );
  }
  return (
    handle !== undefined &&
    flow.calls.some(
      (call) =>
        call.span.start > escape.span.start &&
        call.args[0]?.places[0]?.root.id === handle &&
        /_(?:perform|cleanup|close|free|destroy|run|wait)$/u.test(call.callee),
    )
  );
}

/** `bus_set_callback(on_event, data)`: the library has no objects. */
function isAlone({ rows }: CallSite): boolean {
  return rows.some(({ id }) => id.endsWith('-alone'));
}

function nameOf(callee: string): string {
  return callee.slice(callee.lastIndexOf(':') + 1);
}

/** The first argument is no function that is known: it may be a handle or a number, and the second one a name. */
function isAloneWithoutCode(file: FileIr, flow: FunctionFlow, escape: Escape): boolean {
  const keeper = flow.calls.find((call) => call.span.start === escape.span.start);
  if (!keeper || !isAlone(keeper)) return false;
  const given = keeper.expr.kind === 'call' ? keeper.expr.args[0]?.value : undefined;
  return (
    given === undefined || !isCode(file, given) || /^(?:CString|CStr|String|str)$/u.test(rootTypeOf(escape.pointer))
  );
}

function rootTypeOf({ target: { root } }: Pointer): string {
  return root.type?.kind === 'path' ? root.type.name : '';
}

/** `on_event`, `Some(on_event)`, `trampoline::<F>`, `on_event as *mut c_void`, a closure. */
function isCode(file: FileIr, expr: Expr): boolean {
  if (expr.kind === 'cast') return isCode(file, expr.value);
  if (expr.kind === 'call') {
    const inner = expr.callee.kind === 'name' && expr.callee.path.at(-1) === 'Some' ? expr.args[0]?.value : undefined;
    return inner !== undefined && isCode(file, inner);
  }
  if (expr.kind !== 'name') return expr.kind === 'closure';
  return (
    expr.typeArgs !== undefined || file.functions.some((fn) => fn.kind !== 'closure' && fn.name === expr.path.at(-1))
  );
}

/** What a function does that runs a library, or ends what was registered with it. */
const ENDS_ALONE =
  /_(?:run|wait|poll|process|loop|step|dispatch|perform|main|exec\w*|cleanup|close|free|destroy|stop|shutdown|(?:unregister|remove|clear|unset|reset)\w*)$/u;

/** Names of foreign functions that keep what they are given. */
const KEEPS_DATA =
  /(?:^|_)(?:set|register|add|install|attach|subscribe|on)(?:_|$)|(?:Set|Register|Add|Install|Attach)[A-Z]/u;

/** Functions that call back for each element, and are done when they return. */
const GOES_THROUGH =
  /(?:(?:^|_)(?:for_?each|each|enumerate|iterate|traverse|walk|visit)|(?:ForEach|Enumerate|Iterate|Traverse|Walk|Visit))$/u;

/** Functions of C that keep the text which they are given. */
const KEEPS_TEXT = /^(?:putenv|openlog)$/u;

/** Whether a parameter of a foreign function is the data of a callback, by its own name or that of the function. */
function takesData(unit: UnitFacts, file: FileIr, name: string, index: number | undefined): boolean {
  const declared = unit.oracle('d').freeFunction(name, file.path)?.fn;
  if (declared === undefined || declared.body !== undefined || declared.abi === undefined) return false;
  const param = declared.params[index ?? -1];
  if (param?.type?.kind !== 'pointer' || param.type.element?.name !== 'void' || param.modifiers.includes('scope'))
    return false;
  // `void function(void*), void*` without names: a callback and what it is called with.
  const before = declared.params[(index ?? 0) - 1];
  // `foreach_in_set` and `run_on` name a thing at their end.
  if (
    param.name === '' &&
    !/_(?:set|on)$/u.test(name) &&
    withoutAlias(before?.type, unit.oracle('d'), file.path)?.kind === 'function'
  )
    return true;
  return (
    /(?:data|user|ctx|context|arg|opaque|cookie|priv|closure|hint)/iu.test(param.name) ||
    /(?:user_?data|user_?pointer|callback|handler|hook|listener|context|cookie)/iu.test(name)
  );
}

/**
 * D: an object that only the function's own variable refers to is given to foreign code as data that it keeps. Nothing else
 * holds it and no root is added, so the next collection frees it.
 */
function findUnrooted(
  unit: UnitFacts,
  file: FileIr,
  fn: FunctionIr,
): readonly { name: string; callee: string; span: Span; declared: Span }[] {
  if (fn.body === undefined || fn.hasError === true || fn.kind === 'unittest') return [];
  const made = new Map<string, Span>();
  const arrays = new Set<string>();
  const waits = new Set<string>();
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind === 'call' && /^(?:epoll_ctl|kevent(?:64)?)$/u.test(calledName(expr) ?? ''))
      for (const { value } of expr.args) if (value.kind === 'address') waits.add(memberPath(value.base) ?? '');
  });
  const given: { name: string; callee: string; span: Span; declared: Span }[] = [];
  const kept = new Set<string>();
  const types = new Map<string, string>();
  walkBody(fn.body, ({ expr, around, statement }) => {
    // `putenv(toStringz(text))`: nobody but the C library has the address of the text.
    const text = expr.kind === 'call' && KEEPS_TEXT.test(calledName(expr) ?? '') ? expr.args[0]?.value : undefined;
    const plain = text && uncast(text);
    const maker = plain?.kind === 'field' ? plain.name : plain && calledName(plain);
    if (text !== undefined && maker === 'toStringz')
      given.push({ name: 'toStringz', callee: calledName(expr) ?? '', span: expr.span, declared: text.span });
    if (
      statement?.kind === 'let' &&
      statement.pattern.kind === 'bind' &&
      statement.isStatic !== true &&
      !statement.modifiers.includes('scope') &&
      statement.init === expr &&
      expr.kind === 'new'
    ) {
      made.set(statement.pattern.name, statement.pattern.span);
      if (expr.type.kind === 'slice') arrays.add(statement.pattern.name);
      else types.set(statement.pattern.name, expr.type.name);
    }
    if (expr.kind !== 'name' || expr.path.length !== 1) return;
    const [name = ''] = expr.path;
    const declared = made.get(name);
    if (declared === undefined) return;
    let value: Expr = expr;
    let at = around.length - 1;
    // The pointer of an array that was made here is all that keeps the array.
    const isAddress = around[at]?.kind === 'field' && arrays.has(name);
    for (let parent = around[at]; parent !== undefined; parent = around[--at]) {
      if (parent.kind !== 'cast' && !(isAddress && parent.kind === 'field' && parent.name === 'ptr')) break;
      value = parent;
    }
    const parent = around[at];
    const index = parent?.kind === 'call' ? parent.args.findIndex((one) => one.value === value) : -1;
    const callee = parent?.kind === 'call' && parent.callee.kind === 'name' ? parent.callee.path.at(-1) : undefined;
    if (parent !== undefined && callee !== undefined && KEEPS_DATA.test(callee) && takesData(unit, file, callee, index))
      given.push({ name, callee, span: parent.span, declared });
    // `event.data.ptr = cast(void*) watcher;`, and the kernel has the only reference.
    else if (parent?.kind === 'assign' && parent.value === value && value.kind === 'cast' && parent.operator === '=') {
      const [event = '', ...member] = (memberPath(parent.target) ?? '').split('.');
      if (waits.has(event) && /^(?:data\.ptr|udata)$/u.test(member.join('.')))
        given.push({ name, callee: member[0] === 'data' ? 'epoll_ctl' : 'kevent', span: parent.span, declared });
      else kept.add(name);
    }
    // `listener.attach(handle);`: the object gives itself away.
    else if (parent?.kind === 'method' && parent.receiver === value) {
      const callee = registersItself(unit, file, types.get(name), parent.method);
      // `pump(handle);` with what the object was given: the library runs while the object is on the stack.
      const handles = parent.args.flatMap(({ value }) => (value.kind === 'name' ? value.path : []));
      if (
        callee !== undefined &&
        !goesOn(unit, file, fn, parent.span, name) &&
        !isPumped(unit, file, fn, parent.span, handles)
      )
        given.push({ name, callee, span: parent.span, declared });
    }
    // Its members or elements are used; anything else may keep it.
    else if (!(parent?.kind === 'field' || (parent?.kind === 'index' && parent.base === value))) kept.add(name);
  });
  return given.filter(({ name }) => !kept.has(name));
}

/** What `registersItself` said, by class and method: many functions may make objects of one class. */
const registered = new WeakMap<FileIr, Map<string, string | undefined>>();

/** An object whose constructor gives it to a library, made where nothing goes on to refer to it. */
interface MadeAlone {
  readonly made: string;
  readonly callee: string;
  readonly maker: Span;
  /** Where the constructor gives it away. */
  readonly span: Span;
}

/** D: `new Listener(handle);` of a class whose constructor gives `this` to a foreign function that keeps it, and that nobody keeps. */
function findMadeAlone(unit: UnitFacts, read: FileIr, functions: readonly FunctionIr[]): readonly MadeAlone[] {
  const callees = new Map<string, { readonly callee: string; readonly span: Span }>();
  for (const { kind, owner, body } of functions) {
    if (kind !== 'constructor' || owner === undefined || body === undefined) continue;
    const callee = registersItself(unit, read, owner, 'this');
    if (callee !== undefined && !isShownByDelegate(unit, read, owner))
      walkBody(body, ({ expr }) => {
        if (expr.kind === 'call' && calledName(expr) === callee) callees.set(owner, { callee, span: expr.span });
      });
  }
  if (callees.size === 0) return [];
  return withCallersOf(unit, read, [], [...callees.keys()]).flatMap(({ fn, file }) => {
    const found: MadeAlone[] = [];
    if (
      fn.body === undefined ||
      fn.kind === 'unittest' ||
      /\baddRoot\b/u.test(textOf(unit.textOf(file.path) ?? '', fn))
    )
      return found;
    const seen = new Map<string, number>();
    walkBody(fn.body, ({ expr }) => {
      if (expr.kind === 'name' && expr.path[0] !== undefined) seen.set(expr.path[0], (seen.get(expr.path[0]) ?? 0) + 1);
    });
    walkBody(fn.body, ({ expr, statement }) => {
      const registered = expr.kind === 'new' ? callees.get(expr.type.name) : undefined;
      if (expr.kind !== 'new' || registered === undefined) return;
      const local =
        statement?.kind === 'let' &&
        statement.init === expr &&
        statement.pattern.kind === 'bind' &&
        statement.isStatic !== true
          ? statement.pattern.name
          : undefined;
      // Any later use may keep it, and what is only used is on the stack until then.
      const isAlone =
        local === undefined ? statement?.kind === 'expression' && statement.expr === expr : !seen.has(local);
      const isScoped = statement?.kind === 'let' && statement.modifiers.includes('scope');
      const handles = expr.args.flatMap(({ value }) => (value.kind === 'name' ? value.path : []));
      if (!isAlone || isScoped || goesOn(unit, file, fn, expr.span, local ?? '')) return;
      if (isPumped(unit, file, fn, expr.span, handles)) return;
      found.push({
        made: local ?? `new ${expr.type.name}`,
        callee: registered.callee,
        maker: expr.span,
        span: registered.span,
      });
    });
    return found;
  });
}

/** D: whether a class takes the address of a method of its own, or makes a closure: a thread or a list that has it keeps the object. */
function isShownByDelegate(unit: UnitFacts, file: FileIr, name: string): boolean {
  return file.types.some((type) => {
    if (type.name !== name || type.kind !== 'class') return false;
    const text = (unit.textOf(file.path) ?? '').slice(type.span.start, type.span.end);
    const methods = new Set(methodsOf(file, type).flatMap((fn) => (fn.isStatic ? [] : [fn.name])));
    return (
      /=>|\bdelegate\b|[(,=]\s*(?:\([^()]*\)\s*)?\{/u.test(text) ||
      [...text.matchAll(/&\s*(?:(?:this|super)\s*\.\s*)?(\w+)/gu)].some(([, word = '']) => methods.has(word))
    );
  });
}

/** D: the foreign function that a method of a class gives the address of its own object, which the class puts nowhere else. */
function registersItself(unit: UnitFacts, file: FileIr, name: string | undefined, method: string): string | undefined {
  const known = registered.get(file) ?? new Map<string, string | undefined>();
  registered.set(file, known);
  const key = `${name ?? ''}.${method}`;
  if (!known.has(key)) known.set(key, findRegistering(unit, file, name, method));
  return known.get(key);
}

function findRegistering(unit: UnitFacts, file: FileIr, name: string | undefined, method: string): string | undefined {
  const type = file.types.find((one) => one.name === name && one.kind === 'class');
  if (type === undefined || type.bases.length > 0) return undefined;
  const text = (unit.textOf(file.path) ?? '').slice(type.span.start, type.span.end);
  // `this` as a value, once.
  if ([...text.matchAll(/(?<![~\w.])this\b(?!\s*[.(])/gu)].length !== 1) return undefined;
  let callee: string | undefined;
  const methods = methodsOf(file, type);
  // The object takes itself out of the library when it is collected. No token of the rule need stand in its destructor.
  if (methods.some((one) => one.name === '~this')) {
    const whole = unit.withBodies(file, (one) => one.name === '~this');
    if (methodsOf(whole, type).some((one) => one.name === '~this' && callsForeign(unit, whole, one))) return undefined;
  }
  for (const fn of methods) {
    if (fn.name !== method || fn.body === undefined) continue;
    walkBody(fn.body, ({ expr }) => {
      const called = expr.kind === 'call' && expr.callee.kind === 'name' ? (expr.callee.path.at(-1) ?? '') : '';
      if (expr.kind !== 'call' || !KEEPS_DATA.test(called) || GOES_THROUGH.test(called)) return;
      const index = expr.args.findIndex(({ value }) => {
        const plain = uncast(value);
        return plain.kind === 'name' && plain.path.length === 1 && plain.path[0] === 'self';
      });
      if (index >= 0 && takesData(unit, file, called, index)) callee = called;
    });
  }
  return callee;
}

function callsForeign(unit: UnitFacts, file: FileIr, fn: FunctionIr): boolean {
  let calls = false;
  if (fn.body !== undefined)
    walkBody(fn.body, ({ expr }) => {
      if (calls || expr.kind !== 'call' || expr.callee.kind !== 'name') return;
      const declared = unit.oracle('d').freeFunction(expr.callee.path.at(-1) ?? '', file.path)?.fn;
      calls = declared !== undefined && declared.abi !== undefined && declared.body === undefined;
    });
  return calls;
}

/** What runs a library, waits for it or takes a registration back. */
const GOES_ON =
  /\b\w*(?:run|wait|loop|main|exec|join|poll|dispatch|perform|sleep|remove|detach|unregister|clear|destroy|free|close|stop|reset)\w*\s*(?:\(|;)/giu;

/** A call whose name begins or ends with what lets a library work, with the beginning of its arguments. */
const PUMPS =
  /\b(?:(?:pump|drain|work|iterate)(?:[A-Z_]\w*)?|\w*(?:_(?:pump|drain|work|iterate)|(?<=[a-z])(?:Pump|Drain|Work|Iterate)))\s*\(([^;{}]*)/gu;

/** D: the function lets the library work before it ends: a call with the handle, or one that takes nothing. */
function isPumped(unit: UnitFacts, file: FileIr, fn: FunctionIr, { end }: Span, handles: readonly string[]): boolean {
  const rest = (unit.textOf(file.path) ?? '').slice(end, fn.span.end);
  return [...rest.matchAll(PUMPS)].some(
    ([, args = '']) => /^\s*\)/u.test(args) || (args.match(/\w+/gu) ?? []).some((word) => handles.includes(word)),
  );
}

/** Where words stand last in a function, and the last thing that runs a library: read once for all that the function makes. */
interface LastPlaces {
  readonly words: ReadonlyMap<string, number>;
  readonly goingOn: number;
}

const lastPlaces = new WeakMap<FunctionIr, LastPlaces>();

function lastPlacesIn(unit: UnitFacts, file: FileIr, fn: FunctionIr): LastPlaces {
  const known = lastPlaces.get(fn);
  if (known !== undefined) return known;
  const text = (unit.textOf(file.path) ?? '').slice(fn.span.start, fn.span.end);
  const words = new Map<string, number>();
  for (const { 0: word, index } of text.matchAll(/\w+/gu)) words.set(word, fn.span.start + index);
  let goingOn = -1;
  for (const { index } of text.matchAll(GOES_ON)) goingOn = fn.span.start + index;
  const last = { words, goingOn };
  lastPlaces.set(fn, last);
  return last;
}

/**
 * D: the function waits, runs the library, takes the registration back or uses the variable again before it ends; what it has on its
 * stack is not collected.
 */
function goesOn(unit: UnitFacts, file: FileIr, fn: FunctionIr, { end }: Span, name: string): boolean {
  const { words, goingOn } = lastPlacesIn(unit, file, fn);
  return fn.name === 'main' || (words.get(name) ?? -1) >= end || goingOn >= end;
}

/**
 * D: the data of a callback, handed to a foreign function that is called `set_..`, `register_..` or alike, as the parameter that
 * says so. While the function goes on to use the same handle, the data may be meant for that.
 */
function isDataOfCallback(unit: UnitFacts, file: FileIr, flow: FunctionFlow, escape: Escape): boolean {
  const name = escape.callee?.split(/::|\./u).at(-1) ?? '';
  // What goes through a collection calls back at once: `set_foreach(set, data, callback)`.
  if (!KEEPS_DATA.test(name) || GOES_THROUGH.test(name)) return false;
  if (!takesData(unit, file, name, escape.index)) return false;
  const handle = flow.calls.find((call) => call.span.start === escape.span.start)?.args[0]?.places[0]?.root.id;
  return !flow.calls.some(
    (call) =>
      call.span.start > escape.span.start &&
      (ENDS.test(call.callee) || (handle !== undefined && call.args.some((a) => a.places[0]?.root.id === handle))),
  );
}
