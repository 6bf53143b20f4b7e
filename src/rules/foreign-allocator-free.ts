import { findFreedByLibrary, findFreedText } from '../facts/freed-as.js';
import { isForgotten } from '../facts/forgotten-values.js';
import { findForeignResults } from '../facts/foreign-results.js';
import { lineOf } from '../facts/lines.js';
import { findFieldMismatches } from '../facts/raw-fields.js';
import type { UnitFacts } from '../facts/unit.js';
import type { Adoption, CallSite, FunctionFlow, Pointer } from '../flow/result.js';
import type { Root } from '../flow/place.js';
import { typeOfPlace } from '../flow/place-type.js';
import { ownsBlock, withoutAlias } from '../flow/types.js';
import type { FileIr, FunctionIr, Param, TypeDecl, TypeRef } from '../model/ir.js';
import type { Span } from '../model/source.js';
import { defineRule } from './rule.js';

/** The last ones are names of helpers that take a pointer over: `drop_c_string(text)`. */
const TOKENS = {
  rust: ['from_raw', 'libc::free', 'free(', 'munmap(', 'dealloc(', 'transmute', 'drop_', 'destroy_', 'release_'],
};

export default defineRule({
  meta: {
    id: 'foreign-allocator-free',
    title: 'Memory freed by another allocator',
    summary: 'Memory that came from foreign code is freed by Rust, or the other way round.',
    languages: ['rust'],
    severity: 'error',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-762', 'CWE-590'],
    messages: {
      adopted:
        "Memory from '{source}' (line {acquired}) is taken over by '{adopter}' at line {line}: Rust will free what it did not allocate.",
      unallocated:
        "'{adopter}' at line {line} takes over '{borrow}', a pointer into '{owner}' (line {acquired}), which no allocator made: Rust will free what cannot be freed.",
      lent: "'{adopter}' at line {line} takes over '{param}' (line {lent}), text that a library lends to the callback '{callback}': Rust will free what it did not allocate, and the library frees it again.",
      returned:
        "Memory of the C library from '{source}' (line {acquired}) is freed by '{release}' at line {line}: Rust's allocator did not make it.",
      stack:
        "'{release}' at line {line} is given '{borrow}', a pointer into '{owner}' (line {acquired}), which no allocator made.",
      field:
        "'{type}.{field}' is filled by '{maker}' (line {acquired}) and freed by '{taker}' at line {line}: the one allocator did not make what the other frees.",
      mapped:
        "Memory from '{source}' (line {acquired}) is released by '{release}' at line {line}, which did not make it.",
      freed: "Memory that Rust allocated by '{source}' (line {acquired}) is freed by '{release}' at line {line}.",
    },
    checklist: 'Is every block freed by the allocator that made it?',
    scenarios: ['sequential', 'command'],
  },
  tokens: TOKENS,
  // Without `unsafe` nothing of this compiles.
  requires: { rust: ['unsafe'] },
  bodyTokens: {
    rust: [
      'from_raw',
      'free',
      'munmap',
      'dealloc',
      /\b(?:drop|destroy|release)_\w+\s*\(|(?<![.\w])(?:destroy|release)\s*\(/u,
      /\btransmute\s*::\s*<[^;(]*,\s*(?:\w+\s*::\s*)*Box\s*</u,
    ],
  },
  looksAt: 'bodies',
  perFile: ['rust'],
  check({ unit, functionsIn, report }) {
    for (const file of unit.filesOf('rust')) {
      for (const { type, field, maker, taker } of [
        ...findFieldMismatches(unit, file).filter((m) => m.isForeign),
        ...findForeignResults(unit, file),
      ]) {
        report({
          messageId: 'field',
          data: {
            type,
            field,
            maker: maker.how,
            acquired: lineOf(unit, file, maker.span.start),
            taker: taker.how,
            line: lineOf(unit, file, taker.span.start),
          },
          at: { file, span: taker.span },
          steps: [
            { file, span: maker.span, role: 'acquire', note: `'${field}' is filled here.` },
            { file, span: taker.span, role: 'release', note: `'${taker.how}' frees it.` },
          ],
          key: `${type}.${field}|${taker.how}`,
        });
      }
      for (const fn of functionsIn(file)) {
        const flow = unit.flowOf(file, fn);
        const seen = new Set<number>();
        const reportFreed = (
          { callee: release, span }: Pick<CallSite, 'callee' | 'span'>,
          messageId: 'freed' | 'returned' | 'mapped',
          source: string,
          acquired: Span,
          notes: { readonly got: string; readonly given: string },
        ): void => {
          if (seen.has(span.start)) return;
          seen.add(span.start);
          report({
            messageId,
            data: {
              source,
              acquired: lineOf(unit, file, acquired.start),
              release,
              line: lineOf(unit, file, span.start),
            },
            at: { file, span },
            steps: [
              { file, span: acquired, role: 'acquire', note: `'${source}' ${notes.got}.` },
              { file, span, role: 'release', note: `'${release}' ${notes.given}.` },
            ],
            key: source,
          });
        };
        const library = findFreedByLibrary(unit, file, fn) ?? findFreedText(unit, file, fn);
        if (library)
          reportFreed({ callee: library.release, span: library.freed }, 'freed', library.how, library.made, {
            got: "gives away memory of Rust's allocator",
            given: 'gives it to another allocator',
          });
        for (const adoption of flow.adoptions) {
          const { root } = adoption.pointer.target;
          const lent = seen.has(adoption.span.start) ? undefined : lentText(unit, file, fn, adoption);
          if (lent && !isForgotten(unit.textOf(file.path) ?? '', fn, flow, adoption.span)) {
            seen.add(adoption.span.start);
            report({
              messageId: 'lent',
              data: {
                adopter: adoption.through ?? adoption.how,
                line: lineOf(unit, file, adoption.span.start),
                param: lent.name,
                lent: lineOf(unit, file, lent.span.start),
                callback: fn.name,
              },
              at: { file, span: adoption.span },
              steps: [
                { file, span: lent.span, role: 'acquire', note: `The library owns '${lent.name}'.` },
                {
                  file,
                  span: adoption.span,
                  role: 'release',
                  note: `'${adoption.how}' makes it a ${adoption.rawType}.`,
                },
              ],
              key: lent.name,
              confidence: 'medium',
            });
            continue;
          }
          if (
            isOnStack(adoption.pointer) &&
            !seen.has(adoption.span.start) &&
            !isForgotten(unit.textOf(file.path) ?? '', fn, flow, adoption.span)
          ) {
            seen.add(adoption.span.start);
            const { how, site } = adoption.pointer;
            const owner = root.kind === 'temp' ? 'a temporary' : root.name;
            report({
              messageId: 'unallocated',
              data: {
                adopter: adoption.through ?? adoption.how,
                line: lineOf(unit, file, adoption.span.start),
                borrow: how,
                owner,
                acquired: lineOf(unit, file, site.start),
              },
              at: { file, span: adoption.span },
              steps: [
                { file, span: site, role: 'borrow', note: `'${how}' points into '${owner}' here.` },
                {
                  file,
                  span: adoption.span,
                  role: 'release',
                  note: `'${adoption.through ?? adoption.how}' makes it a ${adoption.rawType}, which Rust's allocator frees.`,
                },
              ],
              key: owner,
            });
            continue;
          }
          const out = outParameter(unit, file, flow, adoption);
          if (
            (out === undefined && !isForeignAllocation(unit, file, fn, adoption)) ||
            seen.has(adoption.span.start) ||
            isForgotten(unit.textOf(file.path) ?? '', fn, flow, adoption.span)
          )
            continue;
          seen.add(adoption.span.start);
          const source = out?.callee ?? root.name;
          const acquired = out?.span ?? root.span;
          report({
            messageId: 'adopted',
            data: {
              source,
              acquired: lineOf(unit, file, acquired.start),
              adopter: adoption.through ?? adoption.how,
              line: lineOf(unit, file, adoption.span.start),
            },
            at: { file, span: adoption.span },
            steps: [
              {
                file,
                span: acquired,
                role: 'acquire',
                note: out
                  ? `'${source}' lets '${root.name}' point to memory of foreign code.`
                  : `'${source}' returns memory of foreign code.`,
              },
              {
                file,
                span: adoption.span,
                role: 'release',
                note: `'${adoption.through ?? adoption.how}' makes it a ${adoption.rawType}, which Rust's allocator frees.`,
              },
            ],
            key: source,
            ...(out ? { confidence: 'medium' as const } : {}),
          });
        }
        for (const call of flow.calls) {
          const byLibrary = !call.method && /(^|::)libc::free$|^free$/u.test(call.callee);
          const isUnmapped = !call.method && /(?:^|::)munmap$/u.test(call.callee);
          if (!byLibrary && !isUnmapped && !/(?:^|::)dealloc$/u.test(call.callee)) continue;
          // `Slab::dealloc(&mut slab)`: a function of the package that has the name only.
          if (!byLibrary && /(?:^|::)(?:[A-Z]\w*)::dealloc$/u.test(call.callee) && isOwnPool(unit, call)) continue;
          // A variable named 'free' may hold any function.
          if (byLibrary && call.rows.length === 0) continue;
          for (const pointer of call.args[0]?.pointers ?? []) {
            const { root } = pointer.target;
            if (isOnStack(pointer) && !seen.has(call.span.start)) {
              seen.add(call.span.start);
              report({
                messageId: 'stack',
                data: {
                  release: call.callee,
                  line: lineOf(unit, file, call.span.start),
                  borrow: pointer.how,
                  owner: root.kind === 'temp' ? 'a temporary' : root.name,
                  acquired: lineOf(unit, file, pointer.site.start),
                },
                at: { file, span: call.span },
                steps: [
                  {
                    file,
                    span: pointer.site,
                    role: 'borrow',
                    note: `'${pointer.how}' points into '${root.name}' here.`,
                  },
                  { file, span: call.span, role: 'release', note: `'${call.callee}' gives it to an allocator.` },
                ],
                key: root.name,
              });
              continue;
            }
            const malloc = root.kind === 'allocation' && root.storage === 'malloc';
            const isMapped = root.kind === 'allocation' && MAPS.test(root.name);
            if (isMapped !== isUnmapped && (isMapped || malloc)) {
              if (pointer.target.path.length <= 1)
                reportFreed(call, 'mapped', root.name, root.span, {
                  got: 'returns the memory',
                  given: isMapped
                    ? 'gives it to an allocator that did not make it'
                    : 'takes pages away that an allocator still counts as its own',
                });
              seen.add(call.span.start);
              continue;
            }
            if (isUnmapped) continue;
            const mixed = byLibrary
              ? (root.kind === 'allocation' && root.storage === 'heap') ||
                (malloc && /(?:^|::)alloc(?:_zeroed)?$/u.test(root.name)) ||
                isInOwnBlock(unit, file, root, pointer.target.path)
              : malloc && MALLOC.test(root.name);
            if (!mixed) continue;
            if (byLibrary)
              reportFreed(call, 'freed', pointer.how, pointer.site, {
                got: "points to memory of Rust's allocator",
                given: 'gives it to another allocator',
              });
            else
              reportFreed(call, 'returned', root.name, root.span, {
                got: 'returns memory of the C library',
                given: "gives it to Rust's allocator",
              });
          }
        }
      }
    }
  },
});

/** `Slab::dealloc(slab)`: a function of the package that has the name only, and gives the memory to no allocator. */
function isOwnPool(unit: UnitFacts, { resolved }: CallSite): boolean {
  const own = resolved && unit.fileAt(resolved.path)?.functions.find(({ id }) => id === resolved.functionId);
  if (!resolved || !own?.bodySpan) return resolved !== undefined;
  const body = (unit.textOf(resolved.path) ?? '').slice(own.bodySpan.start, own.bodySpan.end);
  return !/\b(?:dealloc|free)\s*\(/u.test(body);
}

/** Whether what is taken over comes from foreign code that did not get it from Rust before. */
function isForeignAllocation(unit: UnitFacts, file: FileIr, fn: FunctionIr, adoption: Adoption): boolean {
  const { root } = adoption.pointer.target;
  if (root.kind !== 'allocation') return false;
  if (root.storage !== 'foreign' && !(root.storage === 'malloc' && MALLOC.test(root.name))) return false;
  // A getter of the same library, or a setter that returns what it held before, hands back what Rust gave it.
  if (HANDS_BACK.test(root.name) && !isPlainGetter(unit, adoption, root.name)) return false;
  // What the C library allocates is nobody's object.
  return root.storage !== 'foreign' || (!isCastToOwnType(unit, file, fn, adoption) && !isOpaque(unit, file, root.name));
}

/**
 * `get_name` gives a text, and nothing in the unit is called `set_name`, or is given what `into_raw` made under a name with `name` in it:
 * nobody gave the library one to hand back.
 */
function isPlainGetter(unit: UnitFacts, { rawType }: Adoption, source: string): boolean {
  const getter = source.split('::').at(-1) ?? '';
  const what = /(?:^|_)get_(\w+)$/u.exec(getter)?.[1];
  if (rawType !== 'CString' || what === undefined || /data|hook|swap|take|replace/u.test(getter)) return false;
  const gives = new RegExp(
    `\\b${getter.replace(/(^|_)get_/u, '$1set_')}\\b|\\w*${what}\\w*\\s*\\([^;{}]*\\binto_raw\\b`,
    'u',
  );
  return !unit.pathsOf('rust').some((path) => gives.test(unit.textOf(path) ?? ''));
}

/**
 * The foreign call that was given the address of the local pointer before it is taken over as text, an error message mostly, or as a
 * vector or boxed slice of numbers. A vector of anything else may be one that Rust gave away before.
 */
function outParameter(unit: UnitFacts, file: FileIr, flow: FunctionFlow, adoption: Adoption): CallSite | undefined {
  const { pointer, rawType, span } = adoption;
  const { root, path } = pointer.target;
  const source = unit.textOf(file.path) ?? '';
  // `Box::from_raw(slice::from_raw_parts_mut(out, n))`
  const isSlice = rawType === 'Box' && /\b(?:slice_)?from_raw_parts_mut\s*\(/u.test(source.slice(span.start, span.end));
  if (!isSlice && !/^(?:CString|Vec|String)$/u.test(rawType)) return undefined;
  if (pointer.how !== 'declared' && !(isSlice && /(?:^|::)from_raw_parts_mut$/u.test(pointer.how))) return undefined;
  if (root.kind !== 'local' || path.length !== 1 || path[0] !== '*') return undefined;
  const isGiven = ({ args }: CallSite): boolean =>
    args.some(({ pointers }) => pointers.some((p) => p.target.root === root && p.target.path.length === 0));
  const given = flow.calls.filter((call) => !call.method && call.span.start < span.start && isGiven(call));
  const [call] = given;
  // A function of the package may have put memory of Rust there.
  if (given.length !== 1 || !call || call.resolved) return undefined;
  // What pointed somewhere before may only be moved on.
  const before = source.slice(root.span.start, call.span.start);
  if (!/^\w+\s*(?::[^=;]*)?(?:;|=\s*(?:[\w:]*null(?:_mut)?\b|0\s+as\b|[\w:]*MaybeUninit\b))/u.test(before))
    return undefined;
  const name = call.callee.split('::').at(-1) ?? '';
  const declared = unit.oracle('rust').freeFunction(name, file.path)?.fn;
  if (declared?.abi === undefined || declared.body !== undefined) return undefined;
  // Another crate of the unit may be what the declaration stands for.
  if (unit.functionsNamed(name, 'rust').some(({ item }) => item.bodySpan !== undefined)) return undefined;
  const at = call.args.findIndex(({ pointers }) => pointers.some((p) => p.target.root === root));
  if (rawType === 'CString') return call;
  return NUMBERS_OUT.test(declared.params[at]?.type?.text ?? '') && !lendsAllocator(unit, file) ? call : undefined;
}

/** Whether the file gives a function away that returns memory: the library may allocate by it. */
function lendsAllocator(unit: UnitFacts, file: FileIr): boolean {
  const text = unit.textOf(file.path) ?? '';
  return file.functions.some(
    ({ abi, bodySpan, returns, name }) =>
      abi !== undefined &&
      bodySpan !== undefined &&
      returns?.kind === 'pointer' &&
      new RegExp(String.raw`\b(?<!\bfn\s+)${name}\b(?!\s*\()`, 'u').test(text),
  );
}

/** A parameter through which a pointer to numbers is returned. */
const NUMBERS_OUT =
  /^\*\s*mut\s+\*\s*(?:mut|const)\s+(?:\w+::)*(?:[iu](?:8|16|32|64)|f32|f64|c_(?:u?char|u?short|u?int|u?long|float|double))$/u;

/** A text parameter of a private function with a foreign ABI, which the file gives away as a callback: not one that others call to free. */
function lentText(unit: UnitFacts, file: FileIr, fn: FunctionIr, { pointer, rawType }: Adoption): Param | undefined {
  const { root, path } = pointer.target;
  if (rawType !== 'CString' || fn.abi === undefined || root.kind !== 'param' || path.length > 1) return undefined;
  if (fn.attributes.some((a) => /\b(?:no_mangle|export_name)\b/u.test(`${a.name} ${a.args ?? ''}`))) return undefined;
  if (/free|drop|destroy|release|dispose|delete|final|clean/iu.test(fn.name)) return undefined;
  const param = root.index === undefined ? undefined : fn.params[root.index];
  if (param?.type?.kind !== 'pointer' || param.type.element?.name !== 'c_char') return undefined;
  const text = unit.textOf(file.path) ?? '';
  // One that others may call is a callback where the file itself gives it to a function.
  if (
    fn.isPublic &&
    !new RegExp(
      `\\b[a-z]\\w*\\s*\\((?:[^;{}()]|\\([^;{}()]*\\))*[(,]?\\s*\\b${fn.name}\\b\\s*(?:::<[^;()]*>)?\\)?\\s*[,)]`,
      'u',
    ).test(`${text.slice(0, fn.span.start)};${text.slice(fn.span.end)}`)
  )
    return undefined;
  const isGiven = [...text.matchAll(new RegExp(`\\b${fn.name}\\b(?!\\s*(?:::\\s*<[^;()]*>\\s*)?\\()`, 'gu'))].some(
    ({ index }) => index < fn.span.start || index > fn.span.end,
  );
  return isGiven ? param : undefined;
}

/** An element of a container; what `as_ptr` of another type, or of one that is not known, shows may be anybody's. */
function isInOwnBlock(unit: UnitFacts, file: FileIr, root: Root, path: readonly string[]): boolean {
  if (path.at(-1) !== '[]' || (root.kind === 'allocation' && root.storage === 'foreign')) return false;
  const oracle = unit.oracle('rust');
  const holder = path.length > 1 ? typeOfPlace({ root, path: path.slice(0, -1) }, oracle, file.path) : undefined;
  // A `String` of the package is not the one of the standard library, whatever it is called here.
  if (holder?.kind === 'path' && (!ownsBlock(holder) || oracle.declaration(holder.name, file.path) !== undefined))
    return false;
  return path.length > 1 || (root.type !== undefined && (root.type.kind !== 'path' || ownsBlock(root.type)));
}

/** The address of a variable, of a temporary, or of an array in one: storage that is not on the heap. */
function isOnStack(pointer: Pointer): boolean {
  const { root, path } = pointer.target;
  // `&mut boxed.field` points into the block of the box.
  if (path.length > 0 && root.type?.kind === 'path' && ownsBlock(root.type)) return false;
  if (root.kind !== 'local' && root.kind !== 'param' && root.kind !== 'temp') return false;
  if (!root.byValue || !/^(?:&|&mut|addr_of!|ptr::from_(?:ref|mut)|as_(?:mut_)?ptr)$/u.test(pointer.how)) return false;
  if (path.length === 1 && path[0] === '[]') return root.type?.kind === 'static-array';
  // `&*boxed` and what lies behind pointers is another matter.
  return !path.includes('[]') && !path.includes('*') && !/^as_/u.test(pointer.how);
}

/** What hands out memory of the C library; Rust's own `alloc::alloc` is the allocator that `Box` frees with. */
const MALLOC = /(?:^|::)(?:malloc|calloc|strdup|strndup)$/u;

/** What maps pages, which only their own function gives back. */
const MAPS = /(?:^|::)mmap(?:64)?$/u;

/** `user_data_get`, `PyCapsule_GetPointer`: names of functions that return what was given before. */
const HANDS_BACK =
  /(?:^|_|::)(?:get|from|user_data|data|cast|hook|swap|exchange|replace|take)(?:_|$)|(?:^|_|::|[a-z])(?:Get|Swap|Exchange|Replace|Take)(?=[A-Z_]|$)/u;

/** Foreign code keeps what Rust gave it as `void *`: a cast back to a type of this package says who made it. */
function isCastToOwnType(unit: UnitFacts, file: FileIr, fn: FunctionIr, { span }: Adoption): boolean {
  const source = unit.textOf(file.path) ?? '';
  const taken = source.slice(span.start, span.end);
  // `let state = data(x).cast::<State>(); Box::from_raw(state)`
  const variable = /\(\s*(\w+)\s*\)$/u.exec(taken)?.[1];
  const init =
    variable === undefined
      ? undefined
      : new RegExp(`\\blet\\s+(?:mut\\s+)?${variable}\\s*(?::[^=;]*)?=\\s*([^;]*);`, 'u').exec(
          source.slice(fn.span.start, span.start),
        )?.[1];
  const text = init ?? taken;
  const name =
    /\bas\s+\*mut\s+(?:\w+::)*([A-Z]\w*)[^*]*$/u.exec(text)?.[1] ??
    /\bcast(?:_mut)?::<\s*(?:\w+::)*([A-Z]\w*)/u.exec(text)?.[1];
  if (name === undefined) return false;
  if (name === 'Self' || name === 'Box' || name === 'Vec' || fn.generics.some((g) => g.name === name)) return true;
  const decl = unit.oracle('rust').declaration(name, file.path);
  return decl !== undefined && !decl.attributes.some((a) => a.name === 'repr' && /\bC\b/u.test(a.args ?? ''));
}

/** A `Box` of a type without size frees nothing: the type stands for a foreign object, and its `Drop` calls the library. */
function isOpaque(unit: UnitFacts, file: FileIr, source: string): boolean {
  const oracle = unit.oracle('rust');
  const name = source.split('::').at(-1) ?? '';
  const returns = file.functions.find((f) => f.name === name && f.abi !== undefined)?.returns;
  const sizeless = (written: TypeRef | undefined, depth: number): boolean => {
    const type = withoutAlias(written, oracle, file.path);
    if (type === undefined || depth > 3) return false;
    if (type.kind === 'static-array') return /;\s*0\s*\]$/u.test(type.text);
    if (type.kind !== 'path') return false;
    const decl: TypeDecl | undefined = oracle.declaration(type.name, file.path);
    return (
      type.name === 'PhantomData' ||
      type.name === 'PhantomPinned' ||
      (decl?.kind === 'struct' && decl.fields.length > 0 && decl.fields.every((f) => sizeless(f.type, depth + 1)))
    );
  };
  return returns?.kind === 'pointer' && sizeless(returns.element, 0);
}
