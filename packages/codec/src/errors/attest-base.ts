import type { ErrorFacts } from './class.ts';

/** Codes of envelopes, policies, simulated evidence and results, whatever the TEE. */
export const attestBaseErrors = Object.freeze({
  ATTEST_EVIDENCE_UNSUPPORTED: {
    class: 'not-mine',
    message: 'No verifier is registered for this type of evidence.',
    next: 'Check the media type of the evidence; see the list of supported formats.',
  },
  ATTEST_EVIDENCE_MALFORMED: {
    class: 'invalid',
    message: 'The evidence does not have the shape that its media type promises.',
    next: 'Collect the evidence again; if it persists, the collector and the verifier disagree on the format.',
  },
  ATTEST_ENDORSEMENT_UNSUPPORTED: {
    class: 'not-mine',
    message: 'An endorsement is of a type that the verifier of this evidence does not read.',
    next: 'Send only endorsements that belong to the evidence.',
  },
  ATTEST_ENDORSEMENT_MALFORMED: {
    class: 'invalid',
    message: 'An endorsement does not have the shape that its media type promises.',
    next: 'Fetch the endorsements again.',
  },
  ATTEST_POLICY_INVALID: {
    class: 'usage',
    message: 'The attestation policy does not follow its schema.',
    next: 'Correct the field named in the detail; unknown fields are refused on purpose.',
  },
  ATTEST_POLICY_INCOMPLETE: {
    class: 'usage',
    message: 'The attestation policy takes its measurements from a release, and none were filled in.',
    next: 'Fill them in with withMeasurements(policy, measurements) from a verified release.',
  },
  ATTEST_TEE_NOT_ALLOWED: {
    class: 'denied',
    message: 'The policy has no section for the TEE that the evidence comes from.',
    next: 'Run on a TEE that the policy allows, or add a section for this one.',
  },
  ATTEST_ARGUMENT_INVALID: {
    class: 'usage',
    message: 'An argument of the verifier is missing or out of range.',
    next: 'Correct the argument named in the detail.',
  },
  ATTEST_STAGE_SKIPPED: {
    class: 'usage',
    message: 'A value was handed to a stage of verification that the stage before it did not produce.',
    next: 'Call parse, authenticate and appraise in this order and pass their results on unchanged.',
  },
  ATTEST_BINDING_INPUT: {
    class: 'usage',
    message: 'A field of the report-data binding is missing or has the wrong length.',
    next: 'Pass digests and nonces of exactly 32 bytes.',
  },
  ATTEST_NONCE_BATCH_SHAPE: {
    class: 'invalid',
    message: 'A batch of nonces, or the proof of one in it, has no possible shape.',
    next: 'Ask for a new attestation with a new nonce; whoever made this proof counts nonces in another way.',
  },
  ATTEST_NONCE_BATCH_PROOF: {
    class: 'invalid',
    message: 'The nonce is not among those that the evidence answers.',
    next: 'Do not use the answer: the evidence is not fresh. Ask for a new attestation with a new nonce.',
  },
  ATTEST_BINDING_UNCHECKED: {
    class: 'denied',
    message: 'The evidence was verified without a challenge: nobody knows whether it is fresh or whose keys it means.',
    next: 'Verify evidence that answers your own nonce; this result is for records only.',
  },
  ATTEST_BINDING_UNKNOWN: {
    class: 'usage',
    message: 'The challenge cannot be left out: the evidence is bound to nothing, or its binding cannot be read.',
    next: 'Give the nonce or the report data that the evidence was made for.',
  },
  ATTEST_COLLECTION_UNSUPPORTED: {
    class: 'not-mine',
    message: 'The collection is not of the type whose labels this verifier knows.',
    next: 'Set __cmwc_t to tag:fastness.dev,2026:evidence#1 and name the parts cpu0, gpu0, nvswitch0, tpm0.',
  },
  ATTEST_LABEL_MISMATCH: {
    class: 'invalid',
    message: 'A part of the collection stands under a label that is not for its kind of evidence.',
    next: 'Label the parts by kind and number: cpu0, gpu0, gpu1, nvswitch0, tpm0.',
  },
  ATTEST_CPU_NOT_ONE: {
    class: 'invalid',
    message: 'The evidence does not have exactly one processor as its root of trust.',
    next: 'Send the evidence of one processor together with that of its devices.',
  },
  ATTEST_DEVICE_NOT_ALLOWED: {
    class: 'denied',
    message: 'The evidence brings a device of a kind that the policy does not list.',
    next: 'Add the kind to policy.devices with a section that says what it must look like, or leave the device out.',
  },
  ATTEST_DEVICE_MISSING: {
    class: 'denied',
    message: 'The evidence has fewer devices of a kind than the policy requires.',
    next: 'Send a collection with the evidence of every device; if one is gone, find out why.',
  },
  ATTEST_DEVICE_TOO_MANY: {
    class: 'denied',
    message: 'The evidence has more devices of a kind than the policy accepts.',
    next: 'Raise the maximum in policy.devices if the machine is meant to have them.',
  },
  ATTEST_DEVICE_EVIDENCE_REPEATED: {
    class: 'invalid',
    message: 'The same evidence stands for two devices.',
    next: 'Collect evidence from every device by itself; do not trust this machine until you know why.',
  },
  ATTEST_DEVICE_IDENTITY_REPEATED: {
    class: 'invalid',
    message: 'Two pieces of evidence come from the same device.',
    next: 'Collect evidence from every device by itself; do not trust this machine until you know why.',
  },
  CMW_MALFORMED: {
    class: 'invalid',
    message:
      'The conceptual message wrapper is neither a record nor a collection of records as this reader knows them.',
    next: 'Send a CMW (RFC 9999): a record of media type, value and indicator, or an object of such records by label.',
  },
  CMW_TOO_LARGE: {
    class: 'invalid',
    message: 'The value of the conceptual message wrapper is larger than this reader accepts.',
    next: 'Check where it came from; genuine evidence stays far below the limit.',
  },
  SIMULATED_EVIDENCE_REFUSED: {
    class: 'denied',
    message: 'The evidence comes from the simulated TEE, and the policy does not name a simulated root.',
    next: 'Run on real hardware; for development only, name the simulated root in policy.simulated.',
  },
  SIMULATED_ROOT_IS_VENDOR_ROOT: {
    class: 'denied',
    message: 'The policy names a pinned vendor root as the root of simulated evidence.',
    next: 'Name the key of the local simulated root in policy.simulated, never a vendor key.',
  },
  EAR_MALFORMED: {
    class: 'invalid',
    message: 'The attestation result does not follow the EAR claims set.',
    next: 'Ask the verifier that issued it which draft of EAR it writes.',
  },
  EAR_PROFILE_UNKNOWN: {
    class: 'not-mine',
    message: 'The attestation result names an EAT profile that this reader does not know.',
    next: 'See readEar for the profiles it reads.',
  },
  EAR_STATUS_OVERSTATED: {
    class: 'invalid',
    message: 'The attestation result claims a better status than its own trustworthiness vector supports.',
    next: 'Do not rely on this result; report it to the verifier that issued it.',
  },
} as const satisfies Record<string, ErrorFacts>);
