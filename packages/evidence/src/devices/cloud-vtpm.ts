import { encodeAzureVtpmEvidence } from '@fastness/attest/formats/azure-vtpm';
import { encodeGcpVtpmEvidence } from '@fastness/attest/formats/gcp-vtpm';
import { concatBytes } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import {
  createPrimary,
  handles,
  isMissing,
  nvRead,
  nvReadPublic,
  openSwtpmSocket,
  openTpm,
  openTpmDevice,
  readPublic,
  withObject,
  type Tpm,
} from '../tpm/index.ts';
import { fetchTdQuote } from './azure-td-quote.ts';
import { openQuoting, TPM_DEVICE, type TpmCollector, type TpmCollectorOptions } from './tpm.ts';

/** NV indices of Google's virtual TPM: certificate and template of its ECC P-256 attestation key (go-tpm-tools, client). */
export const gcpIndices = Object.freeze({ certificate: 0x01c1_0002, template: 0x01c1_0003 });
/**
 * NV indices of Azure's virtual TPM in a confidential VM, and the handle of its attestation key (Azure documentation,
 * "Guest attestation for confidential VMs").
 */
export const azureIndices = Object.freeze({ hclReport: 0x0140_0001, certificate: 0x01c1_01d0, key: 0x8100_0003 });

/** Where the hardware's report is in an HCL report, and the word that says which kind it is; 4 is TDX. */
const HARDWARE_AT = 32;
const TD_REPORT_BYTES = 1024;
const REPORT_TYPE_AT = 32 + 1184 + 8;
const TDX = 4;
/** TPM2_NV_Read gives no more at once. */
const CHUNK = 512;
const MAX_INDEX = 8192;

export interface AzureVtpmOptions extends TpmCollectorOptions {
  /** Turns a TDREPORT of 1024 bytes into a quote. Default: Azure's metadata service, from inside the VM. */
  readonly tdQuote?: (report: Uint8Array) => Promise<Uint8Array>;
}

/**
 * Collects quotes of a virtual TPM of Google Compute Engine: the attestation key is made from the template that Google put
 * into the TPM, and goes with the certificate that Google issued for it.
 * @returns undefined where the TPM has no such indices
 * @throws TPM_DEVICE_..., EVIDENCE_UNREACHABLE for the event log, EVIDENCE_RESPONSE
 */
export async function openGcpVtpm(options: TpmCollectorOptions = {}): Promise<TpmCollector | undefined> {
  if (!(await hasIndex(options, gcpIndices.template))) return undefined;
  return await openQuoting(options, {
    tee: 'gcp-vtpm',
    name: 'virtual TPM of Google Compute Engine',
    withKey: async (tpm, work) => {
      const template = await readIndex(tpm, gcpIndices.template);
      const key = await createPrimary(tpm, { template, hierarchy: handles.endorsement });
      return await withObject(tpm, key, () => work(key.handle, key.publicArea));
    },
    wrap: async (tpm, content) => {
      const certificates = [withoutPadding(await readIndex(tpm, gcpIndices.certificate))];
      return encodeGcpVtpmEvidence({ ...content, certificates });
    },
  });
}

/**
 * Collects quotes of the virtual TPM of an Azure confidential VM, with the HCL report that ties its key to the hardware's
 * report. On TDX the report has to be quoted, which Azure's metadata service does: untrusted, as the quote is verified.
 * @returns undefined where the TPM has no HCL report
 * @throws TPM_DEVICE_..., EVIDENCE_UNREACHABLE, EVIDENCE_TIMEOUT, EVIDENCE_REFUSED, EVIDENCE_RESPONSE
 */
export async function openAzureVtpm(options: AzureVtpmOptions = {}): Promise<TpmCollector | undefined> {
  const { tdQuote = fetchTdQuote } = options;
  if (!(await hasIndex(options, azureIndices.hclReport))) return undefined;
  return await openQuoting(options, {
    tee: 'azure-vtpm',
    name: 'virtual TPM of an Azure confidential VM',
    withKey: async (tpm, work) => {
      const { publicArea } = await readPublic(tpm, azureIndices.key);
      return await work(azureIndices.key, publicArea);
    },
    wrap: async (tpm, content) => {
      const hclReport = await readIndex(tpm, azureIndices.hclReport);
      if (hclReport.length < REPORT_TYPE_AT + 4) throw malformed(`an HCL report of ${hclReport.length} bytes`);
      const type = new DataView(hclReport.buffer, hclReport.byteOffset).getUint32(REPORT_TYPE_AT, true);
      const certificate = await readIndex(tpm, azureIndices.certificate).catch(unlessMissing);
      return encodeAzureVtpmEvidence({
        ...content,
        hclReport,
        ...(type === TDX
          ? { tdQuote: await tdQuote(hclReport.slice(HARDWARE_AT, HARDWARE_AT + TD_REPORT_BYTES)) }
          : {}),
        ...(certificate === undefined ? {} : { certificates: [withoutPadding(certificate)] }),
      });
    },
  });
}

async function hasIndex({ path = TPM_DEVICE }: TpmCollectorOptions, index: number): Promise<boolean> {
  await using tpm = openTpm({
    transport: await (path.endsWith('.sock') ? openSwtpmSocket(path) : openTpmDevice(path)),
  });
  return (await nvReadPublic(tpm, index).catch(unlessMissing)) !== undefined;
}

async function readIndex(tpm: Tpm, index: number): Promise<Uint8Array> {
  const { size } = await nvReadPublic(tpm, index);
  if (size === 0 || size > MAX_INDEX) throw malformed(`NV index 0x${index.toString(16)} of ${size} bytes`);
  const parts: Uint8Array[] = [];
  for (let offset = 0; offset < size; offset += CHUNK) {
    parts.push(await nvRead(tpm, { index, offset, size: Math.min(CHUNK, size - offset) }));
  }
  return concatBytes(...parts);
}

/** A certificate fills less of its index than there is: DER says how long it is, in the two bytes after 30 82. */
function withoutPadding(bytes: Uint8Array): Uint8Array {
  const length = bytes[0] === 0x30 && bytes[1] === 0x82 ? 4 + ((bytes[2] ?? 0) << 8) + (bytes[3] ?? 0) : 0;
  if (length === 0 || length > bytes.length) throw malformed('an index that holds no certificate');
  return bytes.slice(0, length);
}

function unlessMissing(error: unknown): undefined {
  if (isMissing(error)) return undefined;
  throw error;
}

function malformed(what: string): FastnessError {
  return new FastnessError('EVIDENCE_RESPONSE', `Virtual TPM: ${what}.`);
}
