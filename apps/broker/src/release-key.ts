import { randomBytes } from 'node:crypto';
import { isCmwCollection, toEar, type Cmw, type CmwCollection } from '@fastness/attest';
import {
  hpkeSealTo,
  keyReleaseAad,
  keyReleaseInfo,
  sealedKeyToJson,
  shareReleaseAad,
  shareReleaseInfo,
  signLease,
} from '@fastness/channel';
import type { KeyReleaseResponse } from '@fastness/channel/wire';
import { toBase64Url, toHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { takeAuthorisation, type AuthorisedRequest } from './authorise.ts';
import { refuseOvertaken } from './authorise-release.ts';
import { commitLogged, type BrokerContext } from './context.ts';
import type { AuditHead } from './audit/entry.ts';
import { signJwt } from './jwt.ts';
import { portionOf, shareFactsOf } from './model-keys.ts';
import {
  deleteLease,
  extendLease,
  findRenewableLease,
  inTransaction,
  insertLease,
  raiseHighestVersion,
  refuseRevoked,
  type BrokerDatabase,
} from './store/index.ts';
import { saveLeaseTcb } from './lifecycle/hit-leases.ts';
import { refuseRevokedKeys } from './lifecycle/key-revocation.ts';
import { registeredRoot, unwrapRegistered } from './lifecycle/rewrap.ts';
import { refuseLowTcb, tcbOf } from './lifecycle/tcb.ts';
import { refuseUnusable } from './lifecycle/wrapping-keys.ts';

/** Evidence larger than this is left out of the attestation result; the result names the claims either way. */
const rawEvidenceLimit = 16 * 1024;

/**
 * Gives an authorised enclave its lease and, unless it renews one, the root key of the model, or this broker's share of it. In this order: the lease and
 * the attestation result are signed; in one transaction, what was revoked or overtaken is refused, and lease, highest
 * version and audit entry are recorded, the entry first; only then is the key unwrapped, sealed to the attested key, and
 * handed out. When that last step fails, an entry says so and the lease is void.
 */
export async function releaseKey(context: BrokerContext, request: AuthorisedRequest): Promise<KeyReleaseResponse> {
  takeAuthorisation(request);
  const { signer } = context;
  const issuedAt = context.now();
  const leaseId = request.leaseId ?? toHex(new Uint8Array(randomBytes(16)));
  const ttlSeconds = leaseSeconds(context, request, issuedAt);
  const lease = await signLease({
    claims: {
      leaseId,
      releaseDigest: request.release.verified.releaseDigest,
      keyConfigDigest: request.keyConfigDigest,
      enclaveNonce: request.enclaveNonce,
      ttlSeconds,
      issuedAt,
    },
    sign: (message) => signer.sign(message),
  });
  const ear = await signEar(context, request, issuedAt);
  const grant: Grant = { leaseId, issuedAt, expiresAt: new Date(issuedAt.getTime() + ttlSeconds * 1000) };
  let sealed: SealedPortion = {};
  let logProof: string | undefined;
  if (request.leaseId === undefined) {
    const entry = await recordRelease(context, request, grant);
    ({ sealed, logProof } = await handOver(context, request, grant, entry));
  } else {
    logProof = await proveLogged(context, request, await recordRenewal(context, request, grant));
  }
  return {
    ...sealed,
    ...(logProof === undefined ? {} : { logProof }),
    lease: toBase64Url(lease),
    ear,
    brokerTime: issuedAt.toISOString(),
  };
}

interface Grant {
  readonly leaseId: string;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
}

/** A lease ends with its release at the latest. Throws `RELEASE_EXPIRED` when less than a second is left. */
function leaseSeconds(context: BrokerContext, request: AuthorisedRequest, now: Date): number {
  const { expires } = request.release.verified.release;
  const left = Math.floor((Date.parse(expires) - now.getTime()) / 1000);
  if (left < 1) throw new FastnessError('RELEASE_EXPIRED', `It ended at ${expires}.`);
  return Math.min(context.policy.policy.lease.ttlSeconds, left);
}

async function signEar(context: BrokerContext, request: AuthorisedRequest, issuedAt: Date): Promise<string> {
  const { ear_raw_evidence: raw, ...claims } = toEar(request.verdict, {
    verifierId: { developer: 'Fastness', build: `broker ${context.signer.keyId.slice(0, 16)}` },
    policyId: request.verdict.policyId,
    nonce: request.nonce,
    issuedAt,
    rawEvidence: request.evidence,
  });
  const small = sizeOf(request.evidence) <= rawEvidenceLimit;
  return await signJwt(context.signer, 'eat+jwt', small ? { ...claims, ear_raw_evidence: raw } : claims);
}

function sizeOf(evidence: Cmw | CmwCollection): number {
  const records = isCmwCollection(evidence) ? [...evidence.records.values()] : [evidence];
  return records.reduce((sum, { value }) => sum + value.length, 0);
}

/** Inside the transaction that records the release, so that no revocation and no newer version slips in between. */
async function refuseRevokedOrOvertaken(
  context: BrokerContext,
  trx: BrokerDatabase,
  request: AuthorisedRequest,
  allowOlder: boolean,
): Promise<void> {
  const { digestHex, verified } = request.release;
  const { modelId, version } = verified.release;
  await refuseOvertaken(trx, { digestHex, modelId, version }, { allowOlder });
  await refuseRevoked(trx, [
    { kind: 'measurement', value: request.verdict.claims.measurement },
    { kind: 'platform', value: request.platform },
  ]);
  await refuseLowTcb(trx, tcbOf(request.verdict.claims));
  const root = await registeredRoot(trx, digestHex);
  await refuseUnusable(trx, root);
  await refuseRevokedKeys(trx, { root, verified }, context.policy.quorum.threshold);
}

/**
 * The proof that an entry is in the log; only for releases that name one, as older enclaves know of none. Under a cosigned
 * checkpoint where the policy asks for witnesses.
 */
async function proveLogged(
  { policy, signer, transparency, cosigning }: BrokerContext,
  request: AuthorisedRequest,
  entry: AuditHead,
): Promise<string | undefined> {
  const { verified } = request.release;
  if (portionOf(signer, verified).logKeys === undefined) return undefined;
  const { models = {} } = policy.policy;
  const { modelId } = verified.release;
  const rule = Object.hasOwn(models, modelId) ? models[modelId] : undefined;
  if ((rule?.transparency?.witnesses ?? 0) === 0) return await transparency?.prove(entry.seq);
  if (cosigning === undefined) throw new FastnessError('BROKER_WITNESSES_UNAVAILABLE', 'None are configured.');
  try {
    return await cosigning.prove(entry.seq);
  } catch (cause) {
    if (!(cause instanceof FastnessError) || cause.code !== 'LOG_COSIGNATURES') throw cause;
    throw new FastnessError('BROKER_WITNESSES_UNAVAILABLE', cause.detail, { cause });
  }
}

async function recordRelease(context: BrokerContext, request: AuthorisedRequest, grant: Grant): Promise<AuditHead> {
  const { digestHex, verified } = request.release;
  const { modelId, version } = verified.release;
  const { claims, waivers } = request.verdict;
  const keyConfigDigest = toHex(request.keyConfigDigest);
  const issuedAt = grant.issuedAt.toISOString();
  const expiresAt = grant.expiresAt.toISOString();
  const { entry } = await commitLogged(context, async (trx) => {
    await refuseRevokedOrOvertaken(context, trx, request, false);
    await raiseHighestVersion(trx, modelId, version);
    await insertLease(trx, {
      lease_id: grant.leaseId,
      release_digest: digestHex,
      key_config_digest: keyConfigDigest,
      tee: claims.tee,
      simulated: claims.simulated ? 1 : 0,
      measurement: claims.measurement,
      platform: request.platform,
      issued_at: issuedAt,
      renewed_at: issuedAt,
      expires_at: expiresAt,
      renewals: 0,
    });
    await saveLeaseTcb(trx, grant.leaseId, tcbOf(claims));
    return {
      kind: 'key-released',
      facts: {
        releaseDigest: digestHex,
        modelId,
        version,
        leaseId: grant.leaseId,
        leaseExpires: expiresAt,
        keyConfigDigest,
        tee: claims.tee,
        simulated: claims.simulated,
        measurement: claims.measurement,
        platform: request.platform,
        policyId: context.policy.policy.id,
        waivers: waivers.map(({ check }) => check),
        ...shareFactsOf(context.signer, verified),
      },
      result: undefined,
    };
  });
  return entry;
}

async function recordRenewal(context: BrokerContext, request: AuthorisedRequest, grant: Grant): Promise<AuditHead> {
  const { digestHex, verified } = request.release;
  const { claims, waivers } = request.verdict;
  const holder = {
    releaseDigest: digestHex,
    keyConfigDigest: toHex(request.keyConfigDigest),
    measurement: claims.measurement,
    platform: request.platform,
    simulated: claims.simulated,
  };
  const expiresAt = grant.expiresAt.toISOString();
  const { entry } = await commitLogged(context, async (trx) => {
    const lease = await findRenewableLease(trx, grant.leaseId, holder, grant.issuedAt);
    await refuseRevokedOrOvertaken(context, trx, request, context.policy.policy.lease.renewSuperseded);
    const renewals = lease.renewals + 1;
    await extendLease(trx, grant.leaseId, { renewedAt: grant.issuedAt.toISOString(), expiresAt, renewals });
    await saveLeaseTcb(trx, grant.leaseId, tcbOf(claims));
    return {
      kind: 'lease-renewed',
      facts: {
        releaseDigest: digestHex,
        leaseId: lease.lease_id,
        leaseExpires: expiresAt,
        renewals,
        tee: claims.tee,
        simulated: claims.simulated,
        measurement: claims.measurement,
        platform: request.platform,
        waivers: waivers.map(({ check }) => check),
        ...shareFactsOf(context.signer, verified),
      },
      result: undefined,
    };
  });
  return entry;
}

/** The key as it leaves, sealed to the attested key. */
type SealedPortion = Pick<KeyReleaseResponse, 'sealedRoot' | 'sealedShare'>;

/** Unwraps the root key, or the share, seals it to the attested key and wipes it. */
async function handOver(
  context: BrokerContext,
  request: AuthorisedRequest,
  grant: Grant,
  entry: AuditHead,
): Promise<{ sealed: SealedPortion; logProof: string | undefined }> {
  try {
    const logProof = await proveLogged(context, request, entry);
    const root = await unwrapRegistered(context, request.release);
    try {
      return { sealed: await sealPortion(context, request, root), logProof };
    } finally {
      root.fill(0);
    }
  } catch (error) {
    const code = error instanceof FastnessError ? error.code : 'BROKER_INTERNAL';
    await context.audit.append('key-withheld', {
      leaseId: grant.leaseId,
      releaseDigest: request.release.digestHex,
      code,
    });
    await inTransaction(context.db, (trx) => deleteLease(trx, grant.leaseId));
    throw error;
  }
}

/** A share is sealed under a label of its own, so that nobody can pass it off as a root key, or one share as another. */
async function sealPortion(
  { signer }: BrokerContext,
  { release: { verified }, sealTo: publicKey, keyConfigDigest, enclaveNonce }: AuthorisedRequest,
  plaintext: Uint8Array,
): Promise<SealedPortion> {
  const binding = { releaseDigest: verified.releaseDigest, keyConfigDigest, enclaveNonce };
  const { keyShare } = shareFactsOf(signer, verified);
  if (keyShare === undefined) {
    const message = { publicKey, info: keyReleaseInfo, aad: keyReleaseAad(binding), plaintext };
    return { sealedRoot: sealedKeyToJson(await hpkeSealTo(message)) };
  }
  const { setId, index } = keyShare;
  const aad = shareReleaseAad({ ...binding, setId, index });
  const message = { publicKey, info: shareReleaseInfo, aad, plaintext };
  return { sealedShare: { index, ...sealedKeyToJson(await hpkeSealTo(message)) } };
}
