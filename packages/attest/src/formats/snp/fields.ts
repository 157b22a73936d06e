import { toHex } from '@fastness/codec';
import {
  AUTHOR_KEY_BIT,
  CPUID_SINCE,
  guestPolicyBits,
  MASK_CHIP_KEY_BIT,
  MITIGATIONS_SINCE,
  platformInfoBits,
  reportLayout,
  SIGNING_KEY_MASK,
  SIGNING_KEY_SHIFT,
  type Field,
} from './layout.ts';
import type { GuestPolicy, PlatformInfo, SnpReport } from './report.ts';

/** Reads the fields of a report of the right size. Judges nothing. */
export function readFields(bytes: Uint8Array): SnpReport {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u32 = (field: Field) => view.getUint32(field.offset, true);
  const u64 = (field: Field) => view.getBigUint64(field.offset, true);
  const octet = (field: Field, index: number) => view.getUint8(field.offset + index);
  const hex = (field: Field) => toHex(bytes.subarray(field.offset, field.offset + field.bytes));
  const firmware = (field: Field) => `${octet(field, 2)}.${octet(field, 1)}.${octet(field, 0)}`;
  const at = reportLayout;
  const version = u32(at.version);
  const flags = u32(at.flags);
  return Object.freeze({
    version,
    guestSvn: u32(at.guestSvn),
    policy: readGuestPolicy(u64(at.policy)),
    familyId: hex(at.familyId),
    imageId: hex(at.imageId),
    vmpl: u32(at.vmpl),
    signatureAlgorithm: u32(at.signatureAlgorithm),
    platform: readPlatformInfo(u64(at.platformInfo)),
    authorKeyEnabled: (flags & AUTHOR_KEY_BIT) !== 0,
    chipKeyMasked: (flags & MASK_CHIP_KEY_BIT) !== 0,
    signingKey: (flags >>> SIGNING_KEY_SHIFT) & SIGNING_KEY_MASK,
    reportData: hex(at.reportData),
    measurement: hex(at.measurement),
    hostData: hex(at.hostData),
    idKeyDigest: hex(at.idKeyDigest),
    authorKeyDigest: hex(at.authorKeyDigest),
    reportId: hex(at.reportId),
    reportIdMa: hex(at.reportIdMa),
    tcb: Object.freeze({
      reported: hex(at.reportedTcb),
      committed: hex(at.committedTcb),
      current: hex(at.currentTcb),
      launch: hex(at.launchTcb),
    }),
    chipId: hex(at.chipId),
    firmware: Object.freeze({ current: firmware(at.currentFirmware), committed: firmware(at.committedFirmware) }),
    ...(version >= CPUID_SINCE
      ? {
          cpuid: Object.freeze({ family: octet(at.cpuid, 0), model: octet(at.cpuid, 1), stepping: octet(at.cpuid, 2) }),
        }
      : {}),
    ...(version >= MITIGATIONS_SINCE
      ? { mitigations: Object.freeze({ launch: u64(at.launchMitigations), current: u64(at.currentMitigations) }) }
      : {}),
  });
}

function readGuestPolicy(bits: bigint): GuestPolicy {
  const bit = (index: bigint) => ((bits >> index) & 1n) === 1n;
  const at = guestPolicyBits;
  return Object.freeze({
    bits,
    smtAllowed: bit(at.smtAllowed),
    reservedOne: bit(at.reservedOne),
    migrationAgentAllowed: bit(at.migrationAgentAllowed),
    debugAllowed: bit(at.debugAllowed),
    singleSocket: bit(at.singleSocket),
    cxlAllowed: bit(at.cxlAllowed),
    memoryAes256Xts: bit(at.memoryAes256Xts),
    raplDisabled: bit(at.raplDisabled),
    ciphertextHiding: bit(at.ciphertextHiding),
    pageSwapDisabled: bit(at.pageSwapDisabled),
    unknown: bits >> at.firstUnknown,
  });
}

function readPlatformInfo(bits: bigint): PlatformInfo {
  const bit = (index: bigint) => ((bits >> index) & 1n) === 1n;
  const at = platformInfoBits;
  return Object.freeze({
    bits,
    smtEnabled: bit(at.smtEnabled),
    tsmeEnabled: bit(at.tsmeEnabled),
    eccEnabled: bit(at.eccEnabled),
    raplDisabled: bit(at.raplDisabled),
    ciphertextHidingEnabled: bit(at.ciphertextHidingEnabled),
    aliasCheckComplete: bit(at.aliasCheckComplete),
  });
}
