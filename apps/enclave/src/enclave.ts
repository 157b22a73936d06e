import type { SessionBinding } from '@fastness/attest';
import { collectSession, type Collector, type MachineEvidence } from '@fastness/evidence';
import { FastnessError } from '@fastness/codec/errors';
import { Tenants } from './access/tenants.ts';
import { chooseCollector, chooseDevices, type AttachedDevices } from './boot/collector.ts';
import { generateEnclaveKeys, type EnclaveKeys } from './boot/enclave-keys.ts';
import { reserveMemory } from './boot/model-memory.ts';
import { obtainKey, type ObtainedKey, type ObtainKeyOptions } from './boot/obtain-key.ts';
import { readSealed, type SealedModel } from './boot/sealed-model.ts';
import { openSealedState, type SealedState } from './boot/sealed-state.ts';
import type { EnclaveConfig } from './config.ts';
import type { EngineName, EngineRuntime } from './engine/engine.ts';
import { engineRuntime } from './engine/select.ts';
import { healthOf, type HealthFacts } from './health.ts';
import { backOffMs, isFinal, pause, type Clock } from './lease.ts';
import { errorFields, type Log } from './log.ts';
import { libc } from './memory/libc.ts';
import { readHardening, type HardeningFacts } from './memory/index.ts';
import { requireAdapters } from './start/adapters.ts';
import { requireHardwareRules } from './start/waivers.ts';
import { listenDirectTls, type DirectTls } from './serve/direct-tls.ts';
import { listen, type Listener } from './serve/node-http.ts';
import { createOuter } from './serve/outer.ts';
import { runSession } from './session.ts';
import type { Serving } from './serve/serving.ts';
import type { EnclaveState } from './state.ts';

export interface EnclaveOptions {
  readonly config: EnclaveConfig;
  /** SHA-256 of the configuration file, to be measured where the TEE has a register for it. Absent: nothing is measured. */
  readonly configDigest?: Uint8Array;
  /** From `hardenProcess`; undefined where the process was not hardened, which the log then says. */
  readonly hardening: HardeningFacts | undefined;
  readonly log: Log;
  /** Called with the engine that the release names, when it is loaded and before a key is asked for. */
  readonly confine?: (engine: EngineName) => void;
  /** Default: CLOCK_BOOTTIME. */
  readonly clock?: Clock;
  readonly fetch?: typeof globalThis.fetch;
}

export interface RunningEnclave {
  readonly url: string;
  /** Where TLS ends in the enclave; undefined without one. */
  readonly tlsUrl: string | undefined;
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
    tlsUrl: enclave.tlsUrl,
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
  #direct: DirectTls | undefined;
  #collector: Collector | undefined;
  #devices: AttachedDevices | undefined;
  #serving: Serving | undefined;
  /** Whether a lease was lost since the enclave last served. */
  #lost = false;

  constructor(options: EnclaveOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#log = options.log;
    this.#clock = options.clock ?? (() => libc().bootTimeMs());
    this.#facts = { state: 'starting' };
  }

  get url(): string {
    return this.#listener?.url ?? '';
  }

  get tlsUrl(): string | undefined {
    return this.#direct?.url;
  }

  get state(): EnclaveState {
    return this.#facts.state;
  }

  get ended(): Promise<FastnessError | undefined> {
    return this.#ended.promise;
  }

