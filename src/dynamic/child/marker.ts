import thread from './thread.cjs';

export const { mark, describeError, isHeard } = thread;

/** Tells the parent about an error of JavaScript: message, code and stack. */
export function markError(kind: string, error: unknown): void {
  const { message, code, stack } = describeError(error);
  mark(kind, message, code, stack);
}
