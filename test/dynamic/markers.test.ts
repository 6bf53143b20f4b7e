import { describe, expect, it } from 'vitest';
import { readMarkers } from '../../src/dynamic/markers.js';

const lines = (...markers: readonly (readonly unknown[])[]): string[] =>
  markers.map((marker) => JSON.stringify(marker));

describe('markers', () => {
  it('say where it was', () => {
    const stage = (...markers: readonly (readonly unknown[])[]): string => readMarkers(lines(...markers)).stage;
    expect(stage()).toBe('not started');
    expect(stage(['start', 0], ['opening', 3, '/a/b/x.node'])).toBe('opening x.node in worker 3');
    expect(stage(['opening', 0, 'C:\\a\\x.node'])).toBe('opening x.node');
    expect(stage(['call', 0, 6, 'parse'])).toBe("call 6, 'parse'");
    expect(stage(['cycle', 0, 2], ['worker-ended', 0, 4, 0])).toBe('worker 5 had ended');
    expect(stage(['done', 0])).toBe('done');
  });

  it('tell an addon that was being opened from one that was opened', () => {
    const read = readMarkers(lines(['opening', 1, 'a.node'], ['opened', 1, 'a.node'], ['opening', 2, 'a.node']));
    expect(read.opened).toEqual(['a.node']);
    expect(read.opening).toBe('a.node');
  });

  it('forgive a loader that tries several files, and report one that finds none', () => {
    const failed = ['open-failed', 0, 'a.node', 'no such file'] as const;
    expect(readMarkers(lines(['opening', 0, 'a.node'], failed)).openFailed).toBe('no such file');
    expect(readMarkers(lines(failed, ['opening', 0, 'b.node'], ['opened', 0, 'b.node'])).openFailed).toBeUndefined();
  });

  it('sum up calls and keep the first change, the first reason and each note once', () => {
    const read = readMarkers(
      lines(
        ['calls', 1, 3, 1, 'TypeError: no'],
        ['calls', 2, 2, 0, ''],
        ['changed', 0, 'sum', '1', '2'],
        ['changed', 0, 'sum', '1', '3'],
        ['note', 0, 'n'],
        ['note', 0, 'n'],
        ['in-flight', 0, 2, 1],
      ),
    );
    expect(read).toMatchObject({ returned: 5, threw: 1, firstThrow: 'TypeError: no', inFlight: 2, notes: ['n'] });
    expect(read.changed).toEqual({ name: 'sum', before: '1', after: '2' });
  });

  it('survive lines that a dying process did not finish', () => {
    expect(readMarkers(['["start",0]', '["call",0,1,"pa', 'noise', '7', '[1,2]', '[]']).stage).toBe('start');
  });
});
