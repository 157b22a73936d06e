import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { FastnessError } from '@fastness/codec/errors';
import { PARENT_CID } from '../vsock/address.ts';

/**
 * /etc/fastness/machine.json of the image, which is measured: what the guest expects of its machine. Addresses do not decide
 * whether the enclave is safe, only whether anybody reaches it.
 */
const address = z.ipv4();
const port = z.int().min(1).max(0xffff_fffe);
/** Also a TCP port inside. */
const tcpPort = z.int().min(1).max(65_535);
const card = z.string().regex(/^[a-z][a-z0-9]{0,14}$/);
const staticNetwork = z.strictObject({
  interface: card,
  address,
  /** Bits of the network's prefix. With 32 the gateway is reached as the other end of the card. */
  prefix: z.int().min(0).max(32),
  gateway: address.optional(),
  nameservers: z.array(address).max(3).default([]),
  /** Bytes of the largest packet. */
  mtu: z.int().min(576).max(9216).optional(),
});
/** Address, route, name servers and size of packets are the network's to say. */
const dhcpNetwork = z.strictObject({ interface: card, dhcp: z.literal(true) });
const settingsSchema = z.strictObject({
  /** Kernel modules to load, in their order, as files of the image. */
  modules: z.array(z.string().regex(/^\/lib\/modules\/[a-z0-9_-]+\.ko$/)).max(64),
  network: z
    .union([dhcpNetwork, staticNetwork], {
      error: 'neither an interface with dhcp: true alone, nor one with address and prefix',
    })
    .optional(),
  /** Where the guest has no network but virtual sockets, as in an enclave of AWS Nitro. */
  vsock: z
    .strictObject({
      /** Context identifier of the machine outside. */
      parent: z.int().min(1).max(0xffff_fffe).default(PARENT_CID),
      /** Connections from outside to this port are carried to the same port of 127.0.0.1, where the enclave listens. */
      enclave: tcpPort,
      /** Connections to this port of 127.0.0.1, the broker's for the enclave, are carried to the same port outside. */
      broker: tcpPort,
      /** Port outside that sends the sealed model. */
      model: port.optional(),
      /** Tell whoever started the enclave that it has started: nitro-cli waits for it. */
      heartbeat: z.boolean().default(true),
    })
    .optional(),
  /** The block device with the sealed model, unless it comes over a virtual socket. */
  modelDisk: z
    .string()
    .regex(/^\/dev\/[a-z0-9]+$/)
    .optional(),
  /** MiB of memory that the sealed model may take. */
  modelMiB: z.int().min(1).max(16_777_216),
});

const checkedSchema = settingsSchema.refine(
  ({ modelDisk, vsock }) => (modelDisk === undefined) !== (vsock?.model === undefined),
  { path: ['modelDisk'], error: 'the model comes from modelDisk or from vsock.model, one of the two' },
);

export type MachineSettings = z.infer<typeof settingsSchema>;
/** As one writes them: what has a default may be left out. */
export type MachineSettingsInput = z.input<typeof settingsSchema>;
const MACHINE_SETTINGS = '/etc/fastness/machine.json';

/** Throws INIT_SETTINGS naming the first field at fault. */
export function parseMachineSettings(value: unknown): MachineSettings {
  const result = checkedSchema.safeParse(value);
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
