import { fromBase64Url } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { parseSpki } from '@fastness/codec/x509';
import * as z from 'zod';

export const hex = (...bytes: readonly number[]) =>
  z
    .string()
    .regex(
      new RegExp(`^(?:${bytes.map((length) => `[0-9a-f]{${length * 2}}`).join('|')})$`),
      `expected ${bytes.join(' or ')} bytes in lower-case hex`,
    );
export const listOf = <T extends z.ZodType>(member: T, most = 1024) =>
  z
    .array(member)
    .min(1)
    .max(most)
    .refine(
      (list) => new Set(list.map((entry) => JSON.stringify(entry))).size === list.length,
      'an entry is listed twice',
    );

/** SHA-256, SHA-384 or SHA-512. */
export const hash = hex(32, 48, 64);
const implementationId = hex(32).describe('Implementation id: the hardware of a product, 32 bytes.');
const instanceId = z
  .string()
  .regex(/^01[0-9a-f]{64}$/, 'expected 01 and 32 bytes in lower-case hex')
  .describe('Instance id: a UEID of kind RAND (0x01 and 32 bytes), one device.');
/** A key in the form of policies, of one of these kinds. */
const publicKey = (...kinds: readonly string[]) =>
  z
    .string()
    .min(1)
    .max(512)
    .refine(
      (text) => kinds.includes(kindOf(text) ?? ''),
      `expected the SubjectPublicKeyInfo of a key (${kinds.join(', ')})`,
    )
    .describe('SubjectPublicKeyInfo, DER, base64url.');

function kindOf(text: string): string | undefined {
  try {
    const { publicKey: key } = parseSpki(fromBase64Url(text));
    return key.algorithm === 'EC' ? key.curve : key.algorithm;
  } catch (error) {
    if (error instanceof FastnessError) return undefined;
    throw error;
  }
}

const curves = ['P-256', 'P-384', 'P-521'];

const armKeySchema = z
  .strictObject({ instanceId, implementationId, publicKey: publicKey(...curves) })
  .describe('The attestation key of one device, as its maker vouches for it.');

const digestSchema = z.strictObject({
  algorithm: z
    .enum(['sha-256', 'sha-384', 'sha-512'])
    .exactOptional()
    .describe('Absent: not compared with what the token says; the length tells the three apart.'),
  value: hash,
});

const armComponentSchema = z
  .strictObject({
    type: z.string().max(64).exactOptional().describe('Its role, as the token names it. Absent: any.'),
    version: z.string().max(64).exactOptional().describe('Absent: any.'),
    signerId: hash.exactOptional().describe('Hash of the key that signed it. Absent: any.'),
    digests: z.array(digestSchema).min(1).max(8).describe('Its hash; several if several algorithms may be used.'),
  })
  .describe('Reference values of one software component.');

const armReferenceSchema = z
  .strictObject({
    implementationId,
    components: z
      .array(armComponentSchema)
      .min(1)
      .max(64)
      .describe('Every component of this state: the token must have these and no others, in any order.'),
    configuration: z
      .strictObject({
        value: z.string().regex(/^(?:[0-9a-f]{2}){1,256}$/, 'expected bytes in lower-case hex'),
        mask: z
          .string()
          .regex(/^(?:[0-9a-f]{2}){1,256}$/, 'expected bytes in lower-case hex')
          .exactOptional()
          .describe('Bits that are compared. Absent: all.'),
      })
      .refine(
        ({ value, mask }) => mask === undefined || mask.length === value.length,
        'mask and value differ in length',
      )
      .exactOptional()
      .describe('CCA: configuration of the platform in this state. Absent: any.'),
  })
  .describe('One state that software of this implementation may be in. List several for several accepted states.');

/** As many as a CoRIM of the largest size can hold. */
const MAX_KEYS = 8192;

/** What the sections of both Arm tokens have in common. */
export const armPolicyFields = {
  keys: listOf(armKeySchema, MAX_KEYS)
    .exactOptional()
    .describe(
      'Attestation keys that are trusted, by device. A device that is listed here is verified with this key alone, whatever a CoRIM says. Absent: only keys from CoRIMs.',
    ),
  corimSigners: listOf(publicKey(...curves, 'Ed25519'))
    .max(16)
    .exactOptional()
    .describe(
      'Keys of device or platform vendors. A CoRIM that one of them signed may come with the evidence and brings attestation keys and reference values; it can endorse any device. Absent: CoRIMs that come with the evidence are refused.',
    ),
  references: listOf(armReferenceSchema)
    .exactOptional()
    .describe(
      'Reference states of the measured firmware. Once the policy lists a state for an implementation id, CoRIMs add none for it. Absent: only those from CoRIMs.',
    ),
  implementationIds: listOf(implementationId)
    .exactOptional()
    .describe('Implementations that are accepted. Absent: every one that a trusted key is endorsed for.'),
  instances: z
    .strictObject({
      allow: listOf(instanceId).exactOptional().describe('Absent: every endorsed device that is not denied.'),
      deny: listOf(instanceId)
        .exactOptional()
        .describe('Devices whose key was revoked or extracted. Absent: none; tokens carry no revocation of their own.'),
    })
    .exactOptional()
    .describe('Devices by instance id. Absent: every endorsed one.'),
};

/** Without keys and signers no token could ever be authentic. */
export const someKey = (section: { readonly keys?: unknown; readonly corimSigners?: unknown }): boolean =>
  section.keys !== undefined || section.corimSigners !== undefined;
export const NO_KEY = 'neither keys nor corimSigners are listed, so no token could be verified';

export type ArmKey = z.infer<typeof armKeySchema>;
export type ArmComponent = z.infer<typeof armComponentSchema>;
export type ArmReference = z.infer<typeof armReferenceSchema>;
