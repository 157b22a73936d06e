import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { browserFaults, importGraph } from './support/import-graph.ts';

const source = path.resolve(import.meta.dirname, '../src');

describe.each(['index.ts', 'wire/index.ts'])('the import graph of %s', (entry) => {
  const graph = importGraph(path.join(source, entry));

  it('is followed across packages', () => {
    expect(graph.some(({ file }) => file.includes('/packages/codec/src/'))).toBe(true);
  });

  it('has nothing in it that a browser lacks', () => {
    expect(graph.flatMap((file) => browserFaults(file))).toEqual([]);
  });

  it('needs no packages but hpke, zod and noble', () => {
    const known = new Set(['@panva/hpke-noble', 'hpke', 'zod']);
    const names = graph.flatMap(({ imports }) => imports).filter((name) => !/^(?:\.|@fastness\/)/.test(name));
    expect([...new Set(names)].filter((name) => !known.has(name))).toEqual([]);
  });

  it('loads noble only on demand', () => {
    const loading = graph.filter(({ imports }) => imports.includes('@panva/hpke-noble'));
    expect(loading.map(({ file }) => path.basename(file)).filter((name) => name !== 'noble.ts')).toEqual([]);
    const eager = graph.filter(({ text }) => /from '\.\/noble\.ts'/.test(text));
    expect(eager.map(({ file }) => file)).toEqual([]);
  });
});

it('the scan finds what it looks for', () => {
  const file = { file: 'x', text: 'const a = Buffer.from("b"); process.exit(1);', imports: ['node:fs'] };
  expect(browserFaults(file)).toEqual(['x imports node:fs', 'x uses Buffer', 'x uses process']);
});
