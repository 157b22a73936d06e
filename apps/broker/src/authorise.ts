import {
  cmwFromJson,
  evidenceFromJson,
  evidenceFormats,
  keyConfigDigestOf,
  processorEvidenceOf,
  releasedMeasurements,
  SIMULATED_SNP_EVIDENCE_TYPE,
  verifyEvidence,
  withMeasurements,
  type AttestationVerdict,
  type Cmw,
  type CmwCollection,
  type Tee,
} from '@fastness/attest';
import { releasePublicKey } from '@fastness/channel';
import type { KeyReleaseRequest } from '@fastness/channel/wire';
import { fromBase64Url, fromHex, toHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { VerifiedRelease } from '@fastness/model/release';
import { verifyStoredRelease, type UsableRelease } from './authorise-release.ts';
import type { AuditFacts } from './audit/facts.ts';
import type { BrokerContext } from './context.ts';
import { platformOf } from './platform.ts';
import { asStoreError, consumeChallenge } from './store/index.ts';

/** What is known of a request so far; written into the audit log when the request is refused. */
export type RefusalTrail = Partial<Omit<AuditFacts<'refused'>, 'operation' | 'code'>>;

/**
 * A request whose release and evidence were verified. Only `authorise` makes one and it serves once (`takeAuthorisation`), so
 * a key cannot be released for anything else. What only the database knows (what was revoked or overtaken, which lease it
 * is) is decided in the transaction that records the release, where nothing can come in between.
 */
export interface AuthorisedRequest {
  readonly release: UsableRelease;
  readonly verdict: AttestationVerdict;
  readonly evidence: Cmw | CmwCollection;
  readonly nonce: Uint8Array;
  readonly enclaveNonce: Uint8Array;
  readonly keyConfigDigest: Uint8Array;
  /** The attested X-Wing key, which the root key is sealed to. */
  readonly sealTo: Uint8Array;
  readonly platform: string;
  readonly leaseId: string | undefined;
}

const authorised = new WeakSet<AuthorisedRequest>();

/** Spends an authorisation. Throws `BROKER_INTERNAL` for anything that `authorise` did not make, or made for an earlier call. */
export function takeAuthorisation(request: AuthorisedRequest): void {
  if (!authorised.delete(request)) throw new FastnessError('BROKER_INTERNAL', 'No authorisation.');
}

/**
 * Verifies a request: its nonce is fresh and used once, its release is registered, signed, approved and in time, its
 * evidence is genuine, fits policy and release and is bound to this very request. The nonce is spent even when a later
 * check fails.
 *
 * `trail` collects what was learned on the way. Throws a FastnessError whose code names the first check that failed.
 */
export async function authorise(
  context: BrokerContext,
  request: KeyReleaseRequest,
  trail: RefusalTrail,
): Promise<AuthorisedRequest> {
  const { db, policy, anchors, completeEndorsements } = context;
  const now = context.now();
  trail.releaseDigest = request.releaseDigest;
  if (request.leaseId !== undefined && /^[0-9a-f]{32}$/.test(request.leaseId)) trail.leaseId = request.leaseId;

  const nonce = fromBase64Url(request.nonce);
  await asStoreError(() => consumeChallenge(db, nonce, now));

  const release = await verifyStoredRelease(context, request.releaseDigest, now);
  const { modelId, version } = release.verified.release;
  trail.modelId = modelId;
  trail.version = version;

  const evidence = evidenceFromJson(request.evidence);
  const measurements = measurementsOf(context, processorEvidenceOf(evidence), release.verified);
  const keyConfig = fromBase64Url(request.keyConfig);
  const keyConfigDigest = await keyConfigDigestOf({
    ohttpKeyConfig: keyConfig,
    receiptKey: fromBase64Url(request.receiptKey),
  });
  const given = request.endorsements.map(cmwFromJson);
  const verdict = await verifyEvidence({
    evidence,
    // Late: by now the nonce is spent and the release is known, so that strangers cannot make the broker fetch at will.
    endorsements: completeEndorsements === undefined ? given : await completeEndorsements(evidence, given, now),
    policy: withMeasurements(policy.policy.attestation, measurements.values, measurements.tee),
    anchors,
    session: { purpose: 'key-release', nonce, keyConfigDigest, releaseDigest: fromHex(request.releaseDigest) },
    now,
  });
  const { claims } = verdict;
  const platform = platformOf(claims);
  trail.tee = claims.tee;
  trail.simulated = claims.simulated;
  trail.measurement = claims.measurement;
  trail.platform = platform;
  const granted: AuthorisedRequest = Object.freeze({
    release,
    verdict,
    evidence,
    nonce,
    enclaveNonce: fromBase64Url(request.enclaveNonce),
    keyConfigDigest,
    // Only now: the key configuration means nothing before the evidence vouches for it.
    sealTo: releasePublicKey({ keyConfig }),
    platform,
    leaseId: request.leaseId,
  });
  authorised.add(granted);
  return granted;
}

/**
 * The measurements that evidence of this kind may have: those the release lists for it, narrowed by the policy's own list
 * if it has one. Throws `ATTEST_EVIDENCE_UNSUPPORTED`, `ATTEST_TEE_NOT_ALLOWED`, `SIMULATED_EVIDENCE_REFUSED`, `BROKER_TEE_NOT_IN_RELEASE`.
 */
function measurementsOf(
  context: BrokerContext,
  evidence: Cmw,
  verified: VerifiedRelease,
): { readonly tee: Tee; readonly values: string[] } {
  const { attestation } = context.policy.policy;
  const format = evidenceFormats.find(({ evidenceTypes }) => evidenceTypes.includes(evidence.type));
  if (format === undefined) throw new FastnessError('ATTEST_EVIDENCE_UNSUPPORTED', `Type ${evidence.type}.`);
  // Simulated evidence is a type of its own and never uses a measurement that was listed for hardware, nor the reverse.
  const isSimulated = evidence.type === SIMULATED_SNP_EVIDENCE_TYPE;
  if (isSimulated && attestation.simulated === undefined) throw new FastnessError('SIMULATED_EVIDENCE_REFUSED');
  const released = verified.release.measurements.filter(
    ({ tee, simulated }) => tee === format.tee && simulated === isSimulated,
  );
  const listed = releasedMeasurements(
    attestation,
    format.tee,
    released.map(({ value }) => value),
  );
  if (listed.length === 0) {
    throw new FastnessError('BROKER_TEE_NOT_IN_RELEASE', `Release ${toHex(verified.releaseDigest)}.`);
  }
  return { tee: format.tee, values: listed };
}
