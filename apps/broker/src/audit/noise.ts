import { createTokenBucket, type Rate } from '../limits.ts';
import type { AuditFacts } from './facts.ts';
import type { AuditLog } from './log.ts';

/**
 * Writes what strangers can cause (refusals, failed authentications) without letting them fill the disk: up to a rate
 * one by one, above it counted, and the count is written as `entries-suppressed`. What the broker *does* is never
 * written through here.
 */
export interface AuditNoise {
  refused(facts: AuditFacts<'refused'>): Promise<void>;
  adminAuthFailure(facts: AuditFacts<'admin-auth-failure'>): Promise<void>;
  /** Writes the counts of what was suppressed since the last time, if anything was. */
  flush(): Promise<void>;
}

export function createAuditNoise(options: {
  log: AuditLog;
  rate: Rate;
  now: () => Date;
  clock: () => number;
}): AuditNoise {
  const { log, rate, now, clock } = options;
  const buckets = { refused: createTokenBucket(rate, clock), failure: createTokenBucket(rate, clock) };
  let suppressed = { refused: 0, adminAuthFailures: 0 };
  let since: string | undefined;

  const flush = async (): Promise<void> => {
    if (since === undefined) return;
    const facts = { ...suppressed, since };
    suppressed = { refused: 0, adminAuthFailures: 0 };
    since = undefined;
    await log.append('entries-suppressed', facts);
  };

  return {
    async refused(facts) {
      if (!buckets.refused.take()) {
        suppressed.refused += 1;
        since ??= now().toISOString();
        return;
      }
      await flush();
      await log.append('refused', facts);
    },
    async adminAuthFailure(facts) {
      if (!buckets.failure.take()) {
        suppressed.adminAuthFailures += 1;
        since ??= now().toISOString();
        return;
      }
      await flush();
      await log.append('admin-auth-failure', facts);
    },
    flush,
  };
}
