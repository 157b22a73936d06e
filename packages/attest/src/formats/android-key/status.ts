import { toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { Certificate } from '@fastness/codec/x509';
import { anyOf, type Checklist } from '../../checks.ts';
import { isJsonObject, parseJsonObject, type JsonObject } from '../../jws/json.ts';
import type { AndroidKeyPolicy } from '../../policy/android-key.ts';
import type { AndroidStatus } from '../../trust/google-android.ts';
import { sha256Hex } from '../../digest.ts';
import type { SentStatus } from './stages.ts';

const limits = Object.freeze({ maxBytes: 1 << 24, maxDepth: 3, maxValues: 1_000_000 });
const DEFAULT_MAX_AGE_SECONDS = 7 * 86_400;
/** Clocks of whoever fetched the list and of the verifier may differ by this much. */
const MAX_SKEW_MS = 60_000;

/**
 * Checks no certificate of the chain is on Google's status list. The list is JSON that nobody signed and that names no date:
 * it is as good as the connection it came over. So it counts when the caller hands it in as an anchor, with the time it was
 * fetched, or when the policy pins the digest of one that was sent along. Every listed status counts as revoked: suspended
 * keys are not trusted either.
 */
export async function requireUnrevoked(
  chain: readonly Certificate[],
  options: {
    readonly anchor: AndroidStatus | undefined;
    readonly sent: readonly SentStatus[];
    readonly policy: AndroidKeyPolicy;
    readonly now: Date;
  },
  checks: Checklist,
): Promise<void> {
  const lists = [...(await pinnedLists(options.sent, options.policy, checks)), ...anchoredList(options, checks)];
  const waived = checks.requireUnlessWaived('ANDROID_STATUS_MISSING', lists.length > 0, {
    expected: 'a status list that is trusted',
    actual: lists.length === 0 ? 'none' : `${lists.length}`,
  });
  if (waived === 'waived') {
    checks.notApplicable('ANDROID_REVOKED', 'there is no status list');
    return;
  }
  const entries = lists.map((json) => readEntries(json));
  for (const { serial } of chain) {
    const name = serialName(serial);
    const found = entries.map((listed) => listed.get(name)).find((status) => status !== undefined);
    checks.require('ANDROID_REVOKED', found === undefined, {
      expected: `${name} not listed`,
      actual: found ?? 'not listed',
    });
  }
}

async function pinnedLists(
  sent: readonly SentStatus[],
  { statusLists = [] }: AndroidKeyPolicy,
  checks: Checklist,
): Promise<readonly Uint8Array[]> {
  for (const { json } of sent) {
    const digest = await sha256Hex(json);
    checks.require('ANDROID_STATUS_NOT_PINNED', statusLists.includes(digest), {
      expected: anyOf(statusLists) || 'no pinned list',
      actual: digest,
    });
  }
  return sent.map(({ json }) => json);
}

function anchoredList(
  {
    anchor,
    policy,
    now,
  }: { readonly anchor: AndroidStatus | undefined; readonly policy: AndroidKeyPolicy; readonly now: Date },
  checks: Checklist,
): readonly Uint8Array[] {
  if (anchor === undefined) return [];
  const fetchedAt = new Date(anchor.fetchedAt).getTime();
  if (Number.isNaN(fetchedAt) || !(anchor.json instanceof Uint8Array))
    throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'anchors.androidKey.status must be bytes and a date.');
  const seconds = policy.maxStatusAgeSeconds ?? DEFAULT_MAX_AGE_SECONDS;
  const age = now.getTime() - fetchedAt;
  checks.require('ANDROID_STATUS_STALE', age >= -MAX_SKEW_MS && age <= seconds * 1000, {
    expected: `fetched in the last ${seconds} s`,
    actual: anchor.fetchedAt.toISOString(),
  });
  return [anchor.json];
}

/** `{"entries": {serial: {"status": ..., ...}}}`, serials in hex without leading zeros. */
function readEntries(json: Uint8Array): ReadonlyMap<string, string> {
  const { entries } = readObject(json);
  if (!isJsonObject(entries)) throw new FastnessError('ANDROID_STATUS_MALFORMED', 'No entries.');
  return new Map(
    Object.entries(entries).map(([serial, entry]) => {
      const status = isJsonObject(entry) ? entry['status'] : undefined;
      if (typeof status !== 'string' || !/^[0-9a-fA-F]{1,64}$/.test(serial))
        throw new FastnessError('ANDROID_STATUS_MALFORMED', 'An entry without serial or status.');
      return [canonical(serial), status.slice(0, 32)];
    }),
  );
}

function readObject(json: Uint8Array): JsonObject {
  try {
    return parseJsonObject(json, limits);
  } catch (cause) {
    throw new FastnessError('ANDROID_STATUS_MALFORMED', 'Not a JSON object.', { cause });
  }
}

function serialName(serial: Uint8Array): string {
  return canonical(toHex(serial));
}

function canonical(serial: string): string {
  return serial.toLowerCase().replace(/^0+(?=.)/, '');
}
