import type { DiscoveredFile, DiscoveredUnit } from '../discover/inputs.js';
import { isScriptSettings } from '../discover/languages.js';
import type { JavaScriptScan } from '../eslint/scan-javascript.js';
import { buildUnitFacts } from '../facts/build-unit.js';
import { narrowUnit } from '../facts/narrow-unit.js';
import type { UnitFacts } from '../facts/unit.js';
import type { Gap } from '../model/finding.js';
import type { FileIr, Language } from '../model/ir.js';
import type { ProjectModel } from '../model/project.js';
import type { BodyFilter, LanguagePack } from '../parsers/pack.js';
import { loadProject } from '../project/index.js';
import { isJavaScriptRule } from '../rules/javascript-rule.js';
import type { Rule } from '../rules/rule.js';
import type { CommentedFile } from '../suppress/read-suppressions.js';
import { collectFindings, type CollectedFindings } from './collect-findings.js';
import { readershipAmong } from './readership.js';
import { planTokens } from './token-plan.js';
import { readUnitSources, sourceLanguages, type ByLanguage, type UnitSources } from './unit-sources.js';

export interface UnitScanInput {
  readonly base: string;
  readonly unit: DiscoveredUnit;
  /** Everything listed below the base, for manifests around the unit. */
  readonly listing: readonly string[];
  readonly rules: readonly Rule[];
  /** Triples that replace what the manifests say; empty means the manifests'. */
  readonly targets: readonly string[];
  /** Module names that the configuration calls native. */
  readonly native: readonly string[];
  /** False turns the token pre-filter off. */
  readonly isFiltered: boolean;
  readonly onFile: (path: string) => void;
  /** Called before each rule, of how many. */
  readonly onRule?: (index: number, count: number) => void;
  /** Called after each parse. */
  readonly onParsed?: () => void;
}

export interface UnitScan extends CollectedFindings {
  readonly project: ProjectModel;
  readonly parsed: number;
  /** Asked files with suppressions in them. */
  readonly commented: readonly CommentedFile[];
  readonly textOf: (path: string) => string | undefined;
}

const packs: Readonly<Record<Language, () => Promise<LanguagePack>>> = {
  rust: async () => (await import('../parsers/rust/pack.js')).rustPack,
  d: async () => (await import('../parsers/d/pack.js')).dPack,
};

/** Runs the rules over one unit. Gaps of files that were not asked for are left out, except those of manifests. */
export async function scanUnit(input: UnitScanInput): Promise<UnitScan> {
  const { unit, rules, isFiltered } = input;
  const gaps: Gap[] = [];
  const onGap = (gap: Gap): void => {
    if (gap.kind === 'manifest' || gap.kind === 'internal' || unit.asked(gap.path)) gaps.push(gap);
  };
  const plans = Object.fromEntries(
    sourceLanguages
      .map((language) => [language, planTokens(rules, language)] as const)
      .filter(([, plan]) => plan.fileTokens.length > 0),
  );
  const around = { base: input.base, listing: input.listing };
  const sources = readUnitSources({ files: unit.files, plans, isFiltered, around, onGap, onFile: input.onFile });
  const project = loadProject(
    { root: unit.root, base: input.base, listing: input.listing, readText: sources.readText, gap: onGap },
    input.targets.length === 0 ? {} : { targets: input.targets },
  );

  const loaded: Partial<Record<Language, LanguagePack>> = {};
  for (const language of sourceLanguages) {
    // Without a candidate no rule asks for a file of the language.
    if ((sources.candidates[language] ?? []).length === 0) continue;
    const pack = await packs[language]();
    await pack.load();
    loaded[language] = pack;
  }

  const wantedBy = concernedAmong(rules, sources, project);
  const { readersOf, filterOf } = readershipAmong(rules, { ...sources, readersOf: wantedBy }, unit);
  const filterBy =
    (ask: 'bodiesFor' | 'soughtBy') =>
    (language: Language, path: string, text: string): BodyFilter | undefined => {
      const plan = plans[language];
      return isFiltered && plan ? filterOf(plan, ask, path, text) : undefined;
    };
  const candidates = isFiltered ? keepRead(sources.candidates, readersOf) : sources.candidates;
  const parsed = new Set<string>();
  const facts = buildUnitFacts({
    root: unit.root,
    project,
    candidates,
    listing: sources.listing,
    declarations: sources.declarations,
    packs: loaded,
    wantedIn: filterBy('bodiesFor'),
    soughtIn: filterBy('soughtBy'),
    readText: sources.readText,
    peekText: sources.peekText,
    onGap,
    onParsed: (path) => {
      parsed.add(path);
      input.onParsed?.();
    },
  });
  const javascript = await scanScripts(input, project, sources.readText);
  javascript.gaps.forEach(onGap);
  const views = isFiltered ? viewsOf(facts, readersOf) : () => facts;
  const found = collectFindings(javascript.rules, facts, unit.asked, views, (at) =>
    input.onRule?.(at + 1, javascript.rules.length),
  );
  const files = filesByPath(facts, candidates);
  return {
    project,
    drafts: found.drafts,
    gaps: [...gaps, ...found.gaps],
    perRule: found.perRule,
    parsed: parsed.size + javascript.parsed.length,
    commented: [...sources.marked, ...javascript.marked].filter(unit.asked).flatMap((path) => {
      const text = sources.readText(path);
      const comments = files.get(path)?.comments;
      return text === undefined ? [] : [{ path, text, ...(comments === undefined ? {} : { comments }) }];
    }),
    textOf: sources.readText,
  };
}

