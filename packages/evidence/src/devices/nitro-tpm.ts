import { createHash } from 'node:crypto';
import { encodeNitroEvidence, parse } from '@fastness/attest/formats/nitro';
import { encodeRuntimeEvent } from '@fastness/attest/event-log';
import { concatBytes, equalBytes, toHex } from '@fastness/codec';
import { encodeCbor } from '@fastness/codec/cbor';
import { FastnessError } from '@fastness/codec/errors';
import { requireReportData, type CollectedEvidence, type Collector, type RuntimeEvent } from '../collector.ts';
import {
  getProperty,
  isMissing,
  noPassword,
  nvAttributes,
  nvDefineSpace,
  nvRead,
  nvReadPublic,
  nvUndefineSpace,
  nvWrite,
  openSwtpmSocket,
  openTpm,
  openTpmDevice,
  pcrExtend,
  pcrRead,
  properties,
  type Tpm,
} from '../tpm/index.ts';
import { attestationRequest, documentOf, readNsmAnswer } from './nsm-messages.ts';
import { RUNTIME_PCR, TPM_DEVICE } from './tpm.ts';

/** The TPM without the kernel's resource manager, which AWS's own tool sends AWS's command to. One program at a time may open it. */
export const NITRO_TPM_DEVICE = '/dev/tpm0';

/** TPM2_VENDOR_AWS_NSM_REQUEST (aws/NitroTPM-Tools, nitro-tpm-attest): authorisation, then index; the index holds request, then answer. */
const NSM_REQUEST = 0x2000_0001;
/** What the TPM calls itself: TPM_PT_VENDOR_STRING_1 and _2. */
const VENDOR = Object.freeze([0x4e69_7472, 0x6f54_504d]); // "Nitr", "oTPM"
/** The index that requests and answers pass through; those of counters and sealed states begin at 0x018fa570 and 0x018fa580. */
const BUFFER_INDEX = 0x018f_a590;
/** As large as AWS's tool makes it: a document has almost 5 KiB. */
const BUFFER_BYTES = 8192;
const BUFFER_ATTRIBUTES = nvAttributes.authRead | nvAttributes.authWrite;
/** TPM2_NV_Read gives no more at once. */
const CHUNK = 512;
/** Documents state the registers of the SHA-384 bank; the other is kept in step, for whoever seals to it. */
const DOCUMENT_BANK = 'SHA-384';
const bankHashes = Object.freeze([
  ['SHA-256', 'sha256'],
  ['SHA-384', 'sha384'],
] as const);

export interface NitroTpmOptions {
  /** The TPM behind the resource manager, or the socket of an emulator (ending in `.sock`). Default: {@link TPM_DEVICE}. */
  readonly path?: string;
  /** Where documents are asked for. Default: {@link NITRO_TPM_DEVICE}; `path` where that is a socket. */
  readonly documentPath?: string;
}

/**
 * Collects attestation documents of an EC2 instance through its NitroTPM. The report data goes into `user_data`. What the enclave
 * measures of itself extends register {@link RUNTIME_PCR}, see {@link nitroTpmRuntimeRegister}.
 *
 * A document says what the instance booted. That nobody reads its memory is AWS's word for its hypervisor, not the document's.
 * @returns undefined where there is a TPM of another maker
 * @throws TPM_DEVICE_..., EVIDENCE_REFUSED, EVIDENCE_RESPONSE
 */
