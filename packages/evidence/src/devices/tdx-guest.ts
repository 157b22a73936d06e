import { encodeTdxEvidence } from '@fastness/attest/formats/tdx';
import { equalBytes } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { requireReportData, type CollectedEvidence, type Collector } from '../collector.ts';
import { errnoName, untilNotBusy, withDevice, type IoctlOptions } from './ioctl.ts';
import { encodeQuoteRequest, messageLength, QGS_FRAME_BYTES, readQuoteResponse } from './qgs.ts';
import { openTdxLog, type TdxLogOptions } from './tdx-log.ts';
import type { TdxRtmrOptions } from './tdx-rtmr.ts';
import { vsockStream, withStream, type StreamAddress } from './vsock-exchange.ts';

/** The guest's way to the TDX module. Quotes come through configfs-tsm from Linux 6.7 on; this is for older kernels. */
export const TDX_GUEST_DEVICE = '/dev/tdx_guest';
/** VMADDR_CID_HOST, and the port of Intel's quote generation service (`port = 4050` of its configuration). */
const HOST_CID = 2;
const QGS_PORT = 4050;

/** TDX_CMD_GET_REPORT0: _IOWR('T', 1, struct tdx_report_req) (include/uapi/linux/tdx-guest.h). */
const GET_REPORT = 0xc440_5401n;
/** struct tdx_report_req: 64 bytes of report data, then the report. */
const REPORT_DATA_BYTES = 64;
const REPORT_BYTES = 1024;
/** REPORTTYPE.TYPE of a trust domain, and REPORTMACSTRUCT.REPORTDATA (Intel TDX Module ABI, TDREPORT_STRUCT). */
const REPORT_TYPE_TDX = 0x81;
const REPORT_DATA_AT = 128;

export interface TdxGuestOptions extends IoctlOptions {
  /** Default: {@link TDX_GUEST_DEVICE}. */
  readonly path?: string;
  /** Where the quote generation service listens. Default: port 4050 of the host. */
  readonly service?: StreamAddress;
  /** Milliseconds for the service's whole answer. Default: 30,000. */
  readonly timeoutMs?: number;
  /** The register that events of the run time go to. */
  readonly rtmr?: TdxRtmrOptions;
  /** Where the event log of the boot is. */
  readonly eventLog?: TdxLogOptions;
}

/**
 * Collects quotes of a trust domain from `/dev/tdx_guest`: the module makes a report, which only this processor can check,
 * and the host's quote generation service turns it into a quote. The host can refuse; a quote of anything else does not
 * verify. Whether there is such a device was seen before; nothing is asked until `collect`.
 * @throws EVIDENCE_UNREACHABLE, EVIDENCE_NATIVE, EVIDENCE_TIMEOUT, EVIDENCE_REFUSED, EVIDENCE_RESPONSE
 */
export async function openTdxGuest(options: TdxGuestOptions = {}): Promise<Collector> {
  const { path = TDX_GUEST_DEVICE, service = vsockStream(HOST_CID, QGS_PORT), timeoutMs = 30_000 } = options;
  const log = await openTdxLog(options);
  return Object.freeze<Collector>({
    name: `tdx-guest ${path}`,
    tee: 'tdx',
    simulated: false,
    detect: async () => ({
      present: true,
      detail: `TDX guest device at ${path}, quotes from ${service.name}, ${log.detail}`,
    }),
    collect: async (reportData): Promise<CollectedEvidence> => {
      requireReportData('tdx', reportData);
      const { made: quote, eventLog } = await log.quoted(async () => {
        const report = await reportOf(path, options, reportData);
        return await withStream(service, timeoutMs, async ({ send, receive }) => {
          await send(encodeQuoteRequest(report));
          return readQuoteResponse(await receive(messageLength(await receive(QGS_FRAME_BYTES))));
        });
      });
      const evidence = encodeTdxEvidence({ quote, ...(eventLog === undefined ? {} : { eventLog }) });
      return { evidence, endorsements: [] };
    },
    ...(log.extend === undefined ? {} : { extend: log.extend }),
  });
}

async function reportOf(path: string, options: TdxGuestOptions, reportData: Uint8Array): Promise<Uint8Array> {
  return await withDevice(path, options, async (ioctl, allocate) => {
    const request = allocate(REPORT_DATA_BYTES + REPORT_BYTES);
    const answer = await untilNotBusy(path, options, () => {
      request.bytes.fill(0);
      request.bytes.set(reportData);
      return ioctl(GET_REPORT, request.address);
    });
    if (answer < 0) throw new FastnessError('EVIDENCE_REFUSED', `${path}: ${errnoName(answer)}.`);
    const report = request.bytes.slice(REPORT_DATA_BYTES);
    const stated = report.subarray(REPORT_DATA_AT, REPORT_DATA_AT + REPORT_DATA_BYTES);
    if (report[0] !== REPORT_TYPE_TDX || !equalBytes(stated, reportData))
      throw new FastnessError('EVIDENCE_RESPONSE', `${path}: no report of a trust domain with this report data.`);
    return report;
  });
}
