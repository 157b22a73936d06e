import { fromBase64Url, utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { modelIdPattern } from '../manifest.ts';
import { decodeDsse, dsseSchema, encodeDsse, preAuthEncoding } from '../release/dsse.ts';
import { parseJsonText } from '../release/json.ts';
import type { Release } from '../release/release-document.ts';
import { importVerifyKey, signatureFits, type VerifyAlgorithm } from '../release/verify-key.ts';

/*
 * access.json: who may use a model, and how much. Its own document, because tenants come and go more often than releases, and
 * signed, because it lies with the host: the release names the key that signs it.
 */

/** The name of the file beside a sealed model. */
export const accessFile = 'access.json';
export const accessPayloadType = 'application/vnd.fastness.access+json';
/** Of keys that sign it. */
export const accessAlgorithms: readonly VerifyAlgorithm[] = Object.freeze(['P-256', 'P-384', 'P-521', 'Ed25519']);

export const maxTenants = 4096;
export const maxKeysOfTenant = 4;
/** Characters of the file, and of the base64 in it. */
export const maxAccessLength = 8 * 1024 * 1024;

const limit = z.int().min(1).max(1_000_000_000);

export const tenantLimitsSchema = z.strictObject({
  requestsPerMinute: limit.exactOptional(),
  /** Of prompts and answers together, in a day of UTC. */
  tokensPerDay: limit.exactOptional(),
  /** Requests at the same time. */
  concurrent: limit.exactOptional(),
});
/** What a tenant may use; an absent member is no limit. */
export type TenantLimits = z.infer<typeof tenantLimitsSchema>;

const keySchema = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9_-]{16}$/),
  /** See `apiKeyDigest`. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const tenantSchema = z.strictObject({
  /** Random: the host reads this file, and names are not for it. */
  id: z.string().regex(/^[A-Za-z0-9_-]{22}$/),
  keys: z.array(keySchema).max(maxKeysOfTenant),
  limits: tenantLimitsSchema,
});

const accessSchema = z
  .strictObject({
    format: z.literal('fastness/access/v1'),
    modelId: z.string().regex(modelIdPattern),
    /** Rises with every document of the model. */
    version: z.int().min(1),
    /** First instant at which nobody may use the model any more by this document. */
    expires: z.iso.datetime(),
    tenants: z.array(tenantSchema).max(maxTenants),
  })
  .refine(({ tenants }) => distinct(tenants.map(({ id }) => id)), { path: ['tenants'] })
  .refine(({ tenants }) => distinct(tenants.flatMap(({ keys }) => keys.map(({ id }) => id))), { path: ['tenants'] });

export type Access = z.infer<typeof accessSchema>;

function distinct(ids: readonly string[]): boolean {
  return new Set(ids).size === ids.length;
}

/** The bytes of a document, and those to sign. Errors: ACCESS_MALFORMED. */
export function accessToSign(access: Access): { payload: Uint8Array; signed: Uint8Array } {
  const payload = utf8Encode(JSON.stringify(access));
  parsePayload(payload);
  return { payload, signed: preAuthEncoding(accessPayloadType, payload) };
}

/** The text of the file. `keyId` is a hint (see `keyIdOf`). */
export function encodeAccess(payload: Uint8Array, signature: Uint8Array, keyId: string): string {
  const envelope = { payloadType: accessPayloadType, payload, signatures: [{ signature, keyId }] };
  return `${JSON.stringify(encodeDsse(envelope))}\n`;
}

/**
 * Reads the document of a release: one signature, by the key that the release names, for its model, not older than it asks for.
 * Whether it has expired is asked when it is used, by a clock that the host does not set.
 *
 * Does not protect against a host that keeps back a newer document: until the older one expires, or a release asks for more.
 * Errors: ACCESS_MALFORMED, ACCESS_SIGNATURE, ACCESS_OTHER_MODEL, ACCESS_OLDER, OMS_KEY_UNSUPPORTED.
 */
export async function readAccess(
  text: string,
  { modelId, access: rule }: Pick<Release, 'modelId'> & { readonly access: NonNullable<Release['access']> },
): Promise<Access> {
  const code = 'ACCESS_MALFORMED';
  const json = parseJsonText(text, {
    schema: dsseSchema(maxAccessLength),
    maxLength: maxAccessLength,
    code,
    what: accessFile,
  });
  const { payloadType, payload, signatures } = decodeDsse(json, code);
  const [only, ...more] = signatures;
  if (payloadType !== accessPayloadType) throw new FastnessError(code, 'Its payload is something else.');
  if (only === undefined || more.length > 0) throw new FastnessError(code, 'It needs exactly one signature.');
  const key = await importVerifyKey(fromBase64Url(rule.key), accessAlgorithms);
  if (!(await signatureFits(key, only.signature, preAuthEncoding(payloadType, payload)))) {
    throw new FastnessError('ACCESS_SIGNATURE');
  }
  const access = parsePayload(payload);
  if (access.modelId !== modelId) throw new FastnessError('ACCESS_OTHER_MODEL', access.modelId);
  if (access.version < rule.leastVersion) {
    throw new FastnessError('ACCESS_OLDER', `Version ${access.version}; the release asks for ${rule.leastVersion}.`);
  }
  return access;
}

function parsePayload(payload: Uint8Array): Access {
  const code = 'ACCESS_MALFORMED';
  let text: string;
  try {
    text = utf8Decode(payload);
  } catch (cause) {
    throw new FastnessError(code, 'Its payload is not text.', { cause });
  }
  return parseJsonText(text, { schema: accessSchema, maxLength: maxAccessLength, code, what: accessFile });
}
