import { aggregateOf, calledName, declaredIn, enclosing, freeNames, memberPath, uncast } from '../facts/d-code.js';
import type { Walked } from '../model/walk-body.js';
import { describePlace } from '../flow/place.js';
import type { Expr, FunctionIr, TypeRef } from '../model/ir.js';
import { isInside } from '../model/source.js';
import type { Fact, Question } from './checklist.js';
import { containersPointedInto, elementFact, escapeFacts, growthFacts, staleFacts } from './pointer-facts.js';
import { distinct, factAt, type Subject } from './subject.js';

/** The five questions about `@trusted` D code, with what the code shows. `walked` holds every expression of the subject. */
export function askAboutTrusted(
  subject: Subject,
  walked: readonly (readonly [Walked, FunctionIr])[],
): readonly Question[] {
  return [
    askAboutReturn(subject, walked),
    askAboutCaptures(subject, walked),
    askAboutArrays(subject, walked),
    askAboutThreads(subject, walked),
    askAboutCollector(subject, walked),
  ];
}

type Walk = readonly (readonly [Walked, FunctionIr])[];

function question(id: string, title: string, text: string, facts: readonly Fact[], answer?: string): Question {
  return { id, title, text, facts: distinct(facts), ...(answer === undefined ? {} : { answer }) };
}

function askAboutReturn(subject: Subject, walk: Walk): Question {
  const { fn } = subject;
  const facts: Fact[] = [];
  let answer: string | undefined;
  if (fn !== undefined) {
    const kind = returnKind(subject, fn, mayReturn(subject, walk));
    facts.push(factAt(subject, fn.nameSpan, kind.text));
    if (fn.kind === 'destructor' || fn.kind === 'constructor' || fn.kind === 'static-constructor' || kind.isPlain)
      answer =
        kind.isPlain && kind.text !== NOTHING
          ? 'the return type holds no pointer into other storage, and no pointer was seen to be stored'
          : 'it returns nothing, and no pointer was seen to be stored';
    if (fn.returnsRef === true) answer = undefined;
    if (
      fn.attributes.some(({ name }) => name === 'return') ||
      fn.params.some(({ modifiers }) => modifiers.includes('return'))
    )
      facts.push(factAt(subject, fn.nameSpan, "'return' ties the result to a parameter."));
  }
  for (const value of returnedValues(subject, walk)) {
    const plain = uncast(value);
    if (plain.kind === 'new') facts.push(factAt(subject, value.span, `A fresh 'new ${plain.type.text}' is returned.`));
  }
  const escapes = escapeFacts(subject, new Set(['return', 'store', 'collect', 'throw']));
  facts.push(...escapes, ...staleFacts(subject));
  // A pointer that leaves in another way keeps the question open.
  return question(
    'returned-pointers',
    'Returned pointers',
    'Does it return or store a pointer, and does what it points to outlive it?',
    facts,
    escapes.length > 0 ? undefined : answer,
  );
}

const PLAIN_TYPES = new Set(
  'void bool byte ubyte short ushort int uint long ulong cent ucent char wchar dchar float double real size_t ptrdiff_t noreturn Duration'.split(
    ' ',
  ),
);

const NOTHING = 'It returns nothing.';

function returnKind(
  subject: Subject,
  fn: FunctionIr,
  isValueReturned: boolean,
): { readonly text: string; readonly isPlain: boolean } {
  const type = fn.returns;
  if (fn.kind !== 'function' && fn.kind !== 'method' && fn.kind !== 'closure') return { text: NOTHING, isPlain: true };
  if (fn.returnsRef === true)
    return { text: `It returns by 'ref'${type === undefined ? '' : ` ('${type.text}')`}.`, isPlain: false };
  if (type === undefined || type.kind === 'unknown')
    return fn.body !== undefined && !isValueReturned
      ? { text: NOTHING, isPlain: true }
      : { text: 'Its return type is inferred.', isPlain: false };
  return describeReturn(subject, type);
}

