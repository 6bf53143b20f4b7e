import { plainText } from '../facts/plain-text.js';
import { aggregateOf, calledName, uncast, withCallersOf } from '../facts/d-code.js';
import { findClonedOwners } from '../facts/cloned-owners.js';
import { findDoubleFrees, findDoubleReleases } from '../facts/double-release.js';
import { findFailedConstructions, findReleasedMembers } from '../facts/released-by-hand.js';
import { findScopeReleases } from '../facts/scope-releases.js';
import { findClonedHandles, findEndedHandles } from '../facts/ended-handles.js';
import {
  arePathsExcluded,
  closureAround,
  isInOneRound,
  isNextRoundsElement,
  rustPaths,
} from '../facts/excluded-paths.js';
import { findExternalMemory } from '../facts/external-memory.js';
import { RAW_CODE } from '../facts/raw-words.js';
import { findInnerRelease } from '../facts/inner-releases.js';
import { findKeptTooLate } from '../facts/kept-too-late.js';
import { isKeyOnly } from '../facts/key-only.js';
import { isPutBy } from '../facts/put-by.js';
import { findLentCounts } from '../facts/lent-counts.js';
import { laterUses } from '../facts/later-uses.js';
import { findSharedDescriptors } from '../facts/shared-descriptors.js';
import { findSharedFilenos, SHOWS_FILENO } from '../facts/shared-filenos.js';
import { findLentObjects } from '../facts/lent-objects.js';
import { findLeftBehind, findThreadEnds } from '../facts/module-destructors.js';
import { findTakenFromSelf } from '../facts/taken-from-self.js';
import { findCopiedOut } from '../facts/copied-out.js';
import { findStolen } from '../facts/stolen-values.js';
import { findFreedTexts } from '../facts/freed-texts.js';
import { findFreedViews } from '../facts/freed-views.js';
import { findFreeingSetter } from '../facts/freeing-setters.js';
import { findRepeatedTakers } from '../facts/repeated-takers.js';
import { lineOf } from '../facts/lines.js';
import type { BesideWord, UnitFacts } from '../facts/unit.js';
import { walkBody } from '../model/walk-body.js';
import { typeOfPlace } from '../flow/place-type.js';
import { describePlace, placeKey } from '../flow/place.js';
import type { CallSite, FunctionFlow, OwnedTwice, StaleUse, Value } from '../flow/result.js';
import { peel } from '../flow/types.js';
import type { FileIr, FunctionIr } from '../model/ir.js';
import { NONE } from '../model/lists.js';
import { isInside, type Span } from '../model/source.js';
import { defineRule } from './rule.js';

const RELEASES = [
  'free',
  'dealloc',
  'realloc',
  'ptr::read',
  'transmute_copy',
  'ptr().read()',
  'ManuallyDrop::take',
  'ManuallyDrop::drop',
  'assume_init_read',
  'assume_init_drop',
  'drop_',
  'from_raw',
  '_destroy',
  '_release',
  '_delete',
  '_close',
  'dlclose',
  'FreeLibrary',
  '_unref',
  'decrement_strong_count',
  'drop(',
  '_finalize',
  '_deferred',
];

