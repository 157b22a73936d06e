import { equalBytes, toHex } from '@fastness/codec';
import { contextPrimitive, DerReader, readDerSequence } from '@fastness/codec/der';
import { extensionOids, type Certificate } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import { fingerprintsOf } from '../../digest.ts';
import { nameOf } from '../../signatures.ts';
import type { VtpmTrustAnchor } from '../../trust/vtpm-anchor.ts';

/** The certificates above an attestation key, from the root down. */
export interface AkChain {
  readonly root: Certificate;
  /** From the one that the root issued to the one that issued the leaf; may be empty. */
  readonly intermediates: readonly Certificate[];
  /** Of the attestation key. */
  readonly leaf: Certificate;
  /** Whether `root` is, byte for byte, the certificate known for the pinned key. */
  readonly rootKnown: boolean;
}

/** Authorities above a leaf. Google and Azure have two; the bound limits the work of a refusal. */
const MAX_AUTHORITIES = 4;

/**
 * Follows issuers from the leaf up to a certificate with a pinned key. Which certificates are tried is decided by names and
 * key identifiers; whether they signed each other is verified afterwards.
 */
export async function selectAkChain(
  leaf: Certificate,
  pool: readonly Certificate[],
  anchors: readonly VtpmTrustAnchor[],
  checks: Checklist,
): Promise<AkChain> {
  const path: Certificate[] = [leaf];
  for (;;) {
    const top = path.at(-1) ?? leaf;
    const { spki, whole } = await fingerprintsOf(top);
    const anchor = path.length > 1 ? anchors.find(({ spkiSha256 }) => spkiSha256 === spki) : undefined;
    if (anchor !== undefined) {
      checks.require('TPM_AK_ROOT_NOT_PINNED', true, { expected: anchor.name, actual: spki });
      const rootKnown = whole === anchor.certificateSha256;
      return Object.freeze({ root: top, intermediates: path.slice(1, -1).toReversed(), leaf, rootKnown });
    }
    const isRoot = equalBytes(top.issuer.raw, top.subject.raw);
    checks.require('TPM_AK_ROOT_NOT_PINNED', !isRoot && path.length <= MAX_AUTHORITIES, {
      expected: anchors.map(({ spkiSha256 }) => spkiSha256).join(' or ') || 'no root at all',
      actual: isRoot ? spki : `${path.length - 1} authorities without one of them`,
    });
    const issuer = issuerOf(top, pool);
    checks.require('TPM_AK_ISSUER_MISSING', issuer !== undefined, {
      expected: `the certificate that issued ${nameOf(top)}`,
      actual: issuer === undefined ? `none named ${top.issuer.commonName ?? 'like its issuer'}` : nameOf(issuer),
    });
    path.push(issuer);
  }
}

/** Both ends of every validity period are included; the last second counts in full, as the dates have no fractions. */
export function checkAkValidity({ root, intermediates, leaf }: AkChain, now: Date, checks: Checklist): void {
  const periods = [
    ['TPM_AK_ROOT_VALIDITY', root] as const,
    ...intermediates.map((certificate) => ['TPM_AK_INTERMEDIATE_VALIDITY', certificate] as const),
    ['TPM_AK_LEAF_VALIDITY', leaf] as const,
  ];
  for (const [code, { notBefore, notAfter }] of periods) {
    checks.require(code, notBefore <= now && now.getTime() < notAfter.getTime() + 1000, {
      expected: `${notBefore.toISOString()} to ${notAfter.toISOString()}`,
      actual: now.toISOString(),
    });
  }
}

/** Authorities of one name with different keys exist (Google's intermediates), so the key identifier decides among them. */
function issuerOf(certificate: Certificate, pool: readonly Certificate[]): Certificate | undefined {
  const named = pool.filter((other) => other !== certificate && equalBytes(other.subject.raw, certificate.issuer.raw));
  const wanted = authorityKeyId(certificate);
  return named.find((other) => wanted !== undefined && subjectKeyId(other) === wanted) ?? named[0];
}

function subjectKeyId({ extensions }: Certificate): string | undefined {
  const value = extensions.get(extensionOids.subjectKeyIdentifier)?.value;
  if (value === undefined) return undefined;
  const reader = new DerReader(value);
  const id = toHex(reader.octetString());
  reader.end();
  return id;
}

/** Issuer name and serial, which may follow, are not looked at. */
function authorityKeyId({ extensions }: Certificate): string | undefined {
  const value = extensions.get(extensionOids.authorityKeyIdentifier)?.value;
  if (value === undefined) return undefined;
  return readDerSequence(value, (fields) => {
    const id = fields.optional(contextPrimitive(0));
    while (fields.remaining > 0) fields.element();
    return id === undefined ? undefined : toHex(id.content);
  });
}
