import { ByteReader, concatBytes, equalBytes, u16be, u32be } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { readSized, sized, type Tpm, type TpmAuthorisation } from '../client.ts';
import { commandCodes, handles, tags } from '../constants.ts';
import { objectName } from '../public-area.ts';

/** An object in the TPM. Flush it when done: a TPM has room for three, and only the kernel's resource manager swaps. */
export interface LoadedObject {
  readonly handle: number;
  /** TPMT_PUBLIC. */
  readonly publicArea: Uint8Array;
  readonly name: Uint8Array;
}

/** An object outside the TPM: the private part is encrypted to its parent and means nothing elsewhere. */
export interface ObjectBlob {
  /** TPM2B_PRIVATE, without its length. */
  readonly privateArea: Uint8Array;
  /** TPMT_PUBLIC. */
  readonly publicArea: Uint8Array;
}

/** What a TPM says of how it made an object. It proves nothing until the TPM has certified it: `certifiedCreation`. */
export interface ObjectCreation {
  /** TPMS_CREATION_DATA. */
  readonly data: Uint8Array;
  /** TPMT_TK_CREATION, by which the TPM knows its own word again. */
  readonly ticket: Uint8Array;
}

export const noPassword: TpmAuthorisation = Object.freeze({ kind: 'password', value: new Uint8Array(0) });

/**
 * TPM2_CreatePrimary: the key that a hierarchy's seed and a template make, the same every time until the hierarchy is cleared.
 * @param options.hierarchy a handle; default: the owner's
 */
export async function createPrimary(
  tpm: Tpm,
  options: { readonly template: Uint8Array; readonly hierarchy?: number; readonly auth?: TpmAuthorisation },
): Promise<LoadedObject> {
  const { template, hierarchy = handles.owner, auth = noPassword } = options;
  return await tpm.run(
    {
      code: commandCodes.createPrimary,
      name: 'TPM2_CreatePrimary',
      handles: [hierarchy],
      auths: [auth],
      parameters: concatBytes(sensitive(), sized(template), sized(new Uint8Array(0)), u32be(0)),
      returnsHandle: true,
    },
    (reader, handle) => {
      const publicArea = readPublicArea(reader, template);
      readCreation(reader);
      const name = readName(reader, publicArea);
      return { handle, publicArea, name };
    },
  );
}

/**
 * TPM2_Create: an object under a parent. `data`, at most 128 bytes, is what gets sealed; keys have none. The creation data has the
 * registers of `registers` (TPML_PCR_SELECTION) as they are now; absent: none.
 */
export async function create(
  tpm: Tpm,
  options: {
    readonly parent: number;
    readonly template: Uint8Array;
    readonly data?: Uint8Array;
    readonly auth?: TpmAuthorisation;
    readonly registers?: Uint8Array;
  },
): Promise<ObjectBlob & { readonly creation: ObjectCreation }> {
  const { parent, template, data = new Uint8Array(0), auth = noPassword, registers = u32be(0) } = options;
  if (data.length > 128) throw new FastnessError('TPM_DEVICE_ARGUMENT', `TPM2_Create: ${data.length} bytes to seal.`);
  const secret = sensitive(data);
  const parameters = concatBytes(secret, sized(template), sized(new Uint8Array(0)), registers);
  try {
    return await tpm.run(
      { code: commandCodes.create, name: 'TPM2_Create', handles: [parent], auths: [auth], parameters },
      (reader) => {
        const privateArea = readSized(reader);
        const publicArea = readPublicArea(reader, template);
        return { privateArea, publicArea, creation: readCreation(reader) };
      },
    );
  } finally {
    secret.fill(0);
    parameters.fill(0);
  }
}

/** TPM2_Load. Throws TPM_DEVICE_REFUSED when the blob is not of this parent. */
export async function load(
  tpm: Tpm,
  options: ObjectBlob & { readonly parent: number; readonly auth?: TpmAuthorisation },
): Promise<LoadedObject> {
  const { parent, privateArea, publicArea, auth = noPassword } = options;
  return await tpm.run(
    {
      code: commandCodes.load,
      name: 'TPM2_Load',
      handles: [parent],
      auths: [auth],
      parameters: concatBytes(sized(privateArea), sized(publicArea)),
      returnsHandle: true,
    },
    (reader, handle) => ({ handle, publicArea: publicArea.slice(), name: readName(reader, publicArea) }),
  );
}

