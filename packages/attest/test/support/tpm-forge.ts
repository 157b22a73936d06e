import { toHex } from '@fastness/codec';
import { forgeTpmQuote, generateKeys, sharedKeys, type ForgedKeys, type ForgeTpmQuoteOptions } from '@fastness/testkit';
import {
  appraise,
  authenticate,
  parse,
  type AppraiseQuoteOptions,
  type TpmQuoteVerdict,
} from '../../src/formats/tpm/index.ts';

export const nonce = new Uint8Array(32).fill(0x5a);
export const [rsaKeys, p256Keys, p384Keys] = await Promise.all([
  sharedKeys('an attestation key', 'rsa-2048'),
  generateKeys('p-256'),
  generateKeys('p-384'),
]);

/** Registers 0 to `count` - 1, each filled with 0x10 and its index. */
export function registers(count: number, bytes = 32): Map<number, Uint8Array> {
  return new Map(Array.from({ length: count }, (_, index) => [index, new Uint8Array(bytes).fill(0x10 + index)]));
}
export const registerHex = (index: number): string => toHex(registers(24).get(index) ?? new Uint8Array());

/** A quote that is genuine in every respect but the ones named here. */
export interface TpmScenario {
  readonly quote?: Partial<ForgeTpmQuoteOptions>;
  /** Edits what is sent. */
  readonly sent?: (quote: { attest: Uint8Array; signature: Uint8Array }) => {
    attest: Uint8Array;
    signature: Uint8Array;
  };
  /** The key that the verifier trusts. Default: the one that signed. */
  readonly trusted?: ForgedKeys;
  readonly options?: Partial<AppraiseQuoteOptions>;
}

export async function judgeTpm({ quote, sent, trusted, options }: TpmScenario = {}): Promise<TpmQuoteVerdict> {
  const pcrs = quote?.pcrs ?? { 'SHA-256': registers(24) };
  const forged = await forgeTpmQuote({ keys: p256Keys, scheme: 'ecdsa', nonce, pcrs, ...quote });
  const { spki: attestationKey } = trusted ?? quote?.keys ?? p256Keys;
  const authentic = await authenticate(parse(sent?.(forged) ?? forged), { attestationKey });
  return appraise(authentic, {
    expectedNonce: nonce,
    pcrs,
    bank: 'SHA-256',
    accepted: new Map<number, readonly string[] | 'any'>([
      [4, [registerHex(4)]],
      [7, 'any'],
    ]),
    requireSafeClock: true,
    ...options,
  });
}
