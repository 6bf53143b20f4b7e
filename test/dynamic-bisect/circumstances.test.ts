import { describe, expect, it } from 'vitest';
import { describeCircumstances } from '../../src/dynamic/bisect/circumstances.js';
import { conclude, type Observation } from '../../src/dynamic/bisect/session.js';

const hit = (version: string): Observation => ({
  kind: 'hit',
  version,
  seconds: 1,
  class: 'memory-fault',
  detail: 'SIGSEGV',
  lines: [],
});
const clean = (version: string): Observation => ({ kind: 'clean', version, seconds: 1 });
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);
const history = ['1.0.0', '1.1.0', '1.2.0', '1.3.0', '1.4.0'];
const good = times(40, clean('1.1.0'));
const describeRuns = (runs: readonly Observation[], load?: Parameters<typeof describeCircumstances>[2]): string =>
  describeCircumstances(history, conclude(history, runs, 0.95), load).join(' ');

describe('the circumstances of a bisection', () => {
  it('says that the crash rate changed while it ran', () => {
    const idle = [...times(6, hit('1.4.0')), ...times(6, hit('1.2.0'))];
    const busy = [...times(20, clean('1.4.0')), hit('1.3.0'), ...times(20, clean('1.3.0'))];
    const told = describeRuns([...idle, ...good, ...busy]);
    expect(told).toContain('the bad side crashed in 12 of 12 runs at first and in 1 of 41 from run 53 on');
  });

  it('says nothing of a rate that stays', () => {
    const round = [hit('1.4.0'), clean('1.3.0'), clean('1.4.0'), hit('1.2.0'), clean('1.2.0')];
    expect(describeRuns([...times(6, round).flat(), ...good])).toBe('');
    expect(describeRuns([...times(9, hit('1.2.0')), ...good])).toBe('');
  });

  it('says that the machine was busy where the crash is rare enough to depend on it', () => {
    const load = { lowest: 3.4, highest: 11.6, processors: 2 };
    const rare = [...times(6, [clean('1.3.0'), hit('1.2.0'), clean('1.4.0')]).flat(), ...good];
    expect(describeRuns(rare, load)).toMatch(/^The machine was busy \(load 3 to 12 on 2 processors\)/);
    expect(describeRuns(rare, { ...load, highest: 2 })).toBe('');
    expect(describeRuns([...times(9, hit('1.2.0')), ...good], load)).toBe('');
  });
});
