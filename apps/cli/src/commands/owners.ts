import { Command } from 'commander';
import { decodePem, fromBase64Url, toBase64Url } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { keyIdOf, type OwnerRoot } from '@fastness/model/release';
import { action } from '../support/command.ts';
import { readHomeConfig, readText, type Home } from '../support/home.ts';
import { openNamedStore } from '../support/named-store.ts';
import { collect, duration, wholeNumber } from '../support/option-values.ts';
import {
  draftFile,
  draftNext,
  pinOwners,
  publishDraft,
  readDraft,
  readOwners,
  signaturesOf,
  signDraft,
  type OwnersDraft,
} from '../support/owners.ts';
import type { Context } from '../support/run.ts';
import { keyIds } from '../support/stores.ts';

interface SetOptions {
  readonly key?: string[];
  readonly threshold?: number;
  readonly expiresIn?: number;
}

interface SignOptions {
  readonly store: string;
  readonly keyId: string;
  readonly draft?: string;
}

/** `fastness owners`: sets of owner keys that follow each other, as the root role of TUF does. */
export function ownersCommand(): Command {
  return new Command('owners')
    .description('the owners of models: replace their keys without anybody having to trust new ones on your word')
    .addCommand(
      withSetOptions(new Command('init'))
        .description("pin a first set of owner keys in both policies of this home (default: the home's owner key)")
        .action(action<SetOptions>(init)),
    )
    .addCommand(
      withSetOptions(new Command('add'))
        .description('begin the next set, with further keys')
        .action(action<SetOptions>((context, options) => change(context, options, []))),
    )
    .addCommand(
      withSetOptions(new Command('remove'))
        .description('begin the next set, without these keys')
        .argument('<key-id...>', 'SHA-256 of the key as PEM, as `show` prints it, or its first 8 digits or more')
        .action(action<SetOptions>((context, options, ids) => change(context, options, ids))),
    )
    .addCommand(
      withSetOptions(new Command('renew'))
        .description('begin the next set, with the same keys and a later end')
        .action(action<SetOptions>((context, options) => change(context, options, []))),
    )
    .addCommand(signCommand())
    .addCommand(
      new Command('publish')
        .description('make the signed set the last one: in this home, its policies and its sealed models')
        .option('--draft <file>', "the set that was begun and signed (default: the home's)")
        .action(action<{ draft?: string }>(publish)),
    )
    .addCommand(
      new Command('show')
        .description('the set of owner keys in force, and the one that was begun')
        .action(action(show)),
    );
}

function withSetOptions(command: Command): Command {
  return command
    .option('--key <file>', 'PEM file with a public key (P-256, P-384 or P-521), repeatable', collect)
    .option(
      '--threshold <count>',
      'how many keys sign the set after this one (default: as before, or 1)',
      wholeNumber(1, 16),
    )
    .option('--expires-in <duration>', 'after which nothing is accepted under this set (default: 365d)', duration);
}

const endOf = ({ expiresIn = 365 * 86_400_000 }: SetOptions): string =>
  new Date(Math.floor((Date.now() + expiresIn) / 1000) * 1000).toISOString();

async function keysOf({ key = [] }: SetOptions): Promise<string[]> {
  return await Promise.all(key.map(async (file) => toBase64Url(publicKeyIn(file, await readText(file)))));
}

function publicKeyIn(file: string, text: string): Uint8Array {
  const [key, ...more] = decodePem(text, 'PUBLIC KEY');
  if (key === undefined || more.length > 0) throw new FastnessError('CLI_USAGE', `${file}: one public key, please.`);
  return key;
}

async function init({ home, output }: Context, options: SetOptions): Promise<void> {
  await readHomeConfig(home);
  const keys = await keysOf(options);
  if (keys.length === 0) {
    await using store = await openNamedStore(home, 'owner');
    keys.push(toBase64Url(await store.publicKey(keyIds.owner)));
  }
  const root: OwnerRoot = {
    format: 'fastness/owners/v1',
    version: 1,
    expires: endOf(options),
    threshold: options.threshold ?? 1,
    keys,
  };
  await pinOwners(home, root);
  output.step('owners-pinned', `Owners pinned: ${line(root)}`, await factsOf(root));
  output.detail('Both policies of this home name them. Give clients policy/client.json, and start the broker again.');
}

