import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { concatBytes, toHex, u16le, u32le } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { attestationKeyOf, encodeTpmEvidence } from '@fastness/attest/formats/tpm';
import { encodeRuntimeEvent, parseEventLog, type LogHash } from '@fastness/attest/event-log';
import type { Cmw } from '@fastness/attest';
import { requireReportData, type CollectedEvidence, type Collector, type RuntimeEvent } from '../collector.ts';
import { readKernelFile } from './kernel-file.ts';
import {
  attestationKeyTemplate,
  createPrimary,
  extendableBanks,
  openSwtpmSocket,
  openTpm,
  openTpmDevice,
  pcrExtend,
  pcrRead,
  quote,
  withObject,
  type Bank,
  type Tpm,
} from '../tpm/index.ts';

/** Where Linux shows the log of the firmware. */
export const FIRMWARE_EVENT_LOG = '/sys/kernel/security/tpm0/binary_bios_measurements';
/** The kernel's TPM behind its resource manager. */
export const TPM_DEVICE = '/dev/tpmrm0';
/**
 * Register of what the enclave measures of itself: what it was configured with and which release it asks a key for. Nobody
 * else of a Fastness image extends it; systemd, where there is one, keeps facts about the system there.
 */
export const RUNTIME_PCR = 15;

/** Registers that a quote covers: what firmware, boot loader and kernel extend, and {@link RUNTIME_PCR}. */
const QUOTED = Object.freeze([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 14, RUNTIME_PCR]);
const MAX_LOG_BYTES = 4 << 20;
const EV_EVENT_TAG = 6;
const ATTEMPTS = 5;

const nodeHashes: Readonly<Record<LogHash, string>> = Object.freeze({
  'SHA-1': 'sha1',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
});

export interface TpmCollectorOptions {
  /** Device or, ending in `.sock`, the socket of an emulator. Default: {@link TPM_DEVICE}. */
  readonly path?: string;
  /** Default: {@link FIRMWARE_EVENT_LOG}; undefined where a machine keeps none. */
  readonly eventLogPath?: string | undefined;
  /** Default: SHA-256. */
  readonly bank?: Bank;
}

/** A collector, and what its policy has to pin. */
export interface TpmCollector extends Collector {
  /** SHA-256 of the attestation key's SubjectPublicKeyInfo, hex: `attestationKeys` of the policy's `tpm` section. */
  attestationKey(): Promise<string>;
  close(): Promise<void>;
}

/**
 * Collects quotes of a TPM 2.0 with the event log of the boot. The attestation key is a primary key of the owner hierarchy:
 * the same for as long as nobody clears it, and never outside the TPM. Nobody vouches for it, so a policy pins it.
 *
 * A TPM says how a machine booted. It hides nothing: who operates the machine can read the memory of what booted, and can
 * pass the bus of a discrete TPM to another machine. A virtual TPM is as honest as the host that plays it.
 */
export async function openTpmCollector(options: TpmCollectorOptions = {}): Promise<TpmCollector> {
  return await openQuoting(options, {
    tee: 'tpm',
    name: 'TPM 2.0',
    withKey: async (tpm, work) => {
      const key = await createPrimary(tpm, { template: attestationKeyTemplate });
      return await withObject(tpm, key, () => work(key.handle, key.publicArea));
    },
    wrap: async (_, content, area) => encodeTpmEvidence({ ...content, attestationKey: attestationKeyOf(area) }),
  });
}

/** A quote, and what belongs to it whoever vouches for its key. */
type QuoteParts = Omit<Parameters<typeof encodeTpmEvidence>[0], 'attestationKey'>;

/** In what one kind of TPM differs from another: where its attestation key is, and what goes with a quote. */
export interface QuoteFlavour {
  readonly tee: 'tpm' | 'gcp-vtpm' | 'azure-vtpm';
  /** For people. */
  readonly name: string;
  readonly withKey: <T>(tpm: Tpm, work: (handle: number, publicArea: Uint8Array) => Promise<T>) => Promise<T>;
  readonly wrap: (tpm: Tpm, content: QuoteParts, publicArea: Uint8Array) => Promise<Cmw>;
}

