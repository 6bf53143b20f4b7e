import type { Gap } from '../../src/model/finding.js';
import type { CargoPackage, ProjectModel } from '../../src/model/project.js';
import { loadProject } from '../../src/project/index.js';
import { type ProjectInput } from '../../src/project/input.js';

export interface MemoryProject {
  readonly model: ProjectModel;
  readonly gaps: readonly Gap[];
  /** Paths whose text was asked for. */
  readonly read: ReadonlySet<string>;
  /** The Cargo package of a name; fails the test when there is none. */
  cargo(name: string): CargoPackage;
}

function inputOf(files: Readonly<Record<string, string>>, root: string, gaps: Gap[], read: Set<string>): ProjectInput {
  return {
    root,
    base: '/project',
    listing: Object.keys(files).sort(),
    readText: (path) => {
      read.add(path);
      return files[path];
    },
    gap: (gap) => gaps.push(gap),
  };
}

/** A project model over files in memory; paths are relative to the base. */
export function memoryProject(
  files: Readonly<Record<string, string>>,
  root = '',
  targets: readonly string[] = [],
): MemoryProject {
  const gaps: Gap[] = [];
  const read = new Set<string>();
  const model = loadProject(inputOf(files, root, gaps, read), { targets });
  return {
    model,
    gaps,
    read,
    cargo(name) {
      const found = model.cargo.find((pkg) => pkg.name === name);
      if (found === undefined) throw new Error(`No package '${name}' in ${model.cargo.map((pkg) => pkg.name).join()}`);
      return found;
    },
  };
}

/** An addon package with one source file. */
export function addon(name: string, more = '', dependencies = 'napi = "3"'): string {
  return `[package]\nname = "${name}"\nversion = "1.0.0"\n\n[lib]\ncrate-type = ["cdylib"]\n\n[dependencies]\n${dependencies}\n${more}`;
}
