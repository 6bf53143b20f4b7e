import type { TSESTree } from '@typescript-eslint/utils';
import { join, State, type Pending, type Phase } from './state.js';

interface Loop {
  readonly breaks: State[];
  readonly continues: State[];
  readonly label: string | undefined;
  readonly isSwitch: boolean;
  /** How many `try` blocks are around it. */
  readonly tries: number;
}

interface TryFrame {
  /** States at which the block was left by return, break, continue or throw. */
  readonly exits: State[];
  /** Calls that are still running when an exception leaves the block, and what throws it. */
  readonly interrupted: Map<Pending, { readonly phase: Phase; readonly thrower: TSESTree.Node }>;
  /** An exception of the block doesn't get further. */
  readonly isCaught: boolean;
}

/** The parts of a `try` statement, each as the walk over it. */
export interface TryParts {
  readonly block: () => void;
  readonly handler: (() => void) | undefined;
  readonly finalizer: (() => void) | undefined;
}

/** One `case` of a `switch`; `default` has no test. */
export interface SwitchCase {
  readonly test: (() => void) | undefined;
  readonly body: () => void;
}

/** The state at the current point of a walk, and where paths fork, leave and meet. What is walked comes in as functions. */
export class ControlFlow {
  state = new State();
  private loops: Loop[] = [];
  private tries: TryFrame[] = [];
  /** Loops around the current place, also around the call of a function that is walked in place. */
  private readonly around: Loop[] = [];
  /** How many `try` blocks are outside of the function that is walked in place. */
  private outerTries = 0;
  private rounds: ReadonlySet<Pending> = new Set();
  private readonly throwers = new Map<Pending, TSESTree.Node>();

  /** The native calls of the loop rounds before the current one. */
  get earlierRounds(): ReadonlySet<Pending> {
    return this.rounds;
  }

  /** The innermost loop around the current place, as a key. */
  get innermostLoop(): object | undefined {
    return this.around.at(-1);
  }

  isInside(loop: object): boolean {
    return this.around.some((each) => each === loop);
  }

  /** What threw while a call was running that is `interrupted` now. */
  throwerOf(pending: Pending): TSESTree.Node | undefined {
    return this.throwers.get(pending);
  }

  return(): void {
    this.leave(this.outerTries);
  }

  break(label: string | undefined): void {
    const loop = this.loops.findLast((each) => label === undefined || each.label === label);
    loop?.breaks.push(this.state.clone());
    this.leave(loop?.tries ?? this.outerTries);
  }

  continue(label: string | undefined): void {
    const loop = this.loops.findLast((each) => !each.isSwitch && (label === undefined || each.label === label));
    loop?.continues.push(this.state.clone());
    this.leave(loop?.tries ?? this.outerTries);
  }

  throw(): void {
    for (const frame of this.tries.toReversed()) {
      frame.exits.push(this.state.clone());
      if (frame.isCaught) break;
    }
    this.state.isDead = true;
  }

  /** An expression may throw now; what is running then is running in the handler. */
  interrupt(thrower: TSESTree.Node, phaseOf: (pending: Pending) => Phase = () => 'interrupted'): void {
    if (this.state.pending.size === 0) return;
    for (const frame of this.tries.toReversed()) {
      for (const pending of this.state.pending.keys())
        if (!frame.interrupted.has(pending)) frame.interrupted.set(pending, { phase: phaseOf(pending), thrower });
      if (frame.isCaught) break;
    }
  }

  /** Walks alternatives from the same state and joins what comes out. */
  branches<T>(alternatives: readonly (() => T)[]): readonly T[] {
    const before = this.state;
    const after: State[] = [];
    const results = alternatives.map((walk) => {
      this.state = before.clone();
      const result = walk();
      after.push(this.state);
      return result;
    });
    this.state = join(after);
    return results;
  }

