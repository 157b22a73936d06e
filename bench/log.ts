// Appends to the transparency log, and to a broker's audit log with the transparency log behind it, over writing and
// fdatasync of the same bytes to a plain file in the same run. With one caller every entry waits for the disk by itself; with
// 64 callers entries share a write, and the plain file gets 64 entries with each fdatasync.
// Run: npm run bench:log [folder]; the folder's disk is what is measured.
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBase64Url } from '@fastness/codec/bytes';
import { verifierKeyOf } from '@fastness/log';
import { openTileLog, type TileLog } from '@fastness/log/node';
import { openAuditLog } from '../apps/broker/src/audit/log.ts';
import { openTransparency } from '../apps/broker/src/audit/transparency.ts';
import { alternate, median, medianRatio, printFigures, printParts, type Figure } from './support.ts';

const milliseconds = 1000;
const rounds = 5;
const many = 64;
const entry = new TextEncoder().encode('x'.repeat(400));
const folder = await mkdtemp(join(process.argv[2] ?? tmpdir(), 'fastness-bench-log-'));
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const raw = fromBase64Url(publicKey.export({ format: 'jwk' }).x ?? '');
const key = await verifierKeyOf({ name: 'bench.example', publicKey: raw });
const signNote = async (message: Uint8Array): Promise<Uint8Array> => new Uint8Array(sign(null, message, privateKey));

/** How often a second `work` is done by so many callers. */
async function perSecond(callers: number, work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  const end = started + milliseconds;
  let count = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() < end) {
        await work();
        count += 1;
      }
    }),
  );
  return (count * 1000) / (performance.now() - started);
}

try {
  await using plain = await open(join(folder, 'plain'), 'w');
  await using log: TileLog = await openTileLog({ directory: join(folder, 'log'), key, sign: signNote });
  await using transparency = await openTransparency({
    directory: join(folder, 'audit.tlog'),
    key,
    sign: signNote,
    report: () => {},
  });
  await using audit = await openAuditLog({
    path: join(folder, 'audit'),
    now: () => new Date(),
    mirror: transparency.mirror,
  });
  let position = 0;
  const writePlain = (entries: number) => async (): Promise<void> => {
    const bytes = new Uint8Array(entries * entry.length).fill(120);
    await plain.write(bytes, 0, bytes.length, position);
    await plain.datasync();
    position += bytes.length;
  };
  const append = async (): Promise<unknown> => log.append([entry]);
  const record = async (): Promise<unknown> =>
    audit.append('refused', { operation: 'key-release', code: 'BROKER_NONCE_UNKNOWN', releaseDigest: 'a'.repeat(64) });
  const prove = async (): Promise<unknown> => log.prove((await log.append([entry])) - 1);

  /** Microseconds of processor time, all threads, for each time that `work` is done by so many callers. */
  const processorTime = async (callers: number, work: () => Promise<unknown>): Promise<number> => {
    const before = process.cpuUsage();
    const rate = await perSecond(callers, work);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / ((rate * milliseconds) / 1000);
  };

  const result = await alternate(
    {
      plainOne: async () => perSecond(1, writePlain(1)),
      logOne: async () => perSecond(1, append),
      auditOne: async () => perSecond(1, record),
      plainMany: async () => (await perSecond(1, writePlain(many))) * many,
      logMany: async () => perSecond(many, append),
      auditMany: async () => perSecond(many, record),
      proveOne: async () => perSecond(1, async () => log.prove(Math.floor(Math.random() * log.size))),
      appendAndProve: async () => perSecond(1, prove),
    },
    rounds,
  );
  const figure = (name: string, samples: readonly number[], reference: readonly number[]): Figure => ({
    name,
    value: median(samples),
    against: 'write + fdatasync',
    reference: median(reference),
    ratio: medianRatio(samples, reference),
    unit: 'entries/s',
  });
  printFigures(`Appending entries of 400 bytes, in ${folder.replace(/\/[^/]*$/, '')}`, [
    figure('log, 1 caller', result.logOne, result.plainOne),
    figure('audit log and log, 1 caller', result.auditOne, result.plainOne),
    figure(`log, ${many} callers`, result.logMany, result.plainMany),
    figure(`audit log and log, ${many} callers`, result.auditMany, result.plainMany),
  ]);
  printParts('proofs, 1 caller', '/s', {
    'inclusion proof of any entry': median(result.proveOne),
    'append, sign a checkpoint over it, prove': median(result.appendAndProve),
  });
  // What other work on the machine changes least.
  printParts('processor time', 'µs', {
    [`append, ${many} callers`]: await processorTime(many, append),
    [`audit log and log, ${many} callers`]: await processorTime(many, record),
    'inclusion proof of any entry': await processorTime(1, async () => log.prove(Math.floor(Math.random() * log.size))),
    'append, sign, prove': await processorTime(1, prove),
  });
} finally {
  await rm(folder, { recursive: true, force: true });
}
