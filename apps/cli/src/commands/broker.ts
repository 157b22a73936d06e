import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { vendorAnchors } from '@fastness/attest';
import { openEndorsements, parseBrokerPolicy, startBroker } from '@fastness/broker';
import { action } from '../support/command.ts';
import { completionOf, withSourceOptions, type SourceOptions } from '../support/endorsements.ts';
import {
  brokerAdministrators,
  withAdministratorsOptions,
  type AdministratorsOptions,
} from '../support/broker-administrators.ts';
import { brokerDatabaseOptions, withDatabaseOptions, type DatabaseOptions } from '../support/broker-database.ts';
import { brokerWitnesses, withWitnessOptions, type WitnessOptions } from '../support/broker-witnesses.ts';
import { brokerFreshness, withFreshnessOptions, type FreshnessOptions } from '../support/freshness.ts';
import { readPolicyDocument } from '../support/attest/policy-file.ts';
import { parseDuration } from '../support/format.ts';
import { readHomeConfig } from '../support/home.ts';
import { homeQuorum } from '../support/quorum.ts';
import { homeIntake } from '../support/share-intake.ts';
import { untilAborted } from '../support/run.ts';
import { keyIds, openStore } from '../support/stores.ts';

interface BrokerOptions
  extends SourceOptions, FreshnessOptions, DatabaseOptions, WitnessOptions, AdministratorsOptions {
  readonly listen?: string;
  readonly rotateEvery?: number;
}

function parseInterval(text: string): number {
  const value = parseDuration(text);
  if (value === undefined || value < 3_600_000) throw new InvalidArgumentError('one hour or more, such as 30d.');
  return Math.floor(value / 1000);
}

export function brokerCommand(): Command {
  return withWitnessOptions(
    withFreshnessOptions(
      withDatabaseOptions(
        withAdministratorsOptions(
          withSourceOptions(new Command('broker'), 'fetch what enclaves do not send, and keep it in this folder'),
        ),
      ),
    ),
  )
    .description('run the key broker: it verifies evidence and releases model keys to attested enclaves')
    .option('--listen <url>', "address to listen on (default: the home's brokerUrl)")
    .option(
      '--rotate-every <duration>',
      'give the model KEK a new version when the last is this old, such as 30d, and wrap what it wraps anew',
      parseInterval,
    )
    .action(
      action<BrokerOptions>(async ({ home, output, signal }, options) => {
        const config = await readHomeConfig(home);
        const { policy } = parseBrokerPolicy((await readPolicyDocument(home.brokerPolicyFile, new Date())).document);
        await using keyStore = await openStore(home, 'kek');
        await using signer = await openStore(home, 'broker');
        const { endorsementsCache: cachePath, kds, pccs, offline = false } = options;
        const { update } = completionOf(options);
        const freshness = brokerFreshness(options, output);
        const shareIntake = await homeIntake(home);
        const broker = await startBroker({
          ...freshness.options,
          ...brokerWitnesses(options),
          ...(cachePath === undefined
            ? {}
            : {
                completeEndorsements: await openEndorsements(
                  {
                    cachePath,
                    update,
                    offline,
                    prefer: 'fetched',
                    ...(kds === undefined ? {} : { amd: kds }),
                    ...(pccs === undefined ? {} : { pccs }),
                  },
                  { anchors: vendorAnchors },
                ),
              }),
          ...(await brokerAdministrators(home, options.listen ?? config.brokerUrl, options)),
          ...brokerDatabaseOptions(home, config.brokerDatabase, options),
          auditPath: join(home.brokerDirectory, 'audit.jsonl'),
          keyStore,
          signer: { keyStore: signer, keyId: keyIds.broker },
          policy,
          ...(await homeQuorum(home)),
          ...(options.rotateEvery === undefined
            ? {}
            : { lifecycle: { rotation: [{ keyId: keyIds.kek, everySeconds: options.rotateEvery }] } }),
          ...(shareIntake === undefined ? {} : { shareIntake }),
        });
        output.step('listening', `Broker on ${broker.url}`, {
          url: broker.url,
          keyStore: keyStore.description,
          logKey: broker.logKey,
        });
        output.detail(`Key stores: ${keyStore.description}.`);
        freshness.show();
        output.detail(`Log: ${broker.url}/v1/log/, key ${broker.logKey}`);
        await untilAborted(signal);
        await broker.close();
      }),
    );
}
