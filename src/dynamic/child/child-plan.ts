import type { CallPlan } from '../call-plan.js';
import type { ScenarioName } from '../scenario.js';

/** What the parent writes to the run's folder for the child. */
export interface ChildPlan {
  readonly scenario: ScenarioName;
  /** Folder from which `specifier` resolves. */
  readonly root: string;
  readonly specifier: string;
  readonly driver?: string;
  readonly inputs?: string;
  readonly callPlan?: CallPlan;
  readonly workers: number;
  readonly calls: number;
  /** Planned calls are begun within this time only, so that slow ones leave a run that ends. */
  readonly callBudgetMs: number;
  readonly cycles: number;
  readonly mainLoads: boolean;
  readonly seed: number;
  /** How the child ends when the target took the descriptor of its markers away. */
  readonly lostMarkersExitCode: number;
  /** Collect every three milliseconds while the scenario runs. */
  readonly pump: boolean;
}

/** What a worker is to do. `load` always comes first. */
export type WorkerTask = 'load' | 'call' | 'start-and-exit' | 'start-and-wait' | 'write-to-transferred';

export interface WorkerInput {
  readonly plan: ChildPlan;
  readonly task: WorkerTask;
  readonly index: number;
  /** Wait for the message `go` before the worker ends. */
  readonly hold: boolean;
}

/** Messages from a worker to the main thread of the child. */
export type WorkerMessage =
  | { readonly kind: 'loaded' }
  | { readonly kind: 'pending' }
  | { readonly kind: 'finished' }
  | { readonly kind: 'values'; readonly values: readonly string[] }
  | { readonly kind: 'failed'; readonly message: string; readonly code: string; readonly stack: string };
