import { z } from 'zod';

/** The Trustee-compatible endpoints, in the broker's configuration. Absent: there are none. */
export const rcarOptionsSchema = z.strictObject({
  /** How long a session may be used, from its auth request on. Trustee's own default. */
  sessionSeconds: z.int().min(10).max(3600).default(300),
  /** How long a token may be used. A revocation counts at once, whatever the token says. */
  tokenSeconds: z.int().min(10).max(3600).default(300),
  /** Sessions kept in memory; one more, and the oldest is dropped. */
  maxSessions: z.int().min(1).max(1_000_000).default(20_000),
  /** Largest bodies in bytes. Evidence comes as JSON numbers, about four times its size. */
  body: z
    .strictObject({
      auth: z.int().min(256).default(4096),
      attest: z
        .int()
        .min(4096)
        .default(1 << 20),
    })
    .prefault({}),
});

export type RcarOptions = z.output<typeof rcarOptionsSchema>;
export type RcarOptionsInput = z.input<typeof rcarOptionsSchema>;

/** The KBS protocol that these endpoints speak. */
export const rcarVersion = '0.4.0';
