import { FastnessError } from '@fastness/codec/errors';
import { parseSpki, verifySignature } from '@fastness/codec/x509';
import { Checklist } from '../../checks.ts';
import { AuthenticQuote, ParsedQuote } from './stages.ts';

/**
 * Establishes that `attestationKey` (DER SubjectPublicKeyInfo) signed the quote. Everything rests on that key: the caller
 * must have it from something authenticated that says it is a TPM's restricted attestation key, such as an AK certificate
 * that chains to the vendor, the runtime data that an Azure hardware report covers, or the `public_key` of a NitroTPM
 * document made on the same instance. A key that came with the quote proves nothing.
 * Throws TPM_KEY, TPM_SIGNATURE, ATTEST_STAGE_SKIPPED, CODEC errors of the key.
 */
export async function authenticate(
  parsed: ParsedQuote,
  options: { readonly attestationKey: Uint8Array },
): Promise<AuthenticQuote> {
  const signed = ParsedQuote.signedPartOf(parsed);
  const checks: Checklist = new Checklist([], { checks: parsed.checks, waivers: [] });
  const { algorithm, bytes } = signed.signature;
  const fault = await faultOf(async () => {
    const holder = parseSpki(options.attestationKey.slice());
    await verifySignature({ holder, algorithm, signature: bytes, message: signed.message });
  });
  checks.require('TPM_KEY', fault !== 'X509_KEY', {
    expected: `a key for ${algorithm.kind}`,
    actual: fault === 'X509_KEY' ? 'another key' : 'such a key',
  });
  checks.require('TPM_SIGNATURE', fault === undefined, {
    expected: 'signed by the attestation key',
    actual: fault === undefined ? 'it is' : 'it is not',
  });
  return new AuthenticQuote({ quote: parsed.quote, checks: checks.results().checks }, signed);
}

async function faultOf(verification: () => Promise<void>): Promise<'X509_KEY' | 'X509_SIGNATURE' | undefined> {
  try {
    await verification();
    return undefined;
  } catch (error) {
    const code = error instanceof FastnessError ? error.code : undefined;
    if (code === 'X509_KEY' || code === 'X509_SIGNATURE') return code;
    throw error;
  }
}
