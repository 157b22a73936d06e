import type { CborValue } from '@fastness/codec/cbor';
import type { ErrorCode } from '@fastness/codec/errors';
import { bytesOf } from './arm-forge.ts';
import { readVectorText } from './vectors.ts';

const psa = 'psa/veraison__services';
const token = `${psa}/scheme/psa-iot/test`;
export const claimsRow = `${psa}/integration-tests/data/claims`;
export const corimRow = `${token}/corim`;

/** A recorded token, the key it is judged with, and the verdict. */
export interface PsaCase {
  readonly name: string;
  /** The file that the row of the index begins with. */
  readonly row: string;
  readonly key: string;
  readonly verdict: 'accept' | ErrorCode;
}

export const psaCases: readonly PsaCase[] = [
  {
    name: 'Veraison, profile 2.0.0',
    row: `${token}/token/psa.good.cose`,
    key: `${token}/token/ec.p256.jwk`,
    verdict: 'accept',
  },
  {
    name: 'Veraison, first profile',
    row: `${token}/psa-token.cbor`,
    key: `${token}/key.pub.pem`,
    verdict: 'accept',
  },
  {
    name: 'Veraison, first profile under the key of another device',
    row: `${token}/psa-token.cbor`,
    key: `${token}/token/ec.p256.jwk`,
    verdict: 'PSA_SIGNATURE',
  },
];

/** Claim sets without a signature, and the verdict once the key of the good device signed them. */
export const psaClaimSets: readonly (readonly [file: string, verdict: 'accept' | ErrorCode])[] = [
  ['psa.good.json', 'accept'],
  ['psa.badinstance.json', 'PSA_KEY_UNKNOWN'],
  ['psa.badswcomp.json', 'PSA_SOFTWARE_NOT_ALLOWED'],
  ['psa.missingclaims.json', 'PSA_CLAIM_MISSING'],
  ['psa.multinonce.json', 'PSA_NONCE_MULTIPLE'],
];
export const signingKey = `${token}/token/ec.p256.jwk`;

type Json = string | number | Json[] | { [name: string]: Json };
const keys: Readonly<Record<string, number>> = {
  'eat-profile': 265,
  'psa-nonce': 10,
  'psa-instance-id': 256,
  'psa-client-id': 2394,
  'psa-security-lifecycle': 2395,
  'psa-implementation-id': 2396,
  'psa-boot-seed': 2397,
  'psa-software-components': 2399,
  'psa-verification-service-indicator': 2400,
  'measurement-type': 1,
  'measurement-value': 2,
  version: 4,
  'signer-id': 5,
};
const binary = new Set([
  'psa-nonce',
  'psa-instance-id',
  'psa-implementation-id',
  'psa-boot-seed',
  'measurement-value',
  'signer-id',
]);

/** A recorded claim set as CBOR has it. */
export function readClaimSet(file: string): Map<number, CborValue> {
  return claimsOf(JSON.parse(readVectorText(`${claimsRow}/${file}`)) as { [name: string]: Json });
}

function claimsOf(json: { [name: string]: Json }): Map<number, CborValue> {
  return new Map(Object.entries(json).map(([name, value]) => [keys[name] ?? -1, cborOf(name, value)]));
}

function cborOf(name: string, value: Json): CborValue {
  if (Array.isArray(value)) return value.map((entry) => cborOf(name, entry));
  if (typeof value === 'object') return claimsOf(value);
  return typeof value === 'string' && binary.has(name) ? bytesOf(value) : value;
}
