import {
  concernsAddons,
  filesInside,
  findAddonScopes,
  reachOf,
  triplesWith,
  unkeptTriples,
  type AddonScope,
} from '../facts/addon-scope.js';
import { findLibraryDestructor, type LibraryDestructor } from '../facts/library-destructor.js';
import { needsDrop } from '../facts/needs-drop.js';
import type { UnitFacts } from '../facts/unit.js';
import { calleeOf, walkBody } from '../model/walk-body.js';
import type { Confidence } from '../model/finding.js';
import type { FileIr } from '../model/ir.js';
import type { CargoPackage } from '../model/project.js';
import type { Span } from '../model/source.js';
import { nodeleteSince } from '../project/linker.js';
import { compareVersions } from '../project/lockfiles.js';
import { readTriple, summariseTriples } from '../project/triples.js';
import { defineRule, type ReportStep } from './rule.js';

export default defineRule({
  meta: {
    id: 'unpinned-addon',
    title: 'Addon that can be unloaded under its destructors',
    summary:
      'An addon leaves destructors that run when a thread or the process ends, and nothing keeps it loaded until then.',
    languages: ['rust'],
    severity: 'warning',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-825'],
    messages: {
      unpinned:
        "The addon '{addon}' can be unmapped on {targets} before {what} has run there: no linker argument and no version of napi keeps it loaded.",
    },
    checklist: 'Which destructors of this addon run after the last environment that loaded it has ended?',
    scenarios: ['import', 'reload'],
  },
  tokens: {
    rust: ['thread_local!', 'pthread_key_create', 'FlsAlloc', 'dtor', 'atexit', '.fini_array', '__mod_term_func'],
  },
  bodyTokens: { rust: ['pthread_key_create', 'FlsAlloc', 'atexit', '.join('] },
  concerns: (project) => concernsAddons(project),
  reportsElsewhere: 'anywhere',
  check({ unit, report }) {
    for (const scope of findAddonScopes(unit)) {
      const found = filesInside(unit, scope).flatMap(([file, crate]) => findDestructors(unit, file, crate));
      const dangerous = found.flatMap((one) => {
        const present = triplesWith(unit.project, scope, one.crate, one.file.path, one.conditions).filter((triple) =>
          one.os.includes(readTriple(triple).os),
        );
        const triples = unkeptTriples(unit.project, scope, present);
        return triples.length > 0 && reachOf(unit.project, scope, one.crate) !== undefined ? [{ ...one, triples }] : [];
      });
      const universe = unit.project.triplesFor(scope.addon);
      const library = findLibraryDestructor(unit.project, scope.addon);
      const underLibrary =
        library === undefined ? [] : unkeptTriples(unit.project, scope, universe.filter(hasKeyGuard));
      const what = dangerous[0]?.what ?? (library === undefined ? undefined : describeLibrary(library));
      const triples = universe.filter(
        (triple) => underLibrary.includes(triple) || dangerous.some((one) => one.triples.includes(triple)),
      );
      if (what === undefined || triples.length === 0) continue;
      report({
        messageId: 'unpinned',
        data: { addon: scope.addon.name, targets: summariseTriples(triples, universe), what },
        at: {
          path: scope.crateType.path,
          line: scope.crateType.line,
          ...(scope.crateType.column === undefined ? {} : { column: scope.crateType.column }),
        },
        steps: [
          ...dangerous.slice(0, mostSteps).map((one): ReportStep => ({
            file: one.file,
            span: one.span,
            role: 'declare',
            note: `${one.what.charAt(0).toUpperCase()}${one.what.slice(1)} is left here.`,
          })),
          ...(library === undefined || underLibrary.length === 0 ? [] : librarySteps(library, unit, scope)),
        ],
        targets: triples,
        ...(dangerous.length > 0 || library === undefined ? {} : { confidence: confidenceIn(library) }),
        ...napiOf(scope),
        key: scope.addon.name,
      });
    }
  },
});

/** Where the guard of Rust's standard library is a pthread key, and an image can go under it. */
function hasKeyGuard(triple: string): boolean {
  const { os, env } = readTriple(triple);
  return (os === 'linux' && env === 'gnu') || os === 'freebsd';
}

/** A runtime leaves destructors that glibc counts, so that the image goes under the others in a part of the runs only. */
function confidenceIn({ toolchain, hasRuntime }: LibraryDestructor): Confidence {
  if (hasRuntime) return 'low';
  return toolchain === undefined ? 'medium' : 'high';
}

function describeLibrary({ napi }: LibraryDestructor): string {
  return `the destructor that Rust's standard library (1.83 and later) leaves with each thread in which napi ${napi.value} registers the module`;
}

