/**
 * Who builds an addon, and with which features: package scripts followed through nested runs and build files, workflow steps,
 * shell scripts and recipes, down to `napi build` or `cargo build`.
 */
import type { CargoBuild, CargoPackage, Fact, NpmPackage, NpmScript, Place, Tri } from '../model/project.js';
import type { CargoModel } from './cargo.js';
import { readAction, type BuildFlags, type ScriptScope } from './commands.js';
import { findAncestors, folderOf, globPattern, joinPath, nameOf, type ProjectFiles } from './input.js';
import type { NpmModel } from './npm.js';
import { readShell, type Word } from './shell.js';
import { findShellPlaces, type ShellSearch } from './workflows.js';

type Via = Place & { readonly note: string; readonly text: string };

interface Context {
  /** Folder that the command runs in; `undefined` when nothing tells. */
  readonly folder: string | undefined;
  readonly npm: NpmPackage | undefined;
  /** Outermost first; the last one is where the text being read stands. */
  readonly via: readonly Via[];
  readonly args: readonly Word[];
  readonly running: ReadonlySet<string>;
}

/** Nested scripts deeper than this are loops in disguise. */
const deepest = 10;

export class BuildFinder {
  private builds: Map<string, CargoBuild[]> | undefined;
  private readEverything = false;

  constructor(
    private readonly files: ProjectFiles,
    private readonly cargo: CargoModel,
    private readonly npm: NpmModel,
  ) {}

  /** Builds of a package that makes a cdylib; one that stands for the unknown when no command was found. */
  buildsOf(addon: CargoPackage): readonly CargoBuild[] {
    if (this.builds === undefined) {
      this.builds = new Map();
      this.followScripts();
      this.followShell('flags');
    }
    // A build that passes no features says nothing beside those of the scripts, so the rest is read only when there are none.
    if (!this.builds.has(addon.dir) && !this.readEverything) {
      this.readEverything = true;
      this.followShell('any');
    }
    const found = this.builds.get(addon.dir);
    if (found !== undefined && found.length > 0) return found;
    const crateType = addon.targets
      .find((target) => target.kind === 'lib')
      ?.crateTypes.find((type) => type.value === 'cdylib');
    const at = crateType ?? addon.nameFact;
    const assumed: CargoBuild = {
      package: addon,
      path: at.path,
      line: at.line,
      note: `a build outside of the repository`,
      features: [],
      maybeFeatures: [],
      allFeatures: false,
      defaultFeatures: 'yes',
      release: 'unknown',
      triples: [],
      open: true,
      assumed: true,
      via: [],
    };
    this.builds.set(addon.dir, [assumed]);
    return [assumed];
  }

  private followScripts(): void {
    for (const pkg of this.npm.nativePackages()) {
      for (const script of pkg.scripts)
        this.runScript(pkg, script, { folder: pkg.dir, npm: pkg, via: [], args: [], running: new Set() });
    }
  }

  private followShell(search: ShellSearch): void {
    for (const place of findShellPlaces(this.files, search)) {
      const folders = place.folder?.includes('*') === true ? this.foldersMatching(place.folder) : [place.folder];
      for (const folder of folders) {
        this.run(place.text, {
          folder: folder ?? folderOf(place.path),
          npm: folder === undefined ? undefined : this.npm.packageAbove(folder),
          via: [{ path: place.path, line: place.line, note: place.note, text: place.text }],
          args: [],
          running: new Set(),
        });
      }
    }
  }

  private foldersMatching(folder: string): readonly string[] {
    const glob = globPattern(folder);
    return this.npm
      .nativePackages()
      .map((pkg) => pkg.dir)
      .filter((dir) => glob.test(dir));
  }

  private runScript(pkg: NpmPackage, script: NpmScript, context: Context): void {
    const id = `${pkg.dir}\n${script.name}`;
    if (context.running.has(id) || context.via.length > deepest) return;
    const via = {
      path: script.path,
      line: script.line,
      ...(script.column === undefined ? {} : { column: script.column }),
      note: `script '${script.name}' of '${pkg.name ?? pkg.dir}'`,
      text: script.command,
    };
    this.run(script.command, {
      folder: pkg.dir,
      npm: pkg,
      via: [...context.via, via],
      args: context.args,
      running: new Set([...context.running, id]),
    });
  }

