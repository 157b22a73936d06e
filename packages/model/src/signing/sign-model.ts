import { equalBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { KeyStore } from '@fastness/keys';
import { encodeOmsBundle } from '../release/bundle.ts';
import { verifyCertificateChain } from '../release/certificate-chain.ts';
import { preAuthEncoding } from '../release/dsse.ts';
import { encodeStatement, statementPayloadType } from '../release/statement.ts';
import { verifyOmsBundle, type VerifiedOms } from '../release/verify-bundle.ts';
import { keyIdOf } from '../release/verify-key.ts';
import { serializeModel, type SerializedModel, type SerializeOptions } from './serialize.ts';

/** Which key signs: P-256 or P-384, the curves of OMS that key stores have. */
export interface SigningKey {
  readonly keyStore: KeyStore;
  readonly keyId: string;
  /**
   * Signs by certificate: the certificate of the key, those between, and the root or the last one that verifiers do not
   * have, DER, in this order. Absent: the bundle names the key alone.
   */
  readonly certificates?: readonly Uint8Array[];
}

export interface SignedModel {
  /** The text of the signature file. */
  readonly bundle: string;
  /** What a verifier who trusts the key sees. */
  readonly verified: VerifiedOms;
}

/**
 * Signs a model on disk in the OpenSSF Model Signing format; the caller writes `bundle` where it belongs, and lists
 * that place in `ignorePaths` when it lies inside the model.
 * Errors: those of `serializeModel` and of the key store, OMS_KEY_UNSUPPORTED, OMS_CERTIFICATE_*.
 */
export async function signModel(
  options: { readonly root: string } & SigningKey & SerializeOptions,
): Promise<SignedModel> {
  return signSerialized(await serializeModel(options.root, options), options);
}

/** Signs resources that are hashed already, and checks the signature as a verifier would before handing it out. */
export async function signSerialized(model: SerializedModel, signer: SigningKey): Promise<SignedModel> {
  const { keyStore, keyId, certificates } = signer;
  await checkCertificates(signer);
  const payload = await encodeStatement(model);
  const publicKey = await keyStore.publicKey(keyId);
  const signature = await keyStore.sign(keyId, preAuthEncoding(statementPayloadType, payload));
  const envelope = { payloadType: statementPayloadType, payload, signatures: [{ signature, keyId: '' }] };
  const bundle = encodeOmsBundle(
    envelope,
    certificates === undefined ? { keyHint: await keyIdOf(publicKey) } : { certificates },
  );
  return { bundle, verified: await verifyOmsBundle({ bundle, publicKeys: [publicKey] }) };
}

/**
 * What no verifier would accept is not signed: the certificates must be the key's, lead to the last of them, and hold now.
 * Errors: OMS_CERTIFICATE_*, those of the key store.
 */
export async function checkCertificates({ keyStore, keyId, certificates }: SigningKey): Promise<void> {
  if (certificates === undefined) return;
  const signing = await verifyCertificateChain({ certificates, roots: certificates.slice(-1), at: new Date() });
  if (!equalBytes(signing.spki, await keyStore.publicKey(keyId))) throw new FastnessError('OMS_CERTIFICATE_KEY');
}
