import {
  checksOf,
  cmwFromJson,
  evidenceFromJson,
  evidenceFormats,
  keyConfigDigestOf,
  processorEvidenceOf,
  policySectionOf,
  releasedMeasurements,
  sectionOf,
  SIMULATED_SNP_EVIDENCE_TYPE,
  tlsConnectionNonceOf,
  toEar,
  vendorAnchors,
  verifyEvidence,
  verifyNonceProof,
  withChecks,
  withMeasurements,
  type CheckRecord,
  type SessionBinding,
  type Tee,
  type TrustAnchors,
} from '@fastness/attest';
import { defaultProtocol, evidenceDigestOf, weaknessesOf } from '@fastness/channel';
import { attestationBundleSchema, parseWire, type AttestationBundle } from '@fastness/channel/wire';
import { equalBytes, fromBase64Url, toBase64Url } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { followOwnerRoots, meetsTraffic, verifyRelease, type VerifiedRelease } from '@fastness/model/release';
import { nothingRemembered, type Remembered } from '../memory.ts';
import type { TlsConnection } from '../fetch/direct.ts';
import type { ClientPolicy } from '../policy.ts';
import { checkLease } from './check-lease.ts';
import { checkReleaseLogged } from './check-logged.ts';
import { passed, releaseChecks } from './checks.ts';
import type { DeploymentScope, VerifiedEnclave } from './verified-enclave.ts';

const verifierId = Object.freeze({ developer: 'https://fastness.dev', build: '@fastness/client 0.1.0' });

const weaknessOfX25519 =
  'X25519 alone is used where a runtime lacks ML-KEM-768: whoever records it can open it with a quantum computer.';

/**
 * Verifies that an enclave is what the policy asks for: the release is signed by the owner, approved, valid now and not
 * older than allowed; the evidence is genuine, meets the attestation policy with a measurement that the release lists,
 * and commits to this nonce, this release and the keys in the bundle. Pure: no network, no clock.
 * @param options.bundle what `POST /attestation` answered; untrusted
 * @param options.nonce the 32 random bytes that the caller sent
 * @param options.anchors roots of the vendors. Default: AMD's, pinned
 * @throws FastnessError `CHANNEL_WIRE_MALFORMED`, `CLIENT_NONCE_MISMATCH`, `CLIENT_TLS_UNBOUND`, `CLIENT_TLS_EXPORTER`, `ATTEST_NONCE_BATCH_SHAPE`,
 *   `ATTEST_NONCE_BATCH_PROOF`, `CLIENT_MODEL_MISMATCH`, `CLIENT_TRAFFIC`, `OWNER_ROOT_*`, `CLIENT_DEPLOYMENT_UNPROVED`,
 *   `CLIENT_LEASE_...`, `CHANNEL_LEASE_...`, `CHANNEL_SUCCESSION_...`, `CLIENT_RELEASE_UNLOGGED`, `CLIENT_LOG_...`, `LOG_...`,
 *   `CLIENT_MEASUREMENT_UNLISTED`, `RELEASE_*`, `APPROVAL_*`, `SNP_*`, `SIMULATED_EVIDENCE_REFUSED` and the other codes of
 *   `verifyEvidence`
 */