  private run(text: string, context: Context): void {
    const commands = readShell(text);
    const multiline = text.includes('\n');
    let folder = context.folder;
    commands.forEach((command, index) => {
      const isLast = index === commands.length - 1;
      const words = isLast ? [...command.words, ...context.args] : command.words;
      const here = multiline ? shiftLast(context.via, command.line) : context.via;
      folder = this.act(words, { ...context, folder, via: here });
    });
  }

  /** Carries out one command; the result is the folder in which the next one runs. */
  private act(words: readonly Word[], context: Context): string | undefined {
    let folder = context.folder;
    for (const action of readAction(words)) {
      switch (action.kind) {
        case 'folder':
          folder =
            action.dynamic || folder === undefined ? undefined : joinPath(folder, action.path.replace(/^\//, ''));
          break;
        case 'build':
          this.record(action.flags, { ...context, folder });
          break;
        case 'nested':
          if (context.via.length <= deepest) this.run(action.text, { ...context, folder, args: [], via: context.via });
          break;
        case 'file':
          this.runFile(action.path, action.args, { ...context, folder });
          break;
        case 'script': {
          const scripts = this.findScripts(action.name, action.pattern, action.where, { ...context, folder });
          for (const [pkg, script] of scripts) this.runScript(pkg, script, { ...context, args: action.args });
          // `pnpm napi build` runs a binary when there is no script of the name.
          if (scripts.length === 0 && action.orElse !== undefined && action.orElse.length > 0)
            this.act(action.orElse, { ...context, folder });
          break;
        }
      }
    }
    return folder;
  }

  private findScripts(
    name: string,
    isPattern: boolean,
    where: ScriptScope,
    context: Context,
  ): readonly (readonly [NpmPackage, NpmScript])[] {
    const matches = isPattern ? scriptPattern(name) : undefined;
    const packages = this.packagesIn(where, context);
    return packages.flatMap((pkg) =>
      pkg.scripts
        .filter((script) => (matches === undefined ? script.name === name : matches.test(script.name)))
        .map((script) => [pkg, script] as const),
    );
  }

  private packagesIn(where: ScriptScope, context: Context): readonly NpmPackage[] {
    switch (where.in) {
      case 'all':
        return this.npm.nativePackages().filter((pkg) => pkg !== context.npm);
      case 'filter':
        return this.npm.packagesMatching(where.patterns, this.npm.packageAbove(context.folder ?? '')?.dir ?? '');
      case 'folder': {
        const found = this.npm.packageAt(
          where.path === '/' ? this.files.input.root : joinPath(context.folder ?? '', where.path),
        );
        return found === undefined ? [] : [found];
      }
      case 'here': {
        const found = context.folder === undefined ? context.npm : this.npm.packageAbove(context.folder);
        return found === undefined ? [] : [found];
      }
    }
  }

  private runFile(file: string, args: readonly Word[], context: Context): void {
    const path = joinPath(context.folder ?? context.npm?.dir ?? '', file);
    const text = this.files.text(path);
    if (text === undefined || text.length > 400_000 || context.running.has(path)) return;
    const via = { path, line: 1, note: `'${nameOf(path)}'`, text };
    const inner: Context = {
      ...context,
      via: [...context.via, via],
      args,
      running: new Set([...context.running, path]),
    };
    if (path.endsWith('.sh')) this.run(text, { ...inner, args: [] });
    else this.readBuildFile(text, path, inner);
  }

  /**
   * A JavaScript file that starts the build. It is not run: flags are read from its string literals, and a feature whose name
   * stands there is possible, not certain, because conditions around it aren't followed.
   */
  private readBuildFile(text: string, path: string, context: Context): void {
    if (!/\bnapi\b|@napi-rs\/cli|\bcargo\b/.test(text) || !/\bbuild\b/.test(text)) return;
    const handed = readAction([word('napi'), word('build'), ...(/process\.argv/.test(text) ? context.args : [])])[0];
    if (handed?.kind !== 'build') return;
    const literals = [...text.matchAll(/(['"`])((?:\\.|(?!\1)[^\\\n])*)\1/g)];
    const values = literals.map((match) => match[2] ?? '');
    const after = (flag: RegExp): string | undefined => {
      const index = values.findIndex((value) => flag.test(value));
      const joined = index < 0 ? undefined : /^--[\w-]+[= ](.+)$/.exec(values[index] ?? '')?.[1];
      return joined ?? (index < 0 ? undefined : values[index + 1]);
    };
    const option = (key: string): string | undefined =>
      new RegExp(`\\b${key}['"]?\\s*[:=]\\s*(?:(?:path\\.)?(?:join|resolve)\\([^'"\`]*)?['"\`]([^'"\`]+)`).exec(
        text,
      )?.[1];
    const certain = after(/^--features\b/) ?? '';
    const manifestPath = handed.flags.manifestPath ?? after(/^--manifest-path\b/) ?? option('manifestPath');
    const cwd = handed.flags.cwd ?? after(/^--cargo-cwd\b/) ?? after(/^--cwd\b/) ?? option('cargoCwd');
    const named = after(/^(?:--package|-p)$/) ?? option('package');
    const target = this.cargo.packages().find((pkg) => pkg.name === named);
    const flags: BuildFlags = {
      ...handed.flags,
      features: [
        ...handed.flags.features,
        ...(/^[\w\-/, ]+$/.test(certain) ? certain.split(/[\s,]+/).filter(Boolean) : []),
      ],
      release: handed.flags.release === 'no' ? 'unknown' : handed.flags.release,
      packages: target === undefined ? handed.flags.packages : [target.name],
      ...(manifestPath === undefined ? {} : { manifestPath: manifestPath.replace(/\$\{[^}]*\}\/?/g, '') }),
      ...(cwd === undefined ? {} : { cwd: cwd.replace(/\$\{[^}]*\}\/?/g, '') }),
    };
    const mentionsFeatures = /features/i.test(text);
    this.record(flags, context, {
      maybe: (pkg) =>
        !mentionsFeatures
          ? []
          : literals.flatMap((match) =>
              // One literal may name several: `'vulkan,window'`.
              (match[2] ?? '')
                .split(/[\s,]+/)
                .filter((name) => pkg.features.has(name) && name !== 'default')
                .map((value) => ({ value, path, line: lineAt(text, match.index) })),
            ),
      withoutDefaults: values.includes('--no-default-features') || /noDefaultFeatures/.test(text),
    });
  }

  private record(
    flags: BuildFlags,
    context: Context,
    script?: { readonly maybe: (pkg: CargoPackage) => readonly Fact<string>[]; readonly withoutDefaults: boolean },
  ): void {
    for (const pkg of this.packagesFor(flags, context)) {
      if (
        !pkg.targets.some(
          (target) => target.kind === 'lib' && target.crateTypes.some((type) => type.value === 'cdylib'),
        )
      )
        continue;
      const outer = context.via[0];
      const via = context.via.map(({ path, line, column, note }) => ({
        path,
        line,
        ...(column === undefined ? {} : { column }),
        note,
      }));
      if (outer === undefined) continue;
      const defaults: Tri = flags.noDefaultFeatures ? 'no' : script?.withoutDefaults === true ? 'unknown' : 'yes';
      const features = flags.features.map((value) => ({ value, ...placeOfWord(value, context.via) }));
      this.add({
        package: pkg,
        ...(context.npm === undefined ? {} : { npm: context.npm }),
        path: outer.path,
        line: outer.line,
        ...(outer.column === undefined ? {} : { column: outer.column }),
        note: outer.note,
        features,
        maybeFeatures: script?.maybe(pkg).filter((fact) => !flags.features.includes(fact.value)) ?? [],
        allFeatures: flags.allFeatures,
        defaultFeatures: defaults,
        release: flags.release,
        triples: flags.triples,
        open: flags.open,
        assumed: false,
        via,
      });
    }
  }

  private packagesFor(flags: BuildFlags, context: Context): readonly CargoPackage[] {
    if (flags.packages.length > 0) return this.cargo.packages().filter((pkg) => flags.packages.includes(pkg.name));
    const start = context.folder ?? context.npm?.dir;
    const bases = start === undefined ? [] : [joinPath(start, flags.cwd ?? '')];
    // A path inside a build file may be relative to the file instead of the folder that npm starts it in.
    const last = context.via[context.via.length - 1];
    const isFile = last !== undefined && /\.[cm]?[jt]s$/.test(last.path);
    if (isFile) bases.push(joinPath(folderOf(last.path), flags.cwd ?? ''));
    for (const base of bases) {
      if (flags.manifestPath !== undefined) {
        const pkg = this.cargo.packageAt(folderOf(joinPath(base, flags.manifestPath)));
        if (pkg !== undefined) return [pkg];
        continue;
      }
      const dir = findAncestors(base).find((at) => this.cargo.hasManifest(at));
      if (dir === undefined) continue;
      const pkg = this.cargo.packageAt(dir);
      if (flags.workspace) return this.cargo.membersOf(this.cargo.workspaceDirOf(dir), false);
      if (pkg !== undefined) return [pkg];
      // What a build file does at the root of a workspace can't be told from its literals.
      return isFile ? [] : this.cargo.membersOf(dir, true);
    }
    return [];
  }

  /** Merges builds that pass the same features. */
  private add(build: CargoBuild): void {
    const list = this.builds?.get(build.package.dir) ?? [];
    this.builds?.set(build.package.dir, list);
    const key = selectionOf(build);
    const index = list.findIndex((other) => selectionOf(other) === key);
    const known = list[index];
    if (known === undefined) {
      list.push(build);
      return;
    }
    const triples =
      known.triples.length === 0 || build.triples.length === 0
        ? []
        : [...new Set([...known.triples, ...build.triples])];
    // What is published is the optimised one, if there is one.
    const release: Tri =
      known.release === build.release
        ? known.release
        : known.release === 'yes' || build.release === 'yes'
          ? 'yes'
          : 'unknown';
    // The shortest way to the command is the one that people know it by; a package script says more than a step or recipe.
    const rank = (one: CargoBuild): number =>
      one.via.length +
      (one.path.endsWith('package.json') ? 0 : 20) +
      (one.triples.length > 0 && one.triples.every((triple) => triple.startsWith('wasm')) ? 10 : 0);
    const named = rank(build) < rank(known) ? build : known;
    const npm = named.npm ?? known.npm ?? build.npm;
    list[index] = { ...named, triples, release, ...(npm === undefined ? {} : { npm }) };
  }
}

function selectionOf(build: CargoBuild): string {
  const names = (facts: readonly Fact<string>[]): string => [...new Set(facts.map((fact) => fact.value))].sort().join();
  return [names(build.features), names(build.maybeFeatures), build.allFeatures, build.defaultFeatures, build.open].join(
    '|',
  );
}

/** The innermost text on the way that spells the word, which is where somebody would change it. */
function placeOfWord(value: string, via: readonly Via[]): Place {
  for (const step of [...via].reverse()) {
    const at = step.text.search(new RegExp(`(?<![\\w-])${value.replace(/[.*+?^$(){}|[\]\\]/g, '\\$&')}(?![\\w-])`));
    if (at >= 0) {
      const breaks = lineAt(step.text, at) - 1;
      return {
        path: step.path,
        line: step.line + breaks,
        ...(breaks === 0 && step.column !== undefined ? { column: step.column } : {}),
      };
    }
  }
  const first = via[0];
  return { path: first?.path ?? '', line: first?.line ?? 1 };
}

/** Moves the innermost step down by the lines of a block of commands, so that the next search starts at the command. */
function shiftLast(via: readonly Via[], lines: number): readonly Via[] {
  const last = via[via.length - 1];
  if (last === undefined || lines === 0) return via;
  const { path, note } = last;
  return [
    ...via.slice(0, -1),
    { path, note, line: last.line + lines, text: last.text.split('\n').slice(lines).join('\n') },
  ];
}

function scriptPattern(name: string): RegExp {
  const expression = /^\/(.*)\/$/s.exec(name)?.[1];
  try {
    if (expression !== undefined) return new RegExp(expression);
  } catch {
    // A pattern of another dialect matches nothing here.
    return /$^/;
  }
  return new RegExp(
    `^${name
      .split('*')
      .map((part) => part.replace(/[.+?^$(){}|[\]\\]/g, '\\$&'))
      .join('[^:]*')
      .replace(/\[\^:\]\*\[\^:\]\*/g, '.*')}$`,
  );
}

function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i >= 0 && i < offset; i = text.indexOf('\n', i + 1)) line++;
  return line;
}

function word(text: string): Word {
  return { text, dynamic: false, quoted: false };
}
