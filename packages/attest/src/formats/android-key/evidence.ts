import { decodeCbor, encodeCbor } from '@fastness/codec/cbor';
import { FastnessError } from '@fastness/codec/errors';
import { checkCmw, CMW_ENDORSEMENTS, CMW_EVIDENCE, type Cmw } from '../../cmw.ts';
import { ANDROID_KEY_EVIDENCE_TYPE, ANDROID_STATUS_TYPE } from '../../media-types.ts';
import { MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES } from './layout.ts';

const limits = Object.freeze({ maxBytes: 1 << 18, maxDepth: 2, maxItems: 16 });

/** Wraps a chain as Android's keystore returns it (`getCertificateChain`): DER, the attested key first, the root last. */
export function encodeAndroidKeyEvidence(certificates: readonly Uint8Array[]): Cmw {
  return { type: ANDROID_KEY_EVIDENCE_TYPE, value: encodeCbor(new Map([[1, [...certificates]]])), ind: CMW_EVIDENCE };
}

/** Wraps Google's status list, the JSON as it is served, as an endorsement. */
export function encodeAndroidStatus(json: Uint8Array): Cmw {
  return { type: ANDROID_STATUS_TYPE, value: json, ind: CMW_ENDORSEMENTS };
}

/** Takes the certificates out of their envelope, as private copies. Throws ATTEST_EVIDENCE_..., CMW_..., CODEC_.... */
export function decodeAndroidKeyEvidence(cmw: Cmw): readonly Uint8Array[] {
  const { type, value } = checkCmw(cmw);
  if (type !== ANDROID_KEY_EVIDENCE_TYPE) throw new FastnessError('ATTEST_EVIDENCE_UNSUPPORTED', `Type ${type}.`);
  const map = decodeCbor(value.slice(), { limits });
  const list = map instanceof Map && map.size === 1 ? map.get(1) : undefined;
  const entries = Array.isArray(list) ? list : [];
  const certificates = entries.filter((entry) => entry instanceof Uint8Array && entry.length <= MAX_CERTIFICATE_BYTES);
  if (entries.length < 2 || entries.length > MAX_CERTIFICATES || certificates.length !== entries.length) {
    const expected = `a map of 1 to 2 to ${MAX_CERTIFICATES} certificates of at most ${MAX_CERTIFICATE_BYTES} bytes`;
    throw new FastnessError('ATTEST_EVIDENCE_MALFORMED', `Expected ${expected}.`);
  }
  return Object.freeze(certificates.filter((entry) => entry instanceof Uint8Array));
}
