import {
  CMW_EVIDENCE,
  NITRO_EVIDENCE_TYPE,
  NITRO_TPM_EVIDENCE_TYPE,
  SGX_QUOTE_TYPE,
  TDX_QUOTE_TYPE,
  TSM_REPORT_TYPE,
  type Cmw,
  type Tee,
} from '@fastness/attest';
import { encodeSnpEvidence, REPORT_BYTES, snpEvidenceFromExtendedReport } from '@fastness/attest/formats/snp';
import { toHex, utf8Encode } from '@fastness/codec';

/** Evidence, and endorsements that came in the same file. */
export interface RecognisedEvidence {
  readonly evidence: Cmw;
  readonly endorsements: readonly Cmw[];
}

/** One kind of file as the vendor's tools write it. */
interface RawFormat {
  readonly tee: Tee;
  /** Names that --format takes, beside the TEE's own. */
  readonly names: readonly string[];
  readonly what: string;
  /** Undefined: the content is of another kind. That it is of this kind does not make it sound. */
  readonly recognise: (bytes: Uint8Array) => RecognisedEvidence | undefined;
}

const QE_VENDOR = '939a7233f79c4ca9940a0db3957f0607';
const TDX_TEE_TYPE = 0x81;

const alone = (type: string, value: Uint8Array): RecognisedEvidence => ({
  evidence: { type, value, ind: CMW_EVIDENCE },
  endorsements: [],
});

/** In this order; the first that recognises a file has it. */
export const rawFormats: readonly RawFormat[] = Object.freeze([
  {
    tee: 'sev-snp',
    names: ['snp'],
    what: 'an SEV-SNP report (1184 bytes), extended or not, or what configfs-tsm gives, as JSON',
    recognise: recogniseSnp,
  },
  { tee: 'tdx', names: [], what: 'a TDX quote', recognise: (bytes) => recogniseQuote(bytes, 'tdx') },
  { tee: 'sgx', names: [], what: 'an SGX quote', recognise: (bytes) => recogniseQuote(bytes, 'sgx') },
  {
    tee: 'aws-nitro',
    names: ['nitro'],
    what: 'an attestation document of a Nitro Enclave',
    recognise: (bytes) => recogniseNitro(bytes, 'pcrs', NITRO_EVIDENCE_TYPE),
  },
  {
    tee: 'aws-nitrotpm',
    names: ['nitrotpm'],
    what: 'an attestation document of NitroTPM',
    recognise: (bytes) => recogniseNitro(bytes, 'nitrotpm_pcrs', NITRO_TPM_EVIDENCE_TYPE),
  },
] satisfies RawFormat[]);

function recogniseSnp(bytes: Uint8Array): RecognisedEvidence | undefined {
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
function recogniseQuote(bytes: Uint8Array, tee: 'tdx' | 'sgx'): RecognisedEvidence | undefined {
  if (bytes.length < 48 || toHex(bytes.subarray(12, 28)) !== QE_VENDOR) return undefined;
  const tdx = u32le(bytes, 4) === TDX_TEE_TYPE;
  if (tdx !== (tee === 'tdx')) return undefined;
  return alone(tdx ? TDX_QUOTE_TYPE : SGX_QUOTE_TYPE, bytes);
}

/** COSE_Sign1, tagged or not, whose payload has the field that only this kind of document has. */
function recogniseNitro(bytes: Uint8Array, registers: string, type: string): RecognisedEvidence | undefined {
  const [first, second] = bytes;
  const sign1 = first === 0x84 || (first === 0xd2 && second === 0x84);
  // Text of CBOR in front of its length: "pcrs" is also the end of "nitrotpm_pcrs".
  const name = utf8Encode(registers);
  const field = Uint8Array.of(0x60 + name.length, ...name);
  return sign1 && find(bytes, 'module_id') && findBytes(bytes, field) ? alone(type, bytes) : undefined;
}

function u32le(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset, true);
}

function find(bytes: Uint8Array, text: string): boolean {
  return findBytes(bytes, utf8Encode(text));
}

function findBytes(bytes: Uint8Array, wanted: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(Buffer.from(wanted));
}
