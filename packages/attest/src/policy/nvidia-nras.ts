import * as z from 'zod';
import { listOf, tokenPins, tokenUseFields } from './token.ts';

const name = z.string().min(1).max(128);
const ueid = z.string().regex(/^[0-9]{1,80}$/, 'expected a decimal UEID');

/**
 * Requirements on detached EATs of NVIDIA's Remote Attestation Service. The issuer is NVIDIA's production service: tokens of
 * its staging service, and of the local verifier of its SDK, are refused. So is debugging unless waived by name.
 */
export const nvidiaNrasPolicySchema = z.strictObject({
  ...tokenPins,
  ...tokenUseFields,
  deviceCount: z.int().min(1).max(64).describe('How many devices must be attested, no more and no less.'),
  kinds: listOf(z.enum(['gpu', 'switch'])).describe('Kinds of device that may be among them.'),
  models: listOf(name).describe("Values of hwmodel that are accepted, for instance 'GH100 A01 GSP BROM'."),
  drivers: listOf(name)
    .exactOptional()
    .describe('GPU driver versions that are accepted. Absent: any with a reference.'),
  firmware: listOf(name)
    .exactOptional()
    .describe('VBIOS versions of GPUs and BIOS versions of switches that are accepted. Absent: any with a reference.'),
  devices: z
    .strictObject({
      allow: listOf(ueid).exactOptional().describe('Absent: every device that is not denied.'),
      deny: listOf(ueid).exactOptional().describe('Absent: none.'),
    })
    .exactOptional()
    .describe('UEIDs of devices. Absent: every device.'),
  warnings: z
    .enum(['refuse', 'allow'])
    .exactOptional()
    .describe('What becomes of a token with x-nvidia-attestation-warning. Absent: refuse.'),
});

export type NvidiaNrasPolicy = z.infer<typeof nvidiaNrasPolicySchema>;
