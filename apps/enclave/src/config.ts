import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { adapterProtocols, defaultChunkInterval } from '@fastness/channel';
import { utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { trafficProfiles } from '@fastness/model/release';
import { sealedStateSchema } from './boot/sealed-state-config.ts';
import { waivableChecks } from './start/waivers.ts';

/**
 * The configuration file. It holds no secrets. `brokerUrl`, `brokerUrls`, `listen`, `modelDir` and the limits decide whether the
 * enclave works, not whether it is safe: a wrong broker cannot release a key, a wrong model does not open. `waivers` do
 * weaken it, and who reads this file cannot tell whether it was measured: on real hardware a waiver counts only where the
 * image itself allows it (start/waivers.ts).
 */

const count = (max: number) => z.int().min(1).max(max);
const seconds = z.number().min(0.1).max(3600);
const path = z.string().min(1).max(4096);

const waiverSchema = z.strictObject({
  check: z.enum(waivableChecks),
  reason: z.string().min(1).max(500),
});

const engineSchema = z.strictObject({
  /** Requests that generate at the same time. */
  sequences: count(64).default(4),
  /** Requests that wait for one of them. */
  queue: z.int().min(0).max(1024).default(32),
  /** Tokens of context per request, at most the model's own. */
  contextLength: count(1_048_576).default(4096),
  /** Threads of the engine; chosen by the size of the model unless given. */
  threads: count(256).optional(),
});

const limitsSchema = z.strictObject({
  /** Bytes of a request inside the channel, after decryption. */
  bodyBytes: count(64 * 2 ** 20).default(2 ** 20),
  messages: count(10_000).default(256),
  inputs: count(2048).default(64),
  /** Tokens of one answer. */
  maxTokens: count(1_048_576).default(2048),
  requestSeconds: count(3600).default(300),
  /** Tokens that the engine hands on at a time. */
  tokensPerFrame: count(64).default(8),
  /** Milliseconds after which it hands on fewer, where the traffic has no pace of its own. */
  frameDelayMs: z.int().min(0).max(60_000).default(1000),
  /** Milliseconds that parts of an answer gather before they are sealed, where the traffic has no pace of its own. */
  gatherMs: z.int().min(0).max(1000).default(defaultChunkInterval),
  /** Requests through the channel at the same time. */
  concurrent: count(4096).default(64),
  /** Requests whose last byte has not arrived yet; a further one takes the place of the oldest. */
  arriving: count(4096).default(256),
  /** Until the first chunk of a request must have opened, and until all of it must be here. */
  openSeconds: seconds.default(5),
  arriveSeconds: seconds.default(30),
  /** How long a reader may pause in the middle of an answer. */
  stallSeconds: seconds.default(30),
  /** Nonces that wait for the quote that is being made (the next one answers them all), for how long, and quotes in a second. */
  attestationQueue: count(4096).default(4096),
  attestationWaitSeconds: seconds.default(10),
  attestationsPerSecond: z.number().min(0.1).max(1000).default(20),
  /** Requests that one set of gateway keys answers before it is replaced. */
  replayEntries: count(4_194_304).default(262_144),
});

const trafficSchema = z.strictObject({
  /** How sizes and times are hidden. The release can demand more than this and then has it. */
  profile: z.enum(trafficProfiles).default('balanced'),
  /** Milliseconds between frames, where longer than the profile's: for engines so slow that most frames would be empty. */
  frameMs: z.int().min(25).max(2000).optional(),
});

const brokerUrlSchema = z.url({ protocol: /^https?$/u }).max(2048);

const listenSchema = z.strictObject({
  host: z.string().min(1).max(255).default('127.0.0.1'),
  port: z.int().min(0).max(65_535),
});

export const configSchema = z.strictObject({
  listen: listenSchema,
  /** A second address, with TLS that ends in the enclave, for clients that come without a relay. Absent: there is none. */
  tls: listenSchema.optional(),
  /** The broker of a model whose key is not shared. */
  brokerUrl: brokerUrlSchema.optional(),
  /** The brokers of a model whose key is shared: an address for each number of a share, or for some of them. */
  brokerUrls: z.record(z.string().regex(/^(?:[1-9]|1[0-6])$/u), brokerUrlSchema).optional(),
  modelDir: path,
  /** `auto` takes the TEE that this machine has: a simulated one where FASTNESS_SIMULATED_TEE names its socket. */
  evidence: z
    .union([z.literal('auto'), z.strictObject({ kind: z.literal('simulated'), socketPath: path })])
    .default('auto'),
  /** Devices whose evidence goes with that of the processor, in one collection: all of a kind, or none. */
  devices: z
    .strictObject({
      /** `nvml`: through NVIDIA's library, with the driver's settings. `nvattest`: through NVIDIA's command, without them. */
      nvidiaGpus: z.enum(['none', 'nvml', 'nvattest']).default('none'),
      nvidiaSwitches: z.enum(['none', 'nvattest']).default('none'),
      /** Where the loader does not find libnvidia-ml.so.1. */
      nvmlLibrary: path.optional(),
      /** Where PATH does not lead to nvattest. */
      nvattestCommand: path.optional(),
    })
    .prefault({}),
  memory: z
    .strictObject({
      /** A directory on a tmpfs, used where memfd_create is refused. */
      tmpfsDir: path.optional(),
      /** Keep the opened model out of swap by locking it, where the limits allow it. */
      lock: z.boolean().default(true),
    })
    .prefault({}),
  engine: engineSchema.prefault({}),
  /** What the enclave must not forget, sealed to a TPM and tied to its counter. Absent: it remembers nothing. */
  sealedState: sealedStateSchema.optional(),
  limits: limitsSchema.prefault({}),
  traffic: trafficSchema.prefault({}),
  /**
   * Protocols to answer beside the channel's own, each weaker in its way (docs/protocol.md, section 8). What a client sealed for
   * one protocol opens in no other, so that this decides who can be served, not how well anybody else is protected.
   */
  adapters: z.array(z.enum(adapterProtocols)).max(adapterProtocols.length).default([]),
  /** Seconds after which the gateway and receipt keys are replaced. Clients then verify the enclave anew. */
  keyRotationSeconds: count(30 * 24 * 3600).default(3600),
  /** Seconds for which replaced keys still answer: longer than a client goes without verifying anew, which is 600. */
  keyOverlapSeconds: z
    .int()
    .min(0)
    .max(24 * 3600)
    .default(900),
  waivers: z.array(waiverSchema).max(8).default([]),
});

const checkedSchema = configSchema.refine(
  ({ brokerUrl, brokerUrls }) => brokerUrl !== undefined || brokerUrls !== undefined,
  { path: ['brokerUrl'], error: 'an address is needed, or brokerUrls with several' },
);

export type EnclaveConfig = z.infer<typeof configSchema>;
/** The file as one writes it: everything with a default may be left out. */
export type EnclaveConfigInput = z.input<typeof configSchema>;

/** Throws ENCLAVE_CONFIG naming the first field at fault. */
export function parseConfig(value: unknown): EnclaveConfig {
  const result = checkedSchema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const unknown = issue?.code === 'unrecognized_keys' ? ` (unknown: ${issue.keys.join(', ')})` : '';
  throw new FastnessError(
    'ENCLAVE_CONFIG',
    `/${issue?.path.map(String).join('/') ?? ''}: ${issue?.message ?? ''}${unknown}`,
  );
}

/** The configuration, and the SHA-256 of the very bytes that it was read from. Throws ENCLAVE_CONFIG. */
export function readConfig(file: string): { readonly config: EnclaveConfig; readonly digest: Uint8Array } {
  let value: unknown;
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
    value = JSON.parse(utf8Decode(bytes));
  } catch (cause) {
    throw new FastnessError('ENCLAVE_CONFIG', `${file} cannot be read as JSON.`, { cause });
  }
  return { config: parseConfig(value), digest: new Uint8Array(createHash('sha256').update(bytes).digest()) };
}
