import { z } from 'zod';

/** Brokers that a key can be shared between. */
export const maxKeyShares = 16;

const digest = z.string().regex(/^[0-9a-f]{64}$/);

/** Chosen at random for every split: 16 bytes, hex. */
export const shareSetIdSchema = z.string().regex(/^[0-9a-f]{32}$/);
export const shareThresholdSchema = z.int().min(2).max(maxKeyShares);
export const shareIndexSchema = z.int().min(1).max(maxKeyShares);

/**
 * How a model's root key was split (Shamir, over GF(2^8)): a part of manifest.json, so that the owner's signature covers
 * it. The digests say nothing about the shares, which are random, and fix each of them: a broker that hands out other bytes
 * is found out by its number, and no share of another split, threshold or model passes.
 */
export const keyShareSetSchema = z
  .strictObject({
    setId: shareSetIdSchema,
    /** Shares that open the model. */
    threshold: shareThresholdSchema,
    /** Of the key that they join to; see `rootDigestOf`. */
    rootDigest: digest,
    /** By number, from 1, without a gap. Digests: see `shareDigestOf`. */
    shares: z
      .array(z.strictObject({ index: shareIndexSchema, digest }))
      .min(2)
      .max(maxKeyShares),
  })
  .refine(({ shares, threshold }) => threshold <= shares.length, { path: ['threshold'] })
  .refine(({ shares }) => shares.every(({ index }, at) => index === at + 1), { path: ['shares'] });

export type KeyShareSet = z.infer<typeof keyShareSetSchema>;
