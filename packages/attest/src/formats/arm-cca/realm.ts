import { toHex } from '@fastness/codec';
import type { CborMap, CborValue } from '@fastness/codec/cbor';
import type { KeyHolder } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import type { ArmCcaHash } from '../../policy/arm-cca.ts';
import { describe, HASH_BYTES, readBytesClaim, requireClaims } from '../arm/claims.ts';
import { hashNamed } from './hashes.ts';
import { armCcaProfiles, CHALLENGE_BYTES, REM_COUNT, realmClaims, type RealmProfileFacts } from './layout.ts';
import { readRealmKey } from './realm-key.ts';

/** The claims of a realm token. Hex is lower-case. */
export interface CcaRealm {
  readonly profile?: string;
  readonly challenge: Uint8Array;
  readonly personalizationValue: string;
  /** Of the measurements. Tokens exist whose values are longer than its output; the values are what counts. */
  readonly hashAlgorithm: ArmCcaHash;
  readonly initialMeasurement: string;
  readonly rems: readonly string[];
  /** The key as the token writes it, of which the platform token holds the hash. */
  readonly publicKey: Uint8Array;
  readonly publicKeyHash: ArmCcaHash;
  readonly holder: KeyHolder;
  readonly realmInstanceId?: string;
  readonly memoryEncryption?: 'private' | 'shared';
  readonly liveFirmwareActivation?: boolean;
  readonly devicesHash?: string;
}

const keys = realmClaims;
const mandatory = [
  [keys.challenge, 'challenge'],
  [keys.personalization, 'personalization value'],
  [keys.hash, 'hash algorithm'],
  [keys.initialMeasurement, 'initial measurement'],
  [keys.extensibleMeasurements, 'extensible measurements'],
  [keys.publicKey, 'public key'],
  [keys.publicKeyHash, 'hash algorithm of the public key'],
] as const;

/** Reads the claims of a realm token under a profile that goes with that of its platform. Throws the CCA_ code of the first that is wrong. */
export function readRealm(claims: CborMap, platformProfile: string, checks: Checklist): CcaRealm {
  const facts = profileOf(claims, platformProfile, checks);
  const required = facts.extended ? [...mandatory, [keys.memoryEncryption, 'MEC policy'] as const] : mandatory;
  requireClaims(claims, required, 'CCA_REALM_CLAIM_MISSING', checks);
  const challenge = readBytesClaim(claims.get(keys.challenge), [CHALLENGE_BYTES], 'CCA_CHALLENGE', checks);
  const rpv = readBytesClaim(claims.get(keys.personalization), [64], 'CCA_PERSONALIZATION', checks);
  const hashAlgorithm = readHash(claims.get(keys.hash), 'CCA_REALM_HASH', checks);
  const initial = readBytesClaim(claims.get(keys.initialMeasurement), HASH_BYTES, 'CCA_MEASUREMENT', checks);
  const rems = readRems(claims.get(keys.extensibleMeasurements), checks);
  const publicKey = claims.get(keys.publicKey);
  const holder = publicKey instanceof Uint8Array ? readRealmKey(publicKey, facts.keyForm) : undefined;
  checks.require('CCA_RAK', publicKey instanceof Uint8Array && holder !== undefined, {
    expected: facts.keyForm === 'point' ? 'an uncompressed point' : 'a COSE_Key of type EC2',
    actual: holder === undefined ? describe(publicKey) : 'one',
  });
  const publicKeyHash = readHash(claims.get(keys.publicKeyHash), 'CCA_RAK_HASH', checks);
  return Object.freeze({
    ...(facts.profile === undefined ? {} : { profile: facts.profile }),
    challenge,
    personalizationValue: toHex(rpv),
    hashAlgorithm,
    initialMeasurement: toHex(initial),
    rems,
    publicKey,
    publicKeyHash,
    holder,
    ...readExtended(claims, facts, checks),
  });
}

function profileOf(claims: CborMap, platformProfile: string, checks: Checklist): RealmProfileFacts {
  const named = claims.get(keys.profile);
  const pairs = armCcaProfiles.get(platformProfile)?.realms ?? [];
  const facts = pairs.find(({ profile }) => profile === named);
  checks.require('CCA_REALM_PROFILE', facts !== undefined, {
    expected: pairs.map(({ profile }) => profile ?? 'none').join(' or '),
    actual: named === undefined ? 'none' : describe(named),
  });
  return facts;
}

function readHash(
  value: CborValue | undefined,
  code: 'CCA_REALM_HASH' | 'CCA_RAK_HASH',
  checks: Checklist,
): ArmCcaHash {
  const hash = hashNamed(value);
  checks.require(code, hash !== undefined, { expected: 'sha-256, sha-384 or sha-512', actual: describe(value) });
  return hash;
}

function readRems(value: CborValue | undefined, checks: Checklist): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  const rems = list.filter(isHash);
  checks.require('CCA_MEASUREMENT', list.length === REM_COUNT && rems.length === REM_COUNT, {
    expected: `${REM_COUNT} extensible measurements`,
    actual: `${describe(value)}, ${rems.length} of them measurements`,
  });
  return Object.freeze(rems.map((rem) => toHex(rem)));
}

type Extended = Pick<CcaRealm, 'realmInstanceId' | 'memoryEncryption' | 'liveFirmwareActivation' | 'devicesHash'>;

/** Claims of RMM 2.0 (A7.2.3.1.3, .8, .9 and .12). Drafts of the token write the policies as text, the RMM as numbers. */
function readExtended(claims: CborMap, { extended }: RealmProfileFacts, checks: Checklist): Extended {
  if (!extended) {
    checks.notApplicable('CCA_REALM_POLICY', 'the profile of the realm token has none of these claims');
    return {};
  }
  const mec = new Map<unknown, 'shared' | 'private'>([
    [0, 'shared'],
    ['shared', 'shared'],
    [1, 'private'],
    ['private', 'private'],
  ]).get(claims.get(keys.memoryEncryption));
  const activation = claims.get(keys.liveFirmwareActivation);
  const instanceId = claims.get(keys.instanceId);
  const devices = claims.get(keys.devicesHash);
  const faults = [
    mec === undefined ? 'MEC policy' : undefined,
    activation === undefined || activation === 0 || activation === 1 ? undefined : 'LFA policy',
    instanceId === undefined || isUeid(instanceId) ? undefined : 'instance id',
    devices === undefined || isHash(devices) ? undefined : 'devices hash',
  ].filter((fault) => fault !== undefined);
  checks.require('CCA_REALM_POLICY', mec !== undefined && faults.length === 0, {
    expected: 'MEC and LFA policy, instance id and devices hash in their formats',
    actual: faults.length === 0 ? 'they are' : `another ${faults.join(', ')}`,
  });
  return {
    memoryEncryption: mec,
    ...(activation === undefined ? {} : { liveFirmwareActivation: activation === 1 }),
    ...(isUeid(instanceId) ? { realmInstanceId: toHex(instanceId) } : {}),
    ...(isHash(devices) ? { devicesHash: toHex(devices) } : {}),
  };
}

function isUeid(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === 33 && value[0] === 0x01;
}

function isHash(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && HASH_BYTES.includes(value.length);
}
