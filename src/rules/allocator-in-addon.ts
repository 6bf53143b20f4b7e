import { findAllocatorFailures, type KnownFailure } from '../facts/allocator-failures.js';
import {
  allocatorFeatures,
  findAddonAllocators,
  findAllocatorCrates,
  findInfluences,
  type AddonAllocator,
  type AllocatorCrate,
  type AllocatorIdentity,
  type AllocatorState,
  type AllocatorStatic,
  type FeatureInfluence,
} from '../facts/allocators.js';
import { describeUnloading } from '../facts/unloading.js';
import type { UnitFacts } from '../facts/unit.js';
import type { Confidence } from '../model/finding.js';
import type { CargoPackage, Place } from '../model/project.js';
import { readTriple, summariseTriples } from '../project/triples.js';
import { defineRule, type Anchor, type ReportStep } from './rule.js';

export default defineRule({
  meta: {
    id: 'allocator-in-addon',
    title: 'Global allocator in an addon',
    summary:
      'A global allocator is linked into a Node.js addon, where its thread state can outlive the module that owns it.',
    languages: ['rust'],
    severity: 'warning',
    confidence: 'high',
    audience: 'everyone',
    maturity: 'stable',
    since: '0.1.0',
    cwe: ['CWE-416', 'CWE-762'],
    messages: {
      windows:
        "'{allocator}' ({version}) is the global allocator of the addon '{addon}' on {targets}: on Windows the process can end with an access violation when a worker that loaded the addon exits{failure}; {activation}, and {unloading}.",
      knownFailure:
        "'{allocator}' ({version}) is the global allocator of the addon '{addon}' on {targets}, and this version is known to fail: {failure}; {activation}, and {unloading}.",
      reachable:
        "'{allocator}' ({version}) is the global allocator of the addon '{addon}' on {targets}; Windows is excluded and no failure of it is known on the rest; {activation}, and {unloading}.",
      forwards:
        "'{allocator}' is the global allocator of the addon '{addon}' on {targets} and hands every request on to the system allocator; {activation}.",
      dormant:
        "'{allocator}' ({version}) becomes the global allocator of the addon '{addon}' on {targets} {dormancy}, which no manifest, script or workflow here does.",
      library:
        "'{allocator}' ({version}) becomes the global allocator of every program and addon that links '{crate}', and nothing in this scan depends on it.",
    },
    checklist:
      'Which targets does the allocator of this addon run on, and what happens there when the last worker that loaded it exits?',
    scenarios: ['import', 'reload'],
  },
  tokens: { rust: ['global_allocator'] },
  reportsElsewhere: 'anywhere',
  check({ unit, report }) {
    for (const found of findAllocatorCrates(unit)) {
      const addons = findAddonAllocators(unit, found);
      for (const addon of addons) {
        const finding = judge(unit, found, addon);
        if (finding === undefined) continue;
        const [declared] = found.statics;
        report(declared === undefined ? finding : { ...finding, orAt: anchorOf(declared) });
      }
      const alone = addons.length === 0 ? found.statics[0] : undefined;
      if (alone !== undefined && standsAlone(unit, found.crate)) {
        report({
          messageId: 'library',
          data: { allocator: nameOf(alone.identity), version: versionOf(alone.identity), crate: found.crate.name },
          at: anchorOf(alone),
          steps: [...declareSteps(found.statics), ...versionSteps(alone.identity)],
          severity: 'note',
          confidence: 'medium',
          key: found.crate.name,
        });
      }
    }
  },
});

type Messages = 'windows' | 'knownFailure' | 'reachable' | 'forwards' | 'dormant';

interface Judgement {
  readonly messageId: Messages;
  readonly data: Readonly<
    Record<'allocator' | 'version' | 'addon' | 'targets' | 'failure' | 'activation' | 'unloading' | 'dormancy', string>
  >;
  readonly at: Anchor;
  readonly steps: readonly ReportStep[];
  readonly severity: 'note' | 'warning';
  readonly confidence: Confidence;
  readonly targets: readonly string[];
  readonly reachableFrom?: readonly { readonly rust: string; readonly js: string }[];
  readonly fixedIn?: string;
  readonly key: string;
}