export async function openNitroTpm(options: NitroTpmOptions = {}): Promise<Collector | undefined> {
  const { path = TPM_DEVICE } = options;
  const documentPath = options.documentPath ?? (path.endsWith('.sock') ? path : NITRO_TPM_DEVICE);
  if (!(await withTpm(path, isNitroTpm))) return undefined;
  let queue: Promise<unknown> = Promise.resolve();
  /** The index is one, and so is what may open the device. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = queue.then(work);
    queue = turn.catch(() => {});
    return turn;
  };
  return Object.freeze<Collector>({
    name: `nitrotpm ${documentPath}`,
    tee: 'aws-nitrotpm',
    simulated: false,
    detect: async () => ({ present: true, detail: `NitroTPM at ${path}, documents through ${documentPath}` }),
    collect: async (reportData): Promise<CollectedEvidence> => {
      requireReportData('aws-nitrotpm', reportData);
      const answer = await inTurn(() => withTpm(documentPath, (tpm) => exchange(tpm, reportData)));
      const document = documentOf(readNsmAnswer(answer, { name: 'Attestation', path: documentPath, padded: true }));
      const evidence = encodeNitroEvidence(document, 'aws-nitrotpm');
      // Whoever may use the TPM may write to the index between our request and the TPM's answer.
      if (!equalBytes(userDataOf(evidence), reportData))
        throw new FastnessError('EVIDENCE_RESPONSE', `${documentPath}: a document over other report data.`);
      return { evidence, endorsements: [] };
    },
    extend: (event) => inTurn(() => withTpm(path, (tpm) => extend(tpm, event))),
  });
}

/** Register {@link RUNTIME_PCR} after these events and no others, hex: for `pcrs` of the policy's `nitroTpm` section. */
export function nitroTpmRuntimeRegister(events: readonly RuntimeEvent[]): string {
  return toHex(events.reduce<Uint8Array>((value, event) => extended(value, event), new Uint8Array(48)));
}

/** Passes one request through an index that lives as long as it takes. */
async function exchange(tpm: Tpm, reportData: Uint8Array): Promise<Uint8Array> {
  const index = BUFFER_INDEX;
  await clear(tpm);
  await nvDefineSpace(tpm, { index, attributes: BUFFER_ATTRIBUTES, size: BUFFER_BYTES });
  try {
    await nvWrite(tpm, { index, data: encodeCbor(attestationRequest(reportData)) });
    await tpm.run(
      { code: NSM_REQUEST, name: 'TPM2_VENDOR_AWS_NSM_REQUEST', handles: [index, index], auths: [noPassword] },
      // AWS's tool looks at the code of the answer alone.
      (reader) => void reader.take(reader.remaining),
    );
    const parts: Uint8Array[] = [];
    for (let offset = 0; offset < BUFFER_BYTES; offset += CHUNK)
      parts.push(await nvRead(tpm, { index, offset, size: CHUNK }));
    return concatBytes(...parts);
  } finally {
    await nvUndefineSpace(tpm, { index });
  }
}

/** A program that was killed leaves its index behind; one that looks otherwise is somebody else's. */
async function clear(tpm: Tpm): Promise<void> {
  const found = await nvReadPublic(tpm, BUFFER_INDEX).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (found === undefined) return;
  const ours = (found.attributes & ~nvAttributes.written) === BUFFER_ATTRIBUTES && found.size === BUFFER_BYTES;
  if (!ours) throw new FastnessError('TPM_DEVICE_NV_DEFINED', `Index 0x${BUFFER_INDEX.toString(16)}.`);
  await nvUndefineSpace(tpm, { index: BUFFER_INDEX });
}

async function extend(tpm: Tpm, event: RuntimeEvent): Promise<void> {
  const selection = { bank: DOCUMENT_BANK, indexes: [RUNTIME_PCR] } as const;
  const data = encodeRuntimeEvent(event);
  const before = (await pcrRead(tpm, selection)).get(RUNTIME_PCR) ?? new Uint8Array(0);
  for (const [bank, hash] of bankHashes) {
    const digest = new Uint8Array(createHash(hash).update(data).digest());
    await pcrExtend(tpm, { index: RUNTIME_PCR, bank, digest });
  }
  const after = (await pcrRead(tpm, selection)).get(RUNTIME_PCR) ?? new Uint8Array(0);
  // A document would state something else than a policy that pins the events expects, and never again what it should.
  if (!equalBytes(after, extended(before, event)))
    throw new FastnessError('EVIDENCE_RESPONSE', `Register ${RUNTIME_PCR}: something else extends it.`);
}

function extended(value: Uint8Array, event: RuntimeEvent): Uint8Array {
  const digest = createHash('sha384').update(encodeRuntimeEvent(event)).digest();
  return new Uint8Array(createHash('sha384').update(value).update(digest).digest());
}

async function isNitroTpm(tpm: Tpm): Promise<boolean> {
  return (
    (await getProperty(tpm, properties.vendorString1)) === VENDOR[0] &&
    (await getProperty(tpm, properties.vendorString2)) === VENDOR[1]
  );
}

function userDataOf(evidence: CollectedEvidence['evidence']): Uint8Array {
  try {
    return parse(evidence).document.userData ?? new Uint8Array(0);
  } catch (cause) {
    throw new FastnessError('EVIDENCE_RESPONSE', 'NitroTPM: no attestation document.', { cause });
  }
}

async function withTpm<T>(path: string, work: (tpm: Tpm) => Promise<T>): Promise<T> {
  await using tpm = openTpm({
    transport: await (path.endsWith('.sock') ? openSwtpmSocket(path) : openTpmDevice(path)),
  });
  return await work(tpm);
}
