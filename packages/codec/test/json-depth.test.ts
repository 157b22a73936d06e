import { describe, expect, it } from 'vitest';
import { nestsDeeper } from '../src/index.ts';

describe('depth of a JSON text', () => {
  it.each([
    ['1', 0],
    ['[]', 1],
    ['{"a":[1,{"b":[]}]}', 4],
    ['[[],[],[[]]]', 3],
    ['"[[[["', 0],
    [String.raw`["\"[[[", "\\", [ ]]`, 2],
  ])('of %s is %d', (text, depth) => {
    expect(nestsDeeper(text, depth)).toBe(false);
    if (depth > 0) expect(nestsDeeper(text, depth - 1)).toBe(true);
  });

  it('is found out without reading on', () => {
    expect(nestsDeeper('['.repeat(1 << 20), 32)).toBe(true);
  });
});
