/** What is to be run, as the user named it. */
export type TargetSpec =
  | {
      readonly kind: "package";
      readonly name: string;
      readonly version: string;
      readonly allowScripts?: boolean;
    }
  | { readonly kind: "addon"; readonly file: string }
  | { readonly kind: "folder"; readonly folder: string }
  | { readonly kind: "driver"; readonly file: string }
  | {
      readonly kind: "command";
      readonly command: string;
      readonly cwd: string;
    };

/** A target that can be run: installed, found and resolved, but never loaded by this process. */
export interface PreparedTarget {
  readonly kind: TargetSpec["kind"];
  /** For people: `rollup@4.28.1`, `index.node`, `./app`. */
  readonly label: string;
  /** Folder from which `specifier` resolves. */
  readonly root: string;
  /** What the child imports: a bare package name, or an absolute path. Empty for a command. */
  readonly specifier: string;
  /** Folder of the package itself, where its declarations are. */
  readonly packageFolder?: string;
  readonly version?: string;
  readonly command?: string;
}

export interface TargetError {
  /** One sentence that names the thing and the mend. */
  readonly error: string;
}

/**
 * Reads what the user named: `name@version` (a package), a path to a `.node` file, a folder or a module. `command` wins when it
 * is given. Paths are relative to `cwd`.
 */
export declare function parseTarget(
  text: string | undefined,
  cwd: string,
  command?: string,
): TargetSpec | TargetError;

/** Installs (scripts off, into the cache) or finds the target. Loads nothing. */
export declare function prepareTarget(
  spec: TargetSpec,
  options?: { readonly cacheFolder?: string; readonly signal?: AbortSignal },
): Promise<PreparedTarget | TargetError>;
