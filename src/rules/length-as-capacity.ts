import { isForgotten } from '../facts/forgotten-values.js';
import { lineOf } from '../facts/lines.js';
import type { UnitFacts } from '../facts/unit.js';
import type { CallSite, FunctionFlow } from '../flow/result.js';
import type { FileIr, FunctionIr } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { defineRule } from './rule.js';

const TOKENS = { rust: ['from_raw_parts', 'Box::from_raw'] };

export default defineRule({
  meta: {
    id: 'length-as-capacity',
    title: 'Length given as capacity',
    summary: 'A vector is rebuilt from raw parts with its length as its capacity.',
    languages: ['rust'],
    severity: 'warning',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-131', 'CWE-762'],
    messages: {
      same: "'{callee}' at line {line} is given '{length}' as length and as capacity: unless the allocation has exactly that size, freeing it uses the wrong layout.",
      boxed:
        "'Box::from_raw' at line {line} makes a boxed slice of the block of '{vector}' (line {taken}) and its length: unless the vector has exactly that capacity, freeing it uses the wrong layout.",
      swapped:
        "'{callee}' at line {line} is given the capacity '{capacity}' where it takes the length, and the length '{length}' as the capacity: it counts elements that were never written, and freeing it uses the wrong layout.",
    },
    checklist: 'Is the capacity that the memory was allocated with kept next to its pointer?',
    scenarios: ['sequential', 'command'],
  },
  tokens: TOKENS,
  bodyTokens: TOKENS,
  looksAt: 'bodies',
  perFile: ['rust'],
  check({ unit, functionsIn, report }) {
    for (const file of unit.filesOf('rust')) {
      const text = unit.textOf(file.path) ?? '';
      for (const fn of functionsIn(file)) {
        const flow = unit.flowOf(file, fn);
        for (const call of flow.calls) {
          const boxed = findBoxed(text, fn, flow, call);
          if (boxed !== undefined)
            report({
              messageId: 'boxed',
              data: {
                line: lineOf(unit, file, call.span.start),
                vector: boxed.name,
                taken: lineOf(unit, file, boxed.taken.start),
              },
              at: { file, span: call.span },
              steps: [
                {
                  file,
                  span: boxed.taken,
                  role: 'borrow',
                  note: `The block of '${boxed.name}' may be longer than what it holds.`,
                },
                { file, span: call.span, role: 'use', note: 'A box has no room to spare.' },
              ],
              key: boxed.name,
            });
          if (!/(^|::)(Vec|String)::from_raw_parts$/u.test(call.callee)) continue;
          const [, length, capacity] = call.argSpans;
          if (!length || !capacity) continue;
          const swapped = findSwapped(text, fn, call);
          if (swapped) {
            report({
              messageId: 'swapped',
              data: { callee: call.callee, line: lineOf(unit, file, call.span.start), ...swapped },
              at: { file, span: call.span },
              steps: [
                { file, span: length, role: 'use', note: `The capacity '${swapped.capacity}' is given as the length.` },
                { file, span: capacity, role: 'use', note: `The length '${swapped.length}' is given as the capacity.` },
              ],
              key: swapped.capacity,
            });
            continue;
          }
          const spelled = text.slice(length.start, length.end).trim();
          const given = text.slice(capacity.start, capacity.end).trim();
          if ((spelled !== given && !isNamedAnew(text, fn, call, given, spelled)) || /^0\b/u.test(spelled)) continue;
          // Whoever has the capacity and no length gives the memory back without its elements.
          if (/cap(?:acity)?\b|^cap/iu.test(spelled)) continue;
          if (isForgotten(text, fn, flow, call.span) || isExact(unit, file, flow, call)) continue;
          report({
            messageId: 'same',
            data: { callee: call.callee, line: lineOf(unit, file, call.span.start), length: spelled },
            at: { file, span: call.span },
            steps: [
              { file, span: length, role: 'use', note: `'${spelled}' is the length.` },
              { file, span: capacity, role: 'use', note: 'The same value is the capacity.' },
            ],
            key: spelled,
          });
        }
      }
    }
  },
});

/**
 * `Box::from_raw(slice_from_raw_parts_mut(v.as_mut_ptr(), v.len()))` of a vector that the function keeps from being dropped, and that nothing
 * has made to fit.
 */