  async listen(): Promise<void> {
    if (this.#options.hardening === undefined) this.#log('warn', 'not-hardened');
    const { limits } = this.#config;
    const outer = createOuter({
      serving: () => this.#requireServing(),
      health: () => healthOf(this.#facts, this.#serving?.lease),
      collect: (session) => this.#collect(session),
      attestation: {
        waiting: limits.attestationQueue,
        perSecond: limits.attestationsPerSecond,
        waitMs: limits.attestationWaitSeconds * 1000,
      },
      admission: {
        concurrent: limits.concurrent,
        arriving: limits.arriving,
        openMs: limits.openSeconds * 1000,
        arriveMs: limits.arriveSeconds * 1000,
      },
      stallMs: limits.stallSeconds * 1000,
      log: this.#log,
    });
    const { listen: address, tls } = this.#config;
    const times = {
      whole: outer.whole,
      idleMs: (limits.requestSeconds + 60) * 1000,
      requestMs: (limits.arriveSeconds + 5) * 1000,
    };
    this.#listener = await listen(outer.handler, { ...times, ...address });
    this.#log('info', 'listening', { url: this.#listener.url });
    if (tls !== undefined) {
      try {
        this.#direct = await listenDirectTls(outer.handler, { ...times, ...tls, log: this.#log });
      } catch (error) {
        await this.#listener.close(0);
        throw error;
      }
      this.#log('info', 'listening', { url: this.#direct.url });
    }
    void this.#run().then(
      (error) => this.#stop(error),
      (error: unknown) => this.#stop(error),
    );
  }

  /** Takes no more requests, gives those in progress a moment to end, then stops. */
  async close(): Promise<void> {
    await Promise.all([this.#listener?.close(GRACE_MS), this.#direct?.close(GRACE_MS)]);
    this.#closing.abort(new FastnessError('ENCLAVE_NOT_SERVING', 'It is shutting down.'));
    await this.#ended.promise;
  }

  /** Boots, serves, and comes back for a new lease until that is refused. */
  async #run(): Promise<unknown> {
    const signal = this.#closing.signal;
    // All that can fail without a key fails before one is asked for.
    const sealed = await readSealed(this.#config.modelDir, signal);
    this.#facts.sealed = sealed;
    requireAdapters(this.#config.adapters, sealed.release.traffic);
    const { sealedState } = this.#config;
    await using state = sealedState === undefined ? undefined : await openSealedState(sealedState);
    if (state !== undefined) this.#log('info', 'sealed-state', { found: state.found, trust: state.trust });
    state?.checkRelease(sealed.release);
    const tenants = await Tenants.open({
      dir: this.#config.modelDir,
      release: sealed.release,
      clock: this.#clock,
      log: this.#log,
    });
    state?.checkAccess(sealed.release.modelId, tenants?.version);
    const runtime = await engineRuntime(sealed.manifest.engine);
    try {
      this.#options.confine?.(sealed.manifest.engine);
      await this.#findCollector();
      await this.#measure(sealed);
      await this.#direct?.certify((session) => this.#collect(session), sealed.releaseDigest);
      while (!signal.aborted) {
        const reason = await this.#session(sealed, { runtime, state, tenants });
        if (signal.aborted) return undefined;
        if (reason instanceof FastnessError && isFinal(reason)) return reason;
      }
      return undefined;
    } finally {
      await this.#devices?.close();
      await runtime.close();
    }
  }

  async #session(
    sealed: SealedModel,
    {
      runtime,
      state,
      tenants,
    }: { runtime: EngineRuntime; state: SealedState | undefined; tenants: Tenants | undefined },
  ): Promise<unknown> {
    const keys = await generateEnclaveKeys();
    const asking = this.#asking(sealed);
    const { tmpfsDir } = this.#config.memory;
    const memory = reserveMemory({ sealed, tmpfsDir, signal: this.#closing.signal });
    let key: ObtainedKey;
    try {
      key = await this.#waitForKey(asking, keys);
    } catch (error) {
      await memory.close();
      throw error;
    }
    try {
      await state?.accept(sealed.release, key.grants(), tenants?.version);
    } catch (error) {
      key.root.fill(0);
      key.hold({ onRenewed: () => undefined, onTrouble: () => undefined }).end();
      await memory.close();
      throw error;
    }
    return runSession({
      config: this.#config,
      sealed,
      tenants,
      runtime,
      keys,
      key,
      memory,
      collect: asking.collect,
      clock: this.#clock,
      closing: this.#closing.signal,
      facts: this.#facts,
      log: this.#log,
      enter: (state, error) => this.#enter(state, error),
      publish: (serving) => (this.#serving = serving),
    });
  }

  async #findCollector(): Promise<void> {
    this.#collector = await chooseCollector(this.#config.evidence);
    this.#facts.collector = this.#collector;
    requireHardwareRules({
      simulated: this.#collector.simulated,
      waivers: this.#config.waivers,
      clockSource: (this.#options.hardening ?? readHardening()).clockSource,
    });
    this.#devices = await chooseDevices(this.#config.devices);
    if (this.#devices.collectors.size > 0) {
      this.#log('info', 'devices', { labels: [...this.#devices.collectors.keys()].join(' ') });
    }
    if (this.#collector.simulated) {
      this.#log('warn', 'SIMULATED', { detail: 'The evidence is simulated: no hardware protects this enclave.' });
    }
  }

  /**
   * Before any key is asked for: what the enclave was told and which release it opens go into a register for good, so that a
   * verifier can see them, and a second configuration would show.
   */
  async #measure(sealed: SealedModel): Promise<void> {
    const { configDigest } = this.#options;
    const collector = this.#collector;
    if (collector?.extend === undefined) return;
    if (configDigest !== undefined) await collector.extend({ kind: 'configuration', digest: configDigest });
    await collector.extend({ kind: 'release', digest: sealed.releaseDigest });
    await collector.lock?.();
    this.#log('info', 'measured', { collector: collector.name });
  }

  #collect(session: SessionBinding): Promise<MachineEvidence> {
    if (this.#collector === undefined) throw new FastnessError('ENCLAVE_NOT_SERVING');
    return collectSession({ cpu: this.#collector, devices: this.#devices?.collectors ?? new Map() }, session);
  }

  #asking(sealed: SealedModel): ObtainKeyOptions {
    return {
      config: this.#config,
      sealed,
      collect: async (session) => {
        const evidence = await this.#collect(session);
        this.#log('info', 'attested');
        return evidence;
      },
      clock: this.#clock,
      fetch: this.#options.fetch ?? globalThis.fetch,
      signal: this.#closing.signal,
      log: this.#log,
      onTrouble: (error) => (this.#facts.error = error),
    };
  }

  /** Asks until the broker gives the key, or enough of several; a refusal is final and thrown. */
  async #waitForKey(asking: ObtainKeyOptions, keys: EnclaveKeys): Promise<ObtainedKey> {
    this.#enter('waiting-for-broker');
    for (let failures = 1; ; failures++) {
      try {
        return await obtainKey(asking, keys);
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

  #requireServing(): Serving {
    if (this.#serving !== undefined) return this.#serving;
    throw new FastnessError(this.#lost ? 'ENCLAVE_LEASE_LOST' : 'ENCLAVE_NOT_SERVING', `It is ${this.state}.`);
  }

  #enter(state: EnclaveState, error?: unknown): void {
    this.#facts.state = state;
    if (state === 'lease-lost' || state === 'serving') this.#lost = state === 'lease-lost';
    this.#facts.error = error instanceof FastnessError ? error : undefined;
    const fields = error === undefined ? {} : errorFields(error);
    this.#log(state === 'lease-lost' ? 'error' : 'info', state, fields);
  }

  async #stop(error: unknown): Promise<void> {
    const reason = this.#closing.signal.aborted ? undefined : asFastness(error);
    this.#enter('stopped', reason);
    await this.#listener?.close(0);
    await this.#direct?.close(0);
    this.#ended.resolve(reason);
  }
}

function asFastness(error: unknown): FastnessError | undefined {
  if (error === undefined || error instanceof FastnessError) return error;
  return new FastnessError('ENCLAVE_UNFORESEEN', error instanceof Error ? error.name : undefined, { cause: error });
}