export async function verifyEnclave(options: {
  bundle: unknown;
  nonce: Uint8Array;
  policy: ClientPolicy;
  now: Date;
  anchors?: TrustAnchors;
  /** The highest versions that were accepted before. Absent: none were. */
  remembered?: Remembered;
  /** The TLS connection that the bundle came over, where that has to end in the enclave. Absent: TLS does not matter. */
  tls?: TlsConnection;
  /** Whether `now` is an earlier time as of which the bundle is judged; a lease may have ended since. */
  past?: boolean;
}): Promise<VerifiedEnclave> {
  const { nonce, policy, now } = options;
  const bundle = parseWire(attestationBundleSchema, options.bundle);
  if (!equalBytes(fromBase64Url(bundle.nonce), nonce)) throw new FastnessError('CLIENT_NONCE_MISMATCH');
  const checks: CheckRecord[] = [passed('CLIENT_NONCE_MISMATCH', toBase64Url(nonce), bundle.nonce)];
  if (options.tls !== undefined) checks.push(checkConnection(bundle, options.tls));
  const asked = await nonceOf(bundle, nonce, checks);

  const { remembered = nothingRemembered } = options;
  const owners = await ownersOf(policy, bundle.release.owners, remembered, now, checks);
  const release = await verifyRelease({
    package: bundle.release,
    ownerKeys: owners?.publicKeys ?? policy.ownerKeys.map((key) => fromBase64Url(key)),
    quorum: {
      threshold: policy.quorum.threshold,
      approvers: policy.quorum.approvers.map(({ id, publicKey }) => ({ id, publicKey: fromBase64Url(publicKey) })),
    },
    now,
    ...(policy.minimumVersion === undefined ? {} : { minimumVersion: policy.minimumVersion }),
  });
  const { modelId } = release.release;
  if (policy.model !== undefined && policy.model !== modelId) {
    throw new FastnessError('CLIENT_MODEL_MISMATCH', `${modelId} instead of ${policy.model}.`);
  }
  const { traffic } = release.release;
  if (policy.traffic !== undefined && !meetsTraffic(traffic, policy.traffic)) {
    throw new FastnessError('CLIENT_TRAFFIC', `${traffic ?? 'Nothing'} instead of ${policy.traffic}.`);
  }
  const highest = Object.hasOwn(remembered.releases, modelId) ? remembered.releases[modelId] : undefined;
  if (highest !== undefined && release.release.version < highest) {
    throw new FastnessError('RELEASE_VERSION_ROLLBACK', `Version ${release.release.version}, after ${highest}.`);
  }
  checks.push(...releaseChecks(release, policy));
  const { releaseDigest } = release;
  const { logged, checks: logChecks } = await checkReleaseLogged({
    policy,
    proof: bundle.logProof,
    releaseDigest,
    now,
  });
  checks.push(...logChecks);

  const keyConfig = fromBase64Url(bundle.keyConfig);
  const receiptKey = fromBase64Url(bundle.receiptKey);
  const keyConfigDigest = await keyConfigDigestOf({ ohttpKeyConfig: keyConfig, receiptKey });
  const evidence = evidenceFromJson(bundle.evidence);
  const verdict = await verifyEvidence({
    evidence,
    endorsements: bundle.endorsements.map((endorsement) => cmwFromJson(endorsement)),
    policy: attestationPolicyFor(policy, release, processorEvidenceOf(evidence).type),
    anchors: options.anchors ?? vendorAnchors,
    session: { ...asked, keyConfigDigest, releaseDigest },
    now,
  }).catch((error: unknown) => {
    throw afterChecks(error, checks);
  });
  // Last, so that keys which are not the enclave's fail for what they are.
  const { lease, checks: leaseChecks } = await checkLease({
    policy,
    bundle,
    release,
    keyConfigDigest,
    now,
    past: options.past ?? false,
  });
  const { protocol = defaultProtocol } = policy;
  const ear = toEar(verdict, {
    verifierId,
    policyId: verdict.policyId,
    nonce,
    issuedAt: now,
    rawEvidence: evidence,
  });
  return {
    simulated: verdict.claims.simulated,
    deployment: lease === undefined ? 'any-deployment' : 'this-deployment',
    protocol,
    weaknesses: [...weaknessesOf(protocol), ...(policy.allowX25519 === true ? [weaknessOfX25519] : [])],
    ...(lease === undefined ? {} : { lease }),
    scope: scopeOf(policy, verdict.claims.tee),
    claims: verdict.claims,
    verdict,
    ear,
    release,
    ...(owners === undefined ? {} : { owners: owners.root }),
    ...(logged === undefined ? {} : { logged }),
    keyConfig,
    receiptKey,
    keyConfigDigest,
    releaseDigest,
    evidenceDigest: await evidenceDigestOf(evidence),
    evidence,
    nonce,
    bundle,
    checks: [...checks, ...verdict.checks, ...leaseChecks],
    verifiedAt: now,
    validUntil: new Date(release.release.expires),
    verifyAgainAt: new Date(
      Math.min(Date.parse(release.release.expires), now.getTime() + (lease?.ttlSeconds ?? Infinity) * 1000),
    ),
  };
}

