import type { SessionBinding } from '../binding.ts';
import type { Cmw } from '../cmw.ts';
import type { CmwCollection } from '../cmw-collection.ts';
import type { Trustworthiness } from '../ear/tiers.ts';
import type { VerificationMeans } from '../means.ts';
import type { AttestationPolicy } from '../policy/policy.ts';
import type { Tee } from '../tees.ts';
import type { TrustAnchors } from '../trust/anchors.ts';
import type { AttestationVerdict } from '../verdict.ts';

/**
 * Everything a verification depends on, and the means it may use. Nothing is taken from elsewhere: no clock, no network, no
 * built-in trust.
 */
export interface VerifyEvidenceOptions extends VerificationMeans {
  readonly evidence: Cmw;
  /** Certificates and revocation lists. Untrusted; what counts is the root that they end in. */
  readonly endorsements: readonly Cmw[];
  readonly policy: AttestationPolicy;
  readonly anchors: TrustAnchors;
  /**
   * What the attester must have bound, compared with all its bytes: 64 for processors (see `reportDataOf`); other evidence
   * takes the lengths that its nonce can have.
   */
  readonly expectedReportData: Uint8Array;
  /** The time as of which certificates and lists must be valid. */
  readonly now: Date;
}

/**
 * As {@link VerifyEvidenceOptions}, for one piece of evidence or a collection of it that belongs to a session. The verifier
 * derives what each piece must carry, so that nobody has to do it by hand.
 */
export interface VerifySessionOptions extends Omit<VerifyEvidenceOptions, 'evidence' | 'expectedReportData'> {
  readonly evidence: Cmw | CmwCollection;
  readonly session: SessionBinding;
}

/** One kind of evidence and its verifier. */
export interface EvidenceFormat {
  readonly tee: Tee;
  /** Media types of the evidence that this verifier reads. */
  readonly evidenceTypes: readonly string[];
  /** Media types of the endorsements that it reads. */
  readonly endorsementTypes: readonly string[];
  /** How far the claims support trust, and what waivers take away from it. */
  readonly trustworthiness: Trustworthiness;
  /**
   * `verify` has read evidence and endorsements, and has copied what it keeps of them, when it first waits for something.
   * Absent: it is handed copies, as the caller's buffers may change meanwhile.
   */
  readonly readsAtOnce?: true;
  readonly verify: (options: VerifyEvidenceOptions) => Promise<AttestationVerdict>;
}
