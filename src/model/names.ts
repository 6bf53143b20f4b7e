import { kept } from './lists.js';

/** Longer texts are rarely the same as another one of their file. */
const longestName = 24;

/**
 * The names of one file, each kept once with the path of one segment that it makes. Without it the trees of a large scan hold the
 * same few thousand names hundreds of thousands of times.
 */
export class Names {
  private readonly paths = new Map<string, readonly [string]>();

  /** The text itself, as the same object for the same letters where it is short. */
  same(text: string): string {
    return text.length > longestName ? text : this.path(text)[0];
  }

  /** `[name]`, the same list each time. */
  path(name: string): readonly [string] {
    let path = this.paths.get(name);
    if (path === undefined) this.paths.set(name, (path = [name]));
    return path;
  }

  /** A list of names as the file's other lists of the same single name are kept. */
  list(names: readonly string[]): readonly string[] {
    const [only] = names;
    return only !== undefined && names.length === 1 ? this.path(only) : kept(names);
  }
}
