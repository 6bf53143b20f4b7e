import { hasBody, walkDeep } from '../facts/d-code.js';
import { lineOf } from '../facts/lines.js';
import type { UnitFacts } from '../facts/unit.js';
import { walkBody, type Walked } from '../model/walk-body.js';
import { describePlace } from '../flow/place.js';
import type { FileIr, FunctionIr } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';
import { defineRule, type Rule } from '../rules/rule.js';
import type { Entry, Fact, Question } from './checklist.js';
import { askAboutTrusted } from './d-questions.js';
import { touches, type Hunk } from './diff-hunks.js';
import { containersPointedInto } from './pointer-facts.js';
import { askAboutImpl, askAboutUnsafe } from './rust-questions.js';
import { digest, factAt, makeSubject, type Subject } from './subject.js';

/** An entry before the findings of the scan and the reviewer's words are attached. */
export type BareEntry = Omit<Entry, 'findings' | 'suppressed' | 'review'>;

export interface CollectRequest {
  /** Whether entries of a base-relative path were asked for. */
  readonly asked: (path: string) => boolean;
  /** Changed lines by base-relative path; undefined for every entry. */
  readonly changed: ReadonlyMap<string, readonly Hunk[]> | undefined;
  readonly onEntry: (entry: BareEntry) => void;
}

/** Runs along with the rules, so that every unit is parsed once, and reports nothing itself. */
export function createCollector(request: CollectRequest): Rule {
  return defineRule({
    meta: {
      id: 'review-checklist',
      title: 'Code to vouch for',
      summary: 'Collects @trusted and unsafe code for the checklist.',
      languages: ['rust', 'd'],
      severity: 'note',
      confidence: 'high',
      audience: 'audit',
      maturity: 'stable',
      since: '0.1.0',
      cwe: [],
      messages: {},
      checklist: 'Is this code safe to call?',
      scenarios: [],
    },
    tokens: { d: ['trusted'], rust: ['unsafe'] },
    bodyTokens: { d: ['trusted'], rust: ['unsafe'] },
    check({ unit }) {
      for (const language of ['d', 'rust'] as const)
        for (const file of unit.filesOf(language)) if (request.asked(file.path)) collectFile(unit, file, request);
    },
  });
}

function collectFile(unit: UnitFacts, file: FileIr, request: CollectRequest): void {
  const ranks = new Map<string, number>();
  for (const subject of file.language === 'd' ? trustedIn(unit, file) : unsafeIn(unit, file)) {
    const identity = [subject.kind, file.path, subject.name];
    const rank = ranks.get(identity.join('\0')) ?? 0;
    ranks.set(identity.join('\0'), rank + 1);
    const touched = request.changed === undefined ? [] : touchedBy(subject, request.changed);
    if (request.changed !== undefined && touched.length === 0) continue;
    const unseen = unseenIn(subject);
    const asked = ask(subject);
    // What was not seen may hold the contrary of an answer.
    const questions = unseen.length === 0 ? asked : asked.map(({ answer: _withdrawn, ...open }) => open);
    const seen = [...seenIn(subject), ...unseen, ...callsIn(subject, questions)];
    const text = textAround(subject);
    request.onEntry({
      fingerprint: digest([...identity, String(rank)]),
      state: digest([text.replace(/\s+/gu, ' '), ...questions.flatMap(({ facts }) => facts.map((fact) => fact.text))]),
      kind: subject.kind,
      language: file.language,
      name: subject.name,
      path: file.path,
      startLine: lineOf(unit, file, subject.span.start),
      endLine: lineOf(unit, file, subject.span.end),
      isTest: subject.fn?.isTest === true || unit.isDevelopmentOnly(file, subject.fn),
      touched,
      seen,
      questions,
    });
  }
}

function trustedIn(unit: UnitFacts, file: FileIr): readonly Subject[] {
  return file.functions
    .filter((fn) => fn.trust === 'trusted' && hasBody(fn))
    .map((fn) => makeSubject(unit, file, fn.kind === 'closure' ? 'trusted-lambda' : 'trusted-function', fn.span, fn));
}

