import { anyOf, Checklist } from '../../checks.ts';
import type { SgxClaims } from '../../claims/dcap.ts';
import type { SgxPolicy } from '../../policy/sgx.ts';
import { filledIn, parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import { verdictOf, type AttestationVerdict } from '../../verdict.ts';
import { appraisePlatform, expectedReportDataOf } from '../dcap/appraise-platform.ts';
import type { EnclaveReport } from '../dcap/enclave-report.ts';
import { AuthenticQuote } from '../dcap/stages.ts';
import { equalUnderMask } from '../dcap/tcb.ts';
import { sgxFlavour } from './flavour.ts';

const INIT = 1n;
const DEBUG = 2n;
/** INIT, DEBUG, MODE64BIT, PROVISIONKEY, EINITTOKEN_KEY, CET, KSS, AEXNOTIFY (Intel SDM volume 3D, ATTRIBUTES). */
const KNOWN_FLAGS = 0x4f7n;

/**
 * Applies a policy to an authentic quote. `expectedReportData` (64 bytes) is compared first of all.
 * Throws the SGX_ or DCAP_ code of the first requirement that is not met, ATTEST_....
 */
export function appraise(
  authentic: AuthenticQuote<EnclaveReport>,
  options: { readonly policy: AttestationPolicy; readonly expectedReportData: Uint8Array },
): AttestationVerdict {
  AuthenticQuote.require(authentic, sgxFlavour);
  const policy = parseAttestationPolicy(options.policy);
  const section = sectionOf(policy, 'sgx');
  const measurements = filledIn(policy, section.measurements);
  const expected = expectedReportDataOf(options.expectedReportData);
  const checks: Checklist = new Checklist(policy.waivers, authentic);
  const { body } = authentic;

  checks.require('SGX_REPORT_DATA_MISMATCH', body.reportData === expected, { expected, actual: body.reportData });
  if (measurements === undefined) {
    checks.notApplicable('SGX_MEASUREMENT_NOT_ALLOWED', 'the policy accepts every enclave of its signers');
  } else {
    checks.require('SGX_MEASUREMENT_NOT_ALLOWED', measurements.includes(body.mrEnclave), {
      expected: anyOf(measurements),
      actual: body.mrEnclave,
    });
  }
  appraiseSigner(body, section.signers, checks);
  checks.requireUnlessWaived('SGX_DEBUG_ALLOWED', (body.flags & DEBUG) === 0n, {
    expected: 'clear',
    actual: (body.flags & DEBUG) === 0n ? 'clear' : 'set',
  });
  appraiseAttributes(body, section.attributes, checks);
  appraisePlatform(authentic, section, checks);

  return verdictOf(claimsOf(authentic), checks, policy);
}

function appraiseAttributes(
  { attributes: actual, flags }: EnclaveReport,
  accepted: SgxPolicy['attributes'],
  checks: Checklist,
): void {
  if (accepted === undefined) {
    checks.notApplicable('SGX_ATTRIBUTES_NOT_ALLOWED', 'the policy names no attributes');
    checks.require('SGX_ATTRIBUTES_INVALID', (flags & INIT) !== 0n && (flags & ~KNOWN_FLAGS) === 0n, {
      expected: `an initialised enclave and flags of 0x${KNOWN_FLAGS.toString(16)}`,
      actual: `0x${flags.toString(16)}`,
    });
    return;
  }
  const { value, mask } = accepted;
  checks.require('SGX_ATTRIBUTES_NOT_ALLOWED', equalUnderMask(actual, value, mask), {
    expected: `${value} under ${mask}`,
    actual,
  });
  checks.notApplicable('SGX_ATTRIBUTES_INVALID', 'the policy names the attributes');
}

function appraiseSigner(body: EnclaveReport, signers: SgxPolicy['signers'], checks: Checklist): void {
  if (signers === undefined) {
    checks.notApplicable('SGX_SIGNER_NOT_ALLOWED', 'the policy lists no signers');
    checks.notApplicable('SGX_ISV_SVN_LOW', 'the policy lists no signers');
    return;
  }
  const products = signers.filter(
    ({ mrSigner, isvProdId }) => mrSigner === body.mrSigner && isvProdId === body.isvProdId,
  );
  checks.require('SGX_SIGNER_NOT_ALLOWED', products.length > 0, {
    expected: anyOf(signers.map(({ mrSigner, isvProdId }) => `${mrSigner} product ${isvProdId}`)),
    actual: `${body.mrSigner} product ${body.isvProdId}`,
  });
  // Listed twice, the higher floor counts: a policy never becomes weaker by a line more.
  const floor = Math.max(...products.map(({ minimumIsvSvn }) => minimumIsvSvn));
  checks.require('SGX_ISV_SVN_LOW', body.isvSvn >= floor, { expected: `${floor} or higher`, actual: `${body.isvSvn}` });
}

function claimsOf({ body, version, pck, tcb, tcbEvaluationDataNumber, at }: AuthenticQuote<EnclaveReport>): SgxClaims {
  return Object.freeze({
    tee: 'sgx',
    simulated: false,
    vendor: 'Intel',
    identity: Object.freeze({ kind: 'ppid', value: pck.ppid }),
    fmspc: pck.fmspc,
    quoteVersion: version,
    measurement: body.mrEnclave,
    mrSigner: body.mrSigner,
    isvProdId: body.isvProdId,
    isvSvn: body.isvSvn,
    attributes: body.attributes,
    miscSelect: body.miscSelect,
    debug: (body.flags & DEBUG) !== 0n,
    tcb: Object.freeze({ ...tcb, components: pck.components, pceSvn: pck.pceSvn, tcbEvaluationDataNumber }),
    reportData: body.reportData,
    verifiedAt: new Date(at).toISOString(),
  });
}
