import type { TrustAnchors } from '@fastness/attest';
import { receiptDigestOf } from '@fastness/channel';
import { fromBase64Url, toHex, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import type { ClientPolicy } from '../policy.ts';
import { receiptBundleSchema, type ReceiptBundle } from './bundle.ts';
import { verifyReceiptBundle, type VerifiedReceipt } from './verify-bundle.ts';

/** Receipts that one verification takes at most. */
const maxReceipts = 10_000;

/** How far the clocks behind two receipts of one conversation may be apart, in milliseconds. */
const clockTolerance = 5 * 60 * 1000;

/**
 * A conversation as a file: its receipts in order, and with `bodies` what was said, in clear, for the digests to be compared.
 */
export const conversationSchema = z
  .strictObject({
    format: z.literal('fastness/conversation/v1'),
    receipts: z.array(receiptBundleSchema).min(1).max(maxReceipts),
    bodies: z.array(z.strictObject({ request: z.string(), response: z.string() })).exactOptional(),
  })
  .refine(({ receipts, bodies }) => bodies === undefined || bodies.length === receipts.length, { path: ['bodies'] });

export type ConversationFile = z.infer<typeof conversationSchema>;

/** @throws FastnessError `CLIENT_CONVERSATION_FILE`, naming the members at fault */
export function parseConversation(value: unknown): ConversationFile {
  const result = conversationSchema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.') || 'file'}: ${issue.code}`);
  throw new FastnessError('CLIENT_CONVERSATION_FILE', faults.join('; '));
}

/** Receipts that verified and follow each other without a gap, first to last. */
export interface VerifiedConversation {
  readonly receipts: readonly VerifiedReceipt[];
  /** What was not proved, in words. */
  readonly limits: readonly string[];
}

interface Link {
  readonly digest: string;
  readonly previous: string | undefined;
  readonly verified: VerifiedReceipt;
}

/**
 * Verifies receipts offline, each by itself as `verifyReceiptBundle` does, and then that they form whole conversations: each
 * names the one before it, none is missing in between, none is there twice, none is followed by two. That the last answers
 * were left out cannot be told from receipts: nothing follows the last one.
 * @param options.receipts receipts with what was said, where it is known; untrusted
 * @param options.one whether they must be a single conversation, in the order given
 * @throws FastnessError `CLIENT_CONVERSATION_*` and the codes of `verifyReceiptBundle`
 */
export async function verifyConversations(options: {
  receipts: readonly { bundle: unknown; request?: string | Uint8Array; response?: string | Uint8Array }[];
  policy: ClientPolicy;
  one?: boolean;
  now?: Date;
  anchors?: TrustAnchors;
}): Promise<VerifiedConversation[]> {
  const { receipts, policy, one = false, now, anchors } = options;
  if (receipts.length === 0 || receipts.length > maxReceipts) {
    throw new FastnessError('CLIENT_CONVERSATION_FILE', `${receipts.length} receipts; from 1 to ${maxReceipts}.`);
  }
  const links: Link[] = [];
  const byDigest = new Map<string, Link>();
  for (const { bundle, request, response } of receipts) {
    const known = receiptBundleSchema.safeParse(bundle).data;
    const verified = await verifyReceiptBundle({
      bundle,
      policy,
      ...(now === undefined ? {} : { now }),
      ...(anchors === undefined ? {} : { anchors }),
      ...(known === undefined || request === undefined
        ? {}
        : { request: { ...known.request, body: bytesOf(request) } }),
      ...(known === undefined || response === undefined
        ? {}
        : { response: { status: known.response.status, body: bytesOf(response) } }),
    });
    const link = await linkOf(verified);
    if (byDigest.has(link.digest)) throw new FastnessError('CLIENT_CONVERSATION_REPEATED', `Receipt ${link.digest}.`);
    byDigest.set(link.digest, link);
    links.push(link);
  }
  const chains = chainsOf(links, byDigest);
  if (one && chains.length > 1)
    throw new FastnessError('CLIENT_CONVERSATION_FOREIGN', `${chains.length} conversations.`);
  if (one && chains[0]?.some((link, index) => link !== links[index]) === true) {
    throw new FastnessError('CLIENT_CONVERSATION_ORDER');
  }
  return chains.map((chain) => {
    checkTimes(chain);
    return { receipts: chain.map(({ verified }) => verified), limits: limitsOf(chain) };
  });
}

function bytesOf(body: string | Uint8Array): Uint8Array {
  return typeof body === 'string' ? utf8Encode(body) : body;
}

async function linkOf(verified: VerifiedReceipt): Promise<Link> {
  const { previous } = verified.claims;
  return {
    digest: toHex(await receiptDigestOf(fromBase64Url(verified.bundle.receipt))),
    previous: previous === undefined ? undefined : toHex(previous),
    verified,
  };
}

/** Each conversation from its first receipt on. A receipt cannot name a later one: it would have to hold its digest. */
function chainsOf(links: readonly Link[], byDigest: ReadonlyMap<string, Link>): Link[][] {
  const after = new Map<string, Link>();
  for (const link of links) {
    const { previous } = link;
    if (previous === undefined) continue;
    if (!byDigest.has(previous)) {
      throw new FastnessError('CLIENT_CONVERSATION_GAP', `Receipt ${previous}, before ${link.digest}.`);
    }
    if (after.has(previous)) throw new FastnessError('CLIENT_CONVERSATION_FORK', `After receipt ${previous}.`);
    after.set(previous, link);
  }
  return links
    .filter(({ previous }) => previous === undefined)
    .map((first) => {
      const chain: Link[] = [];
      for (let link: Link | undefined = first; link !== undefined; link = after.get(link.digest)) chain.push(link);
      return chain;
    });
}

function checkTimes(chain: readonly Link[]): void {
  for (const [index, { digest, verified }] of chain.entries()) {
    const before = chain[index - 1]?.verified;
    if (before === undefined) continue;
    const sameKey = before.bundle.attestation.receiptKey === verified.bundle.attestation.receiptKey;
    const back = before.claims.issuedAt.getTime() - verified.claims.issuedAt.getTime();
    // One key counts its receipts; the time that an enclave has from its broker may be corrected.
    const counted = !sameKey || before.claims.sequence < verified.claims.sequence;
    if (!counted || back > clockTolerance) {
      throw new FastnessError('CLIENT_CONVERSATION_TIME', `Receipt ${digest}.`);
    }
  }
}

function limitsOf(chain: readonly Link[]): string[] {
  const limits = ['Whether more was said after the last of these receipts is not known.'];
  const releases = new Set(chain.map(({ verified }) => toHex(verified.claims.releaseDigest)));
  const keys = new Set(chain.map(({ verified }) => verified.bundle.attestation.receiptKey));
  if (releases.size > 1) limits.push(`Answered by ${releases.size} releases, one after the other.`);
  if (keys.size > 1) limits.push(`Signed with ${keys.size} keys, one after the other: enclaves or their keys changed.`);
  return [...new Set([...limits, ...chain.flatMap(({ verified }) => verified.limits)])];
}

/** The receipts of a file with what was said in it. */
export function receiptsOf(file: ConversationFile): { bundle: ReceiptBundle; request?: string; response?: string }[] {
  return file.receipts.map((bundle, index) => ({ bundle, ...file.bodies?.[index] }));
}
