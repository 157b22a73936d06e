import { decodeCbor, encodeCbor, type CborMap, type CborValue } from '@fastness/codec/cbor';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { checkCmw, CMW_ENDORSEMENTS, CMW_EVIDENCE, type Cmw } from '../../cmw.ts';
import {
  NVIDIA_ENDORSEMENTS_TYPE,
  NVIDIA_GPU_EVIDENCE_TYPE,
  NVIDIA_NVSWITCH_EVIDENCE_TYPE,
} from '../../media-types.ts';
import { nvidiaKinds, type NvidiaKind } from './layout.ts';

/**
 * What the driver says about the GPU. The GPU does not sign it: it is as good as the guest that asked, so it counts only
 * because the CPU's evidence covers the device evidence as a whole.
 */
export interface NvidiaSettings {
  /** Confidential computing is on (NVML: `nvmlSystemGetConfComputeState`, ccFeature). */
  readonly confidentialComputing: boolean;
  /** Developer tools are on (devToolsMode). */
  readonly developerTools: boolean;
}

/** Evidence, taken out of its envelope. Untrusted. */
export interface NvidiaEvidence {
  readonly kind: NvidiaKind;
  /** Request and response as the device's driver returns them. */
  readonly report: Uint8Array;
  /** DER, leaf first, root last. */
  readonly certificates: readonly Uint8Array[];
  readonly settings?: NvidiaSettings;
}

/** Endorsements, taken out of their envelope. Untrusted: what counts is the root that their signatures end in. */
export interface NvidiaEndorsements {
  /** Reference integrity manifests, as NVIDIA's RIM service serves them after base64 decoding. */
  readonly rims: readonly Uint8Array[];
  /** DER. */
  readonly ocspResponses: readonly Uint8Array[];
}

const MAX_CERTIFICATES = 8;
/** For all devices of a machine together: GPUs of one kind share their documents. */
export const MAX_RIMS = 64;
export const MAX_RESPONSES = 256;

const types: Readonly<Record<NvidiaKind['tee'], string>> = Object.freeze({
  'nvidia-gpu': NVIDIA_GPU_EVIDENCE_TYPE,
  'nvidia-nvswitch': NVIDIA_NVSWITCH_EVIDENCE_TYPE,
});

/** Wraps a report, its certificates (DER, leaf first) and what the driver says about the GPU as evidence. */
export function encodeNvidiaEvidence(evidence: {
  readonly report: Uint8Array;
  readonly certificates: readonly Uint8Array[];
  readonly settings?: NvidiaSettings;
  readonly tee?: NvidiaKind['tee'];
}): Cmw {
  const { report, certificates, settings, tee = 'nvidia-gpu' } = evidence;
  const content = new Map<number, CborValue>([
    [1, report],
    [2, certificates],
  ]);
  if (settings !== undefined) content.set(3, [settings.confidentialComputing, settings.developerTools]);
  return { type: types[tee], value: encodeCbor(content), ind: CMW_EVIDENCE };
}

/** Wraps reference documents and OCSP responses (DER) as endorsements, for any number of devices. */
export function encodeNvidiaEndorsements(endorsements: Partial<NvidiaEndorsements>): Cmw {
  const content = new Map<number, CborValue>([
    [1, endorsements.rims ?? []],
    [2, endorsements.ocspResponses ?? []],
  ]);
  return { type: NVIDIA_ENDORSEMENTS_TYPE, value: encodeCbor(content), ind: CMW_ENDORSEMENTS };
}

/**
 * Takes evidence out of its envelope, from a private copy.
 * Throws ATTEST_EVIDENCE_UNSUPPORTED, ATTEST_EVIDENCE_MALFORMED, CODEC and CMW errors.
 */
export function decodeNvidiaEvidence(cmw: Cmw): NvidiaEvidence {
  const { type } = checkCmw(cmw);
  const kind = nvidiaKinds.find(({ tee }) => types[tee] === type);
  if (kind === undefined) throw new FastnessError('ATTEST_EVIDENCE_UNSUPPORTED', `Type ${type}.`);
  const code = 'ATTEST_EVIDENCE_MALFORMED';
  const content = readMap(cmw.value.slice(), [1, 2, 3], code);
  const report = content.get(1);
  if (!(report instanceof Uint8Array)) throw new FastnessError(code, 'Member 1 must be the report.');
  const certificates = readList(content, 2, MAX_CERTIFICATES, code);
  const settings = readSettings(content.get(3), kind);
  return { kind, report, certificates, ...(settings === undefined ? {} : { settings }) };
}

/**
 * Takes endorsements out of their envelope, from a private copy.
 * Throws ATTEST_ENDORSEMENT_UNSUPPORTED, ATTEST_ENDORSEMENT_MALFORMED, CODEC and CMW errors.
 */
export function decodeNvidiaEndorsements(cmw: Cmw): NvidiaEndorsements {
  const code = 'ATTEST_ENDORSEMENT_MALFORMED';
  if (checkCmw(cmw).type !== NVIDIA_ENDORSEMENTS_TYPE) {
    throw new FastnessError('ATTEST_ENDORSEMENT_UNSUPPORTED', `Type ${cmw.type}.`);
  }
  const content = readMap(cmw.value.slice(), [1, 2], code);
  return {
    rims: readList(content, 1, MAX_RIMS, code),
    ocspResponses: readList(content, 2, MAX_RESPONSES, code),
  };
}

function readSettings(value: CborValue | undefined, kind: NvidiaKind): NvidiaSettings | undefined {
  if (value === undefined) return undefined;
  const pair: readonly unknown[] = Array.isArray(value) ? value : [];
  const [confidentialComputing, developerTools] = pair;
  const sound = pair.length === 2 && typeof confidentialComputing === 'boolean' && typeof developerTools === 'boolean';
  if (!sound || kind.tee !== 'nvidia-gpu') {
    throw new FastnessError('ATTEST_EVIDENCE_MALFORMED', 'Member 3 must be two booleans, and only GPUs have it.');
  }
  return Object.freeze({ confidentialComputing, developerTools });
}

function readMap(value: Uint8Array, members: readonly number[], code: ErrorCode): CborMap {
  const content = decodeCbor(value);
  if (!(content instanceof Map)) throw new FastnessError(code, 'Expected a CBOR map.');
  const map: CborMap = content;
  for (const key of map.keys()) {
    if (!members.some((member) => member === key)) throw new FastnessError(code, `Unknown member ${String(key)}.`);
  }
  return map;
}

function readList(content: CborMap, key: number, most: number, code: ErrorCode): Uint8Array[] {
  const list: unknown = content.get(key) ?? [];
  if (!Array.isArray(list) || list.length > most) {
    throw new FastnessError(code, `Member ${key} must be a list of at most ${most}.`);
  }
  return list.map((item: unknown) => {
    if (!(item instanceof Uint8Array)) throw new FastnessError(code, `Member ${key} must hold byte strings.`);
    return item;
  });
}
