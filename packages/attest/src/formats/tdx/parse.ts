import type { Cmw } from '../../cmw.ts';
import type { VerificationMeans } from '../../means.ts';
import { parseQuote } from '../dcap/parse.ts';
import type { ParsedQuote } from '../dcap/stages.ts';
import { readTdBody, type TdBody } from './body.ts';
import { tdxFlavour } from './flavour.ts';
import './errors.ts';

/**
 * Reads a TDX quote and its collateral. Says nothing about whether any of it is genuine.
 * Throws DCAP_QUOTE_..., DCAP_COLLATERAL_MALFORMED and errors of the envelopes and certificates (ATTEST_..., CMW_...,
 * CODEC_..., X509_...).
 */
export function parse(
  evidence: Cmw,
  endorsements: readonly Cmw[] = [],
  means: VerificationMeans = {},
): ParsedQuote<TdBody> {
  return parseQuote(evidence, endorsements, tdxFlavour, readTdBody, means);
}
