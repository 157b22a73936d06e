import { readModelDisk, streamSource, type DiskFile } from '@fastness/model/disk';
import type { Log } from '../log.ts';
import { errorFields } from '../log.ts';
import { ANY_CID, carry, connectTo, HEARTBEAT_PORT, sendHeartbeat, vsockAddress } from '../vsock/index.ts';
import type { MachineSettings } from './settings.ts';

/** A host that stops sending the model must not hold the machine for ever. */
const MODEL_IDLE_MS = 120_000;
const LOOPBACK = '127.0.0.1';

/**
 * The ways between this machine and the one that started it, over virtual sockets: the enclave is reached from outside, and
 * the broker from inside. Throws INIT_HEARTBEAT, VSOCK_UNSUPPORTED, VSOCK_LISTEN, VSOCK_CALL.
 */
export async function openWays(vsock: NonNullable<MachineSettings['vsock']>, log: Log): Promise<void> {
  const { parent, enclave, broker, heartbeat } = vsock;
  if (heartbeat) await sendHeartbeat(vsockAddress(parent, HEARTBEAT_PORT));
  const failed = (error: unknown): void => log('warn', 'connection-cut', errorFields(error));
  await carry({ from: vsockAddress(ANY_CID, enclave), to: { host: LOOPBACK, port: enclave }, failed });
  await carry({ from: { host: LOOPBACK, port: broker }, to: vsockAddress(parent, broker), failed });
}

/** Copies the sealed model out of a connection. Throws VSOCK_UNREACHABLE and what readModelDisk throws. */
export async function receiveModel(options: {
  readonly parent: number;
  readonly port: number;
  readonly directory: string;
  readonly maxBytes: number;
}): Promise<readonly DiskFile[]> {
  const address = vsockAddress(options.parent, options.port);
  const socket = await connectTo(address);
  socket.setTimeout(MODEL_IDLE_MS, () => socket.destroy(new Error('Nothing came for two minutes.')));
  const { directory, maxBytes } = options;
  return readModelDisk({ device: streamSource(address.name, socket), directory, maxBytes });
}
