import { lineOf } from '../facts/lines.js';
import { growthKey, typeOfPlace } from '../flow/place-type.js';
import { containerOf, describePlace, originOf, type Place } from '../flow/place.js';
import type { Pointer } from '../flow/result.js';
import { elementType, isGrowable } from '../flow/types.js';
import type { TypeRef } from '../model/ir.js';
import type { Fact } from './checklist.js';
import { isInside } from '../model/source.js';
import { factAt, type Subject } from './subject.js';

/** Pointers that are made in the subject. */
function pointersIn(subject: Subject): readonly Pointer[] {
  return (subject.flow()?.pointers ?? []).filter(({ site }) => isInside(site, subject.span));
}

/** Containers of the unit that the subject points into, by the key under which every function knows them. */
export function containersPointedInto(subject: Subject): ReadonlyMap<string, Place> {
  const found = new Map<string, Place>();
  const { unit, file } = subject;
  const oracle = unit.oracle(file.language);
  for (const pointer of pointersIn(subject)) {
    for (const place of [pointer.target, originOf(pointer.target)]) {
      const container = containerOf(place);
      if (container === undefined) continue;
      if (isGrowable(typeOfPlace(container, oracle, file.path), file.language) === false) continue;
      const key = growthKey(container, oracle, file.path);
      if (key !== undefined && !found.has(key)) found.set(key, container);
    }
  }
  return found;
}

/** Every place of the unit where the container with this key grows, one fact each. */
export function growthFacts(subject: Subject, key: string, name: string): readonly Fact[] {
  const { unit, file } = subject;
  return unit.growthsOf(key, file.language, file.path).map((site) => ({
    text: `'${name}' is changed by '${site.growth.how}' in '${site.fn.qualifiedName}'${site.inConstructor ? ' (a constructor or destructor)' : ''}.`,
    path: site.file.path,
    line: lineOf(unit, site.file, site.growth.span.start),
  }));
}

/** Where the memory of a place begins, as a reader says it. */
function describeOrigin(subject: Subject, target: Place): string {
  const { file, unit } = subject;
  const place = originOf(target);
  const container = containerOf(place);
  const inside = container === undefined ? '' : `an element of ${describeContainer(subject, container)} in `;
  switch (place.root.kind) {
    case 'local':
      return `${inside}the local variable '${place.root.name}'${storageOf(place.root.type, file.language)}`;
    case 'param':
      return `${inside}the ${place.root.byValue ? '' : 'reference '}parameter '${place.root.name}'`;
    case 'self':
      return `${inside}${file.language === 'd' ? "'this'" : "'self'"}`;
    case 'global':
      return `${inside}the global '${place.root.name}'`;
    case 'temp':
      return `${inside}a temporary of one statement`;
    case 'allocation':
      return `${inside}${{ heap: 'a heap allocation', gc: 'memory of the collector', malloc: 'memory of malloc', foreign: 'memory of a foreign library', js: 'memory of JavaScript', stack: 'an object on the stack', none: 'an allocation' }[place.root.storage ?? 'none']}`;
    case 'captured':
      return `${inside}the captured variable '${place.root.name}'`;
    case 'unknown':
      return `${inside}memory of an owner that is not shown here (unit '${unit.root === '' ? '.' : unit.root}')`;
  }
}

function storageOf(type: TypeRef | undefined, language: string): string {
  if (language !== 'd' || type === undefined) return '';
  return type.kind === 'static-array' ? ' (a static array)' : type.kind === 'slice' ? ' (an array)' : '';
}

function describeContainer(subject: Subject, container: Place): string {
  const { unit, file } = subject;
  const type = typeOfPlace(container, unit.oracle(file.language), file.path);
  if (type?.kind === 'static-array') return 'a static array';
  if (type?.kind === 'assoc-array') return 'an associative array';
  return isGrowable(type, file.language) === true ? 'a growable array' : 'a container';
}

/** What is pointed into: the container with its element type. */
export function elementFact(subject: Subject, container: Place): string {
  const { unit, file } = subject;
  const oracle = unit.oracle(file.language);
  const element = elementType(typeOfPlace(container, oracle, file.path));
  const name = describePlace(container);
  if (element === undefined || element.text === '')
    return `'${name}' is pointed into; the type of its elements is not shown.`;
  const kind = element.kind === 'path' ? oracle.declaration(element.name, file.path)?.kind : undefined;
  return `'${name}' is pointed into; its elements are '${element.text}'${kind === undefined ? '' : ` (a ${kind})`}.`;
}

/** Pointers of the subject that are used after their target moved or died. */
export function staleFacts(subject: Subject): readonly Fact[] {
  return (subject.flow()?.staleUses ?? [])
    .filter(({ pointer, use }) => isInside(pointer.site, subject.span) || isInside(use.span, subject.span))
    .map(({ pointer, invalidation, use }) => {
      const line = String(lineOf(subject.unit, subject.file, invalidation.span.start));
      const round = use.span.start <= invalidation.span.start ? ', in a later round of a loop' : '';
      return factAt(
        subject,
        use.span,
        `The pointer to '${describePlace(pointer.target)}' is used after '${invalidation.how}' in line ${line}${round}.`,
      );
    });
}

/** Pointers of the subject that leave it: returned, stored, given away. */
export function escapeFacts(subject: Subject, kinds: ReadonlySet<string>): readonly Fact[] {
  return (subject.flow()?.escapes ?? [])
    .filter(
      ({ kind, pointer, span }) =>
        kinds.has(kind) && (isInside(pointer.site, subject.span) || isInside(span, subject.span)),
    )
    .map((escape) => {
      const origin = describeOrigin(subject, escape.pointer.target);
      const erased = escape.pointer.erased ? ', its lifetime taken away' : '';
      const way =
        escape.kind === 'return'
          ? 'is returned'
          : escape.kind === 'store' || escape.kind === 'collect'
            ? `is stored in '${escape.into === undefined ? '?' : describePlace(escape.into)}'`
            : escape.kind === 'throw'
              ? 'is thrown'
              : `is given to '${escape.callee ?? 'a call'}'`;
      const { root, path } = escape.pointer.target;
      // Nothing in the function made it: a variable or field held it from the start.
      if (escape.pointer.how === 'declared' && path.at(-1) === '*')
        return factAt(
          subject,
          escape.span,
          `The pointer in '${describePlace({ root, path: path.slice(0, -1) })}' ${way}.`,
        );
      return factAt(subject, escape.span, `A pointer ('${escape.pointer.how}'${erased}) to ${origin} ${way}.`);
    });
}
