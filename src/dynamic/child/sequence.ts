import type { Caller } from './caller.js';
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

/** Awaits calls one after another and gives the texts of their values. */
export async function callSequentially(caller: Caller, { calls, callBudgetMs }: ChildPlan): Promise<string[]> {
  const values: string[] = [];
  const count = new CallCount();
  const started = performance.now();
  for (let i = 0; i < calls && caller.count > 0; i++) {
    // The values of guessed calls are not compared between runs, so their number may depend on the time that they take.
    if (!caller.comparable && performance.now() - started > callBudgetMs) break;
    mark('call', i + 1, caller.nameOf(i));
    const result = await caller.start(i).result;
    count.add(result);
    if (!result.ok) caller.tryNextSample(i);
    values.push(result.ok ? result.text : 'threw');
  }
  count.report();
  return values;
}
