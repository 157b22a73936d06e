import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { FastnessError } from '@fastness/codec/errors';

/** Making a key pair on a slow token takes seconds. */
const PATIENCE_MS = 60_000;
const PAUSE_MS = 10;

/**
 * Does `work` while no other process of this machine makes keys on the same token. Tokens know no unique names, and a module
 * that keeps its own picture of the token's files (SoftHSM) can miss what another process wrote at the same moment, so that
 * two make one version and neither sees the other. What holds the lock is an abstract Unix socket: the kernel gives a name to
 * one process and takes it back when that ends, however it ends.
 * Throws KEYS_HSM_CONFLICT when others hold it for a minute.
 */
export async function withTokenLock<T>(token: string, work: () => Promise<T>): Promise<T> {
  const name = `\0fastness-token-${createHash('sha256').update(token).digest('hex')}`;
  const deadline = performance.now() + PATIENCE_MS;
  let held: Server | undefined;
  while ((held = await tryToHold(name)) === undefined) {
    if (performance.now() > deadline) throw new FastnessError('KEYS_HSM_CONFLICT', 'Others make keys all the time.');
    await sleep(PAUSE_MS);
  }
  try {
    return await work();
  } finally {
    const server = held;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
  }
}

function tryToHold(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(new FastnessError('KEYS_HSM_FAILED', 'The lock of the token cannot be had.', { cause: error }));
    });
    server.listen(name, () => resolve(server));
  });
}