function judge(unit: UnitFacts, { crate, statics }: AllocatorCrate, found: AddonAllocator): Judgement | undefined {
  const { project } = unit;
  const { reach } = found;
  // A dependency line that no code names links nothing: rustc leaves the crate out.
  if (reach.links.some((link) => link.how === 'dependency')) return undefined;
  const universe = project.triplesFor(reach.addon);
  const key = `${reach.addon.name}|${crate.name}`;
  const { dormant } = found;
  if (dormant !== undefined) {
    const { identity } = dormant.of;
    return {
      key,
      at: primaryPlace(reach.links[0], dormant.of),
      messageId: 'dormant',
      data: {
        ...blank,
        allocator: nameOf(identity),
        version: versionOf(identity),
        addon: reach.addon.name,
        targets: summariseTriples(dormant.triples, universe),
        dormancy: describeDormancy(dormant),
      },
      steps: [...linkSteps(found), ...declareSteps(statics), ...versionSteps(identity)],
      severity: 'note',
      confidence: 'medium',
      targets: dormant.triples,
    };
  }
  const strongest =
    found.states.find((one) => isWindows(one) && one.state === 'yes') ??
    found.states.find((one) => one.state === 'yes') ??
    found.states[0];
  if (strongest === undefined) return undefined;
  const { identity } = strongest.of;
  const triples = found.states.map(({ triple }) => triple);
  const windows = found.states.filter((one) => isWindows(one) && one.of.identity.kind !== 'system');
  const failures = failuresOf(found.states);
  const dangerous =
    windows.length > 0
      ? windows
      : found.states.filter(({ triple }) => failures.some((failure) => failure.triples.includes(triple)));
  const unloading = describeUnloading(
    project,
    reach.addon,
    (dangerous.length > 0 ? dangerous : found.states).map(({ triple }) => triple),
  );
  const influences = findInfluences(project, crate, strongest);
  const fixedIn = failures.every((failure) => failure.fixedIn !== undefined)
    ? failures
        .map((failure) => failure.fixedIn ?? '')
        .sort()
        .pop()
    : undefined;
  const npm = reach.npm?.name;
  const described = {
    key,
    at: primaryPlace(reach.links[0], strongest.of),
    data: {
      ...blank,
      allocator: nameOf(identity),
      version: versionOf(identity),
      addon: reach.addon.name,
      targets: describeTargets(strongest, found.states, universe),
      activation: describeActivation(strongest, influences),
      unloading: unloading.text,
    },
    steps: [
      ...linkSteps(found),
      ...declareSteps(statics),
      ...versionSteps(identity),
      ...enableSteps(influences),
      ...unloading.by.map((by) => step(by, 'load', `${capital(by.note)}.`)),
    ],
    targets: triples,
    ...(npm === undefined ? {} : { reachableFrom: [{ rust: crate.name, js: npm }] }),
    ...(fixedIn === undefined || windows.length > 0 ? {} : { fixedIn: `${identity.crate ?? ''} ${fixedIn}` }),
  };
  const unsure = dangerous.length > 0 && dangerous.every(({ state }) => state !== 'yes');
  let doubts =
    (unsure ? 1 : 0) +
    (strongest.build.assumed && unsure ? 1 : 0) +
    (unloading.kept === 'yes' ? 1 : 0) +
    (identity.kind === 'own' ? 1 : 0);
  if (windows.length > 0) {
    const also = failures
      .map((failure) => `; on ${summariseTriples(failure.triples, universe)} ${failure.text}`)
      .join('');
    return {
      ...described,
      messageId: 'windows',
      data: { ...described.data, failure: also },
      severity: 'warning',
      confidence: lowered(doubts),
    };
  }
  if (failures.length > 0) {
    if (failures.every((failure) => !failure.certain)) doubts += 2;
    const text = failures
      .map((failure) => `on ${summariseTriples(failure.triples, universe)} ${failure.text}`)
      .join('; ');
    return {
      ...described,
      messageId: 'knownFailure',
      data: { ...described.data, failure: text },
      severity: 'warning',
      confidence: lowered(doubts),
    };
  }
  const messageId = found.states.every((one) => one.of.identity.kind === 'system') ? 'forwards' : 'reachable';
  return { ...described, messageId, severity: 'note', confidence: lowered(doubts) };
}

