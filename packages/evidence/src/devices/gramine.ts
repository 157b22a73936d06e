import { constants } from 'node:fs';
import { access, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CMW_EVIDENCE, SGX_QUOTE_TYPE } from '@fastness/attest';
import { concatBytes, equalBytes } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { requireReportData, type CollectedEvidence, type Collector } from '../collector.ts';

/** Pseudo-files of Gramine inside an SGX enclave (Gramine documentation, "Attestation and Secret Provisioning"). */
export const GRAMINE_ATTESTATION = '/dev/attestation';

export interface GramineOptions {
  /** Default: {@link GRAMINE_ATTESTATION}. */
  readonly root?: string;
  /** Milliseconds until a quote that another thread got in the way of is made anew, doubled each time. Default: 25. */
  readonly pauseMs?: number;
}

const MAX_QUOTE = 1 << 16;
/** REPORTDATA in a quote of version 3: header of 48 bytes, then 320 of the report body (Intel SGX ECDSA QuoteLib reference, A.4). */
const REPORT_DATA_AT = 48 + 320;
const REPORT_DATA_BYTES = 64;
const ATTEMPTS = 8;

/**
 * Collects quotes of an SGX enclave that Gramine runs. Whoever else in the enclave asks at the same time writes to the same
 * file: a quote with other report data is made anew.
 * @returns undefined where there are no such files: not under Gramine, or `gramine-direct`
 * @throws EVIDENCE_NO_TEE where the manifest has remote attestation off, EVIDENCE_PROVIDER_UNKNOWN for EPID
 */
export async function openGramine(options: GramineOptions = {}): Promise<Collector | undefined> {
  const { root = GRAMINE_ATTESTATION, pauseMs = 25 } = options;
  const typePath = join(root, 'attestation_type');
  const present = await access(typePath).then(
    () => true,
    () => false,
  );
  if (!present) return undefined;
  const type = new TextDecoder().decode(await read(typePath, 64)).trim();
  if (type === 'none') {
    throw new FastnessError('EVIDENCE_NO_TEE', `${root}: set sgx.remote_attestation = "dcap" in the Gramine manifest.`);
  }
  if (type !== 'dcap') throw new FastnessError('EVIDENCE_PROVIDER_UNKNOWN', `Gramine: ${type.slice(0, 16)}.`);
  let turn: Promise<unknown> = Promise.resolve();
  return Object.freeze<Collector>({
    name: `gramine ${root}`,
    tee: 'sgx',
    simulated: false,
    detect: async () => ({ present: true, detail: `SGX under Gramine at ${root}` }),
    collect: (reportData): Promise<CollectedEvidence> => {
      requireReportData('sgx', reportData);
      const made = turn.then(() => quote(root, reportData, pauseMs));
      turn = made.catch(() => {});
      return made;
    },
  });
}

async function quote(root: string, reportData: Uint8Array, pauseMs: number): Promise<CollectedEvidence> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    await write(join(root, 'user_report_data'), reportData);
    const value = await read(join(root, 'quote'), MAX_QUOTE);
    const bound = value.subarray(REPORT_DATA_AT, REPORT_DATA_AT + REPORT_DATA_BYTES);
    if (bound.length < REPORT_DATA_BYTES)
      throw new FastnessError('EVIDENCE_RESPONSE', `A quote of ${value.length} bytes.`);
    if (equalBytes(bound, reportData)) {
      return { evidence: { type: SGX_QUOTE_TYPE, value, ind: CMW_EVIDENCE }, endorsements: [] };
    }
    await sleep(pauseMs * 2 ** attempt);
  }
  throw new FastnessError('EVIDENCE_TIMEOUT', `${root}: quotes of others, ${ATTEMPTS} times.`);
}

async function read(path: string, most: number): Promise<Uint8Array> {
  return await withFile(path, constants.O_RDONLY, async (file) => {
    const parts: Uint8Array[] = [];
    for (let total = 0; ;) {
      const { bytesRead, buffer } = await file.read(new Uint8Array(8192), 0, 8192, null);
      if (bytesRead === 0) return concatBytes(...parts);
      total += bytesRead;
      if (total > most) throw new FastnessError('EVIDENCE_RESPONSE', `${path}: more than ${most} bytes.`);
      parts.push(buffer.subarray(0, bytesRead));
    }
  });
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  await withFile(path, constants.O_WRONLY, async (file) => {
    const { bytesWritten } = await file.write(bytes);
    if (bytesWritten !== bytes.length)
      throw new FastnessError('EVIDENCE_REFUSED', `${path} took ${bytesWritten} bytes.`);
  });
}

type File = Awaited<ReturnType<typeof open>>;

/** The quoting enclave runs outside and answers through Gramine: what fails there comes as an errno of the file. */
async function withFile<T>(path: string, flags: number, work: (file: File) => Promise<T>): Promise<T> {
  try {
    const file = await open(path, flags);
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof FastnessError) throw cause;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    throw new FastnessError('EVIDENCE_REFUSED', `${path}: ${code}.`, { cause });
  }
}
