import type { Gap, GapKind } from '../../model/finding.js';
import type { Attribute, Field, FileIr, FunctionIr, Generic, GlobalDecl, Import, TypeDecl } from '../../model/ir.js';
import { findLineStarts, positionAt, type SourceFile, type Span } from '../../model/source.js';
import { Names } from '../../model/names.js';
import { constantsOf, type FileConstants } from './constants.js';
import type { SyntaxNode } from '../syntax.js';

/** What surrounds the declaration or expression being lowered. */
export interface Scope {
  /** The type whose members are declared here. */
  readonly owner?: { readonly name: string; readonly kind: TypeDecl['kind'] };
  /** Names of the types around, outermost first. */
  readonly outer: readonly string[];
  /** Qualified name of what is around, empty at module level. */
  readonly prefix: string;
  /** Attributes of groups and blocks around; all are marked `inherited`. */
  readonly inherited: readonly Attribute[];
  readonly conditions: readonly string[];
  readonly isTest: boolean;
  /** The template whose direct member is declared here: a member of the same name is what the template stands for. */
  readonly template?: { readonly name: string; readonly generics: readonly Generic[] };
  /** Inside a template, where the compiler infers attributes. */
  readonly isTemplate: boolean;
  /** Id of the function around. */
  readonly functionId?: number;
  /** Qualified name of the function whose body this is; declarations are statements there. */
  readonly functionName?: string;
  /** Fields and attributes of the type being read; members add to them. */
  readonly members?: Field[];
  readonly typeAttributes?: Attribute[];
  /** Inside text that the grammar could not place: names are read, bodies are not trusted. */
  readonly isSuspect: boolean;
}

export const moduleScope: Scope = {
  outer: [],
  prefix: '',
  inherited: [],
  conditions: [],
  isTest: false,
  isTemplate: false,
  isSuspect: false,
};

/** A name of a template parameter, which decides from its place on what `T[Name]` is. */
export interface MetName {
  /** Where its list of parameters begins. */
  readonly at: number;
  readonly name: string;
  readonly isValue: boolean;
}

/** How deep expressions, statements and declarations may nest; what lies deeper is a gap. */
const depthLimit = 300;

/** The state of lowering one file, shared by the layers built on it. */
export abstract class Lowering {
  protected readonly text: string;
  protected readonly names = new Names();
  protected scope: Scope = moduleScope;
  /** Names that stand for values (enum constants, template value parameters): `T[N]` is then a static array. */
  protected readonly valueNames = new Set<string>();
  /** Names that stand for types declared in this file or as template parameters: `T[K]` is then an associative array. */
  protected readonly typeNames = new Set<string>();
  /** Names of template parameters outside of functions' bodies, in order. */
  readonly met: MetName[] = [];
  protected readonly functions: (FunctionIr | undefined)[] = [];
  protected readonly types: TypeDecl[] = [];
  protected readonly globals: GlobalDecl[] = [];
  protected readonly imports: Import[] = [];
  protected readonly macros: FileIr['macros'][number][] = [];
  protected readonly gaps: Gap[] = [];
  private depth = 0;
  private limitReported = false;
  private lineStarts: Uint32Array | undefined;
  private ownConstants: FileConstants | undefined;

  constructor(protected readonly file: SourceFile) {
    this.text = file.text;
  }

  protected get constants(): FileConstants {
    return (this.ownConstants ??= constantsOf(this.text));
  }

  protected source(node: Span): string {
    return this.names.same(this.text.slice(node.start, node.end));
  }

  /** The text of a node as a path of one segment. */
  protected pathOf(node: Span): readonly string[] {
    return this.names.path(this.text.slice(node.start, node.end));
  }

  protected lineOf(offset: number): number {
    this.lineStarts ??= findLineStarts(this.text);
    return positionAt(this.lineStarts, offset).line;
  }

  protected gap(kind: GapKind, offset: number, message: (line: number) => string): void {
    const line = this.lineOf(offset);
    this.gaps.push({ kind, path: this.file.path, line, message: message(line) });
  }

  /** Runs with another scope and comes back to the present one. */
  protected within<T>(scope: Scope, run: () => T): T {
    const previous = this.scope;
    this.scope = scope;
    try {
      return run();
    } finally {
      this.scope = previous;
    }
  }

  /** Goes one level deeper; false at the limit, where the gap is recorded once per file. `leave` must follow when true. */
  protected enter(node: Span): boolean {
    if (this.depth >= depthLimit) {
      this.reportLimit(node);
      return false;
    }
    this.depth++;
    return true;
  }

  protected leave(): void {
    this.depth--;
  }

  protected reportLimit(node: Span): void {
    if (this.limitReported) return;
    this.limitReported = true;
    this.gap(
      'limit',
      node.start,
      (line) =>
        `'${this.file.path}' nests too deep at line ${line}, so what is further inside was not checked; split the expression.`,
    );
  }
}

/** The span of a node without its children. */
export function spanOf(node: Span): Span {
  return { start: node.start, end: node.end };
}

/** The children without comments and line directives, which may stand anywhere. */
export function solidChildren(node: SyntaxNode): readonly SyntaxNode[] {
  for (const child of node.children) {
    if (child.kind === 'comment' || child.kind === 'directive') {
      return node.children.filter((other) => other.kind !== 'comment' && other.kind !== 'directive');
    }
  }
  return node.children;
}

/** The nodes between separators; empty parts are left out. */
export function splitBy(nodes: readonly SyntaxNode[], separator: string): SyntaxNode[][] {
  const parts: SyntaxNode[][] = [];
  let part: SyntaxNode[] = [];
  for (const node of nodes) {
    if (node.kind === separator) {
      if (part.length > 0) parts.push(part);
      part = [];
    } else part.push(node);
  }
  if (part.length > 0) parts.push(part);
  return parts;
}