function describeReturn({ unit, file }: Subject, type: TypeRef): { readonly text: string; readonly isPlain: boolean } {
  const named = `'${type.text}'`;
  switch (type.kind) {
    case 'pointer':
      return { text: `It returns a pointer (${named}).`, isPlain: false };
    case 'slice':
      return { text: `It returns a slice (${named}): a pointer and a length.`, isPlain: false };
    case 'assoc-array':
      return {
        text: `It returns an associative array (${named}), a reference to the collector's memory.`,
        isPlain: false,
      };
    case 'delegate':
      return { text: `It returns a delegate (${named}), which carries a frame or an object.`, isPlain: false };
    case 'function':
      return { text: `It returns a function pointer (${named}), which points to code.`, isPlain: true };
    case 'path': {
      if (PLAIN_TYPES.has(type.name))
        return {
          text: type.name === 'void' ? NOTHING : `It returns the value type ${named}.`,
          isPlain: true,
        };
      const kind = unit.oracle('d').declaration(type.name, file.path)?.kind;
      if (kind === 'class' || kind === 'interface')
        return {
          text: `It returns a reference to the ${kind} ${named}, not a pointer into other storage.`,
          isPlain: true,
        };
      if (kind === 'enum') return { text: `It returns the enum ${named}.`, isPlain: true };
      if (kind !== undefined)
        return { text: `It returns the ${kind} ${named} by value; its fields may point elsewhere.`, isPlain: false };
      return { text: `It returns ${named}, which is not declared in this package.`, isPlain: false };
    }
    default:
      return { text: `It returns ${named}.`, isPlain: false };
  }
}

/** Values of `return` in the subject's own body, not those of functions in it. */
function returnedValues({ fn }: Subject, walk: Walk): readonly Expr[] {
  const values = walk.flatMap(([{ expr }, inside]) =>
    inside.id === fn?.id && expr.kind === 'return' && expr.value !== undefined ? [expr.value] : [],
  );
  return fn?.body?.result === undefined ? values : [...values, fn.body.result];
}

/** Whether a value is returned; a mixin or what was not understood may do so. */
function mayReturn(subject: Subject, walk: Walk): boolean {
  const isUnread = walk.some(
    ([{ expr }, inside]) => inside.id === subject.fn?.id && (expr.kind === 'macro' || expr.kind === 'unknown'),
  );
  return isUnread || returnedValues(subject, walk).length > 0;
}

function askAboutCaptures(subject: Subject, walk: Walk): Question {
  const { file, fn } = subject;
  const facts: Fact[] = [];
  let made = 0;
  for (const [{ expr, around }] of walk) {
    if (expr.kind !== 'closure') continue;
    const inner = file.functions.find(({ id }) => id === expr.functionId);
    if (inner === undefined) continue;
    made++;
    const names = capturedBy(subject, inner);
    const sink = sinkOf(around.at(-1), expr);
    facts.push(
      factAt(
        subject,
        expr.span,
        names.length === 0
          ? `A delegate is made that captures nothing; ${sink}.`
          : `A delegate captures ${names.join(', ')}; ${sink}.`,
      ),
    );
  }
  if (subject.kind === 'trusted-lambda' && fn !== undefined) {
    const names = capturedBy(subject, fn);
    facts.push(
      factAt(
        subject,
        fn.span,
        names.length === 0
          ? 'It captures nothing itself.'
          : `It captures ${names.join(', ')} itself, by reference to the frame.`,
      ),
    );
    made += names.length;
  }
  const nested = file.functions.filter((one) => one.parent === fn?.id && one.kind === 'function');
  for (const one of nested) {
    const names = capturedBy(subject, one);
    if (names.length > 0)
      facts.push(factAt(subject, one.nameSpan, `The nested function '${one.name}' uses ${names.join(', ')}.`));
  }
  for (const param of fn?.params ?? [])
    if (param.type?.kind === 'delegate')
      facts.push(
        factAt(
          subject,
          param.span,
          `The parameter '${param.name}' is a delegate${param.modifiers.includes('scope') ? " ('scope')" : ', and may be kept'}.`,
        ),
      );
  return question(
    'captures',
    'Captures',
    'Does it capture variables in delegates, and by value?',
    facts,
    made === 0 && facts.length === 0 ? 'no delegate is made or taken here' : undefined,
  );
}

