import { toHex } from '@fastness/codec';
import { CborTag, type CborKey, type CborValue } from '@fastness/codec/cbor';
import {
  armComponentMeasurement,
  armEnvironment,
  armKeyTriple,
  armReferenceTriple,
  corimUri,
  corimValidity,
  forgeCorim,
  forgedArmComponents,
  forgedRealm,
  type ForgedKeys,
} from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import { parseAttestationPolicy, VerificationCache } from '../src/index.ts';
import { corimProfiles, importCorim, openCorim } from '../src/corim/index.ts';
import { CCA_COMPONENT, measurement, PLATFORM, PSA_COMPONENT, REALM, realmTriple } from './support/arm-corims.ts';
import {
  after,
  armKey,
  armReference,
  deviceKeys,
  edKeys,
  flip,
  now,
  p256Keys,
  p521Keys,
  vendorKeys,
} from './support/arm-forge.ts';
import { INTEL, prepareCorim, SNP, type CorimScenario } from './support/corim-forge.ts';
import { codeOf } from './support/errors.ts';
import { scramble } from './support/scramble.ts';

const load = async (scenario: CorimScenario = {}) => importCorim(await prepareCorim(scenario));
const sha256 = async (bytes: Uint8Array) =>
  toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', new Uint8Array(bytes))));

describe('a signed CoRIM', () => {
  it('is opened and becomes members of a policy', async () => {
    const { endorser, signerName, sections, corim } = await load();
    expect(endorser).toBe(await sha256(vendorKeys.spki));
    expect(signerName).toBe('Forged Vendor');
    expect(corim).toMatchObject({ id: 'forged manifest', profile: 'tag:arm.com,2025:psa#1.0.0' });
    expect(sections).toEqual({ armPsa: { keys: [armKey(deviceKeys)], references: [armReference()] } });
    const armPsa = { ...sections.armPsa, clientIds: 'any' };
    const policy = parseAttestationPolicy({ version: 1, id: 'p', armPsa, waivers: [] });
    expect(policy.armPsa?.keys).toEqual(sections.armPsa?.keys);
  });

  it.each<[string, ForgedKeys]>([
    ['ES256', p256Keys],
    ['ES512', p521Keys],
    ['Ed25519', edKeys],
  ])('may be signed with %s', async (_, keys) => {
    const { endorser } = await load({ sign: { keys }, options: { signers: [deviceKeys.spki, keys.spki] } });
    expect(endorser).toBe(await sha256(keys.spki));
  });

  it('may name its signer in CWT claims, alone or beside the meta', async () => {
    const claims = new Map<number, CborValue>([
      [1, 'Forged Vendor'],
      [4, 1_798_675_200],
      [5, 1_767_225_600],
      [99, 'something else'],
    ]);
    const alone = (header: Map<CborKey, CborValue>) => {
      header.delete(8);
      header.set(15, claims);
    };
    expect((await load({ sign: { header: alone } })).signerName).toBe('Forged Vendor');
    expect(await codeOf(load({ sign: { header: (header) => void header.set(15, claims) } }))).toBe('accepted');
    const forever = (header: Map<CborKey, CborValue>) => {
      header.delete(8);
      header.set(15, new Map([[1, 'Forged Vendor']]));
    };
    expect(await codeOf(load({ sign: { header: forever } }))).toBe('accepted');
  });

  it('is valid from its first to its last second', async () => {
    const validity = corimValidity(now, now);
    expect(await codeOf(load({ corim: { validity }, sign: { validity } }))).toBe('accepted');
    const last = new Date(now.getTime() + 999);
    expect(await codeOf(load({ corim: { validity }, options: { now: last } }))).toBe('accepted');
    const over = new Date(now.getTime() + 1000);
    expect(await codeOf(load({ corim: { validity }, options: { now: over } }))).toBe('CORIM_VALIDITY');
    const open = new Map([[1, new CborTag(1, Math.floor(after(1).getTime() / 1000))]]);
    expect(await codeOf(load({ corim: { validity: open } }))).toBe('accepted');
  });

  it('says which triples were not read', async () => {
    const triples = { 3: [armKeyTriple(deviceKeys)], 6: [1], 10: [1], 50: [1] };
    const { corim } = await load({ corim: { triples } });
    expect(corim.comids[0]?.unread).toEqual(['coswid', 'conditional-endorsement', 'psa-software-relation']);
  });

  it('of the base profile is read without being mapped', async () => {
    const triples = {
      0: [
        [
          new Map<number, CborValue>([
            [
              0,
              new Map<number, CborValue>([
                [0, new CborTag(37, new Uint8Array(16))],
                [1, 'ACME'],
                [2, 'RoadRunner'],
                [3, 0],
                [4, 1],
              ]),
            ],
            [1, new CborTag(557, [1, new Uint8Array(32)])],
            [2, new CborTag(37, new Uint8Array(16))],
          ]),
          [
            measurement(new CborTag(111, Uint8Array.of(0x2a, 3)), [
              [1, new CborTag(552, 7)],
              [2, [['sha-512', new Uint8Array(64)]]],
              [4, new CborTag(563, [new Uint8Array(2), new Uint8Array(2)])],
              [13, [new CborTag(558, new Map([[1, 2]])), new CborTag(562, new Uint8Array(3))]],
            ]),
            measurement(undefined, [[15, -4]]),
          ],
        ],
      ],
      1: [armReferenceTriple('x', forgedArmComponents())],
      2: [[armEnvironment(), [new CborTag(560, new Uint8Array(4))], new Map([[0, 'k']])]],
    };
    const corim = (members: Map<CborKey, CborValue>) => void members.delete(3);
    const scenario = { corim: { triples, corim } };
    expect(await codeOf(load(scenario))).toBe('CORIM_PROFILE_UNKNOWN');
    const opened = await openCorim(await prepareCorim(scenario));
    const [comid] = opened.corim.comids;
    expect(opened.corim.profile).toBeUndefined();
    expect(comid?.references[0]?.environment).toMatchObject({
      class: { id: { kind: 'uuid' }, vendor: 'ACME', model: 'RoadRunner', layer: 0, index: 1 },
      instance: { kind: 'key' },
      group: { kind: 'uuid' },
    });
    expect(comid?.references[0]?.measurements[0]).toMatchObject({
      key: { kind: 'oid' },
      values: { digests: [{ algorithm: 'sha-512' }], keys: [{ kind: 'cose-key' }, { kind: 'der-certificate' }] },
      authorized: false,
    });
    expect(comid?.references[0]?.measurements[1]).toMatchObject({ values: { integer: -4 } });
    expect(comid?.endorsed).toHaveLength(1);
    expect(comid?.identityKeys[0]).toMatchObject({ conditional: true, keys: [{ kind: 'bytes' }] });
  });

  it('is read or refused, and never crashes the reader', async () => {
    const options = await prepareCorim({ unsigned: true });
    const codes = new Set<string>();
    for (let seed = 0; seed < 2000; seed += 1) {
      codes.add(await codeOf(importCorim({ ...options, corim: scramble(options.corim, seed) })));
    }
    expect(codes.size).toBeGreaterThan(10);
    const signed = await prepareCorim();
    for (let position = 0; position < signed.corim.length; position += 3) {
      expect(await codeOf(importCorim({ ...signed, corim: flip(signed.corim, position) }))).not.toBe('accepted');
    }
  });
});

