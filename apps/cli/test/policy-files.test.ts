import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { policySectionOf } from '@fastness/attest';
import { fromHex, toBase64Url } from '@fastness/codec';
import { CborTag, type CborValue } from '@fastness/codec/cbor';
import { corimUri, forgeCorim, generateKeys, signCorim } from '@fastness/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explainPolicy } from '../src/support/attest/explain-policy.ts';
import { loadPolicy } from '../src/support/attest/policy-file.ts';
import { policyFileSchema } from '../src/support/attest/policy-schema.ts';

const examples = join(import.meta.dirname, '../../../examples/policies');
const names = (await readdir(examples)).filter((name) => name.endsWith('.yaml'));
const now = new Date('2026-06-01T12:00:00Z');

describe('the example policies', () => {
  it.each(names)('%s is one, and every field of it can be explained', async (name) => {
    const { policy, imports } = await loadPolicy(join(examples, name), now);
    expect(imports).toEqual([]);
    expect(policy.waivers).toEqual([]);
    const statements = explainPolicy(policy);
    expect(statements.length).toBeGreaterThan(5);
    expect(statements.every(({ means }) => means.trim() !== '')).toBe(true);
  });

  it('have a section for every kind of evidence', async () => {
    const policies = await Promise.all(names.map(async (name) => loadPolicy(join(examples, name), now)));
    const given = new Set(policies.flatMap(({ policy }) => Object.keys(policy)));
    expect([...new Set<string>(Object.values(policySectionOf))].filter((section) => !given.has(section))).toEqual([]);
  });
});

describe('the schema of policy files', () => {
  it('has every section, each complete or with an import', () => {
    const { properties = {} } = policyFileSchema();
    for (const section of Object.values(policySectionOf)) {
      expect(Object.keys(properties[section]?.properties ?? {})).toContain('corim');
      expect(properties[section]?.anyOf).toContainEqual({ required: ['corim'] });
    }
  });
});

const MEASUREMENT = 641;
const profile = corimUri('tag:amd.com,2025:snp-corim-profile');
/** Reference values of one SEV-SNP guest: class VCEK, launch measurement. */
function guest(measurement: string): CborValue {
  const vcek = new CborTag(111, fromHex('2b060104019c780301'));
  const digest = [7, fromHex(measurement)];
  return [
    new Map([[0, new Map([[0, vcek]])]]),
    [
      new Map<number, CborValue>([
        [0, MEASUREMENT],
        [1, new Map([[2, [digest]]])],
      ]),
    ],
  ];
}

describe('reference values from a CoRIM', () => {
  const measurement = 'ab'.repeat(48);
  let folder: string;
  let signers: string[];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fastness-corim-'));
    const keys = await generateKeys('p-256');
    signers = [toBase64Url(keys.spki)];
    const plain = forgeCorim({ profile, triples: { 0: [guest(measurement)] } });
    await writeFile(join(folder, 'plain.cbor'), plain);
    await writeFile(join(folder, 'signed.cbor'), await signCorim(plain, { keys }));
    await writeFile(join(folder, 'large.cbor'), new Uint8Array((1 << 20) + 1));
  });
  afterAll(async () => rm(folder, { recursive: true, force: true }));

  const load = async (corim: unknown, more: object = {}, at = now) => {
    const section = { products: ['Genoa'], vmpl: [0], minimumTcb: {}, smt: 'allow', ...more };
    const path = join(folder, 'policy.json');
    await writeFile(path, JSON.stringify({ version: 1, id: 'x', snp: { corim, ...section }, waivers: [] }));
    return loadPolicy(path, at);
  };

  it('fill the members of their section', async () => {
    const { policy, imports } = await load({ file: 'signed.cbor', signers });
    expect(policy.snp).toMatchObject({ measurements: [measurement], signingKeys: ['vcek'] });
    expect(imports).toMatchObject([{ section: 'snp', members: ['measurements', 'signingKeys'] }]);
    expect(imports[0]?.endorser).toMatch(/^[0-9a-f]{64}$/);
  });

  it('may be unsigned if whoever writes the policy says so', async () => {
    const { policy, imports } = await load([{ file: join(folder, 'plain.cbor'), unsigned: true }]);
    expect(policy.snp?.measurements).toEqual([measurement]);
    expect(imports[0]?.endorser).toBe('caller');
  });

  it.each<[string, unknown, object, string]>([
    ['an unsigned manifest of nobody', { file: 'plain.cbor', signers: undefined }, {}, 'CLI_CORIM_IMPORT'],
    ['both', { file: 'plain.cbor', unsigned: true, signers: ['A'.repeat(64)] }, {}, 'CLI_CORIM_IMPORT'],
    ['another form', 'plain.cbor', {}, 'CLI_CORIM_IMPORT'],
    [
      'a member given twice',
      { file: 'plain.cbor', unsigned: true },
      { measurements: [measurement] },
      'CLI_CORIM_IMPORT',
    ],
    [
      'two manifests that give one member',
      [
        { file: 'plain.cbor', unsigned: true },
        { file: 'plain.cbor', unsigned: true },
      ],
      {},
      'CLI_CORIM_IMPORT',
    ],
    ['a file that is too large', { file: 'large.cbor', unsigned: true }, {}, 'CLI_CORIM_IMPORT'],
    ['no file', { file: 'absent.cbor', unsigned: true }, {}, 'CLI_FILE_UNREADABLE'],
  ])('are refused with %s', async (_what, corim, more, code) => {
    await expect(load(corim, more)).rejects.toMatchObject({ code });
  });

  it('are refused by the code of what is wrong with the manifest', async () => {
    await expect(load({ file: 'plain.cbor', signers })).rejects.toMatchObject({ code: 'CORIM_UNSIGNED' });
    const { spki } = await generateKeys('p-256');
    await expect(load({ file: 'signed.cbor', signers: [toBase64Url(spki)] })).rejects.toMatchObject({
      code: 'CORIM_SIGNATURE',
    });
    await expect(load({ file: 'signed.cbor', signers }, {}, new Date('2031-01-01T00:00:00Z'))).rejects.toMatchObject({
      code: 'CORIM_SIGNATURE_VALIDITY',
    });
  });

  it('for another section are refused', async () => {
    const path = join(folder, 'tdx.json');
    const tdx = { corim: { file: 'plain.cbor', unsigned: true } };
    await writeFile(path, JSON.stringify({ version: 1, id: 'x', tdx, waivers: [] }));
    await expect(loadPolicy(path, now)).rejects.toMatchObject({ code: 'CLI_CORIM_IMPORT' });
  });
});
