import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fromBase64, fromBase64Url, toBase64, toBase64Url, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { readOwnerSets } from '@fastness/model';
import {
  encodeOwnerRoot,
  followOwnerRoots,
  importVerifyKey,
  keyIdOf,
  ownerRootSchema,
  ownerRootToSign,
  signatureFits,
  type OwnerRoot,
} from '@fastness/model/release';
import { z } from 'zod';
import { listModels, makePrivateDirectory, readJson, writeFileAtomic, writeJson, type Home } from './home.ts';

/** A set on its way: what is to be signed, what it follows, and who signed so far. Owners pass the file around. */
const draftSchema = z.strictObject({
  format: z.literal('fastness/owners-draft/v1'),
  follows: ownerRootSchema,
  root: ownerRootSchema,
  signatures: z.array(z.strictObject({ key: z.string().max(512), signature: z.string().max(512) })).max(32),
});
export type OwnersDraft = z.infer<typeof draftSchema>;

const policySchema = z.looseObject({
  ownerKeys: z.array(z.string()),
  ownerRoots: z.strictObject({ trusted: ownerRootSchema, chain: z.array(z.string()) }).optional(),
});

const folderOf = (home: Home): string => join(home.policyDirectory, 'owners');
export const draftFile = (home: Home): string => join(folderOf(home), 'draft.json');

/** The sets of a home: the one that is pinned, those that followed it, and the last. Throws OWNER_ROOT_..., CLI_USAGE. */
export async function readOwners(
  home: Home,
): Promise<{ readonly trusted: OwnerRoot; readonly chain: readonly string[]; readonly last: OwnerRoot }> {
  const parsed = policySchema.safeParse(await readJson(home.clientPolicyFile));
  const roots = parsed.success ? parsed.data.ownerRoots : undefined;
  if (roots === undefined) {
    throw new FastnessError(
      'CLI_USAGE',
      `${home.clientPolicyFile} has no ownerRoots: begin with \`fastness owners init\`.`,
    );
  }
  const chain = await readOwnerSets(folderOf(home));
  // The end is looked at by those who use a set; whoever replaces it may be late.
  const { root: last } = await followOwnerRoots({ trusted: roots.trusted, chain, now: new Date(0) });
  return { trusted: roots.trusted, chain, last };
}

/** Pins a first set in both policies of a home. Its keys become `ownerKeys`. */
export async function pinOwners(home: Home, trusted: OwnerRoot): Promise<void> {
  ownerRootToSign(trusted);
  for (const file of [home.clientPolicyFile, home.brokerPolicyFile]) {
    const policy = policySchema.safeParse(await readJson(file));
    if (!policy.success) throw new FastnessError('CLI_HOME_DAMAGED', file);
    if (policy.data.ownerRoots !== undefined) throw new FastnessError('CLI_USAGE', `${file} has ownerRoots already.`);
  }
  await makePrivateDirectory(folderOf(home));
  await updatePolicies(home, trusted, []);
}

async function updatePolicies(home: Home, trusted: OwnerRoot, chain: readonly string[]): Promise<void> {
  for (const [file, mode] of [
    [home.brokerPolicyFile, 0o600],
    [home.clientPolicyFile, 0o644],
  ] as const) {
    const policy = policySchema.parse(await readJson(file));
    await writeJson(file, { ...policy, ownerKeys: trusted.keys, ownerRoots: { trusted, chain } }, mode);
  }
}

/** Begins the next set, or changes the one that was begun; signatures of it are void then. */
export async function draftNext(
  home: Home,
  change: (root: OwnerRoot) => Pick<OwnerRoot, 'keys' | 'threshold' | 'expires'>,
): Promise<OwnersDraft> {
  const { last } = await readOwners(home);
  const begun = existsSync(draftFile(home)) ? (await readDraft(draftFile(home))).root : last;
  const { keys, threshold, expires } = change(begun);
  const root = { format: last.format, version: last.version + 1, expires, threshold, keys } satisfies OwnerRoot;
  ownerRootToSign(root);
  for (const key of keys) await importVerifyKey(fromBase64Url(key), ['P-256', 'P-384', 'P-521']);
  const draft: OwnersDraft = { format: 'fastness/owners-draft/v1', follows: last, root, signatures: [] };
  await writeJson(draftFile(home), draft, 0o644);
  return draft;
}

