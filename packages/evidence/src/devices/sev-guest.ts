import { REPORT_BYTES, snpEvidenceFromTsm } from '@fastness/attest/formats/snp';
import { FastnessError } from '@fastness/codec/errors';
import { requireReportData, type CollectedEvidence, type Collector } from '../collector.ts';
import { errnoName, untilNotBusy, withDevice, type Ioctl, type IoctlOptions, type NativeMemory } from './ioctl.ts';

/** The guest's way to the firmware of SEV-SNP, before Linux had configfs-tsm. */
export const SEV_GUEST_DEVICE = '/dev/sev-guest';

/** _IOWR('S', 0 and 2, struct snp_guest_request_ioctl) (include/uapi/linux/sev-guest.h). */
const GET_REPORT = 0xc020_5300n;
const GET_EXT_REPORT = 0xc020_5302n;

/** struct snp_guest_request_ioctl: message version, addresses of request and response, errors of firmware and host. */
const IOCTL_BYTES = 32;
const FIRMWARE_ERROR_AT = 24;
const HOST_ERROR_AT = 28;
/** struct snp_ext_report_req: 64 bytes of report data, VMPL, 28 reserved, address and length of the certificates. */
const REQUEST_BYTES = 112;
const VMPL_AT = 64;
const CERTIFICATES_AT = 96;
const CERTIFICATES_LENGTH_AT = 104;
/** struct snp_report_resp: MSG_REPORT_RSP of the SEV-SNP firmware ABI: status, size, 24 reserved, report. */
const RESPONSE_BYTES = 4000;
const REPORT_AT = 32;

/** SNP_GUEST_VMM_ERR_...: what the host says through the GHCB. */
const HOST_INVALID_LENGTH = 1;
const HOST_BUSY = 2;
const PAGE_BYTES = 4096;
/** What the kernel takes at most (SEV_FW_BLOB_MAX_SIZE). */
const MAX_CERTIFICATES = 0x4000;

export interface SevGuestOptions extends IoctlOptions {
  /** Default: {@link SEV_GUEST_DEVICE}. */
  readonly path?: string;
  /** VMPL to ask for, 0 to 3: not below that of this guest. Default: 0. */
  readonly privilegeLevel?: number;
}

/** The arguments of one request. */
interface Arguments {
  readonly ioctl: Ioctl;
  readonly call: NativeMemory;
  readonly request: NativeMemory;
  readonly response: NativeMemory;
  readonly certificates: NativeMemory;
}

/**
 * Collects reports from `/dev/sev-guest`: with the certificates that the host has for it, and without where it has none to
 * give. Whether there is such a device was seen before; nothing is asked until `collect`.
 * @throws EVIDENCE_UNREACHABLE, EVIDENCE_NATIVE, EVIDENCE_TIMEOUT, EVIDENCE_REFUSED, EVIDENCE_RESPONSE, SNP_CERT_TABLE_MALFORMED
 */
export function openSevGuest(options: SevGuestOptions = {}): Collector {
  const { path = SEV_GUEST_DEVICE } = options;
  return Object.freeze<Collector>({
    name: `sev-guest ${path}`,
    tee: 'sev-snp',
    simulated: false,
    detect: async () => ({ present: true, detail: `SEV-SNP guest device at ${path}` }),
    collect: async (reportData): Promise<CollectedEvidence> => {
      requireReportData('sev-snp', reportData);
      return snpEvidenceFromTsm(await report(path, options, reportData));
    },
  });
}

async function report(
  path: string,
  options: SevGuestOptions,
  reportData: Uint8Array,
): Promise<{ readonly outblob: Uint8Array; readonly auxblob?: Uint8Array }> {
  const { privilegeLevel = 0 } = options;
  return await withDevice(path, options, async (ioctl, allocate) => {
    const given: Arguments = {
      ioctl,
      call: allocate(IOCTL_BYTES),
      request: allocate(REQUEST_BYTES),
      response: allocate(RESPONSE_BYTES),
      certificates: allocate(MAX_CERTIFICATES),
    };
    const ask = async (code: bigint, room: number): Promise<number> => {
      return await untilNotBusy(
        path,
        options,
        () => once(given, { code, room, privilegeLevel, reportData }),
        () => hostError(given) === HOST_BUSY,
      );
    };
    // A host that needs more room for its certificates says so.
    let room = PAGE_BYTES;
    let answer = await ask(GET_EXT_REPORT, room);
    if (answer < 0 && hostError(given) === HOST_INVALID_LENGTH) {
      // The host states how much room it needs; it may not make us offer more than the kernel takes, or ask for ever.
      const needed = given.request.view.getUint32(CERTIFICATES_LENGTH_AT, true);
      if (needed <= room || needed > MAX_CERTIFICATES || needed % PAGE_BYTES !== 0)
        throw malformed(`the host wants room for ${needed} bytes of certificates`);
      room = needed;
      answer = await ask(GET_EXT_REPORT, room);
    }
    if (answer < 0) {
      // A host that knows no such request, and a kernel that does not: the verifier gets the certificates elsewhere.
      room = 0;
      answer = await ask(GET_REPORT, room);
    }
    if (answer < 0) {
      const firmware = given.call.view.getUint32(FIRMWARE_ERROR_AT, true);
      throw new FastnessError(
        'EVIDENCE_REFUSED',
        `${path}: ${errnoName(answer)}, firmware error ${firmware}, host error ${hostError(given)}.`,
      );
    }
    const { view, bytes } = given.response;
    const status = view.getUint32(0, true);
    const size = view.getUint32(4, true);
    if (status !== 0)
      throw new FastnessError('EVIDENCE_REFUSED', `${path}: the firmware answers with status ${status}.`);
    if (size !== REPORT_BYTES) throw malformed(`a report of ${size} bytes`);
    const table = given.certificates.bytes.slice(0, room);
    return {
      outblob: bytes.slice(REPORT_AT, REPORT_AT + REPORT_BYTES),
      // A host without certificates leaves the room as it was.
      ...(table.some((byte) => byte !== 0) ? { auxblob: table } : {}),
    };
  });
}

/** One call, with all of its arguments written anew: the kernel changes some. */
function once(
  { ioctl, call, request, response, certificates }: Arguments,
  asked: {
    readonly code: bigint;
    readonly room: number;
    readonly privilegeLevel: number;
    readonly reportData: Uint8Array;
  },
): number {
  for (const { bytes } of [call, request, response, certificates]) bytes.fill(0);
  request.bytes.set(asked.reportData);
  request.view.setUint32(VMPL_AT, asked.privilegeLevel, true);
  if (asked.room > 0) {
    request.view.setBigUint64(CERTIFICATES_AT, certificates.address, true);
    request.view.setUint32(CERTIFICATES_LENGTH_AT, asked.room, true);
  }
  // The version of the message; the firmware ABI knows no other.
  call.view.setUint8(0, 1);
  call.view.setBigUint64(8, request.address, true);
  call.view.setBigUint64(16, response.address, true);
  return ioctl(asked.code, call.address);
}

function hostError({ call }: Arguments): number {
  return call.view.getUint32(HOST_ERROR_AT, true);
}

function malformed(what: string): FastnessError {
  return new FastnessError('EVIDENCE_RESPONSE', `SEV-SNP: ${what}.`);
}
