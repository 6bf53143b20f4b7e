import { concernsAddons, dependencyOn, filesInside, findAddonScopes, type AddonScope } from '../facts/addon-scope.js';
import { napiFixes, type NapiFix } from '../facts/napi-fixes.js';
import type { UnitFacts } from '../facts/unit.js';
import type { FileIr } from '../model/ir.js';
import type { Fact, ProjectModel } from '../model/project.js';
import type { Span } from '../model/source.js';
import { compareVersions } from '../project/lockfiles.js';
import { readTriple } from '../project/triples.js';
import { defineRule, type ReportStep } from './rule.js';

export default defineRule({
  meta: {
    id: 'outdated-napi',
    title: 'Locked napi older than a fix that this code needs',
    summary: 'The locked version of napi or its tools has a memory error that the code of the addon can run into.',
    languages: ['rust'],
    severity: 'warning',
    confidence: 'medium',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-1395', 'CWE-416'],
    messages: {
      library: "'{addon}' is locked to napi {version}, which {what}; napi {fixed} does not{more}.",
      loader:
        "'{name}' is locked to @napi-rs/cli {version}, whose generated loader asks for a process report in every worker: on Windows concurrent reports corrupt the heap; 3.4.0 does not ask.",
    },
    checklist: 'Does the lockfile have every fix of napi that this code depends on?',
    scenarios: ['gc-churn', 'reload', 'thenable-twice'],
  },
  tokens: { rust: ['napi'] },
  bodyTokens: {
    rust: [
      'call_async',
      'create_deferred',
      '.then(',
      '.catch(',
      '.finally(',
      'spawn',
      '.execute(',
      'execute_tokio_future',
    ],
  },
  // With every fix in the lockfile there is nothing to look for.
  concerns: (project) => concernsAddons(project, (scope) => missingFixes(project, scope).fixes.length > 0),
  check({ unit, report }) {
    for (const scope of findAddonScopes(unit)) {
      const library = judgeLibrary(unit, scope);
      if (library !== undefined) report(library);
      const loader = judgeLoader(unit, scope);
      if (loader !== undefined) report(loader);
    }
  },
});

interface Needed {
  readonly fix: NapiFix;
  readonly file: FileIr;
  readonly span: Span;
}

interface Missing {
  readonly locked?: Fact<string> | undefined;
  readonly fixes: readonly NapiFix[];
}

/** What the version of napi that the lockfile pins for an addon lacks. */
function missingFixes(project: ProjectModel, { addon }: AddonScope): Missing {
  // The oldest of several: whichever is linked, it is at least that old.
  const locked = project.lockedVersions('napi', addon).at(-1);
  if (locked === undefined) return { fixes: [] };
  const major = Number.parseInt(locked.value, 10);
  const fixes = (napiFixes[major] ?? []).filter((fix) => compareVersions(locked.value, fix.version) < 0);
  return { locked, fixes };
}

function judgeLibrary(unit: UnitFacts, scope: AddonScope) {
  const { locked, fixes: missing } = missingFixes(unit.project, scope);
  if (locked === undefined || missing.length === 0) return undefined;
  const files = filesInside(unit, scope);
  const needed: Needed[] = missing.flatMap((fix) => {
    for (const [file] of files) {
      const span = fix.use(file);
      if (span !== undefined) return [{ fix, file, span }];
    }
    return [];
  });
  const [first] = needed;
  const last = needed[needed.length - 1];
  if (first === undefined || last === undefined) return undefined;
  const at = dependencyOn(scope.addon, 'napi', unit.project.triplesFor(scope.addon)) ?? scope.crateType;
  return {
    messageId: 'library' as const,
    data: {
      addon: scope.addon.name,
      version: locked.value,
      what: first.fix.what,
      fixed: first.fix.version,
      more:
        needed.length === 1
          ? ''
          : `, and ${needed.length - 1} more of its fixes, up to ${last.fix.version}, concern${needed.length === 2 ? 's' : ''} this code`,
    },
    at: { path: at.path, line: at.line, ...(at.column === undefined ? {} : { column: at.column }) },
    steps: [
      lockStep(locked, 'napi'),
      ...needed.map(({ fix, file, span }): ReportStep => ({
        file,
        span,
        role: 'use',
        note: `Before ${fix.version}, napi ${fix.what}.`,
      })),
    ],
    fixedIn: `napi ${last.fix.version}`,
    key: `${scope.addon.name}|napi`,
  };
}

function judgeLoader(unit: UnitFacts, { addon, npm }: AddonScope) {
  const version = npm === undefined ? undefined : unit.project.npmVersion('@napi-rs/cli', npm);
  // An exact version in the manifest is as good as a lockfile.
  if (npm === undefined || !version || !(version.locked || /^\d+\.\d+\.\d+$/u.test(version.value))) return undefined;
  if (compareVersions(version.value, '3.3.0') < 0 || compareVersions(version.value, '3.4.0') >= 0) return undefined;
  if (!unit.project.triplesFor(addon).some((triple) => readTriple(triple).os === 'windows')) return undefined;
  const required = npm.dependencies.get('@napi-rs/cli') ?? npm.shipsAddon;
  if (required === undefined) return undefined;
  return {
    messageId: 'loader' as const,
    data: { name: npm.name ?? npm.dir, version: version.value },
    at: {
      path: required.path,
      line: required.line,
      ...(required.column === undefined ? {} : { column: required.column }),
    },
    steps: [lockStep(version, '@napi-rs/cli', version.locked)],
    fixedIn: '@napi-rs/cli 3.4.0',
    targets: unit.project.triplesFor(addon).filter((triple) => readTriple(triple).os === 'windows'),
    key: `${npm.dir}|@napi-rs/cli`,
  };
}

function lockStep(locked: Fact<string>, name: string, isLockfile = true): ReportStep {
  return {
    path: locked.path,
    line: locked.line,
    role: 'declare',
    note: `The ${isLockfile ? 'lockfile' : 'manifest'} pins '${name}' at ${locked.value}.`,
  };
}