function findBoxed(
  text: string,
  fn: FunctionIr,
  flow: FunctionFlow,
  call: CallSite,
): { readonly name: string; readonly taken: Span } | undefined {
  if (!/(?:^|::)Box::from_raw$/u.test(call.callee)) return undefined;
  for (const { target, site } of call.args[0]?.pointers ?? []) {
    const { root, path } = target;
    const isKeptBlock = root.kind === 'allocation' && root.name.endsWith('ManuallyDrop::new');
    if (!isKeptBlock && root.kind !== 'local' && root.kind !== 'param') continue;
    if ((path.at(-1) !== '[]' && !isKeptBlock) || root.type?.name !== 'Vec') continue;
    const name = isKeptBlock ? variableOf(text, root.span) : root.name;
    if (name === undefined) continue;
    const body = text.slice(fn.span.start, fn.span.end);
    const isKept = new RegExp(
      `\\b(?:forget\\s*\\(\\s*${name}\\s*\\)|${name}\\b[^=;]*=\\s*(?:\\w+\\s*::\\s*)*ManuallyDrop\\s*::)`,
      'u',
    ).test(body);
    const isWhole = new RegExp(
      `\\b${name}\\s*\\.\\s*(?:len\\s*\\(|as_mut_slice\\s*\\()|&\\s*mut\\s+(?:${name}\\s*\\[|\\*\\*\\s*${name})`,
      'u',
    ).test(body);
    if (!isKept || !isWhole) continue;
    // `if v.len() != v.capacity() { .. }`
    if (new RegExp(`\\b${name}\\s*\\.\\s*capacity\\s*\\(`, 'u').test(body)) continue;
    if (flow.calls.some((c) => /^(?:into_boxed_slice|shrink_to_fit|shrink_to)$/u.test(c.callee))) continue;
    // A copy of a slice and `vec!` are made with just the room that they fill.
    const made = new RegExp(`\\b${name}\\s*(?::[^=;]*)?=([^;{}]*)`, 'u').exec(body)?.[1] ?? '';
    if (/\b(?:to_vec|to_owned|clone)\s*\(\)|\bvec!|\bfrom_elem\b/u.test(made)) continue;
    return { name, taken: site };
  }
  return undefined;
}

/** The variable that the value made at `span` is bound to. */
function variableOf(text: string, { start }: Span): string | undefined {
  return /\blet\s+(?:mut\s+)?(\w+)\s*(?::[^=;]*)?=\s*$/u.exec(text.slice(Math.max(0, start - 120), start))?.[1];
}

/**
 * `from_raw_parts(p, capacity, len)`: the second argument comes from `capacity()` and from no `len()`, the third the other way round,
 * in the call or in the variables that it is given.
 */
