import { DerReader } from '@fastness/codec/der';
import type { Certificate } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import type { SecurityLevel } from './layout.ts';

/** Attributes of the subject that name the hardware: organisation of remotely provisioned keys, title of the others. */
const attributes: ReadonlySet<string> = new Set(['2.5.4.10', '2.5.4.12']);
const levels: ReadonlyMap<string, SecurityLevel> = new Map([
  ['TEE', 'trusted-environment'],
  ['StrongBox', 'strongbox'],
]);

/**
 * The hardware that Google certified the attestation key for must be the one that the attestation says it comes from: a key
 * taken out of a TEE must not speak for a StrongBox. Where the certificate names none there is nothing to compare.
 */
export function requireCertifiedLevel(
  attestation: Certificate | undefined,
  stated: SecurityLevel,
  checks: Checklist,
): void {
  const certified = attestation === undefined ? undefined : levelOf(attestation);
  if (certified === undefined) checks.notApplicable('ANDROID_LEVEL_MISMATCH', 'the certificate names no hardware');
  else
    checks.require('ANDROID_LEVEL_MISMATCH', certified === stated, {
      expected: `an attestation of ${certified}`,
      actual: stated,
    });
}

/** The structure of names was checked when the certificate was read. */
function levelOf({ subject }: Certificate): SecurityLevel | undefined {
  const sets = new DerReader(subject.raw).sequence();
  while (sets.remaining > 0) {
    const set = sets.set();
    while (set.remaining > 0) {
      const attribute = set.sequence();
      const oid = attribute.oid();
      const { content } = attribute.element();
      const found = attributes.has(oid) ? levels.get(String.fromCodePoint(...content.subarray(0, 16))) : undefined;
      if (found !== undefined) return found;
    }
  }
  return undefined;
}
