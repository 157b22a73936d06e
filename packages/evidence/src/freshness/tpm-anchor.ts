import { createHash, randomBytes } from 'node:crypto';
import { attestationKeyOf } from '@fastness/attest/formats/tpm';
import { ByteReader, equalBytes } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import {
  attestationKeyTemplate,
  createPrimary,
  flushContext,
  isMissing,
  nvAttributes,
  nvCertifiedRead,
  nvDefineSpace,
  nvExtend,
  nvIncrement,
  nvName,
  nvReadPublic,
  nvUndefineSpace,
  type NvPublic,
  type Tpm,
  type TpmAuthorisation,
} from '../tpm/index.ts';
import { nextHistory, type AnchorReading, type FreshnessAnchor } from './anchor.ts';

/** In the range that TCG leaves to owners; the history is the index after it. */
export const defaultCounterIndex = 0x018f_a570;

const { authRead, authWrite, ownerRead, noDictionaryAttack, counter, extend, written } = nvAttributes;
const access = authRead | authWrite | ownerRead | noDictionaryAttack;

export interface TpmAnchorOptions {
  readonly tpm: Tpm;
  /** Index of the counter; the history is kept at the index after it. Default: `defaultCounterIndex`. */
  readonly index?: number;
  /** Password of both indexes. Absent: none, and whoever may open the device may advance them, which stops the broker. */
  readonly password?: Uint8Array;
  /** Password of the owner: to make the indexes, and to make the attestation key at every start. Default: empty. */
  readonly ownerPassword?: Uint8Array;
  /** Whether somebody else keeps the TPM's memory. Nothing in a TPM tells; the operator says so. */
  readonly virtual: boolean;
}

/**
 * An anchor in the non-volatile memory of a TPM: a counter, which no command can lower, and an index that can only be extended.
 * What they hold is read with TPM2_NV_Certify under an attestation key of the owner's hierarchy and a fresh nonce, so nothing
 * between this program and that TPM can answer for it. Names of the indexes (which cover their attributes) and the key are the
 * identity; a counter that is undefined and defined again goes on above its old value, so old states do not become current.
 *
 * Close it before the TPM: it keeps its key loaded.
 *
 * Not protected against: who can restore the memory of a virtual TPM; who has the owner's password and the digests of every
 * step, and makes the history again to choose between two states of the same number; who stops it by advancing it.
 */
