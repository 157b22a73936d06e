import type { ChannelProtocol } from '@fastness/channel';
import { FastnessError } from '@fastness/codec/errors';
import type { TrafficProfileName } from '@fastness/model/release';

/**
 * What the owner promised in the release goes before what the configuration asks for: EHBP shows path and status of every answer,
 * which no traffic profile can hide. Throws ENCLAVE_CONFIG.
 */
export function requireAdapters(adapters: readonly ChannelProtocol[], promised: TrafficProfileName | undefined): void {
  if (promised === undefined || promised === 'off' || !adapters.includes('ehbp')) return;
  throw new FastnessError('ENCLAVE_CONFIG', `/adapters: ehbp breaks the promise of the release, traffic ${promised}.`);
}
