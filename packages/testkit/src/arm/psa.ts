import { CMW_EVIDENCE, PSA_TOKEN_TYPE, type ArmPsaProfile, type Cmw } from '@fastness/attest';
import type { CborValue } from '@fastness/codec/cbor';
import { forgeArmMessage, type ForgeArmMessageOptions } from './message.ts';

/** The device that tokens are forged for. */
export const forgedArmDevice = Object.freeze({
  instanceId: Uint8Array.of(0x01, ...new Uint8Array(32).fill(0xa1)),
  implementationId: new Uint8Array(32).fill(0xb2),
});

/** A software component as a token lists it. */
export type ForgedArmComponent = Map<number, CborValue>;

/** Three components with measurements, signers, roles and versions that differ. */
export function forgedArmComponents(): ForgedArmComponent[] {
  return ['BL', 'PRoT', 'ARoT'].map(
    (type, index) =>
      new Map<number, CborValue>([
        [1, type],
        [2, new Uint8Array(32).fill(0x10 + index)],
        [4, `1.${index}.0`],
        [5, new Uint8Array(32).fill(0x50 + index)],
        [6, 'sha-256'],
      ]),
  );
}

export interface ForgePsaTokenOptions extends ForgeArmMessageOptions {
  /** Default: that of RFC 9783. */
  readonly profile?: ArmPsaProfile;
  readonly nonce: Uint8Array;
  /** Default: the forged device. */
  readonly device?: { readonly instanceId: Uint8Array; readonly implementationId: Uint8Array };
  /** Edits the claims before they are written; keys are those of the profile. */
  readonly claims?: (claims: Map<number, CborValue>) => void;
}

/** Keys of the claims of the first profile, by those of the current one. */
const legacyKeys: ReadonlyMap<number, number> = new Map([
  [265, -75000],
  [10, -75008],
  [256, -75009],
  [2396, -75003],
  [2394, -75001],
  [2395, -75002],
  [2399, -75006],
  [268, -75004],
  [2398, -75005],
  [2400, -75010],
]);

/** Writes and signs a PSA token of a secured device. @returns COSE_Sign1 */
export async function forgePsaToken(options: ForgePsaTokenOptions): Promise<Uint8Array> {
  const { profile = 'tag:psacertified.org,2023:psa#tfm', nonce, device = forgedArmDevice } = options;
  const current = new Map<number, CborValue>([
    [265, profile],
    [10, nonce],
    [256, device.instanceId],
    [2396, device.implementationId],
    [2394, -7],
    [2395, 0x3000],
    [2399, forgedArmComponents()],
    [268, new Uint8Array(32).fill(0xd4)],
    [2398, '1234567890123-12345'],
    [2400, 'https://verifier.example'],
  ]);
  const claims = new Map(
    [...current].map(([key, value]) => {
      if (profile === 'PSA_IOT_PROFILE_1') return [legacyKeys.get(key) ?? key, value];
      return [profile === 'http://arm.com/psa/2.0.0' && key === 268 ? 2397 : key, value];
    }),
  );
  options.claims?.(claims);
  return forgeArmMessage(claims, options);
}

/** Wraps a token for the verifier. */
export function psaEvidence(token: Uint8Array): Cmw {
  return { type: PSA_TOKEN_TYPE, value: token, ind: CMW_EVIDENCE };
}
