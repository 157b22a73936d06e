import { Argument, Command, Option } from 'commander';
import { encodePem } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { algorithmsOf, type KeyAlgorithm, type KeyInfo, type KeyPurpose, type ManagedKeyStore } from '@fastness/keys';
import { keyIdOf } from '@fastness/model/release';
import { action } from '../support/command.ts';
import { changeBrokerKey, listBrokerKeys } from '../support/broker-keys.ts';
import { parseDuration } from '../support/format.ts';
import { diagnoseStore } from '../support/key-doctor.ts';
import { openNamedStore } from '../support/named-store.ts';
import { duration, wholeNumber } from '../support/option-values.ts';
import type { Context } from '../support/run.ts';

interface StoreOptions {
  readonly store: string;
  readonly atBroker?: boolean;
  readonly url?: string;
}

/** How long a key must have been disabled before it is destroyed: time for whoever misses it to say so. */
const defaultDelay = '7d';

export function keysCommand(): Command {
  const keys = new Command('keys').description(
    'the keys of a store: list, create, show in public, rotate, disable, destroy, and what an HSM can do',
  );
  keys.addCommand(
    brokerToo(subcommand('list', 'every key with its versions')).action(
      action<StoreOptions>(async (context, options) => {
        if (atBroker(options)) return await listBrokerKeys(context, options.url);
        return await withStore(context, options, async (store) => {
          const list = await store.list();
          const lines = list.length === 0 ? ['No keys.'] : list.map(describe);
          context.output.result({ store: store.description, kind: store.kind, hardware: store.hardware, keys: list }, [
            ...lines,
            `Store: ${store.description}.`,
          ]);
        });
      }),
    ),
  );
  keys.addCommand(
    subcommand('public', 'the public key of a signing key as PEM, for `owners add`, a certificate, or another verifier')
      .addArgument(idArgument())
      .action(
        action<StoreOptions>(async (context, options, [id = '']) =>
          withStore(context, options, async (store) => {
            const publicKey = await store.publicKey(id);
            const pem = encodePem(publicKey, 'PUBLIC KEY');
            context.output.result({ id, store: store.description, pem, keyId: await keyIdOf(publicKey) }, [
              pem.trimEnd(),
            ]);
          }),
        ),
      ),
  );
  keys.addCommand(
    subcommand('create', 'make a key')
      .addArgument(idArgument())
      .addOption(new Option('--purpose <purpose>', 'wrap or sign').choices(['wrap', 'sign']).makeOptionMandatory())
      .addOption(
        new Option('--algorithm <name>', 'default: AES-256-GCM to wrap, P-384 to sign').choices([
          ...algorithmsOf.wrap,
          ...algorithmsOf.sign,
        ]),
      )
      .action(
        action<StoreOptions & { purpose: KeyPurpose; algorithm?: KeyAlgorithm }>(async (context, options, [id = '']) =>
          withStore(context, options, async (store) => {
            const { purpose, algorithm = purpose === 'wrap' ? 'AES-256-GCM' : 'P-384' } = options;
            tell(context, 'key-created', 'Created', await store.create({ id, purpose, algorithm }), store);
          }),
        ),
      ),
  );
  keys.addCommand(
    brokerToo(subcommand('rotate', 'give a wrapping key a new version; what the old ones wrapped still opens'))
      .addArgument(idArgument())
      .action(
        action<StoreOptions>(async (context, options, [id = '']) => {
          if (atBroker(options)) return await changeBrokerKey(context, { change: 'rotate', keyId: id }, options.url);
          return await withStore(context, options, async (store) =>
            tell(context, 'key-rotated', 'Rotated', await store.rotate(id), store),
          );
        }),
      ),
  );
  keys.addCommand(
    subcommand(
      'retire',
      'destroy the versions of a wrapping key below one; what they wrapped is lost unless it was wrapped anew',
    )
      .addArgument(idArgument())
      .requiredOption('--before <version>', 'the lowest version that stays', wholeNumber(1))
      .requiredOption('--confirm <id>', 'the id once more: this cannot be undone')
      .action(
        action<StoreOptions & { before: number; confirm: string }>(async (context, options, [id = '']) => {
          confirm(id, options.confirm);
          await withStore(context, options, async (store) =>
            tell(
              context,
              'key-versions-retired',
              'Retired old versions of',
              await store.retire(id, options.before),
              store,
            ),
          );
        }),
      ),
  );
  for (const name of ['disable', 'enable'] as const) {
    keys.addCommand(
      brokerToo(
        subcommand(
          name,
          name === 'disable' ? 'take a key out of use until it is enabled' : 'take a disabled key back into use',
        ),
      )
        .addArgument(idArgument())
        .action(
          action<StoreOptions>(async (context, options, [id = '']) => {
            if (atBroker(options)) return await changeBrokerKey(context, { change: name, keyId: id }, options.url);
            return await withStore(context, options, async (store) =>
              tell(context, `key-${name}d`, name === 'disable' ? 'Disabled' : 'Enabled', await store[name](id), store),
            );
          }),
        ),
    );
  }
  keys.addCommand(
    brokerToo(subcommand('destroy', 'destroy a disabled key with all its versions, for good'))
      .addArgument(idArgument())
      .requiredOption('--confirm <id>', 'the id once more: this cannot be undone')
      .addOption(
        new Option(
          '--after <duration>',
          'how long it must have been disabled; at a broker, which disables it at once, how long it can still be cancelled',
        )
          .argParser(duration)
          .default(parseDuration(defaultDelay), defaultDelay),
      )
      .option('--now', 'do not wait')
      .action(
        action<StoreOptions & { confirm: string; after: number; now?: boolean }>(
          async (context, options, [id = '']) => {
            confirm(id, options.confirm);
            if (atBroker(options)) {
              if (options.now === true)
                throw new FastnessError('CLI_USAGE', 'A broker destroys after a delay only: --after.');
              const delaySeconds = Math.ceil(options.after / 1000);
              return await changeBrokerKey(
                context,
                { change: 'schedule-destruction', keyId: id, delaySeconds },
                options.url,
              );
            }
            return await withStore(context, options, async (store) => {
              const key = (await store.list()).find((each) => each.id === id);
              if (key === undefined) throw new FastnessError('KEYS_ID_UNKNOWN', id);
              requireDelay(key, options.now === true ? 0 : options.after, new Date());
              await store.destroy(id);
              context.output.step('key-destroyed', `Destroyed ${id}. What it wrapped cannot be opened any more.`, {
                id,
                store: store.description,
              });
            });
          },
        ),
      ),
  );
  keys.addCommand(
    new Command('cancel-destruction')
      .description('call off a destruction that the broker has scheduled; the key stays disabled')
      .addArgument(idArgument())
      .option('--url <url>', "the broker (default: the home's)")
      .action(
        action<{ url?: string }>(async (context, { url }, [id = '']) =>
          changeBrokerKey(context, { change: 'cancel-destruction', keyId: id }, url),
        ),
      ),
  );
  keys.addCommand(
    subcommand(
      'doctor',
      'what the store can do, found by doing it, and how many operations a second it manages',
    ).action(
      action<StoreOptions>(async (context, options) =>
        withStore(context, options, async (store) => diagnoseStore(context, store)),
      ),
    ),
  );
  return keys;
}

function subcommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--store <store>', 'kek, owner, broker, approver:NAME (of the home), or a URI', 'kek');
}

/** A broker writes what it does to a key into its log, and stops giving out what the key wraps; a store alone does neither. */
function brokerToo(command: Command): Command {
  return command
    .option('--at-broker', 'ask the running broker, which writes it into its log, instead of the store')
    .option('--url <url>', "with --at-broker: its address (default: the home's)");
}

/** Errors: CLI_USAGE. */
function atBroker({ atBroker: asked = false, store, url }: StoreOptions): boolean {
  if (asked && store !== 'kek') throw new FastnessError('CLI_USAGE', "--at-broker has the broker's own store.");
  if (!asked && url !== undefined) throw new FastnessError('CLI_USAGE', '--url belongs to --at-broker.');
  return asked;
}

function idArgument(): Argument {
  return new Argument('<id>', 'the id of the key');
}

function confirm(id: string, typed: string): void {
  if (id !== typed) throw new FastnessError('CLI_USAGE', '--confirm is not the id of the key.');
}

/** Errors: KEYS_NOT_DISABLED. */
function requireDelay({ id, disabledAt }: KeyInfo, milliseconds: number, now: Date): void {
  if (disabledAt === undefined) throw new FastnessError('KEYS_NOT_DISABLED', `${id} is enabled.`);
  const due = new Date(Date.parse(disabledAt) + milliseconds);
  if (now < due) {
    throw new FastnessError(
      'KEYS_NOT_DISABLED',
      `${id} is disabled since ${disabledAt}; it may be destroyed from ${due.toISOString()} (or with --now).`,
    );
  }
}

async function withStore(
  { home }: Context,
  { store: name }: StoreOptions,
  work: (store: ManagedKeyStore) => Promise<void>,
): Promise<void> {
  await using store = await openNamedStore(home, name);
  await work(store);
}

function describe({ id, purpose, algorithm, version, versions, createdAt, disabledAt }: KeyInfo): string {
  const held = versions.length > 1 ? ` (${versions.length} held, from ${versions[0]})` : '';
  const state = disabledAt === undefined ? '' : `  DISABLED since ${disabledAt}`;
  return `${id}  ${purpose}  ${algorithm}  version ${version}${held}  created ${createdAt}${state}`;
}

function tell({ output }: Context, event: string, verb: string, key: KeyInfo, store: ManagedKeyStore): void {
  output.step(event, `${verb} ${describe(key)}`, { ...key, store: store.description, hardware: store.hardware });
}
