import { decodeCbor, encodeCbor, type CborValue } from '@fastness/codec/cbor';
import { FastnessError } from '@fastness/codec/errors';
import { checkCmw, CMW_EVIDENCE, type Cmw } from '../../cmw.ts';
import { TDX_EVIDENCE_TYPE, TDX_QUOTE_TYPE } from '../../media-types.ts';

/** Media types of evidence that this verifier reads: the quote alone, or with a log. */
export const tdxEvidenceTypes: readonly string[] = Object.freeze([TDX_QUOTE_TYPE, TDX_EVIDENCE_TYPE]);

/** A map of two byte strings. */
const limits = Object.freeze({ maxDepth: 2, maxItems: 16 });

/**
 * Wraps a quote as evidence, with the event log of the boot where there is one: the area that the CCEL table points to, and
 * after its events those that software extended later, in the same format (TCG PC Client Platform Firmware Profile, section
 * 10.2; registers counted as CCEL does, 0 MRTD and 1 to 4 RTMR0 to RTMR3).
 */
export function encodeTdxEvidence(evidence: { readonly quote: Uint8Array; readonly eventLog?: Uint8Array }): Cmw {
  const { quote, eventLog } = evidence;
  if (eventLog === undefined) return { type: TDX_QUOTE_TYPE, value: quote, ind: CMW_EVIDENCE };
  const content = new Map<number, CborValue>([
    [1, quote],
    [2, eventLog],
  ]);
  return { type: TDX_EVIDENCE_TYPE, value: encodeCbor(content), ind: CMW_EVIDENCE };
}

/** The quote as evidence by itself, and the log that came with it. Throws ATTEST_EVIDENCE_MALFORMED, CMW_... and CODEC errors. */
export function decodeTdxEvidence(evidence: Cmw): { readonly quote: Cmw; readonly eventLog?: Uint8Array } {
  // Of another type: whoever reads the quote refuses it.
  if (checkCmw(evidence).type !== TDX_EVIDENCE_TYPE) return { quote: evidence };
  const content = decodeCbor(evidence.value.slice(), { limits });
  const [quote, eventLog] = content instanceof Map && content.size === 2 ? [content.get(1), content.get(2)] : [];
  if (!(quote instanceof Uint8Array) || !(eventLog instanceof Uint8Array)) {
    throw new FastnessError('ATTEST_EVIDENCE_MALFORMED', 'Expected a CBOR map of a quote (1) and an event log (2).');
  }
  return { quote: { ...evidence, type: TDX_QUOTE_TYPE, value: quote }, eventLog };
}
