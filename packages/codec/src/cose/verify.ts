import { plainBytes } from '../bytes/bytes.ts';
import { FastnessError } from '../errors/index.ts';
import { coseAlgorithm } from './algorithms.ts';
import { sign1ToBeSigned, type Sign1 } from './sign1.ts';

/**
 * Verifies a COSE_Sign1 message with a key the caller already trusts, and returns the signed payload.
 * The algorithm comes from the protected header and has to be one of `algorithms`: the caller, never the message,
 * decides which are good enough.
 * @param options.publicKey an Ed25519 or ECDSA key for verification
 * @param options.payload the payload when the message does not carry it
 * @throws COSE_ALGORITHM, COSE_HEADER for a payload that is missing or given twice, COSE_SIGNATURE
 */
export async function verifySign1(options: {
  readonly message: Sign1;
  readonly publicKey: CryptoKey;
  readonly algorithms: readonly number[];
  readonly externalAad?: Uint8Array;
  readonly payload?: Uint8Array;
}): Promise<Uint8Array> {
  const { message, publicKey, algorithms, externalAad } = options;
  if (!algorithms.includes(message.algorithm)) {
    throw new FastnessError('COSE_ALGORITHM', `Algorithm ${message.algorithm}.`);
  }
  const algorithm = coseAlgorithm(message.algorithm);
  checkKey(publicKey, algorithm.key);
  if (message.payload !== null && options.payload !== undefined) {
    throw new FastnessError('COSE_HEADER', 'The message carries its own payload.');
  }
  const payload = message.payload ?? options.payload;
  if (payload === undefined) throw new FastnessError('COSE_HEADER', 'The payload is detached and was not given.');
  const { protectedBytes } = message;
  const toBeSigned = sign1ToBeSigned({
    protectedBytes,
    payload,
    ...(externalAad === undefined ? {} : { externalAad }),
  });
  const holds =
    message.signature.length === algorithm.signatureBytes &&
    (await crypto.subtle.verify(algorithm.verify, publicKey, plainBytes(message.signature), toBeSigned));
  if (!holds) throw new FastnessError('COSE_SIGNATURE');
  return payload;
}

/** WebCrypto would verify ES256 with a P-384 key; COSE ties the curve to the algorithm (RFC 9053, section 2.1). */
function checkKey(key: CryptoKey, wanted: EcKeyImportParams | Algorithm): void {
  const curve = 'namedCurve' in key.algorithm ? key.algorithm.namedCurve : undefined;
  const wantedCurve = 'namedCurve' in wanted ? wanted.namedCurve : undefined;
  if (key.algorithm.name !== wanted.name || curve !== wantedCurve) {
    throw new FastnessError('COSE_ALGORITHM', `A key for ${key.algorithm.name} was given.`);
  }
}
