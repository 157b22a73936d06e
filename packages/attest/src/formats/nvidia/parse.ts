import { FastnessError } from '@fastness/codec/errors';
import { parseOcspResponse } from '@fastness/codec/ocsp';
import { Checklist } from '../../checks.ts';
import type { Cmw } from '../../cmw.ts';
import { readCertificate, readOnce, type VerificationMeans } from '../../means.ts';
import { readChip } from './device.ts';
import { decodeNvidiaEndorsements, decodeNvidiaEvidence, MAX_RESPONSES, MAX_RIMS } from './evidence.ts';
import { CHAIN_LENGTH, MAX_CERTIFICATE_BYTES } from './layout.ts';
import { readMessages } from './message.ts';
import { readReport } from './report.ts';
import { readRim } from './rim/swid.ts';
import { ParsedReport } from './stages.ts';
import './errors.ts';

/** Each device of a machine may bring its own. */
const MAX_ENDORSEMENTS = 32;

/**
 * Reads a report, its certificates and the endorsements that came along. Says nothing about whether any of it is genuine.
 * Throws the NVIDIA_ code of the first field that is wrong, errors of the envelopes (ATTEST_..., CMW_..., CODEC_...) and of
 * the certificates and responses (CODEC_..., X509_...).
 */
export function parse(evidence: Cmw, endorsements: readonly Cmw[] = [], means: VerificationMeans = {}): ParsedReport {
  if (endorsements.length > MAX_ENDORSEMENTS) {
    const detail = `${endorsements.length} endorsements; at most ${MAX_ENDORSEMENTS}.`;
    throw new FastnessError('ATTEST_ENDORSEMENT_MALFORMED', detail);
  }
  const { kind, report: bytes, certificates: ders, settings } = decodeNvidiaEvidence(evidence);
  const checks: Checklist = new Checklist([]);
  const oversized = ders.find(({ length }) => length > MAX_CERTIFICATE_BYTES);
  const [first] = ders;
  checks.require(
    'NVIDIA_CHAIN_LENGTH',
    first !== undefined && ders.length === CHAIN_LENGTH && oversized === undefined,
    {
      expected: `${CHAIN_LENGTH} certificates of at most ${MAX_CERTIFICATE_BYTES} bytes`,
      actual: `${ders.length}${oversized === undefined ? '' : `, one of ${oversized.length} bytes`}`,
    },
  );
  const leaf = readCertificate(first, means);
  const certificates = [leaf, ...ders.slice(1).map((der) => readCertificate(der, means))];
  const chip = readChip(leaf, kind, checks);
  const messages = readMessages(bytes, kind, checks);
  const report = readReport(messages, kind, checks);
  const given = endorsements.map((endorsement) => decodeNvidiaEndorsements(endorsement));
  const rims = given.flatMap((each) => each.rims);
  const responses = given.flatMap((each) => each.ocspResponses);
  if (rims.length > MAX_RIMS || responses.length > MAX_RESPONSES) {
    const detail = `${rims.length} documents, ${responses.length} responses; at most ${MAX_RIMS} and ${MAX_RESPONSES}.`;
    throw new FastnessError('ATTEST_ENDORSEMENT_MALFORMED', detail);
  }
  return new ParsedReport(
    {
      kind,
      report,
      chip,
      certificates: Object.freeze(certificates),
      settings,
      rims: Object.freeze(rims.map((rim) => readRim(rim, means))),
      ocspResponses: Object.freeze(responses.map((der) => readOnce('ocsp', der, parseOcspResponse, means))),
      checks: checks.results().checks,
    },
    { message: messages.signedPart, signature: messages.signature },
  );
}