const blank = { failure: '', activation: '', unloading: '', dormancy: '' };

/** The targets of the allocator that the message is about, and which other one the crate installs elsewhere. */
function describeTargets(main: AllocatorState, states: readonly AllocatorState[], universe: readonly string[]): string {
  const byName = new Map<string, string[]>();
  for (const { triple, of } of [main, ...states]) {
    const list = byName.get(nameOf(of.identity)) ?? [];
    byName.set(nameOf(of.identity), list);
    if (!list.includes(triple)) list.push(triple);
  }
  const [first, ...others] = [...byName];
  const text = summariseTriples(first?.[1] ?? [], universe);
  return [text, ...others.map(([name, triples]) => `and '${name}' on ${summariseTriples(triples, universe)}`)].join(
    ', ',
  );
}

function isWindows({ triple }: AllocatorState): boolean {
  return readTriple(triple).os === 'windows';
}

function lowered(doubts: number): Confidence {
  return doubts <= 0 ? 'high' : doubts === 1 ? 'medium' : 'low';
}

/** Known failures over all active triples, alike ones merged. */
function failuresOf(states: readonly AllocatorState[]): readonly KnownFailure[] {
  const found = new Map<string, KnownFailure>();
  for (const { triple, of } of states) {
    const { crate, version } = of.identity;
    if (crate === undefined || version?.locked !== true) continue;
    for (const failure of findAllocatorFailures(crate, version.value, allocatorFeatures(of.identity, triple), [
      triple,
    ])) {
      const known = found.get(failure.text);
      found.set(
        failure.text,
        known === undefined
          ? failure
          : { ...known, triples: [...known.triples, triple], certain: known.certain || failure.certain },
      );
    }
  }
  return [...found.values()];
}

function describeActivation({ build, state }: AllocatorState, influences: readonly FeatureInfluence[]): string {
  const needed = influences.filter((one) => one.role === 'needed');
  if (needed.length > 0) {
    return needed
      .map(({ feature, state: on, trail }) => {
        // A command that only keeps the defaults turns nothing on: the manifest's line does.
        const first = trail.find(({ note }) => !note.endsWith(keepsDefaults)) ?? trail[0];
        if (on === 'yes' && first !== undefined)
          return `the feature '${feature}' is turned on by ${describeStart(first)}`;
        return build.assumed
          ? `nothing here builds the addon, so whether the feature '${feature}' is on can't be told`
          : `whether the feature '${feature}' is on can't be told from ${placeText(build)}`;
      })
      .join(', ');
  }
  const opposed = influences.filter((one) => one.role === 'opposed').map((one) => `'${one.feature}'`);
  if (opposed.length > 0) return `it is there unless the feature ${opposed.join(' or ')} is passed`;
  return state === 'yes'
    ? 'no feature is needed for it'
    : 'a cfg that only the build knows decides whether it is there';
}

/** What would have to be done for a dormant allocator to be there. */
function describeDormancy({ needed, opposed }: NonNullable<AddonAllocator['dormant']>): string {
  const parts = [
    ...(needed.length > 0 ? [`${quoteAll(needed)} turned on`] : []),
    ...(opposed.length > 0 ? [`${quoteAll(opposed)} turned off`] : []),
  ];
  return parts.length === 0 ? 'when it is built in release mode' : `when ${parts.join(' and ')}`;
}

