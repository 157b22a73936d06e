// Sealing and opening a 1 GiB model over `openssl speed` with the same number of threads. Files lie in memory (/dev/shm),
// so that the disk is not what is measured. Run: npm run bench:floe [-- MiB]
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createSoftwareKeyStore } from '@fastness/keys';
import {
  createThreadPool,
  deriveFileKey,
  fileAad,
  openSealedFile,
  readSealedModel,
  rootKeyContext,
  sealModel,
} from '@fastness/model';
import { compare, printFigures, timed } from './support.ts';

const run = promisify(execFile);
const mebibytes = Number(process.argv[2] ?? 1024);
const size = mebibytes * 2 ** 20;
const threads = Math.min(availableParallelism(), 4);
const rounds = 5;

const folder = await mkdtemp('/dev/shm/fastness-bench-');
try {
  const source = join(folder, 'weights.bin');
  {
    await using file = await open(source, 'w');
    // Random bytes once, repeated: the cipher's speed does not depend on its input.
    const block = randomBytes(2 ** 20);
    for (let count = 0; count < mebibytes; count += 1) await file.write(block);
  }
  await using keyStore = await createSoftwareKeyStore({ path: join(folder, 'keys'), passphrase: randomBytes(32) });
  await keyStore.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
  const target = join(folder, 'sealed');
  const gigabytesPerSecond = (milliseconds: number): number => size / 1e9 / (milliseconds / 1e3);

  const seal = async (): Promise<number> => {
    await rm(target, { recursive: true, force: true });
    return gigabytesPerSecond(
      await timed(async () =>
        sealModel({
          source,
          target,
          modelId: 'bench',
          engine: 'llama',
          task: 'generate',
          keyStore,
          kekId: 'kek',
          threads,
        }),
      ),
    );
  };
  const opened = join(folder, 'opened');
  const openAgain = async (): Promise<number> => {
    const { manifest, wrappedRoot } = await readSealedModel(target);
    const root = await keyStore.unwrap(wrappedRoot, rootKeyContext(manifest));
    const [file] = manifest.files;
    if (file === undefined) throw new Error('nothing was sealed');
    const fd = openSync(opened, 'w+');
    await using pool = createThreadPool(threads);
    try {
      return gigabytesPerSecond(
        await timed(async () =>
          openSealedFile({
            sealedPath: join(target, file.sealedPath),
            key: deriveFileKey(root, manifest, file.path),
            aad: fileAad(manifest, file),
            expectedSize: file.size,
            fd,
            pool,
          }),
        ),
      );
    } finally {
      closeSync(fd);
      await rm(opened);
    }
  };
  // openssl prints "+F:..:bytes/s" with -mr; 64 KiB is its fastest size and the one our cipher calls use.
  const floor = async (): Promise<number> => {
    const text = execFileSync(
      'openssl',
      ['speed', '-evp', 'aes-256-gcm', '-bytes', '65536', '-seconds', '2', '-multi', String(threads), '-mr'],
      {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    const rate = /^\+F:\d+:[^:]+:([\d.]+)$/m.exec(text)?.[1];
    if (rate === undefined) throw new Error(`openssl speed printed no rate:\n${text}`);
    return Number(rate) / 1e9;
  };

  // What the kernel asks for moving the bytes alone: the same file, copied into a new one by as many processes.
  const copy = async (): Promise<number> => {
    const target = join(folder, 'copy');
    const blocks = Math.ceil(mebibytes / threads);
    const started = performance.now();
    await Promise.all(
      Array.from({ length: threads }, async (_, index) => {
        const place = [`skip=${index * blocks}`, `seek=${index * blocks}`, `count=${blocks}`];
        await run('dd', [`if=${source}`, `of=${target}`, 'bs=1M', 'conv=notrunc', 'status=none', ...place]);
      }),
    );
    const rate = gigabytesPerSecond(performance.now() - started);
    await rm(target);
    return rate;
  };

  const result = await compare({ seal, open: openAgain, copy, floor }, rounds);
  printFigures(`Sealing and opening ${mebibytes} MiB, ${threads} threads`, [
    {
      name: 'seal',
      value: result.seal,
      against: 'openssl speed',
      reference: result.floor,
      unit: 'GB/s',
      goal: '>= 0.8',
    },
    {
      name: 'open',
      value: result.open,
      against: 'openssl speed',
      reference: result.floor,
      unit: 'GB/s',
      goal: '>= 0.8',
    },
    { name: 'seal', value: result.seal, against: 'plain copy', reference: result.copy, unit: 'GB/s' },
    { name: 'open', value: result.open, against: 'plain copy', reference: result.copy, unit: 'GB/s' },
  ]);
} finally {
  await rm(folder, { recursive: true, force: true });
}
