import { der, readDerSequence } from '@fastness/codec/der';
import type { OcspHashName } from '@fastness/codec/ocsp';
import type { SignatureAlgorithm } from '@fastness/codec/x509';
import { encodeAlgorithm } from './algorithm.ts';
import type { ForgedIssuer } from './certificate.ts';
import { encodeExtension, type ForgedExtension } from './extensions.ts';
import { defaultAlgorithm, signWith } from './keys.ts';
import { encodeName } from './name.ts';

/** What a response says about one certificate. */
export interface ForgedOcspAnswer {
  readonly serial: number | bigint;
  /** Who issued it: what its hashes are made of. */
  readonly issuer: ForgedIssuer;
  /** Default: good. */
  readonly status?: 'good' | 'unknown' | { readonly revoked: Date; readonly reason?: number };
  readonly thisUpdate: Date;
  /** null leaves the field out. */
  readonly nextUpdate: Date | null;
  /** Default: SHA-1, as most clients ask. */
  readonly hash?: OcspHashName;
}

export interface ForgeOcspResponseOptions {
  readonly answers: readonly ForgedOcspAnswer[];
  /** Who signs. */
  readonly responder: ForgedIssuer;
  /** Default: by name. */
  readonly responderId?: 'name' | 'key';
  /** DER, sent along. */
  readonly certificates?: readonly Uint8Array[];
  readonly producedAt: Date;
  readonly nonce?: Uint8Array;
  /** Extensions besides the nonce. */
  readonly extensions?: readonly ForgedExtension[];
  readonly signatureAlgorithm?: SignatureAlgorithm;
  /** Default 0, successful; any other leaves the answer out. */
  readonly responseStatus?: number;
  readonly tamper?: {
    /** The signed part as it goes into the response after it was signed. */
    readonly afterSigning?: (tbs: Uint8Array) => Uint8Array;
    readonly signature?: (signature: Uint8Array) => Uint8Array;
  };
}

const BASIC_RESPONSE = '1.3.6.1.5.5.7.48.1.1';
const NONCE = '1.3.6.1.5.5.7.48.1.2';
const hashOids: Readonly<Record<OcspHashName, string>> = {
  'SHA-1': '1.3.14.3.2.26',
  'SHA-256': '2.16.840.1.101.3.4.2.1',
  'SHA-384': '2.16.840.1.101.3.4.2.2',
  'SHA-512': '2.16.840.1.101.3.4.2.3',
};

/** Extended key usage of a responder that an authority delegated to (RFC 6960, section 4.2.2.2). */
export const ocspSigning: ForgedExtension = {
  oid: '2.5.29.37',
  value: der.sequence(der.oid('1.3.6.1.5.5.7.3.9')),
};

/** Writes and signs an OCSP response (RFC 6960). @returns DER */
export async function forgeOcspResponse(options: ForgeOcspResponseOptions): Promise<Uint8Array> {
  const { responder, producedAt, nonce, extensions = [], certificates = [], responseStatus = 0, tamper = {} } = options;
  if (responseStatus !== 0) return der.sequence(der.enumerated(responseStatus));
  const algorithm = options.signatureAlgorithm ?? defaultAlgorithm(responder.keys.kind);
  const id =
    options.responderId === 'key'
      ? der.explicit(2, der.octetString(await digest('SHA-1', publicKeyBits(responder))))
      : der.explicit(1, encodeName(responder.name));
  const all = [...(nonce === undefined ? [] : [{ oid: NONCE, value: der.octetString(nonce) }]), ...extensions];
  const tbs = der.sequence(
    id,
    generalizedTime(producedAt),
    der.sequence(...(await Promise.all(options.answers.map(encodeAnswer)))),
    ...(all.length === 0 ? [] : [der.explicit(1, der.sequence(...all.map(encodeExtension)))]),
  );
  const signature = await signWith(responder.keys, algorithm, tbs);
  const basic = der.sequence(
    tamper.afterSigning?.(tbs) ?? tbs,
    encodeAlgorithm(algorithm),
    der.bitString(tamper.signature?.(signature) ?? signature),
    ...(certificates.length === 0 ? [] : [der.explicit(0, der.sequence(...certificates))]),
  );
  const bytes = der.sequence(der.oid(BASIC_RESPONSE), der.octetString(basic));
  return der.sequence(der.enumerated(0), der.explicit(0, bytes));
}

async function encodeAnswer(answer: ForgedOcspAnswer): Promise<Uint8Array> {
  const { serial, issuer, status = 'good', thisUpdate, nextUpdate, hash = 'SHA-1' } = answer;
  const [name, key] = await Promise.all([digest(hash, encodeName(issuer.name)), digest(hash, publicKeyBits(issuer))]);
  const algorithm = der.sequence(der.oid(hashOids[hash]), der.null());
  return der.sequence(
    der.sequence(algorithm, der.octetString(name), der.octetString(key), der.integer(serial)),
    encodeStatus(status),
    generalizedTime(thisUpdate),
    ...(nextUpdate === null ? [] : [der.explicit(0, generalizedTime(nextUpdate))]),
  );
}

function encodeStatus(status: NonNullable<ForgedOcspAnswer['status']>): Uint8Array {
  if (status === 'good') return der.implicit(0, new Uint8Array());
  if (status === 'unknown') return der.implicit(2, new Uint8Array());
  const { revoked, reason } = status;
  const tagged = reason === undefined ? [] : [der.explicit(0, der.enumerated(reason))];
  return der.explicit(1, generalizedTime(revoked), ...tagged);
}

/** OCSP has no UTCTime. */
function generalizedTime(date: Date): Uint8Array {
  const digits = `${date.toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}Z`;
  return der.tagged(0x18, new TextEncoder().encode(digits));
}

function publicKeyBits({ keys }: ForgedIssuer): Uint8Array {
  return readDerSequence(keys.spki, (fields) => {
    fields.element();
    return fields.bitString();
  });
}

async function digest(hash: OcspHashName, bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest(hash, Uint8Array.from(bytes)));
}
