import { CMW_EVIDENCE, TDX_QUOTE_TYPE, type Cmw } from '@fastness/attest';
import { fromBase64 } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { readSnpEvidence } from './snp-evidence.ts';
import type { RcarTee } from './tees.ts';

/** Evidence of a TD: the quote, and an event log that nothing here depends on. */
const tdxEvidence = z.strictObject({
  quote: z
    .string()
    .min(1)
    .max(64 * 1024),
  cc_eventlog: z
    .string()
    .max(1 << 20)
    .nullish(),
});

/** Takes evidence of a guest out of its JSON. Throws `RCAR_EVIDENCE_MALFORMED`. */
export function readGuestEvidence(tee: RcarTee, value: unknown): { evidence: Cmw; endorsements: Cmw[] } {
  if (tee === 'sev-snp') return readSnpEvidence(value);
  const read = tdxEvidence.safeParse(value);
  if (!read.success) throw new FastnessError('RCAR_EVIDENCE_MALFORMED', 'tdx: expected quote and cc_eventlog.');
  let quote: Uint8Array;
  try {
    quote = fromBase64(read.data.quote);
  } catch (cause) {
    throw new FastnessError('RCAR_EVIDENCE_MALFORMED', 'tdx: the quote is not base64.', { cause });
  }
  return { evidence: { type: TDX_QUOTE_TYPE, value: quote, ind: CMW_EVIDENCE }, endorsements: [] };
}

/** Refuses evidence of devices, which is a JSON map in a string; none is an empty string or map. Throws `RCAR_ADDITIONAL_EVIDENCE_UNSUPPORTED`. */
export function refuseAdditionalEvidence(text: string): void {
  if (text.trim() !== '' && !/^\s*\{\s*\}\s*$/.test(text)) {
    throw new FastnessError('RCAR_ADDITIONAL_EVIDENCE_UNSUPPORTED');
  }
}
