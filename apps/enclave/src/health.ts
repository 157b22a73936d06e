import { toHex } from '@fastness/codec';
import type { FastnessError } from '@fastness/codec/errors';
import type { Collector } from '@fastness/evidence';
import type { SealedModel } from './boot/sealed-model.ts';
import type { EnclaveConfig } from './config.ts';
import type { EngineInfo } from './engine/engine.ts';
import type { Lease } from './lease.ts';
import type { HardeningFacts, MemoryKind } from './memory/index.ts';
import type { EnclaveState } from './state.ts';

/** What the enclave knows about itself. No secrets: all of it is shown. */
export interface HealthFacts {
  state: EnclaveState;
  /** What keeps the enclave from serving, or from renewing its lease. */
  error?: FastnessError | undefined;
  sealed?: SealedModel | undefined;
  collector?: Collector | undefined;
  engine?: EngineInfo | undefined;
  memory?: { readonly kind: MemoryKind; readonly locked: boolean } | undefined;
  readonly hardening: HardeningFacts | undefined;
  readonly config: EnclaveConfig;
}

/**
 * GET /health, for operators: nothing here is proof of anything. Who wants proof asks for an attestation and verifies it.
 */
export function healthOf(facts: HealthFacts, lease: Lease | undefined): { healthy: boolean; body: object } {
  const { state, error, sealed, collector, engine, memory, hardening, config } = facts;
  const { bodyBytes, messages, inputs, maxTokens, requestSeconds } = config.limits;
  return {
    healthy: state === 'serving',
    body: {
      status: state,
      ...(error === undefined ? {} : { problem: { code: error.code, detail: error.detail, next: error.next } }),
      ...(collector === undefined
        ? {}
        : {
            evidence: collector.name,
            simulated: collector.simulated,
            ...(collector.simulated ? { warning: 'SIMULATED: no hardware protects this enclave' } : {}),
          }),
      ...(sealed === undefined
        ? {}
        : {
            model: sealed.manifest.modelId,
            task: sealed.manifest.task,
            release: {
              digest: toHex(sealed.releaseDigest),
              version: sealed.release.version,
              expires: sealed.release.expires,
            },
          }),
      ...(engine === undefined ? {} : { engine }),
      ...(memory === undefined ? {} : { memory }),
      ...(lease === undefined ? {} : { lease: { secondsLeft: Math.max(0, Math.floor(lease.remainingMs() / 1000)) } }),
      hardening: hardening ?? 'none: the process was started without it',
      waivers: config.waivers,
      limits: { bodyBytes, messages, inputs, maxTokens, requestSeconds },
    },
  };
}
