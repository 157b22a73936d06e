import { FastnessError } from '@fastness/codec/errors';
import { Checklist } from '../../checks.ts';
import type { EventLog } from '../../event-log/index.ts';
import { checkCmw, type Cmw } from '../../cmw.ts';
import { readCertificate, readOnce, type VerificationMeans } from '../../means.ts';
import { parseDcapCollateral, type ParsedCollateral } from './collateral.ts';
import { readEnclaveReport } from './enclave-report.ts';
import type { BodyKind, DcapFlavour } from './flavour.ts';
import { readQuote } from './quote.ts';
import { ParsedQuote } from './stages.ts';
import './errors.ts';

/** Largest quote buffer that is read. Quotes are about 5 KB; drivers hand out buffers of 8 or 16. */
const MAX_QUOTE_BYTES = 65_536;

/** Reads a quote and its collateral, from private copies: the caller's buffers may change while signatures are verified. */
export function parseQuote<Body>(
  evidence: Cmw,
  endorsements: readonly Cmw[],
  flavour: DcapFlavour & { readonly evidenceType: string },
  readBody: (body: Uint8Array, kind: BodyKind) => Body,
  means: VerificationMeans & { readonly eventLog?: EventLog | undefined },
): ParsedQuote<Body> {
  if (checkCmw(evidence).type !== flavour.evidenceType) {
    throw new FastnessError('ATTEST_EVIDENCE_UNSUPPORTED', `Type ${evidence.type}.`);
  }
  if (evidence.value.length > MAX_QUOTE_BYTES) {
    throw new FastnessError('DCAP_QUOTE_MALFORMED', `${evidence.value.length} bytes; at most ${MAX_QUOTE_BYTES}.`);
  }
  if (endorsements.length > 1) {
    throw new FastnessError('ATTEST_ENDORSEMENT_MALFORMED', `${endorsements.length} sets of collateral; at most one.`);
  }
  const checks: Checklist = new Checklist([]);
  const [endorsement] = endorsements;
  const collateral = endorsement === undefined ? undefined : readCollateral(endorsement, means);
  const given = collateral?.pckCertificates;
  const quote = readQuote(evidence.value.slice(), flavour, checks, { ...means, chainGiven: given !== undefined });
  const certificates = given ?? quote.certificates.map((certificate) => readCertificate(certificate, means));
  return new ParsedQuote(
    {
      body: readBody(quote.body, quote.bodyKind),
      qeReport: readEnclaveReport(quote.qeReport),
      certificates: Object.freeze(certificates),
      collateral,
      eventLog: means.eventLog,
      checks: checks.results().checks,
    },
    quote,
    flavour,
  );
}

/** Collateral serves every platform of a model until Intel updates it, so a cache keeps it whole. */
function readCollateral(endorsement: Cmw, means: VerificationMeans): ParsedCollateral {
  const { type } = checkCmw(endorsement);
  return readOnce(type, endorsement.value, (value) => parseDcapCollateral({ ...endorsement, value }), means);
}
