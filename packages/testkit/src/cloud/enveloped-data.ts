import { constants, createCipheriv, publicEncrypt, randomBytes, type KeyObject } from 'node:crypto';
import { concatBytes } from '@fastness/codec/bytes';
import { der } from '@fastness/codec/der';

/** What of a CMS message is to be other than AWS KMS would have it. */
export interface ForgeEnvelopedDataOptions {
  readonly publicKey: KeyObject;
  readonly plaintext: Uint8Array;
  /** `ber`: indefinite lengths and OCTET STRINGs in parts, as the service sends them. Default: `der`. */
  readonly form?: 'der' | 'ber';
  /** What is encrypted instead of the plaintext with its padding: whole blocks. */
  readonly padded?: Uint8Array;
  readonly contentKey?: Uint8Array;
  readonly keyIdentifier?: Uint8Array;
  readonly oaepHash?: 'sha1' | 'sha256';
  /** Elements to put in the place of the proper ones. */
  readonly parts?: Partial<Record<EnvelopedPart, Uint8Array | readonly Uint8Array[]>>;
}

export type EnvelopedPart =
  | 'type'
  | 'version'
  | 'recipients'
  | 'recipientVersion'
  | 'identifier'
  | 'keyAlgorithm'
  | 'encryptedKey'
  | 'contentType'
  | 'contentAlgorithm'
  | 'content'
  | 'unprotected';

export const cmsSha256 = der.sequence(der.oid('2.16.840.1.101.3.4.2.1'));

/** The algorithm identifier of RSAES-OAEP with SHA-256 twice. */
export function oaepAlgorithm(...parameters: readonly Uint8Array[]): Uint8Array {
  const usual = [der.explicit(0, cmsSha256), der.explicit(1, der.sequence(der.oid('1.2.840.113549.1.1.8'), cmsSha256))];
  return der.sequence(der.oid('1.2.840.113549.1.1.7'), der.sequence(...(parameters.length === 0 ? usual : parameters)));
}

/** A CMS EnvelopedData for one RSA key, really encrypted. */
export function forgeEnvelopedData(options: ForgeEnvelopedDataOptions): Uint8Array {
  const { publicKey, plaintext, form = 'der', oaepHash = 'sha256', parts = {} } = options;
  const { contentKey = randomBytes(32), keyIdentifier = new Uint8Array(20).fill(5) } = options;
  const iv = randomBytes(16);
  const pad = 16 - (plaintext.length % 16);
  const padded = options.padded ?? concatBytes(plaintext, new Uint8Array(pad).fill(pad));
  const cipher = createCipheriv('aes-256-cbc', contentKey, iv);
  cipher.setAutoPadding(false);
  const content = new Uint8Array(concatBytes(cipher.update(padded), cipher.final()));
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const encryptedKey = new Uint8Array(publicEncrypt({ key: publicKey, padding, oaepHash }, contentKey));
  const { sequence, octets, implicitOctets, explicit, set } = form === 'ber' ? ber : definite;
  const pick = (name: EnvelopedPart, usual: Uint8Array): readonly Uint8Array[] => {
    const other = parts[name];
    if (other === undefined) return [usual];
    return other instanceof Uint8Array ? [other] : other;
  };
  const recipient = sequence(
    ...pick('recipientVersion', der.integer(2)),
    ...pick('identifier', der.implicit(0, keyIdentifier)),
    ...pick('keyAlgorithm', oaepAlgorithm()),
    ...pick('encryptedKey', octets(encryptedKey)),
  );
  const algorithm = der.sequence(der.oid('2.16.840.1.101.3.4.1.42'), der.octetString(iv));
  const info = sequence(
    ...pick('contentType', der.oid('1.2.840.113549.1.7.1')),
    ...pick('contentAlgorithm', algorithm),
    ...pick('content', implicitOctets(content)),
  );
  const enveloped = sequence(
    ...pick('version', der.integer(2)),
    ...pick('recipients', set(recipient)),
    info,
    ...(parts.unprotected === undefined ? [] : pick('unprotected', new Uint8Array(0))),
  );
  return sequence(...pick('type', der.oid('1.2.840.113549.1.7.3')), explicit(enveloped));
}

const definite = {
  sequence: der.sequence,
  set: der.set,
  explicit: (element: Uint8Array) => der.explicit(0, element),
  octets: der.octetString,
  implicitOctets: (bytes: Uint8Array) => der.implicit(0, bytes),
};

/** An element of indefinite length. */
export function indefinite(tag: number, ...elements: readonly Uint8Array[]): Uint8Array {
  return concatBytes(Uint8Array.of(tag, 0x80), ...elements, Uint8Array.of(0, 0));
}

function split(bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; start += 24) parts.push(der.octetString(bytes.subarray(start, start + 24)));
  return parts;
}

const ber = {
  sequence: (...elements: readonly Uint8Array[]) => indefinite(0x30, ...elements),
  set: (...elements: readonly Uint8Array[]) => indefinite(0x31, ...elements),
  explicit: (element: Uint8Array) => indefinite(0xa0, element),
  octets: (bytes: Uint8Array) => indefinite(0x24, ...split(bytes)),
  implicitOctets: (bytes: Uint8Array) => indefinite(0xa0, ...split(bytes)),
};
