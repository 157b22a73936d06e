import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const locations = fileURLToPath(new URL('../../../../deploy/relay/nginx.conf', import.meta.url));

/** The nginx to run, if there is one. */
export const nginxBinary = [process.env['FASTNESS_NGINX'], '/usr/sbin/nginx'].find(
  (file) => file !== undefined && existsSync(file),
);

/**
 * Debian's nginx with the locations of deploy/relay in front of `upstream`, on a socket of its own folder: no port is fixed and
 * none is guessed. A listener on a free port hands connections on to that socket.
 */
export async function startNginx(
  binary: string,
  upstream: string,
): Promise<AsyncDisposable & { readonly url: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'fastness-nginx-'));
  const socketPath = join(folder, 'nginx.sock');
  const file = join(folder, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder};`);
  await writeFile(
    file,
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr; events {}
     http { ${temporary.join(' ')} upstream enclave { server ${new URL(upstream).host}; }
       server { listen unix:${socketPath}; include ${locations}; } }`,
  );
  const nginx = spawn(binary, ['-p', folder, '-c', file, '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  nginx.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = once(nginx, 'exit');
  const sockets = new Set<Socket>();
  const listener = createServer((client) => {
    const inner = connect(socketPath);
    for (const [from, to] of [
      [client, inner],
      [inner, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  const stop = async (): Promise<void> => {
    listener.close();
    for (const socket of sockets) socket.destroy();
    if (nginx.exitCode === null && nginx.signalCode === null) nginx.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await untilListening(nginx, socketPath, () => said);
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
  } catch (error) {
    await stop();
    throw error;
  }
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('no address');
  return { url: `http://127.0.0.1:${address.port}`, [Symbol.asyncDispose]: stop };
}

/** Until a connection is accepted; an nginx that ends instead says why. */
async function untilListening(nginx: ChildProcess, socketPath: string, said: () => string): Promise<void> {
  for (;;) {
    if (nginx.exitCode !== null || nginx.signalCode !== null) throw new Error(`nginx ended: ${said()}`);
    const accepted = await new Promise<boolean>((resolve) => {
      const probe = connect(socketPath);
      probe.once('error', () => resolve(false));
      probe.once('connect', () => {
        probe.destroy();
        resolve(true);
      });
    });
    if (accepted) return;
    await pause(20);
  }
}
