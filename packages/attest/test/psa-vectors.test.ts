import { toBase64Url } from '@fastness/codec';
import { forgeArmMessage, psaEvidence } from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import {
  parseAttestationPolicy,
  SIGNED_CORIM_TYPE,
  UNSIGNED_CORIM_TYPE,
  verifyEvidence,
  type AttestationVerdict,
} from '../src/index.ts';
import { importCorim } from '../src/corim/index.ts';
import { encodePsaEvidence, parse, type PsaToken } from '../src/formats/arm-psa/index.ts';
import { now, recordedKey, recordedPair, withoutSigners } from './support/arm-forge.ts';
import { codeOf } from './support/errors.ts';
import { psaOptions } from './support/conformance/arm.ts';
import { claimsRow, corimRow, psaCases, psaClaimSets, readClaimSet, signingKey } from './support/psa-cases.ts';
import { readTable, readVector, vectorsPresent } from './support/vectors.ts';

if (!vectorsPresent) process.stdout.write('recorded PSA tokens: absent, skipped\n');

const judge = async (token: Uint8Array, spki: Uint8Array, reference: PsaToken, change: object = {}) =>
  verifyEvidence(psaOptions(token, spki, reference, change));

const read = (row: string): PsaToken => parse(encodePsaEvidence(readVector(row))).token;

describe.skipIf(!vectorsPresent)('recorded PSA tokens', () => {
  it('cover every PSA row of the index', () => {
    const rows = readTable('INDEX.tsv').filter(({ tee }) => tee === 'psa');
    const first = rows.map((row) => row['files (under vectors/)']?.split(' ; ')[0] ?? '');
    expect(first.length).toBeGreaterThan(3);
    const covered = new Set([...psaCases.map(({ row }) => row), claimsRow, corimRow]);
    expect(first.filter((file) => !covered.has(file))).toEqual([]);
  });

  it.each(psaCases)('are judged as stated: $name, $verdict', async ({ row, key, verdict }) => {
    const reference = read(row);
    const judged: Promise<AttestationVerdict> = judge(readVector(row), await recordedKey(key), reference);
    expect(await codeOf(judged)).toBe(verdict === 'accept' ? 'accepted' : verdict);
    if (verdict !== 'accept') return;
    const { claims, waivers } = await judged;
    expect(waivers).toEqual([]);
    expect(claims).toMatchObject({
      tee: 'arm-psa',
      debug: false,
      endorser: 'policy',
      lifecycle: { value: 0x3000, state: 'secured' },
      profile: reference.profile,
      softwareComponents: reference.softwareComponents,
    });
    const strict = { profiles: ['tag:psacertified.org,2023:psa#tfm'] };
    const again = judge(readVector(row), await recordedKey(key), reference, strict);
    expect(await codeOf(again)).toBe('PSA_PROFILE_NOT_ALLOWED');
  });

  it.each(psaClaimSets)('%s, signed, gives %s', async (file, verdict) => {
    const keys = await recordedPair(signingKey);
    const good = await forgeArmMessage(readClaimSet('psa.good.json'), { keys });
    const token = await forgeArmMessage(readClaimSet(file), { keys });
    const judged = judge(token, keys.spki, parse(encodePsaEvidence(good)).token);
    expect(await codeOf(judged)).toBe(verdict === 'accept' ? 'accepted' : verdict);
  });

  it('verify under the keys of the recorded CoRIM, whose reference values name another signer', async () => {
    const corim = readVector(`${corimRow}/corim-psa-valid.cbor`);
    const { sections } = await importCorim({ corim, unsigned: 'caller', now });
    const reference = read(psaCases[0]?.row ?? '');
    const token = readVector(psaCases[0]?.row ?? '');
    expect(await codeOf(judge(token, new Uint8Array(), reference, sections.armPsa))).toBe('PSA_SOFTWARE_NOT_ALLOWED');
    // Veraison compares digests alone, and so accepts what this manifest does not describe.
    const references = withoutSigners(sections.armPsa?.references ?? []);
    const keys = sections.armPsa?.keys;
    const { claims } = await judge(token, new Uint8Array(), reference, { keys, references });
    expect(claims).toMatchObject({ endorser: 'policy', identity: { value: reference.instanceId } });
  });

  it('take no unsigned CoRIM as an endorsement', async () => {
    const value = readVector(`${corimRow}/corim-psa-valid.cbor`);
    const reference = read(psaCases[0]?.row ?? '');
    for (const type of [SIGNED_CORIM_TYPE, UNSIGNED_CORIM_TYPE]) {
      const options = {
        evidence: psaEvidence(readVector(psaCases[0]?.row ?? '')),
        endorsements: [{ type, value }],
        policy: parseAttestationPolicy({
          version: 1,
          id: 'recorded-tokens',
          armPsa: {
            corimSigners: [toBase64Url(await recordedKey(signingKey))],
            clientIds: 'any',
          },
          waivers: [],
        }),
        anchors: {},
        expectedReportData: reference.nonce,
        now,
      };
      expect(await codeOf(verifyEvidence(options))).toBe('CORIM_UNSIGNED');
    }
  });
});
