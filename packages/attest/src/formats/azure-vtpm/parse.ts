import { Checklist } from '../../checks.ts';
import { checkCmw, type Cmw } from '../../cmw.ts';
import type { VerificationMeans } from '../../means.ts';
import { VTPM_ENDORSEMENTS_TYPE } from '../../media-types.ts';
import { readAkCertificates, type AkCertificates } from '../tpm/ak-certificates.ts';
import { decodeVtpmEndorsements } from '../tpm/evidence.ts';
import { readQuote } from '../tpm/quote.ts';
import { ParsedQuote } from '../tpm/stages.ts';
import { decodeAzureVtpmEvidence } from './evidence.ts';
import { parseHardware, type ParsedHardware } from './hardware.ts';
import { readHclReport } from './hcl.ts';
import { readRuntimeData, type RuntimeData } from './runtime-data.ts';
import './errors.ts';

/** Where the trust in the key may come from: runtime data that the hardware's report vouches for. */
export interface ClaimedMachine {
  readonly hardware: ParsedHardware;
  readonly runtimeData: Uint8Array;
  readonly runtime: RuntimeData;
  /** Absent: none was sent. */
  readonly certificates?: AkCertificates;
}

/**
 * Reads a quote, the registers, the HCL report with the hardware's report and the runtime data in it, and what came with
 * them. Says nothing about whether any of it is genuine. Endorsements are those of the hardware (SEV-SNP certificates and
 * lists, or Intel's collateral) and those of the attestation key.
 *
 * Throws the TPM_ or AZURE_VTPM_ code of the first field that is wrong, what the reader of the hardware throws, EVENT_LOG_...,
 * errors of the envelopes and certificates (ATTEST_..., CMW_..., CODEC_..., X509_...).
 */
export function parse(
  evidence: Cmw,
  endorsements: readonly Cmw[] = [],
  means: VerificationMeans = {},
): ParsedQuote<ClaimedMachine> {
  const content = decodeAzureVtpmEvidence(evidence);
  const checks: Checklist = new Checklist([]);
  const { signed, fields } = readQuote(content, checks);
  const hcl = readHclReport(content.hclReport, checks);
  const runtime = readRuntimeData(hcl.runtimeData, checks);
  const ofKey = endorsements.filter((endorsement) => checkCmw(endorsement).type === VTPM_ENDORSEMENTS_TYPE);
  const ofHardware = endorsements.filter((endorsement) => !ofKey.includes(endorsement));
  const parts = { report: hcl.hardware, tdQuote: content.tdQuote, endorsements: ofHardware };
  const hardware = parseHardware(hcl.reportType, parts, checks, means);
  const { certificates: sent = [] } = content;
  const certificates =
    sent.length === 0 ? {} : { certificates: readAkCertificates(sent, decodeVtpmEndorsements(ofKey), means) };
  const trust = Object.freeze({ hardware, runtime, runtimeData: hcl.runtimeData, ...certificates });
  return new ParsedQuote({ ...fields, trust, checks: checks.results().checks }, signed, 'azure-vtpm');
}
