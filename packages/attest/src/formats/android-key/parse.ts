import { FastnessError } from '@fastness/codec/errors';
import type { Certificate } from '@fastness/codec/x509';
import { Checklist } from '../../checks.ts';
import { checkCmw, type Cmw } from '../../cmw.ts';
import { readCertificate, type VerificationMeans } from '../../means.ts';
import { ANDROID_STATUS_TYPE } from '../../media-types.ts';
import { decodeAndroidKeyEvidence } from './evidence.ts';
import { readKeyDescription, type KeyDescription } from './key-description.ts';
import { attestationVersions, KEY_DESCRIPTION_OID, PROVISIONING_INFO_OID } from './layout.ts';
import { readProvisioningInfo } from './provisioning.ts';
import { ParsedKey } from './stages.ts';
import './errors.ts';

/**
 * Reads a chain and the attestation extension in its first certificate, as strict DER. Only there the extension counts: an
 * application may use its own attested key as an authority and write whatever it likes below it, so a second extension in
 * the chain is refused (the Android documentation tells verifiers to take the one nearest to the root; genuine chains have
 * one). The key of the first certificate may be of a kind that this verifier cannot use, such as ML-DSA.
 * Throws ANDROID_..., ATTEST_..., CMW_..., CODEC_..., X509_....
 */
export function parse(evidence: Cmw, endorsements: readonly Cmw[] = [], means: VerificationMeans = {}): ParsedKey {
  const ders = decodeAndroidKeyEvidence(evidence);
  const checks: Checklist = new Checklist([]);
  const chain = ders.map((der) => readCertificate(der, means));
  const [leaf, ...authorities] = chain;
  const extension = leaf?.extensions.get(KEY_DESCRIPTION_OID);
  checks.require('ANDROID_EXTENSION_MISSING', extension !== undefined, {
    expected: 'an attestation extension in the first certificate',
    actual: extension === undefined ? 'none' : 'one',
  });
  const others = authorities.filter(({ extensions }) => extensions.has(KEY_DESCRIPTION_OID)).length;
  checks.require('ANDROID_EXTENSION_REPEATED', others === 0, {
    expected: 'no attestation extension above it',
    actual: `${others}`,
  });
  const description = readKeyDescription(extension.value);
  checkVersion(description, checks);
  const sent = endorsements.map((endorsement) => {
    const { type, value } = checkCmw(endorsement);
    if (type !== ANDROID_STATUS_TYPE) throw new FastnessError('ATTEST_ENDORSEMENT_UNSUPPORTED', `Type ${type}.`);
    return { json: value.slice() };
  });
  const certificatesIssued = provisioningOf(authorities);
  return new ParsedKey(
    { chain: Object.freeze(chain), description, certificatesIssued, checks: checks.results().checks },
    sent,
  );
}

function checkVersion({ attestationVersion }: KeyDescription, checks: Checklist): void {
  checks.require('ANDROID_VERSION', attestationVersions.has(attestationVersion), {
    expected: [...attestationVersions].join(', '),
    actual: `${attestationVersion}`,
  });
}

/** Only the certificate right above the attested key says how it was provisioned. */
function provisioningOf([attestation]: readonly Certificate[]): number | undefined {
  const extension = attestation?.extensions.get(PROVISIONING_INFO_OID);
  return extension === undefined ? undefined : readProvisioningInfo(extension.value);
}
