import type { AttestationPolicy, Cmw } from '@fastness/attest';
import { encodeTdxEvidence } from '@fastness/attest/formats/tdx';
import { fromBase64 } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { readSnpEvidence } from './snp-evidence.ts';
import type { RcarTee } from './tees.ts';

/** Evidence of a TD: the quote, and the event log of the boot (CCEL), both in base64. */
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

/**
 * Takes evidence of a guest out of its JSON. The event log of a TD is read where the policy asks for one alone: guests of
 * Confidential Containers may extend RTMR3 and send a log that does not know of it. Throws `RCAR_EVIDENCE_MALFORMED`.
 */
export function readGuestEvidence(
  tee: RcarTee,
  value: unknown,
  { tdx }: Pick<AttestationPolicy, 'tdx'>,
): { evidence: Cmw; endorsements: Cmw[] } {
  if (tee === 'sev-snp') return readSnpEvidence(value);
  const read = tdxEvidence.safeParse(value);
  if (!read.success) throw new FastnessError('RCAR_EVIDENCE_MALFORMED', 'tdx: expected quote and cc_eventlog.');
  const quote = base64('quote', read.data.quote);
  const log = read.data.cc_eventlog ?? '';
  const asked = tdx?.eventLog === 'required' || tdx?.events !== undefined || tdx?.requiredEvents !== undefined;
  const eventLog = asked && log !== '' ? { eventLog: base64('cc_eventlog', log) } : {};
  return { evidence: encodeTdxEvidence({ quote, ...eventLog }), endorsements: [] };
}

function base64(name: string, text: string): Uint8Array {
  try {
    return fromBase64(text);
  } catch (cause) {
    throw new FastnessError('RCAR_EVIDENCE_MALFORMED', `tdx: ${name} is not base64.`, { cause });
  }
}

/** Refuses evidence of devices, which is a JSON map in a string; none is an empty string or map. Throws `RCAR_ADDITIONAL_EVIDENCE_UNSUPPORTED`. */
export function refuseAdditionalEvidence(text: string): void {
  if (text.trim() !== '' && !/^\s*\{\s*\}\s*$/.test(text)) {
    throw new FastnessError('RCAR_ADDITIONAL_EVIDENCE_UNSUPPORTED');
  }
}
