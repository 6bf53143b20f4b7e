/** Kinds of nodes that are a function with its head; their text decides about their body. */
const functions = new Set([
  'function_declaration',
  'constructor',
  'destructor',
  'postblit',
  'unittest_declaration',
  'invariant_declaration',
]);

/** A table of plain values longer than this is not looked into. */
const longTable = 2000;

/**
 * Decides, while the tree is walked from left to right, which function bodies are looked into: those of functions whose
 * text, head and attributes included, matches the pattern. What stands inside such a body comes with it.
 */
export class BodySelection {
  /** Starts of the bodies that were left out. */
  readonly declined = new Set<number>();
  private readonly wanted: RegExp | undefined;
  /** An attribute of a group (`@trusted:`) counts for the functions in it; which ones is not known yet here. */
  private readonly groupsMatch: boolean;
  private headStart = 0;
  private headEnd = 0;
  private isUnittest = false;
  /** Everything before this offset belongs to a body that was accepted. */
  private acceptedUntil = 0;

  constructor(
    private readonly text: string,
    wanted: RegExp | undefined,
  ) {
    // Without the flags that make a pattern remember where it was.
    this.wanted = wanted === undefined ? undefined : new RegExp(wanted.source, wanted.flags.replace(/[gy]/g, ''));
    this.groupsMatch = (this.wanted?.test('@trusted') ?? false) && /@trusted\s*[:{]/.test(text);
  }

  /** Whether the children of a node are wanted; offsets are UTF-16. */
  accepts(kind: string, start: number, end: number): boolean {
    if (kind === 'array_literal' && end - start > longTable) return !this.isPlainTable(start, end);
    if (this.wanted === undefined || start < this.acceptedUntil) return true;
    if (functions.has(kind)) {
      this.headStart = start;
      this.headEnd = end;
      this.isUnittest = kind === 'unittest_declaration' || kind === 'invariant_declaration';
      return true;
    }
    if (kind !== 'function_body' && !(this.isUnittest && kind === 'block_statement' && end === this.headEnd))
      return true;
    if (end - start > 1 && !this.groupsMatch && !this.wanted.test(this.text.slice(this.headStart, this.headEnd))) {
      this.declined.add(start);
      return false;
    }
    this.acceptedUntil = end;
    return true;
  }

  /** Nothing but literals, names, brackets and commas: there is nothing to follow in it. */
  private isPlainTable(start: number, end: number): boolean {
    return !/[{&*]|=>|\bnew\b|\bfunction\b|\bdelegate\b/.test(this.text.slice(start, end));
  }
}
