import { isErrorCode, type ErrorCode } from '@fastness/codec/errors';
import { z } from 'zod';
import { administratorFacts } from '../audit/administrator.ts';
import { isPlatformName } from '../platform.ts';

/** `REPOSITORY/TYPE/TAG`. No part is a dot or two: a path must mean the same to everybody on the way. */
export const resourcePathSchema = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}(?:\/[A-Za-z0-9_.-]{1,64}){2}$/)
  .refine((path) => path.split('/').every((part) => !/^\.+$/.test(part)), 'a part is made of dots');

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$/);
const count = z.number().int().nonnegative();
const hex32 = z.string().regex(/^[0-9a-f]{32}$/);

const by = administratorFacts.optional();

/** Facts of audit entries about resources; see ../audit/facts.ts for the rules that they follow. */
export const rcarFacts = Object.freeze({
  'resource-registered': z.strictObject({
    resource: resourcePathSchema,
    /** How many TEE measurements may have it. */
    guests: count,
    wrappingKey: name,
    wrappingKeyVersion: count,
    by,
  }),
  'resource-removed': z.strictObject({ resource: resourcePathSchema, by }),
  'resource-released': z.strictObject({
    resource: resourcePathSchema,
    tee: name,
    simulated: z.literal(false),
    measurement: z.string().regex(/^[0-9a-f]{96}$/),
    platform: z.string().max(160).refine(isPlatformName),
    /** SHA-256 of the guest's key. */
    guestKey: digest,
    /** The attestation result that it was released on. */
    token: hex32,
    policyId: name,
    waivers: z.array(name).max(64),
  }),
  /** After `resource-released`: the resource did not leave after all. */
  'resource-withheld': z.strictObject({
    resource: resourcePathSchema,
    token: hex32,
    code: z.custom<ErrorCode>(isErrorCode),
  }),
});
