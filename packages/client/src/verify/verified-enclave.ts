import type { AttestationVerdict, CheckRecord, Claims, Cmw, CmwCollection, EarClaims } from '@fastness/attest';
import type { OhttpProtocol } from '@fastness/channel';
import type { AttestationBundle } from '@fastness/channel/wire';
import type { OwnerRoot, VerifiedRelease } from '@fastness/model/release';
import type { HeldLease } from './check-lease.ts';
import type { LoggedRelease } from './check-logged.ts';

/**
 * Which enclaves the verdict tells apart. A genuine enclave is not *your* enclave: whoever has the image can run it.
 * `pinned`: the policy names chips, host data or the keys that signed the image's identity. `any-of-release`: any machine
 * of an accepted kind that runs a measured image of the release; only the release of the owner tells it from others.
 */
export type DeploymentScope = 'pinned' | 'any-of-release';

/** An enclave that met the policy: facts, and the keys to use with it. */
export interface VerifiedEnclave {
  /**
   * `this-deployment`: the broker that the owner named in the release granted a lease to these very keys, so that this is an
   * enclave the owner gave the model to. `any-deployment`: a genuine enclave of the release, whoever runs it.
   */
  readonly deployment: 'this-deployment' | 'any-deployment';
  /** How requests go to it: the policy's adapter, or the channel's own protocol. */
  readonly protocol: OhttpProtocol;
  /** What the policy gives up in the channel by naming an adapter or X25519, in sentences. Empty: nothing. */
  readonly weaknesses: readonly string[];
  /** Of an enclave of this deployment. */
  readonly lease?: HeldLease;
  /** True: the evidence came from the simulated TEE. No hardware protects anything. */
  readonly simulated: boolean;
  readonly scope: DeploymentScope;
  readonly claims: Claims;
  readonly verdict: AttestationVerdict;
  /** The verdict as an EAT attestation result (EAR draft 04), unsigned. */
  readonly ear: EarClaims;
  readonly release: VerifiedRelease;
  /** The owners' last set of keys; absent when the policy does not follow sets. */
  readonly owners?: OwnerRoot;
  /** Where its use was logged; absent when the policy names no log. */
  readonly logged?: LoggedRelease;
  /** RFC 9458 key configuration list that the evidence commits to. */
  readonly keyConfig: Uint8Array;
  /** Raw Ed25519 key for receipts that the evidence commits to, 32 bytes. */
  readonly receiptKey: Uint8Array;
  readonly keyConfigDigest: Uint8Array;
  readonly releaseDigest: Uint8Array;
  readonly evidenceDigest: Uint8Array;
  /** One piece of evidence, or the collection of processor and devices. */
  readonly evidence: Cmw | CmwCollection;
  readonly nonce: Uint8Array;
  /** Everything that was verified, as it came. */
  readonly bundle: AttestationBundle;
  /** Every check in the order it ran, those of the evidence included. */
  readonly checks: readonly CheckRecord[];
  readonly verifiedAt: Date;
  /** When to verify again: the release ends, or the lease would, had it been granted at the time of verification. */
  readonly verifyAgainAt: Date;
  /** When the release ends. */
  readonly validUntil: Date;
}
