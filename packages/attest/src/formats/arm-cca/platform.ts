import { toHex } from '@fastness/codec';
import type { CborMap, CborValue } from '@fastness/codec/cbor';
import type { Checklist } from '../../checks.ts';
import type { ArmLifecycle, ArmSoftwareComponent } from '../../claims/arm.ts';
import {
  describe,
  HASH_BYTES,
  readBytesClaim,
  readInstanceId,
  readOptionalText,
  requireClaims,
} from '../arm/claims.ts';
import { readComponents } from '../arm/components.ts';
import { readLifecycle } from '../arm/lifecycle.ts';
import { hashNamed } from './hashes.ts';
import { armCcaProfiles, platformClaims, REALM_MANAGEMENT_CLIENT } from './layout.ts';

/** The claims of a platform token. Hex is lower-case. */
export interface CcaPlatform {
  readonly profile: string;
  /** Hash of the realm key. */
  readonly challenge: Uint8Array;
  readonly instanceId: string;
  readonly implementationId: string;
  readonly lifecycle: ArmLifecycle;
  readonly configuration: Uint8Array;
  readonly softwareComponents: readonly ArmSoftwareComponent[];
  readonly verificationService?: string;
  /** Whether components were added at run time, such as memory devices. Absent: the profile does not say. */
  readonly platformExtended?: boolean;
}

const MAX_CONFIGURATION = 256;
const keys = platformClaims;
const mandatory = [
  [keys.challenge, 'challenge'],
  [keys.instanceId, 'instance id'],
  [keys.implementationId, 'implementation id'],
  [keys.lifecycle, 'lifecycle'],
  [keys.configuration, 'configuration'],
  [keys.components, 'software components'],
  [keys.hash, 'hash algorithm'],
] as const;

/** Reads the claims of a platform token; those that are not defined are left alone. Throws the CCA_ code of the first that is wrong. */
export function readPlatform(claims: CborMap, checks: Checklist): CcaPlatform {
  const profile = claims.get(keys.profile);
  const facts = typeof profile === 'string' ? armCcaProfiles.get(profile) : undefined;
  checks.require('CCA_PLATFORM_PROFILE', typeof profile === 'string' && facts !== undefined, {
    expected: [...armCcaProfiles.keys()].join(' or '),
    actual: describe(profile),
  });
  const required = facts.extended ? [...mandatory, [keys.clientId, 'client id'] as const] : mandatory;
  requireClaims(claims, required, 'CCA_PLATFORM_CLAIM_MISSING', checks);
  const challenge = readBytesClaim(claims.get(keys.challenge), HASH_BYTES, 'CCA_PLATFORM_CHALLENGE', checks);
  const instanceId = readInstanceId(claims.get(keys.instanceId), 'CCA_INSTANCE_ID', checks);
  const implementationId = readBytesClaim(claims.get(keys.implementationId), [32], 'CCA_IMPLEMENTATION_ID', checks);
  const lifecycle = readLifecycle(claims.get(keys.lifecycle), 'CCA_LIFECYCLE_VALUE', checks);
  const configuration = readConfiguration(claims.get(keys.configuration), checks);
  const softwareComponents = readComponents(
    claims.get(keys.components),
    { signer: 'required' },
    'CCA_SOFTWARE_COMPONENTS',
    checks,
  );
  const hash = claims.get(keys.hash);
  const known = hashNamed(hash);
  checks.require('CCA_PLATFORM_HASH', known !== undefined, { expected: 'a SHA-2 name', actual: describe(hash) });
  const verificationService = readOptionalText(
    claims.get(keys.verificationService),
    'CCA_VERIFICATION_SERVICE',
    checks,
  );
  if (facts.extended) {
    const clientId = claims.get(keys.clientId);
    checks.require('CCA_CLIENT_ID', clientId === REALM_MANAGEMENT_CLIENT, {
      expected: `${REALM_MANAGEMENT_CLIENT}`,
      actual: describe(clientId),
    });
  } else checks.notApplicable('CCA_CLIENT_ID', 'the profile has no client id');
  return Object.freeze({
    profile,
    challenge,
    instanceId: toHex(instanceId),
    implementationId: toHex(implementationId),
    lifecycle,
    configuration,
    softwareComponents,
    ...(verificationService === undefined ? {} : { verificationService }),
    ...(facts.extended ? { platformExtended: claims.has(keys.extension) } : {}),
  });
}

function readConfiguration(value: CborValue | undefined, checks: Checklist): Uint8Array {
  const sound = value instanceof Uint8Array && value.length > 0 && value.length <= MAX_CONFIGURATION;
  checks.require('CCA_CONFIGURATION', sound, { expected: `1 to ${MAX_CONFIGURATION} bytes`, actual: describe(value) });
  return value;
}
