import { randomBytes } from 'node:crypto';
import { concatBytes, u16be } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { readSized, sized, type Tpm } from '../client.ts';
import { algorithms, commandCodes, handles } from '../constants.ts';
import { authorised, type NvAccess } from './nv.ts';
import { encodeSelection, type PcrSelection } from './pcr.ts';

/** TPM_SE. */
const kinds = Object.freeze({ policy: 0x01, trial: 0x03 });

/**
 * TPM2_StartAuthSession without a secret. A `policy` session checks each assertion as it is made; a `trial` session only
 * computes the digest that an object or index is given. Flush it when done. Returns its handle.
 */
export async function startPolicySession(tpm: Tpm, kind: 'policy' | 'trial'): Promise<number> {
  return await tpm.run(
    {
      code: commandCodes.startAuthSession,
      name: 'TPM2_StartAuthSession',
      handles: [handles.null, handles.null],
      parameters: concatBytes(
        sized(randomBytes(16)),
        sized(new Uint8Array(0)),
        Uint8Array.of(kinds[kind]),
        u16be(algorithms.null),
        u16be(algorithms.sha256),
      ),
      returnsHandle: true,
    },
    (reader, handle) => {
      if (readSized(reader, 64).length < 16) throw new FastnessError('CODEC_VALUE', 'A nonce that is too short.');
      return handle;
    },
  );
}

/** TPM2_PolicyPCR: the registers must have this digest (SHA-256 over their values); absent: the values of now. */
export async function policyPcr(
  tpm: Tpm,
  options: { readonly session: number; readonly selection: PcrSelection; readonly digest?: Uint8Array },
): Promise<void> {
  const { session, selection, digest = new Uint8Array(0) } = options;
  await tpm.run(
    {
      code: commandCodes.policyPcr,
      name: 'TPM2_PolicyPCR',
      handles: [session],
      parameters: concatBytes(sized(digest), encodeSelection(selection)),
    },
    () => {},
  );
}

/** TPM2_PolicyNV: the content of an index, as an unsigned number, must compare with `operand` (see `comparisons`). */
export async function policyNv(
  tpm: Tpm,
  access: NvAccess & { readonly session: number; readonly operand: Uint8Array; readonly comparison: number },
): Promise<void> {
  const { session, operand, comparison } = access;
  const { handles: named, auths } = authorised(access);
  await tpm.run(
    {
      code: commandCodes.policyNv,
      name: 'TPM2_PolicyNV',
      handles: [...named, session],
      auths,
      parameters: concatBytes(sized(operand), u16be(0), u16be(comparison)),
    },
    () => {},
  );
}

/** TPM2_PolicyGetDigest. */
export async function policyDigest(tpm: Tpm, session: number): Promise<Uint8Array> {
  return await tpm.run(
    { code: commandCodes.policyGetDigest, name: 'TPM2_PolicyGetDigest', handles: [session] },
    (reader) => readSized(reader, 32),
  );
}