function unsafeIn(unit: UnitFacts, file: FileIr): readonly Subject[] {
  const found: Subject[] = [];
  for (const fn of file.functions) {
    if (!hasBody(fn)) continue;
    if (fn.isUnsafe) found.push(makeSubject(unit, file, 'unsafe-function', fn.span, fn));
    walkBody(fn.body, ({ expr, around }) => {
      const isInner = around.some((outer) => outer.kind === 'block' && outer.flavour === 'unsafe');
      if (expr.kind === 'block' && expr.flavour === 'unsafe' && !isInner)
        found.push(makeSubject(unit, file, 'unsafe-block', expr.span, fn));
    });
  }
  for (const impl of file.impls)
    if (impl.isUnsafe && !impl.isNegative)
      found.push({
        unit,
        file,
        kind: 'unsafe-impl',
        name: `${impl.trait?.text ?? 'impl'} for ${impl.target.text}`,
        span: impl.span,
        flow: () => undefined,
      });
  return found.sort((a, b) => a.span.start - b.span.start || b.span.end - a.span.end);
}

function ask(subject: Subject): readonly Question[] {
  const { file, fn, kind, span } = subject;
  if (kind === 'unsafe-impl') {
    const impl = file.impls.find((one) => one.span.start === span.start && one.isUnsafe);
    return impl === undefined ? [] : askAboutImpl(subject, impl);
  }
  const walk: (readonly [Walked, FunctionIr])[] = [];
  if (fn !== undefined)
    walkDeep(file, fn, (walked, inside) => {
      if (isInside(walked.expr.span, span)) walk.push([walked, inside]);
    });
  return file.language === 'd' ? askAboutTrusted(subject, walk) : askAboutUnsafe(subject, walk);
}

/** Changed lines in the function around it, in the comment above it, and where something that it points into grows. */
function touchedBy(subject: Subject, changed: ReadonlyMap<string, readonly Hunk[]>): readonly Fact[] {
  const { unit, file, outer, span } = subject;
  const around = outer?.span ?? span;
  const first = commentStart(subject, around) ?? lineOf(unit, file, around.start);
  const last = lineOf(unit, file, around.end);
  const facts: Fact[] = [];
  const hunks = (changed.get(file.path) ?? []).filter((hunk) => touches(hunk, first, last));
  const lines = hunks.map((hunk) => {
    const start = Math.max(hunk.start, first);
    const end = Math.min(hunk.end, last);
    if (hunk.isRemoval) return `between ${String(start)} and ${String(end)}`;
    return start === end ? String(start) : `${String(start)} to ${String(end)}`;
  });
  if (lines.length > 0) {
    const name = outer?.qualifiedName ?? subject.name;
    const word = lines.length === 1 && /^\d+$/u.test(lines[0] ?? '') ? 'Line' : 'Lines';
    facts.push({
      text: `${word} ${lines.join(', ')} of '${name}' changed.`,
      path: file.path,
      line: hunks[0]?.start ?? first,
    });
  }
  facts.push(...touchedType(subject, changed));
  for (const [key, place] of containersPointedInto(subject))
    for (const site of unit.growthsOf(key, file.language, file.path)) {
      const line = lineOf(unit, site.file, site.growth.span.start);
      const isChanged = (changed.get(site.file.path) ?? []).some(
        (hunk) => !hunk.isRemoval && touches(hunk, line, line),
      );
      if (isChanged)
        facts.push({
          text: `It points into '${describePlace(place)}', which a changed line changes by '${site.growth.how}'.`,
          path: site.file.path,
          line,
        });
    }
  return facts;
}

/** An `unsafe impl` vouches for the fields of its type, wherever that is declared. */
function touchedType(subject: Subject, changed: ReadonlyMap<string, readonly Hunk[]>): readonly Fact[] {
  const { unit, file, kind, span } = subject;
  const impl = kind === 'unsafe-impl' ? file.impls.find((one) => one.span.start === span.start) : undefined;
  if (impl === undefined) return [];
  return unit.typesNamed(impl.target.name, file.language).flatMap((type) => {
    const first = lineOf(unit, type.file, type.item.span.start);
    const last = lineOf(unit, type.file, type.item.span.end);
    const isChanged = (changed.get(type.file.path) ?? []).some((hunk) => touches(hunk, first, last));
    return isChanged
      ? [{ text: `The declaration of '${type.item.name}' changed.`, path: type.file.path, line: first }]
      : [];
  });
}

