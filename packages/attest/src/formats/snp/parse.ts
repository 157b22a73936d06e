import { compareBytes } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { Checklist } from '../../checks.ts';
import type { Cmw } from '../../cmw.ts';
import { readCertificate, readCrl, type VerificationMeans } from '../../means.ts';
import { decodeSnpEndorsements, decodeSnpEvidence } from './evidence.ts';
import { readFields } from './fields.ts';
import { REPORT_BYTES, REPORT_VERSIONS, reportLayout, SIGNED_BYTES, type Field } from './layout.ts';
import { ParsedReport } from './stages.ts';
import './errors.ts';

const COORDINATE_BYTES = 48;
/** Certificates and revocation lists that evidence and endorsements may bring together. A chain needs four. */
const MAX_OBJECTS = 16;
/** Envelopes of endorsements that evidence may come with. */
const MAX_ENDORSEMENTS = 8;

/**
 * Reads evidence and its endorsements. Says nothing about whether any of it is genuine.
 * Throws SNP_REPORT_SIZE, SNP_REPORT_VERSION, SNP_REPORT_PADDING, errors of the envelopes (ATTEST_..., CMW_...) and of the
 * certificates and revocation lists (CODEC_..., X509_...).
 */
export function parse(evidence: Cmw, endorsements: readonly Cmw[] = [], means: VerificationMeans = {}): ParsedReport {
  if (endorsements.length > MAX_ENDORSEMENTS) {
    throw new FastnessError(
      'ATTEST_ENDORSEMENT_MALFORMED',
      `${endorsements.length} endorsements; at most ${MAX_ENDORSEMENTS}.`,
    );
  }
  const { simulated, report, certificates, crls } = decodeSnpEvidence(evidence);
  const extra = endorsements.map((endorsement) => decodeSnpEndorsements(endorsement));
  const checks: Checklist = new Checklist([]);

  checks.require('SNP_REPORT_SIZE', report.length === REPORT_BYTES, {
    expected: `${REPORT_BYTES} bytes`,
    actual: `${report.length}`,
  });
  const fields = readFields(report);
  checks.require('SNP_REPORT_VERSION', REPORT_VERSIONS.includes(fields.version), {
    expected: `version ${REPORT_VERSIONS.join(', ')}`,
    actual: `${fields.version}`,
  });
  const padded = paddingIsZero(report);
  checks.require('SNP_REPORT_PADDING', padded, {
    expected: 'zeros around the signature',
    actual: padded ? 'zeros' : 'other bytes',
  });

  const ders = distinct([...certificates, ...extra.flatMap((endorsement) => endorsement.certificates)]);
  const crlDers = distinct([...crls, ...extra.flatMap((endorsement) => endorsement.crls)]);
  const signature = new Uint8Array(2 * COORDINATE_BYTES);
  signature.set(coordinate(report, reportLayout.signatureR), 0);
  signature.set(coordinate(report, reportLayout.signatureS), COORDINATE_BYTES);
  return new ParsedReport(
    {
      simulated,
      report: fields,
      certificates: Object.freeze(ders.map((der) => readCertificate(der, means))),
      crls: Object.freeze(crlDers.map((der) => readCrl(der, means))),
      checks: checks.results().checks,
    },
    { message: report.slice(0, SIGNED_BYTES), signature },
  );
}

/** r or s: stored little-endian, wanted big-endian (IEEE P1363). */
function coordinate(report: Uint8Array, field: Field): Uint8Array {
  return report.slice(field.offset, field.offset + COORDINATE_BYTES).toReversed();
}

/** Nothing signs these bytes, so any value but zero would be room for a message that nobody vouches for. */
function paddingIsZero(report: Uint8Array): boolean {
  const { signatureR, signatureS, signaturePadding } = reportLayout;
  const spans = [
    report.subarray(signatureR.offset + COORDINATE_BYTES, signatureS.offset),
    report.subarray(signatureS.offset + COORDINATE_BYTES, signaturePadding.offset),
    report.subarray(signaturePadding.offset),
  ];
  return spans.every((span) => span.every((byte) => byte === 0));
}

/** Evidence and endorsements often bring the same certificate; each is read once. */
function distinct(ders: readonly Uint8Array[]): Uint8Array[] {
  const kept: Uint8Array[] = [];
  for (const der of ders) {
    if (!kept.some((other) => compareBytes(other, der) === 0)) kept.push(der);
  }
  if (kept.length > MAX_OBJECTS) {
    throw new FastnessError(
      'ATTEST_ENDORSEMENT_MALFORMED',
      `${kept.length} certificates or revocation lists; at most ${MAX_OBJECTS}.`,
    );
  }
  return kept;
}
