import type { CborKey, CborMap, CborValue } from '@fastness/codec/cbor';
import { Checklist } from '../../checks.ts';
import {
  MAX_AUTHORITIES,
  MAX_CERTIFICATE_BYTES,
  MAX_MODULE_ID,
  MAX_NONCE_BYTES,
  MAX_PCRS,
  MAX_PUBLIC_KEY_BYTES,
  MAX_USER_DATA_BYTES,
  nitroKinds,
  PCR_BYTES,
  type NitroKind,
} from './layout.ts';

/** The payload of an attestation document. */
export interface NitroDocument {
  readonly moduleId: string;
  /** When the hypervisor made it, in milliseconds since 1970. */
  readonly timestamp: number;
  /** By index, 48 bytes each. */
  readonly pcrs: ReadonlyMap<number, Uint8Array>;
  /** The leaf, DER. */
  readonly certificate: Uint8Array;
  /** Root first, issuer of the leaf last; DER. */
  readonly cabundle: readonly Uint8Array[];
  readonly publicKey?: Uint8Array;
  readonly userData?: Uint8Array;
  readonly nonce?: Uint8Array;
}

const common = ['module_id', 'digest', 'timestamp', 'certificate', 'cabundle'];
const optional = ['public_key', 'user_data', 'nonce'];

/**
 * Reads the fields of a payload, each under the rules of its specification; of the kinds of CBOR it may hold, strings,
 * lists and integers are told apart strictly. Optional fields may be null, as AWS writes those that were not asked for,
 * although its documentation excludes null. Throws the NITRO_ code of the first field that is wrong.
 */
export function readDocument(payload: CborMap, kind: NitroKind, checks: Checklist): NitroDocument {
  checkFields(payload, kind, checks);
  const moduleId = payload.get('module_id');
  checks.require(
    'NITRO_MODULE_ID',
    typeof moduleId === 'string' && moduleId.length > 0 && moduleId.length <= MAX_MODULE_ID,
    { expected: `text of 1 to ${MAX_MODULE_ID} characters`, actual: describe(moduleId) },
  );
  const digest = payload.get('digest');
  checks.require('NITRO_DIGEST', digest === 'SHA384', { expected: 'SHA384', actual: describe(digest) });
  const timestamp = payload.get('timestamp');
  checks.require('NITRO_TIMESTAMP', typeof timestamp === 'number' && timestamp > 0 && timestamp <= MAX_TIME, {
    expected: 'milliseconds since 1970',
    actual: describe(timestamp),
  });
  const pcrs = readPcrs(payload.get(kind.pcrField), checks);
  const certificate = payload.get('certificate');
  checks.require('NITRO_CERTIFICATE_SIZE', isBytes(certificate, 1, MAX_CERTIFICATE_BYTES), {
    expected: `1 to ${MAX_CERTIFICATE_BYTES} bytes`,
    actual: describe(certificate),
  });
  return Object.freeze({
    moduleId,
    timestamp,
    pcrs,
    certificate,
    cabundle: readBundle(payload.get('cabundle'), checks),
    ...readOptional(payload, checks),
  });
}

/** The last instant that a Date can hold. */
const MAX_TIME = 8.64e15;

function checkFields(payload: CborMap, kind: NitroKind, checks: Checklist): void {
  const foreign = nitroKinds.find(({ tee, pcrField }) => tee !== kind.tee && payload.has(pcrField));
  checks.require('NITRO_KIND_MISMATCH', foreign === undefined, {
    expected: `a document of ${kind.tee}`,
    actual: foreign?.tee ?? kind.tee,
  });
  const required = [...common, kind.pcrField];
  const missing = required.filter((field) => !payload.has(field));
  checks.require('NITRO_FIELD_MISSING', missing.length === 0, {
    expected: required.join(', '),
    actual: missing.length === 0 ? 'all of them' : `no ${missing.join(', no ')}`,
  });
  const allowed: ReadonlySet<CborKey> = new Set([...required, ...optional]);
  const unknown = [...payload.keys()].filter((field) => !allowed.has(field));
  checks.require('NITRO_FIELD_UNKNOWN', unknown.length === 0, {
    expected: 'no other field',
    actual: unknown.length === 0 ? 'none' : `${unknown.length} others`,
  });
}

function readPcrs(value: CborValue | undefined, checks: Checklist): ReadonlyMap<number, Uint8Array> {
  const entries: [CborKey, CborValue][] = value instanceof Map ? [...(value as CborMap)] : [];
  const sound =
    entries.length > 0 &&
    entries.length <= MAX_PCRS &&
    entries.every(([index]) => typeof index === 'number' && index >= 0 && index < MAX_PCRS);
  checks.require('NITRO_PCRS', sound, {
    expected: `1 to ${MAX_PCRS} registers with indexes below ${MAX_PCRS}`,
    actual:
      value instanceof Map
        ? `indexes ${entries.map(([index]) => String(index).slice(0, 8)).join(', ')}`
        : describe(value),
  });
  const wrong = entries.find(([, register]) => !isBytes(register, PCR_BYTES, PCR_BYTES));
  checks.require('NITRO_PCR_SIZE', wrong === undefined, {
    expected: `${PCR_BYTES} bytes`,
    actual: wrong === undefined ? `${PCR_BYTES} bytes` : `PCR${String(wrong[0])}: ${describe(wrong[1])}`,
  });
  const pcrs = new Map<number, Uint8Array>();
  for (const [index, register] of entries) if (register instanceof Uint8Array) pcrs.set(Number(index), register);
  return pcrs;
}

function readBundle(value: CborValue | undefined, checks: Checklist): readonly Uint8Array[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  const ders = list.filter((der) => isBytes(der, 1, MAX_CERTIFICATE_BYTES));
  const sound = list.length > 0 && list.length <= MAX_AUTHORITIES && ders.length === list.length;
  checks.require('NITRO_CABUNDLE', sound, {
    expected: `1 to ${MAX_AUTHORITIES} certificates of 1 to ${MAX_CERTIFICATE_BYTES} bytes`,
    actual: Array.isArray(value) ? `${list.length} entries, ${ders.length} of such a size` : describe(value),
  });
  return Object.freeze(ders);
}

function readOptional(payload: CborMap, checks: Checklist): Pick<NitroDocument, 'publicKey' | 'userData' | 'nonce'> {
  const fields = [
    ['NITRO_PUBLIC_KEY_SIZE', 'public_key', 'publicKey', 1, MAX_PUBLIC_KEY_BYTES],
    ['NITRO_USER_DATA_SIZE', 'user_data', 'userData', 0, MAX_USER_DATA_BYTES],
    ['NITRO_NONCE_SIZE', 'nonce', 'nonce', 0, MAX_NONCE_BYTES],
  ] as const;
  const read: { publicKey?: Uint8Array; userData?: Uint8Array; nonce?: Uint8Array } = {};
  for (const [code, field, name, least, most] of fields) {
    const value = payload.get(field) ?? null;
    if (value === null) {
      checks.notApplicable(code, `the document has no ${field}`);
      continue;
    }
    checks.require(code, isBytes(value, least, most), {
      expected: `${least} to ${most} bytes`,
      actual: describe(value),
    });
    read[name] = value;
  }
  return read;
}

function isBytes(value: unknown, least: number, most: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length >= least && value.length <= most;
}

/** What a value is, without repeating what an attacker wrote at length. */
function describe(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value === 'string')
    return value.length > 32 ? `text of ${value.length} characters` : JSON.stringify(value);
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (value === undefined) return 'nothing';
  return Array.isArray(value) ? 'a list' : 'another type';
}
