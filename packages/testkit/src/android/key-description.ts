import { concatBytes, utf8Encode } from '@fastness/codec/bytes';
import { der } from '@fastness/codec/der';

/** One property of an authorization list: its tag and its DER, which goes into an explicit tag. */
export type ForgedProperty = readonly [tag: number, value: Uint8Array];

export interface ForgedRootOfTrust {
  readonly key?: Uint8Array;
  readonly locked?: boolean;
  /** 0 verified, 1 self-signed, 2 unverified, 3 failed. Default 0. */
  readonly state?: number;
  /** null leaves the field out, as before version 3. */
  readonly hash?: Uint8Array | null;
  /** Replaces the DER of `deviceLocked`. */
  readonly lockedDer?: Uint8Array;
}

export interface ForgedKeyDescription {
  /** Default 300. */
  readonly version?: number;
  /** SecurityLevel of attestation and key, 0 to 2. Default 1. */
  readonly attestationLevel?: number;
  readonly keyMintLevel?: number;
  readonly challenge: Uint8Array;
  /** Properties that Android enforces. Default: time of creation and application. */
  readonly software?: readonly ForgedProperty[];
  /** Properties that the hardware enforces. Default: {@link hardwareProperties}. */
  readonly hardware?: readonly ForgedProperty[];
}

/** Tags that tests refer to. */
export const androidTags = Object.freeze({
  purpose: 1,
  algorithm: 2,
  noAuthRequired: 503,
  creationDateTime: 701,
  origin: 702,
  rootOfTrust: 704,
  osVersion: 705,
  osPatchLevel: 706,
  applicationId: 709,
  brand: 710,
  vendorPatchLevel: 718,
  bootPatchLevel: 719,
});

export const forgedBootKey = new Uint8Array(32).fill(0xb0);
export const forgedBootHash = new Uint8Array(32).fill(0xb1);
export const forgedSigner = new Uint8Array(32).fill(0xb2);

/** `[tag] EXPLICIT value`, with the high-tag form from 31 on. */
export function taggedProperty([tag, value]: ForgedProperty): Uint8Array {
  if (tag < 31) return der.tagged(0xa0 | tag, value);
  const octets = [tag & 0x7f];
  for (let rest = tag >> 7; rest > 0; rest >>= 7) octets.unshift(0x80 | (rest & 0x7f));
  // The writer knows one-octet tags; its length and content fit any.
  return concatBytes(Uint8Array.of(0xbf, ...octets), der.tagged(0xbf, value).subarray(1));
}

export function rootOfTrust(options: ForgedRootOfTrust = {}): ForgedProperty {
  const { key = forgedBootKey, locked = true, state = 0, hash = forgedBootHash } = options;
  const value = der.sequence(
    der.octetString(key),
    options.lockedDer ?? der.boolean(locked),
    der.enumerated(state),
    ...(hash === null ? [] : [der.octetString(hash)]),
  );
  return [androidTags.rootOfTrust, value];
}

/** An application id: packages with their versions, and digests of signers. */
export function applicationId(
  packages: readonly (readonly [name: string, version: number])[] = [['com.example.wallet', 42]],
  signers: readonly Uint8Array[] = [forgedSigner],
): ForgedProperty {
  const infos = packages.map(([name, version]) =>
    der.sequence(der.octetString(utf8Encode(name)), der.integer(version)),
  );
  const value = der.sequence(der.set(...infos), der.set(...signers.map((signer) => der.octetString(signer))));
  return [androidTags.applicationId, der.octetString(value)];
}

/** What the hardware of a locked device says of an EC key that was made in it and signs. */
export function hardwareProperties(...replaced: readonly ForgedProperty[]): readonly ForgedProperty[] {
  const properties = new Map<number, Uint8Array>([
    [androidTags.purpose, der.set(der.integer(2))],
    [androidTags.algorithm, der.integer(3)],
    [3, der.integer(256)],
    [5, der.set(der.integer(4))],
    [10, der.integer(1)],
    [androidTags.noAuthRequired, der.null()],
    [androidTags.origin, der.integer(0)],
    rootOfTrust(),
    [androidTags.osVersion, der.integer(160_000)],
    [androidTags.osPatchLevel, der.integer(202_605)],
    [androidTags.brand, der.octetString(utf8Encode('forged'))],
    [androidTags.vendorPatchLevel, der.integer(20_260_505)],
    [androidTags.bootPatchLevel, der.integer(20_260_505)],
    ...replaced,
  ]);
  return [...properties].toSorted(([a], [b]) => a - b);
}

/** The content of the attestation extension. @returns DER of KeyDescription */
export function encodeKeyDescription(description: ForgedKeyDescription): Uint8Array {
  const { version = 300, attestationLevel = 1, keyMintLevel = 1, challenge } = description;
  const software = description.software ?? [
    [androidTags.creationDateTime, der.integer(1_780_000_000_000)],
    applicationId(),
  ];
  return der.sequence(
    der.integer(version),
    der.enumerated(attestationLevel),
    der.integer(version),
    der.enumerated(keyMintLevel),
    der.octetString(challenge),
    der.octetString(new Uint8Array()),
    der.sequence(...software.map(taggedProperty)),
    der.sequence(...(description.hardware ?? hardwareProperties()).map(taggedProperty)),
  );
}
