import type { Pattern } from './ir.js';

/** The names that a pattern binds, those of nested patterns included. */
export function namesOf(pattern: Pattern): readonly string[] {
  switch (pattern.kind) {
    case 'bind':
      return [pattern.name, ...(pattern.sub ? namesOf(pattern.sub) : [])];
    case 'parts':
      return pattern.parts.flatMap((p) => namesOf(p.pattern));
    case 'reference':
      return namesOf(pattern.pattern);
    case 'alternatives':
      return pattern.patterns.flatMap(namesOf);
    default:
      return [];
  }
}
