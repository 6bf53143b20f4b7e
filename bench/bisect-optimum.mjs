/**
 * How far from the best possible the queries of `lifetime-lint bisect` are: exact dynamic programming over all that can happen in a history of
 * three or four versions, with what the tool believes about crash rates. `node bench/bisect-optimum.mjs` takes about a minute of an idle core.
 *
 * A run costs a share of a wrong answer (`price`), and what is compared is the mean cost of runs and wrong answers together: of the best
 * queries, of those of the planner stopped at the best moment, and of those of the planner stopped at the best confidence. The good end is
 * never run, and after `most` runs the answer is given.
 */

import { createRateModel } from '../dist/dynamic/bisect/crash-rates.js';
import { planQuery } from '../dist/dynamic/bisect/planner.js';
import { firstBadPrior, posteriorOf } from '../dist/dynamic/bisect/posterior.js';

const PRICES = [0.02, 0.01, 0.005, 0.0025];
const CONFIDENCES = [0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.92, 0.95, 0.96, 0.97, 0.98, 0.99];

/** Every state of at most `most` runs, the fullest first: what may be asked, how likely a crash is, and how sure the answer is. */
function explore(size, most, background) {
  const model = createRateModel({ isCareful: true, background });
  const prior = firstBadPrior(new Array(size).fill(1));
  const asked = Array.from({ length: size - 1 }, (_, index) => index + 1);
  const keyOf = (counts) => counts.join();
  const nothing = new Array(2 * size).fill(0);
  const levels = [new Map([[keyOf(nothing), { counts: nothing }]])];
  for (let runs = 0; runs <= most; runs++) {
    const next = new Map();
    const reach = (counts, at) => {
      const more = [...counts];
      more[at]++;
      const key = keyOf(more);
      let state = next.get(key);
      if (state === undefined) next.set(key, (state = { counts: more }));
      return state;
    };
    for (const state of levels[runs].values()) {
      const tallies = new Map();
      for (const version of asked) {
        const [hits, clean] = [state.counts[2 * version], state.counts[2 * version + 1]];
        if (hits + clean > 0) tallies.set(version, { hits, clean });
      }
      const posterior = posteriorOf(model, prior, tallies);
      state.sure = posterior.probability(posterior.best);
      if (runs === most) continue;
      state.hit = asked.map((version) => {
        let sum = 0;
        for (let first = 0; first <= size; first++) {
          const segment = posterior.segments.find(({ to }) => first <= to);
          const clean = first <= version ? segment.badClean[0] : segment.goodClean[0];
          sum += posterior.probability(first) * (1 - clean);
        }
        return sum;
      });
      state.planned = asked.indexOf(planQuery(posterior, prior, asked, { prepare: () => 0, run: 1 })?.version);
      state.after = asked.map((version) => [reach(state.counts, 2 * version), reach(state.counts, 2 * version + 1)]);
    }
    if (runs < most) levels.push(next);
  }
  return levels.toReversed().flatMap((level) => [...level.values()]);
}

/** The mean cost from each state on, which `costOf` gives from that of stopping and that of asking version number `at`; of the first state. */
function solve(states, price, costOf) {
  const value = new Map();
  let last = 0;
  for (const state of states) {
    const ask = (at) => {
      const [crashed, passed] = state.after[at];
      return price + state.hit[at] * value.get(crashed) + (1 - state.hit[at]) * value.get(passed);
    };
    last = state.after === undefined ? 1 - state.sure : costOf(state, 1 - state.sure, ask);
    value.set(state, last);
  }
  return last;
}

console.log('versions  background  price   optimum  planner, best moment  planner, best confidence');
for (const [size, most, background] of [
  [3, 40, 0],
  [3, 40, 1 / 3],
  [4, 20, 0],
]) {
  const states = explore(size, most, background);
  for (const price of PRICES) {
    const best = solve(states, price, (state, stop, ask) => Math.min(stop, ...state.hit.map((_, at) => ask(at))));
    const moment = solve(states, price, (state, stop, ask) =>
      state.planned < 0 ? stop : Math.min(stop, ask(state.planned)),
    );
    const sure = Math.min(
      ...CONFIDENCES.map((confidence) =>
        solve(states, price, (state, stop, ask) =>
          state.planned < 0 || state.sure >= confidence ? stop : ask(state.planned),
        ),
      ),
    );
    const above = (cost) => `${(100 * (cost / best - 1)).toFixed(1)} % above`;
    console.log(
      `${String(size).padEnd(9)} ${background.toFixed(2).padEnd(11)} ${String(price).padEnd(7)} ${best.toFixed(4)}   ${above(moment).padEnd(21)} ${above(sure)}`,
    );
  }
}