function librarySteps(
  { napi, toolchain }: LibraryDestructor,
  { project }: UnitFacts,
  { addon }: AddonScope,
): readonly ReportStep[] {
  const build = project.lockedVersions('napi-build', addon).at(-1);
  return [
    {
      path: napi.path,
      line: napi.line,
      role: 'declare',
      note: `napi ${napi.value} asks for the current thread when it registers the module; since Rust 1.83 that leaves a destructor which keeps nothing loaded.`,
    },
    ...(toolchain === undefined
      ? []
      : [
          {
            path: toolchain.path,
            line: toolchain.line,
            role: 'enable' as const,
            note: `The addon is built with Rust '${toolchain.value}'.`,
          },
        ]),
    ...(build === undefined || compareVersions(build.value, nodeleteSince) >= 0
      ? []
      : [
          {
            path: build.path,
            line: build.line,
            role: 'load' as const,
            note: `napi-build ${build.value} does not pass '-z nodelete' to the linker; ${nodeleteSince} does.`,
          },
        ]),
  ];
}

/** A path of a hundred steps explains nothing. */
const mostSteps = 12;

function napiOf({ addon, npm }: AddonScope): {
  readonly reachableFrom?: readonly { readonly rust: string; readonly js: string }[];
} {
  return npm?.name === undefined ? {} : { reachableFrom: [{ rust: addon.name, js: npm.name }] };
}

interface Destructor {
  readonly crate: CargoPackage;
  readonly file: FileIr;
  readonly span: Span;
  readonly conditions: readonly string[];
  /** A noun phrase for the message. */
  readonly what: string;
  /** Systems whose loader runs it, or waits for it, after the module is gone. */
  readonly os: readonly string[];
}

/**
 * macOS never unloads an image with thread-local variables, and on Windows Rust's own are run by the module itself, so these
 * count on glibc and BSD only. Keys and callbacks that the system calls by address count wherever they exist.
 */
function findDestructors(unit: UnitFacts, file: FileIr, crate: CargoPackage): readonly Destructor[] {
  const found: Destructor[] = [];
  for (const global of file.globals) {
    if (
      global.kind !== 'thread-local' ||
      global.isTest ||
      global.type === undefined ||
      !needsDrop(unit, file, global.type)
    )
      continue;
    found.push({
      crate,
      file,
      span: global.nameSpan,
      conditions: global.conditions,
      what: `the destructor of the thread-local '${global.name}'`,
      os: ['linux', 'freebsd'],
    });
  }
  const inTable = destructorTable(file);
  for (const fn of file.functions) {
    if (fn.isTest || fn.hasError === true) continue;
    const isDestructor = fn.attributes.some((one) => /(?:^|::)dtor$/.test(one.name)) || inTable.has(fn.name);
    let joins = false;
    if (fn.body !== undefined) {
      walkBody(fn.body, ({ expr }) => {
        const callee = calleeOf(expr) ?? '';
        joins ||= callee === '.join';
        const kind = callBacks.find(({ pattern }) => pattern.test(callee));
        if (kind !== undefined)
          found.push({ crate, file, span: expr.span, conditions: fn.conditions, what: kind.what, os: kind.os });
      });
    }
    if (isDestructor && joins) {
      found.push({
        crate,
        file,
        span: fn.nameSpan,
        conditions: fn.conditions,
        what: `the library destructor '${fn.name}', which waits for a thread,`,
        os: ['windows', 'linux', 'freebsd', 'macos'],
      });
    }
  }
  return found;
}

/** Functions that a static puts into the section from which the loader runs destructors: `#[link_section = ".fini_array"]`. */
function destructorTable(file: FileIr): ReadonlySet<string> {
  const section = /\.fini_array|\.dtors|__mod_term_func|\.CRT\$XT/u;
  return new Set(
    file.globals
      .filter(
        (one) =>
          !one.isTest && one.attributes.some((a) => a.name.endsWith('link_section') && section.test(a.args ?? '')),
      )
      .flatMap(({ init }) => (init?.kind === 'name' ? [init.path.at(-1) ?? ''] : [])),
  );
}

const callBacks: readonly { readonly pattern: RegExp; readonly what: string; readonly os: readonly string[] }[] = [
  {
    pattern: /(?:^|::)pthread_key_create$/,
    what: "the destructor of a 'pthread_key_create' key",
    os: ['linux', 'freebsd', 'macos', 'android'],
  },
  { pattern: /(?:^|::)FlsAlloc$/, what: "the callback of an 'FlsAlloc' index", os: ['windows'] },
  {
    pattern: /^libc::atexit$|^atexit$/,
    what: "a function given to 'atexit'",
    os: ['windows', 'linux', 'freebsd', 'macos', 'android'],
  },
];
