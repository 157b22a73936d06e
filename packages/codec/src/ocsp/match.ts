import { equalBytes, plainBytes } from '../bytes/bytes.ts';
import { readDerSequence } from '../der/reader.ts';
import { FastnessError } from '../errors/index.ts';
import { checkCriticalExtensions } from '../x509/extensions.ts';
import { checkValidity } from '../x509/checks.ts';
import type { Certificate } from '../x509/types.ts';
import type { OcspAnswer, OcspHashName, OcspResponderId, OcspResponse } from './types.ts';

const EXTENDED_KEY_USAGE = '2.5.29.37';
const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9';

/**
 * What a response says about `certificate`, which `issuer` must have issued: hashes of another issuer's name or key do not
 * match, whatever the serial is. Undefined: nothing.
 */
export async function answerFor(
  response: OcspResponse,
  certificate: Certificate,
  issuer: Certificate,
): Promise<OcspAnswer | undefined> {
  const key = publicKeyBits(issuer);
  for (const answer of response.answers) {
    const { hash, issuerNameHash, issuerKeyHash, serial } = answer.id;
    if (!equalBytes(serial, certificate.serial)) continue;
    const [name, keyHash] = await Promise.all([digest(hash, issuer.subject.raw), digest(hash, key)]);
    if (equalBytes(name, issuerNameHash) && equalBytes(keyHash, issuerKeyHash)) return answer;
  }
  return undefined;
}

/**
 * Who may have signed a response about certificates of `issuer` (RFC 6960, section 4.2.2.2): the issuer itself, or the holder
 * of a certificate that came along, names the issuer, is in its time and is marked for signing OCSP responses. Whether the
 * issuer signed that certificate, and the responder the response, is for the caller to verify. The responder's own revocation
 * is not looked at. Undefined: nobody.
 */
export async function authorisedResponder(
  response: OcspResponse,
  issuer: Certificate,
  now: Date,
): Promise<{ readonly signer: Certificate; readonly delegated: boolean } | undefined> {
  if (await isNamed(response.responder, issuer)) return { signer: issuer, delegated: false };
  for (const signer of response.certificates) {
    if (!(await isNamed(response.responder, signer))) continue;
    if (!equalBytes(signer.issuer.raw, issuer.subject.raw)) continue;
    if (holdsFor(signer, now)) return { signer, delegated: true };
  }
  return undefined;
}

async function isNamed(responder: OcspResponderId, certificate: Certificate): Promise<boolean> {
  if (responder.kind === 'name') return equalBytes(responder.name, certificate.subject.raw);
  return equalBytes(responder.sha1, await digest('SHA-1', publicKeyBits(certificate)));
}

/** Whether a certificate is for signing OCSP responses now. */
function holdsFor(certificate: Certificate, now: Date): boolean {
  const usage = certificate.extensions.get(EXTENDED_KEY_USAGE);
  if (usage === undefined || certificate.basicConstraints?.ca === true) return false;
  if (certificate.keyUsage?.has('digitalSignature') === false) return false;
  const purposes = readDerSequence(usage.value, (fields) => {
    const oids: string[] = [];
    while (fields.remaining > 0) oids.push(fields.oid());
    return oids;
  });
  if (!purposes.includes(OCSP_SIGNING)) return false;
  try {
    checkCriticalExtensions(certificate, [EXTENDED_KEY_USAGE]);
    checkValidity(certificate, now);
    return true;
  } catch (error) {
    if (error instanceof FastnessError) return false;
    throw error;
  }
}

/** The content of the BIT STRING in a SubjectPublicKeyInfo, which is what OCSP hashes. */
function publicKeyBits({ spki }: Certificate): Uint8Array {
  return readDerSequence(spki, (fields) => {
    fields.element();
    return fields.bitString();
  });
}

async function digest(hash: OcspHashName, bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest(hash, plainBytes(bytes)));
}
