import { resolve } from 'node:path';
import { Command } from 'commander';
import { makeBrokerCard } from '@fastness/broker';
import { action } from '../support/command.ts';
import { readHomeConfig, writeJson } from '../support/home.ts';
import { fingerprintOf, homeIntake, makeHomeIntake } from '../support/share-intake.ts';
import { keyIds, openStore } from '../support/stores.ts';

interface CardOptions {
  readonly out: string;
  readonly renew?: boolean;
}

export function cardCommand(): Command {
  return new Command('card')
    .description("write the card of this home's broker, for owners who share a model's key between several brokers")
    .option('--out <file>', 'where to write it', 'card.json')
    .option(
      '--renew',
      'with a new key for shares; shares that were sealed to the one before can no longer be published',
    )
    .action(
      action<CardOptions>(async ({ home, output }, options) => {
        await readHomeConfig(home);
        await using keyStore = await openStore(home, 'kek');
        await using signer = await openStore(home, 'broker');
        const before = options.renew === true ? undefined : await homeIntake(home);
        const intake = before ?? (await makeHomeIntake(home, keyStore));
        const card = await makeBrokerCard({ signer: { keyStore: signer, keyId: keyIds.broker }, intake });
        const file = resolve(options.out);
        await writeJson(file, card, 0o644);
        const fingerprint = fingerprintOf(card.brokerKey);
        output.step('card-written', `Card of the broker with key ${fingerprint} in ${file}`, { file, fingerprint });
        output.detail('Whoever seals a model to it should hear this fingerprint from you by another way.');
        if (before === undefined) output.detail('A broker that runs already takes shares in once it is started again.');
      }),
    );
}