/** A collector of quotes of one kind. Throws TPM_DEVICE_... */
export async function openQuoting(options: TpmCollectorOptions, flavour: QuoteFlavour): Promise<TpmCollector> {
  const { tee, name } = flavour;
  const { path = TPM_DEVICE, bank = 'SHA-256' } = options;
  const eventLogPath = 'eventLogPath' in options ? options.eventLogPath : FIRMWARE_EVENT_LOG;
  const tpm = openTpm({ transport: await (path.endsWith('.sock') ? openSwtpmSocket(path) : openTpmDevice(path)) });
  // What this process extended itself; the firmware's log ends where the operating system took over.
  const own: Uint8Array[] = [];
  let queue: Promise<unknown> = Promise.resolve();
  /** Nothing of this process extends a register while a quote and its log are put together. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = queue.then(work);
    queue = turn.catch(() => {});
    return turn;
  };
  const firmwareLog = async (): Promise<Uint8Array | undefined> =>
    eventLogPath === undefined ? undefined : await readEventLog(eventLogPath);
  const withKey = <T>(work: (handle: number, publicArea: Uint8Array) => Promise<T>): Promise<T> =>
    flavour.withKey(tpm, work);
  return Object.freeze<TpmCollector>({
    name: `${tee} ${path}`,
    tee,
    simulated: false,
    detect: async () => ({ present: true, detail: `${name} at ${tpm.description}` }),
    attestationKey: () =>
      inTurn(() => withKey(async (_, area) => createHash('sha256').update(attestationKeyOf(area)).digest('hex'))),
    collect: (reportData) => {
      requireReportData(tee, reportData);
      return inTurn(() =>
        withKey((key, area) => collect({ tpm, key, area, bank, reportData, firmwareLog, own, wrap: flavour.wrap })),
      );
    },
    extend: (event) => inTurn(async () => void own.push(await extend(tpm, event, await firmwareLog()))),
    close: () => tpm.close(),
  });
}

async function collect(options: {
  readonly tpm: Tpm;
  readonly key: number;
  readonly area: Uint8Array;
  readonly bank: Bank;
  readonly reportData: Uint8Array;
  firmwareLog(): Promise<Uint8Array | undefined>;
  readonly own: readonly Uint8Array[];
  readonly wrap: QuoteFlavour['wrap'];
}): Promise<CollectedEvidence> {
  const { tpm, key, area, bank, reportData } = options;
  // Others may extend a register between the reading and the quote; then the two do not belong together.
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const before = await pcrRead(tpm, { bank, indexes: QUOTED });
    const quoted = await quote(tpm, { key, nonce: reportData, selection: { bank, indexes: QUOTED } });
    const after = await pcrRead(tpm, { bank, indexes: QUOTED });
    if ([...before].some(([index, value]) => toHex(value) !== toHex(after.get(index) ?? value.subarray(1)))) continue;
    const firmware = await options.firmwareLog();
    const content = {
      ...quoted,
      pcrs: { [bank]: after },
      ...(firmware === undefined ? {} : { eventLog: concatBytes(firmware, ...options.own) }),
    };
    const evidence = await options.wrap(tpm, content, area);
    return { evidence, endorsements: [] };
  }
  throw new FastnessError('TPM_DEVICE_BUSY', 'TPM2_Quote: registers change all the time.');
}

/**
 * Extends {@link RUNTIME_PCR} with an event in every bank that the log has digests of, and returns the event as the log holds
 * it (PC Client Platform Firmware Profile, section 10.2.2). Without a log of the firmware: in the SHA-256 bank.
 */
async function extend(tpm: Tpm, event: RuntimeEvent, log: Uint8Array | undefined): Promise<Uint8Array> {
  const data = encodeRuntimeEvent(event);
  const hashes = log === undefined ? (['SHA-256'] as const) : banksOf(log);
  const digests = hashes.map((hash) => [hash, digestOf(hash, data)] as const);
  for (const [hash, digest] of digests) await pcrExtend(tpm, { index: RUNTIME_PCR, bank: hash, digest });
  return concatBytes(
    u32le(RUNTIME_PCR),
    u32le(EV_EVENT_TAG),
    u32le(digests.length),
    ...digests.flatMap(([hash, digest]) => [u16le(extendableBanks[hash].algorithm), digest]),
    u32le(data.length),
    data,
  );
}

function banksOf(log: Uint8Array): readonly LogHash[] {
  const { format, banks: named } = parseEventLog(log);
  if (format !== 'crypto-agile') throw new FastnessError('TPM_DEVICE_UNSUPPORTED', 'Its event log is of TPM 1.2.');
  return named;
}

function digestOf(hash: LogHash, data: Uint8Array): Uint8Array {
  return new Uint8Array(createHash(nodeHashes[hash]).update(data).digest());
}

async function readEventLog(path: string): Promise<Uint8Array> {
  const log = await readKernelFile(path, MAX_LOG_BYTES, constants.O_NOFOLLOW).catch((cause: unknown) => {
    throw new FastnessError('EVIDENCE_UNREACHABLE', `The event log at ${path} cannot be read.`, { cause });
  });
  if (log === undefined) throw new FastnessError('EVENT_LOG_TOO_LARGE', `More than ${MAX_LOG_BYTES} bytes.`);
  return log;
}
