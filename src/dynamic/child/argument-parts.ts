import type { ArgumentSpec } from '../call-plan.js';

/** Whether the argument or a part of it, at any depth, is one for which `test` holds. */
export function someArgument(spec: ArgumentSpec, test: (part: ArgumentSpec) => boolean): boolean {
  if (test(spec)) return true;
  const inside = (part: ArgumentSpec): boolean => someArgument(part, test);
  switch (spec.kind) {
    case 'array':
      return spec.items.some(inside);
    case 'object':
      return Object.values(spec.fields).some(inside);
    case 'promise':
      return inside(spec.value);
    default:
      return false;
  }
}

/** Whether another sample would make another argument. */
export function takesSamples(spec: ArgumentSpec): boolean {
  return someArgument(spec, (part) => part.kind === 'buffer' || (part.kind === 'text' && part.role !== 'plain'));
}
