import * as z from 'zod';
import { hex, issuersField, listOf, tokenUseFields } from './token.ts';

const svn = z.int().min(0).max(255);

/** Requirements on tokens of Microsoft Azure Attestation. Debugging and migration are refused unless waived by name. */
export const azureMaaPolicySchema = z.strictObject({
  issuers: issuersField,
  ...tokenUseFields,
  tees: listOf(z.enum(['sgx', 'sev-snp', 'tdx'])).describe('Kinds of TEE that the service may have attested.'),
  binding: z
    .enum(['runtime-nonce', 'nonce', 'held-data', 'report-data'])
    .describe(
      "Where the expected report data must be. 'runtime-nonce': x-ms-runtime.client-payload.nonce, base64 (guest attestation of confidential VMs; the service checked that a vTPM of that VM signed it). 'nonce': the claim `nonce`, base64url. 'held-data': x-ms-sgx-ehd, base64url. 'report-data': the 64 bytes of the hardware report, hex; never true for a nested guest, whose report belongs to Azure's paravisor.",
    ),
  measurements: z
    .union([listOf(z.union([hex(48), hex(32)])), z.literal('from-release')])
    .describe(
      "MRENCLAVE, launch measurement or MRTD values that are accepted. In an Azure confidential VM they cover Microsoft's firmware and not the guest. 'from-release' is a placeholder that must be filled in before the policy can be used.",
    ),
  nested: z
    .enum(['allow', 'refuse'])
    .exactOptional()
    .describe('Whether the TEE may be that of a nested guest, x-ms-isolation-tee. Absent: refuse.'),
  complianceStatuses: listOf(z.string().min(1).max(128))
    .exactOptional()
    .describe("Values of x-ms-compliance-status that are accepted. Absent: 'azure-compliant-cvm'. SGX has none."),
  secureBoot: z
    .enum(['required', 'any'])
    .exactOptional()
    .describe('Whether a nested guest must have booted with Secure Boot and no debuggers. Absent: required.'),
  policyHashes: listOf(z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'expected a SHA-256 in base64url'))
    .exactOptional()
    .describe('Hashes of policies of the service (x-ms-policy-hash) that are accepted. Absent: any.'),
  signers: listOf(hex(32)).exactOptional().describe('SGX: values of MRSIGNER that are accepted. Absent: any.'),
  hostData: listOf(hex(32)).exactOptional().describe('SEV-SNP: host data that is accepted. Absent: any.'),
  minimumTcb: z
    .strictObject({
      bootloader: svn.exactOptional(),
      tee: svn.exactOptional(),
      snp: svn.exactOptional(),
      microcode: svn.exactOptional(),
    })
    .exactOptional()
    .describe('SEV-SNP: floors on the security version numbers in the token. Absent: none.'),
  rtmrs: z
    .strictObject({
      0: listOf(hex(48)).exactOptional(),
      1: listOf(hex(48)).exactOptional(),
      2: listOf(hex(48)).exactOptional(),
      3: listOf(hex(48)).exactOptional(),
    })
    .exactOptional()
    .describe('TDX: accepted values of the run-time registers. Absent: not compared.'),
});

export type AzureMaaPolicy = z.infer<typeof azureMaaPolicySchema>;
