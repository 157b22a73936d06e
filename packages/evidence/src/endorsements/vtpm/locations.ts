import { contextPrimitive, readDerSequence, type DerReader } from '@fastness/codec/der';
import { extensionOids, type Certificate } from '@fastness/codec/x509';
import { utf8Decode } from '@fastness/codec/bytes';

const AUTHORITY_INFORMATION = '1.3.6.1.5.5.7.1.1';
const CA_ISSUERS = '1.3.6.1.5.5.7.48.2';
const URI = contextPrimitive(6);

/** Where a certificate says that its issuer's certificate lies (RFC 5280, section 4.2.2.1), if it says so. */
export function issuerLocation(certificate: Certificate): string | undefined {
  const extension = certificate.extensions.get(AUTHORITY_INFORMATION);
  if (extension === undefined) return undefined;
  return readDerSequence(extension.value, (list) => {
    let found: string | undefined;
    while (list.remaining > 0) {
      const description = list.sequence();
      const method = description.oid();
      const { tag, content } = description.element();
      description.end();
      if (method === CA_ISSUERS && tag === URI) found ??= utf8Decode(content);
    }
    return found;
  });
}

/** Where a certificate says that its issuer's revocation list lies (RFC 5280, section 4.2.1.13), if it says so. */
export function listLocation(certificate: Certificate): string | undefined {
  const extension = certificate.extensions.get(extensionOids.crlDistributionPoints);
  if (extension === undefined) return undefined;
  return readDerSequence(extension.value, (list) => {
    let found: string | undefined;
    while (list.remaining > 0) {
      const point = list.sequence();
      const names = point.explicit(0)?.explicit(0);
      if (names !== undefined) found ??= firstUri(names);
      while (point.remaining > 0) point.element();
    }
    return found;
  });
}

function firstUri(names: DerReader): string | undefined {
  let found: string | undefined;
  while (names.remaining > 0) {
    const { tag, content } = names.element();
    if (tag === URI) found ??= utf8Decode(content);
  }
  return found;
}
