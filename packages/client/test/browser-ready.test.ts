import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { browserFaults, importGraph } from '../../channel/test/support/import-graph.ts';

describe('the import graph of the client', () => {
  const graph = importGraph(path.resolve(import.meta.dirname, '../src/index.ts'));

  it('is followed into every package it is made of', () => {
    for (const name of ['codec', 'attest', 'model', 'channel']) {
      expect(graph.some(({ file }) => file.includes(`/packages/${name}/src/`))).toBe(true);
    }
  });

  it('has nothing in it that a browser lacks', () => {
    expect(graph.flatMap((file) => browserFaults(file))).toEqual([]);
  });

  it('has no test kit and no Node part of the model package in it', () => {
    const files = graph.map(({ file }) => file);
    expect(files.filter((file) => /\/packages\/(?:testkit|keys|evidence)\//.test(file))).toEqual([]);
    expect(files.filter((file) => file.endsWith('/packages/model/src/index.ts'))).toEqual([]);
  });

  it('needs no packages but hpke, zod and, loaded where ML-KEM is missing, noble', () => {
    const names = graph.flatMap(({ imports }) => imports).filter((name) => !/^(?:\.|@fastness\/)/.test(name));
    expect([...new Set(names)].sort()).toEqual(['@panva/hpke-noble', 'hpke', 'zod']);
  });
});
