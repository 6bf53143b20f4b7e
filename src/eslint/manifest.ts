/** The parts of a package.json that tell whether a package has to do with an addon. */
export interface Manifest {
  /** Absolute folder of the package.json. */
  readonly folder: string;
  readonly name?: string;
  readonly json: Readonly<Record<string, unknown>>;
  readonly main?: string;
  readonly hasScripts: boolean;
  /** It can be imported: it has an entry, unlike a package that only brings a program. */
  readonly isImportable: boolean;
  /** Names from `dependencies`. */
  readonly dependencies: ReadonlySet<string>;
  readonly optionalDependencies: readonly string[];
  /** What the package needs when it runs, and local packages that its tests need. */
  readonly runtimeDependencies: readonly string[];
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Undefined when the text is not a JSON object: other rules report such a file, this one only doesn't learn from it. */
export function readManifest(folder: string, text: string): Manifest | undefined {
  const json = parseObject(text);
  if (json === undefined) return undefined;
  const optional = Object.keys(recordIn(json, 'optionalDependencies'));
  const dependencies = Object.keys(recordIn(json, 'dependencies'));
  const local = Object.entries(recordIn(json, 'devDependencies')).filter(([, range]) => isLocalRange(range));
  const name = json['name'];
  const main = mainOf(json);
  return {
    folder,
    json,
    hasScripts: isRecord(json['scripts']),
    isImportable: main !== undefined || json['bin'] === undefined,
    dependencies: new Set(dependencies),
    optionalDependencies: optional,
    runtimeDependencies: [
      ...dependencies,
      ...optional,
      ...Object.keys(recordIn(json, 'peerDependencies')),
      ...local.map(([dependency]) => dependency),
    ],
    ...(typeof name === 'string' ? { name } : {}),
    ...(main === undefined ? {} : { main }),
  };
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function recordIn(json: Readonly<Record<string, unknown>>, key: string): Readonly<Record<string, unknown>> {
  const value = json[key];
  return isRecord(value) ? value : {};
}

function isLocalRange(range: unknown): boolean {
  return typeof range === 'string' && /^(?:workspace|file|link|portal):/u.test(range);
}

/** `main`, else the first path that `exports` gives for the package itself. */
function mainOf(json: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof json['main'] === 'string') return json['main'];
  let entry = json['exports'];
  for (let depth = 0; depth < 4 && isRecord(entry); depth++) {
    entry = entry['.'] ?? entry['require'] ?? entry['node'] ?? entry['import'] ?? entry['default'];
  }
  return typeof entry === 'string' ? entry : undefined;
}
