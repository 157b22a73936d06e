import { decodePem } from '@fastness/codec';
import type { ErrorCode } from '@fastness/codec/errors';
import type { WaivableCheck } from '../../src/index.ts';
import { readVectorText } from './vectors.ts';

/** One recorded chain, when it is judged, and what must become of it. */
export interface AndroidCase {
  readonly name: string;
  /** The file of its row in the index. */
  readonly row: string;
  readonly at: string;
  /** `accept`, or the one code of the refusal. No status list was recorded, so that check is always waived. */
  readonly verdict: 'accept' | ErrorCode;
  /** What else has to be waived: Google recorded most of its examples on unlocked devices. */
  readonly waive: readonly WaivableCheck[];
  readonly level?: 'trusted-environment' | 'strongbox';
  readonly version?: number;
  readonly algorithm?: 'ec' | 'rsa' | 'ml-dsa';
}

const data = 'android/android__keyattestation/testdata';
const unlocked: readonly WaivableCheck[] = ['ANDROID_UNLOCKED', 'ANDROID_BOOT_STATE'];

export const androidCases: readonly AndroidCase[] = [
  {
    name: 'Pixel 3, TEE, Keymaster 4, before its root ended',
    row: `${data}/blueline/sdk28/TEE_EC_NONE.pem`,
    at: '2020-01-01T00:00:00Z',
    verdict: 'accept',
    waive: unlocked,
    level: 'trusted-environment',
    version: 3,
    algorithm: 'ec',
  },
  {
    name: 'Pixel 3, StrongBox, RSA',
    row: `${data}/blueline/sdk28/SB_RSA_NONE.pem`,
    at: '2020-01-01T00:00:00Z',
    verdict: 'accept',
    waive: unlocked,
    level: 'strongbox',
    version: 3,
    algorithm: 'rsa',
  },
  {
    name: 'Pixel 8a, remotely provisioned, KeyMint 3',
    row: `${data}/akita/sdk34/TEE_EC_NONE.pem`,
    at: '2024-09-20T00:00:00Z',
    verdict: 'accept',
    waive: unlocked,
    level: 'trusted-environment',
    version: 300,
    algorithm: 'ec',
  },
  {
    name: 'Pixel 9a, TEE, KeyMint 4, the root of 2026',
    row: `${data}/tegu/sdk36/TEE_EC_2026_ROOT.pem`,
    at: '2026-03-01T00:00:00Z',
    verdict: 'accept',
    waive: [],
    level: 'trusted-environment',
    version: 400,
    algorithm: 'ec',
  },
  {
    name: 'Pixel 9a, StrongBox, the root of 2026',
    row: `${data}/tegu/sdk36/SB_EC_2026_ROOT.pem`,
    at: '2026-03-01T00:00:00Z',
    verdict: 'accept',
    waive: [],
    level: 'strongbox',
    version: 300,
    algorithm: 'ec',
  },
  {
    name: 'Pixel 9, KeyMint 5, an ML-DSA key',
    row: `${data}/tokay/sdk37/TEE_MLDSA_RKP.pem`,
    at: '2026-05-01T00:00:00Z',
    verdict: 'accept',
    waive: unlocked,
    level: 'trusted-environment',
    version: 500,
    algorithm: 'ml-dsa',
  },
  {
    name: 'Pixel, attested by software',
    row: `${data}/marlin/sdk29/TEE_EC_NONE.pem`,
    at: '2020-01-01T00:00:00Z',
    verdict: 'ANDROID_ROOT_NOT_PINNED',
    waive: unlocked,
  },
  {
    name: 'a BOOLEAN of BER in the root of trust',
    row: `${data}/invalid/malformed_rot_device_locked.pem`,
    at: '2022-01-01T00:00:00Z',
    verdict: 'CODEC_NOT_CANONICAL',
    waive: unlocked,
  },
];

/** Leaf first, root last; DER. */
export function readChain({ row }: AndroidCase): readonly Uint8Array[] {
  return decodePem(readVectorText(row), 'CERTIFICATE');
}
