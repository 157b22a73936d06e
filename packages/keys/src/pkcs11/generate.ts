import { randomBytes, timingSafeEqual } from 'node:crypto';
import { FastnessError } from '@fastness/codec/errors';
import type { KeyAlgorithm } from '../key-store.ts';
import { bindingOf } from './binding.ts';
import type { CheckedKey } from './checked-key.ts';
import { CKA, CKK, CKM, CKO } from './constants.ts';
import { isUnsupported } from './errors.ts';
import { unwrapByGcm, unwrapByRsa, wrapByGcm, wrapByRsa, type GcmHabit, type SigningCurve } from './mechanisms.ts';
import type { WrappingWay } from './messages.ts';
import { layMechanism, layTemplate, type Module, type Template } from './module.ts';
import { curves, edwardsByName } from './objects.ts';

export interface GenerateOptions {
  /** Kept on the token; false for a key that ends with the session. */
  readonly token: boolean;
  readonly id: Uint8Array;
  readonly label: Uint8Array;
}

/** Says what the key is, that it never leaves, and that it does one thing. */
function secretKey({ token, id, label }: GenerateOptions): Template {
  return [
    [CKA.CLASS, CKO.SECRET_KEY],
    [CKA.KEY_TYPE, CKK.AES],
    [CKA.VALUE_LEN, 32],
    [CKA.TOKEN, token],
    [CKA.PRIVATE, true],
    [CKA.SENSITIVE, true],
    [CKA.EXTRACTABLE, false],
    [CKA.ENCRYPT, true],
    [CKA.DECRYPT, true],
    [CKA.WRAP, false],
    [CKA.UNWRAP, false],
    [CKA.SIGN, false],
    [CKA.VERIFY, false],
    [CKA.ID, id],
    [CKA.LABEL, label],
  ];
}

function privateKey({ token, id, label }: GenerateOptions, does: 'decrypt' | 'sign'): Template {
  return [
    [CKA.TOKEN, token],
    [CKA.PRIVATE, true],
    [CKA.SENSITIVE, true],
    [CKA.EXTRACTABLE, false],
    [CKA.DECRYPT, does === 'decrypt'],
    [CKA.SIGN, does === 'sign'],
    [CKA.UNWRAP, false],
    [CKA.DERIVE, false],
    [CKA.ID, id],
    [CKA.LABEL, label],
  ];
}

function publicKey({ token, id, label }: GenerateOptions, does: 'encrypt' | 'verify'): Template {
  return [
    [CKA.TOKEN, token],
    [CKA.ENCRYPT, does === 'encrypt'],
    [CKA.VERIFY, does === 'verify'],
    [CKA.WRAP, false],
    [CKA.ID, id],
    [CKA.LABEL, label],
  ];
}

/** Makes the key on the token; the handles of all its objects, the secret or private one first. */
export function generateKey(
  module: Module,
  session: bigint,
  kind: WrappingWay | SigningCurve,
  options: GenerateOptions,
): bigint[] {
  if (kind === 'aes-gcm') {
    return module.within((arena) => {
      const { piece } = layMechanism(arena, { type: CKM.AES_KEY_GEN });
      const template = secretKey(options);
      const handle = arena.ulong(0);
      module.call(
        'C_GenerateKey',
        session,
        piece.address,
        layTemplate(arena, template).address,
        template.length,
        handle.address,
      );
      return [handle.view.getBigUint64(0, true)];
    });
  }
  if (kind === 'rsa-oaep') {
    const size: Template = [
      [CKA.MODULUS_BITS, 3072],
      [CKA.PUBLIC_EXPONENT, Uint8Array.of(1, 0, 1)],
    ];
    return generatePair(
      module,
      session,
      CKM.RSA_PKCS_KEY_PAIR_GEN,
      [...publicKey(options, 'encrypt'), ...size],
      privateKey(options, 'decrypt'),
    );
  }
  const curve = (parameters: Uint8Array): Template => [...publicKey(options, 'verify'), [CKA.EC_PARAMS, parameters]];
  const type = kind === 'Ed25519' ? CKM.EC_EDWARDS_KEY_PAIR_GEN : CKM.EC_KEY_PAIR_GEN;
  const own = privateKey(options, 'sign');
  try {
    return generatePair(module, session, type, curve(curves[kind].parameters), own);
  } catch (error) {
    if (kind !== 'Ed25519' || !isUnsupported(error)) throw error;
    return generatePair(module, session, type, curve(edwardsByName), own);
  }
}

function generatePair(
  module: Module,
  session: bigint,
  type: number,
  publicTemplate: Template,
  privateTemplate: Template,
): bigint[] {
  return module.within((arena) => {
    const { piece } = layMechanism(arena, { type });
    const handles = [arena.ulong(0), arena.ulong(0)] as const;
    module.call(
      'C_GenerateKeyPair',
      session,
      piece.address,
      layTemplate(arena, publicTemplate).address,
      publicTemplate.length,
      layTemplate(arena, privateTemplate).address,
      privateTemplate.length,
      handles[0].address,
      handles[1].address,
    );
    return [handles[1].view.getBigUint64(0, true), handles[0].view.getBigUint64(0, true)];
  });
}

/**
 * Does with a new key what it will be needed for, and what it must refuse. That decides what a token can do; its list
 * of mechanisms does not. Errors: KEYS_HSM_UNSUPPORTED, ModuleError.
 */
export function exercise(module: Module, session: bigint, key: CheckedKey, habit: GcmHabit): void {
  // A signing key has shown its signature to `checkKey`.
  if (key.way === 'sign') return;
  const plaintext = randomBytes(48);
  const binding = bindingOf('exercise', 1, Uint8Array.of(1));
  const other = bindingOf('exercise', 2, Uint8Array.of(1));
  const open = (sealed: Uint8Array, bound: Uint8Array): Uint8Array =>
    key.way === 'aes-gcm'
      ? unwrapByGcm(module, session, key.handle, habit, bound, sealed)
      : unwrapByRsa(module, session, key, bound, sealed);
  const sealed =
    key.way === 'aes-gcm'
      ? wrapByGcm(module, session, key.handle, habit, binding, plaintext)
      : wrapByRsa(key.spki, binding, plaintext);
  if (!timingSafeEqual(open(sealed, binding), plaintext))
    throw unsuitable('It opens what it wrapped to something else.');
  const altered = sealed.slice();
  altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
  for (const [bytes, bound] of [
    [altered, binding],
    [sealed, other],
  ] as const) {
    const opened = refuses(() => open(bytes, bound));
    if (!opened) throw unsuitable('It opens what was altered, or bound to something else.');
  }
}

function refuses(work: () => Uint8Array): boolean {
  try {
    work();
    return false;
  } catch (error) {
    if (error instanceof FastnessError && error.code === 'KEYS_UNWRAP') return true;
    throw error;
  }
}

function unsuitable(detail: string): FastnessError {
  return new FastnessError('KEYS_HSM_UNSUPPORTED', detail);
}

export function kindsFor(algorithm: KeyAlgorithm, wrapping: 'auto' | WrappingWay): (WrappingWay | SigningCurve)[] {
  if (algorithm !== 'AES-256-GCM') return [algorithm];
  return wrapping === 'auto' ? ['aes-gcm', 'rsa-oaep'] : [wrapping];
}
