import { equalBytes } from '@fastness/codec';
import { extensionOids, type Certificate } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import type { AndroidTrustAnchor } from '../../trust/google-android.ts';
import { fingerprintsOf } from '../../digest.ts';

const understood: ReadonlySet<string> = new Set([extensionOids.basicConstraints, extensionOids.keyUsage]);
const NO_ROOT = Object.freeze({ spki: 'none', whole: 'none' });

/** The root of a chain must hold a pinned key. Returns whether it is, byte for byte, a certificate known for that key. */
export async function requireRoot(
  chain: readonly Certificate[],
  anchors: readonly AndroidTrustAnchor[],
  checks: Checklist,
): Promise<boolean> {
  const root = chain.at(-1);
  const { spki, whole } = root === undefined ? NO_ROOT : await fingerprintsOf(root);
  const anchor = anchors.find(({ spkiSha256 }) => spkiSha256 === spki);
  checks.require('ANDROID_ROOT_NOT_PINNED', anchor !== undefined, {
    expected: anchors.map(({ spkiSha256 }) => spkiSha256).join(' or ') || 'no root at all',
    actual: spki,
  });
  return anchor.certificateSha256 === whole;
}

/** What the certificates of a chain may say, whoever signed them; signatures are verified elsewhere. */
export function checkChainShape(chain: readonly Certificate[], checks: Checklist): void {
  for (const [index, certificate] of chain.entries()) {
    const issuer = chain[index + 1] ?? certificate;
    checks.require('ANDROID_CHAIN_NAMES', equalBytes(certificate.issuer.raw, issuer.subject.raw), {
      expected: `certificate ${index} issued by the next one`,
      actual: certificate.issuer.commonName ?? 'another issuer',
    });
    if (index === 0) checkLeaf(certificate, checks);
    else checkAuthority(certificate, index, checks);
    const unknown = [...certificate.extensions].find(([oid, { critical }]) => critical && !understood.has(oid));
    checks.require('ANDROID_CERTIFICATE_EXTENSION', unknown === undefined, {
      expected: `no unknown critical extension in certificate ${index}`,
      actual: unknown?.[0] ?? 'none',
    });
  }
}

/** An attested key that is an authority could put another certificate below itself. */
function checkLeaf({ basicConstraints, keyUsage }: Certificate, checks: Checklist): void {
  const isAuthority = basicConstraints?.ca === true || keyUsage?.has('keyCertSign') === true;
  checks.require('ANDROID_LEAF_AUTHORITY', !isAuthority, {
    expected: 'no authority',
    actual: isAuthority ? 'an authority' : 'no authority',
  });
}

function checkAuthority({ basicConstraints, keyUsage }: Certificate, index: number, checks: Checklist): void {
  const issues = keyUsage === undefined || keyUsage.has('keyCertSign');
  const below = index - 1;
  const limit = basicConstraints?.pathLength ?? Infinity;
  checks.require('ANDROID_AUTHORITY_CONSTRAINTS', basicConstraints?.ca === true && issues && below <= limit, {
    expected: `certificate ${index} an authority for keyCertSign, with ${below} below it`,
    actual: `${basicConstraints?.ca === true ? 'an authority' : 'no authority'}, ${issues ? 'for keyCertSign' : 'not for keyCertSign'}, at most ${limit} below`,
  });
}

/**
 * Dates count between the ends of a chain. Those of the attested key's certificate are made up by the device (1970 to 2048,
 * mostly) and could be changed with its clock. The root is trusted for its key: Google issued the certificate of its old key
 * anew when it was about to end (2016 to 2026, 2019 to 2034, 2022 to 2042), and devices go on sending the one they have.
 */
export function checkValidity(chain: readonly Certificate[], now: Date, checks: Checklist): void {
  for (const { notBefore, notAfter } of chain.slice(1, -1)) {
    checks.require('ANDROID_INTERMEDIATE_VALIDITY', notBefore <= now && now.getTime() < notAfter.getTime() + 1000, {
      expected: `${notBefore.toISOString()} to ${notAfter.toISOString()}`,
      actual: now.toISOString(),
    });
  }
}
