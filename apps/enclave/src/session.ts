import { defaultProtocol, weaknessesOf } from '@fastness/channel';
import { FastnessError } from '@fastness/codec/errors';
import { strongerTraffic } from '@fastness/model/release';
import { openGate } from './access/gate.ts';
import type { Tenants } from './access/tenants.ts';
import type { EnclaveKeys } from './boot/enclave-keys.ts';
import type { ModelMemory } from './boot/model-memory.ts';
import { openModel, type OpenedModel } from './boot/open-model.ts';
import type { ObtainedKey } from './boot/obtain-key.ts';
import type { CollectEvidence } from './boot/request-key.ts';
import type { SealedModel } from './boot/sealed-model.ts';
import type { EnclaveConfig } from './config.ts';
import type { Engine, EngineFiles, EngineRuntime } from './engine/engine.ts';
import type { HealthFacts } from './health.ts';
import type { Clock, Permission } from './lease.ts';
import { errorFields, type Log } from './log.ts';
import { createInnerApi } from './serve/inner/app.ts';
import { KeyRing } from './serve/key-ring.ts';
import type { Serving } from './serve/serving.ts';
import { shapeOf } from './serve/traffic/shape.ts';
import type { EnclaveState } from './state.ts';

export interface SessionOptions {
  readonly config: EnclaveConfig;
  readonly sealed: SealedModel;
  /** Undefined: the release lets everybody in. */
  readonly tenants: Tenants | undefined;
  readonly runtime: EngineRuntime;
  /** Those the key was released to. */
  readonly keys: EnclaveKeys;
  readonly key: ObtainedKey;
  /** Where the model goes. */
  readonly memory: ModelMemory;
  readonly collect: CollectEvidence;
  readonly clock: Clock;
  /** Fires when the enclave goes down. */
  readonly closing: AbortSignal;
  readonly facts: HealthFacts;
  readonly log: Log;
  readonly enter: (state: EnclaveState, error?: unknown) => void;
  /** Called with what answers requests while there is something, and with undefined before it goes. */
  readonly publish: (serving: Serving | undefined) => void;
}

/**
 * From a released key to the loss of its lease: opens the model, serves, and gives everything back. Returns why it
 * stopped; throws what keeps the model from opening.
 */
export async function runSession(options: SessionOptions): Promise<unknown> {
  const { config, sealed, runtime, key, closing, log, enter, publish } = options;
  const rings: KeyRing[] = [];
  const lease = holdLease(options, () => rings[0]);
  const stop = AbortSignal.any([lease.signal, closing]);
  let model: OpenedModel | undefined;
  let engine: Engine | undefined;
  try {
    enter('opening');
    const { lock } = config.memory;
    model = await openModel({ sealed, root: key.root, memory: options.memory, lock, signal: stop });
    log('info', 'opened', { memory: [...model.files.values()][0]?.kind, locked: model.locked });
    engine = await load(runtime, { files: model.files, task: sealed.manifest.task, limits: config.engine });
    // An engine that has read the files needs no second copy of them.
    if (!engine.usesFiles) model.close();
    log('info', 'loaded', { engine: engine.info.version, threads: engine.info.threads });
    const ring = await keyRing(options, lease);
    rings.push(ring);
    const { limits } = config;
    const { modelId } = sealed.manifest;
    const traffic = strongerTraffic(config.traffic.profile, sealed.release.traffic ?? 'off');
    const shape = shapeOf(traffic, config.traffic.frameMs);
    log('info', 'traffic', { profile: traffic, ...shape });
    for (const protocol of config.adapters)
      log('warn', 'adapter', { protocol, weaknesses: weaknessesOf(protocol).join(' ') });
    const now = (): Date => lease.now();
    const gate = options.tenants?.under(now) ?? openGate;
    const api = createInnerApi({ engine, modelId, limits, shape, now, gate, lease: stop }, (error) =>
      // Details count tokens of a prompt, or quote: inside the channel they may, here they may not.
      log('warn', 'request-failed', { code: error instanceof FastnessError ? error.code : 'unforeseen' }),
    );
    stop.throwIfAborted();
    publish({ lease, ring, api, shape, release: sealed.package, releaseDigest: sealed.releaseDigest });
    enter('serving');
    const stopped = new Promise<undefined>((resolve) =>
      stop.addEventListener('abort', () => resolve(undefined), { once: true }),
    );
    const broken = await (engine.broken === undefined ? stopped : Promise.race([stopped, engine.broken]));
    if (broken !== undefined) throw broken;
    return stop.reason;
  } catch (error) {
    if (stop.aborted) return stop.reason;
    throw error;
  } finally {
    lease.end();
    if (lease.signal.aborted) enter('lease-lost', lease.signal.reason);
    publish(undefined);
    rings[0]?.close();
    // Requests in progress have the signal; then the model goes.
    await engine?.close().catch((error: unknown) => log('error', 'engine-close', errorFields(error)));
    model?.close();
  }
}

/**
 * An engine explains a failure in the words of the model (names of tensors, sizes), and the log is the host's. So only
 * the code leaves; the owner gets the words from `trialLoad` before sealing.
 */
async function load(runtime: EngineRuntime, files: EngineFiles): Promise<Engine> {
  try {
    return await runtime.load(files);
  } catch (error) {
    throw error instanceof FastnessError ? new FastnessError(error.code) : error;
  }
}

function holdLease({ key, config, facts, tenants, log }: SessionOptions, ring: () => KeyRing | undefined): Permission {
  return key.hold({
    onRenewed: (ttlSeconds) => {
      facts.error = undefined;
      log('info', 'lease-renewed', { ttlSeconds });
      void tenants?.refresh();
      const current = ring();
      if (current === undefined || current.ageMs() < config.keyRotationSeconds * 1000) return;
      current.rotate().then(
        () => log('info', 'keys-rotated'),
        (error: unknown) => log('warn', 'keys-not-rotated', errorFields(error)),
      );
    },
    onTrouble: (error) => {
      if (error instanceof FastnessError) facts.error = error;
      log('warn', 'lease-not-renewed', errorFields(error));
    },
  });
}

function keyRing({ config, sealed, keys, key, collect, clock }: SessionOptions, lease: Permission): Promise<KeyRing> {
  return KeyRing.create({
    keys,
    evidence: key.evidence,
    releaseDigest: sealed.releaseDigest,
    collect,
    replayEntries: config.limits.replayEntries,
    // Chunks, padding and headers add less than this to a body.
    requestBytes: config.limits.bodyBytes * 2 + 65_536,
    chunkInterval: config.limits.gatherMs,
    protocols: [defaultProtocol, ...config.adapters],
    clock,
    now: () => lease.now(),
    overlapMs: config.keyOverlapSeconds * 1000,
  });
}