/** A method that gives something to a function of a library whose name says that it ends it. */
const ENDS_OF_SELF: BesideWord = {
  word: 'unsafe',
  // From the first `unsafe` on, so that a text with many of them is read once.
  pattern: /^(?=[^]*\bself\b)(?:(?!\bunsafe\b)[^])*\bunsafe\b[^]*?(?:[cC]lose|Free|Destroy|Release)\w*\s*\(/u,
};

/** What takes over an object of a library that counts, beside a function that may only lend one. */
const LENT_OBJECT = /\b(?:from_owned_ptr|assume_owned|steal_ptr|steal|wrap_under_create_rule)|_get0_\w+\s*\(/u;

const TOKENS = {
  rust: [
    'from_owned_ptr',
    'assume_owned',
    'steal',
    'wrap_under_create_rule',
    '_get0_',
    ...RELEASES,
    'close(',
    'Close(',
    'Free',
    'Destroy',
    'Release(',
  ],
  d: [
    'free',
    'destroy',
    'dispose',
    'deallocate',
    'realloc',
    'munmap',
    'fclose',
    'closedir',
    'pclose',
    'gzclose',
    'sqlite3_finalize',
    '_destroy',
    '_release',
    'delete',
    // What ends a library for the whole process.
    'WSACleanup',
    'global_cleanup',
    // Two owners of one descriptor.
    'fileno',
  ],
};

/** D: `auto old = data; data = spare; spare = old;`, `swap(data, spare);`: members lead to other blocks by then. */
const SWAPS =
  /\b(\w+)\s*=\s*(?:this\.)?(\w+)\s*;\s*(?:this\.)?\2\s*=\s*(?:this\.)?(\w+)\s*;\s*(?:this\.)?\3\s*=\s*\1\s*;|\bswap\s*\(/u;

export default defineRule({
  meta: {
    id: 'use-after-release',
    title: 'Use after release',
    summary: 'A pointer or handle is used, or released again, after it was released.',
    languages: ['rust', 'd'],
    severity: 'error',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-415'],
    messages: {
      renewed:
        "'{what}' gets another block by '{release}' (line {released}): the pointer that was made of it at line {made} still means the old one, which is freed, and is used afterwards (line {use}).",
      used: "'{what}' is released by '{release}' (line {released}) and used afterwards (line {use}).",
      callback:
        "'{what}' comes from the data of a JavaScript callback and is taken over by '{taker}' (line {line}): JavaScript may call the function again, and the second call frees it twice.",
      finalizer:
        "'{what}' is given to '{keeper}' (line {kept}), which releases it in a finalizer, and is released here by '{taker}' (line {line}) too.",
      unfinalized:
        "'{what}' is given to '{keeper}' (line {kept}), which keeps it, and is released here by '{taker}' (line {line}): what keeps it then leads to memory that is gone.",
      shared:
        "'{taker}' at line {line} takes over memory that '{owner}' still owns: '{owner}' frees it again at its end (line {end}).",
      lent: "'{taker}' at line {line} takes over memory that '{owner}' only borrows (line {borrow}): whoever owns it frees it again.",
      copied:
        "'{taker}' at line {line} makes a second owner of '{what}', and '{release}' drops it in its place, too (line {released}).",
      borrowed:
        "'{function}' takes over '{what}' by '{taker}' (line {line}) and only borrows 'self', so that the field keeps its value: the next call takes over, and frees, the same memory again.",
      stolen:
        "'{function}' gives away a copy of '{what}' by '{taker}' (line {line}) and leaves the value where it is: its owner drops it, and so does each caller.",
      repeated:
        "'{function}' takes over '{what}' by '{taker}' (line {line}), but '{registration}' registers it (line {registered}) to be called again and again: the second call frees it twice.",
      cloned:
        "'{owner}' {derives} (line {derived}), and its '{method}' releases '{what}' by '{release}' (line {released}): a clone releases the same memory again.",
      setter:
        "'{function}' takes '{what}' over by '{taker}' (line {line}) and frees it when it returns, though its caller goes on with it until '{freer}' ({file}:{freed}).",
      both: "'{owner}.{what}' is released by '{release}' in '{method}' (line {released}) and keeps its value, and '{destructor}' releases it again by '{second}' (line {use}).",
      kept: "'{what}' is released by '{release}' (line {released}) and keeps its value for the next call of '{function}', which uses it again (line {use}).",
      handle:
        "'{what}' is given to '{release}' (line {released}), which {effect}, and to '{second}' afterwards (line {use}).",
      getter:
        "'{getter}' (line {got}) only lends its object, and '{taker}' at line {line} makes an owner of it, which releases a reference that it does not have.",
      descriptor:
        "'{taker}' at line {line} makes a second owner of the descriptor of '{owner}' (shown at line {shown}): each of the two closes it, and by then its number may be somebody else's.",
      inner:
        "'drop' of '{owner}' releases '{what}' by '{release}' (line {released}), and 'drop' of '{type}', which holds it, releases it again (line {use}).",
      view: "'{function}' only borrows '{what}' and puts it into a '{type}' (line {line}), whose 'drop' frees it by '{release}' (line {released}): it still belongs to the caller.",
      unforgotten:
        "'{taker}' at line {line} makes a second owner of the descriptor of '{owner}' (shown at line {shown}), and the way out at line {left} comes before it is forgotten: both close it there.",
      early:
        "'{taker}' at line {line} takes over '{pointer}', which '{keeper}' gives back at line {kept}, and the way out at line {left} comes before: it frees what whoever gave the pointer still has.",
      external:
        "The finalizer that '{callee}' is given frees the memory of '{owner}' (taken at line {taken}) by '{taker}' (line {line}), though '{owner}' still owns it and frees it itself.",
      itself:
        "The destructor of class '{type}' releases the object itself by '{release}' (line {line}): the runtime still reads and writes it when the destructor has returned.",
      emptied:
        "'{release}' takes the value out of '{what}', or drops it (line {released}), and '{second}' has it once more (line {use}): what it owns is freed twice.",
      threads:
        "'{release}' ends '{what}' in 'static ~this()' (line {line}), which runs whenever a thread ends, and '{what}' belongs to all of them (line {declared}): make it 'shared static ~this()'.",
      left: "'{what}' is released by '{release}' (line {released}) and still leads there when the destructor of the module uses it (line {use}).",
      again: "'{what}' is released by '{release}' (line {released}) and released again by '{second}' (line {use}).",
    },
    checklist: 'Is every release the last thing that happens to the pointer, on every path?',
    scenarios: ['sequential', 'thenable-twice', 'command'],
  },
  tokens: TOKENS,
  // Without `unsafe` nothing of this compiles.
  requires: { rust: ['unsafe'] },
  // What a helper releases comes from one of these.
  bodyTokens: {
    rust: [
      ...RELEASES,
      ENDS_OF_SELF,
      LENT_OBJECT,
      'into_raw',
      'alloc(',
      /\bcopy_nonoverlapping\s*\([^;]*,\s*1\s*,?\s*\)/u,
    ],
    d: [...TOKENS.d, SWAPS, SHOWS_FILENO],
  },
  bodyRequires: { rust: RAW_CODE },
  looksAt: 'bodies',
  perFile: ['rust', 'd'],
  check({ unit, functionsIn, report }) {
    const reportOwnedTwice = ({ adoption, owner, end, isLent, how }: OwnedTwice, file: FileIr): void => {
      const line = lineOf(unit, file, adoption.span.start);
      const name = owner.kind === 'temp' ? 'a temporary' : owner.name;
      const what = describePlace(adoption.pointer.target);
      const place = {
        at: { file, span: adoption.span },
        steps: [
          {
            file,
            span: owner.span,
            role: 'declare' as const,
            note: isLent ? `'${name}' is only borrowed.` : `'${name}' owns the memory.`,
          },
          {
            file,
            span: adoption.pointer.site,
            role: 'borrow' as const,
            note: `'${adoption.pointer.how}' points into it here.`,
          },
          {
            file,
            span: adoption.span,
            role: 'release' as const,
            note:
              adoption.isCopy === true
                ? `'${adoption.how}' makes a second owner.`
                : `'${adoption.how}' takes it over and frees it.`,
          },
          ...(isLent
            ? []
            : [
                {
                  file,
                  span: end,
                  role: 'release' as const,
                  note: how === undefined ? `'${name}' frees it again here.` : `'${how}' drops it here, too.`,
                },
              ]),
        ],
        key: owner.name,
      };
      if (isLent)
        report({
          ...place,
          messageId: 'lent',
          data: { taker: adoption.how, line, owner: name, borrow: lineOf(unit, file, adoption.pointer.site.start) },
        });
      else if (how !== undefined)
        report({
          ...place,
          messageId: 'copied',
          data: { taker: adoption.how, line, what, release: how, released: lineOf(unit, file, end.start) },
        });
      else
        report({
          ...place,
          messageId: 'shared',
          data: { taker: adoption.how, line, owner: name, end: lineOf(unit, file, end.start) },
        });
    };
    for (const language of ['rust', 'd'] as const) {
      for (const read of unit.filesOf(language)) {
        const text = unit.textOf(read.path) ?? '';
        const helpers =
          language === 'd'
            ? releasingHelpers(read, text)
            : [...renewingMethods(read, text), ...releasingFunctions(read, text), ...methodsOfDrops(read, text)];
        for (const { what, release, span, declared, at } of language === 'd' ? findThreadEnds(unit, read) : [])
          report({
            messageId: 'threads',
            data: {
              what,
              release,
              line: lineOf(unit, read, span.start),
              declared: lineOf(unit, read, declared.start),
            },
            at: { file: read, span: at },
            steps: [
              { file: read, span: declared, role: 'declare', note: `'${what}' is there for all threads.` },
              { file: read, span, role: 'release', note: 'The end of any thread comes here.' },
            ],
            key: `${what}|${release}`,
            severity: 'warning',
            confidence: 'medium',
          });
        for (const { what, release, span, use } of language === 'd' ? findLeftBehind(unit, read) : [])
          report({
            messageId: 'left',
            data: {
              what,
              release,
              released: lineOf(unit, read, span.start),
              use: lineOf(unit, read, use.start),
            },
            at: { file: read, span: use },
            steps: [
              { file: read, span, role: 'release', note: `'${release}' releases it and leaves the variable as it is.` },
              { file: read, span: use, role: 'use', note: 'It is used when the program ends.' },
            ],
            key: `${what}|${release}`,
            severity: 'warning',
            confidence: 'medium',
          });
        for (const { fn, file } of withCallersOf(unit, read, functionsIn(read), helpers)) {
          for (const { span, how } of language === 'd' ? releasesOfThis(file, fn) : [])
            report({
              messageId: 'itself',
              data: { type: fn.owner ?? '', release: how, line: lineOf(unit, file, span.start) },
              at: { file, span },
              steps: [{ file, span, role: 'release', note: `'${how}' releases the object here.` }],
              key: fn.owner ?? '',
            });
          for (const kept of language === 'd' ? findKeptStatics(fn) : [])
            report({
              messageId: 'kept',
              data: {
                what: kept.name,
                release: kept.how,
                released: lineOf(unit, file, kept.release.start),
                function: fn.name,
                use: lineOf(unit, file, kept.use.start),
              },
              at: { file, span: kept.release },
              steps: [
                {
                  file,
                  span: kept.release,
                  role: 'release',
                  note: `'${kept.how}' releases it here, and nothing sets it to null.`,
                },
                { file, span: kept.use, role: 'use', note: 'The next call uses it here.' },
              ],
              key: kept.name,
            });
          for (const { what, how, span, second } of language === 'd' ? findScopeReleases(unit, file, fn) : [])
            report({
              messageId: 'again',
              data: {
                what,
                release: how,
                released: lineOf(unit, file, span.start),
                second: how,
                use: lineOf(unit, file, second.start),
              },
              at: { file, span: second },
              steps: [
                { file, span, role: 'release', note: `'${how}' releases it here on every way out.` },
                { file, span: second, role: 'use', note: `'${how}' releases it once more here.` },
              ],
              key: `${fn.name}|${what}`,
            });
          for (const member of language === 'd' ? findReleasedMembers(unit, file, fn) : [])
            report({
              messageId: 'again',
              data: {
                what: member.what,
                release: member.how,
                released: lineOf(unit, file, member.span.start),
                second: member.end,
                use: lineOf(unit, file, member.endSpan.start),
              },
              at: { file, span: member.endSpan },
              steps: [
                { file, span: member.span, role: 'release', note: `'${member.how}' releases it here.` },
                {
                  file,
                  span: member.endSpan,
                  role: 'use',
                  note: `'${member.end}' runs the destructor, which releases it again.`,
                },
                {
                  file: member.destructor.file,
                  span: member.destructor.span,
                  role: 'release',
                  note: `The destructor releases it by '${member.how}' here.`,
                },
              ],
              key: `${fn.name}|${member.what}`,
            });
          const destructor = language === 'rust' ? 'drop' : '~this';
          for (const twice of language === 'rust'
            ? findDoubleReleases(unit, file, fn)
            : [...findDoubleFrees(unit, file, fn), ...findFailedConstructions(unit, file, fn)])
            report({
              messageId: 'both',
              data: {
                owner: fn.owner ?? '',
                what: twice.field,
                release: twice.how,
                method: fn.name,
                released: lineOf(unit, file, twice.span.start),
                second: twice.drop.how,
                destructor,
                use: lineOf(unit, twice.drop.file, twice.drop.span.start),
              },
              at: { file, span: twice.span },
              steps: [
                {
                  file,
                  span: twice.span,
                  role: 'release',
                  note: `'${twice.how}' releases it here, and nothing sets the field to null.`,
                },
                {
                  file: twice.drop.file,
                  span: twice.drop.span,
                  role: 'use',
                  note: `'${destructor}' releases it again here.`,
                },
              ],
              key: `${fn.owner ?? ''}.${twice.field}`,
            });
          const flow = unit.flowOf(file, fn);
          for (const repeated of language === 'rust' ? findRepeatedTakers(unit, file.path, fn, flow) : [])
            report({
              messageId: 'repeated',
              data: {
                function: fn.name,
                what: repeated.adoption.pointer.target.root.name,
                taker: repeated.adoption.how,
                line: lineOf(unit, file, repeated.adoption.span.start),
                registration: repeated.callee,
                registered: lineOf(unit, repeated.file, repeated.span.start),
              },
              at: { file, span: repeated.adoption.span },
              steps: [
                {
                  file: repeated.file,
                  span: repeated.span,
                  role: 'escape',
                  note: `'${repeated.callee}' keeps the function.`,
                },
                {
                  file,
                  span: repeated.adoption.span,
                  role: 'release',
                  note: `Each call takes it over and frees it.`,
                },
              ],
              key: fn.name,
            });
          const setter = language === 'rust' ? findFreeingSetter(unit, fn, flow) : undefined;
          if (setter) {
            const { adoption, parameter, freer } = setter;
            report({
              messageId: 'setter',
              data: {
                function: fn.name,
                what: parameter,
                taker: adoption.how,
                line: lineOf(unit, file, adoption.span.start),
                freer: freer.name,
                file: freer.file.path,
                freed: lineOf(unit, freer.file, freer.span.start),
              },
              at: { file, span: adoption.span },
              steps: [
                { file, span: adoption.span, role: 'release', note: 'It is dropped when the function ends.' },
                { file: freer.file, span: freer.span, role: 'use', note: `'${freer.name}' frees it again.` },
              ],
              key: fn.name,
              confidence: 'medium',
            });
          }
          for (const cloned of language === 'rust' ? findClonedOwners(unit, file, text, fn) : [])
            report({
              messageId: 'cloned',
              data: {
                owner: fn.owner ?? '',
                derives:
                  cloned.method === undefined ? "derives 'Clone'" : `copies the pointer in its '${cloned.method}'`,
                derived: lineOf(unit, file, cloned.maker.start),
                method: fn.name,
                what: cloned.field,
                release: cloned.how,
                released: lineOf(unit, file, cloned.span.start),
              },
              at: { file, span: cloned.maker },
              steps: [
                { file, span: cloned.maker, role: 'declare', note: `A clone copies the pointer '${cloned.field}'.` },
                { file, span: cloned.span, role: 'release', note: `'${cloned.how}' releases it, for every clone.` },
              ],
              key: `${fn.owner ?? ''}.${cloned.field}`,
              // Whoever calls the method of his own accord may know of the copies.
              ...(fn.trait === 'Drop' && (cloned.method ?? 'clone') === 'clone'
                ? {}
                : { severity: 'warning' as const, confidence: 'medium' as const }),
            });
          for (const shown of language === 'rust' ? findExternalMemory(file, fn) : []) {
            if (!shown.freed) continue;
            report({
              messageId: 'external',
              data: {
                callee: shown.callee,
                owner: shown.owner,
                taken: lineOf(unit, file, shown.taken.start),
                taker: shown.freed.how,
                line: lineOf(unit, file, shown.freed.span.start),
              },
              at: { file, span: shown.freed.span },
              steps: [
                { file, span: shown.taken, role: 'borrow', note: `The pointer into '${shown.owner}' is taken here.` },
                { file, span: shown.span, role: 'escape', note: 'JavaScript is given the buffer here.' },
                { file, span: shown.freed.span, role: 'release', note: 'The finalizer frees it here.' },
              ],
              key: `${shown.callee}|${shown.owner}`,
            });
          }
          for (const { getter, taker, got, span } of language === 'rust' && LENT_OBJECT.test(text)
            ? findLentObjects(fn, text.slice(fn.span.start, fn.span.end))
            : [])
            report({
              messageId: 'getter',
              data: { getter, taker, got: lineOf(unit, file, got.start), line: lineOf(unit, file, span.start) },
              at: { file, span },
              steps: [
                { file, span: got, role: 'borrow', note: `'${getter}' raises no count.` },
                { file, span, role: 'release', note: `What '${taker}' makes lowers one at its end.` },
              ],
              key: `${getter}|${taker}`,
            });
          const descriptors =
            language === 'd'
              ? findSharedFilenos(unit, file, fn)
              : text.includes('as_raw_')
                ? findSharedDescriptors(unit, file, fn)
                : [];
          for (const { taker, owner, shown, span, left } of descriptors) {
            const data = {
              taker,
              owner,
              shown: lineOf(unit, file, shown.start),
              line: lineOf(unit, file, span.start),
            };
            const place = {
              at: { file, span },
              steps: [
                {
                  file,
                  span: shown,
                  role: 'borrow' as const,
                  note: `'${owner}' only shows its descriptor, and closes it.`,
                },
                { file, span, role: 'release' as const, note: `'${taker}' takes it for its own, and closes it, too.` },
                ...(left ? [{ file, span: left, role: 'use' as const, note: 'This way out does not forget it.' }] : []),
              ],
              key: `${taker}|${owner}`,
            };
            if (left)
              report({ ...place, messageId: 'unforgotten', data: { ...data, left: lineOf(unit, file, left.start) } });
            else report({ ...place, messageId: 'descriptor', data });
          }
          for (const early of language === 'rust' ? findKeptTooLate(unit, file, fn) : [])
            report({
              messageId: 'early',
              data: {
                taker: early.taker,
                line: lineOf(unit, file, early.span.start),
                pointer: early.pointer,
                keeper: early.keeper,
                kept: lineOf(unit, file, early.kept.start),
                left: lineOf(unit, file, early.left.start),
              },
              at: { file, span: early.span },
              steps: [
                { file, span: early.span, role: 'release', note: 'It is freed where this value is dropped.' },
                { file, span: early.left, role: 'use', note: 'This way out drops it.' },
                { file, span: early.kept, role: 'escape', note: 'Only from here on it is kept.' },
              ],
              key: `${fn.name}|${early.taker}`,
              confidence: 'medium',
            });
          const twice = language === 'rust' ? findInnerRelease(unit, file, fn) : undefined;
          if (twice)
            report({
              messageId: 'inner',
              data: {
                owner: fn.owner ?? '',
                what: twice.what,
                release: twice.how,
                released: lineOf(unit, file, twice.span.start),
                type: twice.inner.type,
                use: lineOf(unit, twice.inner.file, twice.inner.span.start),
              },
              at: { file, span: twice.span },
              steps: [
                { file, span: twice.span, role: 'release', note: `'${twice.how}' releases it here.` },
                {
                  file: twice.inner.file,
                  span: twice.inner.span,
                  role: 'release',
                  note: `'drop' of '${twice.inner.type}' runs as well, and releases it again.`,
                },
              ],
              key: twice.what,
            });
          for (const view of language === 'rust' ? findFreedViews(unit, file, fn) : [])
            report({
              messageId: 'view',
              data: {
                function: view.fn.name,
                what: view.param,
                type: view.type,
                line: lineOf(unit, file, view.made.start),
                release: view.release,
                released: lineOf(unit, file, view.released.start),
              },
              at: { file, span: view.made },
              steps: [
                { file, span: view.made, role: 'borrow', note: `'${view.param}' is lent by the caller.` },
                { file, span: view.released, role: 'release', note: `'${view.release}' frees it when the value ends.` },
              ],
              key: `${view.type}|${view.fn.name}`,
              confidence: 'medium',
            });
          for (const ended of language === 'rust' ? findEndedHandles(fn) : [])
            report({
              messageId: 'handle',
              data: {
                what: ended.what,
                release: ended.how,
                effect: ended.isHandedOver ? 'leaves it to the JavaScript thread' : 'ends it',
                released: lineOf(unit, file, ended.ended.start),
                second: ended.second,
                use: lineOf(unit, file, ended.use.start),
              },
              at: { file, span: ended.use },
              steps: [
                { file, span: ended.ended, role: 'release', note: `'${ended.how}' is given it here.` },
                {
                  file,
                  span: ended.use,
                  role: 'use',
                  note: ended.isEndedTwice ? `'${ended.second}' ends it here, too.` : `'${ended.second}' uses it here.`,
                },
              ],
              key: ended.what,
            });
          for (const cloned of language === 'rust' ? findClonedHandles(file, fn) : [])
            report({
              messageId: 'cloned',
              data: {
                owner: cloned.owner,
                derives: "derives 'Clone'",
                derived: lineOf(unit, file, cloned.maker.start),
                method: fn.name,
                what: cloned.field,
                release: cloned.how,
                released: lineOf(unit, file, cloned.span.start),
              },
              at: { file, span: cloned.maker },
              steps: [
                { file, span: cloned.maker, role: 'declare', note: `A clone copies the handle '${cloned.field}'.` },
                { file, span: cloned.span, role: 'release', note: `'${cloned.how}' ends it, for every clone.` },
              ],
              key: `${cloned.owner}.${cloned.field}`,
            });
          for (const twice of language === 'rust'
            ? [...flow.ownedTwice, ...findLentCounts(text, fn, flow)]
            : flow.ownedTwice)
            if (language === 'd' || !isTakenAway(text, fn, twice)) reportOwnedTwice(twice, file);
          for (const { adoption, field } of language === 'rust' ? findTakenFromSelf(unit, file, fn, flow) : [])
            report({
              messageId: 'borrowed',
              data: {
                function: fn.name,
                what: `self.${field}`,
                taker: adoption.how,
                line: lineOf(unit, file, adoption.span.start),
              },
              at: { file, span: adoption.span },
              steps: [
                {
                  file,
                  span: fn.nameSpan,
                  role: 'declare',
                  note: "The method can be called again with the same 'self'.",
                },
                { file, span: adoption.span, role: 'release', note: `Each call makes an owner of '${field}'.` },
              ],
              key: `${fn.owner ?? ''}.${field}`,
            });
          for (const { span, how, owner, end } of language === 'rust' ? findCopiedOut(unit, file, fn) : [])
            report({
              messageId: 'shared',
              data: { taker: how, line: lineOf(unit, file, span.start), owner, end: lineOf(unit, file, end.start) },
              at: { file, span },
              steps: [
                { file, span, role: 'release', note: `'${how}' makes a second owner.` },
                { file, span: end, role: 'release', note: `'${owner}' is dropped at the end of the function.` },
              ],
              key: `${fn.qualifiedName}|${owner}`,
            });
          const stolen = language === 'rust' ? findStolen(unit, file, fn) : undefined;
          if (stolen)
            report({
              messageId: 'stolen',
              data: {
                function: fn.name,
                what: stolen.what,
                taker: stolen.how,
                line: lineOf(unit, file, stolen.span.start),
              },
              at: { file, span: stolen.span },
              steps: [
                { file, span: fn.nameSpan, role: 'declare', note: 'The function only borrows the value.' },
                { file, span: stolen.span, role: 'release', note: 'A second owner is made here.' },
              ],
              key: fn.qualifiedName,
            });
          for (const adoption of flow.adoptions) {
            const { root } = adoption.pointer.target;
            if (isOnlyLent(text, adoption.span)) continue;
            const info = flow.calls.find(
              (c) =>
                /(^|::)napi_get_cb_info$/u.test(c.callee) &&
                c.args[5]?.pointers.some((p) => p.target.root.id === root.id),
            );
            const line = lineOf(unit, file, adoption.span.start);
            const taken = {
              file,
              span: adoption.span,
              role: 'release' as const,
              note: `'${adoption.how}' takes it over and frees it.`,
            };
            if (info) {
              report({
                messageId: 'callback',
                data: { what: root.name, taker: adoption.how, line },
                at: { file, span: adoption.span },
                steps: [
                  { file, span: info.span, role: 'acquire', note: `The callback's data comes from here.` },
                  taken,
                ],
                key: root.name,
              });
              continue;
            }
            const kept = flow.escapes.find(
              (e) =>
                e.pointer.id === adoption.pointer.id &&
                e.kind === 'store' &&
                e.callee !== undefined &&
                e.into === undefined &&
                e.span.start < adoption.span.start,
            );
            // Functions of systems keep the data of a callback and finalize nothing.
            const isOnlyKept = flow.calls.some(
              (c) =>
                c.span === kept?.span &&
                c.rows.some(({ effects }) => effects.some((e) => e.kind === 'retain' && e.isUnfinalized === true)),
            );
            const isUnfinalized = hasNoFinalizer(
              text,
              flow.calls.find((c) => c.span === kept?.span),
            );
            if (
              !kept?.callee ||
              isOnlyKept ||
              (isUnfinalized && isKeptOn(text, fn, adoption.span)) ||
              isErrorPath(text.slice(kept.span.end, adoption.span.start)) ||
              isRefused(text, kept.span, adoption.span)
            )
              continue;
            report({
              messageId: isUnfinalized ? 'unfinalized' : 'finalizer',
              data: {
                what: root.name,
                keeper: kept.callee,
                kept: lineOf(unit, file, kept.span.start),
                taker: adoption.how,
                line,
              },
              at: { file, span: adoption.span },
              steps: [
                {
                  file,
                  span: kept.span,
                  role: 'escape',
                  note: `'${kept.callee}' keeps it${isUnfinalized ? '' : ' and calls the finalizer'}.`,
                },
                taken,
              ],
              key: root.name,
              confidence: 'medium',
            });
          }
          const causes = new Set<string>();
          for (const stale of language === 'rust' ? [...flow.staleUses, ...findFreedTexts(fn, flow)] : flow.staleUses) {
            if (language === 'rust' && (isLater(unit, file, text, stale) || isOnTheWayOut(text, stale))) continue;
            if (language === 'rust' && (isAdvanced(text, fn, stale) || isNextElement(text, stale))) continue;
            if (
              language === 'rust' &&
              (isCountAsked(text, fn, stale) ||
                isEmptied(text, flow, stale) ||
                isRefilled(flow, stale) ||
                isCountedByHand(flow, stale) ||
                isCountOfClone(text, fn, stale) ||
                isInOwnMemory(flow, stale))
            )
              continue;
            if (language === 'd' && (isNextOfList(unit, file, stale) || isKeyOnly(unit, flow, stale.use))) continue;
            if (language === 'rust' && (isAddressOnly(unit, file, text, stale) || isPieceOfPages(text, stale)))
              continue;
            const isSlot = isOfUninit(stale);
            if (isSlot && isFilledAnew(text, fn, stale)) continue;
            if (
              language === 'd' &&
              (isToldApart(text, fn, stale) ||
                isSetBeside(text, fn, stale) ||
                isOfOtherPages(text, fn, stale) ||
                isMovedOut(text, fn, stale) ||
                isFlaggedForAnother(text, stale))
            )
              continue;
            const used = language === 'd' ? text.slice(stale.use.span.start, stale.use.span.end + 8) : '';
            if (!isHazard(stale, used)) continue;
            if (language === 'd' && isForAnother(text, stale, used)) continue;
            if (language === 'd' && (isElsewhere(text, fn, stale) || isDeletedVariable(text, stale))) continue;
            const { pointer, invalidation, use } = stale;
            const cause = `${invalidation.span.start}`;
            if (causes.has(cause)) continue;
            if (language === 'rust' && (isExcluded(file, fn, flow, stale) || isBeside(file, text, fn, stale))) continue;
            causes.add(cause);
            const what = describePlace(pointer.target).replace(/^\*/u, '');
            const released = lineOf(unit, file, invalidation.span.start);
            const useLine = lineOf(unit, file, use.span.start);
            const how = invalidation.through ?? invalidation.how;
            const isRenewed = invalidation.isRenewed === true;
            const place = {
              at: { file, span: use.span },
              steps: [
                isRenewed
                  ? {
                      file,
                      span: pointer.site,
                      role: 'borrow' as const,
                      note: `The pointer is made of '${what}' here.`,
                    }
                  : { file, span: pointer.site, role: 'acquire' as const, note: `'${what}' comes from here.` },
                {
                  file,
                  span: invalidation.span,
                  role: 'release' as const,
                  note: isRenewed ? `'${how}' frees the old block here.` : `'${how}' releases it here.`,
                },
                {
                  file,
                  span: use.span,
                  role: 'use' as const,
                  note: use.kind === 'release' ? `'${use.what}' releases it again here.` : 'It is used here.',
                },
                ...(language === 'rust'
                  ? laterUses(
                      flow.staleUses,
                      stale,
                      (s) => s.invalidation.span.start === invalidation.span.start && isHazard(s, ''),
                    ).map((span) => ({ file, span, role: 'use' as const, note: 'It is used here, too.' }))
                  : []),
              ],
              key: what,
              ...(invalidation.row && 'suffix' in invalidation.row.match
                ? { confidence: 'medium' as const, severity: 'warning' as const }
                : {}),
            };
            const data = { what, release: how, released, use: useLine };
            if (isSlot && (use.kind === 'release' || /assume_init(?:_read|_drop)?(?:\(\))?$/u.test(use.what)))
              report({
                ...place,
                messageId: 'emptied',
                data: { ...data, second: use.what.replace(/^\.|\(\)$/gu, '') },
              });
            else if (use.kind === 'release')
              report({ ...place, messageId: 'again', data: { ...data, second: use.what } });
            else if (isRenewed)
              report({
                ...place,
                messageId: 'renewed',
                data: { ...data, made: lineOf(unit, file, pointer.site.start) },
              });
            else report({ ...place, messageId: 'used', data });
          }
        }
      }
    }
  },
});

/** D: functions of a file that release a pointer which they are given, or a field: their callers may hold none of the words. */
function releasingHelpers(file: FileIr, text: string): readonly string[] {
  return file.functions.flatMap((fn) => {
    if ((fn.kind !== 'function' && fn.kind !== 'method') || fn.bodySpan === undefined) return [];
    const body = text.slice(fn.bodySpan.start, fn.bodySpan.end);
    return HELPER_RELEASES.test(body) ? [fn.name] : [];
  });
}

/** Rust: methods of a file that give a raw field another block: their callers may hold the old one, and none of the words. */
function renewingMethods(file: FileIr, text: string): readonly string[] {
  return file.functions.flatMap((fn) => {
    if (fn.kind !== 'method' || fn.bodySpan === undefined || fn.self?.mode !== 'mutable' || fn.isTest) return [];
    const body = text.slice(fn.bodySpan.start, fn.bodySpan.end);
    return RENEWS.test(body) ? [fn.name] : [];
  });
}

/** Rust: functions of a file that are given a raw pointer and release something: their callers may hold none of the words. */
function releasingFunctions(file: FileIr, text: string): readonly string[] {
  return file.functions.flatMap((fn) => {
    if (fn.bodySpan === undefined || fn.isTest || (fn.kind !== 'function' && fn.kind !== 'method')) return [];
    if (!fn.params.some(({ type }) => type?.kind === 'pointer' || type?.name === 'NonNull')) return [];
    return ENDS_GIVEN.test(text.slice(fn.bodySpan.start, fn.bodySpan.end)) ? [fn.name] : [];
  });
}

/** Rust: methods that release something and that a `drop` only calls: the `drop` of a type that can be cloned has none of the words. */
function methodsOfDrops(file: FileIr, text: string): readonly string[] {
  if (!CLONES.test(text)) return [];
  const names = new Set([...text.matchAll(DROPS_BY_METHOD)].map(([, name]) => name));
  return file.functions.flatMap(({ name, kind, bodySpan }) =>
    kind === 'method' && names.has(name) && bodySpan && ENDS_GIVEN.test(text.slice(bodySpan.start, bodySpan.end))
      ? [name]
      : [],
  );
}

/** `fn drop(&mut self) { self.close(); }` */
const DROPS_BY_METHOD =
  /\bfn\s+drop\s*\(\s*&\s*mut\s+self\s*\)\s*\{\s*(?:let\s+_\s*=\s*)?self\s*\.\s*(\w+)\s*\(\s*\)\s*;?\s*\}/gu;
const CLONES = /\bderive\s*\([^)]*\bClone\b|\bimpl\b[^{;]*\bClone\s+for\b/u;

/** `port_free(port)`, `dealloc(p, layout)`. */
const ENDS_GIVEN = /(?:_(?:free|destroy|delete|close)|\bfree|\bdealloc|\bdrop_in_place)\s*\(/u;

/** `realloc(self.data, ..)`, `dealloc(self.data as *mut u8, layout)`, and the field is set. */
const RENEWS =
  /\b(?:realloc|free|dealloc)\s*\(\s*self\.(\w+)\b[^]*\bself\.\1\s*=(?!=)|\bself\.(\w+)\s*=(?!=)[^;]*\brealloc\s*\(\s*self\.\2\b/u;

/** `free(node)`, `free(cast(void*) this.data)`, `node.free;` */
const HELPER_RELEASES =
  /\b(?:free|pureFree|realloc|pureRealloc|fclose|closedir|munmap|dispose|deallocate|GC\.free)\s*\(\s*(?:cast\s*\([^()]*\)\s*)?(?:this\.)?\w+(?:\.ptr)?\s*[,)]/u;

/** Whether the function takes elements away from those that count: an element that is copied out may be gone from there. */
function isTakenAway(text: string, fn: FunctionIr, { adoption }: OwnedTwice): boolean {
  if (adoption.isCopy !== true || !adoption.pointer.target.path.includes('[]')) return false;
  return /set_len|forget|ManuallyDrop|MaybeUninit|\bwrite\w*\s*\(|\bcopy\w*\s*\(|into_raw|leak|dealloc/u.test(
    text.slice(fn.span.start, fn.span.end),
  );
}

/** Whether the code between a registration and a release is the path on which the registration failed. */
function isErrorPath(between: string): boolean {
  return /status\s*!=|!=\s*[\w:]*napi_ok|is_err\(\)|Err\s*\(|!\s*status/u.test(between);
}

/** `Box::leak(Box::from_raw(p))` only borrows, and so does an `Arc` that was counted once more before. */
function isOnlyLent(text: string, taken: Span): boolean {
  const before = text.slice(Math.max(0, taken.start - 240), taken.start);
  return (
    /\b(?:leak|forget|ManuallyDrop::new)\s*\(\s*(?:unsafe\s*\{\s*)?$/u.test(before) ||
    /\bincrement_strong_count\s*\([^;]*\);\s*$/u.test(before)
  );
}

/** `napi_wrap(env, object, data, None, null_mut(), null_mut())`: the memory stays the caller's, nothing is called that could free it. */
function hasNoFinalizer(text: string, call: CallSite | undefined): boolean {
  const given = call?.argSpans.map(({ start, end }) => text.slice(start, end).trim()) ?? [];
  return given.some((a) => /^(?:\w+::)*None$/u.test(a)) && !given.some((a) => /^(?:\w+::)*Some\s*\(/u.test(a));
}

/** `pool.push(Box::from_raw(raw))`, or a variable that goes on to somebody: what was taken back does not end here. */
function isKeptOn(text: string, fn: FunctionIr, { start, end }: Span): boolean {
  const before = text.slice(Math.max(fn.span.start, start - 200), start);
  if (/\bdrop\s*\(\s*$/u.test(before)) return false;
  const name = /\blet\s+(?:mut\s+)?(\w+)\s*(?::[^=;]*)?=\s*(?:unsafe\s*\{\s*)?$/u.exec(before)?.[1];
  if (name === undefined) return !/[;{}]\s*$/u.test(before) || /^\s*\}/u.test(text.slice(end));
  const rest = text.slice(end, fn.span.end).replace(/\bdrop\s*\([^()]*\)/gu, ' ');
  return name !== '_' && new RegExp(String.raw`[(,=:{]\s*${name}\s*[),;}]|\b${name}\s*\}`, 'u').test(rest);
}

/**
 * Whether the release stands where the call that keeps the pointer did not take it: under a condition on its result
 * (`if status == napi_no_external_buffers_allowed`). What it wrote to says no such thing: an external string that was `copied` has
 * been given to its finalizer already.
 */
function isRefused(text: string, kept: Span, taken: Span): boolean {
  const before = text.slice(Math.max(0, kept.start - 240), kept.start);
  const between = text.slice(kept.end, taken.start);
  const path = String.raw`(?:unsafe\s*\{\s*)?(?:\w+!\s*\(\s*)?(?:\w+::)*$`;
  if (new RegExp(String.raw`\bmatch\s+${path}`, 'u').test(before)) return isInFailingArm(between);
  const result = new RegExp(String.raw`(?:^|[;{}]\s*|\blet\s+(?:mut\s+)?)(\w+)\s*(?::[^=;]*)?=\s*${path}`, 'u').exec(
    before,
  )?.[1];
  if (result === undefined) return false;
  const match = new RegExp(`\\bmatch\\s+${result}\\s*(?=\\{)`, 'u').exec(between);
  if (match) return isInFailingArm(between.slice(match.index + match[0].length));
  return new RegExp(`\\bif\\s[^;{]*\\b${result}\\b[^;{]*\\{[^}]*$`, 'u').test(between.replace(/\bunsafe\s*\{/gu, ''));
}

/** Whether a text from the brace of a `match` on a status to some place in it ends in an arm for another status than success. */
function isInFailingArm(text: string): boolean {
  let depth = 0;
  let from = text.indexOf('{') + 1;
  if (from === 0) return false;
  let pattern: string | undefined;
  for (let at = from; at < text.length; at++) {
    const char = text[at] ?? '';
    if ('([{'.includes(char)) depth++;
    else if (')]}'.includes(char)) {
      depth--;
      if (depth < 0) return false;
      if (depth === 0 && char === '}') [pattern, from] = [undefined, at + 1];
    } else if (depth === 0 && char === ',') [pattern, from] = [undefined, at + 1];
    else if (depth === 0 && text.startsWith('=>', at)) pattern = text.slice(from, at);
  }
  return pattern !== undefined && !/(?:^|[^a-z])ok\b/iu.test(pattern);
}

/** The release stands in a closure that is put away for later, and the use outside of it: nobody has called it yet. */
function isLater(unit: UnitFacts, file: FileIr, text: string, { invalidation, use }: StaleUse): boolean {
  return file.functions.some(
    (f) =>
      f.kind === 'closure' &&
      f.span.start <= invalidation.span.start &&
      invalidation.span.end <= f.span.end &&
      !(f.span.start <= use.span.start && use.span.end <= f.span.end) &&
      isPutBy(unit, file, text.slice(Math.max(0, f.span.start - 80), f.span.start)),
  );
}

/**
 * Rust: in each round of a loop the variable is read out of another element (`let block = *blocks.add(i);`), so that what was released at
 * the end of the round before is not what is used in this one.
 */
function isNextElement(text: string, { pointer, invalidation, use }: StaleUse): boolean {
  if (!pointer.context.inLoop || use.span.start >= invalidation.span.start) return false;
  const name = nameUsed(text, use.span);
  const used = [...text.slice(use.span.start, use.span.end).matchAll(/(?<![.\w])([a-z_]\w*)/gu)].map((m) => m[1]);
  const before = text.slice(Math.max(0, use.span.start - 600), use.span.start);
  return [name, ...used].some(
    (one) =>
      one !== undefined &&
      new RegExp(
        `\\blet\\s+(?:mut\\s+)?${one}\\s*(?::[^=;]*)?=\\s*\\*[^;]*\\.\\s*(?:add|offset)\\s*\\(\\s*\\w[^;]*;[^]*$`,
        'u',
      ).test(before),
  );
}

/** Released where a status says that a call failed, and the use comes after a macro that returns for that status: `check_status!(status)?`. */
function isOnTheWayOut(text: string, { invalidation, use }: StaleUse): boolean {
  if (use.span.start < invalidation.span.end) return false;
  const before = text.slice(Math.max(0, invalidation.span.start - 240), invalidation.span.start);
  const status = /\bif\s+(\w+)\s*!=\s*[\w:]*ok\s*\{(?:[^{}]|\bunsafe\s*\{)*$/iu.exec(before)?.[1];
  if (status === undefined) return false;
  return new RegExp(`\\w+!\\s*\\(\\s*${status}\\b[^;]*\\)\\s*\\?`, 'u').test(
    text.slice(invalidation.span.end, use.span.start),
  );
}

/** D: `free(cast(void*) this)` in the destructor of a class. */
function releasesOfThis(file: FileIr, fn: FunctionIr): readonly { readonly span: Span; readonly how: string }[] {
  const found: { span: Span; how: string }[] = [];
  if (fn.kind !== 'destructor' || fn.body === undefined || aggregateOf(file, fn)?.kind !== 'class') return found;
  walkBody(fn.body, ({ expr }) => {
    if (expr.kind !== 'call' && expr.kind !== 'method') return;
    const how = calledName(expr);
    if (how === undefined || !/^(?:free|pureFree|deallocate)$/u.test(how)) return;
    const given = expr.args[0] === undefined ? undefined : uncast(expr.args[0].value);
    if (given?.kind === 'name' && given.path.length === 1 && given.path[0] === 'self')
      found.push({ span: expr.span, how });
  });
  return found;
}

/** D: the function asks whether the pointer lies inside the array (`list <= p && p < list + n`), and so tells its elements from others. */
function isToldApart(text: string, fn: FunctionIr, { pointer }: StaleUse): boolean {
  const array = describePlace(pointer.target)
    .replace(/^\*/u, '')
    .replace(/\[\.\.\]$/u, '');
  const name = array.replace(/[.$]/gu, String.raw`\$&`);
  const code = text.slice(fn.span.start, fn.span.end);
  return new RegExp(`\\b${name}\\s*<=[^;{}]*&&[^;{}]*<\\s*${name}\\s*\\+`, 'u').test(code);
}

/** D: the variable that is used got the new block where the old one was released. */
function isSetBeside(text: string, fn: FunctionIr, { invalidation, use }: StaleUse): boolean {
  if (fn.body === undefined) return false;
  const used = nameUsed(text, use.span);
  let isRenewed = false;
  walkBody(fn.body, ({ expr, around }) => {
    if (expr.kind !== 'assign' || expr.operator !== '=' || expr.target.kind !== 'name') return;
    const parent = around.findLast((outer) => outer.kind === 'block');
    if (
      parent !== undefined &&
      isInside(invalidation.span, parent.span) &&
      !isInside(use.span, parent.span) &&
      expr.span.start > invalidation.span.end &&
      expr.target.path.join('.') === used
    )
      isRenewed = true;
  });
  return isRenewed;
}

/** The first name in what is used. */
function nameUsed(text: string, { start, end }: Span): string | undefined {
  return /^[^\w]*(\w+)/u.exec(text.slice(start, end))?.[1];
}

/** D: `delete x` sets the variable to null: to delete it again does nothing. */
function isDeletedVariable(text: string, { invalidation, use }: StaleUse): boolean {
  if (use.kind !== 'release' || use.what !== 'delete' || invalidation.how !== 'delete') return false;
  return text.slice(use.span.start, use.span.end) === text.slice(invalidation.span.start, invalidation.span.end);
}

/** D: no way leads from the release to the use, or what is used there is the next element by then. */
function isElsewhere(text: string, fn: FunctionIr, { invalidation, use }: StaleUse): boolean {
  const name = nameUsed(text, use.span) ?? '';
  return (
    arePathsExcluded(fn, invalidation.span, use.span) ||
    isNextRoundsElement(fn, name, use.span, invalidation.span) ||
    isInOneRound(fn, use.span, invalidation.span)
  );
}

/** D: static variables of a function that are released and not set afterwards, though the function uses them. */
function findKeptStatics(fn: FunctionIr): readonly { name: string; how: string; release: Span; use: Span }[] {
  if (fn.body === undefined) return [];
  const statics = new Set<string>();
  for (const statement of fn.body.statements)
    if (statement.kind === 'let' && statement.isStatic === true && statement.pattern.kind === 'bind')
      statics.add(statement.pattern.name);
  if (statics.size === 0) return [];
  const releases = new Map<string, { how: string; span: Span }>();
  const uses = new Map<string, Span>();
  const assigned = new Set<string>();
  walkBody(fn.body, ({ expr, around }) => {
    if (expr.kind === 'assign' && expr.target.kind === 'name') assigned.add(expr.target.path[0] ?? '');
    if (expr.kind !== 'name' || !statics.has(expr.path[0] ?? '')) return;
    const name = expr.path[0] ?? '';
    const parent = around.at(-1);
    const called = parent === undefined ? undefined : calledName(parent);
    if (called !== undefined && /^(?:free|pureFree|munmap|fclose)$/u.test(called))
      releases.set(name, { how: called, span: parent?.span ?? expr.span });
    else if (!uses.has(name)) uses.set(name, expr.span);
  });
  return [...releases].flatMap(([name, { how, span }]) => {
    const use = uses.get(name);
    return use === undefined || assigned.has(name) ? [] : [{ name, how, release: span, use }];
  });
}

const ARITHMETIC = /^\.(?:(?:wrapping_|byte_)?(?:add|sub|offset)|offset_from|as_ptr|cast|cast_mut|cast_const)\(\)$/u;
/** What gives memory back, or takes it over, without touching the value in it. */
const FREES = /(?:^|::)(?:(?:\w+_)?(?:dealloc|free|deallocate)|from_raw_parts|realloc)$/u;

/** What puts a new value where the old one was dropped. */
const REFILLS = /^\.(?:copy_from(?:_nonoverlapping)?|write|write_bytes|write_unaligned|write_volatile)\(\)$/u;

/** What takes the memory of a destroyed object, or asks for its block. */
const GIVES_BACK = /(?:free|delete|dealloc\w*|dispose|release|addrOf)$/iu;

/** The same member three times on one way: nodes of a list, of which a walk in a loop knows only that they are some. */
function followsList(path: readonly string[]): boolean {
  const names = path.filter((segment) => segment !== '*' && segment !== '[]');
  return names.some((name) => names.filter((one) => one === name).length > 2);
}

/**
 * D: a loop that walks a list releases one node after the other, and a path through the link (`list.next`) means another node each
 * time: what was released and what is used look alike and are not the same.
 */
function isNextOfList(unit: UnitFacts, file: FileIr, { pointer }: StaleUse): boolean {
  const { root, path } = pointer.target;
  if (pointer.how !== 'declared' || !pointer.context.inLoop) return false;
  const typeAt = (length: number): string | undefined =>
    peel(typeOfPlace({ root, path: path.slice(0, length) }, unit.oracle('d'), file.path))?.name;
  return path.some((segment, at) => {
    if (segment === '*' || segment === '[]' || path[at + 1] !== '*') return false;
    const holder = typeAt(at);
    return holder !== undefined && holder !== '' && holder === typeAt(at + 2);
  });
}

/** Rows of `realloc` and its kin in D. */
const REALLOCATES = /^(?:pure-)?realloc$/u;

const DEALLOCATES = /^allocator-/u;

/** The use goes through a pointer that the function moves on (`field = field.offset(8)`): by then it leads to the next one. */
function isAdvanced(text: string, fn: FunctionIr, { use }: StaleUse): boolean {
  const body = text.slice(fn.span.start, fn.span.end);
  const named = [...text.slice(use.span.start, use.span.end).matchAll(/\b[a-z_]\w*\b/gu)].map((m) => m[0]);
  const origins = named.flatMap((name) => {
    const origin = new RegExp(
      `\\blet\\s+(?:mut\\s+)?${name}\\s*(?::[^=;]*)?=\\s*\\(?\\s*(\\w+)\\s+as\\s+\\*`,
      'u',
    ).exec(body)?.[1];
    return origin === undefined ? [name] : [name, origin];
  });
  return origins.some((name) =>
    new RegExp(
      `\\b(${name})\\s*=\\s*\\1\\s*\\.\\s*(?:offset|add|byte_add|byte_offset|wrapping_add|wrapping_offset)\\s*\\(`,
      'u',
    ).test(body),
  );
}

/** A count that the function both lowers and raises: how many references are left is in its numbers. */
function isCountedByHand(flow: FunctionFlow, { invalidation }: StaleUse): boolean {
  return (
    invalidation.how.endsWith('decrement_strong_count') &&
    flow.calls.some((c) => c.callee.endsWith('increment_strong_count'))
  );
}

/** `shared.clone()`, `Rc::clone(&shared)` */
const CLONE_OF = /^(?:([\w.]+?)\s*\.\s*clone\s*\(\s*\)|(?:Rc|Arc)\s*::\s*clone\s*\(\s*&?\s*([\w.]+)\s*\))$/u;

/**
 * The count is that of a clone (`Rc::into_raw(shared.clone())`), and what was cloned is a parameter, or used afterwards, and given to nobody in
 * between: it has a count of its own, so that the value is still there.
 */
function isCountOfClone(text: string, fn: FunctionIr, { pointer, invalidation, use }: StaleUse): boolean {
  if (!invalidation.how.endsWith('decrement_strong_count') || !pointer.how.endsWith('into_raw')) return false;
  const { start, end } = pointer.site;
  const given = /\(\s*([^]*?)\s*\)$/u.exec(text.slice(start, end))?.[1] ?? '';
  const bound = /^\w+$/u.test(given)
    ? new RegExp(String.raw`\blet\s+(?:mut\s+)?${given}\b[^=;]*=\s*([^;]*?)\s*;`, 'u').exec(
        text.slice(fn.span.start, start),
      )
    : undefined;
  const [, byMethod, byPath] = CLONE_OF.exec(bound?.[1] ?? given) ?? [];
  const [original = ''] = (byMethod ?? byPath ?? '').split('.');
  if (original === '') return false;
  const between = text.slice(end, use.span.start);
  // A second count that is taken back is that of the original; and who makes an owner of a count that is gone ends the original with it.
  if ((text.slice(end, use.span.end).match(/\bdecrement_strong_count\b/gu)?.length ?? 0) !== 1) return false;
  if (
    /\bfrom_raw\b/u.test(text.slice(use.span.start, use.span.end)) &&
    !/\bManuallyDrop\b/u.test(text) &&
    !/\bforget\s*\(/u.test(text.slice(fn.span.start, fn.span.end))
  )
    return false;
  const isGiven = new RegExp(String.raw`[({,=:]\s*${original}\s*[),;}]|\b${original}\s*=[^=]`, 'u').test(between);
  const isKept =
    original === 'self' ||
    fn.params.some(({ name }) => name === original) ||
    new RegExp(String.raw`\b${original}\b`, 'u').test(text.slice(use.span.end, fn.span.end));
  return isKept && !isGiven;
}

/** What is only printed, and texts. */
const SAID = /\b(?:e?print(?:ln)?|dbg|trace|debug|info|warn|error|log)!\s*\([^;]*;|"(?:[^"\\]|\\.)*"/gu;

/** The function has asked how many counts there are before it takes one back. */
function isCountAsked(text: string, { span }: FunctionIr, { invalidation }: StaleUse): boolean {
  return (
    invalidation.how.endsWith('decrement_strong_count') &&
    /(?<!\w)strong_count\b/u.test(text.slice(span.start, invalidation.span.start).replace(SAID, ''))
  );
}

/** A library ends its object in memory that Rust's allocator gave, and takes back afterwards: until then it can be used. */
function isInOwnMemory(flow: FunctionFlow, { invalidation, use }: StaleUse): boolean {
  if (!/_(?:destroy|deinit|fini|cleanup|end)$/u.test(invalidation.how)) return false;
  const given = flow.calls.find((c) => /(?:^|::)dealloc$/u.test(c.callee) && c.span.start >= invalidation.span.end);
  return given !== undefined && use.span.start < given.span.end;
}

/**
 * `Vec::from_raw_parts(p, 0, capacity)` frees the block and drops no element: those may have been dropped before, also as copies that
 * were read out and that nobody took.
 */
function isEmptied(text: string, flow: FunctionFlow, { pointer, invalidation, use }: StaleUse): boolean {
  const isInPlace = use.kind === 'release' && /drop_in_place/u.test(invalidation.how);
  const { start, end } = invalidation.span;
  const isCopy = invalidation.how === 'dropped at once' && COPIED_OUT.test(text.slice(start, end));
  if (!isInPlace && !isCopy) return false;
  return flow.calls.some(
    (c) =>
      c.callee.endsWith('Vec::from_raw_parts') &&
      c.args[1]?.literal === '0' &&
      (isCopy ? isInside(use.span, c.span) : c.args[0]?.pointers.some((p) => p.id === pointer.id) === true),
  );
}

/** What makes a second value of the same bytes. */
const COPIED_OUT =
  /\.\s*(?:read|assume_init_read)(?:_unaligned|_volatile)?\s*\(\s*\)|\bptr::read(?:_unaligned|_volatile)?\s*\(/u;

/** The value lies in a `MaybeUninit`, which never drops it by itself. */
function isOfUninit({ pointer }: StaleUse): boolean {
  return UNINIT.test(pointer.how);
}

const UNINIT = /^assume_init_(?:read|drop)$|(?:^|::)(?:read|drop_in_place)$/u;

/** The slot may have been filled between the two, or one of the copies is kept from being dropped. */
function isFilledAnew(text: string, fn: FunctionIr, { pointer, invalidation, use }: StaleUse): boolean {
  const place = describePlace(pointer.target);
  const slot = place.replace(/^\*+/u, '').replace(/[.$*[\]]/gu, String.raw`\$&`);
  const between = text.slice(invalidation.span.end, use.span.start);
  // A method of the object that the slot is a field of may fill it.
  const [holder = '', ...fields] = place.split('.');
  return (
    (fields.length > 0 && new RegExp(`\\b${holder}\\s*\\.\\s*\\w+\\s*\\(`, 'u').test(between)) ||
    new RegExp(
      `\\b${slot}\\s*(?:\\.\\s*(?:write|as_mut_ptr|as_mut|as_bytes_mut)\\b|=[^=])|&\\s*mut\\s+${slot}\\b`,
      'u',
    ).test(between) ||
    isWrittenTo(between, [slot, ...pointersTo(text.slice(fn.span.start, invalidation.span.end), slot)]) ||
    /\bforget\s*\(|\bManuallyDrop\b|\binto_raw\b/u.test(text.slice(fn.span.start, fn.span.end))
  );
}

/** `ptr::write(p, x)`, `p.write(x)`, `mem::replace(&mut slot, x)` for one of the names. */
function isWrittenTo(text: string, names: readonly string[]): boolean {
  const name = `(?<![\\w.])(?:${names.join('|')})\\b`;
  return new RegExp(
    `(?:^|[^.\\w])(?:write|replace|swap|copy)\\w*\\s*\\([^;]*${name}|${name}[^;]*\\.\\s*(?:write|replace|swap|copy)\\w*\\s*\\(`,
    'u',
  ).test(text);
}

/** The variables that are made of a slot: `let p = slot.as_mut_ptr();` */
function pointersTo(text: string, slot: string): readonly string[] {
  return [
    ...text.matchAll(
      new RegExp(`\\blet\\s+(?:mut\\s+)?(\\w+)[^=;]*=[^;]*(?<![\\w.])${slot}\\s*\\.\\s*as_mut_ptr\\b`, 'gu'),
    ),
  ].flatMap(([, name]) => name ?? []);
}

/** D: `result = p.block; p.block = null;` on some way: what the member leads to when it is released is not what the local has. */
function isMovedOut(text: string, fn: FunctionIr, { invalidation, use }: StaleUse): boolean {
  const [, member] =
    /\(\s*(?:cast\s*\([^()]*\)\s*)?((?:\w+\.)*\w+)\s*\)/u.exec(
      text.slice(invalidation.span.start, invalidation.span.end),
    ) ?? [];
  if (member === undefined) return false;
  const path = member.replaceAll('.', String.raw`\s*\.\s*`);
  const moves = new RegExp(
    String.raw`\b(\w+)\s*=\s*(?:cast\s*\([^()]*\)\s*)?${path}\s*;\s*${path}\s*=\s*null\s*;`,
    'gu',
  );
  const used = text.slice(use.span.start, use.span.end);
  return [...text.slice(fn.span.start, invalidation.span.start).matchAll(moves)].some(
    ([, local]) => local !== undefined && new RegExp(`(?<![.\\w])${local}\\b`, 'u').test(used),
  );
}

/**
 * D: `if (attr.title_needs_free) free(attr.title);`: the record says whether it owns what its member leads to, and what a parameter leads to is
 * the caller's.
 */
function isFlaggedForAnother(text: string, { pointer, invalidation }: StaleUse): boolean {
  const { root } = pointer.target;
  if (root.kind !== 'param') return false;
  const released = text.slice(invalidation.span.start, invalidation.span.end);
  const record = /\(\s*(?:cast\s*\([^()]*\)\s*)?\(?\s*([a-z_]\w*)\s*\.\s*\w+\s*\)*$/u.exec(released)?.[1];
  if (record === undefined || record === root.name) return false;
  const before = text.slice(Math.max(0, invalidation.span.start - 120), invalidation.span.start);
  return new RegExp(`\\bif\\s*\\(\\s*${record}\\s*\\.\\s*\\w*(?:free|own|alloc)\\w*\\s*\\)\\s*\\{?\\s*$`, 'iu').test(
    before,
  );
}

/**
 * D: `unmap(start, lead)` gives back the first pages, and what is used lies behind them, `kept = start + lead`; or the last ones:
 * `unmap(start + size, trail)`; or `start` was made from `kept`. The released pointer itself leads to none of those.
 */
function isOfOtherPages(text: string, fn: FunctionIr, { invalidation, use }: StaleUse): boolean {
  const call = text.slice(invalidation.span.start, invalidation.span.end);
  if (/un_?map\w*\s*\([^,]*\+[^,]*,/iu.test(call)) return true;
  const own = text.slice(fn.span.start, fn.span.end);
  const used = text.slice(use.span.start, use.span.end).replace(/\bcast\s*\([^()]*\)/gu, ' ');
  const [, start, size] = /un_?map\w*\s*\(\s*(?:cast\s*\([^()]*\)\s*)?(\w+)\s*,\s*(\w+)?/iu.exec(call) ?? [];
  if (start === undefined) return false;
  const name = /(?<![.\w])(?!return\b)[A-Za-z_]\w*\b(?!\s*\()/u.exec(used)?.[0];
  if (name === undefined || name === start)
    // `start[size + 4]`, `*(start + size)`
    return size !== undefined && new RegExp(`\\b${start}\\s*(?:\\[|\\+)\\s*${size}\\b`, 'u').test(used);
  const isMadeFrom = (made: string, by: string): boolean =>
    new RegExp(`\\b${made}\\s*=[^;=][^;]*\\+\\s*${by}\\b`, 'u').test(own);
  // `rest = kept + n`: behind what lies behind.
  const onward = [...own.matchAll(new RegExp(`\\b${name}\\s*=[^;=]([^;+]*)\\+`, 'gu'))];
  const before = onward.flatMap(
    ([, text = '']) => text.replace(/\bcast\s*\([^()]*\)/gu, ' ').match(/[A-Za-z_]\w*/gu) ?? [],
  );
  return (
    (size !== undefined && (isMadeFrom(name, size) || before.some((one) => isMadeFrom(one, size)))) ||
    new RegExp(`\\b${start}\\s*=[^;=][^;]*\\b${name}\\b[^;]*\\+`, 'u').test(own)
  );
}

/** What was dropped in place was written anew before it is dropped again. */
function isRefilled(flow: FunctionFlow, { pointer, invalidation, use }: StaleUse): boolean {
  if (!/drop_in_place/u.test(invalidation.how)) return false;
  return flow.calls.some(
    (c) =>
      c.span.start >= invalidation.span.end &&
      c.span.end <= use.span.start &&
      refilledBy(c)?.pointers.some((p) => placeKey(p.target) === placeKey(pointer.target)) === true,
  );
}

/** What a call writes a value through: `p` of `p.write(value)`, `ptr::write(p, value)` and `ptr::copy(from, p, 1)`. */
function refilledBy(call: FunctionFlow['calls'][number]): Value | undefined {
  if (call.method) return REFILLS.test(`.${call.callee}()`) ? call.receiver : undefined;
  const name = /(?:^|::)ptr::(\w+)$/u.exec(call.callee)?.[1] ?? '';
  if (/^write(?:_bytes|_unaligned|_volatile)?$/u.test(name)) return call.args[0];
  return /^copy(?:_nonoverlapping)?$/u.test(name) ? call.args[1] : undefined;
}

/**
 * Rust: only the number of the address is used: `value as usize`, or it is given to a function of the file that looks it up as a key and does
 * nothing else with it (`tracker.forget(block)`).
 */
function isAddressOnly(unit: UnitFacts, file: FileIr, text: string, { use }: StaleUse): boolean {
  if (/^&?\(*[\w.]+\s+as\s+(?:usize|u64|isize|i64)\b/u.test(text.slice(use.span.start, use.span.end + 16))) return true;
  if (use.kind !== 'argument') return false;
  const name = /(\w+)(?:\(\))?$/u.exec(use.what)?.[1] ?? '';
  const called = file.functions.filter((f) => f.name === name && f.bodySpan && !f.isTest);
  return (
    called.length > 0 &&
    called.every((f) => {
      const body = f.bodySpan ? plainText(unit, file, f.bodySpan) : '';
      const pointers = f.params.filter((p) => p.type?.kind === 'pointer');
      return (
        pointers.length > 0 &&
        pointers.every(({ name: param }) => {
          const named = [...body.matchAll(new RegExp(`(?<![.\\w])${param}\\b`, 'gu'))];
          if (named.some(({ index }) => MAPS_AT.test(body.slice(Math.max(0, index - 80), index)))) return true;
          return named.every(
            ({ index }) =>
              /(?:&|[!=]=)\s*$/u.test(body.slice(0, index)) ||
              /^\w+\s*(?:as\s+(?:usize|u64|isize|i64)\b|[!=]=|\.\s*(?:addr|is_null)\s*\(\s*\))/u.test(
                body.slice(index),
              ),
          );
        })
      );
    })
  );
}

/** Rust: no way leads from the release to the use; of a value that branches give, to none of those that give the pointer. */
function isExcluded(
  file: FileIr,
  fn: FunctionIr,
  flow: FunctionFlow,
  { pointer, invalidation, use }: StaleUse,
): boolean {
  const isOfWhole = use.kind === 'return' || isInside(invalidation.span, use.span);
  const given: readonly Span[] = isOfWhole ? innermostUses(flow, pointer, invalidation, use.span) : NONE;
  const paths = rustPaths(file, pointer.site);
  return (given.length > 0 ? given : [use.span]).every((span) =>
    arePathsExcluded(closureAround(file, fn, invalidation.span, span), invalidation.span, span, paths),
  );
}

/** Where the pointer is used after that very release inside of a use, and nothing further inside uses it. */
function innermostUses(
  flow: FunctionFlow,
  pointer: StaleUse['pointer'],
  { span: released }: StaleUse['invalidation'],
  whole: Span,
): readonly Span[] {
  const within = flow.staleUses
    .filter((s) => s.pointer.id === pointer.id && s.invalidation.span.start === released.start)
    .map((s) => s.use.span)
    .filter((span) => span.start > whole.start && isInside(span, whole));
  return within.filter((span) => !within.some((other) => other !== span && isInside(other, span)));
}

/**
 * Rust: what was dropped in place lies beside what is used, which a variable reaches by counting on from the same pointer: a header in front
 * of the value (`let header = p.cast::<Header>().sub(1);`, or by a helper that does so).
 */
function isBeside(file: FileIr, text: string, fn: FunctionIr, { invalidation, use }: StaleUse): boolean {
  if (!/drop_in_place/u.test(invalidation.how)) return false;
  const name = /^[(*\s]*([a-z_]\w*)\b/u.exec(text.slice(use.span.start, use.span.end))?.[1];
  if (name === undefined) return false;
  // `drop_in_place(slot); (*slot).len()`
  if (new RegExp(`\\(\\s*${name}\\s*\\)`, 'u').test(text.slice(invalidation.span.start, invalidation.span.end)))
    return false;
  const before = text.slice(fn.span.start, invalidation.span.start);
  const made = [...before.matchAll(new RegExp(`\\blet\\s+(?:mut\\s+)?${name}\\b[^=;]*=([^;]*);`, 'gu'))].at(-1)?.[1];
  if (made === undefined) return false;
  const helper = /\b(\w+)\s*\(\s*\)\s*$/u.exec(made)?.[1];
  return (
    COUNTS_ON.test(made) ||
    file.functions.some(
      (f) => f.name === helper && f.bodySpan && COUNTS_ON.test(text.slice(f.bodySpan.start, f.bodySpan.end)),
    )
  );
}

const COUNTS_ON = /\.\s*(?:wrapping_|byte_)?(?:offset|add|sub)\s*\(/u;

/** The address is where other pages shall be: `shmat(id, at, 0)`. */
const MAPS_AT = /\b(?:mmap(?:64)?|shmat|mremap)\s*\([^()]*$/u;

/** What gives pages back, and what is given the address where others shall be. */
const UNMAPS = /(?:^|::|_)m?un_?map$/u;
const MAPS = /(?:^|[.:_])(?:mmap(?:64)?|mremap|map|remap|shmat|attach)$/u;

/** Rust: pages are given back in pieces, `munmap(start.add(offset), piece)`: what is used, or given back next, lies elsewhere. */
function isPieceOfPages(text: string, { invalidation, use }: StaleUse): boolean {
  const { start, end } = invalidation.span;
  // The very same piece again, and not in the next round of a loop.
  if (use.span.start !== start && text.slice(use.span.start, use.span.end) === text.slice(start, end)) return false;
  return (
    UNMAPS.test(invalidation.how) &&
    /^[\w:]*\s*\(\s*\(?\s*\w+\s*(?:\.\s*(?:byte_|wrapping_)?(?:add|offset)\s*\(|\+)/u.test(text.slice(start, end))
  );
}

/** D: `Node* node = cast(Node*) item;` behind `destroy`, which leaves the memory as it is: it is used for something else. */
function isForAnother(text: string, { invalidation, use }: StaleUse, used: string): boolean {
  const name = /^\w+/u.exec(used)?.[0];
  if (invalidation.how !== 'destroy' || name === undefined) return false;
  const cast = String.raw`\bcast\s*\(\s*[\w.!]+\s*(?:\([^()]*\)\s*)?\*\s*\)`;
  const between = text.slice(invalidation.span.end, use.span.start);
  return new RegExp(String.raw`\b${name}\s*=\s*\(*\s*${cast}`, 'u').test(between);
}

/** `used` is the source from the use on. */
function isHazard({ pointer, invalidation, use }: StaleUse, used: string): boolean {
  if (invalidation.kind !== 'release') return false;
  if (pointer.form === 'closure') return false;
  // A guard is used where it unlocks; the lock lies in what was released.
  if (pointer.form === 'guard')
    return (
      use.what.startsWith("the end of '") &&
      use.span.start < invalidation.span.start &&
      pointer.target.path.length > invalidation.place.path.length
    );
  const { path } = pointer.target;
  // The same release in the next round of a loop; elements and what lies behind other pointers are others by then.
  if (use.span.start === invalidation.span.start) {
    if (use.kind !== 'release' || path.length > 1 || path[0] === '[]') return false;
    if (/drop_in_place/u.test(invalidation.how)) return false;
  }
  // Within the release itself a use is that of the next round, too.
  const isWithin = use.span.start < invalidation.span.end && invalidation.span.start < use.span.end;
  if (isWithin && use.kind !== 'release' && path.length > 2) return false;
  // So long a way is cut off, and two places look like one; so do the records of a list (`item.next.next`).
  if (path.length >= 8 || followsList(path)) return false;
  // D: the runtime marks an object that it destroyed, and does nothing when it is asked again.
  if (invalidation.how === 'destroy' && use.kind === 'release' && use.what === 'destroy') return false;
  // First the destructor, then the memory: the usual pair.
  if (
    /destroy$/u.test(invalidation.how) &&
    use.kind === 'release' &&
    !/^destroy/u.test(use.what) &&
    use.what !== invalidation.how
  )
    return false;
  // Handing the old address on after `realloc` (to print it, to compare it) reads nothing.
  if (invalidation.row !== undefined && REALLOCATES.test(invalidation.row.id) && use.kind === 'argument') return false;
  if (/destroy$/u.test(invalidation.how) && use.kind === 'argument' && GIVES_BACK.test(use.what)) return false;
  // D: the memory of the object as bytes, `(cast(void*) item)[0 .. size]`, which goes back to its allocator.
  if (/destroy$/u.test(invalidation.how) && /^\(\s*cast\s*\(\s*(?:void|ubyte)\s*\*\s*\)/u.test(used)) return false;
  // The address at which pages were is only where others shall be.
  if (UNMAPS.test(invalidation.how) && use.kind === 'argument' && MAPS.test(use.what)) return false;
  // Pointers kept in an array, and blocks cut out of an allocator's store: the next one is another one.
  if (path.some((segment, i) => segment === '[]' && path.includes('*', i + 1))) return false;
  const cut = path.indexOf('[]');
  if (
    cut >= 0 &&
    !path.slice(0, cut).includes('*') &&
    invalidation.row !== undefined &&
    DEALLOCATES.test(invalidation.row.id)
  )
    return false;
  // The length and the address of a slice are in the slice, not in what was released.
  if (/^[\w.]+\.(?:length|ptr)\b/u.test(used)) return false;
  // `list = null` of a variable by `ref` is written, not read.
  if (use.kind === 'deref' && /^\w+\s*=[^=]/u.test(used)) return false;
  // Counting on from a pointer reads nothing; what the result is used for is seen there.
  if (ARITHMETIC.test(use.what)) return false;
  // Dropping a value leaves its memory to be freed, and the next element alive.
  if (/drop_in_place/u.test(invalidation.how)) {
    if (path.at(-1) === '[]' || FREES.test(use.what) || REFILLS.test(use.what)) return false;
    // Whoever is given the address may give the memory back, or look after the other parts of it.
    if (use.kind === 'argument') return false;
  }
  // Overwriting or forgetting a pointer is not using what it points to.
  return use.kind !== 'write';
}
