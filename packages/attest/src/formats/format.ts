import type { Cmw } from '../cmw.ts';
import type { Trustworthiness } from '../ear/tiers.ts';
import type { VerificationMeans } from '../means.ts';
import type { AttestationPolicy } from '../policy/policy.ts';
import type { Tee } from '../tees.ts';
import type { TrustAnchors } from '../trust/anchors.ts';
import type { AttestationVerdict } from '../verdict.ts';

/** Everything a verification depends on. Nothing is taken from elsewhere: no clock, no network, no built-in trust. */
export interface VerifyEvidenceOptions extends VerificationMeans {
  readonly evidence: Cmw;
  /** Certificates and revocation lists. Untrusted; what counts is the root that they end in. */
  readonly endorsements: readonly Cmw[];
  readonly policy: AttestationPolicy;
  readonly anchors: TrustAnchors;
  /** What the enclave must have bound: see `reportDataOf`. 64 bytes. */
  readonly expectedReportData: Uint8Array;
  /** The time as of which certificates and lists must be valid. */
  readonly now: Date;
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
  readonly verify: (options: VerifyEvidenceOptions) => Promise<AttestationVerdict>;
}