function capturedBy({ file }: Subject, closure: FunctionIr): readonly string[] {
  const outer = enclosing(file, closure);
  const found: string[] = [];
  for (const name of freeNames(file, closure).keys()) {
    if (name === 'self') {
      found.push("'this'");
      continue;
    }
    for (const around of outer) {
      const param = around.params.find((one) => one.name === name);
      if (param !== undefined) {
        const by =
          param.modifiers.includes('ref') || param.modifiers.includes('out') ? 'reference parameter' : 'parameter';
        found.push(`'${name}' (${by})`);
        break;
      }
      if (declaredIn(around).has(name)) {
        found.push(`'${name}' (variable of '${around.name}')`);
        break;
      }
    }
  }
  return found;
}

function sinkOf(parent: Expr | undefined, closure: Expr): string {
  if (parent === undefined) return 'it is bound, returned or run in this function';
  if (parent.kind === 'call' && parent.callee === closure) return 'it is called at once';
  if (parent.kind === 'return') return 'it is returned';
  if (parent.kind === 'assign') return `it is stored in '${memberPath(parent.target) ?? 'an expression'}'`;
  const name = calledName(parent);
  return name === undefined ? 'where it goes is not shown' : `it is given to '${name}'`;
}

function askAboutArrays(subject: Subject, walk: Walk): Question {
  const { file, fn, unit } = subject;
  const facts: Fact[] = [];
  const containers = containersPointedInto(subject);
  for (const [key, place] of containers) {
    facts.push({ text: elementFact(subject, place), path: file.path });
    facts.push(...growthFacts(subject, key, describePlace(place)));
  }
  for (const growth of subject.flow()?.growths ?? [])
    if (isInside(growth.span, subject.span) && growth.key !== undefined && !containers.has(growth.key))
      facts.push(factAt(subject, growth.span, `'${describePlace(growth.place)}' is changed here by '${growth.how}'.`));

  let answer: string | undefined;
  const type = fn === undefined ? undefined : aggregateOf(file, fn);
  for (const value of returnedValues(subject, walk)) {
    if (value.kind !== 'index') continue;
    const name = memberPath(value.base);
    const field = type?.fields.find((one) => one.name === name);
    const element = field?.type?.element;
    if (name === undefined || type === undefined || element?.kind !== 'path') continue;
    const kind = unit.oracle('d').declaration(element.name, file.path)?.kind;
    if (kind !== 'class' && kind !== 'interface') continue;
    facts.push(
      factAt(
        subject,
        value.span,
        `The element of '${name}' is returned by value, and elements are references to the ${kind} '${element.text}'.`,
      ),
    );
    facts.push(...growthFacts(subject, `${type.name}.${name}`, name));
    if (containers.size === 0) answer = `growth moves the references in '${name}', not the objects that they lead to`;
  }
  return question(
    'array-stability',
    'Array stability',
    'Does it rely on an array that stays where it is, and who appends to, shrinks or reuses it meanwhile?',
    facts,
    answer,
  );
}

const STARTERS = new Set([
  'Thread',
  'Fiber',
  'spawn',
  'spawnLinked',
  'task',
  'runTask',
  'runWorkerTask',
  'parallel',
  'executeInNewThread',
  'createLowLevelThread',
]);
const ATOMICS = new Set([
  'atomicLoad',
  'atomicStore',
  'atomicOp',
  'atomicExchange',
  'atomicFetchAdd',
  'atomicFetchSub',
  'cas',
  'casWeak',
  'atomicFence',
]);

