import { toHex } from '@fastness/codec';
import { CborTag, type CborValue } from '@fastness/codec/cbor';
import { corimError, isList } from '../fields.ts';
import { readDigest, readDigests } from '../measurement.ts';
import type { Corim, CorimDigest, CorimValueTriple } from '../types.ts';
import { requireNothingElse } from './arm.ts';

/** Intel's profile, OID 2.16.840.1.113741.1.16.1 (draft-cds-rats-intel-corim-profile, section 4.1). */
export const INTEL_CORIM_PROFILE = 'oid:6086480186f84d011001';

/** Reference values of TDs and enclaves: parts of sections `tdx` and `sgx`. */
export interface IntelReferences {
  readonly tdx?: { readonly measurements: readonly string[] };
  readonly sgx?: { readonly measurements: readonly string[] };
}

/** `tee.mrtee`: MRTD of a TD, MRENCLAVE of an enclave (section 8.3.5). As a name of a measurement it is positive. */
const MRTEE = -83;
/** A digest compared with a set, and the operator "is a member". */
const DIGEST_SET_TAG = 60_020;
const MEMBER = 6;

/**
 * Maps `tee.mrtee`, which the hash function tells apart: SHA-384 is a TD's, SHA-256 an enclave's. Other measurements (TCB,
 * attributes, signers) make a manifest unusable here: left out, they would not be compared; Intel's signed collateral, which
 * the verifier reads anyway, says the same.
 * @throws CORIM_NOT_MAPPABLE, CORIM_DIGESTS, CORIM_AUTHORITY, CORIM_EMPTY
 */
export function mapIntelCorim({ comids }: Corim): IntelReferences {
  const digests = comids.flatMap(({ references }) => references.flatMap((triple) => readTriple(triple)));
  if (digests.length === 0) throw corimError('CORIM_EMPTY', 'No reference values.');
  const stray = digests.find(({ algorithm }) => algorithm !== 'sha-384' && algorithm !== 'sha-256');
  if (stray !== undefined) throw corimError('CORIM_NOT_MAPPABLE', `A measurement under ${stray.algorithm}.`);
  const [tdx, sgx] = [valuesUnder('sha-384', digests), valuesUnder('sha-256', digests)];
  return {
    ...(tdx.length === 0 ? {} : { tdx: { measurements: tdx } }),
    ...(sgx.length === 0 ? {} : { sgx: { measurements: sgx } }),
  };
}

function valuesUnder(wanted: string, digests: readonly CorimDigest[]): readonly string[] {
  const values = digests.filter(({ algorithm }) => algorithm === wanted).map(({ value }) => toHex(value));
  return [...new Set(values)];
}

function readTriple({ environment, measurements }: CorimValueTriple): readonly CorimDigest[] {
  if (environment.instance !== undefined || environment.group !== undefined) {
    throw corimError('CORIM_NOT_MAPPABLE', 'Reference values of one platform or group.');
  }
  const [measurement, ...others] = measurements;
  if (measurement === undefined || others.length > 0) {
    throw corimError('CORIM_NOT_MAPPABLE', 'More than the measurement of the TEE.');
  }
  const { key, values, authorized } = measurement;
  if (authorized) throw corimError('CORIM_AUTHORITY', 'A measurement of a TEE.');
  if (key === -MRTEE && values.digests !== undefined) {
    requireNothingElse(values, ['digests']);
    return values.digests;
  }
  const value = values.others.get(MRTEE);
  if (key !== undefined || value === undefined || values.others.size > 1 || Object.keys(values).length > 1) {
    throw corimError('CORIM_NOT_MAPPABLE', 'Another measurement than that of the TEE.');
  }
  return readTeeDigests(value);
}

/** One digest, several of one object, or a set of which one must be met. */
function readTeeDigests(value: CborValue): readonly CorimDigest[] {
  if (value instanceof CborTag) {
    const [operator, set] = value.tag === DIGEST_SET_TAG && isList(value.value) ? value.value : [];
    if (operator !== MEMBER || !isList(set) || set.length === 0) {
      throw corimError('CORIM_NOT_MAPPABLE', 'Another comparison than membership.');
    }
    return set.map((entry) => readDigest(entry));
  }
  if (isList(value) && !isList(value[0])) return [readDigest(value)];
  return readDigests(value);
}