describe('a profile of CoRIMs', () => {
  const components = forgedArmComponents();
  const [bl = new Map<number, CborValue>()] = components;

  it('is one of those in the table', () => {
    expect(corimProfiles.map(({ profile }) => profile)).toEqual([
      'tag:arm.com,2025:psa#1.0.0',
      PLATFORM,
      REALM,
      SNP,
      'oid:6086480186f84d011001',
    ]);
  });

  it('of PSA takes several states, and components that say less', async () => {
    const terse = armComponentMeasurement(PSA_COMPONENT, new Map([...bl].filter(([key]) => key !== 1 && key !== 4)));
    const triples = { 0: [armReferenceTriple(PSA_COMPONENT, components), [armEnvironment(), [terse]]] };
    const { sections } = await load({ corim: { triples } });
    expect(sections.armPsa?.references.map((state) => state.components.length)).toEqual([3, 1]);
    expect(sections.armPsa?.references[1]?.components[0]).toEqual({
      signerId: '50'.repeat(32),
      digests: [{ algorithm: 'sha-256', value: '10'.repeat(32) }],
    });
  });

  it('of CCA platforms takes a configuration, masked in either form', async () => {
    const [value, mask] = [Uint8Array.of(1, 2), Uint8Array.of(0xff, 0)];
    for (const values of [
      [[4, new CborTag(563, [value, mask])] as const],
      [[4, new CborTag(560, value)] as const, [5, mask] as const],
    ]) {
      const triples = {
        0: [armReferenceTriple(CCA_COMPONENT, components, measurement('cca.platform-config', values))],
      };
      const { sections } = await load({ corim: { profile: corimUri(PLATFORM), triples } });
      const armCca = sections.armCca !== undefined && 'references' in sections.armCca ? sections.armCca : undefined;
      expect(armCca?.references[0]?.configuration).toEqual({ value: '0102', mask: 'ff00' });
    }
  });

  it('of CCA realms gives measurements, registers and personalization', async () => {
    const rems = [0, 3].map((index) => [`cca.rem${index}`, new Uint8Array(32).fill(index)] as const);
    const rest = [...rems, ['cca.rpv', forgedRealm.personalization] as const];
    const other = new Uint8Array(64).fill(0x99);
    const triples = { 0: [realmTriple(undefined, ...rest), realmTriple(other, ...rest)] };
    const { sections } = await load({ corim: { profile: corimUri(REALM), triples } });
    expect(sections.armCca).toEqual({
      measurements: [toHex(forgedRealm.rim), toHex(other)],
      rems: { 0: ['00'.repeat(32)], 3: ['03'.repeat(32)] },
      personalizationValues: ['71'.repeat(64)],
    });
  });

  it('of SEV-SNP guests gives measurements, keys and VMPL', async () => {
    const digest = (name: number, byte: number) => measurement(name, [[2, [[7, new Uint8Array(48).fill(byte)]]]]);
    const rest = [digest(643, 0x43), digest(644, 0x44), measurement(5, [[15, 1]])];
    const guest = (oid: string, ...measurements: CborValue[]): CborValue => [
      new Map([
        [
          0,
          new Map([
            [
              0,
              new CborTag(
                111,
                Uint8Array.from(oid.match(/../g) ?? [], (hex) => Number.parseInt(hex, 16)),
              ),
            ],
          ]),
        ],
      ]),
      measurements,
    ];
    const [vcek, vlek] = ['2b060104019c780301', '06092b060104019c780302'];
    const triples = { 0: [guest(vcek, digest(641, 1), ...rest), guest(vcek, digest(641, 2), ...rest)] };
    const { sections } = await load({ corim: { profile: corimUri(SNP), triples } });
    expect(sections).toEqual({
      snp: {
        measurements: ['01'.repeat(48), '02'.repeat(48)],
        signingKeys: ['vcek'],
        vmpl: [1],
        idKeyDigests: ['43'.repeat(48)],
        authorKeyDigests: ['44'.repeat(48)],
      },
    });
    const snp = { ...sections.snp, products: ['Milan'], minimumTcb: {}, smt: 'allow' };
    expect(parseAttestationPolicy({ version: 1, id: 'p', snp, waivers: [] }).snp?.measurements).toHaveLength(2);
    const cloud = { 0: [guest(vlek, digest(641, 1))] };
    expect((await load({ corim: { profile: corimUri(SNP), triples: cloud } })).sections.snp).toEqual({
      measurements: ['01'.repeat(48)],
      signingKeys: ['vlek'],
    });
  });

  it('of Intel gives measurements of TDs and of enclaves', async () => {
    const [td, td2, enclave] = [new Uint8Array(48), new Uint8Array(48).fill(1), new Uint8Array(32).fill(2)];
    const triple = (...measurements: CborValue[]): CborValue => [armEnvironment(), measurements];
    const triples = {
      0: [
        triple(measurement(undefined, [[-83, [7, td]]])),
        triple(measurement(undefined, [[-83, [[7, td]]]])),
        triple(
          measurement(undefined, [
            [
              -83,
              new CborTag(60_020, [
                6,
                [
                  [7, td2],
                  [1, enclave],
                ],
              ]),
            ],
          ]),
        ),
        triple(measurement(83, [[2, [[7, td2]]]])),
      ],
    };
    const { sections } = await load({ corim: { profile: INTEL, triples } });
    expect(sections).toEqual({
      tdx: { measurements: ['00'.repeat(48), '01'.repeat(48)] },
      sgx: { measurements: ['02'.repeat(32)] },
    });
  });

  it('may be written without its tag, as older manifests do', async () => {
    const corim = forgeCorim({ profile: PLATFORM, triples: { 3: [armKeyTriple(deviceKeys)] } });
    expect(await codeOf(importCorim({ corim, unsigned: 'caller', now }))).toBe('accepted');
  });
});

describe('a cache', () => {
  it('keeps what was made of a manifest, and changes no verdict', async () => {
    const cache = new VerificationCache();
    const options = { ...(await prepareCorim()), cache };
    const first = await importCorim(options);
    const again = await importCorim(options);
    expect(again.sections).toBe(first.sections);
    expect(again).toEqual(first);
    expect(() => Object.assign(again.sections.armPsa?.keys[0] ?? {}, { publicKey: 'AA' })).toThrow(TypeError);
    expect(await codeOf(importCorim({ ...options, now: after(900) }))).toBe('CORIM_SIGNATURE_VALIDITY');
    expect(await codeOf(importCorim({ ...options, signers: [p256Keys.spki] }))).toBe('CORIM_SIGNATURE');
    expect(await codeOf(importCorim({ ...options, corim: flip(options.corim, 400) }))).not.toBe('accepted');
    const base = await prepareCorim({ corim: { profile: corimUri('tag:example.org,2026:other') } });
    expect((await openCorim({ ...base, cache })).corim.profile).toBe('tag:example.org,2026:other');
    expect(await codeOf(importCorim({ ...base, cache }))).toBe('CORIM_PROFILE_UNKNOWN');
  });
});
