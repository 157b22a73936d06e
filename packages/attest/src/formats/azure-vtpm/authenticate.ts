import { equalBytes } from '@fastness/codec';
import { Checklist } from '../../checks.ts';
import { sha256Hex } from '../../digest.ts';
import type { VerificationMeans } from '../../means.ts';
import { parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import { requireTime } from '../../time.ts';
import type { TrustAnchors } from '../../trust/anchors.ts';
import { authenticateAkCertificates, type AkCertificates } from '../tpm/ak-certificates.ts';
import { authenticateQuote } from '../tpm/quote.ts';
import { AuthenticQuote, ParsedQuote } from '../tpm/stages.ts';
import type { AuthenticHardware } from './hardware.ts';
import type { ClaimedMachine } from './parse.ts';
import { readRuntimeData, type RuntimeData } from './runtime-data.ts';

/** Where the trust in the key came from. */
export interface AuthenticMachine {
  readonly hardware: AuthenticHardware;
  /** What the hardware's report must carry, 64 bytes in hex: the SHA-256 of the runtime data, and zeros. */
  readonly boundRuntimeData: string;
  readonly runtime: Omit<RuntimeData, 'attestationKey'>;
  /** Common name of the attestation key's certificate; absent when none was needed. */
  readonly akCertificate?: string;
}

type AuthenticateOptions = VerificationMeans & {
  readonly policy: AttestationPolicy;
  readonly anchors: TrustAnchors;
  readonly now: Date;
};

/** The second half of the report data. */
const ZEROS = '00'.repeat(32);

/**
 * Establishes the chain from the processor to the quote: the vendor of the hardware vouches for its report; the report carries
 * the hash of the runtime data; the runtime data names the attestation key; the key signed the quote; the quote covers the
 * registers. Where the policy asks for it, Azure's certificate authority vouches for the key as well.
 *
 * Throws the TPM_, AZURE_VTPM_ or hardware's code of the first check that fails, ATTEST_STAGE_SKIPPED, ATTEST_POLICY_INVALID,
 * ATTEST_TEE_NOT_ALLOWED.
 */
export async function authenticate(
  parsed: ParsedQuote<ClaimedMachine>,
  options: AuthenticateOptions,
): Promise<AuthenticQuote<AuthenticMachine>> {
  const signed = ParsedQuote.signedPartOf(parsed, 'azure-vtpm');
  const policy = parseAttestationPolicy(options.policy);
  const now = requireTime(options.now);
  const { certificates } = parsed.trust;
  // A copy, so that what is digested is what names the key.
  const runtimeData = parsed.trust.runtimeData.slice();
  const { akCertificate = 'ignored' } = sectionOf(policy, 'azureVtpm');
  const checks: Checklist = new Checklist(policy.waivers, { checks: parsed.checks, waivers: [] });

  const hardware = await parsed.trust.hardware.authenticate({ ...options, policy, now });
  const boundRuntimeData = `${await sha256Hex(runtimeData)}${ZEROS}`;
  checks.require('AZURE_VTPM_RUNTIME_DATA_MISMATCH', hardware.reportData === boundRuntimeData, {
    expected: boundRuntimeData,
    actual: hardware.reportData,
  });
  const { attestationKey, ...runtime } = readRuntimeData(runtimeData, new Checklist([]));
  const authentic = await authenticateQuote(parsed, signed, attestationKey, checks, options);
  const certified =
    akCertificate === 'required'
      ? { akCertificate: await requireCertificate(certificates, attestationKey, { ...options, now }, checks) }
      : {};
  if (akCertificate !== 'required') checks.notApplicable('AZURE_VTPM_AK_MISSING', 'the policy needs no certificate');
  const trust = Object.freeze({ hardware, boundRuntimeData, runtime: Object.freeze(runtime), ...certified });
  return new AuthenticQuote({ ...authentic, trust, at: now.getTime(), ...checks.results() }, 'azure-vtpm');
}

async function requireCertificate(
  certificates: AkCertificates | undefined,
  attestationKey: Uint8Array,
  options: AuthenticateOptions,
  checks: Checklist,
): Promise<string> {
  checks.require('AZURE_VTPM_AK_MISSING', certificates !== undefined, {
    expected: 'a certificate of the attestation key',
    actual: certificates === undefined ? 'none' : 'one',
  });
  const { leaf } = certificates;
  const same = equalBytes(leaf.spki, attestationKey);
  checks.require('AZURE_VTPM_AK_MISMATCH', same, {
    expected: 'a certificate of the key in the runtime data',
    actual: same ? 'it' : 'one of another key',
  });
  const anchors = options.anchors.azureVtpm ?? [];
  await authenticateAkCertificates(certificates, { ...options, anchors, purpose: 'stated' }, checks);
  return leaf.subject.commonName ?? '';
}
