import { FastnessError } from '@fastness/codec/errors';
import { parseVerifierKey, type WitnessQuorum } from '@fastness/log';
import { z } from 'zod';
import type { BrokerPolicy } from '../policy.ts';

/** The witnesses that cosign what a broker logs (c2sp.org/tlog-witness). */
export const witnessesSchema = z.strictObject({
  threshold: z
    .int()
    .min(1)
    .max(16)
    .describe('How many of them have to cosign before a checkpoint counts as witnessed.'),
  list: z
    .array(
      z.strictObject({
        key: z.string().max(512).describe('Its key, NAME+ID+BASE64, as `fastness log witness` prints it.'),
        url: z
          .url({ protocol: /^https?$/ })
          .max(2048)
          .describe(
            'Its submission prefix. Cosignatures are verified, so plain HTTP lets others delay and nothing more.',
          ),
      }),
    )
    .min(1)
    .max(16),
  intervalSeconds: z
    .number()
    .min(1)
    .max(86_400)
    .exactOptional()
    .describe('How often they are asked when the log has grown. Absent: 60.'),
  timeoutSeconds: z.number().min(0.01).max(60).exactOptional().describe('How long one answer may take. Absent: 5.'),
  patienceSeconds: z
    .number()
    .min(0)
    .max(3600)
    .exactOptional()
    .describe('For how long rollback protection asks again those that do not answer, before it gives up. Absent: 30.'),
});
export type BrokerWitnessesConfig = z.output<typeof witnessesSchema>;

/** Witnesses of a broker, with their keys read. */
export interface BrokerWitnesses extends WitnessQuorum {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly patienceMs: number;
  readonly fetch: typeof globalThis.fetch;
}

/** Whether a policy can be kept: no model may ask for more witnesses than cosign. Throws BROKER_CONFIG_INVALID. */
export function requireWitnesses({ models = {} }: BrokerPolicy, witnesses: BrokerWitnesses | undefined): void {
  const threshold = witnesses?.threshold ?? 0;
  for (const [id, { transparency }] of Object.entries(models)) {
    if ((transparency?.witnesses ?? 0) <= threshold) continue;
    const asked = `policy.models.${id}.transparency: ${transparency?.witnesses} witnesses`;
    throw new FastnessError('BROKER_CONFIG_INVALID', `${asked}, and log.witnesses has ${threshold} cosign.`);
  }
}

/** Throws LOG_KEY_MALFORMED, BROKER_CONFIG_INVALID. */
export async function readWitnesses(config: BrokerWitnessesConfig): Promise<BrokerWitnesses> {
  const { threshold, list, intervalSeconds = 60, timeoutSeconds = 5, patienceSeconds = 30 } = config;
  const witnesses = await Promise.all(list.map(async ({ key, url }) => ({ url, key: await parseVerifierKey(key) })));
  if (witnesses.some(({ key }) => key.algorithm !== 'cosignature/v1')) {
    throw new FastnessError('LOG_KEY_MALFORMED', 'log.witnesses: the key of a log where that of a witness belongs.');
  }
  // One key under several names is still one witness.
  if (new Set(witnesses.map(({ key }) => key.publicKey.join())).size !== witnesses.length) {
    throw new FastnessError('BROKER_CONFIG_INVALID', 'log.witnesses: two have the same key.');
  }
  if (threshold > witnesses.length) {
    throw new FastnessError('BROKER_CONFIG_INVALID', `log.witnesses: ${threshold} of ${witnesses.length}.`);
  }
  return {
    threshold,
    witnesses,
    intervalMs: intervalSeconds * 1000,
    timeoutMs: timeoutSeconds * 1000,
    patienceMs: patienceSeconds * 1000,
    fetch: globalThis.fetch,
  };
}