function askAboutThreads(subject: Subject, walk: Walk): Question {
  const { fn } = subject;
  const facts: Fact[] = [];
  for (const [{ expr, around }, inside] of walk) {
    if (expr.kind === 'block' && expr.flavour === 'synchronized')
      facts.push(factAt(subject, expr.span, `${lockName(expr)} is entered.`));
    if (expr.kind === 'return' && inside.id === fn?.id) {
      const locks = around.flatMap((outer) =>
        outer.kind === 'block' && outer.flavour === 'synchronized' ? [lockName(outer)] : [],
      );
      if (locks.length > 0)
        facts.push(
          factAt(subject, expr.span, `It returns from inside ${locks.join(' and ')}, which the return leaves.`),
        );
    }
    if (expr.kind === 'cast' && /\bshared\b/u.test(`${expr.type.text} ${(expr.type.qualifiers ?? []).join(' ')}`))
      facts.push(factAt(subject, expr.span, `A cast makes a value 'shared' ('${expr.type.text}').`));
    if (expr.kind === 'cast' && expr.type.text === '')
      facts.push(factAt(subject, expr.span, "'cast()' takes 'shared' and 'const' away."));
    const name = calledName(expr);
    if (name === undefined) continue;
    if (STARTERS.has(name))
      facts.push(factAt(subject, expr.span, `'${name}' starts work that may run on another thread.`));
    else if (ATOMICS.has(name)) facts.push(factAt(subject, expr.span, `'${name}' is an atomic operation.`));
    else if (expr.kind === 'method' && /^(?:lock|unlock|tryLock|lock_nothrow|unlock_nothrow)$/u.test(name))
      facts.push(
        factAt(subject, expr.span, `'${name}' is called on '${memberPath(expr.receiver) ?? 'an expression'}'.`),
      );
  }
  for (const access of subject.flow()?.accesses ?? [])
    if (access.place.root.kind === 'global' && isInside(access.span, subject.span))
      facts.push(factAt(subject, access.span, `The module variable '${describePlace(access.place)}' is touched.`));
  for (const escape of subject.flow()?.escapes ?? []) {
    const lock = escape.pointer.locks[0];
    if (lock !== undefined && isInside(escape.span, subject.span) && escape.kind !== 'argument')
      facts.push(factAt(subject, escape.span, `A pointer that was made under the lock on '${lock.what}' leaves here.`));
  }
  if (fn?.attributes.some(({ name }) => name === 'synchronized') === true)
    facts.push(factAt(subject, fn.nameSpan, "The method is 'synchronized'."));
  if (fn?.attributes.some(({ name }) => name === 'shared') === true)
    facts.push(factAt(subject, fn.nameSpan, "The method is 'shared': several threads may run it on one object."));
  return question(
    'thread-state',
    'Thread state',
    'Does it assume that one thread, or one lock, has the data to itself?',
    facts,
  );
}

function lockName(expr: Extract<Expr, { kind: 'block' }>): string {
  return expr.subject === undefined ? "'synchronized'" : `'synchronized (${memberPath(expr.subject) ?? '..'})'`;
}

const MALLOC = new Set([
  'malloc',
  'calloc',
  'realloc',
  'free',
  'pureMalloc',
  'pureCalloc',
  'pureRealloc',
  'pureFree',
  'mmap',
  'munmap',
  'emplace',
  'destroy',
  'makeArray',
  'dispose',
]);
const COLLECTOR = new Set([
  'addRoot',
  'addRange',
  'removeRoot',
  'removeRange',
  'setAttr',
  'clrAttr',
  'inFinalizer',
  'toStringz',
  'extend',
  'qalloc',
]);

function askAboutCollector(subject: Subject, walk: Walk): Question {
  const { fn, unit } = subject;
  const facts: Fact[] = [];
  for (const [{ expr, around }] of walk) {
    const name = calledName(expr);
    if (name === undefined) continue;
    const cast = around.at(-1);
    const as = cast?.kind === 'cast' ? ` and cast to '${cast.type.text}'` : '';
    if (MALLOC.has(name))
      facts.push(
        factAt(subject, expr.span, `'${name}' is called${as}: the collector doesn't scan or own such memory.`),
      );
    else if (COLLECTOR.has(name)) facts.push(factAt(subject, expr.span, `'${name}' is called.`));
    else if (expr.kind === 'new')
      facts.push(factAt(subject, expr.span, `'new ${expr.type.text}' makes an object of the collector.`));
    const foreign =
      expr.kind === 'new'
        ? undefined
        : unit.functionsNamed(name, 'd').find(({ item }) => item.abi !== undefined && item.abi !== 'D');
    if (foreign !== undefined && !MALLOC.has(name))
      facts.push(
        factAt(
          subject,
          expr.span,
          `'${name}' is a foreign function (extern(${foreign.item.abi ?? 'C'}), declared in '${foreign.file.path}'); what it keeps is not shown.`,
        ),
      );
  }
  if (fn?.kind === 'destructor')
    facts.push(
      factAt(subject, fn.nameSpan, 'It is a destructor: the collector may run it when what it refers to is gone.'),
    );
  return question(
    'collector',
    'Collector',
    'Could a collection free or finalise what it uses, and is a root or range needed?',
    facts,
  );
}
