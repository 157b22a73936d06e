import { ByteReader, toHex } from '@fastness/codec';

/** Bytes of an SGX report body. */
export const ENCLAVE_REPORT_BYTES = 384;

/** An SGX report body (Intel SDM volume 3D, REPORT structure): of an attested enclave, or of the quoting enclave itself. */
export interface EnclaveReport {
  /** 16 bytes, hex. */
  readonly cpuSvn: string;
  /** 4 bytes as they are stored, hex. */
  readonly miscSelect: string;
  /** 16 bytes as they are stored: flags (8 bytes, little-endian), XFRM. Hex. */
  readonly attributes: string;
  readonly flags: bigint;
  /** SHA-256 of the enclave's build, hex. */
  readonly mrEnclave: string;
  /** SHA-256 of the signer's key, hex. */
  readonly mrSigner: string;
  readonly isvProdId: number;
  readonly isvSvn: number;
  /** 64 bytes, hex. */
  readonly reportData: string;
}

/** Reads 384 bytes. Reserved fields are covered by the signature and not interpreted. */
export function readEnclaveReport(bytes: Uint8Array): EnclaveReport {
  const reader = new ByteReader(bytes);
  const cpuSvn = toHex(reader.take(16));
  const miscSelect = toHex(reader.take(4));
  reader.take(28);
  const attributes = reader.take(16);
  const mrEnclave = toHex(reader.take(32));
  reader.take(32);
  const mrSigner = toHex(reader.take(32));
  reader.take(96);
  const isvProdId = reader.u16le();
  const isvSvn = reader.u16le();
  reader.take(60);
  const reportData = toHex(reader.take(64));
  reader.end();
  return Object.freeze({
    cpuSvn,
    miscSelect,
    attributes: toHex(attributes),
    flags: new ByteReader(attributes).u64le(),
    mrEnclave,
    mrSigner,
    isvProdId,
    isvSvn,
    reportData,
  });
}
