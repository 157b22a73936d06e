import type { Collector } from '@fastness/evidence';
import { FastnessError } from '@fastness/codec/errors';
import { createBrokerClient } from './boot/broker-client.ts';
import { chooseCollector } from './boot/collector.ts';
import { generateEnclaveKeys, type EnclaveKeys } from './boot/enclave-keys.ts';
import { openModel, type OpenedModel } from './boot/open-model.ts';
import { renewLease, requestKey, type KeyGrant, type KeyRequestOptions } from './boot/request-key.ts';
import { readSealed, type SealedModel } from './boot/sealed-model.ts';
import type { EnclaveConfig } from './config.ts';
import type { Engine, EngineRuntime } from './engine/engine.ts';
import { engineRuntime } from './engine/select.ts';
import { healthOf, type HealthFacts } from './health.ts';
import { backOffMs, isFinal, Lease, pause, type Clock } from './lease.ts';
import { errorFields, type Log } from './log.ts';
import { libc } from './memory/libc.ts';
import type { HardeningFacts } from './memory/index.ts';
import { createInnerApi } from './serve/inner/app.ts';
import { KeyRing } from './serve/key-ring.ts';
import { listen, type Listener } from './serve/listen.ts';
import { createOuter } from './serve/outer.ts';
import { Quota } from './serve/quota.ts';
import type { Serving } from './serve/serving.ts';
import type { EnclaveState } from './state.ts';

export interface EnclaveOptions {
  readonly config: EnclaveConfig;
  /** From `hardenProcess`; undefined where the process was not hardened, which /health then says. */
  readonly hardening: HardeningFacts | undefined;
  readonly log: Log;
  /** Default: CLOCK_BOOTTIME. */
  readonly clock?: Clock;
  readonly fetch?: typeof globalThis.fetch;
}

export interface RunningEnclave {
  readonly url: string;
  readonly state: EnclaveState;
  /** Settles when the enclave has stopped: with the error that ended it, or undefined after `close`. */
  readonly ended: Promise<FastnessError | undefined>;
  close(): Promise<void>;
}

/** Requests in progress get this long to end when the enclave is told to stop. */
const GRACE_MS = 5000;

/** Starts listening at once and boots behind it. Throws ENCLAVE_LISTEN; everything later ends up in `ended`. */
export async function startEnclave(options: EnclaveOptions): Promise<RunningEnclave> {
  const enclave = new Enclave(options);
  await enclave.listen();
  return {
    url: enclave.url,
    get state() {
      return enclave.state;
    },
    ended: enclave.ended,
    close: () => enclave.close(),
  };
}

class Enclave {
  readonly #config: EnclaveConfig;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #options: EnclaveOptions;
  readonly #closing = new AbortController();
  readonly #ended = Promise.withResolvers<FastnessError | undefined>();
  readonly #facts: HealthFacts;
  #listener: Listener | undefined;
  #collector: Collector | undefined;
  #serving: Serving | undefined;

  constructor(options: EnclaveOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#log = options.log;
    this.#clock = options.clock ?? (() => libc().bootTimeMs());
    this.#facts = { state: 'starting', hardening: options.hardening, config: options.config };
  }

  get url(): string {
    return this.#listener?.url ?? '';
  }

  get state(): EnclaveState {
    return this.#facts.state;
  }

  get ended(): Promise<FastnessError | undefined> {
    return this.#ended.promise;
  }

  async listen(): Promise<void> {
    const { limits } = this.#config;
    const outer = createOuter({
      serving: () => this.#requireServing(),
      health: () => healthOf(this.#facts, this.#serving?.lease),
      collect: (reportData) => this.#collect(reportData),
      quota: new Quota({ queue: limits.attestationQueue, perSecond: limits.attestationsPerSecond }),
      concurrent: limits.concurrent,
      log: this.#log,
    });
    this.#listener = await listen(outer, this.#config.listen);
    this.#log('info', 'listening', { url: this.#listener.url });
    void this.#run().then(
      (error) => this.#stop(error),
      (error: unknown) => this.#stop(error),
    );
  }