/** What the evidence must answer: the nonce itself, or a root that the nonce is proved to be under. */
async function nonceOf(
  { batch, tls }: AttestationBundle,
  sent: Uint8Array,
  checks: CheckRecord[],
): Promise<Pick<SessionBinding, 'purpose' | 'nonce'>> {
  const nonce =
    tls === undefined
      ? sent
      : await tlsConnectionNonceOf({
          nonce: sent,
          exporterDigest: fromBase64Url(tls.exporter),
          spki: fromBase64Url(tls.spki),
        });
  if (batch === undefined) return { purpose: tls === undefined ? 'client' : 'client-tls', nonce };
  const { size, index } = batch;
  const root = fromBase64Url(batch.root);
  await verifyNonceProof(nonce, { root, size, index, hashes: batch.hashes.map((hash) => fromBase64Url(hash)) });
  checks.push(passed('ATTEST_NONCE_BATCH_PROOF', `under root ${batch.root}`, `nonce ${index + 1} of ${size}`));
  return { purpose: tls === undefined ? 'client-batch' : 'client-tls-batch', nonce: root };
}

/** That the enclave says it has the other end of the very connection; that it did say so is in the evidence. */
function checkConnection({ tls }: AttestationBundle, connection: TlsConnection): CheckRecord {
  if (tls === undefined) throw new FastnessError('CLIENT_TLS_UNBOUND');
  const own = toBase64Url(connection.exporterDigest);
  if (tls.exporter !== own) throw new FastnessError('CLIENT_TLS_EXPORTER', 'Another exporter.');
  if (tls.spki !== toBase64Url(connection.spki)) throw new FastnessError('CLIENT_TLS_EXPORTER', 'Another key.');
  return passed('CLIENT_TLS_EXPORTER', `connection ${own}`, tls.exporter);
}

/** The owners' keys now, where the policy follows their sets. */
async function ownersOf(
  { ownerRoots }: ClientPolicy,
  offered: readonly string[] | undefined,
  remembered: Remembered,
  now: Date,
  checks: CheckRecord[],
) {
  if (ownerRoots === undefined) return undefined;
  const { trusted, chain } = ownerRoots;
  const minimumVersion = remembered.owners;
  const owners = await followOwnerRoots({ trusted, chain, offered: offered ?? [], minimumVersion, now });
  const { version, expires, threshold, keys } = owners.root;
  const found = `version ${version} until ${expires}, ${threshold} of ${keys.length} keys`;
  checks.push(passed('OWNER_ROOT_THRESHOLD', `sets that follow version ${trusted.version}`, found));
  return owners;
}

/** What was checked before the evidence is part of how far the verification got. */
function afterChecks(error: unknown, checks: readonly CheckRecord[]): unknown {
  if (!(error instanceof FastnessError)) return error;
  const { before = [], ...rest } = checksOf(error) ?? {};
  return withChecks(error, { before: [...checks, ...before], ...rest });
}

/** The attestation policy with the measurements that both it and the release accept for this kind of evidence. */
function attestationPolicyFor(policy: ClientPolicy, { release }: VerifiedRelease, evidenceType: string) {
  const { attestation } = policy;
  const simulated = evidenceType === SIMULATED_SNP_EVIDENCE_TYPE;
  if (simulated && attestation.simulated === undefined) throw new FastnessError('SIMULATED_EVIDENCE_REFUSED');
  const format = evidenceFormats.find(({ evidenceTypes }) => evidenceTypes.includes(evidenceType));
  if (format === undefined) throw new FastnessError('ATTEST_EVIDENCE_UNSUPPORTED', `Type ${evidenceType}.`);
  const { tee } = format;
  const released = release.measurements.filter((each) => each.tee === tee && each.simulated === simulated);
  const accepted = releasedMeasurements(
    attestation,
    tee,
    released.map(({ value }) => value),
  );
  if (accepted.length === 0) {
    throw new FastnessError('CLIENT_MEASUREMENT_UNLISTED', simulated ? 'Evidence of the simulated TEE.' : undefined);
  }
  return withMeasurements(attestation, accepted, tee);
}

/** Members of a policy's section that tell one deployment from others; which ones a section has depends on the TEE. */
const pinning = ['idKeyDigests', 'authorKeyDigests', 'hostData', 'mrOwners', 'mrConfigIds'] as const;
const identityLists = ['chipIds', 'ppids', 'instances', 'vms'] as const;

/** Only the section of the evidence counts: what is pinned for another TEE says nothing about this machine. */
function scopeOf({ attestation }: ClientPolicy, tee: Tee): DeploymentScope {
  const section: Readonly<Record<string, unknown>> = { ...sectionOf(attestation, policySectionOf[tee]) };
  const lists = identityLists.map((name) => section[name]);
  const pinned =
    pinning.some((name) => section[name] !== undefined) ||
    lists.some((list) => typeof list === 'object' && list !== null && 'allow' in list);
  return pinned ? 'pinned' : 'any-of-release';
}
