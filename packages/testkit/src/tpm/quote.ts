import { concatBytes, u16be, u32be, u64be } from '@fastness/codec/bytes';
import type { HashName, SignatureAlgorithm } from '@fastness/codec/x509';
import { signRaw, type ForgedKeys } from '../x509/keys.ts';

export type ForgedScheme = 'rsassa' | 'rsapss' | 'ecdsa';

/** TPM_ALG_ID of the hashes. */
export const tpmHashIds: Readonly<Record<HashName, number>> = Object.freeze({
  'SHA-256': 0x000b,
  'SHA-384': 0x000c,
  'SHA-512': 0x000d,
});
const schemeIds: Readonly<Record<ForgedScheme, number>> = { rsassa: 0x0014, rsapss: 0x0016, ecdsa: 0x0018 };
const saltBytes: Readonly<Record<HashName, number>> = { 'SHA-256': 32, 'SHA-384': 48, 'SHA-512': 64 };

export interface ForgeTpmQuoteOptions {
  readonly keys: ForgedKeys;
  readonly scheme: ForgedScheme;
  /** Of the signature, and so of the digest over the registers. Default: SHA-256. */
  readonly hash?: HashName;
  readonly nonce: Uint8Array;
  /** Registers by bank and index; all of them are selected. */
  readonly pcrs: Readonly<Partial<Record<HashName, ReadonlyMap<number, Uint8Array>>>>;
  readonly resetCount?: number;
  /** Default: 0. */
  readonly restartCount?: number;
  /** The octet of the flag. Default: 1. */
  readonly safe?: number;
  /** Replaces fields of the structure, big-endian, before it is signed. */
  readonly magic?: number;
  readonly type?: number;
  /** Replaces the bytes of TPML_PCR_SELECTION. */
  readonly selection?: Uint8Array;
  /** Edits the structure before it is signed. */
  readonly beforeSigning?: (attest: Uint8Array) => Uint8Array;
  /** Edits the TPMT_SIGNATURE. */
  readonly signature?: (signature: Uint8Array) => Uint8Array;
}

/** Makes and signs a quote as a TPM does. */
export async function forgeTpmQuote(
  options: ForgeTpmQuoteOptions,
): Promise<{ readonly attest: Uint8Array; readonly signature: Uint8Array }> {
  const { keys, scheme, hash = 'SHA-256', nonce, resetCount = 3, restartCount = 0, safe = 1 } = options;
  const banks = (['SHA-256', 'SHA-384', 'SHA-512'] as const).flatMap((bank) => {
    const registers = options.pcrs[bank];
    if (registers === undefined) return [];
    return [{ bank, registers: [...registers].toSorted(([one], [other]) => one - other) }];
  });
  const values = banks.flatMap(({ registers }) => registers.map(([, value]) => value));
  const digest = new Uint8Array(await crypto.subtle.digest(hash, concatBytes(...values)));
  const selection = concatBytes(
    u32be(banks.length),
    ...banks.map(({ bank, registers }) => tpmSelection(tpmHashIds[bank], ...registers.map(([index]) => index))),
  );
  const written = concatBytes(
    u32be(options.magic ?? 0xff544347),
    u16be(options.type ?? 0x8018),
    sized(Uint8Array.of(0, 0x0b, 1, 2, 3)),
    sized(nonce),
    u64be(123_456n),
    u32be(resetCount),
    u32be(restartCount),
    Uint8Array.of(safe),
    u64be(0x2024_0101_0000_0000n),
    options.selection ?? selection,
    sized(digest),
  );
  const attest = options.beforeSigning?.(written) ?? written;
  const raw = await signRaw(keys, algorithmOf(scheme, hash), attest);
  const half = raw.length / 2;
  const body = scheme === 'ecdsa' ? [sized(raw.subarray(0, half)), sized(raw.subarray(half))] : [sized(raw)];
  const signature = concatBytes(u16be(schemeIds[scheme]), u16be(tpmHashIds[hash]), ...body);
  return { attest, signature: options.signature?.(signature) ?? signature };
}

/** A TPMS_PCR_SELECTION of three octets. */
export function tpmSelection(algorithm: number, ...indexes: readonly number[]): Uint8Array {
  const mask = new Uint8Array(3);
  for (const index of indexes) mask[index >> 3] = (mask[index >> 3] ?? 0) | (1 << (index & 7));
  return concatBytes(u16be(algorithm), Uint8Array.of(3), mask);
}

/** A TPM2B: 16 bits of length, then the bytes. */
function sized(bytes: Uint8Array): Uint8Array {
  return concatBytes(u16be(bytes.length), bytes);
}

function algorithmOf(scheme: ForgedScheme, hash: HashName): SignatureAlgorithm {
  switch (scheme) {
    case 'rsassa':
      return { kind: 'rsa-pkcs1', hash };
    case 'rsapss':
      return { kind: 'rsa-pss', hash, saltLength: saltBytes[hash] };
    case 'ecdsa':
      break;
  }
  return { kind: 'ecdsa', hash };
}