  /** Takes no more requests, gives those in progress a moment to end, then stops. */
  async close(): Promise<void> {
    await this.#listener?.close(GRACE_MS);
    this.#closing.abort(new FastnessError('ENCLAVE_NOT_SERVING', 'It is shutting down.'));
    await this.#ended.promise;
  }

  /** Boots, serves, and comes back for a new lease until that is refused. */
  async #run(): Promise<unknown> {
    const signal = this.#closing.signal;
    // All that can fail without a key fails before one is asked for.
    const sealed = await readSealed(this.#config.modelDir, signal);
    this.#facts.sealed = sealed;
    const runtime = await engineRuntime(sealed.manifest.engine);
    try {
      await this.#findCollector();
      while (!signal.aborted) {
        const keys = await generateEnclaveKeys();
        const grant = await this.#waitForKey(sealed, keys);
        const reason = await this.#serve(sealed, runtime, keys, grant);
        if (signal.aborted) return undefined;
        if (reason instanceof FastnessError && isFinal(reason)) return reason;
      }
      return undefined;
    } finally {
      await runtime.close();
    }
  }

  async #findCollector(): Promise<void> {
    this.#collector = await chooseCollector(this.#config.evidence);
    this.#facts.collector = this.#collector;
    if (this.#collector.simulated) {
      this.#log('warn', 'SIMULATED', { detail: 'The evidence is simulated: no hardware protects this enclave.' });
    }
  }

  #collect(reportData: Uint8Array): ReturnType<Collector['collect']> {
    if (this.#collector === undefined) throw new FastnessError('ENCLAVE_NOT_SERVING');
    return this.#collector.collect(reportData);
  }

  #keyRequest(sealed: SealedModel): KeyRequestOptions {
    return {
      broker: createBrokerClient({ url: this.#config.brokerUrl, fetch: this.#options.fetch ?? globalThis.fetch }),
      collect: (reportData) => this.#collect(reportData),
      releaseDigest: sealed.releaseDigest,
      brokerKey: sealed.brokerKey,
      clock: this.#clock,
      signal: this.#closing.signal,
    };
  }

  /** Asks until the broker gives the key; a refusal is final and thrown. */
  async #waitForKey(sealed: SealedModel, keys: EnclaveKeys): Promise<KeyGrant> {
    this.#enter('waiting-for-broker');
    for (let failures = 1; ; failures++) {
      try {
        return await requestKey(this.#keyRequest(sealed), keys);
      } catch (error) {
        this.#closing.signal.throwIfAborted();
        if (!(error instanceof FastnessError) || isFinal(error)) throw error;
        this.#facts.error = error;
        const waitMs = Math.round(backOffMs(failures) * (0.5 + Math.random() / 2));
        this.#log('warn', 'waiting-for-broker', { ...errorFields(error), next: error.next, failures, waitMs });
        if (!(await pause(waitMs, this.#closing.signal))) throw this.#closing.signal.reason;
      }
    }
  }

  /** Opens the model and serves until the lease is lost or the enclave closes; returns why it stopped. */
  async #serve(sealed: SealedModel, runtime: EngineRuntime, keys: EnclaveKeys, grant: KeyGrant): Promise<unknown> {
    const lease = this.#holdLease(sealed, keys, grant);
    const stop = AbortSignal.any([lease.signal, this.#closing.signal]);
    let model: OpenedModel | undefined;
    let engine: Engine | undefined;
    try {
      this.#enter('opening');
      const { tmpfsDir, lock } = this.#config.memory;
      model = await openModel({ sealed, root: grant.root, tmpfsDir, lock, signal: stop });
      this.#facts.memory = { kind: [...model.files.values()][0]?.kind ?? 'memfd', locked: model.locked };
      engine = await runtime.load({ files: model.files, task: sealed.manifest.task, limits: this.#config.engine });
      // An engine that has read the files needs no second copy of them.
      if (!engine.usesFiles) model.close();
      this.#facts.engine = engine.info;
      this.#serving = await this.#servingOf(sealed, keys, grant, lease, engine);
      stop.throwIfAborted();
      this.#enter('serving');
      await new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
      return stop.reason;
    } catch (error) {
      if (stop.aborted) return stop.reason;
      throw error;
    } finally {
      lease.end();
      if (lease.signal.aborted) this.#enter('lease-lost', lease.signal.reason);
      this.#serving = undefined;
      // Streams in progress learn of it through the lease's signal; then the model goes.
      await engine?.close().catch((error: unknown) => this.#log('error', 'engine-close', errorFields(error)));
      model?.close();
      this.#facts.engine = undefined;
      this.#facts.memory = undefined;
    }
  }

  #holdLease(sealed: SealedModel, keys: EnclaveKeys, grant: KeyGrant): Lease {
    return new Lease({
      grant,
      clock: this.#clock,
      renew: (leaseId) => renewLease(this.#keyRequest(sealed), keys.public, leaseId),
      onRenewed: ({ ttlSeconds }) => {
        this.#facts.error = undefined;
        this.#log('info', 'lease-renewed', { ttlSeconds });
        this.#rotateWhenDue();
      },
      onTrouble: (error) => {
        if (error instanceof FastnessError) this.#facts.error = error;
        this.#log('warn', 'lease-not-renewed', errorFields(error));
      },
    });
  }

  #rotateWhenDue(): void {
    const ring = this.#serving?.ring;
    if (ring === undefined || this.#clock() - ring.current.bornAt < this.#config.keyRotationSeconds * 1000) return;
    ring.rotate().then(
      () => this.#log('info', 'keys-rotated'),
      (error: unknown) => this.#log('warn', 'keys-not-rotated', errorFields(error)),
    );
  }

  async #servingOf(
    sealed: SealedModel,
    keys: EnclaveKeys,
    grant: KeyGrant,
    lease: Lease,
    engine: Engine,
  ): Promise<Serving> {
    const { limits } = this.#config;
    const now = (): Date => lease.now();
    const ring = await KeyRing.create({
      keys,
      evidence: grant.evidence,
      releaseDigest: sealed.releaseDigest,
      collect: (reportData) => this.#collect(reportData),
      replayEntries: limits.replayEntries,
      // Chunks, padding and headers add less than this to a body.
      requestBytes: limits.bodyBytes * 2 + 65_536,
      clock: this.#clock,
      now,
    });
    const { modelId } = sealed.manifest;
    const api = createInnerApi({ engine, modelId, limits, now, lease: lease.signal }, (error) =>
      this.#log('warn', 'request-failed', errorFields(error)),
    );
    return { lease, ring, api, release: sealed.package, releaseDigest: sealed.releaseDigest };
  }

  #requireServing(): Serving {
    if (this.#serving !== undefined) return this.#serving;
    throw this.state === 'lease-lost'
      ? new FastnessError('ENCLAVE_LEASE_LOST')
      : new FastnessError('ENCLAVE_NOT_SERVING', `It is ${this.state}.`);
  }

  #enter(state: EnclaveState, error?: unknown): void {
    this.#facts.state = state;
    this.#facts.error = error instanceof FastnessError ? error : undefined;
    const fields = error === undefined ? {} : errorFields(error);
    this.#log(state === 'lease-lost' ? 'error' : 'info', state, fields);
  }

  async #stop(error: unknown): Promise<void> {
    const reason = this.#closing.signal.aborted ? undefined : asFastness(error);
    this.#enter('stopped', reason);
    await this.#listener?.close(0);
    this.#ended.resolve(reason);
  }
}

function asFastness(error: unknown): FastnessError | undefined {
  if (error === undefined || error instanceof FastnessError) return error;
  return new FastnessError('ENCLAVE_UNFORESEEN', error instanceof Error ? error.name : undefined, { cause: error });
}
