import { fromBase64, toBase64Url, toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { parseSpki } from '@fastness/codec/x509';
import type { ArmComponent, ArmKey, ArmReference } from '../../policy/arm.ts';
import { corimError } from '../fields.ts';
import type { Comid, CorimEnvironment, CorimKeyTriple, CorimMeasurement, CorimValues } from '../types.ts';

/** What the endorsements of PSA devices and of CCA platforms amount to: parts of a policy section. */
export interface ArmEndorsements {
  readonly keys: readonly ArmKey[];
  readonly references: readonly ArmReference[];
}

/** UEID of kind RAND. */
const RAND = 0x01;
const hashBytes = new Set([32, 48, 64]);

/**
 * Maps CoMIDs that follow the profiles of PSA (draft-fdb-rats-psa-endorsements) or CCA platforms
 * (draft-ydb-rats-cca-endorsements, section 3.1). Every reference triple becomes one state (draft-ietf-rats-corim, section
 * 5.1.5). Reference values belong to an implementation, keys to one of its instances. `readOther` reads measurements with
 * other names into the state.
 */
export function mapArmEndorsements(
  comids: readonly Comid[],
  componentKey: string,
  readOther: (measurement: CorimMeasurement) => Pick<ArmReference, 'configuration'>,
): ArmEndorsements {
  const keys = comids.flatMap(({ attestKeys }) => attestKeys.map((triple) => readKey(triple)));
  const instances = new Set(keys.map(({ instanceId }) => instanceId));
  if (instances.size !== keys.length) throw corimError('CORIM_DOUBLED', 'Keys of one instance.');
  const references = comids.flatMap(({ references: triples }) =>
    triples.map(({ environment, measurements }) => {
      const implementationId = implementationOf(environment);
      if (environment.instance !== undefined || environment.group !== undefined) {
        throw corimError('CORIM_INSTANCE', 'Reference values of one instance or group.');
      }
      const components: ArmComponent[] = [];
      let other: Pick<ArmReference, 'configuration'> = {};
      for (const measurement of measurements) {
        if (measurement.key === componentKey) components.push(readComponent(measurement));
        else if (other.configuration === undefined) other = readOther(measurement);
        else throw corimError('CORIM_DOUBLED', 'A measurement beside the software components.');
      }
      if (components.length === 0) throw corimError('CORIM_NOT_MAPPABLE', 'A state without software components.');
      return { implementationId, components, ...other };
    }),
  );
  if (keys.length === 0 && references.length === 0)
    throw corimError('CORIM_EMPTY', 'Neither keys nor reference values.');
  return { keys, references };
}

/** Class: tagged bytes of 32. @throws CORIM_CLASS */
function implementationOf({ class: environmentClass }: CorimEnvironment): string {
  const id = environmentClass?.id;
  if (id?.kind !== 'bytes' || id.value.length !== 32) {
    throw corimError(
      'CORIM_CLASS',
      `The implementation id must be 32 bytes with tag 560, not ${id?.kind ?? 'absent'}.`,
    );
  }
  return toHex(id.value);
}

/** One attestation key: a SubjectPublicKeyInfo in PEM, for one instance. */
function readKey({ environment, keys, conditional }: CorimKeyTriple): ArmKey {
  const implementationId = implementationOf(environment);
  const { instance } = environment;
  if (instance?.kind !== 'ueid' || instance.value.length !== 33 || instance.value[0] !== RAND) {
    throw corimError(
      'CORIM_INSTANCE',
      `The instance id must be a UEID of kind RAND, not ${instance?.kind ?? 'absent'}.`,
    );
  }
  if (conditional) throw corimError('CORIM_AUTHORITY', 'A key under conditions.');
  const [key, ...others] = keys;
  if (key?.kind !== 'pkix-key' || typeof key.value !== 'string' || others.length > 0) {
    throw corimError(
      'CORIM_KEY',
      `One key in PEM is wanted, not ${keys
        .map(({ kind }) => kind)
        .join(', ')
        .slice(0, 64)}.`,
    );
  }
  return { instanceId: toHex(instance.value), implementationId, publicKey: toBase64Url(readPem(key.value)) };
}

/** One PEM block and nothing else, in lines of any length: published manifests have the whole key in one. */
const pem = /^-----BEGIN PUBLIC KEY-----\s+(?<body>[A-Za-z0-9+/=\s]{1,1024}?)\s*-----END PUBLIC KEY-----\s*$/;

function readPem(text: string): Uint8Array {
  const body = pem.exec(text)?.groups?.['body'];
  if (body === undefined) throw corimError('CORIM_KEY', 'The key is not one PEM block.');
  try {
    const holder = parseSpki(fromBase64(body.replaceAll(/\s/g, '')));
    if (holder.publicKey.algorithm === 'EC') return holder.spki;
  } catch (cause) {
    if (cause instanceof FastnessError) throw new FastnessError('CORIM_KEY', 'The key cannot be read.', { cause });
    throw cause;
  }
  throw corimError('CORIM_KEY', 'The key is no EC key.');
}

/** One software component: digests and signer id, perhaps a role and a version, and nothing else. */
function readComponent({ values, authorized }: CorimMeasurement): ArmComponent {
  const { digests, keys, name, version } = values;
  if (authorized) throw corimError('CORIM_AUTHORITY', 'A software component.');
  if (digests === undefined) throw corimError('CORIM_DIGESTS', 'A software component without digests.');
  const signerId = readSignerId(keys);
  if (version?.scheme !== undefined) throw corimError('CORIM_VERSION', 'A version with a scheme.');
  requireNothingElse(values, ['digests', 'keys', 'name', 'version']);
  return {
    ...(name === undefined ? {} : { type: name }),
    ...(version === undefined ? {} : { version: version.text }),
    signerId,
    digests: digests.map(({ algorithm, value }) => ({ algorithm: shaOf(algorithm), value: toHex(value) })),
  };
}

function readSignerId(keys: CorimValues['keys']): string {
  const [key, ...others] = keys ?? [];
  if (key?.kind !== 'bytes' || !(key.value instanceof Uint8Array) || others.length > 0) {
    throw corimError('CORIM_SIGNER_ID', `One tagged value is wanted, not ${key?.kind ?? 'none'}.`);
  }
  if (!hashBytes.has(key.value.length)) throw corimError('CORIM_SIGNER_ID', `${key.value.length} bytes.`);
  return toHex(key.value);
}

/** Hash values of both tokens have 32, 48 or 64 bytes and are SHA-2. */
export function shaOf(algorithm: string): 'sha-256' | 'sha-384' | 'sha-512' {
  if (algorithm === 'sha-256' || algorithm === 'sha-384' || algorithm === 'sha-512') return algorithm;
  throw corimError('CORIM_DIGESTS', `${algorithm} is none of SHA-256, SHA-384, SHA-512.`);
}

/** A value that would not be compared must not be in a condition. @throws CORIM_VALUES */
export function requireNothingElse(values: CorimValues, known: readonly string[]): void {
  const { others, ...read } = values;
  const stray = Object.keys(read).filter((name) => !known.includes(name));
  const named = [...stray, ...[...others.keys()].map((key) => String(key).slice(0, 16))];
  if (named.length > 0) throw corimError('CORIM_VALUES', named.slice(0, 4).join(', '));
}
