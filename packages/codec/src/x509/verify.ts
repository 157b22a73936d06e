import { equalBytes, plainBytes } from '../bytes/bytes.ts';
import { ecdsaSignatureToRaw } from '../der/ecdsa-signature.ts';
import { FastnessError } from '../errors/index.ts';
import { checkCriticalExtensions } from './extensions.ts';
import type { KeyHolder } from './import-key.ts';
import { fieldBytes } from './public-key.ts';
import type { SignatureAlgorithm } from './signature-algorithm.ts';
import { webCryptoVerifier, type SignatureCheck, type SignatureVerifier } from './signature-verifier.ts';
import type { Certificate, Crl } from './types.ts';

/**
 * Verifies that `issuer` issued `child`: the names chain, `issuer` is an authority whose key usage covers the child's
 * kind, it has no critical extension that nobody understands, and the signature holds. A self-signed certificate is
 * verified by passing it twice; that proves possession of the key, not that anyone should trust it: pin the key.
 * Not checked: validity periods, path lengths and revocation (see `checkValidity`, `verifyChain`, `checkNotRevoked`).
 * @throws X509_ISSUER_NAME, X509_NOT_CA, X509_KEY_USAGE, X509_CRITICAL_EXTENSION, X509_KEY, X509_SIGNATURE
 */
export async function verifySignedBy(
  child: Certificate | Crl,
  issuer: Certificate,
  verifier: SignatureVerifier = webCryptoVerifier,
): Promise<void> {
  if (!equalBytes(child.issuer.raw, issuer.subject.raw)) throw new FastnessError('X509_ISSUER_NAME');
  if (issuer.basicConstraints?.ca !== true) throw new FastnessError('X509_NOT_CA');
  const usage = child.kind === 'crl' ? 'cRLSign' : 'keyCertSign';
  // RFC 5280 wants key usage on every authority; without it the key is not limited.
  if (issuer.keyUsage !== undefined && !issuer.keyUsage.has(usage)) throw new FastnessError('X509_KEY_USAGE', usage);
  checkCriticalExtensions(issuer);
  await verifySignature({
    holder: issuer,
    algorithm: child.signatureAlgorithm,
    signature: child.signature,
    message: child.tbs,
    verifier,
  });
}

/**
 * Verifies one signature in its X.509 form (ECDSA as DER) with the key of a certificate.
 * @throws X509_KEY when key and algorithm do not go together, X509_SIGNATURE when the signature does not hold.
 */
export async function verifySignature(options: {
  readonly holder: KeyHolder;
  readonly algorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  readonly message: Uint8Array;
  readonly verifier?: SignatureVerifier;
}): Promise<void> {
  const { holder, algorithm, message, verifier } = options;
  const signature = rawSignature(holder, algorithm, options.signature);
  await verifyRawSignature({ holder, algorithm, signature, message }, verifier);
}

/**
 * Verifies one signature whose ECDSA form is r || s, as reports, quotes and COSE have it.
 * @throws X509_KEY when key and algorithm do not go together, X509_SIGNATURE when the signature does not hold.
 */
export async function verifyRawSignature(
  check: SignatureCheck,
  verifier: SignatureVerifier = webCryptoVerifier,
): Promise<void> {
  if (!(await verifier(check))) throw new FastnessError('X509_SIGNATURE');
}

function rawSignature(
  holder: KeyHolder,
  algorithm: SignatureAlgorithm,
  signature: Uint8Array,
): Uint8Array<ArrayBuffer> {
  if (algorithm.kind !== 'ecdsa' || holder.publicKey.algorithm !== 'EC') return plainBytes(signature);
  try {
    return ecdsaSignatureToRaw(signature, fieldBytes[holder.publicKey.curve]);
  } catch (cause) {
    throw new FastnessError('X509_SIGNATURE', 'Not the DER of an ECDSA signature.', { cause });
  }
}
