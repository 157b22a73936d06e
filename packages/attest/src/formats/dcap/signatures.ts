import { concatBytes, equalBytes, fromHex, toHex } from '@fastness/codec';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { parseSpki, verifyRawSignature, type Certificate, type KeyHolder } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import { endorsementVerifier, evidenceVerifier, readOnce, sha256By, type VerificationMeans } from '../../means.ts';
import { issuedOnce, nameOf, outcomeOf, type SignatureOutcome } from '../../signatures.ts';
import type { SignedDocument } from './collateral.ts';
import type { Quote } from './quote.ts';

const algorithm = Object.freeze({ kind: 'ecdsa', hash: 'SHA-256' } as const);
/** DER of a SubjectPublicKeyInfo on P-256 up to the coordinates of its point. */
const P256_SPKI = fromHex('3059301306072a8648ce3d020106082a8648ce3d03010703420004');

/** That the holder of a certificate signed the bytes of a document. */
export async function documentSigned(
  code: ErrorCode,
  holder: Certificate,
  document: SignedDocument<unknown>,
  means: VerificationMeans,
): Promise<SignatureOutcome> {
  const { signed: message, signature } = document;
  const expected = `${nameOf(holder)} signed the document`;
  return issuedOnce('dcap-document', { code, expected, issuer: holder, child: document }, means, async () =>
    verifyRawSignature({ holder, algorithm, signature, message }, endorsementVerifier(means)),
  );
}

/** That the attestation key signed the quote. */
export async function quoteSigned(quote: Quote, means: VerificationMeans): Promise<SignatureOutcome> {
  const { attestationKey, signature, signed: message } = quote;
  return outcomeOf('DCAP_QUOTE_SIGNATURE', 'the attestation key signed the quote', async () => {
    const holder = readOnce('attestation-key', attestationKey, readKey, means);
    try {
      await verifyRawSignature({ holder, algorithm, signature, message }, evidenceVerifier(means));
    } catch (cause) {
      // The key comes with the quote: one off the curve has signed nothing.
      if (cause instanceof FastnessError && cause.code === 'X509_KEY') {
        throw new FastnessError('X509_SIGNATURE', 'The attestation key is not a point of P-256.', { cause });
      }
      throw cause;
    }
  });
}

function readKey(point: Uint8Array): KeyHolder {
  return parseSpki(concatBytes(P256_SPKI, point));
}

/** That the PCK signed the quoting enclave's report. */
export async function qeReportSigned(
  holder: Certificate,
  { qeReport: message, qeReportSignature: signature }: Quote,
  means: VerificationMeans,
): Promise<SignatureOutcome> {
  return outcomeOf('DCAP_QE_REPORT_SIGNATURE', 'the PCK signed the report of the quoting enclave', async () =>
    verifyRawSignature({ holder, algorithm, signature, message }, evidenceVerifier(means)),
  );
}

/** What the report of the quoting enclave must carry to vouch for the attestation key: SHA-256(key || auth data), zeros. */
export async function vouchingReportData(
  { attestationKey, authData }: Quote,
  means: VerificationMeans,
): Promise<Uint8Array> {
  const padded = async (message: Uint8Array) => concatBytes(await sha256By(means, message), new Uint8Array(32));
  return readOnce('vouching', concatBytes(attestationKey, authData), padded, means);
}

/** The report of the quoting enclave vouches for the attestation key. */
export function checkQeReportData({ qeReport }: Quote, expected: Uint8Array, checks: Checklist): void {
  const actual = qeReport.subarray(320);
  checks.require('DCAP_QE_REPORT_DATA', equalBytes(actual, expected), {
    expected: toHex(expected),
    actual: toHex(actual),
  });
}
