import { fieldBytes, type KeyHolder, type SignatureVerifier } from '@fastness/codec/x509';
import type { Checklist } from '../checks.ts';
import { jwsAlgorithms, type JwsAlgorithm } from './algorithms.ts';
import type { Jws } from './compact.ts';

/**
 * Verifies the signature of a JWS with a key that the caller trusts. The algorithm was chosen from a list before the key was
 * looked at, and must fit the key: type, curve, and the one length that its signatures have (RFC 7518, section 3.4).
 * Throws JWS_KEY_MISMATCH, JWS_SIGNATURE, X509_KEY.
 */
export async function verifyJws(
  jws: Jws,
  holder: KeyHolder,
  verifier: SignatureVerifier,
  checks: Checklist,
): Promise<void> {
  const algorithm: JwsAlgorithm = jwsAlgorithms[jws.algorithm];
  const { signature, signed: message } = jws;
  const { publicKey } = holder;
  const curve = publicKey.algorithm === 'EC' ? publicKey.curve : undefined;
  const fits = publicKey.algorithm === algorithm.key && curve === algorithm.curve;
  checks.require('JWS_KEY_MISMATCH', fits, {
    expected: `a key for ${jws.algorithm}`,
    actual: `${publicKey.algorithm}${curve === undefined ? '' : ` ${curve}`}`,
  });
  const sized = curve === undefined || signature.length === 2 * fieldBytes[curve];
  const holds = sized && (await verifier({ holder, algorithm: algorithm.signature, signature, message }));
  checks.require('JWS_SIGNATURE', holds, {
    expected: `a signature with ${jws.algorithm}`,
    actual: holds ? 'it holds' : 'it does not hold',
  });
}
