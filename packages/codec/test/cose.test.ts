import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { concatBytes, toHex, utf8Encode } from '@fastness/codec';
import { CborTag, decodeCbor, encodeCbor, type CborMap, type CborValue } from '@fastness/codec/cbor';
import { coseHeaders, decodeSign1, encodeSign1, sign1ToBeSigned, verifySign1 } from '@fastness/codec/cose';
import { importSpki, parseCertificate, verifyChain } from '@fastness/codec/x509';
import { generateKeys, signRaw, type ForgedKeys } from '@fastness/testkit';
import { describe, expect, test } from 'vitest';
import { expectCode, fuzz, vectors } from './support.ts';

const payload = utf8Encode('payload');
const ed25519 = await generateKeys('ed25519');
const p256 = await generateKeys('p-256');
const p384 = await generateKeys('p-384');
const p521 = await generateKeys('p-521');

const cases = [
  { name: 'Ed25519', alg: -19, keys: ed25519, scheme: { kind: 'ed25519' }, params: { name: 'Ed25519' } },
  {
    name: 'ES256',
    alg: -7,
    keys: p256,
    scheme: { kind: 'ecdsa', hash: 'SHA-256' },
    params: { name: 'ECDSA', namedCurve: 'P-256' },
  },
  {
    name: 'ES384',
    alg: -35,
    keys: p384,
    scheme: { kind: 'ecdsa', hash: 'SHA-384' },
    params: { name: 'ECDSA', namedCurve: 'P-384' },
  },
  {
    name: 'ES512',
    alg: -36,
    keys: p521,
    scheme: { kind: 'ecdsa', hash: 'SHA-512' },
    params: { name: 'ECDSA', namedCurve: 'P-521' },
  },
] as const;

const importKey = async (keys: ForgedKeys, params: { name: string }): Promise<CryptoKey> =>
  crypto.subtle.importKey('spki', keys.spki, params, true, ['verify']);

const edSign = async (message: Uint8Array): Promise<Uint8Array> => signRaw(ed25519, { kind: 'ed25519' }, message);
const header = (...entries: [number | string, CborValue][]): CborMap => new Map(entries);
const signed = async (
  extra: { unprotected?: CborMap; externalAad?: Uint8Array; detached?: boolean; tagged?: boolean } = {},
) => encodeSign1({ protectedHeader: header([1, -19]), payload, sign: edSign, ...extra });
const edKey = await importKey(ed25519, { name: 'Ed25519' });

/** A message with these parts and a signature that need not hold. */
const assemble = (parts: readonly CborValue[]): Uint8Array => encodeCbor(new CborTag(18, parts));
const protectedBytes = encodeCbor(header([1, -19]));

