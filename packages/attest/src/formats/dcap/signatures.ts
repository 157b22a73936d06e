import { concatBytes, equalBytes, toHex } from '@fastness/codec';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { importSpki, verifySignedBy, type Certificate, type Crl } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import type { SignedDocument } from './collateral.ts';
import type { Quote } from './quote.ts';

/** What became of one signature. */
export interface SignatureOutcome {
  readonly code: ErrorCode;
  readonly expected: string;
  readonly holds: boolean;
  /** What kept the signature from being verified at all, for instance a key off its curve. */
  readonly fault?: unknown;
}

const P256 = Object.freeze({ name: 'ECDSA', namedCurve: 'P-256' });
const ES256 = Object.freeze({ name: 'ECDSA', hash: 'SHA-256' });

/** That `issuer` issued a certificate or a list. */
export async function issued(
  code: ErrorCode,
  child: Certificate | Crl,
  issuer: Certificate,
): Promise<SignatureOutcome> {
  const what = child.kind === 'crl' ? 'its revocation list' : (child.subject.commonName ?? 'a certificate');
  return outcomeOf(code, `${issuer.subject.commonName ?? ''} signed ${what}`, async () =>
    verifySignedBy(child, issuer),
  );
}

/** That the holder of a certificate signed the bytes of a document. */
export async function documentSigned(
  code: ErrorCode,
  signer: Certificate,
  { signed, signature }: SignedDocument<unknown>,
): Promise<SignatureOutcome> {
  return outcomeOf(code, `${signer.subject.commonName ?? ''} signed the document`, async () =>
    verifyRaw(await importSpki(signer, { kind: 'ecdsa', hash: 'SHA-256' }), signature, signed),
  );
}

/** That the attestation key signed the quote. */
export async function quoteSigned({ attestationKey, signature, signed }: Quote): Promise<SignatureOutcome> {
  return outcomeOf('DCAP_QUOTE_SIGNATURE', 'the attestation key signed the quote', async () => {
    let key: CryptoKey;
    try {
      const point = concatBytes(Uint8Array.of(4), attestationKey);
      key = await globalThis.crypto.subtle.importKey('raw', point, P256, false, ['verify']);
    } catch (cause) {
      throw new FastnessError('X509_SIGNATURE', 'The attestation key is not a point of P-256.', { cause });
    }
    await verifyRaw(key, signature, signed);
  });
}

/** That the PCK signed the quoting enclave's report. */
export async function qeReportSigned(leaf: Certificate, quote: Quote): Promise<SignatureOutcome> {
  return outcomeOf('DCAP_QE_REPORT_SIGNATURE', 'the PCK signed the report of the quoting enclave', async () =>
    verifyRaw(await importSpki(leaf, { kind: 'ecdsa', hash: 'SHA-256' }), quote.qeReportSignature, quote.qeReport),
  );
}

/** The report of the quoting enclave vouches for the attestation key: SHA-256(key || authentication data), then zeros. */
export async function checkQeReportData(quote: Quote, checks: Checklist): Promise<void> {
  const message = concatBytes(quote.attestationKey, quote.authData);
  const digest = new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', message));
  const expected = concatBytes(digest, new Uint8Array(32));
  const actual = quote.qeReport.subarray(320);
  checks.require('DCAP_QE_REPORT_DATA', equalBytes(actual, expected), {
    expected: toHex(expected),
    actual: toHex(actual),
  });
}

/** Throws for the first signature that does not hold or could not be verified. */
export function requireSignatures(outcomes: readonly SignatureOutcome[], checks: Checklist): void {
  for (const { code, expected, holds, fault } of outcomes) {
    if (fault !== undefined) throw fault;
    checks.require(code, holds, { expected, actual: holds ? 'it did' : 'it did not' });
  }
}

async function verifyRaw(key: CryptoKey, signature: Uint8Array, message: Uint8Array): Promise<void> {
  const holds = await globalThis.crypto.subtle.verify(ES256, key, Uint8Array.from(signature), Uint8Array.from(message));
  if (!holds) throw new FastnessError('X509_SIGNATURE');
}

/** Never rejects, so that the order in which signatures fail does not matter. */
async function outcomeOf(
  code: ErrorCode,
  expected: string,
  verification: () => Promise<void>,
): Promise<SignatureOutcome> {
  try {
    await verification();
    return { code, expected, holds: true };
  } catch (error) {
    const outcome = { code, expected, holds: false };
    return error instanceof FastnessError && error.code === 'X509_SIGNATURE' ? outcome : { ...outcome, fault: error };
  }
}
