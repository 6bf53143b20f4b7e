/**
 * Something the user has to mend before the tool can run: bad arguments, a bad configuration, a path that is not there.
 * The message is one or more full sentences, one per line; the exit code is 2.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
