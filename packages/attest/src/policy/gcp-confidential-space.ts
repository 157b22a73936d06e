import * as z from 'zod';
import { tcbStatuses } from './dcap.ts';
import { hex, listOf, tokenPins, tokenUseFields } from './token.ts';

const name = z.string().min(1).max(256);

/** Hardware that Google's tokens name and that this verifier accepts. Shielded VMs are not among it: no memory is protected. */
export const confidentialSpaceHardware = Object.freeze(['GCP_INTEL_TDX', 'GCP_AMD_SEV_ES', 'GCP_AMD_SEV'] as const);

/**
 * Requirements on tokens of Google Confidential Space. The issuer is Google's production service; debug images are refused
 * unless waived by name.
 */
export const gcpConfidentialSpacePolicySchema = z.strictObject({
  ...tokenPins,
  ...tokenUseFields,
  audiences: listOf(z.string().min(1).max(512)).describe('Audiences, one of which the token must name.'),
  nonceEncoding: z
    .enum(['base64url', 'hex', 'base64'])
    .exactOptional()
    .describe(
      "How eat_nonce stands for bytes. Google's nonces are texts of 8 to 88 characters: 64 bytes fit in base64url only. Absent: base64url.",
    ),
  measurements: z
    .union([listOf(hex(32)), z.literal('from-release')])
    .describe(
      "SHA-256 digests of container images that are accepted. 'from-release' is a placeholder that must be filled in from a verified release before the policy can be used.",
    ),
  hardware: listOf(z.enum(confidentialSpaceHardware)).describe(
    'Values of hwmodel that are accepted. GCP_AMD_SEV and GCP_AMD_SEV_ES encrypt memory without protecting its integrity.',
  ),
  supportAttribute: z
    .enum(['LATEST', 'STABLE', 'USABLE', 'EXPERIMENTAL', 'any'])
    .exactOptional()
    .describe("Attribute that the image must have. Debug images have none, which takes 'any'. Absent: STABLE."),
  minimumVersion: z
    .int()
    .min(0)
    .max(99_999_999)
    .exactOptional()
    .describe('Floor on swversion, for instance 250301. Absent: none.'),
  tcbStatuses: listOf(z.enum(tcbStatuses))
    .exactOptional()
    .describe('Values of gcp_attester_tcb_status that are accepted on TDX. Absent: UpToDate.'),
  overrides: z
    .enum(['allow', 'refuse'])
    .exactOptional()
    .describe(
      'Whether the operator may have replaced the command or environment of the image (cmd_override, env_override). Absent: refuse; the image digest would not say what runs.',
    ),
  arguments: z
    .array(z.string().max(4096))
    .max(256)
    .exactOptional()
    .describe('The exact command line that the container must have. Absent: any, within `overrides`.'),
  projects: listOf(name).exactOptional().describe('Google Cloud projects that are accepted. Absent: any.'),
  zones: listOf(name).exactOptional().describe('Zones that are accepted. Absent: any.'),
  serviceAccounts: listOf(name)
    .exactOptional()
    .describe('Service accounts, one of which the workload must run as. Absent: any or none.'),
});

export type GcpConfidentialSpacePolicy = z.infer<typeof gcpConfidentialSpacePolicySchema>;
