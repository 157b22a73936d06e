import { Checklist } from '../../checks.ts';
import type { Cmw } from '../../cmw.ts';
import type { VerificationMeans } from '../../means.ts';
import { readAkCertificates, type AkCertificates } from '../tpm/ak-certificates.ts';
import { decodeVtpmEndorsements } from '../tpm/evidence.ts';
import { readQuote } from '../tpm/quote.ts';
import { ParsedQuote } from '../tpm/stages.ts';
import { decodeGcpVtpmEvidence } from './evidence.ts';
import { readInstanceInfo, type InstanceInfo } from './instance-info.ts';
import './errors.ts';

/** Where the trust in the key may come from: its certificate. */
export interface ClaimedInstance {
  readonly certificates: AkCertificates;
  readonly instance: InstanceInfo;
}

/**
 * Reads a quote, the registers, the certificates and the event log that came with it. Says nothing about whether any of it is
 * genuine. Throws the TPM_ code of the first field that is wrong, GCP_VTPM_INSTANCE_INFO, EVENT_LOG_..., errors of the
 * envelopes and certificates (ATTEST_..., CMW_..., CODEC_..., X509_...).
 */
export function parse(
  evidence: Cmw,
  endorsements: readonly Cmw[] = [],
  means: VerificationMeans = {},
): ParsedQuote<ClaimedInstance> {
  const content = decodeGcpVtpmEvidence(evidence);
  const checks: Checklist = new Checklist([]);
  const { signed, fields } = readQuote(content, checks);
  const certificates = readAkCertificates(content.certificates, decodeVtpmEndorsements(endorsements), means);
  const trust = Object.freeze({ certificates, instance: readInstanceInfo(certificates.leaf, checks) });
  return new ParsedQuote({ ...fields, trust, checks: checks.results().checks }, signed, 'gcp-vtpm');
}
