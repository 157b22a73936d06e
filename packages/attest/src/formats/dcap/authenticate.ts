import { equalBytes } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { Checklist } from '../../checks.ts';
import type { EventLog, ReplayedRtmrLog } from '../../event-log/index.ts';
import type { VerificationMeans } from '../../means.ts';
import { parseAttestationPolicy, type AttestationPolicy } from '../../policy/policy.ts';
import { issued, knownRoot, requireSignatures } from '../../signatures.ts';
import { requireTime } from '../../time.ts';
import type { TrustAnchors } from '../../trust/anchors.ts';
import { assessPlatform, assessQe } from './assess.ts';
import { checkPckReference } from './certification.ts';
import { checkCertificateWindows, selectPckChain, selectTcbSigner } from './chain.ts';
import type { TcbInfo } from './collateral-schema.ts';
import { checkDocuments } from './documents.ts';
import type { DcapFlavour } from './flavour.ts';
import { readPckFacts } from './pck.ts';
import { checkRevocation, requireCrl } from './revocation.ts';
import { checkQeReportData, documentSigned, qeReportSigned, quoteSigned, vouchingReportData } from './signatures.ts';
import { AuthenticQuote, ParsedQuote } from './stages.ts';
import { mergeStatus, type TcbAssessment } from './tcb.ts';

/** What TDX adds to the assessment of a platform. */
export interface ModuleAssessment {
  /** TEE TCB SVN of the quote, and from which component on it counts at platform level. */
  readonly components: readonly number[];
  readonly from: number;
  /** Status of the module by its own identity; absent when the platform's level covers it. */
  readonly module?: TcbAssessment;
}

/** What is looked at beside the platform, where a flavour has it. */
export interface FlavourParts<Body> {
  readonly assessModule: (body: Body, info: TcbInfo, checks: Checklist) => ModuleAssessment;
  readonly replay: (log: EventLog) => Promise<ReplayedRtmrLog>;
}

export interface AuthenticateOptions extends VerificationMeans {
  readonly policy: AttestationPolicy;
  readonly anchors: TrustAnchors;
  readonly now: Date;
}

/**
 * Establishes that a pinned root vouches for the quote and assesses the platform: PCK chain by key; the PCK signed the
 * quoting enclave's report, that report vouches for the attestation key, and the attestation key signed the quote;
 * revocation lists; TCB info and QE identity over their bytes; then the TCB levels. Fails with the first check in this
 * order. Of the policy, only the waivers matter here.
 */
export async function authenticateQuote<Body>(
  parsed: ParsedQuote<Body>,
  flavour: DcapFlavour,
  options: AuthenticateOptions,
  parts?: FlavourParts<Body>,
): Promise<AuthenticQuote<Body>> {
  const quote = ParsedQuote.quoteOf(parsed, flavour);
  const policy = parseAttestationPolicy(options.policy);
  const now = requireTime(options.now);
  const anchors = options.anchors.intel ?? [];
  const checks: Checklist = new Checklist(policy.waivers, { checks: parsed.checks, waivers: [] });

  const { leaf, issuer, root, rootKnown } = await selectPckChain(parsed.certificates, anchors, checks, options);
  const [vouching, ...outcomes] = await Promise.all([
    vouchingReportData(quote, options),
    rootKnown ? knownRoot('DCAP_ROOT_SIGNATURE', root) : issued('DCAP_ROOT_SIGNATURE', root, root, options),
    issued('DCAP_PCK_ISSUER_SIGNATURE', issuer, root, options),
    issued('DCAP_PCK_SIGNATURE', leaf, issuer, options),
    qeReportSigned(leaf, quote, options),
    quoteSigned(quote, options),
  ]);
  requireSignatures(outcomes, checks);
  checkQeReportData(quote, vouching, checks);
  checkCertificateWindows([leaf, issuer, root], now, checks);
  const pck = readPckFacts(leaf, options);
  checkPckReference(quote.reference, pck, checks);

  const { collateral } = parsed;
  checks.require('DCAP_COLLATERAL_MISSING', collateral !== undefined, {
    expected: 'TCB info, QE identity and revocation lists',
    actual: collateral === undefined ? 'none' : 'given',
  });
  const { tcbInfo, qeIdentity, rootCaCrl, pckCrl } = collateral;
  const tcbSigner = selectTcbSigner(tcbInfo.chain, root, checks);
  const qeSigner = selectTcbSigner(qeIdentity.chain, root, checks);
  requireCrl(rootCaCrl, root, checks);
  requireCrl(pckCrl, issuer, checks);
  requireSignatures(
    await Promise.all([
      issued('DCAP_TCB_SIGNER_SIGNATURE', tcbSigner, root, options),
      // Intel signs both documents with one certificate.
      ...(equalBytes(tcbSigner.raw, qeSigner.raw)
        ? []
        : [issued('DCAP_TCB_SIGNER_SIGNATURE', qeSigner, root, options)]),
      ...(rootCaCrl === undefined ? [] : [issued('DCAP_CRL_SIGNATURE', rootCaCrl, root, options)]),
      ...(pckCrl === undefined ? [] : [issued('DCAP_CRL_SIGNATURE', pckCrl, issuer, options)]),
      documentSigned('DCAP_TCB_INFO_SIGNATURE', tcbSigner, tcbInfo, options),
      documentSigned('DCAP_QE_IDENTITY_SIGNATURE', qeSigner, qeIdentity, options),
    ]),
    checks,
  );
  checkCertificateWindows([tcbSigner, qeSigner], now, checks);
  checkRevocation(rootCaCrl, [issuer, tcbSigner, qeSigner], now, checks);
  checkRevocation(pckCrl, [leaf], now, checks);
  checkDocuments(collateral, { flavour, pck, now }, checks);

  const info = tcbInfo.content;
  const qe = assessQe(parsed.qeReport, qeIdentity.content, checks);
  const tdx = parts?.assessModule(parsed.body, info, checks);
  const platform = assessPlatform(pck, info, tdx, checks);
  const assessed = [platform, qe, ...(tdx?.module === undefined ? [] : [tdx.module])];
  return new AuthenticQuote(
    {
      version: parsed.version,
      body: parsed.body,
      pck,
      tcb: merge(assessed),
      tcbEvaluationDataNumber: Math.min(info.tcbEvaluationDataNumber, qeIdentity.content.tcbEvaluationDataNumber),
      eventLog: parsed.eventLog === undefined ? undefined : await parts?.replay(parsed.eventLog),
      at: now.getTime(),
      ...checks.results(),
    },
    flavour,
  );
}

function merge(parts: readonly TcbAssessment[]): TcbAssessment {
  const [first] = parts.map(({ date }) => date).toSorted();
  if (first === undefined) throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'Nothing was assessed.');
  return Object.freeze({
    status: mergeStatus(parts.map(({ status }) => status)),
    date: first,
    advisories: Object.freeze([...new Set(parts.flatMap(({ advisories }) => advisories))].toSorted()),
  });
}
