import { toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import {
  encodeRuntimeEvent,
  eventWords,
  replayDigests,
  replayToRtmrs,
  rtmrEvents,
  type EventLog,
  type RtmrIndex,
} from '../event-log/index.ts';
import type { PinnedEvent, TdxPolicy } from '../policy/tdx.ts';
import { sha384 } from './sha384.ts';
import type { PredictedRtmr, PredictedRtmrs } from './rtmr.ts';

/** Fields of a policy's `tdx` section that pin run-time registers, and the events that explain one that differs. */
export type RtmrPolicy = Required<Pick<TdxPolicy, 'rtmrs' | 'events'>>;

/**
 * RTMR3 of an enclave of Fastness that nothing else extends: its configuration, then the release that it asks the key of.
 * `configuration`: SHA-256 of the configuration file. `release`: the release digest. 32 bytes each.
 * Throws ATTEST_ARGUMENT_INVALID.
 */
export async function predictRuntimeRtmr(measured: {
  readonly configuration: Uint8Array;
  readonly release: Uint8Array;
}): Promise<PredictedRtmr> {
  const kinds = ['configuration', 'release'] as const;
  if (kinds.some((kind) => measured[kind].length !== 32))
    throw new FastnessError(
      'ATTEST_ARGUMENT_INVALID',
      'configuration and release must be SHA-256 digests of 32 bytes.',
    );
  const events = await Promise.all(
    kinds.map(async (kind) => toHex(await sha384(encodeRuntimeEvent({ kind, digest: measured[kind] })))),
  );
  return { value: await replayDigests(events), events, names: kinds };
}

/** What a policy accepts where it accepts all of these values: they differ in how the same things are measured. */
export function rtmrPolicyOf(
  predicted: Partial<PredictedRtmrs> & { readonly 3?: readonly PredictedRtmr[] },
): RtmrPolicy {
  const policy: RtmrPolicy = { rtmrs: {}, events: {} };
  for (const index of [1, 2, 3] as const) {
    const candidates = predicted[index];
    if (candidates === undefined) continue;
    policy.rtmrs[index] = unique(candidates.map(({ value }) => value));
    policy.events[index] = pinned(candidates);
  }
  return policy;
}

/** Candidates have the same events in the same order; some of them have digests of their own. */
function pinned(candidates: readonly PredictedRtmr[]): PinnedEvent[] {
  const [first] = candidates;
  const names = first?.names ?? [];
  return names.map((name, place) => ({
    name,
    digests: unique(candidates.flatMap(({ events }) => events[place] ?? [])),
  }));
}

/**
 * What a policy accepts that accepts the boot of this log and no other: for registers that nobody can compute, such as RTMR0,
 * from a machine whose boot is trusted. The log is as good as where it comes from, until it replays to a quote of that machine.
 * Throws EVENT_LOG_BANK.
 */
export async function rtmrPolicyOfLog(
  log: EventLog,
  registers: readonly RtmrIndex[] = [0, 1, 2, 3],
): Promise<RtmrPolicy> {
  const replayed = await replayToRtmrs(log);
  const policy: RtmrPolicy = { rtmrs: {}, events: {} };
  for (const index of registers) {
    policy.rtmrs[index] = [replayed[index]];
    policy.events[index] = rtmrEvents(log, index).map((event) => ({
      name: eventWords(event),
      digests: [event.digests['SHA-384'] ?? ''],
    }));
  }
  return policy;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
