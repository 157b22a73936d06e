import { DerReader, contextPrimitive } from '@fastness/codec/der';
import { utf8Decode } from '@fastness/codec/bytes';
import type { Certificate } from '@fastness/codec/x509';

export const subjectAltNameOid = '2.5.29.17';

/** Kinds of names that identify an administrator, by their tag (RFC 5280, section 4.2.1.6). */
const kinds: ReadonlyMap<number, string> = new Map([
  [contextPrimitive(1), 'email'],
  [contextPrimitive(2), 'DNS'],
  [contextPrimitive(6), 'URI'],
]);

/**
 * The subject alternative names of a certificate, each as kind and text (`URI:spiffe://...`). Names of other kinds, and
 * texts that are not printable ASCII, are left out: they identify nobody. Throws `CODEC_...` for what is no list of names.
 */
export function alternativeNames(certificate: Certificate): string[] {
  const extension = certificate.extensions.get(subjectAltNameOid);
  if (extension === undefined) return [];
  const reader = new DerReader(extension.value);
  const list = reader.sequence();
  reader.end();
  const names: string[] = [];
  while (list.remaining > 0) {
    const { tag, content } = list.element();
    const kind = kinds.get(tag);
    if (kind === undefined || content.some((byte) => byte < 0x21 || byte > 0x7e)) continue;
    names.push(`${kind}:${utf8Decode(content)}`);
  }
  return names;
}
