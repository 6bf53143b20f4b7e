import {
  aggregateOf,
  calledName,
  hasBody,
  memberPath,
  methodsOf,
  readAround,
  walkDeep,
  type WithBody,
} from '../facts/d-code.js';
import { lineOf } from '../facts/lines.js';
import { mixedDestructors, mixedTexts, templateOf } from '../facts/mixed-in.js';
import type { UnitFacts } from '../facts/unit.js';
import { walkBody } from '../model/walk-body.js';
import type { Expr, ExprOf, Field, FileIr, FunctionIr, TypeDecl } from '../model/ir.js';
import { isInside, type Span } from '../model/source.js';
import { defineRule, type ReportStep } from './rule.js';

const RELEASES =
  /^(?:x?free|pureFree|dealloc|deallocate|dispose|fclose|closedir|pclose|dlclose|munmap|freeaddrinfo|freeifaddrs|globfree|CloseHandle|closesocket|\w+_(?:free|delete|destroy|release|close|unref))$/u;
/** Functions of libraries that say in their name that they take a handle back: `sqlite3_finalize`, `XCloseDisplay`, `glDeleteTextures`. */
const TAKES_BACK =
  /^(?!(?:get|is|has|next|find|set|add|on|can|num|count|destroy$|delete$))(?:\w*(?:_|[A-Za-z0-9](?=[A-Z]))|)(?:[Ff]ree|[Cc]lose|[Dd]elete|[Dd]estroy|[Rr]elease|[Uu]nref|[Uu]nload|[Ff]inalize)(?![a-z0-9])/u;

