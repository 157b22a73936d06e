import { createPublicKey, verify } from 'node:crypto';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { utf8Encode } from '@fastness/codec/bytes';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { algorithmsOf, type KeyAlgorithm, type KeyStore, type WrappedKey } from '../src/index.ts';

/** What a kind of key store must provide to be put through the suite. */
export interface KeyStoreSubject {
  /** A new, empty store. */
  create(): Promise<KeyStore>;
  /** The same store again, after the first handle was closed. */
  reopen(): Promise<KeyStore>;
  /** Signing algorithms that this kind has; wrapping with AES-256-GCM is required of all. */
  readonly signing: readonly KeyAlgorithm[];
}

/** Expects exactly one code, and that nothing in the error repeats `secret`. */
export async function expectCode(work: Promise<unknown>, code: ErrorCode, secret?: string): Promise<void> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof FastnessError)) throw new Error(`expected ${code}, got ${String(error)}`);
  expect(error.code).toBe(code);
  if (secret !== undefined) expect(`${error.stack} ${JSON.stringify(error.toProblem())}`).not.toContain(secret);
}

const context = utf8Encode('model-a|seal-1');
const secret = utf8Encode('0123456789abcdef0123456789abcdef');

/** The behaviour every `KeyStore` owes, whatever keeps its keys. */
export function describeKeyStore(name: string, makeSubject: () => KeyStoreSubject): void {
  describe(`key store conformance: ${name}`, () => {
    let subject: KeyStoreSubject;
    let store: KeyStore;

    beforeEach(async () => {
      subject = makeSubject();
      store = await subject.create();
    });
    afterEach(() => store[Symbol.asyncDispose]());

    const addKek = (id = 'kek') => store.create({ id, purpose: 'wrap', algorithm: 'AES-256-GCM' });
    const flip = (bytes: Uint8Array, index: number) =>
      bytes.map((byte, position) => (position === index ? byte ^ 1 : byte));

    it('says in words whether hardware protects the keys', () => {
      expect(store.description).toMatch(store.hardware ? /hardware/ : /no hardware/);
    });

    it('starts empty and lists what it creates', async () => {
      expect(await store.list()).toEqual([]);
      const info = await addKek();
      expect(info).toMatchObject({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM', version: 1, versions: [1] });
      expect(await store.list()).toEqual([info]);
    });

    it('wraps and unwraps, and never wraps to the same bytes twice', async () => {
      await addKek();
      const first = await store.wrap('kek', secret, context);
      const second = await store.wrap('kek', secret, context);
      expect(first).toMatchObject({ keyId: 'kek', keyVersion: 1 });
      expect(first.ciphertext).not.toEqual(second.ciphertext);
      expect(await store.unwrap(first, context)).toEqual(secret);
      expect(await store.unwrap(second, context)).toEqual(secret);
    });

    it.each([1, 16, 48, 4096])('wraps %i bytes', async (length) => {
      await addKek();
      const plaintext = new Uint8Array(length).fill(7);
      expect(await store.unwrap(await store.wrap('kek', plaintext, context), context)).toEqual(plaintext);
    });

    it('keeps its keys when closed and opened again', async () => {
      await addKek();
      const wrapped = await store.wrap('kek', secret, context);
      await store[Symbol.asyncDispose]();
      store = await subject.reopen();
      expect(await store.unwrap(wrapped, context)).toEqual(secret);
    });

    it('binds the context', async () => {
      await addKek();
      const wrapped = await store.wrap('kek', secret, context);
      await expectCode(store.unwrap(wrapped, utf8Encode('model-b|seal-1')), 'KEYS_UNWRAP');
    });

    it('binds the key id, even to a key that the same store holds', async () => {
      await addKek();
      await addKek('kek-2');
      const wrapped = await store.wrap('kek', secret, context);
      await expectCode(store.unwrap({ ...wrapped, keyId: 'kek-2' }, context), 'KEYS_UNWRAP');
    });

    it('refuses every altered byte of the ciphertext', async () => {
      await addKek();
      const wrapped = await store.wrap('kek', secret, context);
      for (let index = 0; index < wrapped.ciphertext.length; index += 1) {
        const altered: WrappedKey = { ...wrapped, ciphertext: flip(wrapped.ciphertext, index) };
        await expect(store.unwrap(altered, context)).rejects.toMatchObject({
          code: expect.stringMatching(/^KEYS_(UNWRAP|WRAPPED_ALGORITHM)$/),
        });
      }
    });

    it('refuses every shortened ciphertext', async () => {
      await addKek();
      const wrapped = await store.wrap('kek', secret, context);
      for (let length = 0; length < wrapped.ciphertext.length; length += 1) {
        const short: WrappedKey = { ...wrapped, ciphertext: wrapped.ciphertext.slice(0, length) };
        await expect(store.unwrap(short, context)).rejects.toBeInstanceOf(FastnessError);
      }
    });

    it('refuses a wrapped key of another algorithm', async () => {
      await addKek();
      const wrapped = await store.wrap('kek', secret, context);
      await expectCode(store.unwrap({ ...wrapped, algorithm: 'ROT13' }, context), 'KEYS_WRAPPED_ALGORITHM');
    });

    it('refuses a version it does not hold', async () => {
      await addKek();
      const wrapped = await store.wrap('kek', secret, context);
      await expectCode(store.unwrap({ ...wrapped, keyVersion: 2 }, context), 'KEYS_VERSION_UNKNOWN');
    });

    it('refuses empty and oversized input', async () => {
      await addKek();
      await expectCode(store.wrap('kek', new Uint8Array(0), context), 'KEYS_SIZE');
      await expectCode(store.wrap('kek', new Uint8Array(4097), context), 'KEYS_SIZE');
      await expectCode(store.wrap('kek', secret, new Uint8Array(0)), 'KEYS_SIZE');
      await expectCode(store.wrap('kek', secret, new Uint8Array(4097)), 'KEYS_SIZE');
    });

    it('refuses ids that it does not have', async () => {
      await expectCode(store.wrap('absent', secret, context), 'KEYS_ID_UNKNOWN');
      await expectCode(store.sign('absent', secret), 'KEYS_ID_UNKNOWN');
      await expectCode(store.publicKey('absent'), 'KEYS_ID_UNKNOWN');
      await addKek();
      const wrapped = await store.wrap('kek', secret, context);
      await expectCode(store.unwrap({ ...wrapped, keyId: 'absent' }, context), 'KEYS_ID_UNKNOWN');
    });

    it('refuses an id that exists, whatever the purpose, and keeps the key', async () => {
      await addKek();
      const wrapped = await store.wrap('kek', secret, context);
      await expectCode(addKek(), 'KEYS_ID_EXISTS');
      await expectCode(store.create({ id: 'kek', purpose: 'sign', algorithm: 'P-256' }), 'KEYS_ID_EXISTS');
      expect(await store.unwrap(wrapped, context)).toEqual(secret);
    });

    it.each(['', 'Kek', '-kek', '.kek', 'ke k', 'ke/k', '../kek', 'kék', 'kek\n', 'k'.repeat(65)])(
      'refuses the id %j',
      async (id) => {
        await expectCode(addKek(id), 'KEYS_ID_INVALID');
      },
    );

    it.each([
      ['sign', 'AES-256-GCM'],
      ['wrap', 'P-256'],
      ['wrap', 'Ed25519'],
    ] as const)('refuses to %s with %s', async (purpose, algorithm) => {
      await expectCode(store.create({ id: 'odd', purpose, algorithm }), 'KEYS_ALGORITHM');
    });

    it('keeps the purposes apart', async () => {
      await addKek();
      await store.create({ id: 'signer', purpose: 'sign', algorithm: 'P-256' });
      const wrapped = await store.wrap('kek', secret, context);
      await expectCode(store.sign('kek', secret), 'KEYS_PURPOSE');
      await expectCode(store.publicKey('kek'), 'KEYS_PURPOSE');
      await expectCode(store.wrap('signer', secret, context), 'KEYS_PURPOSE');
      await expectCode(store.unwrap({ ...wrapped, keyId: 'signer' }, context), 'KEYS_PURPOSE');
    });

    describe.each(algorithmsOf.sign)('signing with %s', (algorithm) => {
      const hash = { 'P-256': 'sha256', 'P-384': 'sha384', Ed25519: null }[algorithm];

      it('signs what its public key verifies, and nothing else', async (test) => {
        if (!subject.signing.includes(algorithm)) test.skip();
        await store.create({ id: 'signer', purpose: 'sign', algorithm });
        const message = utf8Encode('release 7');
        const signature = await store.sign('signer', message);
        const spki = await store.publicKey('signer');
        const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
        expect(verify(hash, message, key, signature)).toBe(true);
        expect(verify(hash, utf8Encode('release 8'), key, signature)).toBe(false);
      });

      it('keeps its key pair when closed and opened again', async (test) => {
        if (!subject.signing.includes(algorithm)) test.skip();
        await store.create({ id: 'signer', purpose: 'sign', algorithm });
        const spki = await store.publicKey('signer');
        await store[Symbol.asyncDispose]();
        store = await subject.reopen();
        expect(await store.publicKey('signer')).toEqual(spki);
      });
    });

    it('serves concurrent callers', async () => {
      await addKek();
      const wrapped = await Promise.all(Array.from({ length: 20 }, () => store.wrap('kek', secret, context)));
      const opened = await Promise.all(wrapped.map((one) => store.unwrap(one, context)));
      for (const plaintext of opened) expect(plaintext).toEqual(secret);
      await Promise.all(Array.from({ length: 5 }, (_, index) => addKek(`kek-${index}`)));
      expect(await store.list()).toHaveLength(6);
    });

    it('does nothing once closed', async () => {
      await addKek();
      await store[Symbol.asyncDispose]();
      await expectCode(store.list(), 'KEYS_CLOSED');
      await expectCode(store.wrap('kek', secret, context), 'KEYS_CLOSED');
      await expectCode(addKek('another'), 'KEYS_CLOSED');
      await store[Symbol.asyncDispose]();
    });
  });
}
