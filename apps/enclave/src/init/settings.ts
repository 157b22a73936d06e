import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { FastnessError } from '@fastness/codec/errors';

/**
 * /etc/fastness/machine.json of the image, which is measured: what the guest expects of its machine. Addresses do not decide
 * whether the enclave is safe, only whether anybody reaches it.
 */
const address = z.ipv4();
const settingsSchema = z.strictObject({
  /** Kernel modules to load, in their order, as files of the image. */
  modules: z.array(z.string().regex(/^\/lib\/modules\/[a-z0-9_-]+\.ko$/)).max(64),
  network: z
    .strictObject({
      interface: z.string().regex(/^[a-z][a-z0-9]{0,14}$/),
      address,
      /** Bits of the network's prefix. */
      prefix: z.int().min(0).max(32),
      gateway: address.optional(),
    })
    .optional(),
  /** The block device with the sealed model. */
  modelDisk: z.string().regex(/^\/dev\/[a-z0-9]+$/),
  /** MiB of memory that the sealed model may take. */
  modelMiB: z.int().min(1).max(16_777_216),
});

export type MachineSettings = z.infer<typeof settingsSchema>;
export const MACHINE_SETTINGS = '/etc/fastness/machine.json';

/** Throws INIT_SETTINGS naming the first field at fault. */
export function parseMachineSettings(value: unknown): MachineSettings {
  const result = settingsSchema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new FastnessError('INIT_SETTINGS', `/${issue?.path.map(String).join('/') ?? ''}: ${issue?.message ?? ''}`);
}

export function readMachineSettings(file = MACHINE_SETTINGS): MachineSettings {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new FastnessError('INIT_SETTINGS', `${file} cannot be read as JSON.`, { cause });
  }
  return parseMachineSettings(value);
}
