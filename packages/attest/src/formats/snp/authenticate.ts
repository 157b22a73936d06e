import { FastnessError } from '@fastness/codec/errors';
import { Checklist } from '../../checks.ts';
import type { VerificationMeans } from '../../means.ts';
import { parseAttestationPolicy, type AttestationPolicy } from '../../policy/policy.ts';
import { requireSignatures } from '../../signatures.ts';
import { requireTime } from '../../time.ts';
import type { TrustAnchors } from '../../trust/anchors.ts';
import { selectChain, type AcceptedRoot } from './certificates.ts';
import { checkChainShape, checkValidity } from './chain.ts';
import { checkEndorsementKey } from './endorsement-key.ts';
import { ECDSA_P384_SHA384, signingKeys } from './layout.ts';
import type { SnpReport } from './report.ts';
import { checkRevocation, requireCrl, selectCrls } from './revocation.ts';
import { verifySignatures } from './signatures.ts';
import { AuthenticReport, ParsedReport } from './stages.ts';
import { decodeTcb } from './tcb.ts';

/**
 * Establishes that a pinned root vouches for the report: chain, validity, revocation, signature, and that the report is of
 * the chip or provider, product and TCB that the signing key was issued for. Of the policy, only the simulated root and
 * the waivers matter here. Throws the SNP_ code of the first check that fails, SIMULATED_..., ATTEST_....
 */
export async function authenticate(
  parsed: ParsedReport,
  options: VerificationMeans & {
    readonly policy: AttestationPolicy;
    readonly anchors: TrustAnchors;
    readonly now: Date;
  },
): Promise<AuthenticReport> {
  const signed = ParsedReport.signedPartOf(parsed);
  const policy = parseAttestationPolicy(options.policy);
  const now = requireTime(options.now);
  const { report, simulated } = parsed;
  const checks: Checklist = new Checklist(policy.waivers, { checks: parsed.checks, waivers: [] });

  const roots = acceptedRoots(simulated, policy, options.anchors, checks);
  const signingKey = checkHeader(report, checks);
  const chain = await selectChain(parsed.certificates, signingKey, roots, checks, options);
  const crls = selectCrls(parsed.crls, chain);
  checkChainShape(chain, checks);
  const outcomes = await verifySignatures(chain, crls, signed, options);
  requireSignatures(outcomes.chain, checks);
  checkValidity(chain, now, checks);
  requireCrl(crls, chain, checks);
  requireSignatures(outcomes.crls, checks);
  checkRevocation(crls, chain, now, checks);
  const identity = checkEndorsementKey(chain, signingKey, report, checks);

  const { product } = chain;
  const { reported, committed, current, launch } = report.tcb;
  return new AuthenticReport({
    simulated,
    report,
    product,
    signingKey,
    identity,
    tcb: Object.freeze({
      reported: decodeTcb(product, reported),
      committed: decodeTcb(product, committed),
      current: decodeTcb(product, current),
      launch: decodeTcb(product, launch),
    }),
    at: now.getTime(),
    ...checks.results(),
  });
}

/** The type of the evidence, not its content, decides which roots count. */
function acceptedRoots(
  simulated: boolean,
  policy: AttestationPolicy,
  anchors: TrustAnchors,
  checks: Checklist,
): readonly AcceptedRoot[] {
  const pinned = anchors.snp ?? [];
  if (!simulated) {
    checks.notApplicable('SIMULATED_EVIDENCE_REFUSED', 'evidence of hardware');
    return pinned;
  }
  const root = policy.simulated;
  if (root === undefined) throw new FastnessError('SIMULATED_EVIDENCE_REFUSED', `Policy ${policy.id}.`);
  checks.require('SIMULATED_EVIDENCE_REFUSED', true, {
    expected: 'a policy that names a simulated root',
    actual: root.arkSpkiSha256,
  });
  const vendor = pinned.find((anchor) => anchor.spkiSha256 === root.arkSpkiSha256);
  checks.require('SIMULATED_ROOT_IS_VENDOR_ROOT', vendor === undefined, {
    expected: 'a key of its own',
    actual: vendor?.name ?? 'a key of its own',
  });
  return [{ spkiSha256: root.arkSpkiSha256 }];
}

function checkHeader(report: SnpReport, checks: Checklist): 'vcek' | 'vlek' {
  checks.require('SNP_SIGNATURE_ALGORITHM', report.signatureAlgorithm === ECDSA_P384_SHA384, {
    expected: `${ECDSA_P384_SHA384}`,
    actual: `${report.signatureAlgorithm}`,
  });
  checks.require('SNP_CHIP_KEY_MASKED', !report.chipKeyMasked, {
    expected: 'not masked',
    actual: report.chipKeyMasked ? 'masked' : 'not masked',
  });
  const signingKey = signingKeys[report.signingKey];
  checks.require('SNP_SIGNING_KEY_UNSUPPORTED', signingKey !== undefined, {
    expected: '0 or 1',
    actual: `${report.signingKey}`,
  });
  return signingKey;
}
