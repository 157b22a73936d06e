import { cmwToJson, reportDataOf } from '@fastness/attest';
import { collect as collectBytes } from '@fastness/channel';
import { attestationRequestSchema, parseWireJson, wireLimits, type AttestationBundle } from '@fastness/channel/wire';
import { fromBase64Url, toBase64Url } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { CollectEvidence } from '../boot/request-key.ts';
import type { Quota } from './quota.ts';
import type { Serving } from './serving.ts';

/**
 * POST /attestation: fresh evidence over the client's nonce, the current keys and the release, with everything a client
 * needs to verify it. Throws CHANNEL_WIRE_*, ENCLAVE_BUSY, and what the collector throws.
 */
export async function attest(
  body: ReadableStream<Uint8Array> | null,
  serving: Serving,
  collect: CollectEvidence,
  quota: Quota,
): Promise<AttestationBundle> {
  const limit = wireLimits.attestationRequest;
  const bytes = body === null ? new Uint8Array(0) : await collectBytes(body, limit);
  if (bytes === undefined) throw new FastnessError('CHANNEL_WIRE_TOO_LARGE', `At most ${limit} bytes.`);
  const { nonce } = parseWireJson(attestationRequestSchema, bytes, limit);
  return quota.run(async () => {
    serving.lease.assertHeld();
    const keys = serving.ring.current.keys.public;
    const reportData = await reportDataOf({
      purpose: 'client',
      nonce: fromBase64Url(nonce),
      keyConfigDigest: keys.digest,
      releaseDigest: serving.releaseDigest,
      deviceEvidenceDigest: null,
    });
    const { evidence, endorsements } = await collect(reportData);
    return {
      format: 'fastness/attestation/v1',
      nonce,
      evidence: cmwToJson(evidence),
      endorsements: endorsements.map(cmwToJson),
      keyConfig: toBase64Url(keys.keyConfig),
      receiptKey: toBase64Url(keys.receiptKey),
      release: serving.release,
    };
  });
}
