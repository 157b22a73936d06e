import type { Cmw } from '../../cmw.ts';
import type { VerificationMeans } from '../../means.ts';
import { parseEventLog } from '../../event-log/index.ts';
import { parseQuote } from '../dcap/parse.ts';
import type { ParsedQuote } from '../dcap/stages.ts';
import { readTdBody, type TdBody } from './body.ts';
import { decodeTdxEvidence } from './evidence.ts';
import { tdxFlavour } from './flavour.ts';
import './errors.ts';

/**
 * Reads a TDX quote, with or without the event log of the boot, and its collateral. Says nothing about whether any of it is genuine.
 * Throws DCAP_QUOTE_..., DCAP_COLLATERAL_MALFORMED, EVENT_LOG_... and errors of the envelopes and certificates (ATTEST_..., CMW_...,
 * CODEC_..., X509_...).
 */
export function parse(
  evidence: Cmw,
  endorsements: readonly Cmw[] = [],
  means: VerificationMeans = {},
): ParsedQuote<TdBody> {
  const { quote, eventLog: bytes } = decodeTdxEvidence(evidence);
  // A log of that much padding as its area has is read, whoever collected it.
  const eventLog = bytes === undefined ? undefined : parseEventLog(bytes, { padding: 'accepted' });
  return parseQuote(quote, endorsements, tdxFlavour, readTdBody, { ...means, eventLog });
}
