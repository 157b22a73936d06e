import { basename } from 'node:path';
import { Command } from 'commander';
import {
  rewrappedSchema,
  wrappingKeyChangedSchema,
  type WrappingKeyChange,
  type WrappingKeyChanged,
} from '@fastness/broker';
import { FastnessError } from '@fastness/codec/errors';
import { toHex } from '@fastness/codec';
import { wrappedKeyToJson } from '@fastness/keys';
import { readReleasePackage } from '@fastness/model';
import { releaseDigestOf } from '@fastness/model/release';
import { callBrokerAdmin } from '../support/broker-admin.ts';
import { action } from '../support/command.ts';
import { modelDirectory } from '../support/home.ts';
import { rotateModel, rotationJournal, type RotatedModel } from '../support/rotation.ts';
import type { Context } from '../support/run.ts';
import { openStore } from '../support/stores.ts';

interface RotateOptions {
  readonly model?: string;
  readonly retireOld?: boolean;
  readonly url?: string;
  readonly wrappingKey?: string;
}

export function rotateCommand(): Command {
  return new Command('rotate')
    .description(
      "give a model's wrapping key a new version and wrap the model's key under it; sealed files stay as they are",
    )
    .option('--model <id>', 'the sealed model (default: the one sealed last)')
    .option('--wrapping-key <id>', 'have the broker rotate this key of its own, and wrap all that it holds under it')
    .option('--retire-old', 'have the broker refuse what older versions wrapped, for good')
    .option('--url <url>', "the broker (default: the home's)")
    .action(
      action<RotateOptions>(async (context, options) => {
        const { output } = context;
        if (options.wrappingKey !== undefined && options.model !== undefined)
          throw new FastnessError('CLI_USAGE', '--wrapping-key is a key of the broker, for all that it wraps.');
        const { keyId, version } = await (options.wrappingKey === undefined
          ? rotateOwn(context, options)
          : rotateAtBroker(context, options, options.wrappingKey));
        if (options.retireOld !== true) return;
        await changeAtBroker(context, options, { change: 'minimum-version', keyId, minimumVersion: version });
        output.step('minimum-raised', `The broker takes nothing that ${keyId} wrapped before version ${version}`, {
          keyId,
          minimumVersion: version,
        });
      }),
    );
}

type Rotated = Pick<RotatedModel, 'keyId' | 'version'>;

async function rotateOwn({ home, output, signal }: Context, options: RotateOptions): Promise<Rotated> {
  const dir = await modelDirectory(home, options.model);
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
        ...(options.url === undefined ? {} : { url: options.url }),
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
  return { keyId, version };
}

/** Shares of keys lie with the broker alone, so it rotates what wraps them; keys.json has nothing to rewrap. */
async function rotateAtBroker(context: Context, options: RotateOptions, keyId: string): Promise<Rotated> {
  const { version, rewrapped } = await changeAtBroker(context, options, { change: 'rotate', keyId });
  if (version === undefined || rewrapped === undefined)
    throw new FastnessError('CLI_ADMIN_ANSWER', 'It names no version.');
  const text = `The broker rotated ${keyId} to version ${version}; ${rewrapped} release(s) are wrapped under it`;
  context.output.step('rotated', text, { keyId, version, rewrapped });
  return { keyId, version };
}

function changeAtBroker(
  { home, signal }: Context,
  { url }: RotateOptions,
  body: WrappingKeyChange,
): Promise<WrappingKeyChanged> {
  return callBrokerAdmin(home, {
    method: 'POST',
    path: '/v1/admin/wrapping-keys',
    body,
    answer: wrappingKeyChangedSchema,
    signal,
    ...(url === undefined ? {} : { url }),
  });
}