async function change({ home, output }: Context, options: SetOptions, ids: string[]): Promise<void> {
  const added = await keysOf(options);
  const { last } = await readOwners(home);
  const removed = await Promise.all(ids.map((id) => findKey(home, last, id)));
  const draft = await draftNext(home, ({ keys, threshold }) => {
    const kept = [...new Set([...keys, ...added])].filter((key) => !removed.includes(key));
    return { keys: kept, threshold: options.threshold ?? threshold, expires: endOf(options) };
  });
  output.step('owners-begun', `Begun: ${line(draft.root)}`, { ...(await factsOf(draft.root)), draft: draftFile(home) });
  tellSignatures(output, draft);
}

async function findKey(home: Home, last: OwnerRoot, id: string): Promise<string> {
  const { root } = await readDraft(draftFile(home)).catch(() => ({ root: last }));
  if (!/^[0-9a-f]{8,64}$/.test(id)) throw new FastnessError('CLI_USAGE', `${id} is no id of a key.`);
  const found: string[] = [];
  for (const key of new Set([...last.keys, ...root.keys])) {
    if ((await keyIdOf(fromBase64Url(key))).startsWith(id)) found.push(key);
  }
  const [key, ...more] = found;
  if (key === undefined || more.length > 0)
    throw new FastnessError('CLI_USAGE', `${found.length} keys begin with ${id}.`);
  return key;
}

function signCommand(): Command {
  return new Command('sign')
    .description('sign the set that was begun, with a key of the old or of the new set')
    .option('--store <store>', 'owner, approver:NAME (of the home), or a URI such as pkcs11:...', 'owner')
    .option('--key-id <id>', 'the key in that store', keyIds.owner)
    .option('--draft <file>', "the set that was begun, as its maker sent it (default: the home's)")
    .action(
      action<SignOptions>(async ({ home, output }, { store: name, keyId, draft }) => {
        await using store = await openNamedStore(home, name);
        const signer = {
          publicKey: await store.publicKey(keyId),
          sign: (message: Uint8Array) => store.sign(keyId, message),
        };
        const signed = await signDraft(draft ?? draftFile(home), signer);
        const id = await keyIdOf(signer.publicKey);
        output.step('owners-signed', `Signed version ${signed.root.version} with key ${id}`, { keyId: id });
        tellSignatures(output, signed);
      }),
    );
}

function tellSignatures(output: Context['output'], draft: OwnersDraft): void {
  const count = signaturesOf(draft);
  output.detail(`signatures: ${count.old} of the ${draft.follows.threshold} that the old set asks for`);
  output.detail(`            ${count.new} of the ${draft.root.threshold} that the new set asks for`);
}

async function publish({ home, output }: Context, { draft }: { draft?: string }): Promise<void> {
  const root = await publishDraft(home, draft ?? draftFile(home), new Date());
  output.step('owners-published', `In force: ${line(root)}`, await factsOf(root));
  output.detail('Start the broker again, or give it the policy. Clients that follow sets take it from the enclaves.');
}

async function show({ home, output }: Context): Promise<void> {
  const { trusted, last } = await readOwners(home);
  const draft = await readDraft(draftFile(home)).catch(() => undefined);
  const begun =
    draft === undefined ? {} : { begun: { ...(await factsOf(draft.root)), signatures: signaturesOf(draft) } };
  output.result({ trusted: trusted.version, ...(await factsOf(last)), ...begun }, [
    `Owners: ${line(last)}`,
    ...(await idsOf(last)).map((id) => `  ${id}`),
    `  pinned: version ${trusted.version}`,
    ...(draft === undefined ? [] : [`Begun: ${line(draft.root)}`, ...(await idsOf(draft.root)).map((id) => `  ${id}`)]),
  ]);
}

const idsOf = ({ keys }: OwnerRoot): Promise<string[]> => Promise.all(keys.map((key) => keyIdOf(fromBase64Url(key))));

function line({ version, threshold, keys, expires }: OwnerRoot): string {
  return `version ${version}, ${threshold} of ${keys.length} keys, until ${expires}`;
}

async function factsOf(root: OwnerRoot): Promise<Record<string, unknown>> {
  const { version, threshold, expires } = root;
  return { version, threshold, expires, keys: await idsOf(root) };
}
