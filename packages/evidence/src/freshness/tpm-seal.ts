import { fromBase64Url, toBase64Url, u64be } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import {
  comparisons,
  create,
  createPrimary,
  load,
  policyDigest,
  policyNv,
  policyPcr,
  sealedDataTemplate,
  startPolicySession,
  storageKeyTemplate,
  unseal,
  withObject,
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
    const blob = await create(tpm, { parent: parent.handle, template: sealedDataTemplate(policy), data: secret });
    return {
      format: 'fastness/tpm-sealed/v1',
      bank: selection.bank,
      pcrs: [...selection.indexes],
      index,
      upTo: upTo.toString(),
      privateArea: toBase64Url(blob.privateArea),
      publicArea: toBase64Url(blob.publicArea),
    };
  });
}

/**
 * Gets a secret back, for the caller to wipe. The TPM checks registers and counter; what the JSON says of them is only how to
 * ask. Throws FRESHNESS_SEALED, TPM_DEVICE_ codes.
 */
export async function unsealFromTpm(
  tpm: Tpm,
  sealed: SealedSecret,
  options: { readonly password?: Uint8Array; readonly ownerPassword?: Uint8Array } = {},
): Promise<Uint8Array> {
  const { bank, pcrs, index, upTo, privateArea, publicArea } = sealed;
  const parent = await createPrimary(tpm, { template: storageKeyTemplate, auth: passwordOf(options.ownerPassword) });
  try {
    return await withObject(tpm, parent, async () => {
      const blob = { privateArea: fromBase64Url(privateArea), publicArea: fromBase64Url(publicArea) };
      const object = await load(tpm, { ...blob, parent: parent.handle });
      return await withObject(tpm, object, async () => {
        const session = await startPolicySession(tpm, 'policy');
        return await withObject(tpm, { handle: session }, async () => {
          const selection = { bank, indexes: pcrs };
          await assertPolicy(tpm, session, { ...options, selection, index, upTo: BigInt(upTo) });
          return await unseal(tpm, { handle: object.handle, auth: { kind: 'policy', session, keep: true } });
        });
      });
    });
  } catch (cause) {
    if (cause instanceof FastnessError && cause.code === 'TPM_DEVICE_POLICY')
      throw new FastnessError('FRESHNESS_SEALED', cause.detail, { cause });
    throw cause;
  }
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