function quoteAll(features: readonly string[]): string {
  return `${features.map((feature) => `'${feature}'`).join(' and ')} ${features.length === 1 ? 'is' : 'are'}`;
}

const keepsDefaults = ' keeps the default features';

function describeStart(first: Place & { readonly note: string }): string {
  return `${first.note.charAt(0).toLowerCase()}${first.note.slice(1).replace(/ (?:passes the feature|turns on) '[^']*'$| keeps the default features$/, '')} (${placeText(first)})`;
}

function placeText(place: Place): string {
  return `${place.path}:${place.line}`;
}

function nameOf(identity: AllocatorIdentity): string {
  return identity.crate ?? identity.type;
}

function versionOf(identity: AllocatorIdentity): string {
  if (identity.version === undefined)
    return identity.crate === undefined ? 'no version: a type of this code' : 'version unknown';
  return identity.version.locked ? `locked at ${identity.version.value}` : `${identity.version.value}, unlocked`;
}

// ------------------------------------------------------------------------------------------------------------------- places

function anchorOf({ file, attribute }: AllocatorStatic): Anchor {
  return { file, span: attribute.span };
}

/** The fix goes where the addon pulls the allocator in: its own static, or the line that links the crate. */
function primaryPlace(link: Place | undefined, own: AllocatorStatic): Anchor {
  if (link === undefined) return anchorOf(own);
  return { path: link.path, line: link.line, ...(link.column === undefined ? {} : { column: link.column }) };
}

function step(place: Place, role: ReportStep['role'], note: string): ReportStep {
  return {
    path: place.path,
    line: place.line,
    ...(place.column === undefined ? {} : { column: place.column }),
    role,
    note,
  };
}

function linkSteps({ reach }: AddonAllocator): readonly ReportStep[] {
  const js = reach.npm?.shipsAddon;
  return [
    step(reach.crateType, 'load', `'${reach.addon.name}' is built as a cdylib that Node.js loads.`),
    ...(js === undefined ? [] : [step(js, 'load', `'${reach.npm?.name ?? reach.npm?.dir ?? ''}' ships it.`)]),
    ...reach.links.map((link) => step(link, 'load', `'${link.from}' links '${link.to}' here.`)),
  ];
}

function declareSteps(statics: readonly AllocatorStatic[]): readonly ReportStep[] {
  return statics.map((one) => ({
    file: one.file,
    span: one.attribute.span,
    role: 'declare' as const,
    note:
      one.conditions.length === 0
        ? `'${one.identity.type}' is installed on every target.`
        : `'${one.identity.type}' is installed where its cfg holds.`,
  }));
}

function versionSteps({ crate, version }: AllocatorIdentity): readonly ReportStep[] {
  if (crate === undefined || version === undefined) return [];
  return [
    step(
      version,
      'declare',
      version.locked
        ? `The lockfile pins '${crate}' at ${version.value}.`
        : `'${crate}' is required as '${version.value}', and no lockfile pins it.`,
    ),
  ];
}

function enableSteps(influences: readonly FeatureInfluence[]): readonly ReportStep[] {
  return influences.flatMap(({ trail }) => trail.map((place) => step(place, 'enable', `${place.note}.`)));
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A published library without dependents, binaries or benches in sight: what it does to addons is seen elsewhere. */
function standsAlone(unit: UnitFacts, crate: CargoPackage): boolean {
  const { project } = unit;
  const onlyLibrary = crate.targets.every(
    (target) =>
      target.kind === 'build-script' ||
      (target.kind === 'lib' && target.crateTypes.every((type) => type.value === 'lib' || type.value === 'rlib')),
  );
  return onlyLibrary && !project.hasDependents(crate) && !project.cargo.some((pkg) => project.isAddon(pkg));
}
