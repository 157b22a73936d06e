import { toHex } from '@fastness/codec';
import type { CborMap, CborValue } from '@fastness/codec/cbor';
import type { Checklist } from '../../checks.ts';
import type { ArmLifecycle, ArmSoftwareComponent } from '../../claims/arm.ts';
import type { ArmPsaProfile } from '../../policy/arm-psa.ts';
import { describe, readBytesClaim, readInstanceId, readOptionalText, requireClaims } from '../arm/claims.ts';
import { readComponents } from '../arm/components.ts';
import { readLifecycle } from '../arm/lifecycle.ts';
import { PSA_NONCE_BYTES, psaProfiles, type PsaProfileFacts } from './layout.ts';

/** The claims of a PSA token. Hex is lower-case. */
export interface PsaToken {
  readonly profile: ArmPsaProfile;
  readonly nonce: Uint8Array;
  readonly instanceId: string;
  readonly implementationId: string;
  readonly clientId: number;
  readonly lifecycle: ArmLifecycle;
  readonly softwareComponents: readonly ArmSoftwareComponent[];
  readonly bootSeed?: string;
  readonly certificationReference?: string;
  readonly verificationService?: string;
}

/**
 * Reads the claims under the profile that they name. Claims that the profile does not define are left alone, as receivers
 * have to (RFC 9783, section 5.1.3). Throws the PSA_ code of the first claim that is wrong.
 */
export function readToken(claims: CborMap, checks: Checklist): PsaToken {
  const facts = profileOf(claims, checks);
  const { keys } = facts;
  requireClaims(claims, mandatory(facts), 'PSA_CLAIM_MISSING', checks);
  const nonce = readNonce(claims.get(keys.nonce), checks);
  const instanceId = readInstanceId(claims.get(keys.instanceId), 'PSA_INSTANCE_ID', checks);
  const implementationId = readBytesClaim(claims.get(keys.implementationId), [32], 'PSA_IMPLEMENTATION_ID', checks);
  const lifecycle = readLifecycle(claims.get(keys.lifecycle), 'PSA_LIFECYCLE_VALUE', checks);
  const clientId = readClientId(claims.get(keys.clientId), checks);
  const bootSeed = readBootSeed(claims.get(keys.bootSeed), facts, checks);
  const certificationReference = readCertification(claims.get(keys.certification), facts, checks);
  const measured = keys.noMeasurements === undefined || !claims.has(keys.noMeasurements);
  const softwareComponents = readComponents(
    measured ? claims.get(keys.components) : undefined,
    { signer: 'optional' },
    'PSA_SOFTWARE_COMPONENTS',
    checks,
  );
  const verificationService = readOptionalText(
    claims.get(keys.verificationService),
    'PSA_VERIFICATION_SERVICE',
    checks,
  );
  return Object.freeze({
    profile: facts.profile,
    nonce,
    instanceId: toHex(instanceId),
    implementationId: toHex(implementationId),
    clientId,
    lifecycle,
    softwareComponents,
    ...(bootSeed === undefined ? {} : { bootSeed }),
    ...(certificationReference === undefined ? {} : { certificationReference }),
    ...(verificationService === undefined ? {} : { verificationService }),
  });
}

/** The one profile that a token names, under the key that the profile gives it. */
function profileOf(claims: CborMap, checks: Checklist): PsaProfileFacts {
  const named = [...new Set(psaProfiles.map(({ keys }) => keys.profile))].filter((key) => claims.has(key));
  const facts = psaProfiles.find(({ profile, keys }) => claims.get(keys.profile) === profile);
  checks.require('PSA_PROFILE', facts !== undefined && named.length === 1, {
    expected: psaProfiles.map(({ profile }) => profile).join(' or '),
    actual: named.map((key) => describe(claims.get(key))).join(' and ') || 'none',
  });
  return facts;
}

function mandatory({ keys, bootSeed }: PsaProfileFacts): readonly (readonly [number, string])[] {
  return [
    [keys.nonce, 'nonce'],
    [keys.instanceId, 'instance id'],
    [keys.implementationId, 'implementation id'],
    [keys.clientId, 'client id'],
    [keys.lifecycle, 'security lifecycle'],
    ...(bootSeed.required ? [[keys.bootSeed, 'boot seed'] as const] : []),
    [keys.components, 'software components'],
  ];
}

/** EAT allows a list of nonces, PSA does not (RFC 9783, section 4.1.1). */
function readNonce(value: CborValue | undefined, checks: Checklist): Uint8Array {
  const several = Array.isArray(value);
  checks.require('PSA_NONCE_MULTIPLE', !several, { expected: 'one nonce', actual: several ? describe(value) : 'one' });
  return readBytesClaim(value, PSA_NONCE_BYTES, 'PSA_NONCE', checks);
}

function readClientId(value: CborValue | undefined, checks: Checklist): number {
  const sound = typeof value === 'number' && value !== 0 && value >= -(2 ** 31) && value < 2 ** 31;
  checks.require('PSA_CLIENT_ID', sound, { expected: 'a 32-bit integer other than 0', actual: describe(value) });
  return value;
}

function readBootSeed(
  value: CborValue | undefined,
  { bootSeed: { least, most } }: PsaProfileFacts,
  checks: Checklist,
): string | undefined {
  if (value === undefined) {
    checks.notApplicable('PSA_BOOT_SEED', 'the token has none');
    return undefined;
  }
  checks.require('PSA_BOOT_SEED', value instanceof Uint8Array && value.length >= least && value.length <= most, {
    expected: `${least} to ${most} bytes`,
    actual: describe(value),
  });
  return toHex(value);
}

function readCertification(
  value: CborValue | undefined,
  { certification }: PsaProfileFacts,
  checks: Checklist,
): string | undefined {
  if (value === undefined) {
    checks.notApplicable('PSA_CERTIFICATION_REFERENCE', 'the token has none');
    return undefined;
  }
  checks.require('PSA_CERTIFICATION_REFERENCE', typeof value === 'string' && certification.test(value), {
    expected: 'an EAN-13, "-" and five digits',
    actual: describe(value),
  });
  return value;
}
