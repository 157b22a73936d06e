import { concatBytes, encodePem, fromHex, utf8Encode } from '@fastness/codec/bytes';
import { generateKeys, signRaw, type ForgedKeys } from '../x509/keys.ts';
import type { ForgedIntelChain } from './chain.ts';
import type { ForgedPlatform } from './pck-extensions.ts';

const ES256 = { kind: 'ecdsa', hash: 'SHA-256' } as const;

/** Fields of an SGX report body that the forge sets; the rest is zero. */
export interface ForgedEnclaveFields {
  readonly miscSelect?: number;
  /** 16 bytes, hex. */
  readonly attributes?: string;
  /** 32 bytes. */
  readonly mrEnclave?: Uint8Array;
  /** 32 bytes. */
  readonly mrSigner?: Uint8Array;
  readonly isvProdId?: number;
  readonly isvSvn?: number;
  /** 64 bytes. */
  readonly reportData?: Uint8Array;
}

/** Fields of a TD report body that the forge sets; the rest is zero. */
export interface ForgedTdFields {
  /** 16 components. */
  readonly teeTcbSvn?: readonly number[];
  readonly mrSignerSeam?: Uint8Array;
  readonly seamAttributes?: bigint;
  readonly tdAttributes?: bigint;
  readonly xfam?: bigint;
  readonly mrTd?: Uint8Array;
  readonly mrConfigId?: Uint8Array;
  readonly mrOwner?: Uint8Array;
  readonly rtmrs?: readonly Uint8Array[];
  readonly reportData?: Uint8Array;
  /** TD 1.5 only. */
  readonly mrServiceTd?: Uint8Array;
}

/** Bytes of an SGX report body: 384. */
export function enclaveBody(fields: ForgedEnclaveFields): Uint8Array {
  const body = new Uint8Array(384);
  const view = new DataView(body.buffer);
  view.setUint32(16, fields.miscSelect ?? 0, true);
  body.set(fromHex(fields.attributes ?? '0500000000000000e700000000000000'), 48);
  body.set(fields.mrEnclave ?? [], 64);
  body.set(fields.mrSigner ?? [], 128);
  view.setUint16(256, fields.isvProdId ?? 0, true);
  view.setUint16(258, fields.isvSvn ?? 0, true);
  body.set(fields.reportData ?? [], 320);
  return body;
}

/** Bytes of a TD report body: 584, or 648 for TD 1.5. */
export function tdBody(fields: ForgedTdFields, kind: 'td-1.0' | 'td-1.5'): Uint8Array {
  const body = new Uint8Array(kind === 'td-1.5' ? 648 : 584);
  const view = new DataView(body.buffer);
  body.set(fields.teeTcbSvn ?? [5, 1, 2], 0);
  body.set(fields.mrSignerSeam ?? [], 64);
  view.setBigUint64(112, fields.seamAttributes ?? 0n, true);
  view.setBigUint64(120, fields.tdAttributes ?? 1n << 28n, true);
  view.setBigUint64(128, fields.xfam ?? 0x6_02e7n, true);
  body.set(fields.mrTd ?? [], 136);
  body.set(fields.mrConfigId ?? [], 184);
  body.set(fields.mrOwner ?? [], 232);
  for (const [index, rtmr] of (fields.rtmrs ?? []).entries()) body.set(rtmr, 328 + 48 * index);
  body.set(fields.reportData ?? [], 520);
  if (kind === 'td-1.5') body.set(fields.mrServiceTd ?? [], 600);
  return body;
}

