import { analyse } from '../flow/analyse.js';
import { ApiIndex } from '../flow/api-index.js';
import type { Place } from '../flow/place.js';
import type { FunctionFlow } from '../flow/result.js';
import type { TypeOracle } from '../flow/types.js';
import type { Gap } from '../model/finding.js';
import type { FileIr, FunctionIr, GlobalDecl, ImplDecl, Language, TypeDecl } from '../model/ir.js';
import type { ProjectModel } from '../model/project.js';
import { withoutComments, type Span } from '../model/source.js';
import type { BodyFilter, LanguagePack } from '../parsers/pack.js';
import { DeclarationIndex, ownCopy } from './declaration-index.js';
import { ModuleFiles } from './d-modules.js';
import { IS_TEST } from './d-text.js';
import { namesIn } from './file-names.js';
import { givenToHelpers, growthNear, NAMED_FOR_GROWTH, offsetsOf, TAKES_BY_REF } from './growth-text.js';
import type { GrowthSite, Located, TextPattern, UnitFacts } from './unit.js';

export interface UnitInput {
  readonly root: string;
  readonly project: ProjectModel;
  /** Base-relative paths of source files that hold a token of an active rule. */
  readonly candidates: Readonly<Partial<Record<Language, readonly string[]>>>;
  /** Base-relative paths of every source file of the unit. */
  readonly listing: Readonly<Partial<Record<Language, readonly string[]>>>;
  /** What declares which type in the files of the listing, where that was found before. */
  readonly declarations?: Readonly<Partial<Record<Language, DeclarationIndex>>>;
  readonly packs: Readonly<Partial<Record<Language, LanguagePack>>>;
  /** Which function bodies of the file at a path, with that text, to lower; undefined lowers all. */
  wantedIn(language: Language, path: string, text: string): BodyFilter | undefined;
  /** What a function of a candidate must match for the candidate to be gone through; undefined when nothing is asked. */
  soughtIn(language: Language, path: string, text: string): BodyFilter | undefined;
  /** Undefined when the file can't be read; the reader has recorded the gap. */
  readText(path: string): string | undefined;
  /** As `readText`, without keeping the text. */
  peekText(path: string): string | undefined;
  /** Called once per gap met while parsing. */
  onGap(gap: Gap): void;
  /** Called once per parsed file. */
  onParsed?(path: string): void;
}

/**
 * What may change the size of a container, or end it: for choosing the bodies that are read when an owner is followed. The
 * text of a string mixin may do anything, a constructor of D may keep what it is given, and a body of one `return` may hand it back.
 */
