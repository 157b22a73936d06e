import type { ErrorFacts } from './class.ts';

const recollect =
  'Ask the attestation service of the device for a new token; if it persists, the token is forged or was damaged on the way.';
const distrust = 'Do not trust this device: the token is forged, or its endorsement belongs to another device.';
const endorse =
  'List the key of this device in policy.armPsa.keys, or send a CoRIM by a signer of policy.armPsa.corimSigners.';

const invalid = (message: string, next: string) => ({ class: 'invalid', message, next }) as const;
const denied = (message: string, next: string) => ({ class: 'denied', message, next }) as const;

/** Codes of PSA attestation tokens, in the order in which the checks run. */
export const armPsaErrors = Object.freeze({
  // parse: the COSE message
  PSA_TOKEN_SIZE: invalid('The token is empty or larger than this reader accepts.', recollect),
  PSA_MAC0: {
    class: 'not-mine',
    message: 'The token is authenticated with a shared key (COSE_Mac0).',
    next: 'Configure the device for signatures: whoever verifies a COSE_Mac0 could have made it, so it proves nothing to others.',
  },
  PSA_TAG: invalid('The token is not tagged as COSE_Sign1 (18).', recollect),
  PSA_ALGORITHM: invalid('The token is not signed with ES256, ES384 or ES512.', recollect),
  PSA_HEADER: {
    class: 'not-mine',
    message: 'A header of the token holds a parameter that is not read, for instance a certificate chain.',
    next: 'Use a raw attestation key, looked up by instance id; certified keys (x5chain) are not read.',
  },
  PSA_PAYLOAD: invalid('The token has no claims: its payload is missing or no CBOR map.', recollect),

  // parse: the claims
  PSA_PROFILE: {
    class: 'not-mine',
    message: 'The token follows no PSA profile that this reader knows.',
    next: 'See armPsaProfiles for those that are read.',
  },
  PSA_CLAIM_MISSING: invalid('A mandatory claim of the token is missing.', recollect),
  PSA_NONCE_MULTIPLE: invalid('The token carries several nonces; it must carry one.', recollect),
  PSA_NONCE: invalid('The nonce of the token is not 32, 48 or 64 bytes long.', recollect),
  PSA_INSTANCE_ID: invalid('The instance id is not a UEID of kind RAND: 0x01 and 32 bytes.', recollect),
  PSA_IMPLEMENTATION_ID: invalid('The implementation id is not 32 bytes long.', recollect),
  PSA_LIFECYCLE_VALUE: invalid('The security lifecycle is not one of the defined states.', recollect),
  PSA_CLIENT_ID: invalid('The client id is not a 32-bit integer other than zero.', recollect),
  PSA_BOOT_SEED: invalid('The boot seed does not have the length of its profile.', recollect),
  PSA_CERTIFICATION_REFERENCE: invalid('The certification reference does not have the form of its profile.', recollect),
  PSA_SOFTWARE_COMPONENTS: invalid(
    'The software components are empty, malformed, or contradicted by the token.',
    recollect,
  ),
  PSA_VERIFICATION_SERVICE: invalid('The verification service indicator is empty, too long or not text.', recollect),

  // authenticate
  PSA_KEY_UNKNOWN: denied('Nobody endorses an attestation key for this instance id.', endorse),
  PSA_IMPLEMENTATION_MISMATCH: invalid(
    'The key of this instance id is endorsed for another implementation id.',
    distrust,
  ),
  PSA_KEY_AMBIGUOUS: invalid('Two different keys are endorsed for this instance id.', endorse),
  PSA_KEY_TYPE: invalid('The endorsed key is not of the curve that the algorithm of the token asks for.', distrust),
  PSA_SIGNATURE: invalid('The token is not signed by the endorsed key of this instance id.', distrust),

  // appraise
  PSA_NONCE_MISMATCH: denied('The token does not carry the expected nonce.', 'Ask for a token made for this session.'),
  PSA_PROFILE_NOT_ALLOWED: denied(
    'The token follows a profile that the policy does not list.',
    'Update the attestation service of the device, or list the profile in policy.armPsa.profiles.',
  ),
  PSA_LIFECYCLE: denied(
    'The device is not in a state in which its reports can be trusted.',
    'Provision the device until it is in lifecycle state "secured".',
  ),
  PSA_DEBUG: denied(
    'Debugging is enabled outside the PSA root of trust.',
    'Disable debugging; for development only, waive PSA_DEBUG by name.',
  ),
  PSA_CLIENT_NOT_ALLOWED: denied(
    'The token was requested by a client that the policy does not list.',
    'Compare the client id with policy.armPsa.clientIds: negative ids call from the non-secure side.',
  ),
  PSA_IMPLEMENTATION_NOT_ALLOWED: denied(
    'The implementation id is not on the list of the policy.',
    'Add it to policy.armPsa.implementationIds, or use another device.',
  ),
  PSA_INSTANCE_NOT_ALLOWED: denied(
    'The device is not on the list of allowed instances.',
    'Add it to policy.armPsa.instances.allow, or use a listed one.',
  ),
  PSA_INSTANCE_DENIED: denied('The device is on the list of denied instances.', 'Use another device.'),
  PSA_CERTIFICATION_NOT_ALLOWED: denied(
    'The certification reference is missing or not on the list of the policy.',
    'Compare it with policy.armPsa.certificationReferences.',
  ),
  PSA_SIGNER_NOT_ALLOWED: denied(
    'A software component has no signer, or one that the policy does not list.',
    'Compare its signer id with policy.armPsa.signerIds.',
  ),
  PSA_REFERENCE_MISSING: denied(
    'Neither the policy nor a CoRIM has reference values for this implementation id.',
    'Fill in policy.armPsa.references or policy.armPsa.measurements, or send a CoRIM with reference values.',
  ),
  PSA_SOFTWARE_NOT_ALLOWED: denied(
    'The software components are not those of any reference state.',
    'Update the firmware, or add its reference values.',
  ),
  PSA_MEASUREMENT_NOT_ALLOWED: denied(
    'The digest over all software components is not one that the policy accepts.',
    'Run firmware of a current release, or add its digest to policy.armPsa.measurements.',
  ),
} as const satisfies Record<string, ErrorFacts>);
