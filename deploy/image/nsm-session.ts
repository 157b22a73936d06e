import type { RuntimeEvent } from '@fastness/evidence';

/** What the guest of `npm run test:nsm` measures, and expects its documents to be about. */
export const nsmEvents: readonly RuntimeEvent[] = Object.freeze([
  { kind: 'configuration', digest: new Uint8Array(32).fill(1) },
  { kind: 'release', digest: new Uint8Array(32).fill(2) },
]);

/** @param nonce 32 bytes */
export function nsmSession(nonce: Uint8Array): {
  readonly purpose: 'client';
  readonly nonce: Uint8Array;
  readonly keyConfigDigest: Uint8Array;
  readonly releaseDigest: Uint8Array;
} {
  return {
    purpose: 'client',
    nonce,
    keyConfigDigest: new Uint8Array(32).fill(3),
    releaseDigest: new Uint8Array(32).fill(2),
  };
}
