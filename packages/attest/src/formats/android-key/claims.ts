import { toHex } from '@fastness/codec';
import type { AndroidKeyClaims } from '../../claims/android-key.ts';
import { keyAlgorithms, keyOrigins, keyPurposes } from './layout.ts';
import type { AuthenticKey } from './stages.ts';

/** The facts of an appraised key. */
export function claimsOf(authentic: AuthenticKey, debug: boolean): AndroidKeyClaims {
  const { description, spki, attestationKey, certificatesIssued, at } = authentic;
  const { hardwareEnforced: hardware, softwareEnforced: software } = description;
  const { rootOfTrust, osVersion, osPatchLevel, vendorPatchLevel, bootPatchLevel } = hardware;
  const { applicationId, moduleHash } = software;
  return Object.freeze({
    tee: 'android-key',
    simulated: false,
    vendor: 'Google',
    identity: Object.freeze({ kind: 'attestation-key', value: attestationKey } as const),
    measurement: rootOfTrust?.verifiedBootHash ?? '',
    debug,
    reportData: toHex(description.challenge),
    attestationVersion: description.attestationVersion,
    keyMintVersion: description.keyMintVersion,
    attestationSecurityLevel: description.attestationSecurityLevel,
    keyMintSecurityLevel: description.keyMintSecurityLevel,
    publicKey: toHex(spki),
    key: Object.freeze({
      algorithm: keyAlgorithms.get(hardware.algorithm ?? -1) ?? 'unknown',
      purposes: Object.freeze((hardware.purposes ?? []).map((number) => keyPurposes.get(number) ?? `${number}`)),
      origin: keyOrigins.get(hardware.origin ?? -1) ?? 'unknown',
      ...(hardware.keySize === undefined ? {} : { size: hardware.keySize }),
      userAuthentication: !(hardware.noAuthRequired || software.noAuthRequired),
      rollbackResistant: hardware.rollbackResistant,
    }),
    boot: Object.freeze({
      locked: rootOfTrust?.deviceLocked ?? false,
      state: rootOfTrust?.verifiedBootState ?? 'failed',
      key: rootOfTrust?.verifiedBootKey ?? '',
    }),
    patch: Object.freeze({
      ...(osVersion === undefined ? {} : { osVersion }),
      ...(osPatchLevel === undefined ? {} : { osPatchLevel }),
      ...(vendorPatchLevel === undefined ? {} : { vendorPatchLevel }),
      ...(bootPatchLevel === undefined ? {} : { bootPatchLevel }),
    }),
    ...(applicationId === undefined ? {} : { application: applicationId }),
    ...(moduleHash === undefined ? {} : { moduleHash }),
    ids: hardware.ids,
    ...(certificatesIssued === undefined ? {} : { certificatesIssued }),
    otherTags: Object.freeze([...software.otherTags, ...hardware.otherTags]),
    verifiedAt: new Date(at).toISOString(),
  });
}