/** First line of the comments that stand directly above; undefined when there are none. */
function commentStart({ unit, file }: Subject, span: Span): number | undefined {
  const text = unit.textOf(file.path) ?? '';
  let start = span.start;
  let found: number | undefined;
  for (const comment of file.comments.toReversed()) {
    if (comment.span.end > start) continue;
    // The line of the subject itself may begin with something else: `let x = unsafe {`.
    const between = text.slice(comment.span.end, start);
    const above = found === undefined ? between.slice(0, Math.max(0, between.lastIndexOf('\n'))) : between;
    if (above.trim() !== '') break;
    start = comment.span.start;
    found = lineOf(unit, file, start);
  }
  return found;
}

function seenIn(subject: Subject): readonly Fact[] {
  const { unit, file, fn, span, kind } = subject;
  const facts: Fact[] = [];
  const inside = kind === 'unsafe-block' ? file.comments.find((one) => isInside(one.span, span)) : undefined;
  const comment = commentStart(subject, span) ?? (inside && lineOf(unit, file, inside.span.start));
  if (comment !== undefined)
    facts.push({
      text: 'A comment goes with it; whether it says why this is safe, and still holds, is for the reviewer.',
      path: file.path,
      line: comment,
    });
  else facts.push(factAt(subject, span, 'No comment goes with it that could say why it is safe.'));
  const flow = subject.flow();
  if (
    kind !== 'unsafe-impl' &&
    fn?.attributes.some(({ name, inherited }) => name === 'trusted' && inherited === true) === true
  )
    facts.push(factAt(subject, span, "It is '@trusted' by a group around it."));
  for (const call of flow?.calls ?? []) {
    if (!isInside(call.span, span) || call.resolved === undefined) continue;
    const { path, functionId } = call.resolved;
    const target = unit
      .functionsNamed(call.callee.split('::').at(-1) ?? '', file.language)
      .find((one) => one.file.path === path && one.item.id === functionId);
    if (target === undefined || target.item.id === fn?.id) continue;
    if (target.item.isUnsafe || target.item.trust === 'system')
      facts.push(
        factAt(
          subject,
          call.span,
          `'${target.item.qualifiedName}' of '${path}' is called, whose conditions hold here as well.`,
        ),
      );
  }
  return facts;
}

/** What an unsafe block or function calls when no question has a fact: silence alone would say nothing about it. */
function callsIn(subject: Subject, questions: readonly Question[]): readonly Fact[] {
  if (subject.kind !== 'unsafe-block' && subject.kind !== 'unsafe-function') return [];
  if (questions.some(({ facts }) => facts.length > 0)) return [];
  const callees = new Set(
    (subject.flow()?.calls ?? [])
      .filter(({ span }) => isInside(span, subject.span))
      .map(({ callee }) => callee)
      // `Ok(…)` and other constructors ask nothing.
      .filter((callee) => !/^\p{Lu}/u.test(callee.split('::').at(-1) ?? '')),
  );
  const names = [...callees].slice(0, MOST_CALLEES).map((callee) => `'${callee}'`);
  if (names.length === 0) return [];
  const more = callees.size > MOST_CALLEES ? ` and ${String(callees.size - MOST_CALLEES)} more` : '';
  return [
    factAt(
      subject,
      subject.span,
      `It calls ${names.join(', ')}${more}; what ${callees.size === 1 ? 'that asks' : 'these ask'} of a caller is not known here.`,
    ),
  ];
}

const MOST_CALLEES = 6;

/** Why silence about the subject means nothing: what the parser or the flow could not follow in it. */
function unseenIn(subject: Subject): readonly Fact[] {
  const { unit, file, span, kind, outer } = subject;
  const first = lineOf(unit, file, span.start);
  const last = lineOf(unit, file, span.end);
  const facts = file.gaps
    .filter(({ line }) => line !== undefined && line >= first && line <= last)
    .map(({ line }) => ({
      text: 'A part of it could not be read.',
      path: file.path,
      ...(line === undefined ? {} : { line }),
    }));
  if (kind === 'unsafe-impl') return facts;
  if (outer?.hasError === true)
    return [...facts, factAt(subject, span, 'It stands in a function with a syntax error.')];
  return subject.flow()?.incomplete === false
    ? facts
    : [...facts, factAt(subject, span, 'The function could not be followed to its end; nothing follows from silence.')];
}

/** The text that a tick vouches for: the function around the subject with the comments above it. */
function textAround(subject: Subject): string {
  const { unit, file, outer, span } = subject;
  const around = outer?.span ?? span;
  return (unit.textOf(file.path) ?? '').slice(around.start, around.end);
}
