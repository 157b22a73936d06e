import { FastnessError } from '@fastness/codec/errors';
import type { Checklist } from '../../checks.ts';
import { CMW_EVIDENCE, type Cmw } from '../../cmw.ts';
import type { VerificationMeans } from '../../means.ts';
import { DCAP_COLLATERAL_TYPE, SNP_ENDORSEMENTS_TYPE, TDX_QUOTE_TYPE } from '../../media-types.ts';
import type { AttestationPolicy } from '../../policy/policy.ts';
import type { TrustAnchors } from '../../trust/anchors.ts';
import type { AttestationVerdict } from '../../verdict.ts';
import { appraise as appraiseSnp } from '../snp/appraise.ts';
import { authenticate as authenticateSnp } from '../snp/authenticate.ts';
import { encodeSnpEvidence } from '../snp/evidence.ts';
import { parse as parseSnp } from '../snp/parse.ts';
import { appraise as appraiseTdx } from '../tdx/appraise.ts';
import { authenticate as authenticateTdx } from '../tdx/authenticate.ts';
import { parse as parseTdx } from '../tdx/parse.ts';
import { checkTdReport } from './td-report.ts';

/** What the verifier of the hardware takes; the same as if its evidence had come by itself. */
type HardwareOptions = VerificationMeans & {
  readonly policy: AttestationPolicy;
  readonly anchors: TrustAnchors;
  readonly now: Date;
};

/** The hardware's part of the evidence, read. */
export interface ParsedHardware {
  readonly authenticate: (options: HardwareOptions) => Promise<AuthenticHardware>;
}

/** The hardware's part, which a pinned root of its vendor vouches for. */
export interface AuthenticHardware {
  /** 64 bytes, hex. */
  readonly reportData: string;
  /** Applies the policy's own section for this hardware. */
  readonly appraise: (options: {
    readonly policy: AttestationPolicy;
    readonly expectedReportData: Uint8Array;
  }) => AttestationVerdict;
}

interface HardwareParts {
  /** The area of the HCL report. */
  readonly report: Uint8Array;
  /** What only TDX needs: a quote over the same report. */
  readonly tdQuote: Uint8Array | undefined;
  readonly endorsements: readonly Cmw[];
}

interface HardwareKind {
  readonly reportType: number;
  /** Media type of the endorsements of this hardware. */
  readonly endorsementType: string;
  readonly parse: (parts: HardwareParts, checks: Checklist, means: VerificationMeans) => ParsedHardware;
}

/** The hardware below Azure's confidential VMs, by the type field of the runtime data. */
const hardwareKinds: readonly HardwareKind[] = Object.freeze([
  Object.freeze({ reportType: 2, endorsementType: SNP_ENDORSEMENTS_TYPE, parse: readSnp }),
  Object.freeze({ reportType: 4, endorsementType: DCAP_COLLATERAL_TYPE, parse: readTdx }),
]);

/**
 * Reads the hardware's part with the verifier of that hardware, so that nothing about it is weaker than for evidence of its
 * own. Throws AZURE_VTPM_HARDWARE_UNKNOWN, AZURE_VTPM_TD_QUOTE, ATTEST_ENDORSEMENT_UNSUPPORTED and what that verifier throws.
 */
export function parseHardware(
  reportType: number,
  parts: HardwareParts,
  checks: Checklist,
  means: VerificationMeans,
): ParsedHardware {
  const kind = hardwareKinds.find((candidate) => candidate.reportType === reportType);
  checks.require('AZURE_VTPM_HARDWARE_UNKNOWN', kind !== undefined, {
    expected: '2 (SEV-SNP) or 4 (TDX)',
    actual: `${reportType}`,
  });
  const stray = parts.endorsements.find(({ type }) => type !== kind.endorsementType);
  if (stray !== undefined) throw new FastnessError('ATTEST_ENDORSEMENT_UNSUPPORTED', `Type ${stray.type}.`);
  return kind.parse(parts, checks, means);
}

function readSnp({ report, tdQuote, endorsements }: HardwareParts, checks: Checklist, means: VerificationMeans) {
  checks.require('AZURE_VTPM_TD_QUOTE', tdQuote === undefined, {
    expected: 'no TD quote beside an SEV-SNP report',
    actual: tdQuote === undefined ? 'none' : 'one',
  });
  checks.notApplicable('AZURE_VTPM_TD_REPORT_MISMATCH', 'the hardware is SEV-SNP');
  const parsed = parseSnp(encodeSnpEvidence({ report }), endorsements, means);
  return Object.freeze({
    authenticate: async (options: HardwareOptions) => {
      const authentic = await authenticateSnp(parsed, options);
      return Object.freeze({
        reportData: authentic.report.reportData,
        appraise: (appraisal: Parameters<AuthenticHardware['appraise']>[0]) => appraiseSnp(authentic, appraisal),
      });
    },
  });
}

function readTdx({ report, tdQuote, endorsements }: HardwareParts, checks: Checklist, means: VerificationMeans) {
  checks.require('AZURE_VTPM_TD_QUOTE', tdQuote !== undefined, {
    expected: 'a TD quote',
    actual: tdQuote === undefined ? 'none' : 'one',
  });
  const evidence = { type: TDX_QUOTE_TYPE, value: tdQuote, ind: CMW_EVIDENCE };
  const parsed = parseTdx(evidence, endorsements, means);
  checkTdReport(report, parsed.body, checks);
  return Object.freeze({
    authenticate: async (options: HardwareOptions) => {
      const authentic = await authenticateTdx(parsed, options);
      return Object.freeze({
        reportData: authentic.body.reportData,
        appraise: (appraisal: Parameters<AuthenticHardware['appraise']>[0]) => appraiseTdx(authentic, appraisal),
      });
    },
  });
}
