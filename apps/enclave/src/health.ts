import { toHex } from '@fastness/codec';
import type { FastnessError } from '@fastness/codec/errors';
import type { Collector } from '@fastness/evidence';
import type { SealedModel } from './boot/sealed-model.ts';
import type { Permission } from './lease.ts';
import type { EnclaveState } from './state.ts';

/** What GET /health is made of. */
export interface HealthFacts {
  state: EnclaveState;
  /** What keeps the enclave from serving, or from renewing its lease. */
  error?: FastnessError | undefined;
  sealed?: SealedModel | undefined;
  collector?: Collector | undefined;
}

/**
 * GET /health: anybody may ask, through the relay too, so it says no more than whether there is something to talk to and
 * what. How the process is hardened, what is waived and why, sizes and versions are in the log, for operators. Nothing
 * here is proof of anything: who wants proof asks for an attestation and verifies it.
 */
export function healthOf(facts: HealthFacts, lease: Permission | undefined): { healthy: boolean; body: object } {
  const { state, error, sealed, collector } = facts;
  return {
    healthy: state === 'serving',
    body: {
      status: state,
      // Codes and next steps are fixed texts; details are not.
      ...(error === undefined ? {} : { problem: { code: error.code, next: error.next } }),
      ...(collector === undefined
        ? {}
        : {
            simulated: collector.simulated,
            ...(collector.simulated ? { warning: 'SIMULATED: no hardware protects this enclave' } : {}),
          }),
      ...(sealed === undefined
        ? {}
        : {
            model: sealed.manifest.modelId,
            release: { digest: toHex(sealed.releaseDigest), version: sealed.release.version },
          }),
      ...(lease === undefined ? {} : { lease: { secondsLeft: Math.max(0, Math.floor(lease.remainingMs() / 1000)) } }),
    },
  };
}