export default defineRule({
  meta: {
    id: 'copyable-owner',
    title: 'Owner that can be copied',
    summary: 'A struct releases something in its destructor and can be copied, so it is released twice.',
    languages: ['d'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-415', 'CWE-416'],
    messages: {
      copied:
        "The destructor of '{type}' releases '{member}' by '{release}' (line {line}), and '{type}' can be copied: each copy releases it again.",
    },
    checklist: 'Can the owner be copied, and if so, who releases?',
    scenarios: ['command', 'sequential'],
  },
  tokens: { d: ['~this'] },
  bodyTokens: { d: ['~this'] },
  looksAt: 'bodies',
  perFile: ['d'],
  check({ unit, report }) {
    for (const read of unit.filesOf('d')) {
      // What the destructor calls of its own is read, too.
      const file = readAround(
        unit,
        read,
        read.functions.filter(
          (fn) =>
            fn.kind === 'destructor' &&
            (aggregateOf(read, fn)?.kind === 'struct' || templateOf(read, fn) !== undefined),
        ),
      );
      for (const owner of ownersIn(unit, file)) {
        const { type, destructor, methods } = owner;
        if (isCopyHandled(unit, owner.file, type)) continue;
        let locksItself = false;
        walkDeep(file, destructor, ({ expr }) => {
          locksItself ||= /^(?:try)?lock/iu.test(calledName(expr) ?? '');
        });
        let found: { readonly expr: Expr; readonly member: string; readonly release: string } | undefined;
        const judge = (expr: Expr): void => {
          if (found !== undefined || (expr.kind !== 'call' && expr.kind !== 'method')) return;
          const lock = expr.kind === 'method' && isUnlock(expr) ? memberPath(expr.receiver)?.split('.')[0] : undefined;
          if (lock !== undefined && ownField(owner, lock) !== undefined && !locksItself)
            found = { expr, member: lock, release: expr.kind === 'method' ? expr.method : '' };
          if (found !== undefined) return;
          const called = calledName(expr);
          const release = called === undefined ? undefined : (owner.given.get(called) ?? called);
          if (release === undefined || !(RELEASES.test(release) || isForeignRelease(methods, expr, release))) return;
          // `handle.free()`: a free function whose subject is no aggregate.
          const subject =
            expr.kind === 'method' && expr.args.length === 0 && isPointerMember(owner, expr.receiver)
              ? [expr.receiver]
              : [];
          const member = [...expr.args.map((argument) => argument.value), ...subject]
            .map(released)
            .map((name) => (name === undefined ? undefined : (firstOf(destructor, name) ?? name)))
            .map((name) => owner.given.get(name ?? '') ?? name)
            .find((name) => name !== undefined && ownField(owner, name) !== undefined);
          if (member !== undefined) found = { expr, member, release };
        };
        walkDeep(file, destructor, ({ expr }) => judge(expr));
        // What it calls of its own, with or without parentheses, belongs to it.
        if (found === undefined)
          for (const helper of calledMethods(file, destructor, methods))
            walkDeep(file, helper, ({ expr }) => judge(expr));
        if (found === undefined) continue;
        report({
          messageId: 'copied',
          data: {
            type: type.name,
            member: found.member,
            release: found.release,
            line: lineOf(unit, file, found.expr.span.start),
          },
          at: { file, span: owner.shown },
          steps: [
            ...(owner.mixing === undefined ? [] : [owner.mixing]),
            { file, span: found.expr.span, role: 'release', note: `Every copy releases '${found.member}' here.` },
          ],
          key: type.name,
        });
      }
    }
  },
});

/** A struct with a destructor, its own or one that a template brings. */
interface Owner {
  readonly type: TypeDecl;
  readonly file: FileIr;
  readonly fields: readonly Field[];
  readonly destructor: WithBody;
  /** What stands beside the destructor. */
  readonly methods: readonly FunctionIr[];
  /** What the parameters of the template stand for. */
  readonly given: ReadonlyMap<string, string>;
  readonly shown: Span;
  readonly mixing?: ReportStep;
}

function ownersIn(unit: UnitFacts, file: FileIr): readonly Owner[] {
  const owners: Owner[] = file.types.flatMap((type) => {
    const methods = type.kind === 'struct' ? methodsOf(file, type) : [];
    const destructor = methods.find((method) => method.kind === 'destructor');
    if (destructor === undefined || !hasBody(destructor)) return [];
    return [{ type, file, fields: type.fields, destructor, methods, given: new Map(), shown: type.nameSpan }];
  });
  for (const { template, destructor, into } of mixedDestructors(unit, file, 'struct')) {
    const methods = file.functions.filter(
      (fn) => isInside(fn.span, template.span) && templateOf(file, fn) === template,
    );
    for (const mixer of into) {
      // A struct of another module is shown where the copies can be forbidden for all that mix the template in.
      const isHere = mixer.file.path === file.path;
      const { item: type, given } = mixer;
      owners.push({
        type,
        file: mixer.file,
        fields: [...type.fields, ...template.fields],
        destructor,
        methods,
        given,
        shown: isHere ? type.nameSpan : template.nameSpan,
        mixing: {
          file: mixer.file,
          span: type.nameSpan,
          role: 'declare',
          note: `'${type.name}' mixes in '${template.name}', which brings the destructor.`,
        },
      });
    }
  }
  return owners;
}

/** `mutex.unlock()`, of a guard. */
function isUnlock({ method, args }: ExprOf<'method'>): boolean {
  return args.length === 0 && /^(?:unlock(?:_nothrow|Shared|Read|Write)?|releaseLock)$/u.test(method);
}

/** A function, no method of the type, that is named for taking a handle back: `close(fd)`, `core.sys.posix.unistd.close(fd)`. */
function isForeignRelease(methods: readonly FunctionIr[], expr: Expr, name: string): boolean {
  if (!TAKES_BACK.test(name)) return false;
  if (expr.kind === 'method') return /^core\./u.test(memberPath(expr.receiver) ?? '');
  return expr.kind === 'call' && expr.callee.kind === 'name' && !methods.some((method) => method.name === name);
}

/** A member that is a pointer: what is called on it is a free function, as `free` of `handle.free()`. */
function isPointerMember(type: Pick<TypeDecl, 'fields'>, expr: Expr): boolean {
  const member = memberPath(expr);
  return member !== undefined && ownField(type, member)?.type?.kind === 'pointer';
}

/** Methods of the type that its destructor calls, not those that they call. */
function calledMethods(file: FileIr, destructor: FunctionIr, methods: readonly FunctionIr[]): readonly FunctionIr[] {
  const names = new Set<string>();
  walkDeep(file, destructor, ({ expr }) => {
    const path =
      expr.kind === 'name' ? expr.path : expr.kind === 'call' && expr.callee.kind === 'name' ? expr.callee.path : [];
    if (path.length === 1 && path[0] !== undefined) names.add(path[0]);
    if (expr.kind === 'method' && expr.receiver.kind === 'name' && expr.receiver.path[0] === 'self')
      names.add(expr.method);
  });
  return methods
    .filter(({ kind, name }) => (kind === 'method' || kind === 'function') && names.has(name))
    .filter(hasBody);
}

/** What a variable of the destructor starts from: `auto node = root;`, with which it walks along a list. */
function firstOf(destructor: WithBody, name: string, depth = 0): string | undefined {
  let found: string | undefined;
  walkBody(destructor.body, ({ expr, statement }) => {
    if (statement?.kind === 'let' && statement.init === expr && statement.pattern.kind === 'bind')
      if (statement.pattern.name === name) found = released(expr);
    // Set later where the declaration gives it nothing.
    if (expr.kind === 'assign' && expr.operator === '=' && memberPath(expr.target) === name)
      found ??= released(expr.value);
  });
  return found === undefined || depth > 1 ? found : (firstOf(destructor, found, depth + 1) ?? found);
}

/** The member that an argument is, points to or is the pointer of. */
function released(expr: Expr): string | undefined {
  if (expr.kind === 'cast') return released(expr.value);
  if (expr.kind === 'address' || expr.kind === 'slice' || expr.kind === 'deref') return released(expr.base);
  if (expr.kind === 'index' && expr.index.kind === 'literal') return released(expr.base);
  if (expr.kind === 'field' && expr.name === 'ptr') return released(expr.base);
  return memberPath(expr)?.split('.')[0];
}

function ownField(type: Pick<TypeDecl, 'fields'>, name: string): Field | undefined {
  return type.fields.find((field) => field.name === name && !field.isStatic);
}

/** Words of a count of references. */
const COUNTS =
  /\brefs?\s*Count|\brefs?\b\s*(?:--|-=|==)|--\s*\w*(?:refs?|count)|--\s*[\w.]+\.\s*\w*(?:refs?|count)|atomicOp|atomicFetchSub/iu;

/**
 * The destructor takes one off a count (`--header.refs`), the file has nothing that could be the counterpart:
 * no copy is ever counted.
 */
function isNeverCounted(text: string, around: string): boolean {
  const taken = /--\s*((?:\w+\.)+\w+)|((?:\w+\.)+\w+)\s*(?:--|-=\s*1\b)/u.exec(text);
  const count = (taken?.[1] ?? taken?.[2])?.split('.').at(-1);
  if (count === undefined || /atomic|\bmixin\b|\bopAssign\b/u.test(text)) return false;
  return !new RegExp(
    String.raw`\+\+\s*(?:\w+\.)*${count}\b|\b${count}\s*(?:\+\+|\+=)|\b\w*(?:retain|addRef|incRef|acquire|increment|addReference)\w*\b|\b${count}\s*=\s*\w+\.|&\s*(?:\w+\.)*${count}\b`,
    'iu',
  ).test(around);
}

/** A postblit or a copy constructor, also one that is disabled; members and templates that forbid copies, and text that may be any of this. */
const COPIES =
  /(?<![.\w])this\s*\(\s*(?:this\s*\)|(?:(?:return|scope)\s+)*ref\s+(?:(?:return|scope|const|inout)\s+)*(?:\w+\s*\(\s*)?typeof\s*\(\s*this)|\bno_?n?_?copy(?:able)?|\bmixin\s*\(/iu;

/** Copying is forbidden, or made right: `@disable this(this)`, a postblit, a copy constructor, a count, or a field that forbids it. */
function isCopyHandled(unit: UnitFacts, file: FileIr, type: TypeDecl): boolean {
  for (const method of methodsOf(file, type)) {
    if (method.kind === 'postblit') return true;
    const first = method.params[0];
    if (
      method.kind === 'constructor' &&
      first?.modifiers.includes('ref') === true &&
      (first.type?.name === type.name || /^(?:\w+\s*\(\s*)?typeof\(this\)/u.test(first.type?.text ?? ''))
    )
      return true;
  }
  const text = (unit.textOf(file.path) ?? '').slice(type.span.start, type.span.end);
  if (
    /@disable\s+(?:this\s*\(\s*(?:this|ref|return)|\w+\s+this\s*\(\s*this)|\bmixin\s*[\s(]\s*no_?n?_?copy/iu.test(text)
  )
    return true;
  if (mixedTexts(unit, { file, item: type }).some((brought) => COPIES.test(brought) || COUNTS.test(brought)))
    return true;
  if (COUNTS.test(text) && !isNeverCounted(text, unit.textOf(file.path) ?? '')) return true;
  // Only ever made inside a counted reference.
  if (
    new RegExp(`\\b(?:SafeRefCounted|RefCounted|Unique)!\\s*\\(?\\s*${type.name}\\b`, 'u').test(
      unit.textOf(file.path) ?? '',
    )
  )
    return true;
  return type.fields.some((field) => {
    const inner = field.isStatic || field.type?.kind !== 'path' ? undefined : unit.typesNamed(field.type.name, 'd')[0];
    return (
      inner !== undefined &&
      inner.item !== type &&
      inner.item.kind === 'struct' &&
      methodsOf(inner.file, inner.item).some(
        (method) => method.kind === 'postblit' && method.attributes.some((one) => one.name === 'disable'),
      )
    );
  });
}
