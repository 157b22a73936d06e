import type { ErrorFacts } from './class.ts';

/** Codes of the life of wrapping keys, of what revocations reach, and of policies and owners that change while a broker runs. */
export const lifecycleErrors = Object.freeze({
  LIFECYCLE_VERSION_BELOW_MINIMUM: {
    class: 'denied',
    message: 'The key is wrapped under a version of its wrapping key that may no longer be used.',
    next: 'Rewrap the model with `fastness rotate`; a version below the minimum does not come back.',
  },
  LIFECYCLE_MINIMUM_LOWERED: {
    class: 'conflict',
    message: 'The minimum version of a wrapping key only rises.',
    next: 'Leave the minimum, or give a higher one.',
  },
  LIFECYCLE_VERSION_UNKNOWN: {
    class: 'conflict',
    message: 'The wrapping key has no such version.',
    next: 'Rotate the key first; `fastness keys list` shows its versions.',
  },
  LIFECYCLE_STILL_WRAPPED: {
    class: 'conflict',
    message: 'A release in use is still wrapped under a version below this minimum.',
    next: 'Rewrap the releases that the detail names (`fastness rotate`), then raise the minimum.',
  },
  LIFECYCLE_KEY_UNKNOWN: {
    class: 'conflict',
    message: 'The key store of the broker has no wrapping key of this name.',
    next: 'Check the name with `fastness keys list`.',
  },
  LIFECYCLE_KEY_DISABLED: {
    class: 'denied',
    message: 'The wrapping key of this model is disabled.',
    next: 'Have an administrator enable the key again, or rewrap the model under another one.',
  },
  LIFECYCLE_KEY_DESTROYED: {
    class: 'denied',
    message: 'The wrapping key is destroyed, or its destruction has begun.',
    next: 'What it wrapped is lost; seal the model again under another key.',
  },
  LIFECYCLE_KEY_REVOKED: {
    class: 'denied',
    message: 'A key that this release depends on was revoked.',
    next: 'Sign, approve or rewrap the model with a key that stands; the detail names the revoked one.',
  },
  LIFECYCLE_TCB_REVOKED: {
    class: 'denied',
    message: 'The platform runs firmware below the lowest level that is still trusted.',
    next: 'Update the firmware or microcode of the machine, then attest again.',
  },
  LIFECYCLE_TCB_UNKNOWN: {
    class: 'denied',
    message: 'A lowest TCB level is set for this kind of platform, and the evidence states none.',
    next: 'Run the enclave on a platform whose evidence states its TCB.',
  },
  LIFECYCLE_DESTRUCTION_DELAY: {
    class: 'usage',
    message: 'The delay before the destruction of a key is out of bounds.',
    next: 'Give a delay within the bounds that the broker configuration sets.',
  },
  LIFECYCLE_DESTRUCTION_STATE: {
    class: 'conflict',
    message: 'The key is not in a state that allows this.',
    next: 'Look at the state of the key; a destruction that has begun cannot be cancelled.',
  },
  LIFECYCLE_STORE_UNABLE: {
    class: 'conflict',
    message: 'The key store of the broker cannot do this with its keys.',
    next: 'Do it with the tools of the key store, or use a store that rotates and destroys keys.',
  },
  LIFECYCLE_ROOT_DIFFERS: {
    class: 'invalid',
    message: 'The rewrapped key is not the key that was registered with this release.',
    next: 'Rewrap the keys.json of the very model that was registered; another key is another release.',
  },
  LIFECYCLE_ROTATION_JOURNAL: {
    class: 'invalid',
    message: 'The journal of an unfinished rotation is damaged or belongs to another model.',
    next: 'Compare the version in keys.json with the key store; remove the journal to begin a new rotation.',
  },
  LIFECYCLE_POLICY_ROLLBACK: {
    class: 'conflict',
    message: 'The audit log knows of a later policy than the database.',
    next: 'Restore the newest database; an older policy must not come back by restoring an old one.',
  },
  RELEASE_SIGNER_NOT_ALLOWED: {
    class: 'denied',
    message: 'The release is signed by an owner who may not sign releases of this model.',
    next: 'Have it signed with a key that the policy names for this model.',
  },
  RELEASE_APPROVALS_BELOW_POLICY: {
    class: 'denied',
    message: 'The model needs more approvals than this release has, or those of others.',
    next: 'Collect the approvals that the policy asks for this model.',
  },
  RELEASE_LOG_REQUIRED: {
    class: 'denied',
    message: 'The policy asks of this model that its use is logged, and the release names no log.',
    next: 'Have the owner sign the release with `logKey`, the key that the broker prints.',
  },
  RELEASE_VALIDITY_TOO_LONG: {
    class: 'denied',
    message: 'The release is valid for longer than the policy allows for its model.',
    next: 'Sign the release with an earlier end.',
  },
  OWNER_ROOT_MALFORMED: {
    class: 'invalid',
    message: 'The set of owner keys is malformed.',
    next: 'Make it with `fastness` again; the detail names the place.',
  },
  OWNER_ROOT_SIGNATURE: {
    class: 'invalid',
    message: 'A signature on the set of owner keys is wrong or by an unknown key.',
    next: 'Sign the exact set with keys of the old and of the new set; the detail says whose is wrong.',
  },
  OWNER_ROOT_ROLLBACK: {
    class: 'denied',
    message: 'The sets of owner keys end before one that was followed already.',
    next: 'Somebody keeps newer sets away: get them from the owner. Forget what was remembered only when the owner says that it was wrong.',
  },
  OWNER_ROOT_THRESHOLD: {
    class: 'denied',
    message: 'Too few owners of the old set or of the new set signed the change.',
    next: 'Collect signatures of both sets; the detail says which is short.',
  },
  OWNER_ROOT_VERSION: {
    class: 'denied',
    message: 'The set of owner keys does not follow the one in use.',
    next: 'Give every set in between, in order; versions rise by one and never fall.',
  },
  OWNER_ROOT_EXPIRED: {
    class: 'denied',
    message: 'The set of owner keys has expired.',
    next: 'Have the owners sign a new set; releases are refused until then.',
  },
} as const satisfies Record<string, ErrorFacts>);
