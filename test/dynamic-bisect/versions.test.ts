import { describe, expect, it } from 'vitest';
import { selectVersions } from '../../src/dynamic/bisect/versions.js';

const published = ['0.10.0', '0.9.0', '0.11.0-beta.1', '0.11.0', '0.9.1', '1.0.0', 'not-a-version'];

describe('selectVersions', () => {
  it('orders by semver, keeps the ends and says which pre-releases it left out', () => {
    expect(selectVersions(published, { from: '0.9.0', to: '0.11.0', prereleases: false })).toEqual({
      versions: ['0.9.0', '0.9.1', '0.10.0', '0.11.0'],
      left: [{ version: '0.11.0-beta.1', reason: 'pre-release, tested with --pre' }],
    });
  });

  it('takes pre-releases on request, and as an end', () => {
    expect(selectVersions(published, { from: '0.10.0', to: '0.11.0', prereleases: true })).toMatchObject({
      versions: ['0.10.0', '0.11.0-beta.1', '0.11.0'],
    });
    expect(selectVersions(published, { from: '0.10.0', to: '0.11.0-beta.1', prereleases: false })).toMatchObject({
      versions: ['0.10.0', '0.11.0-beta.1'],
    });
  });

  it('names the newest version before one that was never published', () => {
    expect(selectVersions(published, { from: '0.9.5', to: '1.0.0', prereleases: false })).toEqual({
      error: "Version '0.9.5' is not published; the newest before it is '0.9.1'.",
    });
  });
});
