import { encodeNvidiaEvidence, type NvidiaSettings } from '@fastness/attest/formats/nvidia';
import { decodePem, equalBytes, utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { CollectedEvidence } from '../../collector.ts';

/** The request, in front of the report, has the nonce after a header of four bytes (SPDM 1.1, GET_MEASUREMENTS). */
const NONCE_AT = 4;
const NONCE_BYTES = 32;
const MAX_CERTIFICATES = 8;

/** What a driver or a command gave for one device. */
export interface DeviceAnswer {
  readonly tee: 'nvidia-gpu' | 'nvidia-nvswitch';
  readonly report: Uint8Array;
  /** DER, leaf first. */
  readonly certificates: readonly Uint8Array[];
  readonly settings?: NvidiaSettings;
}

/**
 * Wraps what came for a nonce. A report for another nonce would be refused by every verifier: it is refused here, where
 * somebody can still do something about the driver.
 * @throws EVIDENCE_RESPONSE
 */
export function wrapNvidia(answer: DeviceAnswer, nonce: Uint8Array, source: string): CollectedEvidence {
  const echoed = answer.report.subarray(NONCE_AT, NONCE_AT + NONCE_BYTES);
  if (!equalBytes(echoed, nonce))
    throw new FastnessError('EVIDENCE_RESPONSE', `${source}: a report for another nonce.`);
  return { evidence: encodeNvidiaEvidence(answer), endorsements: [] };
}

/** Certificates out of PEM, leaf first; a C string may end in zeros. Throws EVIDENCE_RESPONSE. */
export function chainOf(pem: Uint8Array, source: string): readonly Uint8Array[] {
  let certificates: readonly Uint8Array[];
  try {
    certificates = decodePem(utf8Decode(pem).replace(/\0+$/, ''), 'CERTIFICATE', { maxBlocks: MAX_CERTIFICATES });
  } catch (cause) {
    throw new FastnessError('EVIDENCE_RESPONSE', `${source}: a chain that is no PEM.`, { cause });
  }
  if (certificates.length === 0) throw new FastnessError('EVIDENCE_RESPONSE', `${source}: a chain of no certificates.`);
  return certificates;
}
