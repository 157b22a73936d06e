import { plainView } from '../bytes/bytes.ts';
import { FastnessError } from '../errors/index.ts';
import { extensionOids, readBasicConstraints, readExtensions, readKeyUsage } from './extensions.ts';
import { readName } from './name.ts';
import { readPublicKey } from './public-key.ts';
import { openSignedObject, readSerial } from './signed-object.ts';
import type { Certificate } from './types.ts';

const MAX_BYTES = 64 * 1024;

/**
 * Reads one DER certificate (RFC 5280, section 4.1) and nothing after it. The subset: version 3, at most 64 KiB,
 * the algorithms of `readSignatureAlgorithm`, no unique identifiers, one instance of each extension. Deviations let
 * through because vendors make them: serial number 0, a written-out PSS trailer, a zero bit after
 * the last key usage.
 * Nothing is verified here.
 * @throws CODEC_*, X509_VERSION, X509_SERIAL, X509_ALGORITHM, X509_ALGORITHM_MISMATCH, X509_KEY,
 *   X509_DUPLICATE_EXTENSION, X509_EXTENSION
 */
export function parseCertificate(der: Uint8Array): Certificate {
  const { tbs, fields, signature, signatureAlgorithm, checkInnerAlgorithm } = openSignedObject(der, MAX_BYTES);
  const version = fields.explicit(0);
  if (version === undefined || version.smallInteger() !== 2) throw new FastnessError('X509_VERSION');
  version.end();
  const serial = readSerial(fields);
  checkInnerAlgorithm();
  const issuer = readName(fields);
  const validity = fields.sequence();
  const notBefore = validity.time();
  const notAfter = validity.time();
  validity.end();
  const subject = readName(fields);
  const spki = fields.expect(0x30);
  const publicKey = readPublicKey(fields.inside(spki));
  const tagged = fields.explicit(3);
  const extensions = tagged === undefined ? new Map<string, never>() : readExtensions(tagged);
  fields.end();
  const basicConstraints = extensions.get(extensionOids.basicConstraints);
  const keyUsage = extensions.get(extensionOids.keyUsage);
  return {
    kind: 'certificate',
    raw: plainView(der),
    tbs,
    version: 3,
    serial,
    issuer,
    subject,
    notBefore,
    notAfter,
    spki: spki.raw,
    publicKey,
    extensions,
    ...(basicConstraints === undefined ? {} : { basicConstraints: readBasicConstraints(basicConstraints.value) }),
    ...(keyUsage === undefined ? {} : { keyUsage: readKeyUsage(keyUsage.value) }),
    signatureAlgorithm,
    signature,
  };
}
