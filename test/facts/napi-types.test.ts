import semver from 'semver';
import { describe, expect, it } from 'vitest';
import { findNapiType, napiTypes } from '../../src/facts/napi-types.js';
import { jsMemoryOf } from '../../src/facts/js-memory.js';
import type { TypeRef } from '../../src/model/ir.js';

function typeNamed(name: string): TypeRef {
  return { kind: 'path', text: name, span: { start: 0, end: name.length }, name, path: [name], args: [] };
}

describe('the table of Node-API types', () => {
  it('names each type once', () => {
    const names = napiTypes.map((type) => type.name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(findNapiType(name)?.name).toBe(name);
    expect(findNapiType('Vec')).toBeUndefined();
  });

  it('has each type in at least one major version', () => {
    for (const type of napiTypes) expect(type.v2 ?? type.v3, type.name).toBeDefined();
  });

  it('lists fixes as versions, oldest first', () => {
    for (const { name, fixes = [] } of napiTypes) {
      const versions = fixes.map((fix) => fix.version);
      for (const version of versions) expect(semver.valid(version), name).toBe(version);
      expect(semver.sort([...versions]), name).toEqual(versions);
    }
  });

  it('agrees with what is taken for bytes of JavaScript', () => {
    for (const type of napiTypes) {
      if (type.kind === 'owned' || type.kind === 'view')
        expect(jsMemoryOf(typeNamed(type.name)), type.name).toBeDefined();
    }
  });

  it('never gives a view a reference or another thread', () => {
    for (const type of napiTypes) {
      if (type.kind !== 'view') continue;
      for (const traits of [type.v2, type.v3]) {
        if (traits) expect(traits).toMatchObject({ send: false, sync: false, reference: 'never' });
      }
    }
  });
});
