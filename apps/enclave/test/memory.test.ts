import { execFileSync, spawn } from 'node:child_process';
import {
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countSwapAreas, createMemoryFile, readHardening } from '../src/memory/index.ts';
import { codeOf } from './codes.ts';
import { nodeSource, startNode } from './node-child.ts';

const bytes = new Uint8Array([1, 2, 3, 4, 5]);
const tmpfs = '/dev/shm';
const hasTmpfs = (() => {
  try {
    return statfsSync(tmpfs).type === 0x01021994;
  } catch {
    return false;
  }
})();

describe('a memory file', () => {
  it('takes no write, no growth and no cut once it is sealed', () => {
    const file = createMemoryFile({ name: 'test' });
    expect(file.kind).toBe('memfd');
    writeSync(file.fd, bytes);
    file.seal();
    expect(file.read()).toEqual(bytes);
    expect(readFileSync(file.path)).toEqual(Buffer.from(bytes));
    expect(() => writeSync(file.fd, bytes, 0, 1, 0)).toThrow(/EPERM/u);
    expect(() => ftruncateSync(file.fd, 1)).toThrow(/EPERM/u);
    expect(() => ftruncateSync(file.fd, 100)).toThrow(/EPERM/u);
    // Opening it anew for writing does not get around the seals.
    const again = openSync(file.path, 'r+');
    expect(() => writeSync(again, bytes, 0, 1, 0)).toThrow(/EPERM/u);
    file.seal();
    file.close();
    file.close();
  });

  it('locks its pages where the limits allow it', () => {
    const file = createMemoryFile({ name: 'test' });
    writeSync(file.fd, bytes);
    file.seal();
    expect(file.lock()).toBe(true);
    file.close();
  });

  it.skipIf(!hasTmpfs)('falls back to a nameless file on a tmpfs that is read-only after sealing', () => {
    const directory = mkdtempSync(join(tmpfs, 'fastness-test-'));
    const file = createMemoryFile({ name: 'test', kind: 'tmpfs', tmpfsDir: directory });
    expect(file.kind).toBe('tmpfs');
    writeSync(file.fd, bytes);
    expect(readdirSync(directory)).toEqual([]);
    file.seal();
    expect(file.read()).toEqual(bytes);
    expect(() => writeSync(file.fd, bytes)).toThrow(/EBADF/u);
    file.close();
    rmSync(directory, { recursive: true });
  });

  it('refuses a directory that is not on a tmpfs', () => {
    const root = statfsSync(tmpdir()).type === 0x01021994 ? '/usr' : tmpdir();
    expect(codeOf(() => createMemoryFile({ name: 'test', kind: 'tmpfs', tmpfsDir: root }))).toBe('ENCLAVE_NOT_TMPFS');
  });

  it('says so when there is neither', () => {
    expect(codeOf(() => createMemoryFile({ name: 'test', kind: 'tmpfs' }))).toBe('ENCLAVE_NO_MEMORY_FILE');
  });
});

describe('swap', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'fastness-test-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it('is counted from /proc/swaps', () => {
    const heading = 'Filename\t\t\tType\t\tSize\t\tUsed\t\tPriority\n';
    expect(countSwapAreas(heading)).toBe(0);
    expect(countSwapAreas(`${heading}/dev/zram0 partition 1024 0 100\n/swapfile file 1024 0 -2\n`)).toBe(2);
  });

  // Hardening cannot be undone, so it happens in processes of their own.
  it('stops the start unless it is waived by name', async () => {
    const swaps = join(directory, 'swaps');
    writeFileSync(swaps, 'Filename Type Size Used Priority\n/swapfile file 1024 0 -2\n');
    const script = (waivers: string): string => `
      import { hardenProcess } from ${nodeSource('../src/memory/index.ts')};
      try { console.log(JSON.stringify(hardenProcess({ waivers: ${waivers}, swapsPath: ${JSON.stringify(swaps)} }))); }
      catch (error) { console.log(error.code); }`;
    expect(await startNode(script('[]')).output()).toBe('ENCLAVE_SWAP_ACTIVE');
    const facts: unknown = JSON.parse(
      await startNode(script(`[{ check: 'ENCLAVE_SWAP_ACTIVE', reason: 'a test' }]`)).output(),
    );
    expect(facts).toMatchObject({ swapAreas: 1, dumpable: false });
  });
});

