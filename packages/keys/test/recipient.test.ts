import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { parseEnvelopedData } from '@fastness/codec/cms';
import { concatBytes } from '@fastness/codec/bytes';
import { der } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';
import {
  cmsSha256,
  forgeEnvelopedData,
  indefinite,
  oaepAlgorithm,
  type EnvelopedPart,
  type ForgeEnvelopedDataOptions,
} from '@fastness/testkit/cloud';
import { describe, expect, it } from 'vitest';
import { openRecipientCiphertext } from '../src/cloud/recipient.ts';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const publicKey = createPublicKey(privateKey);
const plaintext = new Uint8Array(32).map((_, index) => index);

const forge = (options: Partial<ForgeEnvelopedDataOptions> = {}): Uint8Array =>
  forgeEnvelopedData({ publicKey, plaintext, ...options });

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'accepted';
  } catch (error) {
    return error instanceof FastnessError ? error.code : String(error);
  }
}

const sha1 = der.sequence(der.oid('1.3.14.3.2.26'));
const mgf1 = (hash: Uint8Array) => der.explicit(1, der.sequence(der.oid('1.2.840.113549.1.1.8'), hash));
const oaepSha256 = der.explicit(0, cmsSha256);
const cbc = der.oid('2.16.840.1.101.3.4.1.42');

const malformed: [string, EnvelopedPart, Uint8Array | readonly Uint8Array[]][] = [
  ['a version that does not fit', 'version', der.integer(0)],
  ['a long version', 'version', der.integer(70_000)],
  ['no version', 'version', []],
  ['no recipient', 'recipients', der.set()],
  ['recipients that are no set', 'recipients', der.sequence()],
  ['a version of the recipient that does not fit', 'recipientVersion', der.integer(0)],
  ['an empty key identifier', 'identifier', der.implicit(0, new Uint8Array(0))],
  ['a key identifier of another kind', 'identifier', der.implicit(1, new Uint8Array(20))],
  ['a short encrypted key', 'encryptedKey', der.octetString(new Uint8Array(128))],
  ['a long encrypted key', 'encryptedKey', der.octetString(new Uint8Array(2048))],
  ['an encrypted key of another type', 'encryptedKey', der.bitString(new Uint8Array(256))],
  [
    'parameters of SHA-256',
    'keyAlgorithm',
    oaepAlgorithm(der.explicit(0, der.sequence(der.oid('2.16.840.1.101.3.4.2.1'), der.integer(1))), mgf1(cmsSha256)),
  ],
  ['four parameters of OAEP', 'keyAlgorithm', oaepAlgorithm(oaepSha256, mgf1(cmsSha256), der.null(), der.null())],
  ['OAEP without parameters', 'keyAlgorithm', der.sequence(der.oid('1.2.840.113549.1.1.7'))],
  ['no initial vector', 'contentAlgorithm', der.sequence(cbc)],
  ['a short initial vector', 'contentAlgorithm', der.sequence(cbc, der.octetString(new Uint8Array(8)))],
  ['no content', 'content', []],
  ['empty content', 'content', der.implicit(0, new Uint8Array(0))],
  ['half a block', 'content', der.implicit(0, new Uint8Array(24))],
  ['content in parts of parts', 'content', indefinite(0xa0, indefinite(0x24, der.octetString(new Uint8Array(16))))],
  ['content in parts of another type', 'content', indefinite(0xa0, der.bitString(new Uint8Array(15)))],
  ['content in parts that are tagged', 'content', indefinite(0xa0, der.implicit(0, new Uint8Array(16)))],
  ['an OBJECT IDENTIFIER that ends inside', 'type', Uint8Array.of(0x06, 2, 0x2a, 0x86)],
  ['an empty OBJECT IDENTIFIER', 'type', Uint8Array.of(0x06, 0)],
];

