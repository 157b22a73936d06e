import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeSource, startNode } from './node-child.ts';

/** Whether this kernel has Landlock with its rules for connections: version 4, Linux 6.7. */
const hasLandlock = (() => {
  const script = `import { kernelCalls } from ${nodeSource('../src/confine/kernel-calls.ts')};
    console.log(kernelCalls().landlockVersion());`;
  const { stdout } = spawnSync(
    process.execPath,
    ['--conditions=source', '--input-type=module-typescript', '--eval', script],
    { cwd: import.meta.dirname, encoding: 'utf8' },
  );
  return Number(stdout) >= 4;
})();

// What is taken from a process is gone for good, so each attempt is made in a process of its own.
describe('a confined process', () => {
  let folder: string;
  const [broker, other] = [createServer(), createServer()];
  const portOf = (server: typeof broker): number => (server.address() as AddressInfo).port;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fastness-confine-'));
    for (const name of ['inside', 'outside', 'state']) mkdirSync(join(folder, name));
    for (const server of [broker, other]) {
      server.on('connection', (socket) => socket.destroy());
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    }
  });
  afterAll(async () => {
    for (const server of [broker, other]) await new Promise<unknown>((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  });

  interface Attempts {
    readonly [name: string]: string;
  }
  /** Runs attempts, each a statement, and tells how each ended: `done`, or the code of its error. */
  const attempt = async (options: {
    readonly confined: boolean;
    readonly engine?: string;
    readonly host?: string;
    readonly attempts: Attempts;
  }): Promise<Record<string, string>> => {
    const { confined, engine = 'llama', host = '127.0.0.1', attempts } = options;
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ engine }));
    const config = {
      listen: { port: 0 },
      brokerUrl: `http://${host}:${portOf(broker)}`,
      modelDir: folder,
      memory: { tmpfsDir: join(folder, 'inside') },
      sealedState: { path: join(folder, 'state', 'file'), tpm: 'tpm:device:/dev/absent' },
    };
    const script = `
      import { spawn, execFileSync } from 'node:child_process';
      import { once } from 'node:events';
      import dgram from 'node:dgram';
      import fs from 'node:fs';
      import net from 'node:net';
      import { Worker } from 'node:worker_threads';
      import koffi from 'koffi';
      import { parseConfig } from ${nodeSource('../src/config.ts')};
      import { hardenProcess } from ${nodeSource('../src/memory/index.ts')};
      import { confineProcess, confineToEngine } from ${nodeSource('../src/confine/index.ts')};
      import { createMemoryFile } from ${nodeSource('../src/memory/index.ts')};
      const folder = ${JSON.stringify(folder)};
      const config = parseConfig(${JSON.stringify(config)});
      const libc = koffi.load('libc.so.6');
      const call = (text, ...given) => {
        if (Number(libc.func(text)(...given)) === -1) throw { code: 'errno ' + koffi.errno() };
      };
      const connected = async (port) => {
        const socket = net.connect(port, '127.0.0.1');
        try { await once(socket, 'connect'); } finally { socket.destroy(); }
      };
      hardenProcess({ waivers: [{ check: 'ENCLAVE_SWAP_ACTIVE', reason: 'a test' }] });
      const facts = ${confined} ? { ...confineProcess(config), programs: !confineToEngine(config, ${JSON.stringify(engine)}) } : {};
      const ended = { facts: JSON.stringify(facts) };
      const attempts = { ${Object.entries(attempts)
        .map(([name, statement]) => `${name}: async () => { ${statement} }`)
        .join(', ')} };
      for (const [name, work] of Object.entries(attempts)) {
        try { await work(); ended[name] = 'done'; } catch (error) { ended[name] = String(error.code ?? error.message); }
      }
      console.log(JSON.stringify(ended)); process.exit();`;
    return JSON.parse(await startNode(script).output()) as Record<string, string>;
  };

  const files: Attempts = {
    write: `fs.writeFileSync(folder + '/outside/a', 'x')`,
    asynchronous: `await fs.promises.writeFile(folder + '/outside/b', 'x')`,
    worker: `const text = 'import { writeFileSync } from "node:fs"; writeFileSync(' + JSON.stringify(folder + '/outside/c') + ', "x")';
      await once(new Worker(text, { eval: true }), 'exit');`,
    append: `fs.appendFileSync(folder + '/manifest.json', ' ')`,
    cut: `fs.truncateSync(folder + '/manifest.json', 10)`,
    folder: `fs.mkdirSync(folder + '/outside/d')`,
    link: `fs.symlinkSync('/', folder + '/outside/e')`,
    remove: `fs.rmSync(folder + '/manifest.json')`,
    out: `fs.writeFileSync(folder + '/inside/f', 'x'); fs.renameSync(folder + '/inside/f', folder + '/outside/f')`,
  };
  const allowedFiles: Attempts = {
    tmpfs: `fs.writeFileSync(folder + '/inside/a', 'x'); fs.rmSync(folder + '/inside/a')`,
    state: `await fs.promises.writeFile(folder + '/state/b', 'x'); fs.renameSync(folder + '/state/b', folder + '/state/file')`,
    reading: `fs.readFileSync('/etc/passwd')`,
    memory: `const file = createMemoryFile({ name: 'test' }); fs.writeSync(file.fd, 'x'); file.seal(); fs.readFileSync(file.path); file.close()`,
  };
  const everyAttempt = (attempts: Attempts, outcome: unknown): Record<string, unknown> =>
    Object.fromEntries(Object.keys(attempts).map((name) => [name, outcome]));

  it.skipIf(!hasLandlock)(
    'writes to no file outside its tmpfs, in no thread; without the confinement it does',
    async () => {
      const attempts = { ...files, ...allowedFiles };
      const refused = await attempt({ confined: true, attempts });
      expect(JSON.parse(refused['facts'] ?? '')).toMatchObject({ calls: true, network: true, programs: false });
      expect(refused).toMatchObject({
        ...everyAttempt(files, expect.stringMatching(/^(?:EACCES|EXDEV)$/u)),
        ...everyAttempt(allowedFiles, 'done'),
      });
      expect(readdirSync(join(folder, 'outside'))).toEqual([]);
      expect(readFileSync(join(folder, 'manifest.json'), 'utf8')).toBe('{"engine":"llama"}');
      const free = await attempt({ confined: false, attempts });
      expect(free).toMatchObject(everyAttempt(attempts, 'done'));
    },
  );

  it.skipIf(!hasLandlock)('connects to its broker alone; without the confinement to others, too', async () => {
    const attempts = {
      broker: `await connected(${portOf(broker)})`,
      other: `await connected(${portOf(other)})`,
      datagram: `const socket = dgram.createSocket('udp4'); await new Promise((resolve, reject) => { socket.once('error', reject); socket.bind(0, '127.0.0.1', resolve); }); socket.close()`,
    };
    expect(await attempt({ confined: true, attempts })).toMatchObject({
      broker: 'done',
      other: 'EACCES',
      datagram: 'EACCES',
    });
    expect(await attempt({ confined: false, attempts })).toMatchObject(everyAttempt(attempts, 'done'));
    // A broker with a name has to be looked up.
    expect(await attempt({ confined: true, host: 'localhost', attempts })).toMatchObject({
      broker: 'done',
      other: 'EACCES',
      datagram: 'done',
    });
  });

  it('starts no program, and looks into no other process; without the confinement it does', async () => {
    // PTRACE_SEIZE of its own parent, which is of the same user; reading its memory; io_uring, which works behind filters.
    const attempts = {
      spawn: `const child = spawn('/bin/true'); await Promise.race([once(child, 'exit'), once(child, 'error').then(([error]) => { throw error; })])`,
      sync: `execFileSync('/bin/true')`,
      fork: `call('int fork()')`,
      ptrace: `call('long ptrace(int request, int pid, void *address, void *data)', 0x4206, process.ppid, null, null)`,
      uring: `call('long syscall(long number, unsigned int entries, void *parameters)', 425, 1, Buffer.alloc(120))`,
      namespace: `call('int unshare(int flags)', 0x10000000)`,
    };
    const confined = await attempt({ confined: true, attempts });
    expect(JSON.parse(confined['facts'] ?? '')).toMatchObject({ calls: true, programs: false });
    expect(confined).toMatchObject({
      spawn: 'EPERM',
      sync: 'EPERM',
      fork: 'errno 1',
      ptrace: 'errno 1',
      uring: 'errno 1',
      namespace: 'errno 1',
    });
    const { spawn: started, sync } = attempts;
    expect(await attempt({ confined: false, attempts: { started, sync } })).toMatchObject({
      started: 'done',
      sync: 'done',
    });
    // A model that brings a server starts that, which is confined as well.
    expect(await attempt({ confined: true, engine: 'upstream', attempts })).toMatchObject({
      spawn: 'done',
      sync: 'done',
      ptrace: 'errno 1',
    });
  });

  it.skipIf(!hasLandlock)('says so where threads that it cannot reach are there already', async () => {
    const script = `
      import fs from 'node:fs/promises';
      import { confineFiles } from ${nodeSource('../src/confine/landlock.ts')};
      await fs.readFile('/etc/passwd');
      console.log(JSON.stringify(confineFiles({ folders: [], devices: [], entries: [], ports: [] })));`;
    expect(JSON.parse(await startNode(script).output())).toEqual({ files: 0, network: false });
  });
});