export async function openTpmAnchor(options: TpmAnchorOptions): Promise<FreshnessAnchor> {
  const { tpm, index = defaultCounterIndex, virtual } = options;
  const password = (value: Uint8Array = new Uint8Array(0)): TpmAuthorisation => ({ kind: 'password', value });
  const auth = password(options.password);
  const ownerAuth = password(options.ownerPassword);
  const counterSpace = { index, attributes: access | counter, size: 8 };
  const historySpace = { index: index + 1, attributes: access | extend, size: 32 };
  const counterName = writtenName(counterSpace);
  const historyName = writtenName(historySpace);
  const key = await createPrimary(tpm, { template: attestationKeyTemplate, auth: ownerAuth });
  const publicKey = attestationKeyOf(key.publicArea);
  const identity = createHash('sha256')
    .update('fastness/tpm-anchor/v1\n')
    .update(publicKey)
    .update(counterName)
    .update(historyName)
    .digest('hex');

  const certified = async (at: number, name: Uint8Array, size: number): Promise<Uint8Array> =>
    await nvCertifiedRead(tpm, { index: at, auth, signer: key.handle, publicKey, name, nonce: randomBytes(32), size });
  const read = async (): Promise<AnchorReading> => {
    try {
      const history = await certified(index + 1, historyName, 32);
      const value = new ByteReader(await certified(index, counterName, 8)).u64be();
      return { value, history };
    } catch (cause) {
      if (isMissing(cause)) throw new FastnessError('FRESHNESS_ANCHOR_MISSING', tpm.description, { cause });
      if (cause instanceof FastnessError && cause.code === 'TPM_DEVICE_CERTIFY')
        throw new FastnessError('FRESHNESS_ANCHOR_CHANGED', tpm.description, { cause });
      throw cause;
    }
  };

  const close = async (): Promise<void> => {
    await flushContext(tpm, key.handle).catch(() => {});
  };
  let closing: Promise<void> | undefined;
  return {
    kind: 'tpm-nv',
    description: `counter 0x${index.toString(16).padStart(8, '0')} of the TPM at ${tpm.description}`,
    trust: virtual
      ? 'VIRTUAL TPM: whoever keeps its memory can put it back, together with the state'
      : 'as good as the TPM keeps its counter; the operator says that it is hardware',
    async identity() {
      const found = await findIndex(tpm, counterSpace);
      // The counter is written last: without it, making the anchor was not finished, or never begun.
      if (found !== 'written') return undefined;
      if ((await findIndex(tpm, historySpace)) !== 'written') {
        throw new FastnessError('FRESHNESS_ANCHOR_CHANGED', `Index 0x${(index + 1).toString(16)} was made again.`);
      }
      return identity;
    },
    async provision() {
      const made = options.password === undefined ? {} : { password: options.password };
      if ((await findIndex(tpm, counterSpace)) === 'written') {
        throw new FastnessError('FRESHNESS_ANCHOR_CHANGED', `There is an anchor at ${tpm.description}.`);
      }
      for (const space of [counterSpace, historySpace]) {
        // What is there is ours by its attributes (anything else was refused), and belongs to no finished anchor.
        if ((await findIndex(tpm, space)) !== 'missing') {
          await nvUndefineSpace(tpm, { index: space.index, auth: ownerAuth });
        }
        await nvDefineSpace(tpm, { ...space, ...made, auth: ownerAuth });
      }
      // From a place nobody has been at: a history that is made again does not begin like this one by itself.
      await nvExtend(tpm, { index: index + 1, auth, data: randomBytes(32) });
      await nvIncrement(tpm, { index, auth });
    },
    read,
    async advance(expected, digest) {
      const next = { value: expected.value + 1n, history: nextHistory(expected.history, digest) };
      const now = await read();
      if (same(now, next)) return next;
      const begun = now.value === expected.value && equalBytes(now.history, next.history);
      if (!begun && !same(now, expected)) throw moved(expected, now);
      if (!begun) await nvExtend(tpm, { index: index + 1, auth, data: digest });
      await nvIncrement(tpm, { index, auth });
      const reached = await read();
      if (!same(reached, next)) throw moved(next, reached);
      return next;
    },
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

type Space = Omit<NvPublic, 'name' | 'policy'>;

function nameOf(space: Space): Uint8Array {
  return nvName({ ...space, policy: new Uint8Array(0) });
}

/** The name of an index as it is once it was written. */
function writtenName(space: Space): Uint8Array {
  return nameOf({ ...space, attributes: space.attributes | written });
}

/** Throws FRESHNESS_ANCHOR_CHANGED when something else is at this index. */
async function findIndex(tpm: Tpm, space: Space): Promise<'missing' | 'unwritten' | 'written'> {
  let name: Uint8Array;
  try {
    ({ name } = await nvReadPublic(tpm, space.index));
  } catch (error) {
    if (isMissing(error)) return 'missing';
    throw error;
  }
  if (equalBytes(name, writtenName(space))) return 'written';
  if (equalBytes(name, nameOf(space))) return 'unwritten';
  const at = `0x${space.index.toString(16).padStart(8, '0')}`;
  throw new FastnessError('FRESHNESS_ANCHOR_CHANGED', `Index ${at} has other attributes.`);
}

function same(a: AnchorReading, b: AnchorReading): boolean {
  return a.value === b.value && equalBytes(a.history, b.history);
}

function moved(expected: AnchorReading, found: AnchorReading): FastnessError {
  return new FastnessError('FRESHNESS_ANCHOR_MOVED', `Expected ${expected.value}, found ${found.value}.`);
}
