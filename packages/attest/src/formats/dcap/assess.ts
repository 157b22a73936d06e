import { FastnessError } from '@fastness/codec/errors';
import type { Checklist } from '../../checks.ts';
import type { QeIdentity, TcbInfo } from './collateral-schema.ts';
import type { EnclaveReport } from './enclave-report.ts';
import type { PckFacts } from './pck.ts';
import { equalUnderMask, reaches, type TcbAssessment } from './tcb.ts';

/** The quoting enclave must be the one that Intel identifies; its ISVSVN decides its status. */
export function assessQe(report: EnclaveReport, identity: QeIdentity, checks: Checklist): TcbAssessment {
  checks.require('DCAP_QE_MRSIGNER', report.mrSigner === identity.mrsigner, {
    expected: identity.mrsigner,
    actual: report.mrSigner,
  });
  checks.require('DCAP_QE_PRODUCT', report.isvProdId === identity.isvprodid, {
    expected: `${identity.isvprodid}`,
    actual: `${report.isvProdId}`,
  });
  const { miscselect, miscselectMask, attributes, attributesMask } = identity;
  checks.require('DCAP_QE_MISCSELECT', equalUnderMask(report.miscSelect, miscselect, miscselectMask), {
    expected: `${miscselect} under ${miscselectMask}`,
    actual: report.miscSelect,
  });
  checks.require('DCAP_QE_ATTRIBUTES', equalUnderMask(report.attributes, attributes, attributesMask), {
    expected: `${attributes} under ${attributesMask}`,
    actual: report.attributes,
  });
  const level = identity.tcbLevels.find(({ tcb }) => tcb.isvsvn <= report.isvSvn);
  checks.require('DCAP_QE_TCB_UNKNOWN', level !== undefined, {
    expected: `ISVSVN ${identity.tcbLevels.map(({ tcb }) => tcb.isvsvn).join(' or ')} or higher`,
    actual: `${report.isvSvn}`,
  });
  return { status: level.tcbStatus, date: level.tcbDate, advisories: level.advisoryIDs };
}

/**
 * The first TCB level, in Intel's order, that the platform reaches with all 16 SGX components and the PCE; for TDX also with
 * the components of `tdx`: all 16, or from the third on when the module has an identity of its own
 * (`tdx.from` 2; Intel TDX DCAP, TCB info processing).
 */
export function assessPlatform(
  pck: PckFacts,
  info: TcbInfo,
  tdx: { readonly components: readonly number[]; readonly from: number } | undefined,
  checks: Checklist,
): TcbAssessment {
  const level = info.tcbLevels.find(({ tcb }) => {
    if (!reaches(pck.components, tcb.sgxtcbcomponents) || pck.pceSvn < tcb.pcesvn) return false;
    if (tdx === undefined) return true;
    if (tcb.tdxtcbcomponents === undefined) {
      throw new FastnessError('DCAP_COLLATERAL_MALFORMED', 'TCB info for TDX without TDX components.');
    }
    return reaches(tdx.components, tcb.tdxtcbcomponents, tdx.from);
  });
  checks.require('DCAP_TCB_LEVEL_UNKNOWN', level !== undefined, {
    expected: `one of ${info.tcbLevels.length} levels reached`,
    actual: `components ${pck.components.join(',')}, PCE ${pck.pceSvn}${tdx === undefined ? '' : `, TDX ${tdx.components.join(',')}`}`,
  });
  return { status: level.tcbStatus, date: level.tcbDate, advisories: level.advisoryIDs };
}