describe('COSE_Sign1', () => {
  test.each(cases)('round trips with $name', async ({ alg, keys, scheme, params }) => {
    const bytes = await encodeSign1({
      protectedHeader: header([coseHeaders.algorithm, alg]),
      payload,
      externalAad: utf8Encode('context'),
      sign: async (message) => signRaw(keys, scheme, message),
    });
    const message = decodeSign1(bytes);
    const publicKey = await importKey(keys, params);
    const verified = await verifySign1({ message, publicKey, algorithms: [alg], externalAad: utf8Encode('context') });
    expect(verified).toEqual(payload);
    const wrongAad = { message, publicKey, algorithms: [alg], externalAad: utf8Encode('other') };
    await expectCode('COSE_SIGNATURE', () => verifySign1(wrongAad));
  });

  test('the bytes to be signed are those of RFC 9052, section 4.4', () => {
    expect(toHex(sign1ToBeSigned({ protectedBytes, payload, externalAad: Uint8Array.of(7) }))).toBe(
      toHex(
        concatBytes(
          Uint8Array.of(0x84, 0x6a),
          utf8Encode('Signature1'),
          Uint8Array.of(0x43),
          protectedBytes,
          Uint8Array.of(0x41, 7, 0x47),
          payload,
        ),
      ),
    );
  });

  test('reads tagged and untagged, attached and detached', async () => {
    expect((await signed())[0]).toBe(0xd2);
    const untagged = decodeSign1(await signed({ tagged: false }));
    await verifySign1({ message: untagged, publicKey: edKey, algorithms: [-19] });
    const detached = decodeSign1(await signed({ detached: true }));
    expect(detached.payload).toBeNull();
    await verifySign1({ message: detached, publicKey: edKey, algorithms: [-19], payload });
    await expectCode('COSE_HEADER', () => verifySign1({ message: detached, publicKey: edKey, algorithms: [-19] }));
    const message = decodeSign1(await signed());
    await expectCode('COSE_HEADER', () => verifySign1({ message, publicKey: edKey, algorithms: [-19], payload }));
  });

  test('the caller chooses the algorithm and the key has to fit it', async () => {
    const message = decodeSign1(await signed());
    await expectCode('COSE_ALGORITHM', () => verifySign1({ message, publicKey: edKey, algorithms: [-7, -35] }));
    const ecKey = await importKey(p256, { name: 'ECDSA', namedCurve: 'P-256' } as { name: string });
    await expectCode('COSE_ALGORITHM', () => verifySign1({ message, publicKey: ecKey, algorithms: [-19] }));
    const es384 = decodeSign1(assemble([encodeCbor(header([1, -35])), new Map(), payload, new Uint8Array(64)]));
    await expectCode('COSE_ALGORITHM', () => verifySign1({ message: es384, publicKey: ecKey, algorithms: [-35] }));
    const unknown = decodeSign1(assemble([encodeCbor(header([1, -8])), new Map(), payload, new Uint8Array(64)]));
    await expectCode('COSE_ALGORITHM', () => verifySign1({ message: unknown, publicKey: edKey, algorithms: [-8] }));
  });

  test('a change anywhere breaks the signature', async () => {
    const message = decodeSign1(await signed());
    const changes = [
      { ...message, payload: utf8Encode('Payload') },
      { ...message, protectedBytes: encodeCbor(header([1, -19], [4, payload])) },
      { ...message, signature: message.signature.slice(1) },
      { ...message, signature: message.signature.map((byte, index) => (index === 9 ? byte ^ 1 : byte)) },
    ];
    for (const changed of changes) {
      await expectCode('COSE_SIGNATURE', () => verifySign1({ message: changed, publicKey: edKey, algorithms: [-19] }));
    }
  });

  const signature = new Uint8Array(64);
  test.each([
    ['another tag', encodeCbor(new CborTag(17, [protectedBytes, new Map(), payload, signature])), 'CODEC_UNSUPPORTED'],
    ['three members', assemble([protectedBytes, new Map(), payload]), 'CODEC_MALFORMED'],
    [
      'a protected header that is a map',
      assemble([new Map([[1, -19]]), new Map(), payload, signature]),
      'CODEC_MALFORMED',
    ],
    [
      'an unprotected header that is bytes',
      assemble([protectedBytes, protectedBytes, payload, signature]),
      'CODEC_MALFORMED',
    ],
    ['a payload of text', assemble([protectedBytes, new Map(), 'payload', signature]), 'CODEC_MALFORMED'],
    ['no signature', assemble([protectedBytes, new Map(), payload, null]), 'CODEC_MALFORMED'],
    ['a protected header of another type', assemble([encodeCbor([]), new Map(), payload, signature]), 'COSE_HEADER'],
    [
      'a written-out empty header',
      assemble([encodeCbor(new Map()), new Map(), payload, signature]),
      'CODEC_NOT_CANONICAL',
    ],
    ['no algorithm', assemble([new Uint8Array(), new Map(), payload, signature]), 'COSE_HEADER'],
    [
      'an algorithm outside the protected header',
      assemble([new Uint8Array(), new Map([[1, -19]]), payload, signature]),
      'COSE_HEADER',
    ],
    [
      'a label in both headers',
      assemble([encodeCbor(header([1, -19], [4, payload])), new Map([[4, payload]]), payload, signature]),
      'COSE_HEADER',
    ],
    [
      'an unknown critical label',
      assemble([encodeCbor(header([1, -19], [2, [99]], [99, 1])), new Map(), payload, signature]),
      'COSE_CRITICAL',
    ],
    [
      'a critical label that is absent',
      assemble([encodeCbor(header([1, -19], [2, [99]])), new Map(), payload, signature]),
      'COSE_HEADER',
    ],
    [
      'an empty critical list',
      assemble([encodeCbor(header([1, -19], [2, []])), new Map(), payload, signature]),
      'COSE_HEADER',
    ],
    [
      '"crit" outside the protected header',
      assemble([protectedBytes, new Map([[2, [4]]]), payload, signature]),
      'COSE_HEADER',
    ],
    [
      'trailing bytes',
      concatBytes(assemble([protectedBytes, new Map(), payload, signature]), Uint8Array.of(0)),
      'CODEC_TRAILING',
    ],
  ] as const)('refuses %s', async (_, bytes, code) => expectCode(code, () => decodeSign1(bytes)));

  test('reads known critical labels', () => {
    const bytes = assemble([encodeCbor(header([1, -19], [2, [4]], [4, payload])), new Map(), payload, signature]);
    expect(decodeSign1(bytes).algorithm).toBe(-19);
  });
  test('writes nothing it would refuse', async () => {
    await expectCode('COSE_HEADER', () => encodeSign1({ protectedHeader: new Map(), payload, sign: edSign }));
    await expectCode('COSE_HEADER', () => signed({ unprotected: new Map([[1, -19]]) }));
  });
  test('mutations end in a message or a typed error', async () => {
    fuzz({
      samples: [await signed(), await signed({ detached: true, unprotected: header([4, payload]) })],
      rounds: 5000,
      parse: decodeSign1,
    });
  });
});

