import { createHash } from 'node:crypto';
import type { Claims } from '@fastness/attest';
import { equalBytes, fromHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';

/** What a guest was configured with at its start, as it tells it; the evidence says whether that is so. */
export const initDataSchema = z.strictObject({
  format: z.enum(['toml', 'json']),
  body: z.string().max(256 * 1024),
});
export type InitData = z.infer<typeof initDataSchema>;

const algorithms: ReadonlyMap<string, string> = new Map([
  ['sha256', 'sha256'],
  ['sha-256', 'sha256'],
  ['sha384', 'sha384'],
  ['sha-384', 'sha384'],
  ['sha512', 'sha512'],
  ['sha-512', 'sha512'],
]);

/**
 * Checks that the evidence carries the digest of the init data: in HOST_DATA (32 bytes) or MRCONFIGID (48 bytes), cut to that
 * size or filled up with zeros. Init data that comes without such evidence must not pass for the guest's.
 * Throws `RCAR_INIT_DATA_INVALID`, `RCAR_INIT_DATA_MISMATCH`.
 */
export function checkInitData(initData: InitData, claims: Claims): void {
  const hash = algorithmOf(initData);
  const place = claims.tee === 'sev-snp' ? claims.hostData : claims.tee === 'tdx' ? claims.mrConfigId : '';
  const found = fromHex(place);
  const expected = new Uint8Array(found.length);
  expected.set(createHash(hash).update(initData.body, 'utf8').digest().subarray(0, found.length));
  if (found.length === 0 || !equalBytes(found, expected)) throw new FastnessError('RCAR_INIT_DATA_MISMATCH');
}

/** The one member that is needed, from the top level of the text. */
function algorithmOf({ format, body }: InitData): string {
  const name = format === 'json' ? fromJson(body) : fromToml(body);
  const hash = name === undefined ? undefined : algorithms.get(name.toLowerCase());
  if (hash === undefined) throw new FastnessError('RCAR_INIT_DATA_INVALID');
  return hash;
}

function fromJson(body: string): string | undefined {
  try {
    return z.looseObject({ algorithm: z.string() }).safeParse(JSON.parse(body)).data?.algorithm;
  } catch {
    return undefined;
  }
}

/** The line `algorithm = "..."` before the first table. A text that hides one in a string only changes its own digest. */
function fromToml(body: string): string | undefined {
  const [top = ''] = body.split(/^\s*\[/m, 1);
  return /^[ \t]*algorithm[ \t]*=[ \t]*["']([A-Za-z0-9-]{1,16})["'][ \t]*(?:#.*)?$/m.exec(top)?.[1];
}
