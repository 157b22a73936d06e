import {
  wrappingKeyChangedSchema,
  wrappingKeysSchema,
  type WrappingKeyChange,
  type WrappingKeyChanged,
} from '@fastness/broker';
import { callBrokerAdmin } from './broker-admin.ts';
import type { Context } from './run.ts';

const path = '/v1/admin/wrapping-keys';

/** Changes a wrapping key at a running broker, which writes it into its log before it takes effect. */
export async function changeBrokerKey(context: Context, body: WrappingKeyChange, url?: string): Promise<void> {
  const { home, output, signal } = context;
  const answer = await callBrokerAdmin(home, {
    method: 'POST',
    path,
    body,
    answer: wrappingKeyChangedSchema,
    signal,
    ...(url === undefined ? {} : { url }),
  });
  output.step('broker-key-changed', textOf(body, answer), { change: body.change, ...answer });
}

/** Shows the wrapping keys that a broker has rotated, disabled, scheduled for destruction, or given a minimum. */
export async function listBrokerKeys({ home, output, signal }: Context, url?: string): Promise<void> {
  const answer = await callBrokerAdmin(home, {
    method: 'GET',
    path,
    answer: wrappingKeysSchema,
    signal,
    ...(url === undefined ? {} : { url }),
  });
  const lines = answer.keys.map(({ keyId, state, minimumVersion, rotatedAt, destroyAt }) =>
    [
      keyId,
      destroyAt === null ? state : `${state}, to be destroyed at ${destroyAt}`,
      `minimum version ${minimumVersion}`,
      ...(rotatedAt === null ? [] : [`rotated ${rotatedAt}`]),
    ].join('  '),
  );
  output.result({ ...answer }, [...lines, 'Wrapping keys that are not listed are as they were made.']);
}

function textOf({ change, keyId }: WrappingKeyChange, answer: WrappingKeyChanged): string {
  const { version, rewrapped, destroyAt, runningLeases } = answer;
  const leases = runningLeases === undefined ? '' : `; ${runningLeases} running lease(s) will not be renewed`;
  if (change === 'rotate')
    return `The broker rotated ${keyId} to version ${version}; ${rewrapped} release(s) are wrapped under it`;
  if (change === 'disable') return `The broker uses ${keyId} no more until it is enabled${leases}`;
  if (change === 'enable') return `The broker uses ${keyId} again`;
  if (change === 'cancel-destruction') return `The broker will not destroy ${keyId}; it stays disabled`;
  return `The broker has disabled ${keyId} and destroys it at ${destroyAt}${leases}`;
}
