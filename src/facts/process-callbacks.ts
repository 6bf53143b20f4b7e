/** Threadsafe functions in closures that a library keeps, or goes on calling, until the process ends. */
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
  /\b(?:rdev::)?(?<listener>listen|grab|start_grab_listen)\s*\(\s*(?:Box::new\s*\(\s*)?move\s*\||\b(?<event>\w+Event::set_event_handler)\s*\(\s*Some\s*\(\s*(?:Box::new\s*\(\s*)?move\s*\||\b(?<hook>ctrlc::set_handler|panic::set_hook)\s*\(\s*(?:Box::new\s*\(\s*)?move\s*\|/gu;

/** A word of each of them, for a look at the whole text. */
const WORDS = /\brdev\b|set_event_handler|\bctrlc\b|set_hook/u;

/** Who looks at the status, or lets go of the callback, has thought of its end. */
const ANSWERED = /\.\s*(?:unref|abort)\s*\(|\bStatus::(?:Ok|Closing)\b|add_env_cleanup_hook/u;

/** `text` is that of the file without comments. */
export function findProcessCallbacks(unit: UnitFacts, file: FileIr, text: string): readonly ProcessCallback[] {
  if (!WORDS.test(text) || ANSWERED.test(text)) return [];
  return [...text.matchAll(KEEPS)].flatMap((match) => {
    const { listener, event, hook } = match.groups ?? {};
    // Another function of that name may end.
    if (listener !== undefined && (!/\brdev\b/u.test(text) || new RegExp(`\\bfn\\s+${listener}\\b`, 'u').test(text)))
      return [];
    const around = file.functions.filter(
      ({ bodySpan }) => bodySpan && bodySpan.start < match.index && match.index < bodySpan.end,
    );
    const fn = around.find((f) => f.parent === undefined);
    const name = fn && calledIn(text.slice(match.index, endOfCall(text, match.index)));
    if (!fn?.bodySpan || name === undefined || !holdsCallback(unit, file, fn, text, name)) return [];
    const callee = listener ?? event ?? hook ?? '';
    const start = match.index + match[0].indexOf(callee);
    return [{ fn, name, callee, span: { start, end: start + callee.length } }];
  });
}

/** The variable that is called as a threadsafe function in a closure. */
function calledIn(text: string): string | undefined {
  return /\b([a-z_]\w*)\s*\.\s*call(?:_with_return_value)?\s*\([^;]*ThreadsafeFunctionCallMode\b/u.exec(text)?.[1];
}

/** Where the parenthesis that opens after `at` is closed. */
function endOfCall(text: string, at: number): number {
  let depth = 0;
  for (let i = text.indexOf('(', at); i >= 0 && i < text.length; i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')' && --depth === 0) return i;
  }
  return text.length;
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
