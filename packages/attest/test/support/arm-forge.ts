import { fromBase64Url, toBase64Url, toHex } from '@fastness/codec';
import { decodePem } from '@fastness/codec';
import { forgedArmComponents, forgedArmDevice, generateKeys, type ForgedKeys } from '@fastness/testkit';
import type { ArmComponent, ArmKey, ArmReference, ArmSoftwareComponent } from '../../src/index.ts';
import { readVectorText } from './vectors.ts';

export const now = new Date('2026-06-15T12:00:00Z');
export const after = (days: number): Date => new Date(now.getTime() + days * 86_400_000);

/** Keys of a device, of a realm, of a vendor who signs CoRIMs, and of nobody. */
export const [deviceKeys, realmKeys, vendorKeys, strangerKeys, p256Keys, p521Keys, edKeys] = await Promise.all([
  generateKeys('p-384'),
  generateKeys('p-384'),
  generateKeys('p-384'),
  generateKeys('p-384'),
  generateKeys('p-256'),
  generateKeys('p-521'),
  generateKeys('ed25519'),
]);

export const [instanceHex, implementationHex] = [
  toHex(forgedArmDevice.instanceId),
  toHex(forgedArmDevice.implementationId),
];
export const otherHex = '01'.repeat(33);

/** How a policy lists a key. */
export function armKey({ spki }: Pick<ForgedKeys, 'spki'>, change: Partial<ArmKey> = {}): ArmKey {
  return {
    instanceId: instanceHex,
    implementationId: implementationHex,
    publicKey: toBase64Url(spki),
    ...change,
  };
}

/** The state that forged tokens are in, as a policy lists it. */
export function armReference(change: Partial<ArmReference> = {}): ArmReference {
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  const hex = (value: unknown): string => (value instanceof Uint8Array ? toHex(value) : '');
  return {
    implementationId: implementationHex,
    components: forgedArmComponents().map((component) => ({
      type: text(component.get(1)),
      version: text(component.get(4)),
      signerId: hex(component.get(5)),
      digests: [{ algorithm: 'sha-256', value: hex(component.get(2)) }],
    })),
    ...change,
  };
}

/** The key in a recorded JWK or PEM file, as SubjectPublicKeyInfo. */
export async function recordedKey(path: string): Promise<Uint8Array> {
  const text = readVectorText(path);
  if (text.includes('-----BEGIN')) return decodePem(text, 'PUBLIC KEY')[0] ?? new Uint8Array();
  const { kty, crv, x, y } = JSON.parse(text) as Record<'kty' | 'crv' | 'x' | 'y', string>;
  const algorithm = { name: 'ECDSA', namedCurve: crv };
  const key = await crypto.subtle.importKey('jwk', { kty, crv, x, y }, algorithm, true, ['verify']);
  return new Uint8Array(await crypto.subtle.exportKey('spki', key));
}

/** A recorded private key, for signing claim sets that came without a signature. */
export async function recordedPair(path: string): Promise<ForgedKeys> {
  const { kty, crv, x, y, d } = JSON.parse(readVectorText(path)) as Record<'kty' | 'crv' | 'x' | 'y' | 'd', string>;
  const algorithm = { name: 'ECDSA', namedCurve: crv };
  const key = await crypto.subtle.importKey('jwk', { kty, crv, x, y, d }, algorithm, true, ['sign']);
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey('pkcs8', key));
  return { kind: 'p-256', spki: new Uint8Array(await recordedKey(path)), pkcs8 };
}

/** Bytes in JSON claim sets are base64 of either alphabet, padded or not. */
export function bytesOf(text: string): Uint8Array {
  return fromBase64Url(text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', ''));
}

/** A copy with one bit changed; the bit moves with the position, so that all eight are sampled. */
export function flip(bytes: Uint8Array, position: number): Uint8Array {
  const flipped = bytes.slice();
  flipped[position] = (flipped[position] ?? 0) ^ (1 << ((position * 5 + 3) % 8));
  return flipped;
}

/** The state that a recorded token is in, as its producer would list it. */
export function stateOf(token: {
  readonly implementationId: string;
  readonly softwareComponents: readonly ArmSoftwareComponent[];
}): ArmReference {
  const components = token.softwareComponents.map(({ type, version, signerId, measurement }): ArmComponent => ({
    ...optional({ type, version, signerId }),
    digests: [{ value: measurement }],
  }));
  return { implementationId: token.implementationId, components };
}

/** States whose components may have any signer. */
export function withoutSigners(references: readonly ArmReference[]): ArmReference[] {
  return references.map((reference) => {
    const components = reference.components.map(({ type, version, digests }): ArmComponent => ({
      ...optional({ type, version }),
      digests,
    }));
    return Object.assign({ ...reference }, { components });
  });
}

/** The members that are there. */
function optional(members: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(members).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
