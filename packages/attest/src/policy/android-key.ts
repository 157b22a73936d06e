import * as z from 'zod';
import { hex, listOf } from './dcap.ts';

const text = z.string().min(1).max(256);

/**
 * Requirements on Android key attestations. A status list is required, and unlocked devices and unverified systems are
 * refused, unless waived by name. Attestations that software made can never be accepted.
 */
export const androidKeyPolicySchema = z
  .strictObject({
    securityLevels: listOf(z.enum(['trusted-environment', 'strongbox'])).describe(
      'Where both the attestation must be made and the key must live.',
    ),
    measurements: z
      .union([listOf(hex(32)), z.literal('from-release')])
      .exactOptional()
      .describe(
        "Verified boot hashes that are accepted; they change with every update of the system. Absent: any. 'from-release' is a placeholder that must be filled in before the policy can be used.",
      ),
    bootStates: listOf(z.enum(['verified', 'self-signed']))
      .exactOptional()
      .describe(
        "Verified boot states that are accepted. 'self-signed' is a system of the owner's, and wants verifiedBootKeys. Absent: verified.",
      ),
    verifiedBootKeys: listOf(hex(32))
      .exactOptional()
      .describe('SHA-256 of keys, one of which must have verified the system. Absent: any.'),
    minimumVersion: z.int().min(1).max(500).exactOptional().describe('Floor on attestationVersion. Absent: none.'),
    minimumPatch: z
      .strictObject({
        osVersion: z.int().min(0).max(9_999_999).exactOptional().describe('For instance 150000.'),
        osPatchLevel: z.int().min(200_000).max(999_999).exactOptional().describe('YYYYMM.'),
        vendorPatchLevel: z.int().min(20_000_000).max(99_999_999).exactOptional().describe('YYYYMMDD.'),
        bootPatchLevel: z.int().min(20_000_000).max(99_999_999).exactOptional().describe('YYYYMMDD.'),
      })
      .exactOptional()
      .describe('Floors on versions and patch levels; one that is not stated is below any floor. Absent: none.'),
    origin: z
      .enum(['generated', 'any'])
      .exactOptional()
      .describe('Whether the key must have been made inside the secure hardware. Absent: generated.'),
    algorithms: listOf(z.enum(['ec', 'rsa', 'ml-dsa']))
      .exactOptional()
      .describe('Kinds of key that are accepted. Absent: any.'),
    purposes: listOf(z.enum(['encrypt', 'decrypt', 'sign', 'verify', 'wrap-key', 'agree-key', 'attest-key']))
      .exactOptional()
      .describe('What the key may be for, and nothing else. Absent: anything.'),
    userAuthentication: z
      .enum(['required', 'any'])
      .exactOptional()
      .describe('Whether the key must want its user to authenticate. Absent: any.'),
    applications: z
      .array(
        z.strictObject({
          package: text.describe('Name of the package.'),
          signers: listOf(hex(32)).describe('SHA-256 of the certificates that may sign it.'),
          minimumVersion: z.int().min(0).exactOptional().describe('Floor on its version code. Absent: none.'),
        }),
      )
      .min(1)
      .max(64)
      .exactOptional()
      .describe(
        'Applications that may have asked, every one that shares the user id. Stated by Android, so it rests on verified boot. Absent: any.',
      ),
    ids: z
      .strictObject({
        brand: listOf(text).exactOptional(),
        device: listOf(text).exactOptional(),
        product: listOf(text).exactOptional(),
        serial: listOf(text).exactOptional(),
        imei: listOf(text).exactOptional(),
        meid: listOf(text).exactOptional(),
        manufacturer: listOf(text).exactOptional(),
        model: listOf(text).exactOptional(),
      })
      .exactOptional()
      .describe('Identifiers that the device must attest. Absent: any or none.'),
    provisioning: z
      .enum(['remote', 'any'])
      .exactOptional()
      .describe(
        'Whether the attestation key must be remotely provisioned, and so short-lived and of one device. Absent: any.',
      ),
    statusLists: listOf(hex(32))
      .exactOptional()
      .describe(
        'SHA-256 of status lists that count when they are sent along. Absent: only one handed in as an anchor.',
      ),
    maxStatusAgeSeconds: z
      .int()
      .min(60)
      .max(2_678_400)
      .exactOptional()
      .describe('Age of a status list handed in as an anchor at which it is refused. Absent: a week.'),
  })
  .refine(
    ({ bootStates, verifiedBootKeys }) =>
      bootStates?.includes('self-signed') !== true || verifiedBootKeys !== undefined,
    'self-signed systems without verifiedBootKeys: any system would be accepted',
  );

export type AndroidKeyPolicy = z.infer<typeof androidKeyPolicySchema>;
