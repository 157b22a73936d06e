import { z } from 'zod';

const base64UrlPattern = /^[A-Za-z0-9_-]*$/;

/** Unpadded base64url of at least one and at most `maxBytes` bytes. The decoder checks the final bits. */
export function base64UrlUpTo(maxBytes: number): z.ZodString {
  return z
    .string()
    .min(2)
    .max(Math.ceil((maxBytes * 4) / 3))
    .regex(base64UrlPattern);
}

/** Unpadded base64url of exactly 32 bytes (43 characters, of which the last carries four bits). */
export const base64Url32Schema = z.string().regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/);

/** Lower-case hex of exactly 32 bytes. */
export const hex32Schema = z.string().regex(/^[0-9a-f]{64}$/);

/** A time as `Date.prototype.toISOString` writes it. */
export const isoTimeSchema = z.iso.datetime({ offset: false, precision: 3 });

/** An offline proof of a log entry with the entry in it (c2sp.org/tlog-proof). */
export const logProofSchema = z.string().max(96 * 1024);

/** An identifier that a service chose: printable, short, safe in a log line. */
export const identifierSchema = z.string().regex(/^[A-Za-z0-9._:-]{1,128}$/);

/** A conceptual message wrapper as JSON (RFC 9999): media type, base64url value, optional indicator. */
export const cmwJsonSchema = z.union([
  z.tuple([z.string().min(1).max(128), base64UrlUpTo(512 * 1024)]),
  z.tuple([z.string().min(1).max(128), base64UrlUpTo(512 * 1024), z.int().min(0).max(0xffffffff)]),
]);
export type CmwJson = z.infer<typeof cmwJsonSchema>;

/** Records of one collection: eight GPUs, four switches and what belongs to the processor are fourteen, and its type. */
const maxRecords = 33;

/** Evidence as JSON: a record, or a collection of records by label with its type under `__cmwc_t` (RFC 9999). */
export const evidenceJsonSchema = z.union([
  cmwJsonSchema,
  z
    .record(z.string().min(1).max(64), z.union([cmwJsonSchema, z.string().min(1).max(256)]))
    .refine((members) => Object.keys(members).length <= maxRecords),
]);
export type EvidenceJson = z.infer<typeof evidenceJsonSchema>;
