import { utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { decodeDsse, dsseSchema, encodeDsse, preAuthEncoding, type DsseEnvelope } from './dsse.ts';
import { parseJsonText } from './json.ts';

export const approvalPayloadType = 'application/vnd.fastness.approval+json';

/** Characters of one approval. */
export const maxApprovalLength = 16 * 1024;

/** Approver ids become file names, so they are as strict as key ids; "@" allows addresses. */
export const approverIdPattern = /^[a-z0-9][a-z0-9._@-]{0,63}$/;

/** The signed content of an approval. */
export const approvalSchema = z.strictObject({
  format: z.literal('fastness/approval/v1'),
  /** SHA-256 of the release's signed payload, hex. */
  releaseDigest: z.string().regex(/^[0-9a-f]{64}$/),
  approver: z.string().regex(approverIdPattern),
  decision: z.literal('approve'),
  /** When the approver signed, by their own clock. */
  at: z.iso.datetime(),
});

export type Approval = z.infer<typeof approvalSchema>;

/** An approval, read but not verified. */
export interface ParsedApproval {
  readonly approval: Approval;
  readonly signature: Uint8Array;
  /** The bytes that are signed. */
  readonly signed: Uint8Array;
}

/** An approval is one DSSE envelope with exactly one signature. Errors: APPROVAL_MALFORMED. */
export function parseApproval(text: string): ParsedApproval {
  const code = 'APPROVAL_MALFORMED';
  const json = parseJsonText(text, {
    schema: dsseSchema(maxApprovalLength),
    maxLength: maxApprovalLength,
    code,
    what: 'The approval',
  });
  const { payloadType, payload, signatures } = decodeDsse(json, code);
  const [only, ...more] = signatures;
  if (payloadType !== approvalPayloadType) throw new FastnessError(code, 'Its payload is something else.');
  if (only === undefined || more.length > 0) throw new FastnessError(code, 'It needs exactly one signature.');
  const approval = parseJsonText(decodeText(payload), {
    schema: approvalSchema,
    maxLength: maxApprovalLength,
    code,
    what: 'The approval',
  });
  return { approval, signature: only.signature, signed: preAuthEncoding(payloadType, payload) };
}

/** The payload of a new approval, and the bytes to sign. */
export function approvalToSign(approval: Approval): { payload: Uint8Array; signed: Uint8Array } {
  const payload = utf8Encode(JSON.stringify(approval));
  return { payload, signed: preAuthEncoding(approvalPayloadType, payload) };
}

/** The text of an approval file. */
export function encodeApproval(payload: Uint8Array, signature: Uint8Array, keyId: string): string {
  const envelope: DsseEnvelope = { payloadType: approvalPayloadType, payload, signatures: [{ signature, keyId }] };
  return `${JSON.stringify(encodeDsse(envelope), null, 2)}\n`;
}

function decodeText(payload: Uint8Array): string {
  try {
    return utf8Decode(payload);
  } catch (cause) {
    throw new FastnessError('APPROVAL_MALFORMED', 'Its payload is not text.', { cause });
  }
}
