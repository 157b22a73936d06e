import { attestErrors } from './attest.ts';
import { brokerErrors } from './broker.ts';
import { brokerStoreErrors } from './broker-store.ts';
import { channelTlsErrors } from './channel-tls.ts';
import { channelErrors } from './channel.ts';
import { cliErrors } from './cli.ts';
import { clientErrors } from './client.ts';
import { codecErrors } from './codec.ts';
import { enclaveErrors } from './enclave.ts';
import { endorsementErrors } from './endorsements.ts';
import { evidenceErrors } from './evidence.ts';
import { provideErrors } from './facts.ts';
import { freshnessErrors } from './freshness.ts';
import { initErrors } from './init.ts';
import { keysCloudErrors } from './keys-cloud.ts';
import { keysHsmErrors } from './keys-hsm.ts';
import { keySharesErrors } from './key-shares.ts';
import { keysErrors } from './keys.ts';
import { lifecycleErrors } from './lifecycle.ts';
import { logErrors } from './log.ts';
import { modelErrors } from './model.ts';
import { quorumErrors } from './quorum.ts';
import { rcarErrors } from './rcar.ts';
import { relayErrors } from './relay.ts';
import { testkitErrors } from './testkit.ts';
import { tpmDeviceErrors } from './tpm-device.ts';
import { vsockErrors } from './vsock.ts';

/** Every error code of Fastness. Codes are stable: tests, HTTP problem details, exit codes and docs share them. */
export const errorRegistry = Object.freeze({
  ...codecErrors,
  ...attestErrors,
  ...evidenceErrors,
  ...tpmDeviceErrors,
  ...freshnessErrors,
  ...endorsementErrors,
  ...keysErrors,
  ...keysCloudErrors,
  ...keysHsmErrors,
  ...logErrors,
  ...modelErrors,
  ...keySharesErrors,
  ...channelErrors,
  ...channelTlsErrors,
  ...clientErrors,
  ...brokerErrors,
  ...brokerStoreErrors,
  ...lifecycleErrors,
  ...quorumErrors,
  ...rcarErrors,
  ...enclaveErrors,
  ...initErrors,
  ...vsockErrors,
  ...relayErrors,
  ...cliErrors,
  ...testkitErrors,
} as const);

export type ErrorCode = keyof typeof errorRegistry;

// Whoever loads the registry can explain every code.
provideErrors(errorRegistry);

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(errorRegistry, value);
}
