import { decodePem, fromBase64Url, fromHex, nestsDeeper, toBase64Url, utf8Decode, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { parseCertificate, parseCrl, type Certificate, type Crl } from '@fastness/codec/x509';
import * as z from 'zod';
import { checkCmw, CMW_ENDORSEMENTS, type Cmw } from '../../cmw.ts';
import { DCAP_COLLATERAL_TYPE } from '../../media-types.ts';
import { qeIdentitySchema, tcbInfoSchema, type QeIdentity, type TcbInfo } from './collateral-schema.ts';

/**
 * Collateral as Intel's provisioning certification service (PCS, API version 4) hands it out. The texts are kept byte for
 * byte: Intel signs the text, not what it means.
 */
export interface DcapCollateral {
  /** Body of the answer to `/tcb`: `{"tcbInfo":{...},"signature":"..."}`. */
  readonly tcbInfo: string;
  /** PEM: signing certificate, root (header `TCB-Info-Issuer-Chain`, percent-decoded). */
  readonly tcbInfoIssuerChain: string;
  /** Body of the answer to `/qe/identity`: `{"enclaveIdentity":{...},"signature":"..."}`. */
  readonly qeIdentity: string;
  readonly qeIdentityIssuerChain: string;
  /** DER. Absent is an error unless waived. */
  readonly rootCaCrl?: Uint8Array;
  /** DER of the list of the CA that issued the PCK certificate. Absent is an error unless waived. */
  readonly pckCrl?: Uint8Array;
  /**
   * PEM: the PCK certificate, its issuer, the root. For quotes that name their PCK certificate and do not carry it
   * (certification data types 1 to 3); in any other quote it takes the place of the chain there, which is then not read.
   */
  readonly pckCertificateChain?: string;
}

/** One signed JSON document: what was signed, and what it says. */
export interface SignedDocument<T> {
  /** The exact bytes that the signature covers. */
  readonly signed: Uint8Array;
  /** r || s, 64 bytes. */
  readonly signature: Uint8Array;
  readonly content: T;
  readonly chain: readonly Certificate[];
}

/** Collateral that was read. Nothing of it was verified. */
export interface ParsedCollateral {
  readonly tcbInfo: SignedDocument<TcbInfo>;
  readonly qeIdentity: SignedDocument<QeIdentity>;
  readonly rootCaCrl?: Crl;
  readonly pckCrl?: Crl;
  readonly pckCertificates?: readonly Certificate[];
}

const MAX_TEXT = 262_144;
/** Of the deepest document: TCB info, its modules, their levels, a level, its TCB. */
const MAX_DEPTH = 16;
const text = z.string().min(2).max(MAX_TEXT);
const envelopeSchema = z.strictObject({
  tcbInfo: text,
  tcbInfoIssuerChain: text,
  qeIdentity: text,
  qeIdentityIssuerChain: text,
  rootCaCrl: text.exactOptional(),
  pckCrl: text.exactOptional(),
  pckCertificateChain: text.exactOptional(),
});

/** Wraps collateral as an endorsement; the lists become base64url. */
export function encodeDcapCollateral(collateral: DcapCollateral): Cmw {
  const { rootCaCrl, pckCrl, ...texts } = collateral;
  const content = {
    ...texts,
    ...(rootCaCrl === undefined ? {} : { rootCaCrl: toBase64Url(rootCaCrl) }),
    ...(pckCrl === undefined ? {} : { pckCrl: toBase64Url(pckCrl) }),
  };
  return { type: DCAP_COLLATERAL_TYPE, value: utf8Encode(JSON.stringify(content)), ind: CMW_ENDORSEMENTS };
}

/**
 * Takes collateral out of its envelope and reads it.
 * Throws ATTEST_ENDORSEMENT_UNSUPPORTED, ATTEST_ENDORSEMENT_MALFORMED, DCAP_COLLATERAL_MALFORMED, CODEC_..., X509_....
 */
export function parseDcapCollateral(cmw: Cmw): ParsedCollateral {
  if (checkCmw(cmw).type !== DCAP_COLLATERAL_TYPE) {
    throw new FastnessError('ATTEST_ENDORSEMENT_UNSUPPORTED', `Type ${cmw.type}.`);
  }
  const read = envelopeSchema.safeParse(parseJson(utf8Decode(cmw.value.slice()), 'ATTEST_ENDORSEMENT_MALFORMED'));
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new FastnessError('ATTEST_ENDORSEMENT_MALFORMED', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  const { tcbInfo, tcbInfoIssuerChain, qeIdentity, qeIdentityIssuerChain, rootCaCrl, pckCrl } = read.data;
  const { pckCertificateChain } = read.data;
  return Object.freeze({
    tcbInfo: readSignedDocument(tcbInfo, 'tcbInfo', tcbInfoSchema, tcbInfoIssuerChain),
    qeIdentity: readSignedDocument(qeIdentity, 'enclaveIdentity', qeIdentitySchema, qeIdentityIssuerChain),
    ...(rootCaCrl === undefined ? {} : { rootCaCrl: parseCrl(fromBase64Url(rootCaCrl)) }),
    ...(pckCrl === undefined ? {} : { pckCrl: parseCrl(fromBase64Url(pckCrl)) }),
    ...(pckCertificateChain === undefined ? {} : { pckCertificates: readChain(pckCertificateChain, 3) }),
  });
}

/**
 * Cuts the signed object out of the answer without parsing it first. Space around it is not signed and may differ; the
 * object itself is taken as it stands, and the same bytes are verified and read. Verifies nothing.
 * Throws DCAP_COLLATERAL_MALFORMED, CODEC_..., X509_....
 */
export function readSignedDocument<T>(
  body: string,
  member: 'tcbInfo' | 'enclaveIdentity' | 'tcbEvaluationDataNumbers',
  schema: z.ZodType<T>,
  issuerChain: string,
): SignedDocument<T> {
  const head = new RegExp(`^\\s*\\{\\s*"${member}"\\s*:\\s*(?=\\{)`).exec(body);
  const tail = /,\s{0,64}"signature"\s{0,64}:\s{0,64}"([0-9a-fA-F]{128})"\s{0,64}\}\s{0,64}$/.exec(body);
  if (head === null || tail === null || tail.index < head[0].length) {
    throw malformed(`${member} is not an object followed by its signature.`);
  }
  const signed = body.slice(head[0].length, tail.index).trimEnd();
  const content = schema.safeParse(parseJson(signed, 'DCAP_COLLATERAL_MALFORMED'));
  if (!content.success) {
    const [issue] = content.error.issues;
    throw malformed(`${[member, ...(issue?.path ?? [])].join('.')}: ${issue?.message ?? ''}`);
  }
  return Object.freeze({
    signed: utf8Encode(signed),
    signature: fromHex((tail[1] ?? '').toLowerCase()),
    content: content.data,
    chain: readChain(issuerChain, 2),
  });
}

function readChain(pem: string, maxBlocks: number): readonly Certificate[] {
  return Object.freeze(
    decodePem(pem, 'CERTIFICATE', { maxBlocks }).map((certificate) => parseCertificate(certificate)),
  );
}

function parseJson(source: string, code: 'ATTEST_ENDORSEMENT_MALFORMED' | 'DCAP_COLLATERAL_MALFORMED'): unknown {
  try {
    if (nestsDeeper(source, MAX_DEPTH)) throw new SyntaxError('Nested.');
    return JSON.parse(source);
  } catch (cause) {
    throw new FastnessError(code, 'Not JSON.', { cause });
  }
}

function malformed(why: string): FastnessError {
  return new FastnessError('DCAP_COLLATERAL_MALFORMED', why);
}
