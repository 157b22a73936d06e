import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { decodePem, equalBytes, toHex } from '@fastness/codec/bytes';
import { DerReader } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';
import {
  checkCrlWindow,
  checkNotRevoked,
  parseCertificate,
  parseCrl,
  verifyChain,
  verifySignedBy,
  type Certificate,
  type Crl,
} from '@fastness/codec/x509';
import type { AdminIdentity } from './acting.ts';
import { alternativeNames, subjectAltNameOid } from './alternative-names.ts';
import type { CertificateOptions } from './options.ts';

const extendedKeyUsageOid = '2.5.29.37';
const clientAuthOid = '1.3.6.1.5.5.7.3.2';
const maxListBytes = 1 << 20;

/** Tells administrators by their client certificates. */
export interface CertificateCheck {
  /** PEM of the authorities, which the TLS handshake names to clients. */
  readonly authorities: string;
  /**
   * Whose certificate it is. The TLS connection has proven that the client holds its key; everything else is checked here,
   * at each request, so that a connection does not outlive a certificate: issued by one of the authorities itself, valid
   * now, for clients, no authority, not revoked. Throws `BROKER_ADMIN_CERTIFICATE`, `BROKER_ADMIN_REVOCATION_LIST`,
   * `BROKER_ADMIN_IDENTITY_UNKNOWN`.
   */
  identify(der: Uint8Array, now: Date): Promise<AdminIdentity>;
}

/** Reads the authorities. Throws `BROKER_CONFIG_INVALID`. */
export async function openCertificateCheck(options: CertificateOptions): Promise<CertificateCheck> {
  const { identities, revocationListPath } = options;
  const { pem, authorities } = await readAuthorities(options.authorityPath);
  const lists = revocationListPath === undefined ? undefined : revocationLists(revocationListPath, authorities);
  return {
    authorities: pem,
    async identify(der, now) {
      const certificate = await asRefused(async () => {
        const leaf = parseCertificate(der);
        const issuer = authorities.find(({ subject }) => equalBytes(subject.raw, leaf.issuer.raw));
        if (issuer === undefined) throw new FastnessError('X509_ISSUER_NAME');
        await verifyChain({ chain: [leaf, issuer], now, understood: [extendedKeyUsageOid, subjectAltNameOid] });
        requireClientCertificate(leaf);
        return leaf;
      });
      const list = await lists?.(certificate, now);
      if (list !== undefined) await asRefused(() => checkNotRevoked(certificate, list));
      const spkiSha256 = createHash('sha256').update(certificate.spki).digest('hex');
      const names = await asRefused(() => alternativeNames(certificate));
      const found = identities.find((identity) =>
        'spkiSha256' in identity ? identity.spkiSha256 === spkiSha256 : names.includes(identity.subjectAltName),
      );
      if (found === undefined) throw new FastnessError('BROKER_ADMIN_IDENTITY_UNKNOWN', `Key ${spkiSha256}.`);
      return { name: found.name, via: 'certificate', roles: found.roles };
    },
  };
}

async function readAuthorities(path: string): Promise<{ pem: string; authorities: readonly Certificate[] }> {
  try {
    const pem = await readFile(path, 'utf8');
    const authorities = decodePem(pem, 'CERTIFICATE').map(parseCertificate);
    for (const { basicConstraints } of authorities)
      if (basicConstraints?.ca !== true) throw new FastnessError('X509_NOT_CA');
    // By name an issuer is found, and its revocation list.
    const names = new Set(authorities.map(({ subject }) => toHex(subject.raw)));
    if (names.size !== authorities.length) throw new FastnessError('X509_ISSUER_NAME', 'Two have one name.');
    return { pem, authorities };
  } catch (cause) {
    throw new FastnessError('BROKER_CONFIG_INVALID', `administrators: no authorities in ${path}.`, { cause });
  }
}

/** A certificate that says of itself that it is for TLS clients; one for servers, or an authority's, is none. */
function requireClientCertificate({ extensions, basicConstraints, keyUsage }: Certificate): void {
  if (basicConstraints?.ca === true) throw new FastnessError('X509_KEY_USAGE', 'An authority.');
  if (keyUsage !== undefined && !keyUsage.has('digitalSignature')) throw new FastnessError('X509_KEY_USAGE');
  const usage = extensions.get(extendedKeyUsageOid);
  if (usage === undefined) throw new FastnessError('X509_KEY_USAGE', 'Not for clients.');
  const reader = new DerReader(usage.value);
  const list = reader.sequence();
  reader.end();
  const purposes: string[] = [];
  while (list.remaining > 0) purposes.push(list.oid());
  if (!purposes.includes(clientAuthOid)) throw new FastnessError('X509_KEY_USAGE', 'Not for clients.');
}

/** The revocation list for a certificate, from a file that is read again when it changes. No current list, no access. */
function revocationLists(
  path: string,
  authorities: readonly Certificate[],
): (certificate: Certificate, now: Date) => Promise<Crl> {
  let version = '';
  let lists: readonly Crl[] = [];
  const reload = async (): Promise<void> => {
    const { mtimeNs, size, ino } = await stat(path, { bigint: true });
    const found = `${mtimeNs}/${size}/${ino}`;
    if (found === version) return;
    if (size > maxListBytes) throw new FastnessError('CODEC_LIMIT');
    const read = decodePem(await readFile(path, 'utf8'), 'X509 CRL').map(parseCrl);
    for (const list of read) {
      const issuer = authorities.find(({ subject }) => equalBytes(subject.raw, list.issuer.raw));
      if (issuer === undefined) throw new FastnessError('X509_ISSUER_NAME');
      await verifySignedBy(list, issuer);
    }
    version = found;
    lists = read;
  };
  return async ({ issuer }, now) => {
    try {
      await reload();
      const list = lists.find((each) => equalBytes(each.issuer.raw, issuer.raw));
      if (list === undefined) throw new FastnessError('X509_ISSUER_NAME');
      checkCrlWindow(list, now);
      return list;
    } catch (cause) {
      throw new FastnessError('BROKER_ADMIN_REVOCATION_LIST', undefined, { cause });
    }
  };
}

/** What is wrong with a certificate, by its code: its holder has it in hand and learns nothing new. */
async function asRefused<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof FastnessError)) throw cause;
    throw new FastnessError('BROKER_ADMIN_CERTIFICATE', `${cause.code}.`, { cause });
  }
}
