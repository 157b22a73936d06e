import { der } from '@fastness/codec/der';
import { androidTags as tags, applicationId, rootOfTrust, type ForgedRootOfTrust } from '@fastness/testkit';
import { challenge, type AndroidScenario } from './android-forge.ts';

import type { AndroidFailure } from './android-failures.ts';

const boot = (options: ForgedRootOfTrust): AndroidScenario => ({ hardware: [rootOfTrust(options)] });
const hardware = (tag: number, value: Uint8Array | null): AndroidScenario => ({ hardware: [[tag, value]] });
const section = (members: object): AndroidScenario => ({ section: members });
const packages = (...names: string[]) => applicationId(names.map((name) => [name, 42] as const));
const wallet = { package: 'com.example.wallet', signers: ['b2'.repeat(32)] };
const software = (...properties: (readonly [number, Uint8Array])[]): AndroidScenario => ({
  description: { software: properties },
});

export const appraisalFailures: readonly AndroidFailure[] = [
  ['ANDROID_CHALLENGE_MISMATCH', 'another session', { expectedReportData: challenge.toReversed() }],
  ['ANDROID_CHALLENGE_MISMATCH', 'a part of it', { expectedReportData: challenge.slice(0, 32) }],
  ['ANDROID_CHALLENGE_MISMATCH', 'no challenge', { description: { challenge: new Uint8Array() } }],
  ['ANDROID_ATTESTATION_LEVEL', 'software', { description: { attestationLevel: 0 } }],
  [
    'ANDROID_ATTESTATION_LEVEL',
    'no StrongBox',
    { description: { keyMintLevel: 2 }, section: { securityLevels: ['strongbox'] } },
  ],
  ['ANDROID_KEY_LEVEL', 'software', { description: { keyMintLevel: 0 } }],
  [
    'ANDROID_KEY_LEVEL',
    'no StrongBox',
    { description: { attestationLevel: 2 }, section: { securityLevels: ['strongbox'] } },
  ],
  ['ANDROID_VERSION_LOW', 'older', section({ minimumVersion: 400 })],
  [
    'ANDROID_PROVISIONING',
    'at the factory',
    { chain: { certificatesIssued: null }, section: { provisioning: 'remote' } },
  ],
  ['ANDROID_ROOT_OF_TRUST_MISSING', 'none', hardware(tags.rootOfTrust, null)],
  [
    'ANDROID_ROOT_OF_TRUST_MISSING',
    'among what Android enforces',
    {
      hardware: [[tags.rootOfTrust, null]],
      description: { software: [rootOfTrust()], hardware: [[tags.origin, der.integer(0)]] },
    },
  ],
  ['ANDROID_UNLOCKED', 'unlocked', boot({ locked: false })],
  ['ANDROID_BOOT_STATE', 'self-signed', boot({ state: 1 })],
  ['ANDROID_BOOT_STATE', 'unverified', boot({ state: 2 })],
  ['ANDROID_BOOT_STATE', 'failed', boot({ state: 3 })],
  [
    'ANDROID_BOOT_STATE',
    'unverified, where self-signed is accepted',
    { ...boot({ state: 2 }), section: { bootStates: ['self-signed'], verifiedBootKeys: ['b0'.repeat(32)] } },
  ],
  ['ANDROID_BOOT_KEY_NOT_ALLOWED', 'another key', section({ verifiedBootKeys: ['b1'.repeat(32)] })],
  [
    'ANDROID_BOOT_KEY_NOT_ALLOWED',
    'no key',
    { ...boot({ key: new Uint8Array() }), section: { verifiedBootKeys: ['b0'.repeat(32)] } },
  ],
  ['ANDROID_MEASUREMENT_NOT_ALLOWED', 'another system', section({ measurements: ['b0'.repeat(32)] })],
  [
    'ANDROID_MEASUREMENT_NOT_ALLOWED',
    'no boot hash',
    { ...boot({ hash: null }), section: { measurements: ['b1'.repeat(32)] } },
  ],
  ['ANDROID_PATCH_LOW', 'the version', section({ minimumPatch: { osVersion: 160_001 } })],
  ['ANDROID_PATCH_LOW', 'the system', section({ minimumPatch: { osPatchLevel: 202_606 } })],
  ['ANDROID_PATCH_LOW', 'the vendor', section({ minimumPatch: { vendorPatchLevel: 20_260_506 } })],
  ['ANDROID_PATCH_LOW', 'the boot loader', section({ minimumPatch: { bootPatchLevel: 20_260_506 } })],
  [
    'ANDROID_PATCH_LOW',
    'none stated',
    { ...hardware(tags.vendorPatchLevel, null), ...section({ minimumPatch: { vendorPatchLevel: 20_000_000 } }) },
  ],
  [
    'ANDROID_PATCH_LOW',
    'a month, where a day is asked for',
    {
      ...hardware(tags.vendorPatchLevel, der.integer(202_605)),
      ...section({ minimumPatch: { vendorPatchLevel: 20_260_501 } }),
    },
  ],
  ['ANDROID_KEY_ORIGIN', 'imported', hardware(tags.origin, der.integer(2))],
  ['ANDROID_KEY_ORIGIN', 'not stated', hardware(tags.origin, null)],
  ['ANDROID_KEY_ALGORITHM', 'another', section({ algorithms: ['rsa', 'ml-dsa'] })],
  [
    'ANDROID_KEY_PURPOSE',
    'one more',
    { ...hardware(tags.purpose, der.set(der.integer(2), der.integer(7))), ...section({ purposes: ['sign'] }) },
  ],
  ['ANDROID_KEY_PURPOSE', 'none', { ...hardware(tags.purpose, null), ...section({ purposes: ['sign'] }) }],
  ['ANDROID_KEY_UNGUARDED', 'no authentication', section({ userAuthentication: 'required' })],
  [
    'ANDROID_KEY_UNGUARDED',
    'no authentication, says Android',
    {
      ...hardware(tags.noAuthRequired, null),
      ...software([tags.noAuthRequired, der.null()]),
      ...section({ userAuthentication: 'required' }),
    },
  ],
  [
    'ANDROID_APPLICATION_NOT_ALLOWED',
    'another',
    section({ applications: [{ ...wallet, package: 'com.example.other' }] }),
  ],
  [
    'ANDROID_APPLICATION_NOT_ALLOWED',
    'another signer',
    section({ applications: [{ ...wallet, signers: ['b3'.repeat(32)] }] }),
  ],
  [
    'ANDROID_APPLICATION_NOT_ALLOWED',
    'an older version',
    section({ applications: [{ ...wallet, minimumVersion: 43 }] }),
  ],
  [
    'ANDROID_APPLICATION_NOT_ALLOWED',
    'a second one under the same user id',
    { ...software(packages('com.example.wallet', 'com.evil')), ...section({ applications: [wallet] }) },
  ],
  [
    'ANDROID_APPLICATION_NOT_ALLOWED',
    'a second signer',
    {
      ...software(applicationId(undefined, [new Uint8Array(32).fill(0xb2), new Uint8Array(32)])),
      ...section({ applications: [wallet] }),
    },
  ],
  [
    'ANDROID_APPLICATION_NOT_ALLOWED',
    'no signer',
    { ...software(applicationId(undefined, [])), ...section({ applications: [wallet] }) },
  ],
  ['ANDROID_APPLICATION_NOT_ALLOWED', 'none', { ...software(), ...section({ applications: [wallet] }) }],
  ['ANDROID_ID_NOT_ALLOWED', 'another brand', section({ ids: { brand: ['genuine'] } })],
  ['ANDROID_ID_NOT_ALLOWED', 'not attested', section({ ids: { brand: ['forged'], serial: ['1'] } })],
];
