import {
  CCA_TOKEN_TYPE,
  CMW_EVIDENCE,
  NITRO_EVIDENCE_TYPE,
  NITRO_TPM_EVIDENCE_TYPE,
  PSA_TOKEN_TYPE,
  SGX_QUOTE_TYPE,
  TDX_QUOTE_TYPE,
  TSM_REPORT_TYPE,
  type Cmw,
} from '@fastness/attest';
import { encodeAndroidKeyEvidence } from '@fastness/attest/formats/android-key';
import { encodeNvidiaEvidence } from '@fastness/attest/formats/nvidia';
import { encodeSnpEvidence, REPORT_BYTES, snpEvidenceFromExtendedReport } from '@fastness/attest/formats/snp';
import { decodePem, fromBase64, toHex, utf8Decode, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';

/** Evidence, and endorsements that came in the same file. */
export interface RecognisedEvidence {
  readonly evidence: Cmw;
  readonly endorsements: readonly Cmw[];
}

const QE_VENDOR = '939a7233f79c4ca9940a0db3957f0607';
const TDX_TEE_TYPE = 0x81;

export const alone = (type: string, value: Uint8Array): RecognisedEvidence => ({
  evidence: { type, value, ind: CMW_EVIDENCE },
  endorsements: [],
});

export function recogniseSnp(bytes: Uint8Array): RecognisedEvidence | undefined {
  if (bytes[0] === 0x7b) return isTsmReport(bytes) ? alone(TSM_REPORT_TYPE, bytes) : undefined;
  if (bytes.length < REPORT_BYTES) return undefined;
  const version = u32le(bytes, 0);
  // Version, and the only signature algorithm there is.
  if (version < 2 || version > 8 || u32le(bytes, 0x34) !== 1) return undefined;
  if (bytes.length === REPORT_BYTES) return { evidence: encodeSnpEvidence({ report: bytes }), endorsements: [] };
  return snpEvidenceFromExtendedReport(bytes);
}

function isTsmReport(bytes: Uint8Array): boolean {
  return find(bytes, '"outblob"') && find(bytes, '"provider"');
}

/** The header that TDX and SGX share: version, key type, TEE type, and Intel as the vendor of the quoting enclave. */
export function recogniseQuote(bytes: Uint8Array, tee: 'tdx' | 'sgx'): RecognisedEvidence | undefined {
  if (bytes.length < 48 || toHex(bytes.subarray(12, 28)) !== QE_VENDOR) return undefined;
  const tdx = u32le(bytes, 4) === TDX_TEE_TYPE;
  if (tdx !== (tee === 'tdx')) return undefined;
  return alone(tdx ? TDX_QUOTE_TYPE : SGX_QUOTE_TYPE, bytes);
}

/** COSE_Sign1, tagged or not, whose payload has the field that only this kind of document has. */
export function recogniseNitro(bytes: Uint8Array, kind: 'enclave' | 'nitrotpm'): RecognisedEvidence | undefined {
  const registers = kind === 'enclave' ? 'pcrs' : 'nitrotpm_pcrs';
  const type = kind === 'enclave' ? NITRO_EVIDENCE_TYPE : NITRO_TPM_EVIDENCE_TYPE;
  // Text of CBOR in front of its length: "pcrs" is also the end of "nitrotpm_pcrs".
  const name = utf8Encode(registers);
  const field = Uint8Array.of(0x60 + name.length, ...name);
  return isSign1(bytes) && find(bytes, 'module_id') && findBytes(bytes, field) ? alone(type, bytes) : undefined;
}

/** COSE_Sign1 that is no document of AWS. */
export function recognisePsa(bytes: Uint8Array): RecognisedEvidence | undefined {
  return isSign1(bytes) && !find(bytes, 'module_id') ? alone(PSA_TOKEN_TYPE, bytes) : undefined;
}

/** The tags of the collection of platform and realm token: 399, and 907 in later drafts. */
export function recogniseCca(bytes: Uint8Array): RecognisedEvidence | undefined {
  const tag = bytes[0] === 0xd9 ? ((bytes[1] ?? 0) << 8) | (bytes[2] ?? 0) : 0;
  return tag === 399 || tag === 907 ? alone(CCA_TOKEN_TYPE, bytes) : undefined;
}

/** A chain in PEM, the attested key first. Certificates inside JSON are somebody else's. */
export function recogniseAndroidKey(bytes: Uint8Array): RecognisedEvidence | undefined {
  if (bytes[0] === 0x7b || bytes[0] === 0x5b || !find(bytes, '-----BEGIN CERTIFICATE-----\n')) return undefined;
  return { evidence: encodeAndroidKeyEvidence(decodePem(utf8Decode(bytes), 'CERTIFICATE')), endorsements: [] };
}

const nvidiaEntriesSchema = z
  .array(z.looseObject({ arch: z.string(), certificate: z.string(), evidence: z.string() }))
  .min(1);
/** Architectures of switches, as NVIDIA's tools name them; everything else is a GPU. */
const switches: ReadonlySet<string> = new Set(['LS10', 'LS_10', 'SWITCH']);

/** What NVIDIA's attestation SDK serialises, with one entry: report and chain (PEM), each in base64. */
export function recogniseNvidia(
  bytes: Uint8Array,
  tee: 'nvidia-gpu' | 'nvidia-nvswitch',
): RecognisedEvidence | undefined {
  if (bytes[0] !== 0x5b || !find(bytes, '"evidence"')) return undefined;
  const entries = nvidiaEntriesSchema.safeParse(jsonOf(bytes));
  const [entry, ...others] = entries.data ?? [];
  if (others.length > 0) {
    throw new FastnessError(
      'CLI_NOT_RECOGNISED',
      `It holds evidence of ${others.length + 1} devices: give one of them, or a collection (CMW) of the machine, with its processor.`,
    );
  }
  if (entry === undefined || switches.has(entry.arch) !== (tee === 'nvidia-nvswitch')) return undefined;
  const certificates = decodePem(utf8Decode(fromBase64(entry.certificate)), 'CERTIFICATE');
  const report = fromBase64(entry.evidence);
  return { evidence: encodeNvidiaEvidence({ report, certificates, tee }), endorsements: [] };
}

function isSign1(bytes: Uint8Array): boolean {
  const [first, second] = bytes;
  return first === 0x84 || (first === 0xd2 && second === 0x84);
}

export function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8Decode(bytes));
  } catch {
    return undefined;
  }
}

function u32le(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset, true);
}

export function find(bytes: Uint8Array, text: string): boolean {
  return findBytes(bytes, utf8Encode(text));
}

function findBytes(bytes: Uint8Array, wanted: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(Buffer.from(wanted));
}
