import type { DiscoveredUnit } from '../discover/inputs.js';
import type { BodyFilter } from '../parsers/pack.js';
import type { Rule } from '../rules/rule.js';
import type { TokenPlan } from './token-plan.js';
import { sourceLanguages, type UnitSources } from './unit-sources.js';

/** Who goes through which file, and through which of its functions. */
export interface Readership {
  /** Ids of rules by base-relative path. */
  readonly readersOf: (path: string) => ReadonlySet<string>;
  /**
   * What the plan of the language asks of the functions of a file. Where nobody asked about it, those that a rule only reads for their callers
   * count if a file that was asked for calls something of the name.
   */
  readonly filterOf: (
    plan: TokenPlan,
    ask: 'bodiesFor' | 'soughtBy',
    path: string,
    text: string,
  ) => BodyFilter | undefined;
}

/**
 * Of a file that nobody asked about, no reader is a rule that looks at each file by itself, nor one that reads no file that was asked for,
 * unless it may report in others than those it reads.
 */
export function readershipAmong(
  rules: readonly Rule[],
  sources: Pick<UnitSources, 'readersOf' | 'listing' | 'readText'>,
  { files, asked: isAsked }: DiscoveredUnit,
): Readership {
  const asked = files.filter(({ path }) => isAsked(path));
  const reading = new Set(asked.flatMap(({ path }) => [...sources.readersOf(path)]));
  const isManifestAsked = asked.some(({ language }) => language === 'manifest');
  const reportsInCallers = new Set(
    rules.filter(({ reportsElsewhere }) => reportsElsewhere === 'in callers').map(({ meta }) => meta.id),
  );
  const mayReport = ({ meta, reportsElsewhere }: Rule): boolean =>
    isManifestAsked || reportsElsewhere !== undefined || reading.has(meta.id);
  const wide = sourceLanguages.map((language) => ({
    paths: new Set(sources.listing[language]),
    ids: rules
      .filter((rule) => rule.perFile?.includes(language) !== true && mayReport(rule))
      .map(({ meta }) => meta.id),
  }));
  const readersOf = (path: string): ReadonlySet<string> => {
    const readers = sources.readersOf(path);
    if (isAsked(path)) return readers;
    return new Set(wide.find(({ paths }) => paths.has(path))?.ids.filter((id) => readers.has(id)));
  };
  let called: ReadonlySet<string> | undefined;
  const namesCalled = (): ReadonlySet<string> => {
    called ??= new Set(
      asked.flatMap(({ path, language }) =>
        language === 'rust'
          ? [...(sources.readText(path) ?? '').matchAll(/(\w+)\s*\(/gu)].map(([, name = '']) => name)
          : [],
      ),
    );
    return called;
  };
  // The text is asked about with its comments, too, in which the word may stand before the name.
  const isCalled = (text: string): boolean =>
    [...text.matchAll(/\bfn\s+(?:r#)?(\w+)/gu)].some(([, name = '']) => namesCalled().has(name));
  return {
    readersOf,
    filterOf: (plan, ask, path, text) => {
      // What is asked for by name is there with the bodies that any rule wants, as in a scan of the whole.
      const readers = [...(ask === 'bodiesFor' ? sources.readersOf(path) : readersOf(path))];
      if (isAsked(path) || isManifestAsked || !readers.some((id) => reportsInCallers.has(id)))
        return plan[ask](new Set(readers), text);
      const always = plan[ask](new Set(readers.filter((id) => !reportsInCallers.has(id))), text);
      const forCallers = plan[ask](new Set(readers.filter((id) => reportsInCallers.has(id))), text);
      return (
        always && {
          test: (fn) => always.test(fn) || (isCalled(fn) && (forCallers === undefined || forCallers.test(fn))),
        }
      );
    },
  };
}
