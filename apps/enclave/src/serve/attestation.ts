import { cmwToJson, evidenceToJson, type NonceProof } from '@fastness/attest';
import {
  attestationRequestSchema,
  parseWireJson,
  wireLimits,
  type AttestationBundle,
  type NonceBatchJson,
} from '@fastness/channel/wire';
import { fromBase64Url, toBase64Url } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { ReleasePackage } from '@fastness/model/release';
import type { PublicKeys } from '../boot/enclave-keys.ts';
import type { CollectEvidence } from '../boot/request-key.ts';
import { AttestationBatches, type BatchLimits } from './attestation-batches.ts';
import type { Serving } from './serving.ts';

/** Everything in a bundle but the nonce and its proof. */
type Common = Omit<AttestationBundle, 'format' | 'nonce' | 'batch' | 'release'>;

/**
 * Answers `POST /attestation`: fresh evidence over the client's nonce, or over a root that it is under, over the current keys
 * and the release, with everything a client needs to verify it, as JSON. A body of undefined was too long. The answer throws CHANNEL_WIRE_*, ENCLAVE_BUSY,
 * ENCLAVE_TIME_LIMIT, and what `serving` and the collector throw.
 */
export function createAttestation(options: {
  readonly serving: () => Serving;
  readonly collect: CollectEvidence;
  readonly limits: BatchLimits;
}): (body: Uint8Array | undefined, signal: AbortSignal) => Promise<string> {
  // What is the same for everybody is written once a quote: a release is most of an answer.
  const batches = new AttestationBatches<string>(options.limits, async (asked) => {
    const { lease, ring, release, releaseDigest } = options.serving();
    lease.assertHeld();
    const { current } = ring;
    const keys = current.keys.public;
    const first = firstKeys(ring.first.public, current.succession);
    const { logProof } = lease;
    const { evidence, endorsements } = await options.collect({
      ...asked,
      keyConfigDigest: keys.digest,
      releaseDigest,
    });
    const common: Common = {
      evidence: evidenceToJson(evidence),
      endorsements: endorsements.map(cmwToJson),
      keyConfig: toBase64Url(keys.keyConfig),
      receiptKey: toBase64Url(keys.receiptKey),
      ...(logProof === undefined ? {} : { logProof }),
      lease: { ...lease.shown, ...(first === undefined ? {} : { first }) },
    };
    return `${JSON.stringify(common).slice(0, -1)},"release":${releaseText(release)}}`;
  });
  return async (body, signal) => {
    const limit = wireLimits.attestationRequest;
    if (body === undefined) throw new FastnessError('CHANNEL_WIRE_TOO_LARGE', `At most ${limit} bytes.`);
    const { nonce } = parseWireJson(attestationRequestSchema, body, limit);
    const { answer, proof } = await batches.ask(fromBase64Url(nonce), signal);
    const own: Pick<AttestationBundle, 'format' | 'nonce' | 'batch'> = {
      format: 'fastness/attestation/v1',
      nonce,
      ...(proof === undefined ? {} : { batch: proofJson(proof) }),
    };
    return `${JSON.stringify(own).slice(0, -1)},${answer.slice(1)}`;
  };
}

const releaseTexts = new WeakMap<ReleasePackage, string>();

function releaseText(release: ReleasePackage): string {
  const text = releaseTexts.get(release) ?? JSON.stringify(release);
  releaseTexts.set(release, text);
  return text;
}

/** The keys that the lease names, for who is given others. */
function firstKeys({ keyConfig, receiptKey }: PublicKeys, succession: Uint8Array | undefined) {
  if (succession === undefined) return undefined;
  return {
    keyConfig: toBase64Url(keyConfig),
    receiptKey: toBase64Url(receiptKey),
    succession: toBase64Url(succession),
  };
}

function proofJson({ root, size, index, hashes }: NonceProof): NonceBatchJson {
  return { root: toBase64Url(root), size, index, hashes: hashes.map(toBase64Url) };
}