/** Runs the JavaScript rules; the rules that come back report what was found when they are checked. */
async function scanScripts(
  { base, unit, rules, native, isFiltered }: UnitScanInput,
  project: ProjectModel,
  readText: (path: string) => string | undefined,
): Promise<Pick<JavaScriptScan, 'rules' | 'gaps' | 'parsed' | 'marked'>> {
  const isScript = ({ path, language }: DiscoveredFile): boolean => language === 'javascript' || isScriptSettings(path);
  const files = unit.files.filter((file) => isScript(file) && unit.asked(file.path)).map(({ path }) => path);
  if (files.length === 0 || !rules.some(isJavaScriptRule)) return { rules, gaps: [], parsed: [], marked: [] };
  const { scanJavaScript } = await import('../eslint/scan-javascript.js');
  return scanJavaScript({ base, root: unit.root, files, rules, project, native, isFiltered, readText });
}

/** The rules whose tokens a file holds, without those that look for nothing there. */
function concernedAmong(
  rules: readonly Rule[],
  sources: Pick<UnitSources, 'readersOf'>,
  project: ProjectModel,
): (path: string) => ReadonlySet<string> {
  const limited = rules.flatMap(({ meta, concerns }) =>
    concerns === undefined ? [] : [[meta.id, concerns(project)] as const],
  );
  const known = new Map<string, ReadonlySet<string>>();
  return (path) => {
    let readers = known.get(path);
    if (readers === undefined) {
      const all = sources.readersOf(path);
      const others = limited.filter(([id, isMeant]) => all.has(id) && !isMeant(path)).map(([id]) => id);
      readers = others.length === 0 ? all : new Set([...all].filter((id) => !others.includes(id)));
      known.set(path, readers);
    }
    return readers;
  };
}

function keepRead(
  candidates: ByLanguage<readonly string[]>,
  readersOf: (path: string) => ReadonlySet<string>,
): ByLanguage<readonly string[]> {
  return Object.fromEntries(
    sourceLanguages.flatMap((language) => {
      const paths = candidates[language];
      return paths === undefined ? [] : [[language, paths.filter((path) => readersOf(path).size > 0)]];
    }),
  );
}

/**
 * What each rule sees of the unit: of the parsed files those that it asked for, so that no rule pays for the files of the
 * others. Rules with the same tokens, and no files of their own, share a view, and with it the facts that are kept beside it.
 */
function viewsOf(facts: UnitFacts, readersOf: (path: string) => ReadonlySet<string>): (rule: Rule) => UnitFacts {
  const views = new Map<string, UnitFacts>();
  return (rule) => {
    const key = JSON.stringify([rule.tokens, rule.requires, rule.concerns && rule.meta.id], (_, value: unknown) =>
      value instanceof RegExp ? String(value) : value,
    );
    let view = views.get(key);
    if (view === undefined) {
      view = narrowUnit(facts, (path) => readersOf(path).has(rule.meta.id));
      views.set(key, view);
    }
    return view;
  };
}

function filesByPath(
  facts: { filesOf(language: Language): readonly FileIr[] },
  candidates: ByLanguage<readonly string[]>,
): ReadonlyMap<string, FileIr> {
  const languages = sourceLanguages.filter((language) => (candidates[language] ?? []).length > 0);
  return new Map(languages.flatMap((language) => facts.filesOf(language)).map((file) => [file.path, file]));
}