const MAY_GROW: Readonly<Record<Language, RegExp>> = {
  rust: /\.\s*(?:push|extend|reserve|insert|resize|shrink|append|split_off|drain|truncate|set_len|retain|remove|swap_remove|dedup|take|replace|clear|clone_from)|mem::|&(?:mut\s+)?self\s*\.\s*\w+\s*(?:as\b[^}]*)?\}|[(,]\s*(?:mut\s+)?\w+\s*:\s*(?:Vec|String|Box|CString)\b/u,
  d: /~=|\.\s*length\s*(?:[-+*/~]=|=[^=]|\+\+|--)|\.\s*(?:reserve|insert|put|assumeSafeAppend|remove|clear)|realloc|assumeSafeAppend|\b(?:reserve|move|swap)\s*\(| ~ |\bmixin\s*\(|(?<![.~\w])this\s*\(|\{\s*(?:return\b|[\w.]+\s*=)[^;{}]*;\s*\}$/u,
};

/** Whether a function, head and body, may do that. Nobody calls a test of the module, and what grows in it is its own. */
function mayGrow(language: Language, text: string): boolean {
  return MAY_GROW[language].test(text) && (language !== 'd' || !IS_TEST.test(text));
}

/** How many helpers deep the flow core follows calls. */
const SUMMARY_DEPTH = 2;

/** Builds the memoised facts of one unit. Files are parsed when first asked for. */
export function buildUnitFacts(input: UnitInput): UnitFacts {
  return new Unit(input);
}

interface KnownFlow {
  readonly flow: FunctionFlow;
  /** How many calls deep helpers were followed. */
  readonly depth: number;
  /** A helper was left out, deeper than that or in a circle. */
  readonly isCut: boolean;
}

class Unit implements UnitFacts {
  readonly root: string;
  readonly project: ProjectModel;
  private readonly parsed = new Map<string, FileIr | undefined>();
  private readonly imported = new Map<string, readonly string[]>();
  private modulesOfD: ModuleFiles | undefined;
  private readonly foreign = new Map<string, ReadonlySet<string>>();
  private readonly deep = new Map<string, FileIr | undefined>();
  /** Files with the body of one helper, by path and where the helper starts. */
  private readonly helpers = new Map<string, FileIr>();
  /** Files with the bodies that assign to one field, by path and name. */
  private readonly assigning = new Map<string, FileIr>();
  /** Files with the bodies that give what has one name to a helper, by file and name. */
  private readonly given = new WeakMap<FileIr, Map<string, FileIr>>();
  private readonly flows = new Map<FunctionIr, KnownFlow>();
  /** How often a helper was not followed, because it was too many calls deep or one of those around it. */
  private cuts = 0;
  private readonly running = new Set<FunctionIr>();
  /** Flows without helpers, of functions that are called in a circle. */
  private readonly alone = new Map<FunctionIr, FunctionFlow | undefined>();
  private readonly growths = new Map<string, readonly GrowthSite[]>();
  private readonly candidatePaths = new Map<Language, ReadonlySet<string>>();
  private readonly scopes = new Map<string, string>();
  private readonly oracles = new Map<Language, TypeOracle>();
  private readonly apis = new Map<Language, ApiIndex>();
  private readonly declarations = new Map<Language, DeclarationIndex>();
  private readonly candidateLists = new Map<Language, readonly FileIr[]>();
  /** All files that are read, as long as no other one was. */
  private readonly knownFiles = new Map<Language, { readonly count: number; readonly files: readonly FileIr[] }>();

  constructor(private readonly input: UnitInput) {
    this.root = input.root;
    this.project = input.project;
  }

  filesOf(language: Language): readonly FileIr[] {
    let list = this.candidateLists.get(language);
    if (!list) {
      list = (this.input.candidates[language] ?? []).flatMap((path) => this.parseCandidate(path, language) ?? []);
      this.candidateLists.set(language, list);
    }
    return list;
  }

  filesMatching(language: Language, pattern: RegExp): readonly FileIr[] {
    const found: FileIr[] = [];
    for (const path of this.input.listing[language] ?? []) {
      const text = this.textOf(path);
      if (text === undefined || !pattern.test(text)) continue;
      const file = this.parse(path, language);
      if (file) found.push(file);
    }
    return found;
  }

  withBodies(file: FileIr, wanted: (fn: FunctionIr) => boolean): FileIr {
    if (!file.functions.some((fn) => fn.skipped === true && wanted(fn))) return file;
    const text = this.textOf(file.path);
    const pack = this.input.packs[file.language];
    return pack && text !== undefined ? pack.lowerMore({ path: file.path, text }, file, wanted) : file;
  }

  pathsOf(language: Language): readonly string[] {
    return this.input.listing[language] ?? [];
  }

  fileAt(path: string): FileIr | undefined {
    return this.parsed.get(path);
  }

  textOf(path: string): string | undefined {
    return this.input.readText(path);
  }

  typesNamed(name: string, language: Language): readonly Located<TypeDecl>[] {
    return this.declaring(language, name).flatMap((file) =>
      file.types.filter((t) => t.name === name).map((item) => ({ file, item })),
    );
  }

  implsOf(typeName: string, trait?: 'Drop'): readonly Located<ImplDecl>[] {
    const index = this.declarationIndex('rust');
    const paths =
      trait === undefined ? [...index.filesOf(typeName), ...index.implementing(typeName)] : index.dropping(typeName);
    return [...new Set(paths)].flatMap((path) => {
      const file = this.parse(path, 'rust');
      return (file?.impls ?? []).flatMap((item) =>
        file && item.target.name === typeName && (trait === undefined || item.trait?.name === trait)
          ? [{ file, item }]
          : [],
      );
    });
  }

  globalsNamed(name: string, language: Language): readonly Located<GlobalDecl>[] {
    return this.known(language).flatMap((file) => (namesIn(file)?.globals(name) ?? []).map((item) => ({ file, item })));
  }

  functionsNamed(name: string, language: Language, fromPath?: string): readonly Located<FunctionIr>[] {
    const files =
      language === 'rust'
        ? this.declarationIndex('rust')
            .withFunction(name)
            .flatMap((path) => this.parse(path, 'rust') ?? [])
        : this.knownOrImported(name, fromPath);
    return files.flatMap((file) => (namesIn(file)?.functions(name) ?? []).map((item) => ({ file, item })));
  }

  oracle(language: Language): TypeOracle {
    let oracle = this.oracles.get(language);
    if (!oracle) this.oracles.set(language, (oracle = this.makeOracle(language)));
    return oracle;
  }

  functionsWith(file: FileIr, tokens: TextPattern, beside?: TextPattern): readonly FunctionIr[] {
    const text = this.textOf(file.path) ?? '';
    return file.functions.filter((fn) => {
      if (!fn.body || (fn.parent !== undefined && fn.kind !== 'function')) return false;
      const own = text.slice(fn.span.start, fn.span.end);
      if ((beside !== undefined && !matches(own, beside)) || !matches(own, tokens)) return false;
      const code = withoutComments(text, fn.span, file.comments);
      return code === undefined || ((beside === undefined || matches(code, beside)) && matches(code, tokens));
    });
  }

  holds(file: FileIr, fn: FunctionIr, pattern: TextPattern): boolean {
    const text = this.textOf(file.path) ?? '';
    if (!matches(text.slice(fn.span.start, fn.span.end), pattern)) return false;
    const code = withoutComments(text, fn.span, file.comments);
    return code === undefined || matches(code, pattern);
  }

  flowOf(file: FileIr, fn: FunctionIr): FunctionFlow {
    return this.flow(file, fn, SUMMARY_DEPTH);
  }

  growthsOf(key: string, language: Language, fromPath: string): readonly GrowthSite[] {
    const scope = this.scopeOf(fromPath, language);
    const holder = key.startsWith('global:') ? undefined : key.split('.')[0];
    const own = holder === undefined ? undefined : this.declarationSeenFrom(fromPath, holder, language, scope);
    const only = own !== undefined && this.isPrivateField(key, own, language) ? own : undefined;
    const memo = `${language}|${scope}|${key}|${only ?? ''}`;
    const all = this.growths.get(memo) ?? this.findGrowths(key, language, scope, only);
    this.growths.set(memo, all);
    if (language === 'd' && key.startsWith('global:')) {
      // Modules have variables of the same name.
      const oracle = this.oracle(language);
      const variable = key.slice('global:'.length).replace(/\W.*$/u, '');
      const declared = oracle.global(variable, fromPath)?.path;
      return all.filter(({ file }) => oracle.global(variable, file.path)?.path === declared);
    }
    const same = all.filter(({ file }) => {
      const other = own && holder && this.declarationSeenFrom(file.path, holder, language, scope);
      return own === undefined || other === undefined || own === other;
    });
    return [...same.filter(({ file }) => file.path === fromPath), ...same.filter(({ file }) => file.path !== fromPath)];
  }

  /** D: `private` hides a field from all other modules. In Rust, modules below see it, too. */
  private isPrivateField(key: string, path: string, language: Language): boolean {
    const [holder = '', name] = key.split('.');
    const types = (language === 'd' ? namesIn(this.parsed.get(path))?.types(holder) : undefined) ?? [];
    const named = types.flatMap((type) => type.fields.filter((field) => field.name === name));
    return named.length > 0 && named.every(({ isPublic }) => !isPublic);
  }

  /** The file that declares what `name` means in the file at `path`; undefined when several might. */
  private declarationSeenFrom(path: string, name: string, language: Language, scope: string): string | undefined {
    const declaring = this.declarationIndex(language)
      .filesOf(name)
      .filter(
        (other) =>
          other.startsWith(scope) &&
          this.parse(other, language)?.types.some((t) => t.name === name && t.kind !== 'alias') === true,
      );
    return declaring.includes(path) ? path : declaring.length === 1 ? declaring[0] : undefined;
  }

  private findGrowths(key: string, language: Language, scope: string, only?: string): readonly GrowthSite[] {
    const name = key.startsWith('global:')
      ? key.slice('global:'.length)
      : (key.split('.').findLast((s) => s !== '[]' && s !== '*') ?? key);
    const bare = name.replace(/[^\w].*$/u, '');
    const near = growthNear(bare, language);
    const sites: GrowthSite[] = [];
    for (const path of this.input.listing[language] ?? []) {
      if (only === undefined ? scope !== '' && !path.startsWith(scope) : path !== only) continue;
      const text = this.textOf(path);
      const named = text === undefined ? [] : offsetsOf(bare, text);
      if (text === undefined) continue;
      const given = language === 'd' ? givenToHelpers(bare, text, named) : [];
      if (given.length === 0 && !near(text, named)) continue;
      const deep = this.parseDeep(path, language, text);
      const grown = deep && this.withAssignments(deep, text, bare);
      if (!grown) continue;
      const file = given.length === 0 ? grown : this.withGiven(grown, bare, given);
      for (const fn of file.functions) {
        if (!fn.body || (fn.parent !== undefined && fn.kind !== 'function')) continue;
        if (bare !== '' && !hasBetween(named, fn.span)) continue;
        for (const growth of this.flow(file, fn, 1).growths) {
          if (growth.key !== key || isFresh(growth.place)) continue;
          if (growth.through !== undefined && !(language === 'd' && this.isGivenByReference(file, growth))) continue;
          sites.push({
            file,
            fn,
            growth,
            inConstructor:
              fn.kind === 'constructor' ||
              fn.kind === 'static-constructor' ||
              fn.kind === 'destructor' ||
              (language === 'rust' && fn.self === undefined && /^(new|from|with_|default|build)/.test(fn.name)) ||
              fn.trait === 'Drop',
          });
        }
      }
    }
    return sites;
  }

  /** D: `append(this.list, x)`: a function of the module lets its `ref` parameter grow, and names nothing that grows itself. */
  private isGivenByReference(file: FileIr, { through, key }: GrowthSite['growth']): boolean {
    const helpers = file.functions.filter(
      (one) => one.name === through && one.owner === undefined && one.parent === undefined && one.body !== undefined,
    );
    // That of another module is only taken for one by what it lets grow of its first parameter.
    if (helpers.length === 0) return this.oracle('d').growingHelper(through ?? '', file.path) !== undefined;
    return helpers.every(
      (one) =>
        one.params.some(({ modifiers }) => modifiers.includes('ref')) &&
        !this.flow(file, one, 0).growths.some((growth) => growth.key === key),
    );
  }

  isDevelopmentOnly(file: FileIr, fn?: { readonly isTest: boolean }): boolean {
    return fn?.isTest === true || this.project.isDevelopmentOnly(file.path);
  }

  // ---------------------------------------------------------------------------------------------------------------------

  /** As `parse`, but undefined for a file in which no rule has a function to look at; it may still be asked for by name. */
  private parseCandidate(path: string, language: Language): FileIr | undefined {
    const pack = this.input.packs[language];
    const text = pack && !this.parsed.has(path) ? this.textOf(path) : undefined;
    const sought = text === undefined ? undefined : this.input.soughtIn(language, path, text);
    if (!pack || sought === undefined || text === undefined) return this.parse(path, language);
    const file = pack.lowerIfSought({ path, text }, this.bodiesIn(language, path, text), sought);
    return file && this.keep(path, file);
  }

  private parse(path: string, language: Language): FileIr | undefined {
    if (this.parsed.has(path)) return this.parsed.get(path);
    const pack = this.input.packs[language];
    const text = pack ? this.textOf(path) : undefined;
    return this.keep(
      path,
      pack && text !== undefined ? pack.lower({ path, text }, this.bodiesIn(language, path, text)) : undefined,
    );
  }

  private keep(path: string, file: FileIr | undefined): FileIr | undefined {
    this.parsed.set(path, file);
    if (file) {
      for (const gap of file.gaps) this.input.onGap(gap);
      this.input.onParsed?.(path);
    }
    return file;
  }

  /** Bodies that rules asked for; in D, where they are most of a file anyway, those that may grow something come along. */
  private bodiesIn(language: Language, path: string, text: string): BodyFilter | undefined {
    const wanted = this.input.wantedIn(language, path, text);
    if (!wanted || language !== 'd' || !this.isCandidate(language, path)) return wanted;
    return { test: (body) => wanted.test(body) || mayGrow('d', body) };
  }

  private isCandidate(language: Language, path: string): boolean {
    let known = this.candidatePaths.get(language);
    if (!known) this.candidatePaths.set(language, (known = new Set(this.input.candidates[language] ?? [])));
    return known.has(path);
  }

  /** As `parse`, with every body that may change the size of something. */
  private parseDeep(path: string, language: Language, text: string): FileIr | undefined {
    const plain = this.parsed.get(path);
    const isGrowing = (f: FunctionIr) => f.skipped === true && mayGrow(language, text.slice(f.span.start, f.span.end));
    if (plain && !plain.functions.some(isGrowing)) return plain;
    if (this.deep.has(path)) return this.deep.get(path);
    const file = plain
      ? this.withBodies(plain, isGrowing)
      : this.input.packs[language]?.lower({ path, text }, { test: (body) => mayGrow(language, body) });
    this.deep.set(path, file);
    if (file && !this.parsed.has(path)) this.input.onParsed?.(path);
    return file;
  }

  /** D: the file with the bodies that give what has the name to a helper. Fields of many types have one name. */
  private withGiven(file: FileIr, name: string, places: readonly number[]): FileIr {
    const known = this.given.get(file) ?? new Map<string, FileIr>();
    this.given.set(file, known);
    let read = known.get(name);
    if (read === undefined) {
      read = this.withBodies(file, (f) => f.skipped === true && hasBetween(places, f.span));
      known.set(name, read);
    }
    return read;
  }

  /**
   * The file with the bodies that assign to the field `name`, which `MAY_GROW` does not look for. In Rust the vector that a new one takes
   * the place of frees what it held; in D the old array stays as long as something points into it.
   */
  private withAssignments(file: FileIr, text: string, name: string): FileIr {
    const { language, path } = file;
    const assigns = new RegExp(`\\.\\s*${name}\\s*=[^=>]`, 'u');
    if (language !== 'rust' || !assigns.test(text)) return file;
    const isAssigning = (fn: FunctionIr) => fn.skipped === true && assigns.test(text.slice(fn.span.start, fn.span.end));
    if (!file.functions.some(isAssigning)) return file;
    const key = `${path}|${name}`;
    let read = this.assigning.get(key);
    if (!read) {
      read = this.withBodies(file, isAssigning);
      this.assigning.set(key, read);
    }
    return read;
  }

  /** The file with the body of a helper in it: with all that may grow something, or when only `unsafe` code is in it, with all. */
  private withBodyOf(path: string, language: Language, fn: FunctionIr): FileIr | undefined {
    const text = this.textOf(path);
    const own = text?.slice(fn.span.start, fn.span.end);
    if (text === undefined || own === undefined) return undefined;
    if (mayGrow(language, own)) return this.parseDeep(path, language, text);
    const plain = this.parsed.get(path);
    if (!plain) return undefined;
    const key = `${path}|${fn.span.start}`;
    let helper = this.helpers.get(key);
    const matters =
      language === 'rust'
        ? /\bunsafe\b/u.test(own) || LOCKS_FOR.test(own) || keepsPointer(own, fn)
        : fn.kind === 'destructor' ||
          (fn.returnsRef === true && /(?:\breturn\b|=>)[^;]*\[/u.test(own)) ||
          setsThroughParameter(own, fn);
    if (!helper && matters)
      this.helpers.set(key, (helper = this.withBodies(plain, (f) => f.span.start === fn.span.start)));
    return helper;
  }

  /** D: what was read, and what the file at `fromPath` imports if its text looks to declare a foreign function of the name. */
  private knownOrImported(name: string, fromPath: string | undefined): readonly FileIr[] {
    for (const path of fromPath === undefined ? [] : this.importedPaths(fromPath))
      if (!this.parsed.has(path) && this.foreignIn(path).has(name)) this.parse(path, 'd');
    return this.known('d');
  }

  /** D: names of what the text of a file looks to declare as functions of another language. */
  private foreignIn(path: string): ReadonlySet<string> {
    let names = this.foreign.get(path);
    if (names === undefined) {
      const text = this.input.peekText(path) ?? '';
      const declared = IS_FOREIGN.test(text) ? text.matchAll(DECLARED) : [];
      names = new Set([...declared].map(([, found = '']) => ownCopy(found)));
      this.foreign.set(path, names);
    }
    return names;
  }

  /** D: the files of the unit that a file imports. */
  private importedPaths(fromPath: string): readonly string[] {
    let found = this.imported.get(fromPath);
    if (found === undefined) {
      this.modulesOfD ??= new ModuleFiles(this.input.listing.d ?? []);
      const file = this.parsed.get(fromPath) ?? this.deep.get(fromPath);
      found = this.modulesOfD.importedBy(file?.imports ?? [], fromPath);
      this.imported.set(fromPath, found);
    }
    return found;
  }

  private known(language: Language): readonly FileIr[] {
    const files = this.filesOf(language);
    const count = this.parsed.size;
    const last = this.knownFiles.get(language);
    if (last?.count === count) return last.files;
    const all = [
      ...new Set([...files, ...[...this.parsed.values()].flatMap((f) => (f?.language === language ? [f] : []))]),
    ];
    this.knownFiles.set(language, { count, files: all });
    return all;
  }

  /** Files that declare a type of this name: parsed ones first, the rest of the unit by its declaration index. */
  private declaring(language: Language, name: string): readonly FileIr[] {
    return this.declarationIndex(language)
      .filesOf(name)
      .flatMap((path) => this.parse(path, language) ?? []);
  }

  private declarationIndex(language: Language): DeclarationIndex {
    let index = this.input.declarations?.[language] ?? this.declarations.get(language);
    if (!index) {
      index = new DeclarationIndex(language, this.input.listing[language] ?? [], (path) => this.input.peekText(path));
      this.declarations.set(language, index);
    }
    return index;
  }

  /** Growth of a Rust field is looked for in its package, of a D field in the whole unit. */
  private scopeOf(path: string, language: Language): string {
    if (language !== 'rust') return '';
    let scope = this.scopes.get(path);
    if (scope === undefined) {
      const dir = this.project.cargoPackageOf(path)?.dir;
      scope = dir === undefined || dir === '' ? '' : `${dir}/`;
      this.scopes.set(path, scope);
    }
    return scope;
  }

  private flow(file: FileIr, fn: FunctionIr, depth: number): FunctionFlow {
    const known = this.knownFlow(file.language, fn, depth);
    if (known) return known;
    const { cuts } = this;
    this.running.add(fn);
    const flow = this.follow(file, fn, depth);
    this.running.delete(fn);
    this.flows.set(fn, { flow, depth, isCut: this.cuts > cuts });
    return flow;
  }

  /**
   * What was found out before, unless a helper of D was left out then that would be followed now: whoever asks first must not decide. In
   * Rust that costs a tenth more on oxc, and sixteen trees have the same findings either way.
   */
  private knownFlow(language: Language, fn: FunctionIr, depth: number): FunctionFlow | undefined {
    const known = this.flows.get(fn);
    if (!known || (language === 'd' && known.isCut && known.depth < depth)) return undefined;
    if (known.isCut) this.cuts++;
    return known.flow;
  }

  /** What a function does that is being followed already, its helpers left aside: a circle may be entered anywhere. */
  private ownEffects(path: string, fn: FunctionIr): FunctionFlow | undefined {
    if (this.alone.has(fn)) return this.alone.get(fn);
    this.alone.set(fn, undefined);
    const file = this.fileWith(path, fn);
    const flow = file && this.follow(file, fn, 0);
    this.alone.set(fn, flow);
    return flow;
  }

  private follow(file: FileIr, fn: FunctionIr, depth: number): FunctionFlow {
    const { language } = file;
    let apis = this.apis.get(language);
    if (!apis) this.apis.set(language, (apis = new ApiIndex(this.input.packs[language]?.apis ?? [])));
    return analyse(file, fn, { oracle: this.oracle(language), apis, depth });
  }

  /** The reading of the file at a path that has this very function: one with its body. */
  private fileWith(path: string, fn: FunctionIr): FileIr | undefined {
    return [this.parsed.get(path), this.deep.get(path)].find((file) => file?.functions.includes(fn));
  }

  private makeOracle(language: Language): TypeOracle {
    const index = (): DeclarationIndex => this.declarationIndex(language);
    const memoTypes = new Map<string, TypeDecl | undefined>();
    const memoDeclared = new Map<string, boolean>();
    const fileAt = (path: string): FileIr | undefined => this.parsed.get(path) ?? this.deep.get(path);
    const importedPaths = (fromPath: string): readonly string[] => this.importedPaths(fromPath);
    const moduleVariables = new Map<string, ReadonlySet<string>>();
    const growers = new Map<string, ReadonlySet<string>>();
    /** D: names of what the text of a file looks to declare as functions that put something into a first parameter by `ref`. */
    const growersIn = (path: string): ReadonlySet<string> => {
      let names = growers.get(path);
      if (names === undefined) {
        const text = this.input.peekText(path) ?? '';
        names = new Set([...text.matchAll(TAKES_BY_REF)].map(([, found = '']) => ownCopy(found)));
        growers.set(path, names);
      }
      return names;
    };
    const memoGrowing = new Map<string, { readonly found: ReturnType<TypeOracle['growingHelper']> }>();
    /** D: names of what the text of a file looks to declare as variables of its module. */
    const variablesIn = (path: string): ReadonlySet<string> => {
      let names = moduleVariables.get(path);
      if (names === undefined) {
        const text = this.input.peekText(path) ?? '';
        names = new Set([...text.matchAll(MODULE_VARIABLE)].map(([, found = '']) => ownCopy(found)));
        moduleVariables.set(path, names);
      }
      return names;
    };
    const memoGlobals = new Map<string, { readonly decl: GlobalDecl; readonly path: string } | undefined>();
    /** D: the variable of the one module among those that a file imports that declares it for others. */
    const importedGlobal = (name: string, fromPath: string): ReturnType<TypeOracle['global']> => {
      const memo = `${fromPath}|${name}`;
      if (memoGlobals.has(memo)) return memoGlobals.get(memo);
      const found = importedPaths(fromPath).flatMap((path) => {
        if (path === fromPath || !variablesIn(path).has(name)) return [];
        const decl = namesIn(this.parse(path, language))
          ?.globals(name)
          .find((one) => one.inFunction === undefined && one.isPublic);
        return decl ? [{ decl, path }] : [];
      });
      const [first] = found;
      const only = first && found.every(({ path }) => path === first.path) ? first : undefined;
      memoGlobals.set(memo, only);
      return only;
    };
    /** The one file of the scope, else of the unit, that declares a type of this name, `besides` one that only gives another such name. */
    const declaringPath = (name: string, scope: string, besides?: string): string | undefined => {
      const known = index().filesOf(name);
      let paths = besides === undefined ? known : known.filter((p) => p !== besides);
      if (besides !== undefined && paths.length > 1) {
        const imported = importedPaths(besides);
        paths = paths.filter((p) => imported.includes(p));
      }
      const near = paths.filter((p) => scope === '' || p.startsWith(scope));
      return near.length === 1 ? near[0] : near.length === 0 && paths.length === 1 ? paths[0] : undefined;
    };
    let modules: Map<string, string[]> | undefined;
    /** Files of Rust modules of a name: `name.rs` and `name/mod.rs`. */
    const modulesNamed = (name: string): readonly string[] => {
      if (modules === undefined) {
        modules = new Map();
        for (const path of this.input.listing[language] ?? []) {
          const module = /([^/]+?)(?:\/mod)?\.rs$/u.exec(path)?.[1];
          if (module !== undefined) modules.set(module, [...(modules.get(module) ?? []), path]);
        }
      }
      return modules.get(name) ?? [];
    };
    const memoConstants = new Map<string, boolean>();
    /** The names of functions that the text of a file declares, each between line breaks: names as they are found would keep the texts in memory. */
    const functionsOfFile = new Map<string, string>();
    /** A file is not worth a parse for a method whose name its text never declares. */
    const mayHaveFunction = (path: string, name: string): boolean => {
      if (language !== 'rust' || this.parsed.has(path) || !/^\w+$/u.test(name)) return true;
      let names = functionsOfFile.get(path);
      if (names === undefined) {
        const found = new Set<string>();
        for (const [, word] of (this.input.peekText(path) ?? '').matchAll(/\bfn\s+(?:r#)?(\w+)/gu))
          found.add(word ?? '');
        names = `\n${[...found].join('\n')}\n`;
        functionsOfFile.set(path, names);
      }
      return names.includes(`\n${name}\n`);
    };
    /** D: of several files that declare a type, those that the asking one imports; where it imports none, all of them. */
    const isMeant = (path: string, all: readonly string[], fromPath: string): boolean => {
      if (language !== 'd' || all.length < 2) return true;
      const imported = importedPaths(fromPath);
      return imported.includes(path) || !all.some((one) => imported.includes(one));
    };
    let packages: Map<string, string> | undefined;
    /** Rust: folders of the unit's packages by the names that code has for them. */
    const folderOfPackage = (name: string): string | undefined => {
      if (packages === undefined) {
        packages = new Map();
        for (const path of this.input.listing.rust ?? []) {
          const pkg = path.endsWith('/src/lib.rs') ? this.project.cargoPackageOf(path) : undefined;
          if (pkg !== undefined && pkg.dir !== '') packages.set(pkg.name.replaceAll('-', '_'), `${pkg.dir}/`);
        }
      }
      return packages.get(name);
    };
    /**
     * Rust: the name that a type has where it is declared, the package, and the module if one is named, by a `use` that gives it another name
     * or takes it from another package. What a macro or another crate declares there may have a namesake elsewhere.
     */
    const usedAs = (name: string, fromPath: string): UsedType => {
      const scope = this.scopeOf(fromPath, language);
      const used =
        language === 'rust'
          ? fileAt(fromPath)?.imports.find((i) => i.kind === 'use' && i.name === name && i.isGlob !== true)
          : undefined;
      const [first = '', ...rest] = used?.path ?? [];
      const last = rest.at(-1);
      const module = rest.at(-2);
      if (last === undefined) return { name, scope, module: undefined };
      if (/^(?:crate|self|super)$/u.test(first))
        return last === name ? { name, scope, module: undefined } : { name: last, scope, module };
      const folder = folderOfPackage(first);
      return folder === undefined ? { name, scope, module: undefined } : { name: last, scope: folder, module };
    };
    const isOfModule = (path: string, module: string | undefined): boolean =>
      module === undefined || path.split('/').includes(module) || path.endsWith(`/${module}.rs`);
    const methodsOf: TypeOracle['methods'] = (owner, name, fromPath) => {
      const here = namesIn(fileAt(fromPath))?.methods(owner, name) ?? [];
      if (here.length > 0) return here.map((fn) => ({ path: fromPath, fn }));
      const { name: meant, scope, module } = usedAs(owner, fromPath);
      const [path, ...others] = index()
        .filesOf(meant)
        .filter((p, _, all) => p !== fromPath && (scope === '' || p.startsWith(scope)) && isMeant(p, all, fromPath));
      if (path === undefined || others.length > 0 || !isOfModule(path, module) || !mayHaveFunction(path, name))
        return [];
      return (namesIn(this.parse(path, language))?.methods(meant, name) ?? []).map((fn) => ({ path, fn }));
    };
    /** Rust: the one free function of another module of the package that a path names, by `use` or by the module's name. */
    const functionOfModule = (
      path: readonly string[],
      fromPath: string,
      holds?: RegExp,
    ): { readonly path: string; readonly fn: FunctionIr } | undefined => {
      const name = path.at(-1) ?? '';
      if (language !== 'rust' || !/^[a-z_]\w*$/u.test(name)) return undefined;
      const imports = fileAt(fromPath)?.imports ?? [];
      const [first = ''] = path;
      const named = imports.find((i) => i.name === first && i.isGlob !== true)?.path;
      const module = path.length === 1 ? named?.at(-2) : path.length === 2 && named ? named.at(-1) : path.at(-2);
      if (module === undefined) return undefined;
      const scope = this.scopeOf(fromPath, language);
      const modules = modulesNamed(module).filter(
        (p) => p !== fromPath && p.startsWith(scope) && mayHaveFunction(p, name),
      );
      if (modules.length > 4) return undefined;
      if (holds !== undefined && !modules.some((p) => holds.test(this.input.peekText(p) ?? ''))) return undefined;
      const [found, ...others] = modules.flatMap((p) =>
        (namesIn(this.parse(p, language))?.freeFunctions(name) ?? []).map((fn) => ({ path: p, fn })),
      );
      return others.length === 0 ? found : undefined;
    };
    return {
      declaration: (name, fromPath) => {
        if (!/^[A-Za-z_]/.test(name)) return undefined;
        const own = namesIn(fileAt(fromPath))?.type(name);
        // D: `alias Storage = .Storage!(T, 4);` means that of another module.
        const isOther = language === 'd' && own?.kind === 'alias' && own.alias?.name === name;
        if (own && !isOther) return own;
        const { name: meant, scope, module } = usedAs(name, fromPath);
        const memo = `${scope}|${meant}|${isOther ? fromPath : (module ?? '')}`;
        if (memoTypes.has(memo)) return memoTypes.get(memo) ?? own;
        const path = declaringPath(meant, scope, isOther ? fromPath : undefined);
        const decl =
          path === undefined || !isOfModule(path, module)
            ? undefined
            : this.parse(path, language)?.types.find((t) => t.name === meant);
        memoTypes.set(memo, decl);
        return decl ?? own;
      },
      declarationsIn: (name, fromPath) => namesIn(fileAt(fromPath))?.types(name) ?? [],
      mayBeAlias: (name, fromPath) => {
        const own = namesIn(fileAt(fromPath))?.type(name);
        return own ? own.kind === 'alias' : index().isAlias(name);
      },
      isDeclared: (name, fromPath) => {
        if (namesIn(fileAt(fromPath))?.type(name) !== undefined) return true;
        const scope = this.scopeOf(fromPath, language);
        const memo = `${scope}|${name}`;
        let isThere = memoDeclared.get(memo);
        if (isThere === undefined) {
          const path = declaringPath(name, scope);
          isThere = path !== undefined && index().isSurelyIn(path, name);
          memoDeclared.set(memo, isThere);
        }
        return isThere;
      },
      hasMethodPerhaps: (name, method, fromPath) => {
        if (namesIn(fileAt(fromPath))?.type(name) !== undefined) return false;
        const scope = this.scopeOf(fromPath, language);
        if (index().filesOf(name).length < 2 || declaringPath(name, scope) !== undefined) return false;
        return index()
          .filesOf(name)
          .filter((path, _, all) => isMeant(path, all, fromPath))
          .some((path) => (namesIn(this.parse(path, language))?.methods(name, method) ?? []).length > 0);
      },
      global: (name, fromPath, inFunction) => {
        const named = namesIn(fileAt(fromPath))?.globals(name) ?? [];
        const isAround = (g: GlobalDecl): boolean =>
          g.inFunction !== undefined && `${inFunction ?? ''}.`.startsWith(`${g.inFunction}.`);
        const decl = named.findLast(isAround) ?? named.find((g) => g.inFunction === undefined);
        if (decl) return { decl, path: fromPath };
        return language === 'd' ? importedGlobal(name, fromPath) : undefined;
      },
      globalOf: (module, name, fromPath) => {
        const isNamed = fileAt(fromPath)?.imports.some((i) => i.name === module || i.path.at(-1) === module) === true;
        const found = isNamed && language === 'd' ? importedGlobal(name, fromPath) : undefined;
        return found && (fileAt(found.path)?.module.at(-1) === module || found.path.endsWith(`/${module}.d`))
          ? found
          : undefined;
      },
      isConstant: (name, fromPath) => {
        const own = namesIn(fileAt(fromPath));
        if ((own?.globals(name).length ?? 0) > 0) return true;
        if (language !== 'd' || name === '' || own?.type(name) !== undefined) return false;
        const memo = `${fromPath}|${name}`;
        let isIt = memoConstants.get(memo);
        if (isIt === undefined) {
          const declares = new RegExp(String.raw`\b(?:enum|const|immutable)\b[^;{}]*\b${name}\s*=(?!=)`, 'u');
          isIt = importedPaths(fromPath).some((path) => {
            const text = this.input.peekText(path) ?? '';
            return text.includes(name) && declares.test(text);
          });
          memoConstants.set(memo, isIt);
        }
        return isIt;
      },
      method: (owner, name, fromPath) => {
        const found = methodsOf(owner, name, fromPath);
        return found.length === 1 ? found[0] : undefined;
      },
      methods: methodsOf,
      freeFunction: (name, fromPath) => {
        const here = namesIn(fileAt(fromPath))?.freeFunctions(name) ?? [];
        return here.length === 1 && here[0] ? { path: fromPath, fn: here[0] } : undefined;
      },
      releasingHelper: (path, fromPath) => {
        const found = functionOfModule(path, fromPath, RELEASES);
        if (found?.fn.bodySpan === undefined) return undefined;
        const { start, end } = found.fn.bodySpan;
        return RELEASES.test(this.input.peekText(found.path)?.slice(start, end) ?? '') ? found : undefined;
      },
      resultOf: (path, fromPath) => functionOfModule(path, fromPath)?.fn.returns,
      growingHelper: (name, fromPath) => {
        if (language !== 'd' || !NAMED_FOR_GROWTH.test(name)) return undefined;
        const memo = `${fromPath}|${name}`;
        const known = memoGrowing.get(memo);
        if (known !== undefined) return known.found;
        const all = [...new Set(importedPaths(fromPath))].flatMap((path) => {
          if (path === fromPath || !growersIn(path).has(name)) return [];
          return (namesIn(this.parse(path, language))?.freeFunctions(name) ?? []).map((fn) => ({ path, fn }));
        });
        const [only, ...others] = all;
        const found = only?.fn.bodySpan !== undefined && others.length === 0 ? only : undefined;
        memoGrowing.set(memo, { found });
        return found;
      },
      handsOn: (path, { bodySpan }) =>
        bodySpan === undefined || HANDS_ON.test((this.textOf(path) ?? '').slice(bodySpan.start, bodySpan.end)),
      locksFor: (path, { span }) => LOCKS_FOR.test((this.textOf(path) ?? '').slice(span.start, span.end)),
      functionById: (path, id) => namesIn(fileAt(path))?.functionById(id),
      summaryOf: (path, fn, depth, matters) => {
        const known = this.knownFlow(language, fn, depth - 1);
        if (known) return known;
        if (this.running.has(fn)) {
          this.cuts++;
          return this.ownEffects(path, fn);
        }
        if (depth <= 0) {
          this.cuts++;
          return undefined;
        }
        if (!fn.body) {
          // No rule asked for the helper's body, but what it grows, releases or reads matters to its callers.
          const file = fn.skipped === true && matters ? this.withBodyOf(path, language, fn) : undefined;
          const twin = twinOf(file, fn);
          return file && twin?.body && !this.running.has(twin) ? this.flow(file, twin, depth - 1) : undefined;
        }
        const file = this.fileWith(path, fn);
        return file ? this.flow(file, fn, depth - 1) : undefined;
      },
      bodyOf: (path, fn) =>
        fn.body ?? (fn.skipped === true ? twinOf(this.withBodyOf(path, language, fn), fn)?.body : undefined),
    };
  }
}

/** A type as it is called where it is declared. */
interface UsedType {
  readonly name: string;
  /** The folder of the package, with a `/` at its end; empty for the whole unit. */
  readonly scope: string;
  /** The innermost module of the path. */
  readonly module: string | undefined;
}

/** The same function in the file as it was read again. */
function twinOf(file: FileIr | undefined, fn: FunctionIr): FunctionIr | undefined {
  return file?.functions.find((f) => f.nameSpan.start === fn.nameSpan.start);
}

/** D: a line that declares a function without a body, with its type in front. */
const DECLARED =
  /^[ \t]*(?!(?:return|else|new|throw|case|assert|auto|alias)\b)(?:[\w.()*[\]]+[ \t]+)+\**(\w+)\s*\([^;{}]{0,2000}\)[^;{}=]{0,200};/gmu;

/** D: functions of other languages are declared. */
const IS_FOREIGN = /\bextern\s*\(\s*(?:C|Windows|System|Objective)/u;

/** What hands something on to another thread, task or queue, or keeps it. */
const HANDS_ON =
  /spawn|thread|task|exec|submit|send|push|sched|queue|post|runtime|block_on|insert|store|set|poll|lock|\b[A-Z]\w*\s*(?:!|::|\{)|=\s*\w/iu;

/** A function that takes a lock and calls a closure. */
const LOCKS_FOR = /\bFn(?:Once|Mut)?\s*\([^]*\.\s*(?:lock|read|write)\s*\(\s*\)/u;

/**
 * D: a variable of a module, as most stand in its text: at the beginning of a line, or behind a word that makes it one for all threads. No
 * blanks are read by two parts of it, which would take exponential time.
 */
const MODULE_VARIABLE =
  /^(?:[ \t]+(?:(?:public|static)\s+){0,4}(?:__gshared|shared)\s+)?(?:(?:public|package|export|static|__gshared|shared|const|immutable|extern)(?:\s*\([^()\n]*\))?\s+){0,8}(?!(?:alias|enum|import|module|return|private)\b)[\w.!]+(?:\([^()\n]*\))?(?:\[[^\]\n]*\]|\*)*\s+(\w+)\s*(?:=[^=>]|;)/gmu;

/** What a function that releases memory holds. */
const RELEASES = /\bfrom_raw|free\b|\bdealloc|drop_in_place|_(?:destroy|release|unref)\b/u;

/** Rust: `self.current = pointer;` of a parameter that is a raw pointer. */
function keepsPointer(text: string, { params, self }: FunctionIr): boolean {
  const names = self ? params.filter((p) => p.type?.kind === 'pointer' && p.name !== '').map((p) => p.name) : [];
  return (
    names.length > 0 && new RegExp(String.raw`\bself(?:\s*\.\s*\w+)+\s*=\s*(?:${names.join('|')})\s*;`, 'u').test(text)
  );
}

/** D: whether the text of a function looks as if it kept or threw one of its parameters, or set what one leads to. */
function setsThroughParameter(text: string, { params }: FunctionIr): boolean {
  const names = params.filter((p) => p.name !== '' && p.type?.kind !== 'delegate').map((p) => p.name);
  if (names.length === 0) return false;
  const any = `(?:${names.join('|')})`;
  return new RegExp(
    `\\bthrow\\s+new\\b[^;]*\\b${any}\\b|(?<![=!<>])=\\s*(?:&\\s*|cast\\s*\\([^()]*\\)\\s*)?${any}\\b|\\b${any}(?:\\.\\w+)+\\s*=[^=]|\\*${any}\\s*=[^=]`,
    'u',
  ).test(text);
}

function matches(text: string, pattern: TextPattern): boolean {
  return pattern instanceof RegExp
    ? pattern.test(text)
    : pattern.some((one) => {
        if (typeof one === 'string') return text.includes(one);
        if ('test' in one) return one.test(text);
        return ('inFile' in one || text.includes(one.word)) && one.pattern.test(text);
      });
}

/** Whether one of the ascending offsets lies in the range. */
function hasBetween(offsets: readonly number[], { start, end }: Span): boolean {
  let low = 0;
  let high = offsets.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((offsets[middle] ?? 0) < start) low = middle + 1;
    else high = middle;
  }
  return (offsets[low] ?? end) < end;
}

/** A variable that holds an object made in the same function: nobody else can point into it yet. */
function isFresh({ root }: Place): boolean {
  return (
    root.kind === 'local' &&
    root.byValue &&
    root.origin === undefined &&
    root.type?.kind !== 'pointer' &&
    root.type?.kind !== 'reference'
  );
}
