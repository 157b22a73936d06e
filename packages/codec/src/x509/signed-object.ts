import { equalBytes } from '../bytes/bytes.ts';
import { DerReader } from '../der/reader.ts';
import { FastnessError } from '../errors/index.ts';
import { readSignatureAlgorithm, type SignatureAlgorithm } from './signature-algorithm.ts';

/** The envelope that certificates and CRLs share (RFC 5280, sections 4.1.1 and 5.1.1). */
export interface SignedEnvelope {
  readonly tbs: Uint8Array;
  readonly fields: DerReader;
  readonly signature: Uint8Array;
  readonly signatureAlgorithm: SignatureAlgorithm;
  /** Reads the signed copy of the algorithm at its place and compares it with the unsigned one. */
  readonly checkInnerAlgorithm: () => void;
}

/** Opens SEQUENCE { tbs, algorithm, signature }. @throws CODEC_LIMIT above `maxBytes` */
export function openSignedObject(bytes: Uint8Array, maxBytes: number): SignedEnvelope {
  if (bytes.length > maxBytes) throw new FastnessError('CODEC_LIMIT', `${bytes.length} bytes.`);
  const outer = new DerReader(bytes);
  const envelope = outer.sequence();
  outer.end();
  const tbs = envelope.expect(0x30);
  const algorithm = envelope.expect(0x30);
  const signature = envelope.bitString();
  envelope.end();
  const fields = envelope.inside(tbs);
  return {
    tbs: tbs.raw,
    fields,
    signature,
    signatureAlgorithm: readSignatureAlgorithm(algorithm),
    checkInnerAlgorithm() {
      if (!equalBytes(fields.expect(0x30).raw, algorithm.raw)) throw new FastnessError('X509_ALGORITHM_MISMATCH');
    },
  };
}

/** Reads a serial number: not negative, at most 20 octets of magnitude; zero is let through for AMD's VCEKs. */
export function readSerial(fields: DerReader): Uint8Array {
  const serial = fields.integer();
  const first = serial[0] ?? 0;
  if (first >= 0x80 || serial.length > (first === 0 ? 21 : 20)) throw new FastnessError('X509_SERIAL');
  return serial;
}
