import { z } from 'zod';
import { keyIdPattern } from '../wrapped-key.ts';

/** Operations, as the kind of a request frame. Numbers are fixed: they cross a process boundary. */
export const operations = Object.freeze({
  open: 1,
  close: 2,
  list: 3,
  create: 4,
  rotate: 5,
  retire: 6,
  setState: 7,
  destroy: 8,
  publicKey: 9,
  wrap: 10,
  unwrap: 11,
  sign: 12,
  probe: 13,
});

export type Operation = keyof typeof operations;

/** Kinds of an answer frame. A refusal has two fields: its code and its detail. */
export const outcomes = Object.freeze({ done: 1, refused: 2 });

/** How wrapping keys are made: what works, or one way by decree. */
const wrappingWays = Object.freeze(['aes-gcm', 'rsa-oaep'] as const);
export type WrappingWay = (typeof wrappingWays)[number];

const shortText = z.string().max(256);
const version = z.int().min(1).max(0xffff_ffff);
const id = z.string().regex(keyIdPattern);

export const openSchema = z.strictObject({
  modulePath: z.string().min(1).max(4096),
  libraryParameters: z.string().max(1024).optional(),
  match: z.strictObject({
    token: shortText.optional(),
    manufacturer: shortText.optional(),
    serial: shortText.optional(),
    model: shortText.optional(),
    slotId: z.int().min(0).optional(),
  }),
  pinSource: z
    .union([
      z.strictObject({ kind: z.literal('file'), path: z.string().min(1).max(4096) }),
      z.strictObject({ kind: z.literal('descriptor'), descriptor: z.int().min(0).max(9999) }),
    ])
    .optional(),
  wrapping: z.enum(['auto', ...wrappingWays]),
});
export type OpenMessage = z.infer<typeof openSchema>;

export const tokenFactsSchema = z.strictObject({
  label: shortText,
  manufacturer: shortText,
  model: shortText,
  serial: shortText,
  firmware: shortText,
  slotId: shortText,
  library: shortText,
  libraryManufacturer: shortText,
  interfaceVersion: shortText,
  /** The module says that its slot is a device. Software tokens do not. */
  hardwareSlot: z.boolean(),
});
export type TokenFacts = z.infer<typeof tokenFactsSchema>;

export const createSchema = z.strictObject({
  id,
  purpose: z.enum(['wrap', 'sign']),
  algorithm: z.enum(['AES-256-GCM', 'P-256', 'P-384', 'Ed25519']),
  now: z.iso.datetime(),
});
export const rotateSchema = z.strictObject({ id, now: z.iso.datetime() });
export const retireSchema = z.strictObject({ id, before: z.number() });
export const setStateSchema = z.strictObject({ id, disabled: z.boolean(), now: z.iso.datetime() });
export const destroySchema = z.strictObject({ id });

export const keyInfoSchema = z.strictObject({
  id,
  purpose: z.enum(['wrap', 'sign']),
  algorithm: z.enum(['AES-256-GCM', 'P-256', 'P-384', 'Ed25519']),
  version,
  versions: z.array(version).min(1),
  createdAt: z.iso.datetime(),
  disabledAt: z.iso.datetime().exactOptional(),
});
export const keyListSchema = z.array(keyInfoSchema);

export const wrapHeaderSchema = z.strictObject({ version, algorithm: z.string().min(1).max(64) });

/** What a token can do, found by doing it with keys that exist for that moment only. */
export const capabilityNames = Object.freeze([
  'wrap with AES-256-GCM',
  'wrap with RSA-3072 OAEP-SHA256',
  'sign with P-256',
  'sign with P-384',
  'sign with Ed25519',
] as const);
export const probeSchema = z.array(
  z.strictObject({
    capability: z.enum(capabilityNames),
    works: z.boolean(),
    /** What the module answered, by name; empty where it works. */
    detail: z.string().max(256),
    /** Operations per second, one after the other, inside the child; 0 where it does not work. */
    perSecond: z.number().min(0),
  }),
);
export type Probe = z.infer<typeof probeSchema>;
