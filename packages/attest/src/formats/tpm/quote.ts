import { concatBytes, toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { parseSpki, verifySignature } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import { sha256Hex } from '../../digest.ts';
import { evidenceVerifier, type VerificationMeans } from '../../means.ts';
import { readAttest, type TpmQuote } from './attest.ts';
import type { PcrValues, ReadContent } from './content.ts';
import { digestBytes, MAX_KEY_BYTES, MAX_QUOTE_BYTES } from './layout.ts';
import { readSignature, type TpmSignature } from './signature.ts';
import type { AuthenticQuote, ParsedQuote, QuotedPcrs, SignedQuote } from './stages.ts';

/** What every kind of TPM does with a quote, whatever its trust in the key rests on. */

/** Reads quote and signature out of the content of evidence. Throws TPM_SIZE and the codes of the structures. */
export function readQuote(
  content: ReadContent,
  checks: Checklist,
): { readonly signed: SignedQuote; readonly fields: Pick<ParsedQuote<unknown>, 'quote' | 'pcrs' | 'eventLog'> } {
  const { attest: message, pcrs, eventLog } = content;
  const longest = Math.max(message.length, content.signature.length);
  checks.require('TPM_SIZE', longest <= MAX_QUOTE_BYTES, {
    expected: `at most ${MAX_QUOTE_BYTES} bytes`,
    actual: `${longest}`,
  });
  const quote = readAttest(message, checks);
  const signature = readSignature(content.signature, checks);
  return { signed: { message, signature }, fields: { quote, pcrs, eventLog } };
}

/**
 * Establishes that the key (DER SubjectPublicKeyInfo) signed the quote and that the quote's digest covers the registers. The
 * digest is made with the hash of the signing scheme, not with that of the bank (TPM 2.0 Library, part 3, section 18.4).
 * Everything rests on the key: one that came with the quote proves nothing by itself.
 * Throws TPM_KEY, TPM_SIGNATURE, TPM_PCR_VALUE, TPM_PCR_DIGEST, CODEC errors of the key.
 */
export async function authenticateQuote(
  { quote, pcrs, eventLog }: Pick<ParsedQuote<unknown>, 'quote' | 'pcrs' | 'eventLog'>,
  signed: SignedQuote,
  key: Uint8Array,
  checks: Checklist,
  means: VerificationMeans,
): Promise<Pick<AuthenticQuote<unknown>, 'quote' | 'pcrs' | 'eventLog' | 'attestationKeySha256'>> {
  await requireSignature(signed, key, checks, means);
  const covered = await requireDigest(quote, pcrs, signed.signature, checks);
  return { quote, pcrs: covered, eventLog, attestationKeySha256: await sha256Hex(key) };
}

async function requireSignature(
  { message, signature }: SignedQuote,
  key: Uint8Array,
  checks: Checklist,
  means: VerificationMeans,
): Promise<void> {
  const { algorithm, bytes } = signature;
  let fault: 'X509_KEY' | 'X509_SIGNATURE' | undefined;
  try {
    if (key.length > MAX_KEY_BYTES) throw new FastnessError('X509_KEY', `${key.length} bytes.`);
    const holder = parseSpki(key);
    await verifySignature({ holder, algorithm, signature: bytes, message, verifier: evidenceVerifier(means) });
  } catch (error) {
    const code = error instanceof FastnessError ? error.code : undefined;
    if (code !== 'X509_KEY' && code !== 'X509_SIGNATURE') throw error;
    fault = code;
  }
  checks.require('TPM_KEY', fault !== 'X509_KEY', {
    expected: `a key for ${algorithm.kind}`,
    actual: fault === 'X509_KEY' ? 'another key' : 'such a key',
  });
  checks.require('TPM_SIGNATURE', fault === undefined, {
    expected: 'signed by the attestation key',
    actual: fault === undefined ? 'it is' : 'it is not',
  });
}

/** Returns the selected registers, all of them covered by the digest; others that were sent are dropped. */
async function requireDigest(
  quote: TpmQuote,
  pcrs: PcrValues,
  { hash }: TpmSignature,
  checks: Checklist,
): Promise<QuotedPcrs> {
  const values: Uint8Array[] = [];
  const covered = quote.selections.map(({ bank, indexes }) => {
    const registers = indexes.map((index) => {
      // A copy, so that what is digested is what is handed on.
      const value = pcrs[bank]?.get(index)?.slice();
      checks.require('TPM_PCR_VALUE', value !== undefined && value.length === digestBytes[bank], {
        expected: `${bank} PCR${index} of ${digestBytes[bank]} bytes`,
        actual: value === undefined ? 'nothing' : `${value.length} bytes`,
      });
      values.push(value);
      return [`${index}`, toHex(value)] as const;
    });
    return [bank, Object.freeze(Object.fromEntries(registers))] as const;
  });
  const digest = toHex(new Uint8Array(await globalThis.crypto.subtle.digest(hash, concatBytes(...values))));
  checks.require('TPM_PCR_DIGEST', digest === quote.pcrDigest, { expected: quote.pcrDigest, actual: digest });
  return Object.freeze(Object.fromEntries(covered));
}
