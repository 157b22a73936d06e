import { concatBytes, utf8Encode } from '@fastness/codec/bytes';
import type { ForgedKeys } from '../x509/keys.ts';

/** Types of the hardware's report. */
export const hclReportTypes = Object.freeze({ snp: 2, tdx: 4 });

/** Sizes of the parts of the report. */
const HARDWARE_BYTES = 1184;
const HEADER_BYTES = 32;
const RUNTIME_HEADER_BYTES = 20;
/** The NV index that holds the report. */
const NV_BYTES = 2600;

/** Runtime data as the paravisor writes it, with `keys` as the attestation key; `edit` changes it before it is written. */
export async function forgeRuntimeData(
  keys: ForgedKeys,
  edit: (runtime: Record<string, unknown>) => unknown = (runtime) => runtime,
): Promise<Uint8Array<ArrayBuffer>> {
  const importAs = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('spki', keys.spki, importAs, true, ['verify']);
  const { n, e } = await crypto.subtle.exportKey('jwk', key);
  const runtime = {
    keys: [
      { kid: 'HCLAkPub', key_ops: ['sign'], kty: 'RSA', e, n },
      { kid: 'HCLEkPub', key_ops: ['encrypt'], kty: 'RSA', e, n },
    ],
    'vm-configuration': {
      'console-enabled': true,
      'secure-boot': true,
      'tpm-enabled': true,
      'tpm-persisted': true,
      vmUniqueId: '00112233-4455-6677-8899-AABBCCDDEEFF',
    },
    'user-data': '00'.repeat(64),
  };
  return utf8Encode(JSON.stringify(edit(runtime)));
}

/** 64 bytes of report data for runtime data: its SHA-256, and zeros. */
export async function hclReportData(runtimeData: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(runtimeData)));
  return concatBytes(digest, new Uint8Array(32));
}

export interface ForgeHclReportOptions {
  /** An SNP report or a TDREPORT. */
  readonly hardware: Uint8Array;
  readonly reportType: number;
  readonly runtimeData: Uint8Array;
  /** Replaces fields, little-endian. */
  readonly version?: number;
  readonly runtimeVersion?: number;
  readonly hash?: number;
  readonly reportSize?: number;
  readonly dataSize?: number;
}

/** Writes the report that the paravisor keeps in the TPM. */
export function forgeHclReport(options: ForgeHclReportOptions): Uint8Array<ArrayBuffer> {
  const { hardware, runtimeData, reportType } = options;
  const dataSize = options.dataSize ?? RUNTIME_HEADER_BYTES + runtimeData.length;
  const reportSize = options.reportSize ?? HEADER_BYTES + HARDWARE_BYTES + dataSize;
  const parts = concatBytes(
    utf8Encode('HCLA'),
    words(options.version ?? 2, reportSize, 2, 0, 0, 0, 0),
    hardware,
    new Uint8Array(HARDWARE_BYTES - hardware.length),
    words(dataSize, options.runtimeVersion ?? 1, reportType, options.hash ?? 1, runtimeData.length),
    runtimeData,
  );
  return concatBytes(parts, new Uint8Array(Math.max(0, NV_BYTES - parts.length)));
}

/** The TDREPORT that a quote with this body (584 bytes or more) was made of. */
export function forgeTdReport(body: Uint8Array): Uint8Array<ArrayBuffer> {
  const report = new Uint8Array(1024);
  report[0] = 0x81;
  report.set(body.subarray(520, 584), 128);
  report.set(body.subarray(120, 520), 512);
  return report;
}

function words(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => {
    view.setUint32(4 * index, value, true);
  });
  return bytes;
}
