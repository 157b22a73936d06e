import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Tee } from '@fastness/attest';
import { encodeCcaEvidence } from '@fastness/attest/formats/arm-cca';
import { encodeSnpEndorsements, encodeSnpEvidence, readTsm } from '@fastness/attest/formats/snp';
import { encodeTdxEvidence } from '@fastness/attest/formats/tdx';
import { utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { requireReportData, type CollectedEvidence, type Collector } from '../collector.ts';
import { errnoOf, readKernelFile } from './kernel-file.ts';
import { openTdxLog, type TdxLogOptions } from './tdx-log.ts';
import type { TdxRtmrOptions } from './tdx-rtmr.ts';

/** Where Linux (from 6.7 on) hands out reports of SEV-SNP, TDX and CCA alike. */
export const CONFIGFS_TSM = '/sys/kernel/config/tsm/report';

export interface ConfigfsTsmOptions {
  /** Default: {@link CONFIGFS_TSM}. */
  readonly root?: string;
  /** Privilege level to ask for: on SEV-SNP the VMPL. Default: the kernel's own. */
  readonly privilegeLevel?: number;
  /** Makes an entry. Default: mkdir(2), on which the kernel fills it; a tree that is no configfs has to be filled by somebody. */
  readonly makeEntry?: (path: string) => Promise<void>;
  /** The register of a trust domain that events of the run time go to. */
  readonly rtmr?: TdxRtmrOptions;
  /** Where the event log of a trust domain is. */
  readonly eventLog?: TdxLogOptions;
}

interface Blobs {
  readonly outblob: Uint8Array;
  readonly auxblob: Uint8Array | undefined;
}

/** What a kernel's provider makes, by the name that it gives. */
interface Provider {
  readonly name: string;
  readonly tee: Tee;
  /** `eventLog`: of a trust domain, where there is one. */
  wrap(blobs: Blobs, eventLog?: Uint8Array): CollectedEvidence;
}

const providers: readonly Provider[] = Object.freeze([
  {
    name: 'sev_guest',
    tee: 'sev-snp',
    wrap: ({ outblob, auxblob }: Blobs): CollectedEvidence => {
      const { report, certificates, crls } = readTsm({ outblob, ...(auxblob === undefined ? {} : { auxblob }) });
      return {
        evidence: encodeSnpEvidence({ report, certificates }),
        endorsements: crls.length === 0 ? [] : [encodeSnpEndorsements({ crls })],
      };
    },
  },
  {
    name: 'tdx_guest',
    tee: 'tdx',
    wrap: ({ outblob }: Blobs, eventLog?: Uint8Array): CollectedEvidence => ({
      evidence: encodeTdxEvidence({ quote: outblob, ...(eventLog === undefined ? {} : { eventLog }) }),
      endorsements: [],
    }),
  },
  {
    name: 'arm_cca_guest',
    tee: 'arm-cca',
    wrap: ({ outblob }: Blobs): CollectedEvidence => ({ evidence: encodeCcaEvidence(outblob), endorsements: [] }),
  },
]);

/** A TDX quote has some 5 KiB, a table of AMD certificates at most 16. */
const MAX_BLOB = 1 << 20;
const MAX_TEXT = 64;
/** Another process may use the same entry, or the firmware may be busy: on SEV-SNP it answers once in two seconds or so. */
const ATTEMPTS = 8;

/**
 * Collects through configfs-tsm (Documentation/ABI/testing/configfs-tsm-report): an entry of its own for each report, so that
 * nobody else writes to it; `generation` says whether somebody did all the same, and then the report is made anew.
 * In a trust domain of TDX the event log of the boot goes with the quote, and events of the run time extend RTMR3, where the
 * kernel lets this user do so.
 * The kernel that answers is the guest's own; what it answers is checked by whoever verifies it.
 * @returns undefined where the kernel has no such interface or no provider for it
 * @throws EVIDENCE_PROVIDER_UNKNOWN when there is one that is not known here
 */
export async function openConfigfsTsm(options: ConfigfsTsmOptions = {}): Promise<Collector | undefined> {
  const { root = CONFIGFS_TSM, privilegeLevel, makeEntry = (path) => mkdir(path) } = options;
  const withEntry = <T>(work: (entry: string) => Promise<T>): Promise<T> => inEntry(root, makeEntry, work);
  if (!(await isFolder(root))) return undefined;
  const name = await withEntry((entry) => readProvider(entry)).catch((error: unknown) => {
    // Without a provider the folder is there and no entry can be made in it.
    if (error instanceof FastnessError && error.code === 'EVIDENCE_UNREACHABLE') return undefined;
    throw error;
  });
  if (name === undefined) return undefined;
  const provider = providers.find((each) => each.name === name);
  if (provider === undefined) throw new FastnessError('EVIDENCE_PROVIDER_UNKNOWN', name);
  const log = provider.tee === 'tdx' ? await openTdxLog(options) : undefined;
  return Object.freeze<Collector>({
    name: `configfs-tsm ${provider.name}`,
    tee: provider.tee,
    simulated: false,
    detect: async () => ({
      present: true,
      detail: [`${provider.name} at ${root}`, ...(log === undefined ? [] : [log.detail])].join(', '),
    }),
    collect: async (reportData): Promise<CollectedEvidence> => {
      requireReportData(provider.tee, reportData);
      const ask = (): Promise<Blobs> => withEntry((entry) => report(entry, provider, reportData, privilegeLevel));
      if (log === undefined) return provider.wrap(await ask());
      const { made, eventLog } = await log.quoted(ask);
      return provider.wrap(made, eventLog);
    },
    ...(log?.extend === undefined ? {} : { extend: log.extend }),
  });
}

async function report(
  entry: string,
  provider: Provider,
  reportData: Uint8Array,
  privilegeLevel: number | undefined,
): Promise<Blobs> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    try {
      if (privilegeLevel !== undefined)
        await write(join(entry, 'privlevel'), new TextEncoder().encode(`${privilegeLevel}`));
      await write(join(entry, 'inblob'), reportData);
      const before = await readText(join(entry, 'generation'));
      const outblob = await read(join(entry, 'outblob'), MAX_BLOB);
      const auxblob = await read(join(entry, 'auxblob'), MAX_BLOB).catch(absent);
      const name = await readProvider(entry);
      const after = await readText(join(entry, 'generation'));
      if (before === after && name === provider.name) {
        if (outblob.length === 0) throw new FastnessError('EVIDENCE_RESPONSE', 'The report is empty.');
        return { outblob, auxblob: auxblob === undefined || auxblob.length === 0 ? undefined : auxblob };
      }
    } catch (error) {
      if (!isBusy(error)) throw asFastness(error, entry);
    }
    await sleep(25 * 2 ** attempt);
  }
  throw new FastnessError('EVIDENCE_TIMEOUT', `${entry}: busy, or changed by others, ${ATTEMPTS} times.`);
}