const unsupported: [string, EnvelopedPart, Uint8Array | readonly Uint8Array[]][] = [
  ['another type of message', 'type', der.oid('1.2.840.113549.1.7.2')],
  ['another type of content', 'contentType', der.oid('1.2.840.113549.1.7.2')],
  ['two recipients', 'recipients', der.set(der.sequence(), der.sequence(der.null()))],
  ['a recipient by key agreement', 'recipients', der.set(der.explicit(1))],
  ['originator information', 'version', [der.integer(2), der.explicit(0)]],
  ['unprotected attributes', 'unprotected', der.explicit(1)],
  ['PKCS #1 v1.5', 'keyAlgorithm', der.sequence(der.oid('1.2.840.113549.1.1.1'), der.null())],
  ['OAEP with SHA-1 by default', 'keyAlgorithm', der.sequence(der.oid('1.2.840.113549.1.1.7'), der.sequence())],
  ['OAEP with SHA-1', 'keyAlgorithm', oaepAlgorithm(der.explicit(0, sha1), mgf1(cmsSha256))],
  ['MGF1 with SHA-1', 'keyAlgorithm', oaepAlgorithm(oaepSha256, mgf1(sha1))],
  ['MGF1 with SHA-1 by default', 'keyAlgorithm', oaepAlgorithm(oaepSha256)],
  [
    'another mask',
    'keyAlgorithm',
    oaepAlgorithm(oaepSha256, der.explicit(1, der.sequence(der.oid('1.2.3'), cmsSha256))),
  ],
  [
    'a label',
    'keyAlgorithm',
    oaepAlgorithm(
      oaepSha256,
      mgf1(cmsSha256),
      der.explicit(2, der.sequence(der.oid('1.2.840.113549.1.1.9'), der.octetString(Uint8Array.of(1)))),
    ),
  ],
  [
    'AES-128-CBC',
    'contentAlgorithm',
    der.sequence(der.oid('2.16.840.1.101.3.4.1.2'), der.octetString(new Uint8Array(16))),
  ],
  ['AES-256-GCM', 'contentAlgorithm', der.sequence(der.oid('2.16.840.1.101.3.4.1.46'), der.sequence())],
];

