import { equalBytes, toHex } from '@fastness/codec';
import { webCryptoVerifier, type SignatureCheck } from '@fastness/codec/x509';
import type { VerificationMeans } from '../../means.ts';

/**
 * Means that verify no signature twice within one verification: the documents of driver and firmware share authorities, and
 * one OCSP responder answers about several certificates. Signatures, keys and messages are compared as a whole.
 */
export function once(means: VerificationMeans): VerificationMeans {
  const { signatures = webCryptoVerifier } = means;
  const begun = new Map<string, { readonly message: Uint8Array; readonly holds: Promise<boolean> }>();
  return {
    ...means,
    signatures: async (check: SignatureCheck) => {
      const key = `${JSON.stringify(check.algorithm)} ${toHex(check.holder.spki)} ${toHex(check.signature)}`;
      const known = begun.get(key);
      if (known !== undefined && equalBytes(known.message, check.message)) return known.holds;
      const holds = signatures(check);
      begun.set(key, { message: check.message, holds });
      return holds;
    },
  };
}
