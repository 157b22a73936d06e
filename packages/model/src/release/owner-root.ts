import { fromBase64Url, toBase64Url, utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { decodeDsse, dsseSchema, encodeDsse, preAuthEncoding } from './dsse.ts';
import { parseJsonText } from './json.ts';
import { importVerifyKey, signatureFits, type VerifyKey } from './verify-key.ts';

/*
 * The owners of models change as the root role of TUF does (The Update Framework 1.0.33, section 5.3): the next set of
 * keys is signed by a threshold of the old set and by a threshold of the new one, versions rise by one, and the last set
 * must not have expired. Whoever pins one set can follow the chain to any later one, offline.
 */
export const ownerRootPayloadType = 'application/vnd.fastness.owners+json';

/** Characters of one signed set. */
export const maxOwnerRootLength = 64 * 1024;
const maxLength = maxOwnerRootLength;

export const ownerRootSchema = z.strictObject({
  format: z.literal('fastness/owners/v1'),
  version: z.int().min(1),
  /** First instant at which it no longer is valid. */
  expires: z.iso.datetime(),
  threshold: z.int().min(1).max(16),
  /** P-256, P-384 or P-521: SubjectPublicKeyInfo DER in base64url. */
  keys: z
    .array(z.string().regex(/^[A-Za-z0-9_-]{40,400}$/))
    .min(1)
    .max(16),
});

/** A set of owner keys, and how many of them sign the next one. */
export type OwnerRoot = z.infer<typeof ownerRootSchema>;

/** What signs: the bytes, and where the signature goes. */
export interface OwnerRootToSign {
  readonly payload: Uint8Array;
  readonly signed: Uint8Array;
}

/** The bytes that owners of the old and of the new set sign. Errors: OWNER_ROOT_MALFORMED. */
export function ownerRootToSign(root: OwnerRoot): OwnerRootToSign {
  const payload = utf8Encode(JSON.stringify(root));
  parsePayload(payload);
  return { payload, signed: preAuthEncoding(ownerRootPayloadType, payload) };
}

/** The text of a signed set; `keyId` is a hint (see `keyIdOf`), every signature is tried with every key. */
export function encodeOwnerRoot(
  payload: Uint8Array,
  signatures: readonly { readonly signature: Uint8Array; readonly keyId: string }[],
): string {
  return `${JSON.stringify(encodeDsse({ payloadType: ownerRootPayloadType, payload, signatures }), null, 2)}\n`;
}

/** What a signed set says of itself. Nobody has verified it. Errors: OWNER_ROOT_MALFORMED. */
export function readOwnerRoot(text: string): OwnerRoot {
  return readSigned(text).next;
}

/**
 * Follows signed sets from a trusted one, in order. Returns the last, which has to be in time; with no further sets that
 * is the trusted one. Errors: OWNER_ROOT_MALFORMED, OWNER_ROOT_VERSION, OWNER_ROOT_SIGNATURE, OWNER_ROOT_THRESHOLD,
 * OWNER_ROOT_EXPIRED, OWNER_ROOT_ROLLBACK, OMS_KEY_UNSUPPORTED.
 *
 * Not protected against: who keeps newer sets away, until the last one that is known expires.
 */
export async function followOwnerRoots(options: {
  readonly trusted: OwnerRoot;
  /** Texts as `encodeOwnerRoot` gives them, oldest first. */
  readonly chain: readonly string[];
  /** Further sets, from anybody: those that do not rise above what is known already are passed over. */
  readonly offered?: readonly string[];
  /** The highest version that was followed before. */
  readonly minimumVersion?: number;
  readonly now: Date;
}): Promise<{ readonly root: OwnerRoot; readonly publicKeys: readonly Uint8Array[] }> {
  let root = parsePayload(utf8Encode(JSON.stringify(options.trusted)));
  for (const text of options.chain) root = await nextRoot(root, readSigned(text));
  for (const text of options.offered ?? []) {
    const signed = readSigned(text);
    if (signed.next.version > root.version) root = await nextRoot(root, signed);
  }
  if (root.version < (options.minimumVersion ?? 0)) {
    throw new FastnessError('OWNER_ROOT_ROLLBACK', `Version ${root.version}, after ${options.minimumVersion}.`);
  }
  if (!(options.now.getTime() < Date.parse(root.expires))) {
    throw new FastnessError('OWNER_ROOT_EXPIRED', `Version ${root.version} ended at ${root.expires}.`);
  }
  return { root, publicKeys: root.keys.map(fromBase64Url) };
}

/** A set and what was signed, unverified. */
interface SignedSet {
  readonly next: OwnerRoot;
  readonly signed: Uint8Array;
  readonly signatures: readonly { readonly signature: Uint8Array }[];
}

function readSigned(text: string): SignedSet {
  const code = 'OWNER_ROOT_MALFORMED';
  const json = parseJsonText(text, { schema: dsseSchema(maxLength), maxLength, code, what: 'The set of owner keys' });
  const { payloadType, payload, signatures } = decodeDsse(json, code);
  if (payloadType !== ownerRootPayloadType) throw new FastnessError(code, 'Its payload is something else.');
  return { next: parsePayload(payload), signed: preAuthEncoding(payloadType, payload), signatures };
}

async function nextRoot(old: OwnerRoot, { next, signed, signatures }: SignedSet): Promise<OwnerRoot> {
  if (next.version !== old.version + 1) {
    throw new FastnessError('OWNER_ROOT_VERSION', `Version ${next.version}, after ${old.version}.`);
  }
  const signers = new Set<string>();
  const known = await importKeys([...new Set([...old.keys, ...next.keys])]);
  for (const { signature } of signatures) {
    const signer = await signerOf(known, signature, signed);
    // One bad signature refuses the whole: somebody is mistaken or cheating.
    if (signer === undefined) throw new FastnessError('OWNER_ROOT_SIGNATURE');
    signers.add(signer);
  }
  for (const [which, set] of [
    ['old', old],
    ['new', next],
  ] as const) {
    const count = set.keys.filter((key) => signers.has(key)).length;
    if (count < set.threshold) {
      throw new FastnessError('OWNER_ROOT_THRESHOLD', `${count} of ${set.threshold} of the ${which} set.`);
    }
  }
  return next;
}

/** One vote a key, however often it signed. */
async function signerOf(
  keys: ReadonlyMap<string, VerifyKey>,
  signature: Uint8Array,
  signed: Uint8Array,
): Promise<string | undefined> {
  for (const [text, key] of keys) if (await signatureFits(key, signature, signed)) return text;
  return undefined;
}

async function importKeys(texts: readonly string[]): Promise<Map<string, VerifyKey>> {
  const keys = new Map<string, VerifyKey>();
  for (const text of texts) keys.set(text, await importVerifyKey(decodeKey(text), ['P-256', 'P-384', 'P-521']));
  return keys;
}

function parsePayload(payload: Uint8Array): OwnerRoot {
  const code = 'OWNER_ROOT_MALFORMED';
  const root = parseJsonText(decodeText(payload), { schema: ownerRootSchema, maxLength, code, what: 'The set' });
  // By bytes: one key must not count twice because it is spelt in two ways.
  const canonical = root.keys.map((key) => toBase64Url(decodeKey(key)));
  if (new Set(canonical).size !== root.keys.length) throw new FastnessError(code, 'It has a key twice.');
  if (root.threshold > root.keys.length) {
    throw new FastnessError(code, `Its threshold is ${root.threshold} of ${root.keys.length}.`);
  }
  return root;
}

function decodeKey(text: string): Uint8Array {
  try {
    return fromBase64Url(text);
  } catch (cause) {
    throw new FastnessError('OWNER_ROOT_MALFORMED', 'A key is not base64url.', { cause });
  }
}

function decodeText(payload: Uint8Array): string {
  try {
    return utf8Decode(payload);
  } catch (cause) {
    throw new FastnessError('OWNER_ROOT_MALFORMED', 'It is not text.', { cause });
  }
}
