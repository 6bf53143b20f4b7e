/** Replaced as the flow core grows; see docs/design.md. */
export interface FunctionFlow {
  readonly placeholder?: never;
}
