import { readDerSequence } from '@fastness/codec/der';
import { extensionOids, type Certificate } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import { nameOf } from '../../signatures.ts';
import type { AkChain } from './ak-chain.ts';

const EXTENDED_KEY_USAGE = '2.5.29.37';
/** Purposes of TCG's key certificates (TCG EK Credential Profile, section 3.2.16): endorsement and attestation keys. */
const EK_PURPOSE = '2.23.133.8.1';
const AIK_PURPOSE = '2.23.133.8.3';
const MAX_PURPOSES = 16;

/** What a vendor's leaf says of its purpose: Azure states it; Google states none, but another would be wrong. */
export type LeafPurpose = 'stated' | 'stated-or-none';

/** What the certificates of a chain may say, whoever signed them; signatures are verified elsewhere. */
export function checkAkChainShape(
  { root, intermediates, leaf }: AkChain,
  purpose: LeafPurpose,
  checks: Checklist,
): void {
  const authorities = [root, ...intermediates];
  for (const certificate of [...authorities, leaf]) checkExtensions(certificate, checks);
  authorities.forEach((authority, index) => {
    const { basicConstraints, keyUsage } = authority;
    const sound = basicConstraints?.ca === true && keyUsage?.has('keyCertSign') === true;
    checks.require('TPM_AK_AUTHORITY_CONSTRAINTS', sound, {
      expected: `${nameOf(authority)} an authority for keyCertSign`,
      actual: `${basicConstraints?.ca === true ? 'an authority' : 'no authority'} for ${[...(keyUsage ?? [])].join(' and ') || 'nothing'}`,
    });
    const limit = basicConstraints.pathLength ?? Infinity;
    const below = authorities.length - 1 - index;
    checks.require('TPM_AK_PATH_LENGTH', below <= limit, {
      expected: `at most ${limit} authorities below ${nameOf(authority)}`,
      actual: `${below}`,
    });
    checkPurpose(authority, [EK_PURPOSE, AIK_PURPOSE], 'stated-or-none', checks);
  });
  const isAuthority = leaf.basicConstraints?.ca === true || leaf.keyUsage?.has('keyCertSign') === true;
  const signs = leaf.keyUsage?.has('digitalSignature') === true;
  checks.require('TPM_AK_LEAF_CONSTRAINTS', !isAuthority && signs, {
    expected: 'no authority, for digitalSignature',
    actual: `${isAuthority ? 'an authority' : 'no authority'}, for ${[...(leaf.keyUsage ?? [])].join(' and ') || 'nothing'}`,
  });
  checkPurpose(leaf, [AIK_PURPOSE], purpose, checks);
}

function checkExtensions(certificate: Certificate, checks: Checklist): void {
  const understood: ReadonlySet<string> = new Set([
    extensionOids.basicConstraints,
    extensionOids.keyUsage,
    EXTENDED_KEY_USAGE,
  ]);
  const unknown = [...certificate.extensions].find(([oid, { critical }]) => critical && !understood.has(oid));
  checks.require('TPM_AK_CERTIFICATE_EXTENSION', unknown === undefined, {
    expected: 'no unknown critical extension',
    actual: `${nameOf(certificate)}: ${unknown?.[0] ?? 'none'}`,
  });
}

function checkPurpose(
  certificate: Certificate,
  accepted: readonly string[],
  purpose: LeafPurpose,
  checks: Checklist,
): void {
  const stated = purposesOf(certificate);
  const fits = stated === undefined ? purpose === 'stated-or-none' : stated.some((oid) => accepted.includes(oid));
  checks.require('TPM_AK_PURPOSE', fits, {
    expected: `${nameOf(certificate)} for ${accepted.join(' or ')}${purpose === 'stated' ? '' : ', or for no stated purpose'}`,
    actual: stated?.join(', ') ?? 'no stated purpose',
  });
}

function purposesOf({ extensions }: Certificate): readonly string[] | undefined {
  const value = extensions.get(EXTENDED_KEY_USAGE)?.value;
  if (value === undefined) return undefined;
  return readDerSequence(value, (fields) => {
    const purposes: string[] = [];
    while (fields.remaining > 0 && purposes.length < MAX_PURPOSES) purposes.push(fields.oid());
    return purposes;
  });
}
