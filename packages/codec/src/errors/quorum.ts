import type { ErrorFacts } from './class.ts';

/** Codes of proposals and of the people who approve them. */
export const quorumErrors = Object.freeze({
  QUORUM_INVALID: {
    class: 'usage',
    message: 'The membership of the quorum is not a valid one.',
    next: 'Give 3 to 16 members, a threshold from 2 to their number, and every key once; the detail names the fault.',
  },
  QUORUM_NOT_CONFIGURED: {
    class: 'conflict',
    message: 'This broker has no quorum.',
    next: 'Name the first members in the broker configuration, or use the administrator routes.',
  },
  QUORUM_REQUIRED: {
    class: 'denied',
    message: 'This needs the quorum: the administrator token alone is not enough.',
    next: 'Create a proposal (`fastness proposal create`), have it approved and execute it.',
  },
  QUORUM_KEY_UNKNOWN: {
    class: 'denied',
    message: 'The key is not one of the quorum that this proposal was made for.',
    next: 'Approve with a registered key; `fastness proposal show` lists them.',
  },
  QUORUM_SIGNATURE: {
    class: 'invalid',
    message: 'The signature does not fit the challenge of this key.',
    next: 'Sign the challenge that belongs to this proposal and to this key.',
  },
  QUORUM_ALREADY_APPROVED: {
    class: 'conflict',
    message: 'This member has approved the proposal already.',
    next: 'Have another member approve; a second key does not make a second vote.',
  },
  QUORUM_APPROVALS_MISSING: {
    class: 'denied',
    message: 'The proposal has too few valid approvals.',
    next: 'Collect the missing approvals.',
  },
  QUORUM_MEMBERSHIP_CHANGED: {
    class: 'conflict',
    message: 'The quorum changed after the proposal was made.',
    next: 'Make the proposal again, for the members there are now.',
  },
  QUORUM_POLICY_CHANGED: {
    class: 'conflict',
    message: 'The policy changed after the proposal for another one was made.',
    next: 'Make the proposal again, against the policy there is now, and have it approved again.',
  },
  QUORUM_CHAIN_BROKEN: {
    class: 'invalid',
    message: 'What the database says of quorum or policy does not follow from what was approved.',
    next: 'Treat the database as tampered with: compare it with the audit log and restore it.',
  },
  QUORUM_STATE_BEHIND: {
    class: 'conflict',
    message: 'The audit log knows of a later membership than the database.',
    next: 'Restore the newest database; an older quorum must not come back by restoring an old one.',
  },
  QUORUM_WEBAUTHN_MALFORMED: {
    class: 'invalid',
    message: 'The WebAuthn assertion is malformed.',
    next: 'Send clientDataJSON, authenticatorData and signature as the browser gives them, in base64url.',
  },
  QUORUM_WEBAUTHN_CHALLENGE: {
    class: 'invalid',
    message: 'The WebAuthn assertion answers another challenge.',
    next: 'Ask for an assertion over the challenge of this proposal and key.',
  },
  QUORUM_WEBAUTHN_ORIGIN: {
    class: 'denied',
    message: 'The WebAuthn assertion was made for another site, or inside one.',
    next: 'Approve on a page of an origin that the member is registered with.',
  },
  QUORUM_WEBAUTHN_RP_ID: {
    class: 'denied',
    message: 'The WebAuthn assertion is for another relying party.',
    next: 'Use the credential that was registered for this relying party.',
  },
  QUORUM_WEBAUTHN_USER: {
    class: 'denied',
    message: 'The authenticator did not check that its owner was there.',
    next: 'Approve with user presence and user verification (PIN or biometrics).',
  },
  QUORUM_WEBAUTHN_COUNTER: {
    class: 'denied',
    message: 'The signature counter of the authenticator did not rise.',
    next: 'Find out whether the authenticator was cloned; replace its key if so.',
  },
  PROPOSAL_INVALID: {
    class: 'usage',
    message: 'The proposal is not one that could be executed.',
    next: 'Compare it with the documentation of proposals; the detail names the fault.',
  },
  PROPOSAL_UNKNOWN: {
    class: 'conflict',
    message: 'There is no such proposal.',
    next: 'List the proposals with `fastness proposal list`.',
  },
  PROPOSAL_STATE: {
    class: 'conflict',
    message: 'The state of the proposal does not allow this.',
    next: 'Look at it with `fastness proposal show`; a proposal that is over stays over.',
  },
  PROPOSAL_EXPIRED: {
    class: 'conflict',
    message: 'The proposal has expired.',
    next: 'Make it again; approvals do not carry over.',
  },
  PROPOSAL_MISMATCH: {
    class: 'invalid',
    message: 'What the proposal says is not what it would do.',
    next: 'Do not approve it. Find out who made it and what changed it.',
  },
} as const satisfies Record<string, ErrorFacts>);
