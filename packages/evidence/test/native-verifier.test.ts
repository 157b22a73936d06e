import { createHash, generateKeyPairSync, sign, constants, type KeyObject } from 'node:crypto';
import { FastnessError } from '@fastness/codec/errors';
import { parseSpki, webCryptoVerifier, type SignatureAlgorithm, type SignatureVerifier } from '@fastness/codec/x509';
import { describe, expect, it } from 'vitest';
import { nativeMeans, nativeSha256, nativeVerifier } from '@fastness/evidence/native-verifier';

const message = createHash('sha256').update('message').digest();

interface Case {
  readonly name: string;
  readonly algorithm: SignatureAlgorithm;
  readonly pair: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  readonly sign: (privateKey: KeyObject) => Uint8Array;
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const cases: readonly Case[] = [
  ...(['P-256', 'P-384', 'P-521'] as const).map((namedCurve): Case => ({
    name: `ECDSA on ${namedCurve}`,
    algorithm: { kind: 'ecdsa', hash: 'SHA-384' },
    pair: generateKeyPairSync('ec', { namedCurve }),
    sign: (key) => sign('sha384', message, { key, dsaEncoding: 'ieee-p1363' }),
  })),
  {
    name: 'RSA-PSS',
    algorithm: { kind: 'rsa-pss', hash: 'SHA-384', saltLength: 48 },
    pair: rsa,
    sign: (key) => sign('sha384', message, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }),
  },
  {
    name: 'RSA, PKCS #1 v1.5',
    algorithm: { kind: 'rsa-pkcs1', hash: 'SHA-256' },
    pair: rsa,
    sign: (key) => sign('sha256', message, key),
  },
  {
    name: 'Ed25519',
    algorithm: { kind: 'ed25519' },
    pair: generateKeyPairSync('ed25519'),
    sign: (key) => sign(null, message, key),
  },
];
const verifiers: readonly (readonly [string, SignatureVerifier])[] = [
  ['native', nativeVerifier],
  ['WebCrypto', webCryptoVerifier],
];

const spkiOf = (key: KeyObject): Uint8Array => Uint8Array.from(key.export({ format: 'der', type: 'spki' }));
const flipped = (bytes: Uint8Array, index: number): Uint8Array =>
  bytes.map((byte, place) => (place === index ? byte ^ 1 : byte));
const codeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof FastnessError ? error.code : 'not of the registry'),
  );

describe.each(verifiers)('%s', (_, verifier) => {
  it.each(cases)('$name: accepts a signature, and no other', async ({ algorithm, pair, sign: make }) => {
    const holder = parseSpki(spkiOf(pair.publicKey));
    const signature = make(pair.privateKey);
    const check = { holder, algorithm, signature, message };
    expect(await verifier(check)).toBe(true);
    expect(await verifier({ ...check, signature: flipped(signature, 5) })).toBe(false);
    expect(await verifier({ ...check, signature: signature.subarray(1) })).toBe(false);
    expect(await verifier({ ...check, signature: new Uint8Array(signature.length) })).toBe(false);
    expect(await verifier({ ...check, message: flipped(message, 0) })).toBe(false);
  });

  it('refuses a key that does not fit the algorithm', async () => {
    const holder = parseSpki(spkiOf(rsa.publicKey));
    const check = { holder, algorithm: { kind: 'ecdsa', hash: 'SHA-256' } as const, signature: message, message };
    expect(await codeOf(verifier(check))).toBe('X509_KEY');
  });

  it('refuses a point off its curve', async () => {
    const [{ pair, algorithm }] = cases as [Case];
    const spki = spkiOf(pair.publicKey);
    const holder = parseSpki(flipped(spki, spki.length - 1));
    expect(await codeOf(verifier({ holder, algorithm, signature: new Uint8Array(64), message }))).toBe('X509_KEY');
  });

  it('refuses an RSA key of 1024 bits', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const holder = parseSpki(spkiOf(publicKey));
    const check = { holder, algorithm: { kind: 'rsa-pkcs1', hash: 'SHA-256' } as const, signature: message, message };
    expect(await codeOf(verifier(check))).toBe('X509_KEY');
  });
});

describe('the native verifier', () => {
  it.each([
    ['P-256', 'a zero', (first: number) => first === 0],
    ['P-256', 'its highest bit set', (first: number) => first >= 0x80],
    ['P-256', 'anything else', (first: number) => first > 0 && first < 0x80],
    ['P-384', 'a zero', (first: number) => first === 0],
    ['P-384', 'its highest bit set', (first: number) => first >= 0x80],
    ['P-521', 'a zero', (first: number) => first === 0],
    ['P-521', 'a one', (first: number) => first === 1],
  ] as const)('takes signatures on %s whose r begins with %s', async (namedCurve, _what, wanted) => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve });
    const holder = parseSpki(spkiOf(publicKey));
    let signature: Uint8Array;
    do signature = Uint8Array.from(sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' }));
    while (!wanted(signature[0] ?? 0));
    const check = { holder, algorithm: { kind: 'ecdsa', hash: 'SHA-256' } as const, message };
    expect(await nativeVerifier({ ...check, signature })).toBe(true);
    expect(await nativeVerifier({ ...check, signature: flipped(signature, 5) })).toBe(false);
    expect(await nativeVerifier({ ...check, signature: flipped(signature, signature.length - 1) })).toBe(false);
  });

  it('refuses halves of nothing but zeros, of the order and above', async () => {
    const [{ pair, algorithm, sign: make }] = cases as [Case];
    const holder = parseSpki(spkiOf(pair.publicKey));
    const signature = make(pair.privateKey);
    const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
    for (const half of [new Uint8Array(32), order, new Uint8Array(32).fill(0xff)]) {
      for (const place of [0, 32]) {
        const altered = Uint8Array.from(signature);
        altered.set(half, place);
        expect(await nativeVerifier({ holder, algorithm, message, signature: altered })).toBe(false);
      }
    }
  });

  it('keeps the salts and schemes of one RSA key apart', async () => {
    const holder = parseSpki(spkiOf(rsa.publicKey));
    const pss = (saltLength: number) => ({ kind: 'rsa-pss', hash: 'SHA-256', saltLength }) as const;
    const pkcs1 = { kind: 'rsa-pkcs1', hash: 'SHA-256' } as const;
    const signed = [20, 32].map((saltLength) => ({
      algorithm: pss(saltLength),
      signature: sign('sha256', message, {
        key: rsa.privateKey,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength,
      }),
    }));
    const all = [...signed, { algorithm: pkcs1, signature: sign('sha256', message, rsa.privateKey) }];
    for (const made of all) {
      for (const { algorithm } of all) {
        const holds = await nativeVerifier({ holder, algorithm, signature: made.signature, message });
        expect(holds).toBe(algorithm === made.algorithm);
      }
    }
  });
});

describe('native means', () => {
  it('are the verifier and a digest that leaves what it reads as it is', async () => {
    expect(nativeMeans).toEqual({ signatures: nativeVerifier, sha256: nativeSha256 });
    expect(Object.isFrozen(nativeMeans)).toBe(true);
    const part = Uint8Array.from({ length: 300 }, (_, index) => index & 255).subarray(3, 207);
    const expected = new Uint8Array(await crypto.subtle.digest('SHA-256', part));
    const digest = await nativeSha256(part);
    expect(digest).toEqual(expected);
    expect(Object.getPrototypeOf(digest)).toBe(Uint8Array.prototype);
  });
});
