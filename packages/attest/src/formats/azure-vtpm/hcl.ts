import { ByteReader, utf8Encode, equalBytes } from '@fastness/codec';
import type { Checklist } from '../../checks.ts';
import {
  HARDWARE_BYTES,
  HCL_HEADER_BYTES,
  HCL_SIGNATURE,
  HCL_VERSIONS,
  MAX_HCL_BYTES,
  RUNTIME_HEADER_BYTES,
  RUNTIME_VERSION,
  SHA256_RUNTIME,
} from './layout.ts';

/** An HCL report, taken apart. Nothing vouches for it until the hardware's report does. */
export interface HclReport {
  /** What the hardware's report is: 2 SEV-SNP, 4 TDX. */
  readonly reportType: number;
  /** The area of the hardware's report, 1184 bytes. */
  readonly hardware: Uint8Array;
  /** The runtime data: JSON, whose SHA-256 the hardware's report carries. */
  readonly runtimeData: Uint8Array;
}

const signature = utf8Encode(HCL_SIGNATURE);

/**
 * Reads an HCL report. Sizes must agree with each other; after the runtime data only zeros may follow, as the NV index is
 * larger than the report. Throws AZURE_VTPM_HCL_..., AZURE_VTPM_HASH, CODEC_TRUNCATED.
 */
export function readHclReport(bytes: Uint8Array, checks: Checklist): HclReport {
  const least = HCL_HEADER_BYTES + HARDWARE_BYTES + RUNTIME_HEADER_BYTES;
  checks.require('AZURE_VTPM_HCL_SIZE', bytes.length >= least && bytes.length <= MAX_HCL_BYTES, {
    expected: `${least} to ${MAX_HCL_BYTES} bytes`,
    actual: `${bytes.length}`,
  });
  const reader = new ByteReader(bytes);
  const signed = equalBytes(reader.take(signature.length), signature);
  checks.require('AZURE_VTPM_HCL_SIGNATURE', signed, {
    expected: HCL_SIGNATURE,
    actual: signed ? HCL_SIGNATURE : 'other bytes',
  });
  const version = reader.u32le();
  checks.require('AZURE_VTPM_HCL_VERSION', HCL_VERSIONS.includes(version), {
    expected: `version ${HCL_VERSIONS.join(' or ')}`,
    actual: `${version}`,
  });
  const reportSize = reader.u32le();
  reader.take(HCL_HEADER_BYTES - 12); // Request type, status and reserved words: nothing in the report depends on them.
  const hardware = reader.take(HARDWARE_BYTES);
  return { ...readRuntime(reader, reportSize, checks), hardware };
}

function readRuntime(reader: ByteReader, reportSize: number, checks: Checklist): Omit<HclReport, 'hardware'> {
  const dataSize = reader.u32le();
  const version = reader.u32le();
  const reportType = reader.u32le();
  const hash = reader.u32le();
  const claimsSize = reader.u32le();
  checks.require('AZURE_VTPM_HCL_VERSION', version === RUNTIME_VERSION, {
    expected: `runtime data of version ${RUNTIME_VERSION}`,
    actual: `${version}`,
  });
  checks.require('AZURE_VTPM_HASH', hash === SHA256_RUNTIME, {
    expected: `${SHA256_RUNTIME} (SHA-256)`,
    actual: `${hash}`,
  });
  const agreeing =
    dataSize === RUNTIME_HEADER_BYTES + claimsSize &&
    reportSize === HCL_HEADER_BYTES + HARDWARE_BYTES + dataSize &&
    claimsSize <= reader.remaining;
  checks.require('AZURE_VTPM_HCL_SIZE', agreeing, {
    expected: 'sizes that agree',
    actual: `a report of ${reportSize} bytes with runtime data of ${dataSize} and claims of ${claimsSize}`,
  });
  const runtimeData = reader.take(claimsSize);
  const padded = reader.take(reader.remaining).every((byte) => byte === 0);
  checks.require('AZURE_VTPM_HCL_PADDING', padded, {
    expected: 'zeros after the runtime data',
    actual: padded ? 'zeros' : 'other bytes',
  });
  return { reportType, runtimeData };
}
