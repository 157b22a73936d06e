import { createHash } from 'node:crypto';
import { encodeRuntimeEvent } from '@fastness/attest/event-log';
import { encodeNitroEvidence } from '@fastness/attest/formats/nitro';
import { toHex } from '@fastness/codec';
import { encodeCbor, type CborMap, type CborValue } from '@fastness/codec/cbor';
import { FastnessError } from '@fastness/codec/errors';
import { requireReportData, type CollectedEvidence, type Collector, type RuntimeEvent } from '../collector.ts';
import { errnoName, untilNotBusy, withDevice, type IoctlOptions } from './ioctl.ts';
import { attestationRequest, documentOf, malformed, readNsmAnswer } from './nsm-messages.ts';

/** The Nitro security module of AWS, inside an enclave. */
export const NSM_DEVICE = '/dev/nsm';
/** Register of what the enclave measures of itself: the first that the module leaves to the enclave (16 to 31). */
export const NSM_RUNTIME_PCR = 16;

/** NSM_IOCTL_RAW: _IOWR(0x0A, 0, struct nsm_raw), two of { address, length } (include/uapi/linux/nsm.h). */
const IOCTL_RAW = 0xc020_0a00n;
const RAW_BYTES = 32;
const MAX_REQUEST_BYTES = 0x1000;
const MAX_RESPONSE_BYTES = 0x3000;
const PCR_BYTES = 48;

export interface NsmOptions extends IoctlOptions {
  /** Default: {@link NSM_DEVICE}. */
  readonly path?: string;
}

/** What the module says of itself (DescribeNSM). */
export interface NsmDescription {
  readonly version: string;
  /** Names the instance and the enclave. */
  readonly moduleId: string;
  readonly registers: number;
  readonly locked: readonly number[];
}

export interface NsmCollector extends Collector {
  describe(): Promise<NsmDescription>;
  /** A register's value, 48 bytes, and whether it is locked (DescribePCR). */
  register(index: number): Promise<{ readonly value: Uint8Array; readonly locked: boolean }>;
  /** Locks {@link NSM_RUNTIME_PCR} (LockPCR): documents state locked registers alone. */
  lock(): Promise<void>;
}

/**
 * Collects attestation documents from `/dev/nsm`. The report data goes into `user_data`; `nonce` and `public_key` stay empty.
 * What the enclave measures of itself extends register {@link NSM_RUNTIME_PCR}, see {@link nsmRuntimeRegister}, which has to be
 * locked before a document states it ("map of all locked PCRs": AWS Nitro Enclaves user guide, attestation document).
 * @throws EVIDENCE_UNREACHABLE, EVIDENCE_NATIVE, EVIDENCE_TIMEOUT, EVIDENCE_REFUSED, EVIDENCE_RESPONSE
 */
export async function openNsm(options: NsmOptions = {}): Promise<NsmCollector> {
  const { path = NSM_DEVICE } = options;
  const ask = (request: CborValue, name: string): Promise<CborMap> => exchange(path, options, request, name);
  const describe = async (): Promise<NsmDescription> => describeFrom(await ask('DescribeNSM', 'DescribeNSM'));
  const { moduleId } = await describe();
  return Object.freeze<NsmCollector>({
    name: `nsm ${path}`,
    tee: 'aws-nitro',
    simulated: false,
    detect: async () => ({ present: true, detail: `NSM of ${moduleId} at ${path}` }),
    describe,
    collect: async (reportData): Promise<CollectedEvidence> => {
      requireReportData('aws-nitro', reportData);
      const document = documentOf(await ask(attestationRequest(reportData), 'Attestation'));
      return { evidence: encodeNitroEvidence(document), endorsements: [] };
    },
    register: async (index) => {
      const answer = await ask(new Map([['DescribePCR', new Map([['index', index]])]]), 'DescribePCR');
      const [value, locked] = [answer.get('data'), answer.get('lock')];
      if (!(value instanceof Uint8Array) || value.length !== PCR_BYTES) throw malformed('no register');
      if (typeof locked !== 'boolean') throw malformed('no word on its lock');
      return { value: value.slice(), locked };
    },
    lock: async () => {
      await exchange(path, options, new Map([['LockPCR', new Map([['index', NSM_RUNTIME_PCR]])]]), 'LockPCR', true);
    },
    extend: async (event) => {
      const fields = new Map<string, CborValue>([
        ['index', NSM_RUNTIME_PCR],
        ['data', encodeRuntimeEvent(event)],
      ]);
      const value = (await ask(new Map([['ExtendPCR', fields]]), 'ExtendPCR')).get('data');
      if (!(value instanceof Uint8Array) || value.length !== PCR_BYTES) throw malformed('no register');
    },
  });
}

/** Register {@link NSM_RUNTIME_PCR} after these events and no others, hex: for `pcrs` of the policy's `nitro` section. */
export function nsmRuntimeRegister(events: readonly RuntimeEvent[]): string {
  const value = events.reduce<Uint8Array>(
    (register, event) =>
      new Uint8Array(createHash('sha384').update(register).update(encodeRuntimeEvent(event)).digest()),
    new Uint8Array(PCR_BYTES),
  );
  return toHex(value);
}

/** One request, one answer: CBOR both (aws-nitro-enclaves-nsm-api, as Rust's serde writes an enum). */
async function exchange(
  path: string,
  options: IoctlOptions,
  request: CborValue,
  name: string,
  bare = false,
): Promise<CborMap> {
  const asked = encodeCbor(request);
  if (asked.length > MAX_REQUEST_BYTES) throw new FastnessError('EVIDENCE_REFUSED', `${name}: ${asked.length} bytes.`);
  const answer = await withDevice(path, options, async (ioctl, allocate) => {
    const raw = allocate(RAW_BYTES);
    const question = allocate(MAX_REQUEST_BYTES);
    const response = allocate(MAX_RESPONSE_BYTES);
    question.bytes.set(asked);
    const said = await untilNotBusy(path, options, () => {
      raw.view.setBigUint64(0, question.address, true);
      raw.view.setBigUint64(8, BigInt(asked.length), true);
      raw.view.setBigUint64(16, response.address, true);
      raw.view.setBigUint64(24, BigInt(MAX_RESPONSE_BYTES), true);
      return ioctl(IOCTL_RAW, raw.address);
    });
    if (said < 0) throw new FastnessError('EVIDENCE_REFUSED', `${path}, ${name}: ${errnoName(said)}.`);
    const length = raw.view.getBigUint64(24, true);
    if (length > BigInt(MAX_RESPONSE_BYTES)) throw malformed(`${length} bytes`);
    return response.bytes.slice(0, Number(length));
  });
  return readNsmAnswer(answer, { name, path, bare });
}

function describeFrom(fields: CborMap): NsmDescription {
  const number = (name: string): number => {
    const value = fields.get(name);
    if (typeof value !== 'number' || value < 0) throw malformed(`${name} is no number`);
    return value;
  };
  const moduleId = fields.get('module_id');
  if (typeof moduleId !== 'string' || !/^[!-~]{1,128}$/.test(moduleId)) throw malformed('module_id is no name');
  const locked = fields.get('locked_pcrs');
  if (!Array.isArray(locked) || locked.length > 32) throw malformed('locked_pcrs is no list');
  return {
    version: `${number('version_major')}.${number('version_minor')}.${number('version_patch')}`,
    moduleId,
    registers: number('max_pcrs'),
    locked: locked.filter((index) => typeof index === 'number'),
  };
}
