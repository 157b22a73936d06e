import { equalBytes, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { createCipheriv } from 'node:crypto';
import { nativeProcess, type NativeProcess } from '../native.ts';
import type { Gcm, GcmMessage } from './gcm.ts';
import { aeadIvLength, aeadTagLength } from './parameters.ts';

// include/openssl/evp.h
const EVP_CTRL_AEAD_GET_TAG = 0x10;
const EVP_CTRL_AEAD_SET_TAG = 0x11;

/**
 * AES-256-GCM by the OpenSSL that is part of Node, called without Node's interface to it: that one allocates and copies
 * what it returns, this one works in place. A context lives for one message; freeing it wipes its copy of the key.
 * Undefined where it cannot be called, or where what answers to these names does not compute AES-256-GCM.
 */
export function nativeGcm(): Gcm | undefined {
  try {
    const process = nativeProcess();
    const gcm = process === undefined ? undefined : bind(process);
    return gcm !== undefined && agreesWithNode(gcm) ? gcm : undefined;
  } catch {
    return undefined;
  }
}

function bind({ library }: NativeProcess): Gcm {
  const newContext = library.func('void *EVP_CIPHER_CTX_new()');
  const freeContext = library.func('void EVP_CIPHER_CTX_free(void *ctx)');
  const control = library.func('int EVP_CIPHER_CTX_ctrl(void *ctx, int type, int arg, void *ptr)');
  const aes256Gcm: unknown = library.func('const void *EVP_aes_256_gcm()')();
  const functionsOf = (direction: 'Encrypt' | 'Decrypt'): Functions => ({
    init: library.func(
      `int EVP_${direction}Init_ex(void *ctx, const void *type, void *impl, const void *key, const void *iv)`,
    ),
    update: library.func(`int EVP_${direction}Update(void *ctx, void *out, void *outl, const void *in, int inl)`),
    final: library.func(`int EVP_${direction}Final_ex(void *ctx, void *out, void *outl)`),
  });
  const encryption = functionsOf('Encrypt');
  const decryption = functionsOf('Decrypt');
  // GCM keeps no bytes back, so neither is read; OpenSSL wants somewhere to write them.
  const written = new Int32Array(1);
  const rest = new Uint8Array(16);

  function withContext(use: (context: unknown) => void): void {
    const context: unknown = newContext();
    if (context === null) throw new FastnessError('SEAL_WORKER', 'OpenSSL gave no cipher.');
    try {
      use(context);
    } finally {
      freeContext(context);
    }
  }

  function begin({ init, update }: Functions, context: unknown, { key, iv, aad, source, target }: GcmMessage): void {
    must(init(context, aes256Gcm, null, key, iv));
    must(update(context, null, written, aad, aad.length));
    if (source.length > 0) must(update(context, target, written, source, source.length));
  }

  return {
    encrypt(message) {
      checkLengths(message);
      withContext((context) => {
        begin(encryption, context, message);
        must(encryption.final(context, rest, written));
        must(control(context, EVP_CTRL_AEAD_GET_TAG, aeadTagLength, message.tag));
      });
    },
    decrypt(message, where) {
      checkLengths(message);
      let verified = false;
      try {
        withContext((context) => {
          begin(decryption, context, message);
          must(control(context, EVP_CTRL_AEAD_SET_TAG, aeadTagLength, message.tag));
          verified = decryption.final(context, rest, written) === 1;
        });
      } finally {
        if (!verified) message.target.fill(0);
      }
      if (!verified) throw new FastnessError('FLOE_SEGMENT_TAG', where);
    },
  };
}

interface Functions {
  readonly init: (...parameters: unknown[]) => unknown;
  readonly update: (...parameters: unknown[]) => unknown;
  readonly final: (...parameters: unknown[]) => unknown;
}

function must(result: unknown): void {
  if (result !== 1) throw new FastnessError('SEAL_WORKER', 'OpenSSL refused.');
}

/** OpenSSL reads and writes what it is told to, so nothing reaches it that was not measured here. */
function checkLengths({ key, iv, aad, source, target, tag }: GcmMessage): void {
  const fits =
    key.length === 32 &&
    iv.length === aeadIvLength &&
    aad.length > 0 &&
    tag.length === aeadTagLength &&
    target.length === source.length &&
    source.length < 2 ** 31;
  if (!fits) throw new FastnessError('FLOE_SEGMENT_RANGE');
}

/** One message both ways, once for each thread: a name that means something else must not write files nobody can open. */
function agreesWithNode(gcm: Gcm): boolean {
  const [key, iv, aad] = [new Uint8Array(32).fill(1), new Uint8Array(aeadIvLength).fill(2), utf8Encode('aad')];
  const plaintext = new Uint8Array(100).fill(3);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: aeadTagLength });
  cipher.setAAD(aad);
  const ciphertext = new Uint8Array(cipher.update(plaintext));
  cipher.final();
  const bytes = plaintext.slice();
  const tag = new Uint8Array(aeadTagLength);
  gcm.encrypt({ key, iv, aad, source: bytes, target: bytes, tag });
  if (!equalBytes(bytes, ciphertext) || !equalBytes(tag, new Uint8Array(cipher.getAuthTag()))) return false;
  gcm.decrypt({ key, iv, aad, source: bytes, target: bytes, tag }, '');
  return equalBytes(bytes, plaintext);
}
