import { Checklist } from '../../checks.ts';
import type { Cmw } from '../../cmw.ts';
import { decodeTpmEvidence } from './evidence.ts';
import { readQuote } from './quote.ts';
import { ParsedQuote } from './stages.ts';
import './errors.ts';

/** Where the trust in the key may come from: nowhere but the policy, so that this is a claim like the rest. */
export interface ClaimedKey {
  /** DER SubjectPublicKeyInfo. */
  readonly attestationKey: Uint8Array;
}

/**
 * Reads a quote, the registers, the key and the event log that came with it. Says nothing about whether any of it is genuine.
 * Throws the TPM_ code of the first field that is wrong, EVENT_LOG_..., errors of the envelope (ATTEST_..., CMW_...,
 * CODEC_...).
 */
export function parse(evidence: Cmw): ParsedQuote<ClaimedKey> {
  const content = decodeTpmEvidence(evidence);
  const checks: Checklist = new Checklist([]);
  const { signed, fields } = readQuote(content, checks);
  const trust = Object.freeze({ attestationKey: content.attestationKey });
  return new ParsedQuote({ ...fields, trust, checks: checks.results().checks }, signed, 'tpm');
}