  loop(label: string | undefined, mayBeSkipped: boolean, round: () => void): void {
    const before = this.state.clone();
    const loop: Loop = { breaks: [], continues: [], label, isSwitch: false, tries: this.tries.length };
    this.loops.push(loop);
    this.around.push(loop);
    round();
    const first = join([this.state, ...loop.continues]);
    const outer = this.rounds;
    this.rounds = new Set([...outer, ...first.pending.keys()].filter((pending) => !before.pending.has(pending)));
    loop.continues.length = 0;
    this.state = first.clone();
    if (!first.isDead) round();
    this.rounds = outer;
    this.loops.pop();
    this.around.pop();
    this.state = join([...(mayBeSkipped ? [before] : []), this.state, first, ...loop.continues, ...loop.breaks]);
  }

  /** Walks the cases in their order; each is reached by its test or from the case above. */
  switch(cases: readonly SwitchCase[], label: string | undefined): void {
    const before = this.state.clone();
    const frame: Loop = { breaks: [], continues: [], label, isSwitch: true, tries: this.tries.length };
    this.loops.push(frame);
    this.state.isDead = true;
    for (const each of cases) {
      this.state = join([before.clone(), this.state]);
      each.test?.();
      each.body();
    }
    this.loops.pop();
    const hasDefault = cases.some((each) => each.test === undefined);
    this.state = join([...(hasDefault ? [] : [before]), this.state, ...frame.breaks]);
  }

  try({ block, handler, finalizer }: TryParts): void {
    const frame: TryFrame = { exits: [], interrupted: new Map(), isCaught: handler !== undefined };
    this.tries.push(frame);
    block();
    this.tries.pop();
    const normal = this.state;
    // What an exception finds: everything that the block started and didn't wait for, and what Promise.all left behind.
    const failed = join([normal, ...frame.exits]).isDead ? lastOf(frame.exits, normal) : join([normal, ...frame.exits]);
    failed.isDead = false;
    this.interrupted(failed, frame);

    let handled: State | undefined;
    const exits = [...frame.exits];
    if (handler !== undefined) {
      this.state = failed.clone();
      const inner: TryFrame = { exits: [], interrupted: new Map(), isCaught: false };
      if (finalizer !== undefined) this.tries.push(inner);
      handler();
      if (finalizer !== undefined) this.tries.pop();
      handled = this.state;
      const escaped = failed.clone();
      escaped.pending.clear();
      this.interrupted(escaped, inner);
      exits.push(...inner.exits, escaped);
    }
    if (finalizer === undefined) {
      this.state = join(handled === undefined ? [normal] : [normal, handled]);
      return;
    }
    const live = join(handled === undefined ? [normal] : [normal, handled]);
    const abrupt = exits.map((exit) => alive(exit));
    this.state = join([live, ...abrupt, ...(handled === undefined ? [failed] : [])]);
    finalizer();
    if (live.isDead || this.state.isDead) {
      this.state.isDead = true;
      return;
    }
    // Paths that left the block don't come out below the finalizer.
    for (const pending of [...this.state.pending.keys()])
      if (!live.pending.has(pending)) this.state.pending.delete(pending);
  }

  /** Walks the body of a function where it is called: its `return` and `break` stay inside, an exception does not. */
  inFunction(walk: () => void): void {
    const { loops, outerTries } = this;
    this.loops = [];
    this.outerTries = this.tries.length;
    walk();
    this.state.isDead = false;
    this.loops = loops;
    this.outerTries = outerTries;
  }

  /** Walks a callback that runs later: what it throws does not get to the `try` blocks around the place where it was given away. */
  outsideTries(walk: () => void): void {
    const { tries } = this;
    this.tries = [];
    walk();
    this.tries = tries;
  }

  /** The way ends here; it leaves the `try` blocks from one of that number on. */
  private leave(from: number): void {
    for (const frame of this.tries.slice(from)) frame.exits.push(this.state.clone());
    this.state.isDead = true;
  }

  private interrupted(state: State, frame: TryFrame): void {
    for (const [pending, { phase, thrower }] of frame.interrupted) {
      if (state.pending.has(pending)) continue;
      state.pending.set(pending, phase);
      if (phase === 'interrupted') this.throwers.set(pending, thrower);
    }
  }
}

function alive(state: State): State {
  const copy = state.clone();
  copy.isDead = false;
  return copy;
}

function lastOf(states: readonly State[], otherwise: State): State {
  return (states.at(-1) ?? otherwise).clone();
}