/** TPM2_Unseal. The caller wipes the result. Throws TPM_DEVICE_POLICY, TPM_DEVICE_AUTH. */
export async function unseal(
  tpm: Tpm,
  options: { readonly handle: number; readonly auth: TpmAuthorisation },
): Promise<Uint8Array> {
  return await tpm.run(
    { code: commandCodes.unseal, name: 'TPM2_Unseal', handles: [options.handle], auths: [options.auth] },
    (reader) => readSized(reader, 128),
  );
}

/** TPM2_ReadPublic: the public area and name of an object in the TPM. */
export async function readPublic(
  tpm: Tpm,
  handle: number,
): Promise<LoadedObject & { readonly qualifiedName: Uint8Array }> {
  return await tpm.run({ code: commandCodes.readPublic, name: 'TPM2_ReadPublic', handles: [handle] }, (reader) => {
    const publicArea = readSized(reader);
    const name = readName(reader, publicArea);
    return { handle, publicArea, name, qualifiedName: readSized(reader, 66) };
  });
}

/** TPM2_FlushContext: forgets a loaded object or a session. */
export async function flushContext(tpm: Tpm, handle: number): Promise<void> {
  const parameters = u32be(handle);
  await tpm.run({ code: commandCodes.flushContext, name: 'TPM2_FlushContext', parameters }, () => {});
}

/** TPM2_EvictControl: keeps a loaded object at `persistent` (0x81......), or forgets the one that is kept there. */
export async function evictControl(
  tpm: Tpm,
  options: { readonly object: number; readonly persistent: number; readonly auth?: TpmAuthorisation },
): Promise<void> {
  const { object, persistent, auth = noPassword } = options;
  await tpm.run(
    {
      code: commandCodes.evictControl,
      name: 'TPM2_EvictControl',
      handles: [handles.owner, object],
      auths: [auth],
      parameters: u32be(persistent),
    },
    () => {},
  );
}

/** Loads something for the time of `work`, and flushes it however that ends. */
export async function withObject<T>(tpm: Tpm, object: { readonly handle: number }, work: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    // The first error says more than one about flushing after it.
    await flushContext(tpm, object.handle).catch(() => {});
    throw error;
  }
  await flushContext(tpm, object.handle);
  return result;
}

/** TPM2B_SENSITIVE_CREATE without a password. */
function sensitive(data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const content = concatBytes(sized(new Uint8Array(0)), sized(data));
  const whole = sized(content);
  content.fill(0);
  return whole;
}

/** The public area must be the template with something in its unique field: type, name algorithm, attributes and policy. */
function readPublicArea(reader: ByteReader, template: Uint8Array): Uint8Array {
  const publicArea = readSized(reader);
  const policyLength = new DataView(template.buffer, template.byteOffset).getUint16(8);
  const fixed = 10 + policyLength;
  if (!equalBytes(publicArea.subarray(0, fixed), template.subarray(0, fixed))) {
    throw new FastnessError('CODEC_VALUE', 'The public area of another object.');
  }
  return publicArea;
}

/** TPM2B_CREATION_DATA, TPM2B_DIGEST, TPMT_TK_CREATION. */
function readCreation(reader: ByteReader): ObjectCreation {
  const data = readSized(reader);
  readSized(reader, 64);
  if (reader.u16be() !== tags.creation) throw new FastnessError('CODEC_VALUE', 'Not a creation ticket.');
  const hierarchy = reader.u32be();
  return { data, ticket: concatBytes(u16be(tags.creation), u32be(hierarchy), sized(readSized(reader, 64))) };
}

function readName(reader: ByteReader, publicArea: Uint8Array): Uint8Array {
  const name = readSized(reader, 66);
  if (!equalBytes(name, objectName(publicArea))) throw new FastnessError('CODEC_VALUE', 'The name of another object.');
  return name;
}