describe.skipIf(vectors === undefined)('a recorded AWS Nitro document', () => {
  const folder = join(vectors ?? '', 'evidence/nitro/evervault__attestation-doc-validation/test-data');
  const read = () =>
    decodeSign1(Buffer.from(readFileSync(join(folder, 'valid-attestation-doc-base64'), 'utf8').trim(), 'base64'));
  const facts = () => {
    const document = decodeCbor(read().payload ?? new Uint8Array(), { keyOrder: 'any' });
    if (!(document instanceof Map)) throw new Error('not a map');
    const certificate = (value: unknown) => parseCertificate(value instanceof Uint8Array ? value : new Uint8Array());
    const leaf = certificate(document.get('certificate'));
    const bundle: unknown = document.get('cabundle');
    const issuers = Array.isArray(bundle) ? bundle.map(certificate) : [];
    return { leaf, chain: [leaf, ...issuers.toReversed()], timestamp: new Date(Number(document.get('timestamp'))) };
  };

  test('verifies: signature, chain and root', async () => {
    const { leaf, chain, timestamp } = facts();
    await verifySign1({ message: read(), publicKey: await importSpki(leaf), algorithms: [-35] });
    await verifyChain({ chain, now: timestamp });
    const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(chain.at(-1)?.raw ?? []));
    expect(toHex(new Uint8Array(digest))).toBe('641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b');
  });
  test('a changed payload fails', async () => {
    const message = read();
    const changed = {
      ...message,
      payload: message.payload?.map((byte, index) => (index === 40 ? byte ^ 1 : byte)) ?? null,
    };
    const publicKey = await importSpki(facts().leaf);
    await expectCode('COSE_SIGNATURE', () => verifySign1({ message: changed, publicKey, algorithms: [-35] }));
  });
});
