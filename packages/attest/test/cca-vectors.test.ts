import { toHex } from '@fastness/codec';
import type { CborValue } from '@fastness/codec/cbor';
import { forgeCcaToken } from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import { verifyEvidence, type AttestationVerdict } from '../src/index.ts';
import { importCorim } from '../src/corim/index.ts';
import { encodeCcaEvidence, parse } from '../src/formats/arm-cca/index.ts';
import { bytesOf, now, realmKeys, recordedKey, recordedPair, withoutSigners } from './support/arm-forge.ts';
import { ccaOptions } from './support/conformance/arm.ts';
import { ccaCases, corimRow, platformCorim, realmCorim, type CcaCase } from './support/cca-cases.ts';
import { codeOf } from './support/errors.ts';
import { claimsRow, signingKey } from './support/psa-cases.ts';
import { readTable, readVector, readVectorText, vectorsPresent } from './support/vectors.ts';

if (!vectorsPresent) process.stdout.write('recorded CCA tokens: absent, skipped\n');

const judge = async (token: Uint8Array, spki: Uint8Array, change: object = {}): Promise<AttestationVerdict> =>
  verifyEvidence(ccaOptions(token, spki, change));

const accepted = ccaCases.filter(({ verdict }) => verdict === 'accept');

describe.skipIf(!vectorsPresent)('recorded CCA tokens', () => {
  it('cover every CCA row of the index', () => {
    const rows = readTable('INDEX.tsv').filter(({ tee }) => tee === 'cca');
    const first = rows.map((row) => row['files (under vectors/)']?.split(' ; ')[0] ?? '');
    expect(first.length).toBeGreaterThan(2);
    const covered = new Set([...ccaCases.map(({ row }) => row), corimRow]);
    expect(first.filter((file) => !covered.has(file))).toEqual([]);
  });

  it.each(ccaCases)('are judged as stated: $name, $verdict', async ({ token, key, verdict }) => {
    const code = await codeOf(judge(token(), await recordedKey(key)));
    expect(code).toBe(verdict === 'accept' ? 'accepted' : verdict);
  });

  it.each(accepted)('yield claims: $name', async ({ token, key, ...facts }: CcaCase) => {
    const { claims, waivers, checks } = await judge(token(), await recordedKey(key));
    const { platform, realm } = parse(encodeCcaEvidence(token()));
    expect(waivers).toEqual([]);
    expect(checks.map(({ code }) => code)).toContain('CCA_BINDING');
    expect(claims).toMatchObject({
      tee: 'arm-cca',
      debug: false,
      measurement: realm.initialMeasurement,
      reportData: toHex(realm.challenge),
      platformProfile: facts.platformProfile,
      identity: { kind: 'instance-id', value: platform.instanceId },
      lifecycle: { state: 'secured' },
    });
    expect(realm.profile).toBe(facts.realmProfile);
    expect(realm.rems).toHaveLength(4);
  });

  it.each(accepted)('are refused for another session, realm or platform: $name', async ({ token, key }: CcaCase) => {
    const spki = await recordedKey(key);
    const other = { measurements: ['11'.repeat(32)] };
    expect(await codeOf(judge(token(), spki, other))).toBe('CCA_MEASUREMENT_NOT_ALLOWED');
    expect(await codeOf(judge(token(), spki, { rems: { 2: ['11'.repeat(64)] } }))).toBe('CCA_REM_NOT_ALLOWED');
    const deny = { instances: { deny: [parse(encodeCcaEvidence(token())).platform.instanceId] } };
    expect(await codeOf(judge(token(), spki, deny))).toBe('CCA_INSTANCE_DENIED');
    expect(await codeOf(judge(token(), realmKeys.spki))).toMatch(/^CCA_(?:KEY_TYPE|PLATFORM_SIGNATURE)$/);
  });

  it('are accepted under what the recorded CoRIMs say of platform and realm, but for the signers', async () => {
    const [platform, realm] = await Promise.all(
      [platformCorim, realmCorim].map(async (file) =>
        importCorim({ corim: readVector(file), unsigned: 'caller', now }),
      ),
    );
    const token = ccaCases[1]?.token() ?? new Uint8Array();
    const sections = { ...platform?.sections.armCca, ...realm?.sections.armCca };
    // Veraison compares digests alone; the manifest names other signers than the token.
    expect(await codeOf(judge(token, new Uint8Array(), sections))).toBe('CCA_SOFTWARE_NOT_ALLOWED');
    const known = platform?.sections.armCca;
    const references = withoutSigners(known !== undefined && 'references' in known ? known.references : []);
    const { claims } = await judge(token, new Uint8Array(), { ...sections, references });
    expect(claims).toMatchObject({ measurement: '43'.repeat(64), configuration: '010203' });
  });

  it('can be made of the recorded claim set', async () => {
    type Json = { [name: string]: Json | Json[] | string | number };
    const sets = JSON.parse(readVectorText(`${claimsRow}/cca.good.json`)) as Record<
      'cca-platform-token' | 'cca-realm-delegated-token',
      Json
    >;
    const { 'cca-platform-token': platform, 'cca-realm-delegated-token': realm } = sets;
    const bytes = (value: unknown): CborValue => bytesOf(typeof value === 'string' ? value : '');
    const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);
    const keys = await recordedPair(signingKey);
    const token = await forgeCcaToken({
      platformKeys: keys,
      realmKeys,
      challenge: bytesOf(realm['cca-realm-challenge'] as string),
      platformProfile: platform['cca-platform-profile'] as string,
      device: {
        instanceId: bytesOf(platform['cca-platform-instance-id'] as string),
        implementationId: bytesOf(platform['cca-platform-implementation-id'] as string),
      },
      platform: (claims) => {
        claims.set(2395, platform['cca-platform-lifecycle'] as number);
        claims.set(2401, bytes(platform['cca-platform-config']));
        claims.set(
          2399,
          list(platform['cca-platform-sw-components']).map(
            (component) =>
              new Map<number, CborValue>([
                [1, component['measurement-type'] as string],
                [2, bytes(component['measurement-value'])],
                [4, component['version'] as string],
                [5, bytes(component['signer-id'])],
              ]),
          ),
        );
      },
      realm: (claims) => {
        claims.set(44235, bytes(realm['cca-realm-personalization-value']));
        claims.set(44238, bytes(realm['cca-realm-initial-measurement']));
        claims.set(44239, list(realm['cca-realm-extensible-measurements']).map(bytes));
      },
    });
    expect(await codeOf(judge(token, keys.spki))).toBe('accepted');
  });
});