describe('messages for attested recipients', () => {
  it.each(['der', 'ber'] as const)('open, in %s', (form) => {
    for (const length of [1, 15, 16, 31, 32, 48, 4096]) {
      const content = new Uint8Array(length).fill(9);
      expect(openRecipientCiphertext(forge({ form, plaintext: content }), privateKey)).toEqual(content);
    }
  });

  it('open with the label written out, NULL parameters, and a recipient named by its certificate', () => {
    const nullSha256 = der.sequence(der.oid('2.16.840.1.101.3.4.2.1'), der.null());
    const label = der.explicit(2, der.sequence(der.oid('1.2.840.113549.1.1.9'), der.octetString(new Uint8Array(0))));
    const keyAlgorithm = oaepAlgorithm(der.explicit(0, nullSha256), mgf1(nullSha256), label);
    expect(openRecipientCiphertext(forge({ parts: { keyAlgorithm } }), privateKey)).toEqual(plaintext);
    const named = { version: der.integer(0), recipientVersion: der.integer(0) };
    const identifier = der.sequence(der.sequence(), der.integer(7));
    expect(openRecipientCiphertext(forge({ parts: { ...named, identifier } }), privateKey)).toEqual(plaintext);
  });

  it('say which key they are for', () => {
    expect(parseEnvelopedData(forge()).subjectKeyIdentifier).toEqual(new Uint8Array(20).fill(5));
  });

  it.each(malformed)('are malformed: %s', (_, part, value) => {
    expect(codeOf(() => parseEnvelopedData(forge({ parts: { [part]: value } })))).toBe('CMS_MALFORMED');
  });

  it.each(unsupported)('are not read: %s', (_, part, value) => {
    expect(codeOf(() => parseEnvelopedData(forge({ parts: { [part]: value } })))).toBe('CMS_UNSUPPORTED');
  });

  it.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['bytes after the end', concatBytes(forge(), Uint8Array.of(0))],
    ['a primitive element of indefinite length', Uint8Array.of(0x30, 0x80, 0x04, 0x80, 0, 0, 0, 0)],
    ['an end that is not two zeros', Uint8Array.of(0x30, 0x80, 0x00, 0x01)],
    ['no end', Uint8Array.of(0x30, 0x80, 0x05, 0x00)],
    ['an end without a beginning', Uint8Array.of(0x30, 0x02, 0x00, 0x00)],
    ['a length that is too long', Uint8Array.of(0x30, 0x81, 0x02, 0x05, 0x00)],
    ['a length with zeros', Uint8Array.of(0x30, 0x82, 0x00, 0x02, 0x05, 0x00)],
    ['a length of four octets', Uint8Array.of(0x30, 0x84, 0, 0, 0, 2, 5, 0)],
    ['a length past the end', Uint8Array.of(0x30, 0x05, 0x05, 0x00)],
    ['a child past the end of its parent', Uint8Array.of(0x30, 0x02, 0x04, 0x01, 0x00)],
    ['a long tag', Uint8Array.of(0x3f, 0x21, 0x00)],
    ['deep nesting', new Uint8Array(64).map((_, index) => (index % 2 === 0 ? 0x30 : 0x80))],
    ['very many parts', indefinite(0x30, ...Array.from({ length: 5000 }, () => der.null()))],
    ['much', new Uint8Array(65_537)],
    ['something else', der.integer(5)],
  ])('are malformed: %s', (_, message) => {
    expect(codeOf(() => parseEnvelopedData(message))).toBe('CMS_MALFORMED');
  });

  it('are refused when cut short anywhere', () => {
    for (const form of ['der', 'ber'] as const) {
      const message = forge({ form });
      for (let length = 0; length < message.length; length += 1) {
        expect(codeOf(() => parseEnvelopedData(message.subarray(0, length)))).toBe('CMS_MALFORMED');
      }
    }
  });

  it('never yield the plaintext, nor an error that is not ours, with one byte changed before the content', () => {
    for (const form of ['der', 'ber'] as const) {
      const message = forge({ form });
      // The content is the end of the message; CBC does not notice every change there, what it protects does.
      for (let index = 0; index < message.length - 90; index += 1) {
        const changed = message.map((byte, position) => (position === index ? byte ^ 1 : byte));
        const code = codeOf(() => {
          const opened = openRecipientCiphertext(changed, privateKey);
          if (Buffer.compare(opened, plaintext) !== 0) throw new FastnessError('CMS_OPEN');
        });
        // The key identifier is a hint, no more: nothing depends on its bytes.
        const hint = message[index] === 5 && message[index + 1] === 5;
        if (!hint && message[index] !== 5) expect(code).toMatch(/^CMS_/);
      }
    }
  });

  it('fail in one way, whether key, blocks or padding are wrong', () => {
    const wrong: Uint8Array[] = [0, 17, 255].map((pad) => new Uint8Array(32).fill(pad));
    const middle = new Uint8Array(32).fill(4);
    middle[29] = 5;
    const long = new Uint8Array(32).fill(16);
    long[16] = 15;
    const errors = [...wrong, middle, long].map((padded) => forge({ padded }));
    errors.push(forge({ contentKey: new Uint8Array(32), oaepHash: 'sha1' }));
    errors.push(forge({ publicKey: generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey }));
    const seen = new Set<string>();
    for (const message of errors) {
      // A substitute key leaves valid padding once in some 256 times: what comes out then is noise.
      for (let attempt = 0; attempt < 3; attempt += 1) {
        try {
          const opened = openRecipientCiphertext(message, privateKey);
          expect(opened).not.toEqual(plaintext);
        } catch (error) {
          if (!(error instanceof FastnessError)) throw error;
          seen.add(JSON.stringify([error.code, error.message, error.detail, error.cause]));
        }
      }
    }
    expect(seen.size).toBe(1);
    expect([...seen][0]).toContain('CMS_OPEN');
  });

  it('need an RSA private key', () => {
    const { privateKey: other } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(codeOf(() => openRecipientCiphertext(forge(), other))).toBe('CMS_OPEN');
    expect(codeOf(() => openRecipientCiphertext(forge(), publicKey))).toBe('CMS_OPEN');
  });
});
