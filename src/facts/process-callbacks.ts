/** Threadsafe functions in closures that a library keeps, or goes on calling, until the process ends. */
import { closingBracket } from './plain-text.js';
import { isStrong } from './threadsafe-functions.js';
import type { UnitFacts } from './unit.js';
import type { FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';

export interface ProcessCallback {
  readonly fn: FunctionIr;
  readonly name: string;
  readonly callee: string;
  readonly span: Span;
}

/**
 * What takes a closure and has no way to give it back: listeners for the input of the whole system, handlers that a crate keeps in a
 * static, hooks of the process.
 */
const KEEPS =
  /\b(?:(?:rdev::)?(?<listener>listen|grab|start_grab_listen)\s*\(|(?<event>\w+Event::set_event_handler)\s*\(\s*Some\s*\(|(?<hook>ctrlc::set_handler|panic::set_hook)\s*\()\s*(?:Box::new\s*\(\s*)?(?:move\s*\||(?<variable>[a-z_]\w*)\s*\))/gu;

/** A word of each of them, for a look at the whole text. */
const WORDS = /\brdev\b|set_event_handler|\bctrlc\b|set_hook/u;

/** Who looks at the status, or lets go of the callback, has thought of its end. */
const ANSWERED = /\.\s*(?:unref|abort)\s*\(|\bStatus::(?:Ok|Closing)\b|add_env_cleanup_hook/u;

/** `text` is that of the file without comments. */
export function findProcessCallbacks(unit: UnitFacts, file: FileIr, text: string): readonly ProcessCallback[] {
  if (!WORDS.test(text) || ANSWERED.test(text)) return [];
  const found = [...text.matchAll(KEEPS)].flatMap((match) => {
    const { listener, event, hook, variable } = match.groups ?? {};
    // Another function of that name may end.
    if (listener !== undefined && (!/\brdev\b/u.test(text) || new RegExp(`\\bfn\\s+${listener}\\b`, 'u').test(text)))
      return [];
    const around = file.functions.filter(
      ({ bodySpan }) => bodySpan && bodySpan.start < match.index && match.index < bodySpan.end,
    );
    const fn = around.find((f) => f.parent === undefined);
    const closure = variable === undefined ? match.index : fn && closureIn(text, fn, variable);
    const name = closure === undefined ? undefined : calledIn(text.slice(closure, endOfCall(text, closure)));
    if (!fn?.bodySpan || name === undefined || !holdsCallback(unit, file, fn, text, name)) return [];
    const callee = listener ?? event ?? hook ?? '';
    const start = match.index + match[0].indexOf(callee);
    return [{ fn, name, callee, span: { start, end: start + callee.length } }];
  });
  // A closure with a name may be given away on two ways.
  return found.filter((f, i) => !found.slice(0, i).some((before) => before.fn === f.fn && before.name === f.name));
}

/** Where the closure begins that a variable is bound to. */
function closureIn(text: string, fn: FunctionIr, variable: string): number | undefined {
  const start = fn.bodySpan?.start ?? 0;
  const bound = new RegExp(`\\blet\\s+(?:mut\\s+)?${variable}\\s*=\\s*move\\s*\\|[^|]*\\|\\s*\\{`, 'u');
  const match = bound.exec(text.slice(start, fn.bodySpan?.end));
  return match ? start + match.index + match[0].length - 1 : undefined;
}

/** The variable that is called as a threadsafe function in a closure. */
function calledIn(text: string): string | undefined {
  return /\b([a-z_]\w*)\s*\.\s*call(?:_with_return_value)?\s*\([^;]*ThreadsafeFunctionCallMode\b/u.exec(text)?.[1];
}

/** Where the call or the closure that begins at `at` ends: with the parenthesis or brace that opens there. */
function endOfCall(text: string, at: number): number {
  const open = text[at] === '{' ? at : text.indexOf('(', at);
  return open < 0 ? text.length : closingBracket(text, open + 1);
}

/** A parameter that is a strong threadsafe function, or a variable that one was made for, also by way of a clone. */
function holdsCallback(unit: UnitFacts, file: FileIr, fn: FunctionIr, text: string, name: string, depth = 0): boolean {
  const type = fn.params.find((p) => p.name === name)?.type;
  if (type) return isStrong(unit, file, type, true);
  const body = text.slice(fn.bodySpan?.start, fn.bodySpan?.end);
  const made = new RegExp(`\\blet\\s+(?:mut\\s+)?${name}\\s*(?::([^=;]*))?=([^;]*)`, 'u').exec(body);
  if (!made) return false;
  const [, declared = '', init = ''] = made;
  const origin = /^\s*(?:Arc::clone\s*\(\s*&\s*(\w+)\s*\)|(\w+)\s*\.\s*clone\s*\(\s*\))\s*$/u.exec(init);
  const from = origin?.[1] ?? origin?.[2];
  if (from !== undefined && from !== name && depth < 4) return holdsCallback(unit, file, fn, text, from, depth + 1);
  if (/\bweak\b|,\s*true\s*(?:,\s*\d+\s*)?>/u.test(`${declared}${init}`)) return false;
  return /\b(?:create|build)_threadsafe_function\b|\bThreadsafeFunction\b/u.test(`${declared}${init}`);
}
