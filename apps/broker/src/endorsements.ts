import type { Cmw, CmwCollection, TrustAnchors } from '@fastness/attest';
import {
  completeEndorsements,
  createEndorsementSource,
  openEndorsementCache,
  pccsServices,
} from '@fastness/evidence/endorsements';
import { z } from 'zod';

/** Fetching of endorsements, in the broker's configuration. */
export const brokerEndorsementsSchema = z.strictObject({
  cachePath: z
    .string()
    .min(1)
    .max(4096)
    .describe(
      'Folder of the cache. It remembers the newest lists that were seen: keep it where only the broker writes.',
    ),
  amd: z.url().exactOptional().describe("AMD's key distribution service or a mirror. Absent: AMD's own."),
  pccs: z.url().exactOptional().describe("A caching service for Intel's collateral. Absent: Intel's own service."),
  update: z
    .union([z.enum(['early', 'standard']), z.int().min(1).max(999_999)])
    .default('standard')
    .describe('TCB recovery that Intel reports on: early, standard or its number.'),
  prefer: z
    .enum(['given', 'fetched'])
    .default('fetched')
    .describe(
      'Whether lists and TCB info that an enclave sends may stand in for fetched ones while they are current. Its host chooses what it sends, and may choose old ones.',
    ),
  offline: z.boolean().default(false).describe('Use the cache alone, which bundles fill.'),
});
export type BrokerEndorsements = z.output<typeof brokerEndorsementsSchema>;

/**
 * Returns everything that evidence is to be verified with, given what came with it. What it throws is the answer to the
 * request: no key leaves on evidence whose endorsements could not be had.
 */
export type CompleteEndorsements = (
  evidence: Cmw | CmwCollection,
  endorsements: readonly Cmw[],
  now: Date,
) => Promise<readonly Cmw[]>;

/** Opens the cache and the services behind it. Throws ENDORSEMENT_CACHE_UNSAFE, ENDORSEMENT_CACHE_FAILED. */
export async function openEndorsements(
  config: BrokerEndorsements,
  options: { readonly anchors: TrustAnchors; readonly now?: () => Date },
): Promise<CompleteEndorsements> {
  const { cachePath, amd, pccs, update, prefer, offline } = config;
  const source = createEndorsementSource({
    ...options,
    offline,
    cache: await openEndorsementCache({ directory: cachePath }),
    services: { ...(amd === undefined ? {} : { amd }), ...(pccs === undefined ? {} : pccsServices(pccs)) },
    // An enclave waits for its key meanwhile, and asks again by itself.
    http: { timeoutMs: 5_000, attempts: 2, maxPauseMs: 2_000 },
  });
  return async (evidence, endorsements, now) =>
    (await completeEndorsements({ evidence, endorsements, source, now, update, prefer })).endorsements;
}