/** Makes an entry with a name that nobody else has, and takes it away whatever happens. */
async function inEntry<T>(
  root: string,
  makeEntry: (path: string) => Promise<void>,
  work: (entry: string) => Promise<T>,
): Promise<T> {
  const entry = join(root, `fastness-${process.pid}-${randomBytes(8).toString('hex')}`);
  try {
    await makeEntry(entry);
  } catch (cause) {
    throw new FastnessError('EVIDENCE_UNREACHABLE', `${root}: no entry can be made.`, { cause });
  }
  try {
    return await work(entry);
  } finally {
    // Attributes of configfs are no files: the entry goes although they are there.
    await rmdir(entry).catch(() => {});
  }
}

async function readProvider(entry: string): Promise<string> {
  return (await readText(join(entry, 'provider'))).trim();
}

async function readText(path: string): Promise<string> {
  return utf8Decode(await read(path, MAX_TEXT));
}

async function read(path: string, most: number): Promise<Uint8Array> {
  const bytes = await readKernelFile(path, most);
  if (bytes === undefined) throw new FastnessError('EVIDENCE_RESPONSE', `${path}: more than ${most} bytes.`);
  return bytes;
}

/** A binary attribute is taken when it is closed, so what is wrong with it may come up only then. */
async function write(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, constants.O_WRONLY);
  try {
    const { bytesWritten } = await file.write(bytes);
    if (bytesWritten !== bytes.length)
      throw new FastnessError('EVIDENCE_REFUSED', `${path} took ${bytesWritten} bytes.`);
  } finally {
    await file.close();
  }
}

async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
}

/** EBUSY: the firmware or another user. EINTR: a signal. EWOULDBLOCK: somebody changed the entry while it was read. */
function isBusy(error: unknown): boolean {
  return ['EBUSY', 'EINTR', 'EAGAIN', 'EWOULDBLOCK'].includes(errnoOf(error));
}

function absent(error: unknown): undefined {
  if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENXIO') return undefined;
  throw error;
}

function asFastness(error: unknown, entry: string): FastnessError {
  if (error instanceof FastnessError) return error;
  const code = errnoOf(error);
  if (code === 'ENXIO')
    return new FastnessError('EVIDENCE_NO_TEE', `${entry}: no provider is loaded.`, { cause: error });
  return new FastnessError('EVIDENCE_REFUSED', `${entry}: ${code}.`, { cause: error });
}
