import { once } from 'node:events';
import { FastnessError } from '@fastness/codec/errors';
import type { SocketAddress } from './address.ts';
import { connectTo } from './sockets.ts';

/** Where and what nitro-cli waits for (init/init.c of aws/aws-nitro-enclaves-sdk-bootstrap). */
export const HEARTBEAT_PORT = 9000;
const HEARTBEAT = 0xb7;

/**
 * Says that the enclave has started: one byte, which comes back. Without it nitro-cli ends the enclave.
 * Throws INIT_HEARTBEAT, VSOCK_UNSUPPORTED.
 */
export async function sendHeartbeat(address: SocketAddress, timeoutMs = 20_000): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const socket = await connectTo(address, { timeoutMs, signal });
    try {
      // An end without an answer counts as another one.
      const answer = Promise.race([once(socket, 'data', { signal }), once(socket, 'end', { signal })]);
      socket.write(Uint8Array.of(HEARTBEAT));
      const [bytes]: readonly unknown[] = await answer;
      if (!(bytes instanceof Uint8Array) || bytes.length !== 1 || bytes[0] !== HEARTBEAT)
        throw new FastnessError('INIT_HEARTBEAT', 'Another answer.');
    } finally {
      socket.destroy();
    }
  } catch (cause) {
    if (cause instanceof FastnessError && cause.code !== 'VSOCK_UNREACHABLE') throw cause;
    throw new FastnessError('INIT_HEARTBEAT', address.name, { cause });
  }
}
