import { toHex } from '@fastness/codec';
import type { ArmCcaClaims } from '../../claims/arm.ts';
import type { AuthenticToken } from './stages.ts';

/** The facts of an appraised token. */
export function claimsOf({ platform, realm, endorser, at }: AuthenticToken, debug: boolean): ArmCcaClaims {
  const { instanceId, profile: platformProfile, challenge: _, configuration, ...platformFacts } = platform;
  const {
    profile,
    challenge,
    initialMeasurement,
    publicKey: _key,
    publicKeyHash: _hash,
    holder: _holder,
    ...facts
  } = realm;
  return Object.freeze({
    tee: 'arm-cca',
    simulated: false,
    vendor: 'Arm',
    identity: Object.freeze({ kind: 'instance-id', value: instanceId } as const),
    endorser,
    measurement: initialMeasurement,
    debug,
    reportData: toHex(challenge),
    platformProfile,
    ...(profile === undefined ? {} : { realmProfile: profile }),
    ...platformFacts,
    configuration: toHex(configuration),
    ...facts,
    verifiedAt: new Date(at).toISOString(),
  });
}
