import type { webcrypto } from 'node:crypto';
import type { HashName, SignatureAlgorithm } from '@fastness/codec/x509';
import { ecdsaSignatureFromRaw } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';

/** Kinds of keys that the forge makes. */
export type ForgedKeyKind = 'rsa-2048' | 'rsa-3072' | 'rsa-4096' | 'p-256' | 'p-384' | 'p-521' | 'ed25519';

/** A key pair as bytes, so that it can be stored, passed between processes and used under any scheme. */
export interface ForgedKeys {
  readonly kind: ForgedKeyKind;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array<ArrayBuffer>;
  /** Private key, PKCS #8 DER. Forged keys protect nothing; they are not wiped. */
  readonly pkcs8: Uint8Array<ArrayBuffer>;
}

const curves: Readonly<Partial<Record<ForgedKeyKind, string>>> = {
  'p-256': 'P-256',
  'p-384': 'P-384',
  'p-521': 'P-521',
};
const hashOfCurve: Readonly<Partial<Record<ForgedKeyKind, HashName>>> = {
  'p-256': 'SHA-256',
  'p-384': 'SHA-384',
  'p-521': 'SHA-512',
};

/** Makes a new key pair. RSA of 4096 bits takes seconds: see {@link sharedKeys}. */
export async function generateKeys(kind: ForgedKeyKind): Promise<ForgedKeys> {
  const pair = await crypto.subtle.generateKey(generationParameters(kind), true, ['sign', 'verify']);
  if (!('privateKey' in pair)) throw new FastnessError('TESTKIT_OPTION', `No key pair of kind ${kind}.`);
  const [spki, pkcs8] = await Promise.all([
    crypto.subtle.exportKey('spki', pair.publicKey),
    crypto.subtle.exportKey('pkcs8', pair.privateKey),
  ]);
  return { kind, spki: new Uint8Array(spki), pkcs8: new Uint8Array(pkcs8) };
}

const shared = new Map<string, Promise<ForgedKeys>>();

/**
 * The key pair of this name and kind, made on first use and kept for the life of the process: for roots and
 * intermediates, whose RSA keys are slow to make and which tests need not tell apart.
 */
export async function sharedKeys(name: string, kind: ForgedKeyKind): Promise<ForgedKeys> {
  const id = `${kind} ${name}`;
  const known = shared.get(id) ?? generateKeys(kind);
  shared.set(id, known);
  return known;
}

/** The algorithm that a key of this kind signs with when none is asked for; RSA signs as AMD does. */
export function defaultAlgorithm(kind: ForgedKeyKind): SignatureAlgorithm {
  if (kind === 'ed25519') return { kind: 'ed25519' };
  const hash = hashOfCurve[kind];
  return hash === undefined ? { kind: 'rsa-pss', hash: 'SHA-384', saltLength: 48 } : { kind: 'ecdsa', hash };
}

/** Signs in the X.509 form of the algorithm: ECDSA as DER, the others as they are. */
export async function signWith(
  keys: ForgedKeys,
  algorithm: SignatureAlgorithm,
  message: Uint8Array,
): Promise<Uint8Array> {
  const raw = await signRaw(keys, algorithm, message);
  return algorithm.kind === 'ecdsa' ? ecdsaSignatureFromRaw(raw) : raw;
}

/** Signs in the raw form of the algorithm: ECDSA as r || s, big-endian. */
export async function signRaw(
  keys: ForgedKeys,
  algorithm: SignatureAlgorithm,
  message: Uint8Array,
): Promise<Uint8Array> {
  const { importAs, signAs } = signingParameters(keys.kind, algorithm);
  const key = await crypto.subtle.importKey('pkcs8', keys.pkcs8, importAs, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign(signAs, key, new Uint8Array(message)));
}

function generationParameters(
  kind: ForgedKeyKind,
): webcrypto.RsaHashedKeyGenParams | webcrypto.EcKeyGenParams | webcrypto.Algorithm {
  if (kind === 'ed25519') return { name: 'Ed25519' };
  const namedCurve = curves[kind];
  if (namedCurve !== undefined) return { name: 'ECDSA', namedCurve };
  const modulusLength = Number(kind.slice('rsa-'.length));
  return { name: 'RSA-PSS', modulusLength, publicExponent: Uint8Array.of(1, 0, 1), hash: 'SHA-384' };
}

interface SigningParameters {
  readonly importAs: webcrypto.RsaHashedImportParams | webcrypto.EcKeyImportParams | webcrypto.Algorithm;
  readonly signAs: webcrypto.RsaPssParams | webcrypto.EcdsaParams | webcrypto.Algorithm;
}

function signingParameters(kind: ForgedKeyKind, algorithm: SignatureAlgorithm): SigningParameters {
  const namedCurve = curves[kind];
  const family = namedCurve === undefined ? kind.slice(0, 3) : 'ecdsa';
  if (!algorithm.kind.startsWith(family)) {
    throw new FastnessError('TESTKIT_OPTION', `A key of kind ${kind} cannot sign ${algorithm.kind}.`);
  }
  switch (algorithm.kind) {
    case 'ecdsa': {
      const importAs: webcrypto.EcKeyImportParams = { name: 'ECDSA', namedCurve: namedCurve ?? '' };
      const signAs: webcrypto.EcdsaParams = { name: 'ECDSA', hash: algorithm.hash };
      return { importAs, signAs };
    }
    case 'rsa-pss': {
      const signAs: webcrypto.RsaPssParams = { name: 'RSA-PSS', saltLength: algorithm.saltLength };
      return { importAs: { name: 'RSA-PSS', hash: algorithm.hash }, signAs };
    }
    case 'rsa-pkcs1':
      return { importAs: { name: 'RSASSA-PKCS1-v1_5', hash: algorithm.hash }, signAs: { name: 'RSASSA-PKCS1-v1_5' } };
    case 'ed25519':
      break;
  }
  return { importAs: { name: 'Ed25519' }, signAs: { name: 'Ed25519' } };
}
