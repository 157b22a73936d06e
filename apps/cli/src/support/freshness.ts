import type { Command } from 'commander';
import {
  brokerFreshnessSchema,
  openAnchor,
  type BrokerFreshnessConfig,
  type BrokerFreshnessOptions,
} from '@fastness/broker';
import { FastnessError } from '@fastness/codec/errors';
import type { FreshnessAnchor } from '@fastness/evidence/freshness';
import type { Output } from './output.ts';

export interface FreshnessOptions {
  readonly freshness?: string;
  readonly freshnessPassword?: string;
  readonly freshnessName?: string;
  readonly ownerPassword?: string;
  readonly epochSeconds?: string;
  readonly adoptState?: boolean;
}

export const ANCHOR_KINDS =
  'tpm:hardware:/dev/tpmrm0, tpm:device:PATH, tpm:swtpm:SOCKET, sqlite:PATH, postgresql://USER@HOST/DATABASE, witnesses or none';

/** Options of what keeps a state from being put back. */
export function withFreshnessOptions(command: Command): Command {
  return command
    .option('--freshness <anchor>', `what keeps the state from being put back: ${ANCHOR_KINDS} (default: none)`)
    .option('--freshness-password <file>', 'file with the password of the TPM indexes, or of the PostgreSQL user')
    .option(
      '--freshness-name <name>',
      'row of an anchor in a database, or end of the name that witnesses know, one for each broker (default: broker)',
    )
    .option('--owner-password <file>', "file with the password of the TPM's owner")
    .option('--epoch-seconds <seconds>', 'how long key releases and leases may go without being anchored (default: 60)')
    .option(
      '--adopt-state',
      'take the state as it is, whatever its anchor says: for one start, after docs/rollback.md',
    );
}

/** Throws FRESHNESS_CONFIG. */
export function freshnessConfig(options: FreshnessOptions): BrokerFreshnessConfig {
  const { freshness: anchor = 'none', freshnessPassword, freshnessName, ownerPassword, epochSeconds } = options;
  const config = brokerFreshnessSchema.safeParse({
    anchor,
    ...(freshnessPassword === undefined ? {} : { passwordPath: freshnessPassword }),
    ...(freshnessName === undefined ? {} : { name: freshnessName }),
    ...(ownerPassword === undefined ? {} : { ownerPasswordPath: ownerPassword }),
    ...(epochSeconds === undefined ? {} : { epochSeconds: Number(epochSeconds) }),
  });
  if (!config.success) throw new FastnessError('FRESHNESS_CONFIG', config.error.issues[0]?.path.join('.'));
  return config.data;
}

/** For a broker: nothing without an anchor, which is said loudly. `show` says what the anchor is, once it is open. */
export function brokerFreshness(
  options: FreshnessOptions,
  output: Output,
): { readonly options: { readonly freshness?: BrokerFreshnessOptions }; show(): void } {
  const config = freshnessConfig(options);
  if (config.anchor === 'none') {
    if (options.adoptState === true) throw new FastnessError('FRESHNESS_CONFIG', '--adopt-state needs --freshness.');
    return {
      options: {},
      show: () => {
        output.warn('NO ROLLBACK PROTECTION: who restores database and log together brings back what was revoked.');
      },
    };
  }
  let anchor: FreshnessAnchor | undefined;
  return {
    options: {
      freshness: {
        anchor: async (host) => (anchor = await openAnchor(config, host)),
        ...(config.epochSeconds === undefined ? {} : { epochSeconds: config.epochSeconds }),
        adopt: options.adoptState ?? false,
      },
    },
    show: () => {
      if (anchor === undefined) return;
      output.detail(`Rollback protection: ${anchor.description}; ${anchor.trust}.`);
      if (options.adoptState === true) output.warn('The state was adopted as it is. Start without --adopt-state now.');
    },
  };
}
