import type { TSESTree } from '@typescript-eslint/utils';
import type { TypedServices } from '../javascript-visitor.js';
import type { NativeBindings } from '../native-bindings.js';
import type { Code, FunctionNode } from '../syntax.js';
import type { ControlFlow } from './control-flow.js';
import type { HitLog } from './hits.js';
import type { Places } from './places.js';
import type { Pending, Value } from './state.js';

export interface WalkInput {
  readonly code: Code;
  readonly native: NativeBindings;
  readonly types: TypedServices | undefined;
}

/** What the parts of one walk share: statements, expressions, calls and assignments. */
export interface Walk extends WalkInput {
  readonly flow: ControlFlow;
  readonly places: Places;
  readonly hits: HitLog;
  /** Walks an expression and gives what it may stand for. */
  evaluate(node: TSESTree.Node): Value;
  /** Walks the body of a function where it is called. */
  inline(fn: FunctionNode, args: readonly Value[]): Value;
  /** What runs when a class is defined. */
  classBody(node: TSESTree.ClassDeclaration | TSESTree.ClassExpression): void;
  /** A native call begins; it is pending from now on. */
  begin(pending: Pending): void;
}
