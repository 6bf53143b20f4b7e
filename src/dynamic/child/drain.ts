/** Calls with guessed arguments that have not settled, each with the way to give it up. */
const waiting = new Set<() => void>();

/** Registers what is to be done when the event loop of this thread runs empty; gives the way to take it back. */
export function onDrain(giveUp: () => void): () => void {
  waiting.add(giveUp);
  return () => void waiting.delete(giveUp);
}

/** Gives up the calls that wait for nothing any more; false when there was none. The loop goes on once more. */
export function releaseDrained(): boolean {
  if (waiting.size === 0) return false;
  const all = [...waiting];
  waiting.clear();
  setImmediate(() => {
    for (const giveUp of all) giveUp();
  });
  return true;
}
