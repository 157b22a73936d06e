import { u16be, u32be } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { readSized, type Tpm } from '../client.ts';
import { commandCodes } from '../constants.ts';
import { flushContext } from './objects.ts';

const CLEAR = u16be(0);
const nothing = (): void => {};

/** TPM2_Startup(CLEAR). `already` when the firmware, or another program, has started it. */
export async function startup(tpm: Tpm): Promise<'started' | 'already'> {
  try {
    await tpm.run({ code: commandCodes.startup, name: 'TPM2_Startup', parameters: CLEAR }, nothing);
    return 'started';
  } catch (error) {
    if (error instanceof FastnessError && error.code === 'TPM_DEVICE_NOT_STARTED') return 'already';
    throw error;
  }
}

/** TPM2_Shutdown(CLEAR): lets the TPM save what it would otherwise take for a power cut. For emulators; firmware does it. */
export async function shutdown(tpm: Tpm): Promise<void> {
  await tpm.run({ code: commandCodes.shutdown, name: 'TPM2_Shutdown', parameters: CLEAR }, nothing);
}

/** TPM2_SelfTest. Throws TPM_DEVICE_FAILURE when the TPM finds itself broken. */
export async function selfTest(tpm: Tpm, { full = false }: { readonly full?: boolean } = {}): Promise<void> {
  const parameters = Uint8Array.of(full ? 1 : 0);
  await tpm.run({ code: commandCodes.selfTest, name: 'TPM2_SelfTest', parameters }, nothing);
}

/** TPM2_GetRandom: `count` bytes, 1 to 1024. A TPM gives as many as a digest has at a time; it is asked until there are enough. */
export async function getRandom(tpm: Tpm, count: number): Promise<Uint8Array> {
  if (!Number.isInteger(count) || count < 1 || count > 1024) {
    throw new FastnessError('TPM_DEVICE_ARGUMENT', `TPM2_GetRandom: ${count} bytes.`);
  }
  const random = new Uint8Array(count);
  for (let filled = 0; filled < count;) {
    const wanted = Math.min(32, count - filled);
    const part = await tpm.run(
      { code: commandCodes.getRandom, name: 'TPM2_GetRandom', parameters: u16be(wanted) },
      (reader) => {
        const bytes = readSized(reader, wanted);
        if (bytes.length === 0) throw new FastnessError('CODEC_VALUE', 'No bytes.');
        return bytes;
      },
    );
    random.set(part, filled);
    filled += part.length;
    part.fill(0);
  }
  return random;
}

const CAP_HANDLES = 1;
const CAP_PROPERTIES = 6;

/** TPM_PT: some of the properties that TPM2_GetCapability tells, by number. Text is four characters a number. */
export const properties = Object.freeze({
  manufacturer: 0x105,
  vendorString1: 0x106,
  vendorString2: 0x107,
  firmwareVersion1: 0x10b,
  nvCountersMax: 0x10a,
});

/** One property of the TPM (TPM_PT), or undefined when it has no such property. */
export async function getProperty(tpm: Tpm, property: number): Promise<number | undefined> {
  const parameters = Uint8Array.of(...u32be(CAP_PROPERTIES), ...u32be(property), ...u32be(1));
  return await tpm.run({ code: commandCodes.getCapability, name: 'TPM2_GetCapability', parameters }, (reader) => {
    const count = readHeader(reader, CAP_PROPERTIES, 1);
    if (count === 0) return undefined;
    const found = reader.u32be();
    const value = reader.u32be();
    // It answers with the next property that it has.
    return found === property ? value : undefined;
  });
}

/** Handles that exist, from `first` on, of the kind that its first byte says (0x01 NV, 0x80 loaded objects, 0x81 kept ones). */
export async function listHandles(tpm: Tpm, first: number, most = 64): Promise<readonly number[]> {
  const parameters = Uint8Array.of(...u32be(CAP_HANDLES), ...u32be(first), ...u32be(most));
  return await tpm.run({ code: commandCodes.getCapability, name: 'TPM2_GetCapability', parameters }, (reader) => {
    const count = readHeader(reader, CAP_HANDLES, most);
    return Array.from({ length: count }, () => reader.u32be());
  });
}

/**
 * Forgets every loaded object and session. For a TPM that nobody shares and no resource manager looks after (swtpm's socket):
 * what a killed program left behind takes up the little room there is.
 */
export async function flushAll(tpm: Tpm): Promise<void> {
  for (const first of [0x0200_0000, 0x0300_0000, 0x8000_0000]) {
    for (const handle of await listHandles(tpm, first)) await flushContext(tpm, handle);
  }
}

function readHeader(reader: { u8(): number; u32be(): number }, capability: number, most: number): number {
  const more = reader.u8();
  const answered = reader.u32be();
  const count = reader.u32be();
  if (more > 1 || answered !== capability || count > most) {
    throw new FastnessError('CODEC_VALUE', 'The answer to another question.');
  }
  return count;
}
