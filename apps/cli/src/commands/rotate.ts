import { basename } from 'node:path';
import { Command } from 'commander';
import { rewrappedSchema, wrappingKeyChangedSchema } from '@fastness/broker';
import { FastnessError } from '@fastness/codec/errors';
import { toHex } from '@fastness/codec';
import { wrappedKeyToJson } from '@fastness/keys';
import { readReleasePackage } from '@fastness/model';
import { releaseDigestOf } from '@fastness/model/release';
import { callBrokerAdmin } from '../support/broker-admin.ts';
import { action } from '../support/command.ts';
import { modelDirectory } from '../support/home.ts';
import { rotateModel, rotationJournal } from '../support/rotation.ts';
import { openStore } from '../support/stores.ts';

interface RotateOptions {
  readonly model?: string;
  readonly retireOld?: boolean;
  readonly url?: string;
}

export function rotateCommand(): Command {
  return new Command('rotate')
    .description(
      "give a model's wrapping key a new version and wrap the model's key under it; sealed files stay as they are",
    )
    .option('--model <id>', 'the sealed model (default: the one sealed last)')
    .option('--retire-old', 'have the broker refuse what older versions wrapped, for good')
    .option('--url <url>', "the broker (default: the home's)")
    .action(
      action<RotateOptions>(async ({ home, output, signal }, options) => {
        const dir = await modelDirectory(home, options.model);
        const url = options.url === undefined ? {} : { url: options.url };
        const releaseDigest = toHex(await releaseDigestOf((await readReleasePackage(dir)).bundle));
        await using keyStore = await openStore(home, 'kek');
        const { modelId, keyId, version, resumed } = await rotateModel({
          dir,
          keyStore,
          journalPath: rotationJournal(home.runDirectory, basename(dir)),
          register: async (root) => {
            const answer = await callBrokerAdmin(home, {
              method: 'PUT',
              path: '/v1/admin/wrapped-keys',
              body: { releaseDigest, keys: { format: 'fastness/keys/v1', root: wrappedKeyToJson(root) } },
              answer: rewrappedSchema,
              signal,
              ...url,
            });
            if (answer.releaseDigest !== releaseDigest || answer.wrappingKeyVersion !== root.keyVersion)
              throw new FastnessError('CLI_ADMIN_ANSWER', 'It names another release or version.');
          },
        });
        output.step(
          'rotated',
          `${resumed ? 'Finished the rotation of' : 'Rotated'} ${keyId} to version ${version}; ${modelId} is wrapped under it`,
          { modelId, keyId, version, resumed, releaseDigest },
        );
        if (options.retireOld !== true) return;
        await callBrokerAdmin(home, {
          method: 'POST',
          path: '/v1/admin/wrapping-keys',
          body: { change: 'minimum-version', keyId, minimumVersion: version },
          answer: wrappingKeyChangedSchema,
          signal,
          ...url,
        });
        output.step('minimum-raised', `The broker takes nothing that ${keyId} wrapped before version ${version}`, {
          keyId,
          minimumVersion: version,
        });
      }),
    );
}
