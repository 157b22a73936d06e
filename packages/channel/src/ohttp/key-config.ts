import { ByteReader, concatBytes, u16be } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { kems } from '../hpke.ts';

/** One key configuration (RFC 9458 section 3.1). */
export interface KeyConfig {
  /** 0 to 255. */
  readonly keyId: number;
  readonly kem: number;
  readonly publicKey: Uint8Array;
  /** The KDF and AEAD pairs the gateway accepts, preferred first. */
  readonly symmetric: readonly SymmetricSuite[];
}

interface SymmetricSuite {
  readonly kdf: number;
  readonly aead: number;
}

const maxListBytes = 16 * 1024;
const maxConfigs = 8;
const maxSymmetric = 16;

export function encodeKeyConfig(config: KeyConfig): Uint8Array {
  const symmetric = config.symmetric.map(({ kdf, aead }) => concatBytes(u16be(kdf), u16be(aead)));
  return concatBytes(
    Uint8Array.of(config.keyId),
    u16be(config.kem),
    config.publicKey,
    u16be(symmetric.length * 4),
    ...symmetric,
  );
}

/** The list form, `application/ohttp-keys` (RFC 9458 section 3.2): each configuration after its 16-bit length. */
export function encodeKeyConfigList(configs: readonly KeyConfig[]): Uint8Array {
  return concatBytes(
    ...configs.flatMap((config) => {
      const bytes = encodeKeyConfig(config);
      return [u16be(bytes.length), bytes];
    }),
  );
}

/**
 * Reads one key configuration, without the length that precedes it in a list.
 * @returns undefined when it names a KEM that this package does not know: such an entry has no readable end.
 * @throws FastnessError `CHANNEL_KEY_CONFIG`
 */
export function parseKeyConfig(bytes: Uint8Array): KeyConfig | undefined {
  return guarded(() => {
    const reader = new ByteReader(bytes);
    const keyId = reader.u8();
    const kem = reader.u16be();
    const facts = kems.get(kem);
    if (facts === undefined) return undefined;
    const publicKey = reader.take(facts.publicKey).slice();
    const length = reader.u16be();
    if (length === 0 || length % 4 !== 0 || length > maxSymmetric * 4) throw malformed(`${length} bytes of suites.`);
    const symmetric: SymmetricSuite[] = [];
    for (let index = 0; index < length / 4; index += 1) symmetric.push({ kdf: reader.u16be(), aead: reader.u16be() });
    reader.end();
    return { keyId, kem, publicKey, symmetric };
  });
}

/**
 * Reads a key configuration list of at most 8 entries and 16 KiB. Entries of an unknown KEM are left out; key ids must
 * differ, as a request names its key by the id alone.
 * @throws FastnessError `CHANNEL_KEY_CONFIG`
 */
export function parseKeyConfigList(bytes: Uint8Array): KeyConfig[] {
  if (bytes.length > maxListBytes) throw malformed(`${bytes.length} bytes; at most ${maxListBytes}.`);
  return guarded(() => {
    const reader = new ByteReader(bytes);
    const configs: KeyConfig[] = [];
    const ids = new Set<number>();
    for (let count = 0; reader.remaining > 0; count += 1) {
      if (count === maxConfigs) throw malformed(`More than ${maxConfigs} entries.`);
      const entry = reader.take(reader.u16be());
      const keyId = entry[0];
      if (keyId === undefined || ids.has(keyId)) throw malformed('An empty entry or a repeated key id.');
      ids.add(keyId);
      const config = parseKeyConfig(entry);
      if (config !== undefined) configs.push(config);
    }
    return configs;
  });
}

function malformed(detail: string): FastnessError {
  return new FastnessError('CHANNEL_KEY_CONFIG', detail);
}

/** Turns the reader's own codes into this package's: a short or long list is a malformed key configuration. */
function guarded<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof FastnessError && error.code.startsWith('CODEC_'))
      throw malformed('It is cut short or too long.');
    throw error;
  }
}
