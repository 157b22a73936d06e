import { der } from '@fastness/codec/der';
import { extensionOids, type SignatureAlgorithm } from '@fastness/codec/x509';
import { encodeAlgorithm } from './algorithm.ts';
import { signObject, type ForgedIssuer, type ForgedTampering } from './certificate.ts';
import { encodeExtension, type ForgedExtension } from './extensions.ts';
import { defaultAlgorithm } from './keys.ts';
import { encodeName } from './name.ts';

export interface ForgedRevocation {
  readonly serial: number | bigint;
  readonly date: Date;
  /** CRLReason. */
  readonly reason?: number;
}

export interface ForgeCrlOptions {
  readonly issuer: ForgedIssuer;
  readonly thisUpdate: Date;
  /** null leaves the field out. */
  readonly nextUpdate: Date | null;
  readonly revoked?: readonly ForgedRevocation[];
  /** CRL number; default 1. */
  readonly number?: number;
  /** Extensions besides the CRL number. */
  readonly extensions?: readonly ForgedExtension[];
  readonly signatureAlgorithm?: SignatureAlgorithm;
  readonly tamper?: ForgedTampering;
}

/** Writes and signs a certificate revocation list, version 2. @returns DER */
export async function forgeCrl(options: ForgeCrlOptions): Promise<Uint8Array> {
  const { issuer, thisUpdate, nextUpdate, revoked = [], number = 1, extensions = [], tamper = {} } = options;
  const algorithm = options.signatureAlgorithm ?? defaultAlgorithm(issuer.keys.kind);
  const all = [{ oid: extensionOids.crlNumber, value: der.integer(number) }, ...extensions];
  const tbs = der.sequence(
    der.integer(1),
    tamper.innerAlgorithm ?? encodeAlgorithm(algorithm),
    encodeName(issuer.name),
    der.time(thisUpdate),
    ...(nextUpdate === null ? [] : [der.time(nextUpdate)]),
    ...(revoked.length === 0 ? [] : [der.sequence(...revoked.map(encodeRevocation))]),
    der.explicit(0, der.sequence(...all.map(encodeExtension))),
  );
  return signObject({ tbs, algorithm, keys: issuer.keys, tamper });
}

function encodeRevocation({ serial, date, reason }: ForgedRevocation): Uint8Array {
  const extension = { oid: extensionOids.reasonCode, value: der.enumerated(reason ?? 0) };
  const extensions = reason === undefined ? [] : [der.sequence(encodeExtension(extension))];
  return der.sequence(der.integer(serial), der.time(date), ...extensions);
}
