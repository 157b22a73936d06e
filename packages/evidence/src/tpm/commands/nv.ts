import { ByteReader, concatBytes, equalBytes, u16be, u32be } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { readSized, sized, type Tpm, type TpmAuthorisation } from '../client.ts';
import { algorithms, commandCodes, handles } from '../constants.ts';
import { nameOf } from '../public-area.ts';
import { noPassword } from './objects.ts';

/** What a TPM says of an index in its non-volatile memory (TPMS_NV_PUBLIC). */
export interface NvPublic {
  /** 0x01...... */
  readonly index: number;
  /** TPMA_NV, with the bit that says whether it was ever written. */
  readonly attributes: number;
  /** Digest of a policy; empty for none. */
  readonly policy: Uint8Array;
  /** Bytes of content; 8 for a counter. */
  readonly size: number;
  /** Covers all of the above. */
  readonly name: Uint8Array;
}

/** Who may use an index: with the index's own password by default. `authHandle` is the index, or a hierarchy. */
export interface NvAccess {
  readonly index: number;
  readonly authHandle?: number;
  readonly auth?: TpmAuthorisation;
}

/**
 * TPM2_NV_DefineSpace in the owner's hierarchy. A counter starts above the largest value that any counter of this TPM ever
 * had, so undefining one and defining it again does not turn it back. Throws TPM_DEVICE_NV_DEFINED, TPM_DEVICE_NV_SPACE.
 */
export async function nvDefineSpace(
  tpm: Tpm,
  options: {
    readonly index: number;
    readonly attributes: number;
    readonly size: number;
    /** Password of the index. */
    readonly password?: Uint8Array;
    readonly policy?: Uint8Array;
    /** Of the owner. */
    readonly auth?: TpmAuthorisation;
  },
): Promise<void> {
  const {
    index,
    attributes,
    size,
    password = new Uint8Array(0),
    policy = new Uint8Array(0),
    auth = noPassword,
  } = options;
  await tpm.run(
    {
      code: commandCodes.nvDefineSpace,
      name: 'TPM2_NV_DefineSpace',
      handles: [handles.owner],
      auths: [auth],
      parameters: concatBytes(sized(password), sized(publicOf({ index, attributes, policy, size }))),
    },
    () => {},
  );
}

/** TPM2_NV_UndefineSpace: whoever has the owner's password can do this to any index of the owner. */
export async function nvUndefineSpace(
  tpm: Tpm,
  options: { readonly index: number; readonly auth?: TpmAuthorisation },
): Promise<void> {
  const { index, auth = noPassword } = options;
  await tpm.run(
    {
      code: commandCodes.nvUndefineSpace,
      name: 'TPM2_NV_UndefineSpace',
      handles: [handles.owner, index],
      auths: [auth],
    },
    () => {},
  );
}

/** TPM2_NV_ReadPublic; the name is recomputed and compared. Throws TPM_DEVICE_HANDLE when there is no such index. */
export async function nvReadPublic(tpm: Tpm, index: number): Promise<NvPublic> {
  return await tpm.run({ code: commandCodes.nvReadPublic, name: 'TPM2_NV_ReadPublic', handles: [index] }, (reader) => {
    const area = readSized(reader, 256);
    const name = readSized(reader, 66);
    const fields = new ByteReader(area);
    const found = fields.u32be();
    const nameAlgorithm = fields.u16be();
    const attributes = fields.u32be();
    const policy = readSized(fields, 64);
    const size = fields.u16be();
    fields.end();
    if (found !== index) throw new FastnessError('CODEC_VALUE', 'Another index.');
    if (!equalBytes(name, nameOf(area, nameAlgorithm))) throw new FastnessError('CODEC_VALUE', 'Another name.');
    return { index, attributes, policy, size, name };
  });
}

/** The name that an index with these fields has, to compare or to compute policies with. */
export function nvName(fields: Omit<NvPublic, 'name'>): Uint8Array {
  return nameOf(publicOf(fields), algorithms.sha256);
}

/** TPM2_NV_Read: at most 512 bytes. Throws TPM_DEVICE_NV_UNWRITTEN, TPM_DEVICE_AUTH. */
export async function nvRead(
  tpm: Tpm,
  access: NvAccess & { readonly size: number; readonly offset?: number },
): Promise<Uint8Array> {
  const { size, offset = 0 } = access;
  return await tpm.run(
    { code: commandCodes.nvRead, name: 'TPM2_NV_Read', ...authorised(access), parameters: span(size, offset) },
    (reader) => {
      const bytes = readSized(reader, size);
      if (bytes.length !== size) throw new FastnessError('CODEC_VALUE', `${bytes.length} bytes of ${size}.`);
      return bytes;
    },
  );
}

/** The value of a counter. */
export async function nvReadCounter(tpm: Tpm, access: NvAccess): Promise<bigint> {
  return new ByteReader(await nvRead(tpm, { ...access, size: 8 })).u64be();
}

/** TPM2_NV_Write, to an ordinary index: at most 512 bytes. */
export async function nvWrite(
  tpm: Tpm,
  access: NvAccess & { readonly data: Uint8Array; readonly offset?: number },
): Promise<void> {
  const { data, offset = 0 } = access;
  await tpm.run(
    {
      code: commandCodes.nvWrite,
      name: 'TPM2_NV_Write',
      ...authorised(access),
      parameters: concatBytes(sized(data), u16be(offset)),
    },
    () => {},
  );
}

/** TPM2_NV_Increment, by one. */
export async function nvIncrement(tpm: Tpm, access: NvAccess): Promise<void> {
  await tpm.run({ code: commandCodes.nvIncrement, name: 'TPM2_NV_Increment', ...authorised(access) }, () => {});
}

/** TPM2_NV_Extend: the content becomes the hash (by the index's name algorithm) of old content and `data`. */
export async function nvExtend(tpm: Tpm, access: NvAccess & { readonly data: Uint8Array }): Promise<void> {
  await tpm.run(
    { code: commandCodes.nvExtend, name: 'TPM2_NV_Extend', ...authorised(access), parameters: sized(access.data) },
    () => {},
  );
}

/** Handles and authorisation that all commands on an index begin with: who authorises, then the index. */
export function authorised({ index, authHandle = index, auth = noPassword }: NvAccess): {
  handles: readonly number[];
  auths: readonly TpmAuthorisation[];
} {
  return { handles: [authHandle, index], auths: [auth] };
}

function span(size: number, offset: number): Uint8Array {
  if (size < 1 || size > 512) throw new FastnessError('TPM_DEVICE_ARGUMENT', `TPM2_NV_Read: ${size} bytes.`);
  return concatBytes(u16be(size), u16be(offset));
}

function publicOf({ index, attributes, policy, size }: Omit<NvPublic, 'name'>): Uint8Array {
  return concatBytes(u32be(index), u16be(algorithms.sha256), u32be(attributes), sized(policy), u16be(size));
}
