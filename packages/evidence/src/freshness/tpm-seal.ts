import { createHash, randomBytes } from 'node:crypto';
import { attestationKeyOf } from '@fastness/attest/formats/tpm';
import { concatBytes, equalBytes, fromBase64Url, toBase64Url, u64be } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import {
  attestationKeyTemplate,
  certifiedCreation,
  comparisons,
  create,
  createPrimary,
  encodeSelection,
  load,
  pcrRead,
  policyDigest,
  policyNv,
  policyPcr,
  sealedDataTemplate,
  startPolicySession,
  storageKeyTemplate,
  unseal,
  withObject,
  type LoadedObject,
  type PcrSelection,
  type Tpm,
  type TpmAuthorisation,
} from '../tpm/index.ts';
import { defaultCounterIndex } from './tpm-anchor.ts';

/** What a secret is sealed to besides the TPM itself. */
export interface SealingPolicy {
  /** Registers, with the values that they have while the secret is sealed. */
  readonly selection: PcrSelection;
  /** Index of the counter. Default: `defaultCounterIndex`. */
  readonly index?: number;
  /** Password of the index. */
  readonly password?: Uint8Array;
  /** The last value of the counter at which the secret comes out. For state that is about to be anchored: the next one. */
  readonly upTo: bigint;
}

const base64Url = z.string().max(2048);
/** A sealed secret (JSON). It says nothing to anybody, and opens in its TPM only. */
export const sealedSecretSchema = z.strictObject({
  format: z.literal('fastness/tpm-sealed/v1'),
  bank: z.enum(['SHA-256', 'SHA-384', 'SHA-512']),
  pcrs: z.array(z.int().min(0).max(23)).min(1).max(24),
  index: z.int().min(0x0100_0000).max(0x01ff_ffff),
  upTo: z.string().regex(/^(?:0|[1-9]\d{0,19})$/),
  privateArea: base64Url,
  publicArea: base64Url,
  /** What the TPM said of how it made the object; see `madeUnder`. */
  creation: z.strictObject({ data: base64Url, ticket: base64Url }).exactOptional(),
});
export type SealedSecret = z.infer<typeof sealedSecretSchema>;

/**
 * Seals a secret of 1 to 128 bytes, usually the key of a larger state, to this TPM, to registers as they are now and to a
 * counter that has not gone past a value. Seal again when software or counter move on.
 */
export async function sealToTpm(
  tpm: Tpm,
  options: SealingPolicy & { readonly secret: Uint8Array; readonly ownerPassword?: Uint8Array },
): Promise<SealedSecret> {
  const { selection, index = defaultCounterIndex, upTo, secret } = options;
  const session = await startPolicySession(tpm, 'trial');
  const policy = await withObject(tpm, { handle: session }, async () => {
    await assertPolicy(tpm, session, options);
    return await policyDigest(tpm, session);
  });
  const parent = await createPrimary(tpm, { template: storageKeyTemplate, auth: passwordOf(options.ownerPassword) });
  return await withObject(tpm, parent, async () => {
    const { creation, ...blob } = await create(tpm, {
      parent: parent.handle,
      template: sealedDataTemplate(policy),
      data: secret,
      registers: encodeSelection(selection),
    });
    return {
      format: 'fastness/tpm-sealed/v1',
      bank: selection.bank,
      pcrs: [...selection.indexes],
      index,
      upTo: upTo.toString(),
      privateArea: toBase64Url(blob.privateArea),
      publicArea: toBase64Url(blob.publicArea),
      creation: { data: toBase64Url(creation.data), ticket: toBase64Url(creation.ticket) },
    };
  });
}

/**
 * Gets a secret back, for the caller to wipe. The TPM checks registers and counter; what the JSON says of them is only how to
 * ask. That it comes out does not say who sealed it: whoever may use the TPM can seal what he likes to any registers. With
 * `madeUnder` it has to be made under these registers as they are now, which the TPM certifies.
 * Throws FRESHNESS_SEALED, FRESHNESS_RECORD_INVALID, TPM_DEVICE_ codes.
 */
export async function unsealFromTpm(
  tpm: Tpm,
  sealed: SealedSecret,
  options: {
    readonly password?: Uint8Array;
    readonly ownerPassword?: Uint8Array;
    readonly madeUnder?: PcrSelection;
  } = {},
): Promise<Uint8Array> {
  const { bank, pcrs, index, upTo, privateArea, publicArea } = sealed;
  const parent = await createPrimary(tpm, { template: storageKeyTemplate, auth: passwordOf(options.ownerPassword) });
  try {
    const object = await withObject(tpm, parent, async () => {
      const blob = { privateArea: fromBase64Url(privateArea), publicArea: fromBase64Url(publicArea) };
      return await load(tpm, { ...blob, parent: parent.handle });
    });
    return await withObject(tpm, object, async () => {
      const session = await startPolicySession(tpm, 'policy');
      const secret = await withObject(tpm, { handle: session }, async () => {
        const selection = { bank, indexes: pcrs };
        await assertPolicy(tpm, session, { ...options, selection, index, upTo: BigInt(upTo) });
        return await unseal(tpm, { handle: object.handle, auth: { kind: 'policy', session, keep: true } });
      });
      try {
        if (options.madeUnder !== undefined) await requireMadeUnder(tpm, options.madeUnder, object, sealed, options);
        return secret;
      } catch (error) {
        secret.fill(0);
        throw error;
      }
    });
  } catch (cause) {
    if (cause instanceof FastnessError && cause.code === 'TPM_DEVICE_POLICY')
      throw new FastnessError('FRESHNESS_SEALED', cause.detail, { cause });
    throw cause;
  }
}

/** Throws FRESHNESS_RECORD_INVALID unless this TPM made the object under these registers, with the values of now. */
async function requireMadeUnder(
  tpm: Tpm,
  selection: PcrSelection,
  object: LoadedObject,
  { creation }: SealedSecret,
  options: { readonly ownerPassword?: Uint8Array },
): Promise<void> {
  if (creation === undefined) throw new FastnessError('FRESHNESS_RECORD_INVALID', 'It does not say how it was made.');
  const auth = passwordOf(options.ownerPassword);
  const signer = await createPrimary(tpm, { template: attestationKeyTemplate, auth });
  const made = await withObject(tpm, signer, async () =>
    certifiedCreation(tpm, {
      object,
      creation: { data: fromBase64Url(creation.data), ticket: fromBase64Url(creation.ticket) },
      signer: signer.handle,
      publicKey: attestationKeyOf(signer.publicArea),
      nonce: new Uint8Array(randomBytes(32)),
    }),
  );
  const values = [...(await pcrRead(tpm, selection)).values()];
  const digest = new Uint8Array(
    createHash('sha256')
      .update(concatBytes(...values))
      .digest(),
  );
  if (!equalBytes(made.registers, encodeSelection(selection)) || !equalBytes(made.registersDigest, digest))
    throw new FastnessError('FRESHNESS_RECORD_INVALID', 'Other software made it.');
}

async function assertPolicy(tpm: Tpm, session: number, policy: SealingPolicy): Promise<void> {
  const { selection, index = defaultCounterIndex, password, upTo } = policy;
  await policyPcr(tpm, { session, selection });
  const operand = u64be(upTo);
  await policyNv(tpm, { index, auth: passwordOf(password), session, operand, comparison: comparisons.lessOrEqual });
}

function passwordOf(value: Uint8Array = new Uint8Array(0)): TpmAuthorisation {
  return { kind: 'password', value };
}
