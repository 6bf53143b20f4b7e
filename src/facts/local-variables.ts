import type { Block, Expr, Pattern, TypeRef } from '../model/ir.js';
import { namesOf } from '../model/patterns.js';
import { isInside, type Span } from '../model/source.js';
import { walkBody } from '../model/walk-body.js';

/** A variable of a body. What a pattern takes out of another value has neither a type nor a value of its own. */
export interface LocalVariable {
  /** As the `let` writes it down. */
  readonly type?: TypeRef;
  readonly init?: Expr;
}

interface Bound extends LocalVariable {
  /** Offset in UTF-16 code units from which the name stands for it. */
  readonly from: number;
  readonly scope: Span;
}

/** The variables of a Rust body with their scopes: a name that is bound anew, or in another block, is another variable. */
export class LocalVariables {
  private readonly byName = new Map<string, Bound[]>();

  constructor(body: Block) {
    this.addBlock(body);
    walkBody(body, ({ expr, around }) => {
      if (expr.kind === 'block') this.addBlock(expr.block);
      else if (expr.kind === 'match') for (const { pattern, span } of expr.arms) this.addNames(pattern, span);
      else if (expr.kind === 'let-condition')
        this.addNames(
          expr.pattern,
          around.findLast(({ kind }) => kind === 'if' || kind === 'loop')?.span ?? body.span,
          expr.span.end,
        );
      else if (expr.kind === 'loop') {
        this.addBlock(expr.body);
        for (const { pattern } of expr.bindings ?? []) this.addNames(pattern, expr.span);
      }
    });
  }

  /** The variable that a plain name stands for where it is used; undefined for parameters and anything else. */
  at(use: Expr): LocalVariable | undefined {
    if (use.kind !== 'name' || use.path.length !== 1) return undefined;
    let found: Bound | undefined;
    for (const bound of this.byName.get(use.path[0] ?? '') ?? [])
      if (bound.from <= use.span.start && isInside(use.span, bound.scope) && bound.from >= (found?.from ?? 0))
        found = bound;
    return found;
  }

  private addBlock({ statements, span }: Block): void {
    for (const statement of statements) {
      if (statement.kind !== 'let') continue;
      const { pattern, type, init, otherwise } = statement;
      if (pattern.kind === 'bind')
        this.add(pattern.name, {
          from: init?.span.end ?? statement.span.start,
          scope: span,
          ...(type && type.kind !== 'unknown' ? { type } : {}),
          ...(init ? { init } : {}),
        });
      else this.addNames(pattern, span, init?.span.end);
      if (otherwise) this.addBlock(otherwise);
    }
  }

  private addNames(pattern: Pattern, scope: Span, from = pattern.span.end): void {
    for (const name of namesOf(pattern)) this.add(name, { from, scope });
  }

  private add(name: string, bound: Bound): void {
    const known = this.byName.get(name);
    if (known) known.push(bound);
    else this.byName.set(name, [bound]);
  }
}
