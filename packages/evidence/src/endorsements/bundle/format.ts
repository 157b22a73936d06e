import { fromBase64Url, toBase64Url, utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import * as z from 'zod';
import type { Endorsement, EndorsementItem } from '../types.ts';

/**
 * A bundle carries endorsements to a site without access to the vendors' services: one JSON file. Nobody signs the file;
 * each item is judged by its vendor's signature when it is imported and again whenever it is used. Dates beside the body
 * are for people: those that the vendor signed count.
 */
export const BUNDLE_FORMAT = 'fastness/endorsement-bundle/v1';

/** A bundle is read as a whole. Chains, lists and TCB info of a large fleet stay far below. */
const MAX_BUNDLE = 64 << 20;
const MAX_ITEMS = 8192;
const MAX_BODY = 12 << 20;

const instant = z.iso.datetime({ precision: 3 }).transform((text) => new Date(text));
const base64url = (most: number) =>
  z
    .string()
    .max(most)
    .regex(/^[A-Za-z0-9_-]*$/);

const itemSchema = z.strictObject({
  subject: z.string().min(1).max(512),
  mediaType: z.string().min(3).max(128),
  source: z.string().min(1).max(2048),
  fetchedAt: instant,
  issued: instant,
  expires: instant.exactOptional(),
  body: base64url(MAX_BODY),
  issuerChain: z.array(base64url(131_072)).max(8),
});
const bundleSchema = z.strictObject({
  format: z.literal(BUNDLE_FORMAT),
  createdAt: instant,
  items: z.array(itemSchema).max(MAX_ITEMS),
});

/** One item of a bundle, with the window that was written beside it. */
export interface BundleItem extends EndorsementItem {
  readonly issued: Date;
  readonly expires?: Date;
}

export interface EndorsementBundle {
  readonly createdAt: Date;
  readonly items: readonly BundleItem[];
}

/** Whether the bytes look like a bundle of any version; for telling file formats apart. */
export function isEndorsementBundle(bytes: Uint8Array): boolean {
  const start = new TextDecoder().decode(bytes.subarray(0, 256));
  return /^\s*\{\s*"format"\s*:\s*"fastness\/endorsement-bundle\//.test(start);
}

/** Writes a bundle. Of several items about one subject the latest is kept; what no vendor signed stays out. */
export function encodeEndorsementBundle(endorsements: readonly Endorsement[], createdAt: Date): Uint8Array {
  const latest = new Map<string, Endorsement>();
  for (const each of endorsements) {
    if (!each.signed) continue;
    const known = latest.get(each.item.subject);
    if (known === undefined || known.judgement.issued < each.judgement.issued) latest.set(each.item.subject, each);
  }
  const items = [...latest.values()]
    .toSorted((a, b) => (a.item.subject < b.item.subject ? -1 : 1))
    .map((endorsement) => itemToJson(endorsement));
  const bundle = { format: BUNDLE_FORMAT, createdAt: createdAt.toISOString(), items };
  return utf8Encode(`${JSON.stringify(bundle, null, 1)}\n`);
}

function itemToJson({ item, judgement: { issued, expires } }: Endorsement): z.input<typeof itemSchema> {
  return {
    subject: item.subject,
    mediaType: item.mediaType,
    source: item.source,
    fetchedAt: item.fetchedAt.toISOString(),
    issued: issued.toISOString(),
    ...(expires === undefined ? {} : { expires: expires.toISOString() }),
    body: toBase64Url(item.body),
    issuerChain: item.issuerChain.map((der) => toBase64Url(der)),
  };
}

/** Reads a bundle. Nothing of it is verified. Throws ENDORSEMENT_BUNDLE_UNKNOWN, ENDORSEMENT_BUNDLE_MALFORMED. */
export function decodeEndorsementBundle(bytes: Uint8Array): EndorsementBundle {
  if (!isEndorsementBundle(bytes)) throw new FastnessError('ENDORSEMENT_BUNDLE_UNKNOWN');
  if (bytes.length > MAX_BUNDLE) throw malformed(`${bytes.length} bytes; at most ${MAX_BUNDLE}`);
  let value: unknown;
  try {
    value = JSON.parse(utf8Decode(bytes));
  } catch (cause) {
    throw new FastnessError('ENDORSEMENT_BUNDLE_MALFORMED', 'Not JSON.', { cause });
  }
  const format: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'format') : undefined;
  if (format !== BUNDLE_FORMAT)
    throw new FastnessError('ENDORSEMENT_BUNDLE_UNKNOWN', `Format ${String(format).slice(0, 64)}.`);
  const read = bundleSchema.safeParse(value);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw malformed(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  const { createdAt, items } = read.data;
  if (new Set(items.map(({ subject }) => subject)).size !== items.length) throw malformed('a subject occurs twice');
  return { createdAt, items: items.map((item) => decodeItem(item)) };
}

function decodeItem(item: z.infer<typeof itemSchema>): BundleItem {
  try {
    const issuerChain = item.issuerChain.map((der) => fromBase64Url(der));
    return Object.freeze({ ...item, body: fromBase64Url(item.body), issuerChain });
  } catch (cause) {
    throw new FastnessError('ENDORSEMENT_BUNDLE_MALFORMED', `${item.subject}: not base64url.`, { cause });
  }
}

function malformed(why: string): FastnessError {
  return new FastnessError('ENDORSEMENT_BUNDLE_MALFORMED', `${why}.`);
}
