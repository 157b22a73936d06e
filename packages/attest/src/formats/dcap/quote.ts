import { ByteReader, decodePem, toHex, utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { anyOf, type Checklist } from '../../checks.ts';
import { readOnce, type VerificationMeans } from '../../means.ts';
import { ENCLAVE_REPORT_BYTES } from './enclave-report.ts';
import { certificationTypes, readPckReference, readTypes, type PckReference } from './certification.ts';
import { bodyBytes, bodyTypes, type BodyKind, type DcapFlavour } from './flavour.ts';

/** ECDSA over P-256: the one attestation key type that Intel's quoting enclaves use. */
const ECDSA_P256 = 2;
const QE_VENDOR = '939a7233f79c4ca9940a0db3957f0607';
const CERTIFICATION_QE_REPORT = 6;
const MAX_AUTH_DATA = 4096;
const MAX_PEM = 32_768;

/** A quote, cut into its parts. Every part is a claim of whoever sent it. */
export interface Quote {
  readonly version: number;
  readonly bodyKind: BodyKind;
  readonly body: Uint8Array;
  /** Header and body: what the attestation key signed. */
  readonly signed: Uint8Array;
  /** r || s, 64 bytes. */
  readonly signature: Uint8Array;
  /** x || y, 64 bytes. */
  readonly attestationKey: Uint8Array;
  /** 384 bytes: what the PCK signed. */
  readonly qeReport: Uint8Array;
  readonly qeReportSignature: Uint8Array;
  readonly authData: Uint8Array;
  /** DER, as they came: PCK certificate, its issuer, the root. Empty when the quote carries none, or they are not read. */
  readonly certificates: readonly Uint8Array[];
  /** What names the PCK certificate, where the quote does not carry it. */
  readonly reference?: PckReference;
  /** The quoting enclave's id for its platform, 16 bytes: user data of the header, by which a PCCS knows platforms. */
  readonly qeId: Uint8Array;
}

export interface ReadQuoteOptions extends VerificationMeans {
  /** A chain was handed in: that of the quote is not read. */
  readonly chainGiven: boolean;
}

/**
 * Cuts a quote into its parts (Intel SGX ECDSA QuoteGenReference and TDX Quoting Library API, appendix A). Lengths must add
 * up exactly. Quotes are handed out in buffers: bytes after the signature data must be zero and mean nothing.
 */
export function readQuote(
  bytes: Uint8Array,
  flavour: DcapFlavour,
  checks: Checklist,
  options: ReadQuoteOptions,
): Quote {
  const reader = new ByteReader(bytes);
  const version = reader.u16le();
  checks.require('DCAP_QUOTE_VERSION', flavour.versions.includes(version), {
    expected: `version ${anyOf(flavour.versions)}`,
    actual: `${version}`,
  });
  const keyType = reader.u16le();
  checks.require('DCAP_KEY_TYPE', keyType === ECDSA_P256, { expected: `${ECDSA_P256}`, actual: `${keyType}` });
  const teeType = reader.u32le();
  checks.require('DCAP_TEE_TYPE', teeType === flavour.teeType, {
    expected: `0x${flavour.teeType.toString(16)}`,
    actual: `0x${teeType.toString(16)}`,
  });
  reader.take(4);
  const vendor = toHex(reader.take(16));
  checks.require('DCAP_QE_VENDOR', vendor === QE_VENDOR, { expected: QE_VENDOR, actual: vendor });
  const qeId = reader.take(20).subarray(0, 16);
  const bodyKind = readBodyKind(reader, version, flavour, checks);
  const body = reader.take(bodyBytes[bodyKind]);
  const signed = bytes.subarray(0, reader.offset);
  const data = new ByteReader(reader.take(reader.u32le()));
  const trailing = reader.take(reader.remaining);
  checks.require(
    'DCAP_QUOTE_TRAILING',
    trailing.every((byte) => byte === 0),
    { expected: 'zeros after the signature data', actual: `${trailing.length} bytes` },
  );
  return Object.freeze({ version, bodyKind, body, signed, qeId, ...readSignatureData(data, version, checks, options) });
}

function readBodyKind(reader: ByteReader, version: number, flavour: DcapFlavour, checks: Checklist): BodyKind {
  const [first] = flavour.bodies;
  if (version < 5) {
    checks.notApplicable('DCAP_BODY_TYPE', 'quotes before version 5 have one kind of body');
    return first;
  }
  const type = reader.u16le();
  const size = reader.u32le();
  const kind = bodyTypes.get(type);
  const accepted = kind !== undefined && flavour.bodies.includes(kind) && size === bodyBytes[kind];
  checks.require('DCAP_BODY_TYPE', accepted, {
    expected: anyOf(flavour.bodies),
    actual: `type ${type}, ${size} bytes`,
  });
  return kind;
}

type SignatureData = Omit<Quote, 'version' | 'bodyKind' | 'body' | 'signed' | 'qeId'>;

function readSignatureData(
  data: ByteReader,
  version: number,
  checks: Checklist,
  options: ReadQuoteOptions,
): SignatureData {
  const signature = data.take(64);
  const attestationKey = data.take(64);
  let reader = data;
  if (version >= 4) {
    // From version 4 on the quoting enclave's report is itself wrapped as certification data.
    const type = data.u16le();
    requireType(type, [CERTIFICATION_QE_REPORT], `${CERTIFICATION_QE_REPORT}`, checks);
    reader = new ByteReader(data.take(data.u32le()));
    data.end();
  }
  const qeReport = reader.take(ENCLAVE_REPORT_BYTES);
  const qeReportSignature = reader.take(64);
  const authDataBytes = reader.u16le();
  if (authDataBytes > MAX_AUTH_DATA) throw malformed(`authentication data of ${authDataBytes} bytes`);
  const authData = reader.take(authDataBytes);
  const type = reader.u16le();
  requireType(type, Object.values(certificationTypes), readTypes, checks);
  const certification = reader.take(reader.u32le());
  reader.end();
  return {
    signature,
    attestationKey,
    qeReport,
    qeReportSignature,
    authData,
    ...readCertification(type, certification, options),
  };
}

function readCertification(
  type: number,
  data: Uint8Array,
  options: ReadQuoteOptions,
): Pick<Quote, 'certificates' | 'reference'> {
  if (type !== certificationTypes.pckChain) return { certificates: [], reference: readPckReference(type, data) };
  return { certificates: options.chainGiven ? [] : readOnce('pck-chain', data, readChain, options) };
}

function requireType(type: number, accepted: readonly number[], expected: string, checks: Checklist): void {
  checks.require('DCAP_CERTIFICATION_TYPE', accepted.includes(type), {
    expected: `type ${expected}`,
    actual: `type ${type}`,
  });
}

/** C programs write the text with its terminating zero. */
function readChain(pem: Uint8Array): Uint8Array[] {
  if (pem.length > MAX_PEM) throw malformed(`certificates of ${pem.length} bytes`);
  const text = pem.at(-1) === 0 ? pem.subarray(0, -1) : pem;
  try {
    return decodePem(utf8Decode(text), 'CERTIFICATE', { maxBlocks: 3 });
  } catch (cause) {
    throw new FastnessError('DCAP_QUOTE_MALFORMED', 'Its certification data is not a chain in PEM.', { cause });
  }
}

function malformed(what: string): FastnessError {
  return new FastnessError('DCAP_QUOTE_MALFORMED', `Found ${what}.`);
}
