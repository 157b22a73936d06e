import { z } from 'zod';
import { membershipSchema } from '../quorum/membership.ts';

const days = 86_400;

/** How wrapping keys live, in the broker's configuration. */
export const lifecycleSchema = z.strictObject({
  /** Rotation of wrapping keys by the broker: each gets a new version when its last rotation is this long ago. */
  rotation: z
    .array(
      z.strictObject({
        keyId: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/),
        everySeconds: z
          .int()
          .min(3600)
          .max(10 * 366 * days),
      }),
    )
    .max(64)
    .default([]),
  /** Bounds of the delay before a key is destroyed, in which the destruction can be cancelled. */
  destructionDelay: z
    .strictObject({
      minimumSeconds: z
        .int()
        .min(60)
        .max(366 * days)
        .default(days),
      maximumSeconds: z
        .int()
        .min(60)
        .max(366 * days)
        .default(90 * days),
    })
    .prefault({}),
});
export type LifecycleOptions = z.output<typeof lifecycleSchema>;
export type LifecycleOptionsInput = z.input<typeof lifecycleSchema>;

/** What needs the quorum once there is one. */
export const guardedActions = Object.freeze(['release', 'policy', 'key-destruction', 'quorum'] as const);
export type GuardedAction = (typeof guardedActions)[number];

/** The quorum of a broker, in its configuration: its first members. Later ones come by proposals alone. */
export const quorumOptionsSchema = z.strictObject({
  membership: membershipSchema,
  /** How long a proposal waits for approvals and execution when it does not say so itself, and at most. */
  proposalSeconds: z
    .int()
    .min(60)
    .max(90 * days)
    .default(7 * days),
  maximumProposalSeconds: z
    .int()
    .min(60)
    .max(90 * days)
    .default(30 * days),
});
export type QuorumOptions = z.output<typeof quorumOptionsSchema>;
export type QuorumOptionsInput = z.input<typeof quorumOptionsSchema>;
