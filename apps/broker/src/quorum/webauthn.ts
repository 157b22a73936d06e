import { createHash } from 'node:crypto';
import { concatBytes, equalBytes, fromBase64Url, toBase64Url, utf8Decode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';

const base64Url = z.string().regex(/^[A-Za-z0-9_-]*$/);

/** An assertion as `navigator.credentials.get` gives it, each part in base64url. */
export const assertionSchema = z.strictObject({
  clientDataJSON: base64Url.min(8).max(8192),
  authenticatorData: base64Url.min(49).max(4096),
  signature: base64Url.min(8).max(1024),
});
export type Assertion = z.infer<typeof assertionSchema>;

/** Browsers may add members to clientDataJSON, so unknown ones are left alone (WebAuthn level 3, section 5.8.1). */
const clientDataSchema = z.object({
  type: z.string(),
  challenge: z.string(),
  origin: z.string(),
  crossOrigin: z.boolean().optional(),
  topOrigin: z.string().optional(),
});

const userPresent = 0x01;
const userVerified = 0x04;
const attestedData = 0x40;
const extensionData = 0x80;

/**
 * Checks what an assertion says (WebAuthn level 3, section 7.2, steps 10 to 17) and returns the bytes that its signature
 * is over, and its counter. Whether the signature fits and the counter rose is the caller's.
 * Throws `QUORUM_WEBAUTHN_MALFORMED`, `_CHALLENGE`, `_ORIGIN`, `_RP_ID`, `_USER`.
 */
export function readAssertion(
  assertion: Assertion,
  expected: { readonly challenge: Uint8Array; readonly rpId: string; readonly origins: readonly string[] },
): { readonly signed: Uint8Array; readonly signature: Uint8Array; readonly counter: number } {
  const clientData = decode(assertion.clientDataJSON);
  const data = decode(assertion.authenticatorData);
  const client = parseClientData(clientData);
  if (client.type !== 'webauthn.get') throw new FastnessError('QUORUM_WEBAUTHN_MALFORMED', 'It is no assertion.');
  if (client.challenge !== toBase64Url(expected.challenge)) throw new FastnessError('QUORUM_WEBAUTHN_CHALLENGE');
  if (!expected.origins.includes(client.origin) || client.crossOrigin === true || client.topOrigin !== undefined) {
    throw new FastnessError('QUORUM_WEBAUTHN_ORIGIN');
  }
  // rpIdHash 32 | flags 1 | signCount 4; an assertion carries no attested credential, extensions may follow.
  if (data.length < 37) throw new FastnessError('QUORUM_WEBAUTHN_MALFORMED', 'authenticatorData is too short.');
  const flags = data[32] ?? 0;
  if ((flags & attestedData) !== 0 || data.length > 37 !== ((flags & extensionData) !== 0)) {
    throw new FastnessError('QUORUM_WEBAUTHN_MALFORMED', 'authenticatorData has parts that it does not announce.');
  }
  const rpIdHash = createHash('sha256').update(expected.rpId, 'utf8').digest();
  if (!equalBytes(data.subarray(0, 32), rpIdHash)) throw new FastnessError('QUORUM_WEBAUTHN_RP_ID');
  if ((flags & userPresent) === 0 || (flags & userVerified) === 0) throw new FastnessError('QUORUM_WEBAUTHN_USER');
  const counter = new DataView(data.buffer, data.byteOffset).getUint32(33);
  const clientDataHash = new Uint8Array(createHash('sha256').update(clientData).digest());
  return { signed: concatBytes(data, clientDataHash), signature: decode(assertion.signature), counter };
}

function parseClientData(bytes: Uint8Array): z.infer<typeof clientDataSchema> {
  try {
    return clientDataSchema.parse(JSON.parse(utf8Decode(bytes)));
  } catch (cause) {
    throw new FastnessError('QUORUM_WEBAUTHN_MALFORMED', 'clientDataJSON cannot be read.', { cause });
  }
}

function decode(text: string): Uint8Array {
  try {
    return fromBase64Url(text);
  } catch (cause) {
    throw new FastnessError('QUORUM_WEBAUTHN_MALFORMED', 'Not base64url.', { cause });
  }
}
