// Sealing and opening a 1 GiB model over `openssl speed` with the same number of threads. Files lie in memory (/dev/shm),
// so that the disk is not what is measured.
// Run: npm run build && node bench/floe.ts [MiB [folder]]
// From source (npm run bench:floe) every helper thread has to strip types first: some 0.2 s of processor time.
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { createSoftwareKeyStore } from '@fastness/keys';
import {
  createThreadPool,
  deriveFileKey,
  fileAad,
  openSealedFile,
  prepareTarget,
  readSealedModel,
  rootKeyContext,
  sealModel,
} from '@fastness/model';
import { alternate, median, medianRatio, printFigures, printParts, timed, type Figure } from './support.ts';

interface Sample {
  /** GB/s. */
  readonly rate: number;
  /** Seconds. */
  readonly processor: number;
}

/** Of this process with all its threads, and of the processes it waited for: proc(5), in hundredths of a second. */
function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  const fields = readFileSync('/proc/self/stat', 'latin1').split(') ').at(-1)?.split(' ') ?? [];
  return (user + system) / 1e6 + (Number(fields[13]) + Number(fields[14])) / 100;
}

const run = promisify(execFile);
const mebibytes = Number(process.argv[2] ?? 1024);
const size = mebibytes * 2 ** 20;
const threads = Math.min(availableParallelism(), 4);
const rounds = 5;

const folder = await mkdtemp(join(process.argv[3] ?? '/dev/shm', 'fastness-bench-'));
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
  const measured = async (work: () => Promise<unknown>): Promise<Sample> => {
    const before = processorSeconds();
    const milliseconds = await timed(work);
    return { rate: size / 1e9 / (milliseconds / 1e3), processor: processorSeconds() - before };
  };

  const model = { modelId: 'bench', engine: 'llama', task: 'generate' } as const;
  const seal = async (): Promise<Sample> =>
    measured(async () => sealModel({ ...model, source, target, keyStore, kekId: 'kek', threads }));

  // Into a file without a name, as the enclave opens it. `ahead`: it prepares the file while it waits for the key.
  const openInto = async (ahead: boolean): Promise<Sample> => {
    const { manifest, wrappedRoot } = await readSealedModel(target);
    const root = await keyStore.unwrap(wrappedRoot, rootKeyContext(manifest));
    const [file] = manifest.files;
    if (file === undefined) throw new Error('nothing was sealed');
    const path = join(folder, 'opened');
    const fd = openSync(path, 'w+');
    unlinkSync(path);
    await using pool = createThreadPool(threads);
    try {
      const prepared = ahead ? await prepareTarget({ fd, size: file.size, pool }) : undefined;
      return await measured(async () =>
        openSealedFile({
          sealedPath: join(target, file.sealedPath),
          key: deriveFileKey(root, manifest, file.path),
          aad: fileAad(manifest, file),
          expectedSize: file.size,
          fd,
          prepared,
          pool,
        }),
      );
    } finally {
      closeSync(fd);
    }
  };
  // openssl prints "+F:..:bytes/s" with -mr; 64 KiB is its fastest size and the one our cipher calls use.
  const cipher = async (): Promise<Sample> => {
    const before = processorSeconds();
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
    // It runs for two seconds, whatever it gets done in them.
    const gigabytes = (Number(rate) / 1e9) * 2;
    return { rate: Number(rate) / 1e9, processor: ((processorSeconds() - before) / gigabytes) * (size / 1e9) };
  };

  // A hypervisor takes back memory that was free for a while, and finding it again costs far more than anything here. So
  // as much as a contender needs is touched and freed right before its turn.
  const warm = async (): Promise<void> => {
    const path = join(folder, 'warm');
    const fd = openSync(path, 'w+');
    unlinkSync(path);
    using prepared = await prepareTarget({ fd, size: size + size / 8, threads });
    // Where that cannot be done, by writing.
    const block = new Uint8Array(2 ** 20);
    const blocks = prepared === undefined ? mebibytes : 0;
    for (let count = 0; count < blocks; count += 1) writeSync(fd, block);
    closeSync(fd);
  };
  const warmed = (contender: () => Promise<Sample>) => async (): Promise<Sample> => {
    await warm();
    return contender();
  };

  // What the kernel asks for moving the bytes alone, in as many processes: written once, or read and written.
  const moved = async (from: string): Promise<Sample> => {
    const into = join(folder, 'moved');
    const blocks = Math.ceil(mebibytes / threads);
    const sample = await measured(async () =>
      Promise.all(
        Array.from({ length: threads }, async (_, index) => {
          const skip = from === source ? [`skip=${index * blocks}`] : [];
          const place = [...skip, `seek=${index * blocks}`, `count=${blocks}`];
          await run('dd', [`if=${from}`, `of=${into}`, 'bs=1M', 'conv=notrunc', 'status=none', ...place]);
        }),
      ),
    );
    await rm(into);
    return sample;
  };

  const result = await alternate(
    {
      seal: async () => {
        await rm(target, { recursive: true, force: true });
        return warmed(seal)();
      },
      open: warmed(() => openInto(true)),
      openAndPrepare: warmed(() => openInto(false)),
      copy: warmed(() => moved(source)),
      write: warmed(() => moved('/dev/zero')),
      cipher,
    },
    rounds,
  );
  const rates = (samples: readonly Sample[]): number[] => samples.map(({ rate }) => rate);
  const processor = (samples: readonly Sample[]): number => median(samples.map((sample) => sample.processor));
  const figure = (name: string, samples: readonly Sample[], goal?: string): Figure => ({
    name,
    value: median(rates(samples)),
    against: 'openssl speed',
    reference: median(rates(result.cipher)),
    ratio: medianRatio(rates(samples), rates(result.cipher)),
    unit: 'GB/s',
    ...(goal === undefined ? {} : { goal }),
  });
  printFigures(`Sealing and opening ${mebibytes} MiB, ${threads} threads, files in ${dirname(folder)}`, [
    figure('seal', result.seal, '>= 0.8'),
    figure('open, into memory prepared ahead', result.open, '>= 0.8'),
    figure('open, preparing the memory included', result.openAndPrepare),
    figure('plain copy of the file by dd', result.copy),
    figure('writing a new file by dd', result.write),
  ]);
  // What others on the same machine change least.
  printParts('processor time, all threads and processes', 's', {
    seal: processor(result.seal),
    'open, into memory prepared ahead': processor(result.open),
    'open, preparing the memory included': processor(result.openAndPrepare),
    'plain copy of the file by dd': processor(result.copy),
    'writing a new file by dd': processor(result.write),
    'openssl speed': processor(result.cipher),
  });
} finally {
  await rm(folder, { recursive: true, force: true });
}
