import type { Caller, Settled } from './caller.js';
import type { ChildPlan } from './child-plan.js';
import { mark } from './marker.js';

/** How many calls returned, and the first reason for which one did not. */
export class CallCount {
  private returned = 0;
  private threw = 0;
  private first = '';

  add(result: { readonly ok: boolean; readonly message?: string }): void {
    if (result.ok) this.returned++;
    else {
      this.threw++;
      if (this.first === '') this.first = result.message ?? '';
    }
  }

  /** Tells the parent; a scenario whose every call threw has tested nothing. */
  report(): void {
    mark('calls', this.returned, this.threw, this.first);
  }
}

/** Makes a call with one sample after another until it accepts one, none is left, or the time (of `performance.now()`) is over. */
async function callUntilAccepted(caller: Caller, i: number, until: number): Promise<Settled> {
  let result = await caller.start(i).result;
  while (!result.ok && performance.now() < until && caller.tryNextSample(i)) result = await caller.start(i).result;
  return result;
}

/**
 * Finds a sample for each planned call that it accepts, before a scenario that cannot ask again: what is refused at once is never
 * pending. Takes a quarter of the time for calls at most.
 */
export async function fitSamples(caller: Caller, { callBudgetMs }: ChildPlan): Promise<void> {
  const until = performance.now() + callBudgetMs / 4;
  for (let i = 0; i < caller.count; i++) {
    if (!caller.takesSamples(i) || performance.now() > until) continue;
    mark('call', 0, caller.nameOf(i));
    await callUntilAccepted(caller, i, until);
  }
}

/** Awaits calls one after another and gives the texts of their values. */
export async function callSequentially(caller: Caller, { calls, callBudgetMs }: ChildPlan): Promise<string[]> {
  const values: string[] = [];
  const count = new CallCount();
  const until = performance.now() + callBudgetMs;
  for (let i = 0; i < calls && caller.count > 0; i++) {
    // The values of guessed calls are not compared between runs, so their number may depend on the time that they take.
    if (!caller.comparable && performance.now() > until) break;
    mark('call', i + 1, caller.nameOf(i));
    const result = await callUntilAccepted(caller, i, until);
    count.add(result);
    values.push(result.ok ? result.text : 'threw');
  }
  count.report();
  return values;
}