function findSwapped(
  text: string,
  fn: FunctionIr,
  call: CallSite,
): { readonly capacity: string; readonly length: string } | undefined {
  const spelled = call.argSpans.map((s) => text.slice(s.start, s.end).trim());
  const [, second = '', third = ''] = spelled;
  const made = (given: string): string => {
    if (!/^\w+$/u.test(given)) return given;
    const before = text.slice(fn.span.start, call.span.start);
    const lets = [...before.matchAll(new RegExp(`\\blet\\s+(?:mut\\s+)?${given}\\s*(?::[^=;]*)?=([^;]*);`, 'gu'))];
    return lets.at(-1)?.[1]?.trim() ?? given;
  };
  const isCapacity = (of: string): boolean => /\.\s*capacity\s*\(\s*\)/u.test(of) && !/\.\s*len\s*\(/u.test(of);
  const isLength = (of: string): boolean => /\.\s*len\s*\(\s*\)/u.test(of) && !/\.\s*capacity\s*\(/u.test(of);
  return isCapacity(made(second)) && isLength(made(third)) ? { capacity: second, length: third } : undefined;
}

/** `let cap = len;`: the one variable is only another name for the other. */
function isNamedAnew(text: string, fn: FunctionIr, call: CallSite, name: string, of: string): boolean {
  if (!/^\w+$/u.test(name) || !/^[\w.]+$/u.test(of)) return false;
  const before = text.slice(fn.span.start, call.span.start);
  const lets = [...before.matchAll(new RegExp(`\\blet\\s+(?:mut\\s+)?${name}\\s*(?::[^=;]*)?=([^;]*);`, 'gu'))];
  return (
    lets.length === 1 &&
    lets[0]?.[1]?.trim() === of &&
    !new RegExp(`\\b${name}\\s*[-+*/]?=[^=]|&\\s*mut\\s+${name}\\b`, 'u').test(before.replace(lets[0][0], ''))
  );
}

/**
 * Every vector that the file forgets is one of `vec![value; count]`, which has just that room, and nothing is added to it: a pointer that
 * is looked up leads to one of them.
 */
function isLeftExact(file: FileIr, text: string): boolean {
  const known = leftExact.get(file);
  if (known !== undefined) return known;
  const found = areLeftExact(text);
  leftExact.set(file, found);
  return found;
}

/** What was found for a file: its answer is the same for every call. */
const leftExact = new WeakMap<FileIr, boolean>();

function areLeftExact(text: string): boolean {
  const left = [...text.matchAll(/\bforget\s*\(\s*(\w+)\s*\)/gu)];
  return (
    left.length > 0 &&
    !/\bManuallyDrop\b|\bleak\s*\(|\b(?:Box|CString)::into_raw\b|\binto_raw_parts\b/u.test(text) &&
    left.every(({ 1: name = '', index }) => {
      const made = text.lastIndexOf(`let mut ${name}`, index);
      const between = made < 0 ? '' : text.slice(made, index);
      return (
        /^let mut \w+\s*(?::[^=;]*)?=\s*vec!\s*\[[^\];]*;/u.test(between) &&
        !/\n\}/u.test(between) &&
        // Nothing but reading and filling of the elements keeps the length.
        !new RegExp(
          `\\b${name}\\b(?!\\s*(?:\\[|\\.\\s*(?:as_(?:mut_)?(?:ptr|slice)|len|capacity|iter(?:_mut)?|fill|copy_from_slice|is_empty)\\b))`,
          'u',
        ).test(between.slice(`let mut ${name}`.length))
      );
    })
  );
}

/** Memory that was made to fit before it was taken apart: a boxed slice, or a vector that was shrunk. */
function isExact(unit: UnitFacts, file: FileIr, flow: FunctionFlow, call: CallSite): boolean {
  const text = unit.textOf(file.path) ?? '';
  const given = call.argSpans[0];
  // A box has no room to spare.
  if (given && /\bBox::into_raw\s*\(/u.test(text.slice(given.start, given.end))) return true;
  const roots = (call.args[0]?.pointers ?? []).map((p) => p.target.root);
  if (
    flow.calls.some(
      (c) => /^(into_boxed_slice|shrink_to_fit|shrink_to)$/u.test(c.callee) && c.span.start < call.span.start,
    )
  )
    return true;
  if (isLaidOut(text, call)) return true;
  // The other half of an exported pair often stands in the same file.
  return (
    (roots.every((r) => r.kind === 'param' || r.kind === 'self') &&
      /\.(?:into_boxed_slice|shrink_to_fit)\(\)/u.test(text) &&
      !isFilledWithVector(text, file, given ? text.slice(given.start, given.end) : '')) ||
    (roots.length === 0 && isLeftExact(file, text))
  );
}

/**
 * `EntryArray { entries: list_ptr, .. }` after `let list_ptr = list.as_mut_ptr()` and `forget(list)`: whatever else of the file fits, the
 * field that `array.entries` reads holds a vector as it grew. A copy of a slice and `vec!` are made with just the room that they fill.
 */
function isFilledWithVector(text: string, file: FileIr, given: string): boolean {
  const field = /^\w+\s*\.\s*([a-z]\w*)(?:\s+as\b[^;]*|\s*\.\s*cast\b[^;]*)?$/u.exec(given.trim())?.[1];
  if (field === undefined) return false;
  const filled = new RegExp(`[{,]\\s*${field}\\s*(?:[,}]|:\\s*(\\w+)(?:\\s*\\.\\s*(as_mut_ptr|as_ptr)\\(\\))?)`, 'gu');
  return file.functions.some(({ bodySpan, parent, isTest }) => {
    if (!bodySpan || parent !== undefined || isTest) return false;
    const body = text.slice(bodySpan.start, bodySpan.end);
    return [...body.matchAll(filled)].some(([, value = field, taken]) => {
      const vector = taken === undefined ? takenFrom(body, value) : value;
      return (
        vector !== undefined &&
        new RegExp(`\\b(?:forget|ManuallyDrop::new)\\s*\\(\\s*${vector}\\s*\\)`, 'u').test(body) &&
        !new RegExp(
          `\\b${vector}\\s*\\.\\s*shrink_to|\\b${vector}\\s*(?::[^=;]*)?=[^;{}]*(?:\\b(?:into_boxed_slice|to_vec|to_owned|clone)\\(\\)|\\bvec!|\\bfrom_elem\\b)`,
          'u',
        ).test(body)
      );
    });
  });
}

/** `let ptr = list.as_mut_ptr();`: the variable whose pointer another one holds. */
function takenFrom(body: string, name: string): string | undefined {
  return new RegExp(
    `\\blet\\s+(?:mut\\s+)?${name}\\s*(?::[^=;]*)?=\\s*(\\w+)\\s*\\.\\s*as_(?:mut_)?ptr\\(\\)`,
    'u',
  ).exec(body)?.[1];
}

/** `alloc(Layout::array::<u8>(n)?)` shortly before: the block was made with room for just as many. */
function isLaidOut(text: string, { span, argSpans: [, length] }: CallSite): boolean {
  if (!length) return false;
  const count = text
    .slice(length.start, length.end)
    .trim()
    .replace(/[^\w\s]/gu, '\\$&');
  const before = text.slice(Math.max(0, span.start - 500), span.start);
  return (
    new RegExp(`\\bLayout\\s*::\\s*array\\s*::\\s*<[^;]*>\\s*\\(\\s*${count}\\s*\\)`, 'u').test(before) &&
    /\balloc(?:_zeroed)?\s*\(/u.test(before)
  );
}