export interface ForgeQuoteOptions {
  readonly chain: ForgedIntelChain;
  readonly version: 3 | 4 | 5;
  /** 384, 584 or 648 bytes. */
  readonly body: Uint8Array;
  /** Body type of version 5; default by the size of the body. */
  readonly bodyType?: number;
  readonly teeType?: number;
  readonly keyType?: number;
  readonly qeVendor?: string;
  readonly qe?: ForgedEnclaveFields;
  /** Type of the inner certification data; default 5, the PEM chain. Types 1 to 3 name the certificate of the chain instead. */
  readonly certificationType?: number;
  /** Replaces the inner certification data. */
  readonly certification?: Uint8Array;
  /** The chain as it goes into the quote; default PCK, CA, root. */
  readonly certificates?: readonly Uint8Array[];
  readonly trailing?: Uint8Array;
  /** Signs the quote instead of the attestation key, or the QE report instead of the PCK. */
  readonly signQuoteWith?: ForgedKeys;
  readonly signQeReportWith?: ForgedKeys;
}

/** What Intel's quoting enclaves of today look like; the forged identities say the same. */
export const forgedQe = Object.freeze({
  sgx: Object.freeze({ mrSigner: new Uint8Array(32).fill(0x8c), isvProdId: 1, isvSvn: 8 }),
  tdx: Object.freeze({ mrSigner: new Uint8Array(32).fill(0xdc), isvProdId: 2, isvSvn: 4 }),
});

/** Forges a quote: attestation key, quoting enclave, certification data; with real signatures over all of it. */
export async function forgeQuote(options: ForgeQuoteOptions): Promise<Uint8Array> {
  const { chain, version, body } = options;
  const sgx = version === 3;
  const attestation = await generateKeys('p-256');
  const header = new Uint8Array(48);
  const view = new DataView(header.buffer);
  view.setUint16(0, version, true);
  view.setUint16(2, options.keyType ?? 2, true);
  view.setUint32(4, options.teeType ?? (sgx ? 0 : 0x81), true);
  header.set(fromHex(options.qeVendor ?? '939a7233f79c4ca9940a0db3957f0607'), 12);
  const type = options.bodyType ?? (body.length === 648 ? 3 : 2);
  const typed = version === 5 ? concatBytes(u16(type), u32(body.length)) : new Uint8Array(0);
  const signed = concatBytes(header, typed, body);
  const signature = await signRaw(options.signQuoteWith ?? attestation, ES256, signed);

  // The point without its leading 4: the last 64 bytes of the SubjectPublicKeyInfo.
  const point = attestation.spki.slice(-64);
  const authData = Uint8Array.from({ length: 32 }, (_, index) => index);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', concatBytes(point, authData)));
  const qe = enclaveBody({
    attributes: '1500000000000000e700000000000000',
    ...(sgx ? forgedQe.sgx : forgedQe.tdx),
    reportData: concatBytes(digest, new Uint8Array(32)),
    ...options.qe,
  });
  const qeSignature = await signRaw(options.signQeReportWith ?? chain.keys.pck, ES256, qe);
  const certificationType = options.certificationType ?? 5;
  const certified =
    options.certification ??
    (certificationType < 4
      ? pckReference(chain.platform, certificationType)
      : utf8Encode(
          (options.certificates ?? chain.certificates).map((each) => encodePem(each, 'CERTIFICATE')).join(''),
        ));
  const inner = concatBytes(
    qe,
    qeSignature,
    u16(authData.length),
    authData,
    u16(certificationType),
    u32(certified.length),
    certified,
  );
  const certification = sgx ? inner : concatBytes(u16(6), u32(inner.length), inner);
  const data = concatBytes(signature, point, certification);
  return concatBytes(signed, u32(data.length), data, options.trailing ?? new Uint8Array(0));
}

/** What names a PCK certificate: PPID in the clear (type 1) or as so many encrypted bytes (2, 3), CPUSVN, PCESVN, PCEID. */
export function pckReference(platform: ForgedPlatform, type: number): Uint8Array {
  const ppid = type === 1 ? fromHex(platform.ppid) : new Uint8Array(type === 2 ? 256 : 384).fill(0xe5);
  return concatBytes(ppid, Uint8Array.from(platform.components), u16(platform.pceSvn), fromHex(platform.pceId));
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, value >> 8);
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff);
}
