/** One difference between the two versions at a boundary. */
export interface BoundaryChange {
  /** Where it was read: the compiled addon, a manifest, a lockfile, a source file. */
  readonly where: string;
  readonly name: string;
  /** Absent when it was added. */
  readonly before?: string;
  /** Absent when it was removed. */
  readonly after?: string;
  /** Rules of the scanner that look at it; empty when none does. */
  readonly rules: readonly string[];
  /** Why it could matter; absent when nothing is known about it. */
  readonly why?: string;
}

interface Relevance {
  readonly pattern: RegExp;
  readonly rules: readonly string[];
  readonly why: string;
}

/** What changes of a name have to do with lifetime bugs; the first match counts. */
const relevances: readonly Relevance[] = [
  {
    pattern: /^@napi-rs\/cli$/,
    rules: ['loader-process-report', 'outdated-napi'],
    why: 'It generates the JavaScript loader.',
  },
  {
    pattern: /^napi(-derive|-sys|-build|-derive-backend)?$|^node-bindgen|^neon$/,
    rules: ['outdated-napi', 'unpinned-addon', 'handle-dropped-off-thread'],
    why: 'It owns the handles, the cleanup hooks and whether the addon stays loaded.',
  },
  {
    pattern: /mimalloc|jemalloc|snmalloc|tcmalloc|rpmalloc/,
    rules: ['allocator-in-addon'],
    why: 'An allocator keeps thread-local state that outlives an unloaded addon.',
  },
  {
    pattern: /^(tokio|rayon|rayon-core|crossbeam.*|async-std|smol|threadpool)$/,
    rules: ['threads-outlive-addon', 'unpinned-addon'],
    why: 'Its threads and thread-locals can outlive the addon.',
  },
  {
    pattern: /^(thread_local|once_cell|lazy_static|parking_lot.*|os-thread-local)$/,
    rules: ['handle-in-process-static', 'unpinned-addon'],
    why: 'It keeps state per thread or per process.',
  },
  { pattern: /^NODELETE$|nodelete/, rules: ['unpinned-addon'], why: 'It decides whether the addon is ever unloaded.' },
  {
    pattern: /process\.report/,
    rules: ['loader-process-report'],
    why: 'Several workers that call it at once corrupt the heap on Windows.',
  },
  {
    pattern: /global_allocator/,
    rules: ['allocator-in-addon'],
    why: 'It puts an allocator into everything that links the crate.',
  },
  {
    pattern: /^rustc$|rust-toolchain/,
    rules: ['unpinned-addon'],
    why: 'It brings the standard library, which since 1.83 leaves destructors with threads that do not keep an addon loaded.',
  },
  {
    pattern: /(^|\/)(\.cargo\/config(\.toml)?|build\.rs)$|lto|panic|crate-type|codegen-units/,
    rules: ['unpinned-addon'],
    why: 'Link and build flags decide what the addon does when it is unloaded.',
  },
];

/** Adds what the scanner's rules have to do with a change. */
export function withRelevance(change: Omit<BoundaryChange, 'rules' | 'why'>): BoundaryChange {
  const relevance = relevances.find(({ pattern }) => pattern.test(change.name));
  return relevance === undefined ? { ...change, rules: [] } : { ...change, rules: relevance.rules, why: relevance.why };
}

/** The differences of two maps from names to versions, by name; lists of versions are compared as text. */
export function diffVersions(
  where: string,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): readonly BoundaryChange[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  return names.flatMap((name) => {
    const old = before.get(name);
    const now = after.get(name);
    if (old === now) return [];
    return [
      withRelevance({
        where,
        name,
        ...(old === undefined ? {} : { before: old }),
        ...(now === undefined ? {} : { after: now }),
      }),
    ];
  });
}

/** The same change in several addons is one: a package may ship one for each system. */
export function mergeAlike(changes: readonly BoundaryChange[]): readonly BoundaryChange[] {
  const groups = new Map<string, BoundaryChange[]>();
  for (const change of changes) {
    const key = [change.name, change.before ?? '', change.after ?? ''].join('\0');
    groups.set(key, [...(groups.get(key) ?? []), change]);
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    return [group.length === 1 ? first : { ...first, where: `${first.where} and ${group.length - 1} more` }];
  });
}

/** Changes that a rule or a reason speaks for come first; the order within is kept. */
export function byRelevance(changes: readonly BoundaryChange[]): readonly BoundaryChange[] {
  return [
    ...changes.filter((change) => change.why !== undefined),
    ...changes.filter((change) => change.why === undefined),
  ];
}
