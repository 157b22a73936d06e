import type { SignatureAlgorithm, SignatureVerifier } from '@fastness/codec/x509';

const DEFAULT_BYTES = 8 * 2 ** 20;
const TAIL = 64;

interface Entry {
  readonly parts: readonly Uint8Array[];
  readonly value: unknown;
  readonly bytes: number;
}

/**
 * Remembers what verification finds again and again: certificates, lists and collateral that were read, and signatures
 * under them that hold. What is asked for is compared byte for byte with what was seen, so nobody can make one thing pass
 * for another; only what was read without an error, and only signatures that hold, are kept. Validity, revocation and policy
 * are judged anew every time. Whoever sends unknown certificates pushes others out, which costs time and nothing else.
 *
 * Hand one in where the same platforms are verified repeatedly; share it between tenants only if they may learn from timing
 * which certificates the others met.
 */
export class VerificationCache {
  readonly #entries = new Map<string, Entry>();
  readonly #maxBytes: number;
  readonly #issued = new Map<string, WeakMap<object, WeakSet<object>>>();
  #bytes = 0;

  /** `maxBytes`: bytes of input that are remembered at most. */
  constructor({ maxBytes = DEFAULT_BYTES }: { readonly maxBytes?: number } = {}) {
    this.#maxBytes = maxBytes;
  }

  /** What `read` made of the same bytes before, else what it makes of a copy of them now. */
  read<T>(kind: string, bytes: Uint8Array, read: (copy: Uint8Array) => T): T {
    const key = keyOf(kind, bytes);
    const known = this.#find(key, [bytes]);
    // A kind has one reader, so what was stored under it has that reader's type.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    if (known !== undefined) return known.value as T;
    const copy = bytes.slice();
    const value = read(copy);
    this.#store(key, [copy], value);
    return value;
  }

  /** `verifier`, asked once for every signature that holds. */
  remember(verifier: SignatureVerifier): SignatureVerifier {
    return async (check) => {
      const { holder, algorithm, signature, message } = check;
      const parts = [holder.spki, signature, message];
      const key = keyOf(nameOf(algorithm), signature);
      if (this.#find(key, parts) !== undefined) return true;
      const copies = parts.map((part) => part.slice());
      const holds = await verifier(check);
      if (holds) this.#store(key, copies, true);
      return holds;
    };
  }

  /** Whether {@link noteIssued} was called with the same two values: not with others that are equal to them. */
  knowsIssued(how: string, issuer: object, child: object): boolean {
    return this.#issued.get(how)?.get(child)?.has(issuer) === true;
  }

  /**
   * Notes that `issuer` is known to have issued `child`, as `how` checks it. Both are what readers made of bytes, which does
   * not change; they are known for as long as they are kept.
   */
  noteIssued(how: string, issuer: object, child: object): void {
    let children = this.#issued.get(how);
    if (children === undefined) this.#issued.set(how, (children = new WeakMap()));
    let issuers = children.get(child);
    if (issuers === undefined) children.set(child, (issuers = new WeakSet()));
    issuers.add(issuer);
  }

  #find(key: string, parts: readonly Uint8Array[]): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry?.parts.length !== parts.length) return undefined;
    if (!entry.parts.every((part, index) => same(part, parts[index]))) return undefined;
    // The latest used stand last.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  #store(key: string, parts: readonly Uint8Array[], value: unknown): void {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    if (bytes > this.#maxBytes) return;
    this.#drop(key);
    this.#entries.set(key, { parts, value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }
}

/** Finds a candidate, and proves nothing: signatures stand at the end of what is signed, so the tail tells most apart. */
function keyOf(kind: string, bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes.subarray(-TAIL)) hash = Math.imul(hash ^ byte, 0x01000193);
  return `${kind} ${bytes.length} ${hash}`;
}

function nameOf(algorithm: SignatureAlgorithm): string {
  const hash = 'hash' in algorithm ? algorithm.hash : '';
  return `${algorithm.kind} ${hash} ${'saltLength' in algorithm ? algorithm.saltLength : ''}`;
}

/** Nothing here is secret, so the comparison may end early. */
function same(one: Uint8Array, other: Uint8Array | undefined): boolean {
  if (other?.length !== one.length) return false;
  // Collateral is long, so words are compared where the memory allows it.
  const words = (one.byteOffset | other.byteOffset) % 4 === 0 ? one.length >> 2 : 0;
  const oneWords = new Uint32Array(one.buffer, one.byteOffset - (one.byteOffset % 4), words);
  const otherWords = new Uint32Array(other.buffer, other.byteOffset - (other.byteOffset % 4), words);
  for (let index = 0; index < words; index += 1) if (oneWords[index] !== otherWords[index]) return false;
  for (let index = words * 4; index < one.length; index += 1) if (one[index] !== other[index]) return false;
  return true;
}
