import { toHex } from '@fastness/codec';
import type { Checklist } from '../../checks.ts';
import type { TdBody } from '../tdx/body.ts';
import { TD_INFO, TD_REPORT_BYTES, TD_REPORT_DATA, TD_REPORT_TYPE } from './layout.ts';

/**
 * That the TDREPORT in the HCL report is the one that the quote was made of: type, report data and everything that both say
 * about the TD. Nobody but the processor can verify a TDREPORT, so the quote alone counts; a report that differs from it
 * shows that the parts do not belong together.
 */
export function checkTdReport(area: Uint8Array, body: TdBody, checks: Checklist): void {
  const reportData = toHex(area.subarray(TD_REPORT_DATA.offset, TD_REPORT_DATA.offset + TD_REPORT_DATA.bytes));
  const info = toHex(area.subarray(TD_INFO.offset, TD_INFO.offset + TD_INFO.bytes));
  const quoted = [
    little(body.tdAttributes),
    little(body.xfam),
    body.mrTd,
    body.mrConfigId,
    body.mrOwner,
    body.mrOwnerConfig,
    ...body.rtmrs,
  ].join('');
  const padded = area.subarray(TD_REPORT_BYTES).every((byte) => byte === 0);
  const same = area[0] === TD_REPORT_TYPE && reportData === body.reportData && info === quoted && padded;
  checks.require('AZURE_VTPM_TD_REPORT_MISMATCH', same, {
    expected: `the TDREPORT of the quoted TD, with report data ${body.reportData}`,
    actual: same ? 'it' : `type 0x${(area[0] ?? 0).toString(16)}, report data ${reportData}, or another TD`,
  });
}

/** 64 bits as they are stored. */
function little(value: bigint): string {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return toHex(bytes);
}
