import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importCorim, openCorim } from '../src/corim/index.ts';
import { now } from './support/arm-forge.ts';
import { corimCases, corimFolders } from './support/corim-cases.ts';
import { codeOf } from './support/errors.ts';
import { evidenceRoot, readVector, vectorsPresent } from './support/vectors.ts';

if (!vectorsPresent) process.stdout.write('recorded CoRIMs: absent, skipped\n');

const load = async (file: string) => importCorim({ corim: readVector(file), unsigned: 'caller', now });
const good = corimCases.filter(([, verdict]) => verdict === 'good');
const bad = corimCases.filter(([, verdict]) => verdict !== 'good');

describe.skipIf(!vectorsPresent)('recorded CoRIMs', () => {
  it('are all in the table', () => {
    const present = corimFolders.flatMap((folder) =>
      readdirSync(join(evidenceRoot, folder))
        .filter((file) => file.endsWith('.cbor'))
        .map((file) => `${folder}/${file}`),
    );
    const listed = corimCases.map(([file]) => file);
    expect(new Set(present)).toEqual(new Set(listed));
    expect(present).toHaveLength(listed.length);
  });

  it.each(good)('are read and mapped: %s', async (file) => {
    const { endorser, sections, corim } = await load(file);
    expect(endorser).toBe('caller');
    expect(Object.keys(sections)).toHaveLength(1);
    expect(corim.comids.flatMap(({ unread }) => unread)).toEqual([]);
  });

  it.each(bad)('are refused: %s, %s', async (file, code) => {
    expect(await codeOf(load(file))).toBe(code);
  });

  it('say what their sources say', async () => {
    const [psa, platform, realm] = await Promise.all(good.map(async ([file]) => load(file)));
    expect(psa?.sections.armPsa?.keys.map(({ instanceId }) => instanceId.slice(0, 10))).toEqual([
      '01ceebae7b',
      '014ca3e4f5',
    ]);
    expect(psa?.sections.armPsa?.references).toHaveLength(1);
    expect(psa?.sections.armPsa?.references[0]?.components.map(({ type }) => type)).toEqual(['BL', 'PRoT', 'ARoT']);
    expect(platform?.sections.armCca).toMatchObject({
      keys: [{ instanceId: `01${'02'.repeat(32)}`, implementationId: '00'.repeat(32) }],
      references: [{ configuration: { value: '010203', mask: '010203' } }],
    });
    expect(realm?.sections.armCca).toEqual({
      measurements: ['43'.repeat(64)],
      rems: { 0: ['43'.repeat(64)], 1: ['43'.repeat(64)], 2: ['43'.repeat(64)], 3: ['43'.repeat(64)] },
      personalizationValues: ['41444144'.repeat(16)],
    });
  });

  it.each(good)('need somebody who answers for them: %s', async (file) => {
    expect(await codeOf(openCorim({ corim: readVector(file), now }))).toBe('CORIM_UNSIGNED');
  });

  it.each(good)('never crash the reader when bits change: %s', async (file) => {
    const bytes = readVector(file);
    for (let position = 0; position < bytes.length; position += 1) {
      const corim = bytes.slice();
      corim[position] = (corim[position] ?? 0) ^ (1 << ((position * 5 + 3) % 8));
      await codeOf(importCorim({ corim, unsigned: 'caller', now }));
      await codeOf(importCorim({ corim: bytes.subarray(0, position), unsigned: 'caller', now }));
    }
  });
});
