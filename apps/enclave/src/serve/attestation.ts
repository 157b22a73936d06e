import { cmwToJson, evidenceToJson, tlsConnectionNonceOf, type NonceProof } from '@fastness/attest';
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
import { AttestationBatches, type BatchLimits, type MakeAnswer } from './attestation-batches.ts';
import type { BoundTls } from './direct-tls.ts';
import type { Serving } from './serving.ts';

/** Everything in a bundle but the nonce and its proof. */
type Common = Omit<AttestationBundle, 'format' | 'nonce' | 'batch' | 'tls' | 'release'>;

/**
 * Answers `POST /attestation`: fresh evidence over the client's nonce, or over a root that it is under, over the current keys
 * and the release, with everything a client needs to verify it, as JSON. Where the client asks for it, over the TLS connection
 * that it asked on. A body of undefined was too long. The answer throws CHANNEL_WIRE_*, ENCLAVE_BUSY, ENCLAVE_TLS_ABSENT,
 * ENCLAVE_TIME_LIMIT, and what `serving` and the collector throw.
 */
export function createAttestation(options: {
  readonly serving: () => Serving;
  readonly collect: CollectEvidence;
  readonly limits: BatchLimits;
}): (
  body: Uint8Array | undefined,
  signal: AbortSignal,
  connection?: () => Promise<BoundTls | undefined>,
) => Promise<string> {
  // What is the same for everybody is written once a quote: a release is most of an answer.
  const make: MakeAnswer<string> = async (asked) => {
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
  };
  const batches = new AttestationBatches<string>(options.limits, make);
  // Apart from the others: who chooses a nonce could choose one that stands for a connection of somebody else.
  const onTls = new AttestationBatches<string>(options.limits, make, ['client-tls', 'client-tls-batch']);
  return async (body, signal, connection) => {
    const limit = wireLimits.attestationRequest;
    if (body === undefined) throw new FastnessError('CHANNEL_WIRE_TOO_LARGE', `At most ${limit} bytes.`);
    const { nonce, tlsExporter } = parseWireJson(attestationRequestSchema, body, limit);
    const bytes = fromBase64Url(nonce);
    const tls = tlsExporter === true ? await connection?.() : undefined;
    if (tlsExporter === true && tls === undefined) throw new FastnessError('ENCLAVE_TLS_ABSENT');
    const { answer, proof } =
      tls === undefined
        ? await batches.ask(bytes, signal)
        : await onTls.ask(await tlsConnectionNonceOf({ nonce: bytes, ...tls }), signal);
    const own: Pick<AttestationBundle, 'format' | 'nonce' | 'batch' | 'tls'> = {
      format: 'fastness/attestation/v1',
      nonce,
      ...(proof === undefined ? {} : { batch: proofJson(proof) }),
      ...(tls === undefined ? {} : { tls: { exporter: toBase64Url(tls.exporterDigest), spki: toBase64Url(tls.spki) } }),
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