/** Throws CLI_USAGE, CLI_FILE_UNREADABLE. */
export async function readDraft(file: string): Promise<OwnersDraft> {
  const parsed = draftSchema.safeParse(await readJson(file));
  if (!parsed.success) throw new FastnessError('CLI_USAGE', `${file} is no set of owner keys that was begun.`);
  return parsed.data;
}

/** Adds a signature by a key of the old or of the new set; `sign` as key stores do. Throws OWNER_ROOT_SIGNATURE. */
export async function signDraft(
  file: string,
  signer: { readonly publicKey: Uint8Array; sign(message: Uint8Array): Promise<Uint8Array> },
): Promise<OwnersDraft> {
  const draft = await readDraft(file);
  const key = toBase64Url(signer.publicKey);
  if (![...draft.follows.keys, ...draft.root.keys].includes(key)) {
    throw new FastnessError('OWNER_ROOT_SIGNATURE', `Key ${await keyIdOf(signer.publicKey)} is in neither set.`);
  }
  const { signed } = ownerRootToSign(draft.root);
  const signature = await signer.sign(signed);
  const known = await importVerifyKey(signer.publicKey, ['P-256', 'P-384', 'P-521']);
  if (!(await signatureFits(known, signature, signed))) throw new FastnessError('OWNER_ROOT_SIGNATURE', 'Just made.');
  const others = draft.signatures.filter((each) => each.key !== key);
  const next = { ...draft, signatures: [...others, { key, signature: toBase64(signature) }] };
  await writeJson(file, next, 0o644);
  return next;
}

/** How many of each set signed. Nothing of it is verified. */
export function signaturesOf({ follows, root, signatures }: OwnersDraft): { old: number; new: number } {
  const count = ({ keys }: OwnerRoot): number =>
    keys.filter((key) => signatures.some((each) => each.key === key)).length;
  return { old: count(follows), new: count(root) };
}

/**
 * Makes the set that was begun the last one: verified from the pinned one, then into the home, both policies, and every sealed
 * model, from where enclaves hand it to clients. Throws OWNER_ROOT_....
 */
export async function publishDraft(home: Home, file: string, now: Date): Promise<OwnerRoot> {
  const draft = await readDraft(file);
  const { trusted, chain } = await readOwners(home);
  const signatures = await Promise.all(
    draft.signatures.map(async ({ key, signature }) => ({
      signature: decodeSignature(signature),
      keyId: await keyIdOf(fromBase64Url(key)),
    })),
  );
  const text = encodeOwnerRoot(ownerRootToSign(draft.root).payload, signatures);
  const { root } = await followOwnerRoots({ trusted, chain: [...chain, text], now });
  const name = `${root.version}.json`;
  for (const model of await listModels(home)) {
    const folder = join(home.modelDirectory, model, 'owners');
    await makePrivateDirectory(folder);
    for (const [at, each] of [...chain, text].entries()) {
      await writeFileAtomic(join(folder, `${trusted.version + 1 + at}.json`), utf8Encode(each), 0o644);
    }
  }
  await writeFileAtomic(join(folderOf(home), name), utf8Encode(text), 0o644);
  await updatePolicies(home, trusted, [...chain, text]);
  await rm(draftFile(home), { force: true });
  return root;
}

function decodeSignature(text: string): Uint8Array {
  try {
    return fromBase64(text);
  } catch (cause) {
    throw new FastnessError('OWNER_ROOT_MALFORMED', 'A signature is not base64.', { cause });
  }
}