describe('process hardening', () => {
  const hardened = (then: string): string => `
    import { hardenProcess } from ${nodeSource('../src/memory/index.ts')};
    const facts = hardenProcess({ waivers: [{ check: 'ENCLAVE_SWAP_ACTIVE', reason: 'a test' }] });
    ${then}`;

  it('is not in force before it is asked for', () => {
    expect(readHardening().dumpable).toBe(true);
  });

  it('is read back from the kernel', async () => {
    const output = await startNode(hardened('console.log(JSON.stringify(facts));')).output();
    expect(JSON.parse(output)).toMatchObject({
      dumpable: false,
      coreLimit: 0,
      noNewPrivileges: true,
      debuggable: false,
    });
  });

  it('keeps SIGUSR1 from starting the debugger', async () => {
    const script = `import inspector from 'node:inspector';
      console.log('ready'); setTimeout(() => { console.log(String(inspector.url())); process.exit(); }, 300);`;
    const child = startNode(hardened(script));
    await child.line('ready');
    process.kill(child.pid, 'SIGUSR1');
    expect(await child.output()).toBe('ready\nundefined');
  });

  it('refuses to start with a debugger', async () => {
    const script =
      hardened('').replace('const facts = hardenProcess(', 'try { hardenProcess(') +
      '} catch (error) { console.log(error.code, error.detail); }';
    const child = startNode(`import inspector from 'node:inspector'; inspector.open(0);${script}`);
    expect(await child.output()).toMatch(/^ENCLAVE_HARDENING Node runs with a debugger/u);
  });

  it('tells what the kernel counts time with', () => {
    expect(readHardening().clockSource).toMatch(/^[a-z][a-z0-9_-]+$/u);
  });

  it.each(['SIGABRT', 'SIGSEGV'] as const)('leaves no core dump after %s', async (signal) => {
    const directory = mkdtempSync(join(tmpdir(), 'fastness-test-'));
    try {
      const script = hardened(`console.log('ready'); setInterval(() => {}, 1000);`);
      // The shell allows core dumps; the process takes them away again.
      const child = startNode(script, { cwd: directory, shell: 'ulimit -c unlimited' });
      await child.line('ready');
      expect(readFileSync(`/proc/${child.pid}/limits`, 'utf8')).toMatch(/Max core file size +0 +0/u);
      process.kill(child.pid, signal);
      expect(await child.signal()).toBe(signal);
      expect(readdirSync(directory)).toEqual([]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it.skipIf(process.getuid?.() !== 0)(
    'keeps another process of the same unprivileged user out of its memory',
    async () => {
      const unprivileged = { uid: 65534, gid: 65534 };
      const idle = `console.log('ready'); setInterval(() => {}, 1000);`;
      const attempt = (pid: number): string => {
        try {
          return execFileSync('head', ['-c', '1', `/proc/${pid}/environ`], { ...unprivileged, stdio: 'pipe' }).length >
            0
            ? 'read'
            : '';
        } catch {
          return 'refused';
        }
      };
      const plain = startNode(idle, unprivileged);
      await plain.line('ready');
      expect(attempt(plain.pid)).toBe('read');
      plain.kill();
      const child = startNode(hardened(idle), unprivileged);
      await child.line('ready');
      expect(attempt(child.pid)).toBe('refused');
      const memory = spawn('sh', ['-c', `exec 3< /proc/${child.pid}/mem`], { ...unprivileged, stdio: 'ignore' });
      expect(await new Promise((resolve) => memory.once('exit', resolve))).not.toBe(0);
      child.kill();
    },
  );

  it.skipIf(process.getuid?.() !== 0)(
    'keeps debuggers of the same unprivileged user and readers of another one out, who get into a plain process',
    async () => {
      const user = { uid: 65534, gid: 65534 };
      // PTRACE_SEIZE, process_vm_readv of the first page of a mapping, and /proc/PID/mem, as they are called.
      const attack = (pid: number, as: { uid: number; gid: number }): Promise<string> => {
        const script = `
          import fs from 'node:fs';
          import koffi from 'koffi';
          const libc = koffi.load('libc.so.6');
          koffi.struct('iovec_t', { base: 'uint64', length: 'size_t' });
          const seize = libc.func('long ptrace(int request, int pid, void *address, void *data)');
          const read = libc.func('long process_vm_readv(int pid, iovec_t *local, unsigned long count, iovec_t *remote, unsigned long others, unsigned long flags)');
          const errno = (result) => (Number(result) === -1 ? koffi.errno() : 'done');
          let memory = 'done';
          try { fs.closeSync(fs.openSync('/proc/${pid}/mem', 'r')); } catch (error) { memory = error.code; }
          const room = koffi.address(koffi.alloc('uint8', 8));
          const vm = errno(read(${pid}, { base: room, length: 8 }, 1, { base: 4096n, length: 8 }, 1, 0));
          console.log(JSON.stringify([errno(seize(0x4206, ${pid}, null, null)), vm, memory]));`;
        return startNode(script, as).output();
      };
      const idle = `console.log('ready'); setInterval(() => {}, 1000);`;
      const plain = startNode(idle, user);
      await plain.line('ready');
      // EFAULT: nothing is mapped there, and nobody minds that it was asked for.
      expect(JSON.parse(await attack(plain.pid, user))).toEqual(['done', 14, 'done']);
      plain.kill();
      const child = startNode(hardened(idle), user);
      await child.line('ready');
      for (const as of [user, { uid: 65533, gid: 65533 }])
        expect(JSON.parse(await attack(child.pid, as))).toEqual([1, 1, 'EACCES']);
      child.kill();
    },
  );
});
