import type { FileIr, FunctionIr } from '../model/ir.js';
import type { UnitFacts } from './unit.js';

/** Callees that are known by name too often, and by no declaration of the package: what they do with a closure is unknown. */
const CALLED_WITH = /\b(\w{3,})\s*\(\s*(?:\w+\s*,\s*)?$/u;

/**
 * Rust: whether a closure is put by where it stands, given the text before it: in a box, or as the argument of a function of the package
 * that only puts its closure into a list or field (`fn on_quit(&self, f: impl FnOnce() + 'static) { self.hooks.push(Box::new(f)) }`).
 */
export function isPutBy(unit: UnitFacts, file: FileIr, before: string): boolean {
  if (/\b(?:Box|Arc|Rc)::new\s*\(\s*$/u.test(before)) return true;
  const name = CALLED_WITH.exec(before)?.[1];
  if (name === undefined) return false;
  const all = unit.functionsNamed(name, 'rust').filter(({ item }) => item.bodySpan);
  // A namesake in another file is another type's, where this file has one.
  const here = all.filter((one) => one.file.path === file.path);
  const named = here.length > 0 ? here : all;
  return named.length > 0 && named.every((one) => putsBy(unit.textOf(one.file.path) ?? '', one.item));
}

/** Another thread may run what is sent to it while the call is still under way. */
const HANDS_ON = /\bspawn|\bsend\s*\(|\bthread\b|\bSend\b/u;

/** Whether the one closure of a function goes into a list or field, and neither it nor another one is called in the function. */
function putsBy(text: string, { params, span, bodySpan }: FunctionIr): boolean {
  if (!bodySpan) return false;
  const head = text.slice(span.start, bodySpan.start);
  const body = text.slice(bodySpan.start, bodySpan.end);
  if (!/\bFn(?:Once|Mut)?\s*\(/u.test(head) || HANDS_ON.test(head) || HANDS_ON.test(body)) return false;
  const name = params.findLast((p) => p.name !== undefined)?.name;
  if (name === undefined || /\bfor\b|\bwhile\b|\bloop\b|\)\s*\(/u.test(body)) return false;
  const boxed = String.raw`(?:Some\s*\(\s*)?(?:(?:Box|Rc|Arc)::new\s*\(\s*)?${name}\s*\)`;
  if (new RegExp(String.raw`\b${name}\s*\(|\b${name}\s*\.\s*call`, 'u').test(body)) return false;
  return new RegExp(
    String.raw`\.\s*(?:push|push_back|insert|replace|set)\s*\((?:[^();]*,)?\s*${boxed}|(?<![=!<>])=\s*${boxed}`,
    'u',
  ).test(body);
}
