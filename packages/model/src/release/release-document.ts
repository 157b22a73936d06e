import { fromBase64Url } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { shareIndexSchema, shareSetIdSchema, shareThresholdSchema, maxKeyShares } from '../key-shares.ts';
import { modelIdPattern, type Manifest } from '../manifest.ts';
import { parseJsonText } from './json.ts';
import { trafficProfiles } from './traffic-profile.ts';
import { algorithmOf, type VerifyAlgorithm } from './verify-key.ts';

/**
 * What a release can list measurements of: what runs the software, and never an attached device. `tpm` is a machine that its
 * TPM says booted this software: nothing hides its memory from whoever operates it.
 */
export const releaseTees = Object.freeze([
  'sev-snp',
  'tdx',
  'sgx',
  'aws-nitro',
  'aws-nitrotpm',
  'arm-cca',
  'azure-vtpm',
  'gcp-vtpm',
  'tpm',
] as const);
export type ReleaseTee = (typeof releaseTees)[number];

/** Lengths in bytes of the one measurement that stands for the enclave; what it covers is said at the claims of each TEE. */
export const measurementBytes: Readonly<Record<ReleaseTee, readonly number[]>> = Object.freeze({
  'sev-snp': [48],
  tdx: [48],
  sgx: [32],
  'aws-nitro': [48],
  'aws-nitrotpm': [48],
  'arm-cca': [32, 48, 64],
  'azure-vtpm': [32, 48, 64],
  'gcp-vtpm': [32, 48, 64],
  tpm: [32, 48, 64],
});

const measurementSchema = z
  .strictObject({
    tee: z.enum(releaseTees),
    simulated: z.boolean(),
    value: z.string().regex(/^(?:[0-9a-f]{2}){1,64}$/),
  })
  .refine(({ tee, value }) => measurementBytes[tee].some((bytes) => value.length === 2 * bytes), { path: ['value'] })
  // The simulated TEE speaks SEV-SNP and nothing else.
  .refine(({ tee, simulated }) => !simulated || tee === 'sev-snp', { path: ['simulated'] });

/** Logs that a release may name. */
const maxLogKeys = 16;

const brokerKeySchema = z.string().max(256).refine(isEd25519Spki);
const logKeySchema = z
  .string()
  .max(512)
  .regex(/^[^\s+]{1,255}\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2}$/);

/** The logs of brokers that serve one fleet and have a log each. */
const logKeysSchema = z
  .array(logKeySchema)
  .min(1)
  .max(maxLogKeys)
  .refine((keys) => new Set(keys).size === keys.length);
const oneLogOrSeveral = ({ logKey, logKeys }: { logKey?: string; logKeys?: string[] }): boolean =>
  logKey === undefined || logKeys === undefined;

/**
 * The brokers of a model whose key is shared: an enclave opens it with shares of `threshold` of them, and serves while as
 * many let it. Set, threshold and numbers are those of the manifest; here they are named for whoever approves the release.
 */
const releaseSharesSchema = z
  .strictObject({
    setId: shareSetIdSchema,
    threshold: shareThresholdSchema,
    brokers: z
      .array(
        z
          .strictObject({
            /** The share that this broker has. */
            index: shareIndexSchema,
            /** As above, for the leases of this one. */
            brokerKey: brokerKeySchema,
            logKey: logKeySchema.exactOptional(),
            logKeys: logKeysSchema.exactOptional(),
          })
          .refine(oneLogOrSeveral, { path: ['logKeys'] }),
      )
      .min(2)
      .max(maxKeyShares),
  })
  // A broker with two shares would count twice.
  .refine(({ brokers }) => new Set(brokers.map(({ brokerKey }) => brokerKey)).size === brokers.length, {
    path: ['brokers'],
  });

/** Characters of release.json. */
export const maxReleaseLength = 256 * 1024;

/**
 * release.json: which enclaves may open a sealed model, from when until when. The owner signs it together with the
 * manifest and the sealed files.
 */
export const releaseSchema = z
  .strictObject({
    format: z.literal('fastness/release/v1'),
    /** The manifest's model. */
    modelId: z.string().regex(modelIdPattern),
    /** Rises with every release of the model; verifiers never go back. */
    version: z.int().min(1),
    /** First instant at which the release is valid, give or take `clockToleranceMs`. */
    notBefore: z.iso.datetime(),
    /** First instant at which it no longer is. */
    expires: z.iso.datetime(),
    /** Measurements of the enclaves that may open the model; simulated ones are marked and count as nothing else. */
    measurements: z.array(measurementSchema).min(1).max(256),
    /**
     * The key broker's public key that signs leases: Ed25519, SubjectPublicKeyInfo DER in base64url. Absent when, and only
     * when, `keyShares` is there.
     */
    brokerKey: brokerKeySchema.exactOptional(),
    /**
     * The key of the broker's transparency log (`NAME+ID+BASE64`, a verifier key of c2sp.org/signed-note). When it is here, an
     * enclave takes a key or a lease only with a proof that this log has the entry. Absent: nothing is proven.
     */
    logKey: logKeySchema.exactOptional(),
    /**
     * In place of `logKey`, for brokers that serve one fleet and have a log each: the keys of their logs. The proof has to be of
     * one of these logs, that of the broker that answered. Add keys by a new release.
     */
    logKeys: logKeysSchema.exactOptional(),
    /**
     * The least that an enclave must do to hide the sizes and times of its answers; the enclave obeys it whatever its
     * configuration says. Absent: nothing is promised.
     */
    traffic: z.enum(trafficProfiles).exactOptional(),
    /**
     * Who may use the model: the enclave answers only requests with a key or token of the access.json that `key` signed
     * (SubjectPublicKeyInfo DER in base64url), of version `leastVersion` or later. Absent: whoever reaches it may.
     */
    access: z
      .strictObject({ key: z.string().max(512).refine(isSigningSpki), leastVersion: z.int().min(1) })
      .exactOptional(),
    keyShares: releaseSharesSchema.exactOptional(),
  })
  .refine(oneLogOrSeveral, { path: ['logKeys'] })
  .refine((release) => Date.parse(release.notBefore) < Date.parse(release.expires), { path: ['expires'] })
  .refine(({ brokerKey, keyShares }) => (brokerKey === undefined) !== (keyShares === undefined), {
    path: ['brokerKey'],
  })
  // Each broker's log is named beside its key.
  .refine(({ logKey, logKeys, keyShares }) => (logKey ?? logKeys) === undefined || keyShares === undefined, {
    path: ['logKey'],
  });

export type Release = z.infer<typeof releaseSchema>;

/** Keys of the logs, one of which has to have each use of a release; undefined: none has to. */
export function logKeysOf({ logKey, logKeys }: Pick<Release, 'logKey' | 'logKeys'>): readonly string[] | undefined {
  return logKeys ?? (logKey === undefined ? undefined : [logKey]);
}

/** A broker of a release. */
export interface ReleaseBroker {
  /** The number of its share; undefined when it has the whole key. */
  readonly share: number | undefined;
  /** SubjectPublicKeyInfo DER. */
  readonly brokerKey: Uint8Array;
  /** One of these logs has to have each use; undefined: none has to. */
  readonly logKeys: readonly string[] | undefined;
}

/** Every broker of a release, in its order. */
export function brokersOf(release: Release): ReleaseBroker[] {
  const { brokerKey, keyShares } = release;
  if (brokerKey !== undefined) {
    return [{ share: undefined, brokerKey: fromBase64Url(brokerKey), logKeys: logKeysOf(release) }];
  }
  return (keyShares?.brokers ?? []).map((broker) => ({
    share: broker.index,
    brokerKey: fromBase64Url(broker.brokerKey),
    logKeys: logKeysOf(broker),
  }));
}

/**
 * Checks that a release shares the key as its manifest says: the same set, the same threshold, one broker for each share,
 * or neither shares it. Errors: RELEASE_SHARES_MISMATCH.
 */
export function checkReleaseShares(release: Release, manifest: Pick<Manifest, 'keyShares'>): void {
  const named = release.keyShares;
  const sealed = manifest.keyShares;
  const fault = (what: string): FastnessError => new FastnessError('RELEASE_SHARES_MISMATCH', what);
  if (named === undefined && sealed === undefined) return;
  if (named === undefined || sealed === undefined) throw fault('One of them names no shares.');
  if (named.setId !== sealed.setId) throw fault('They name two sets.');
  if (named.threshold !== sealed.threshold) throw fault(`${named.threshold} shares, and ${sealed.threshold}.`);
  const numbers = named.brokers.map(({ index }) => index).toSorted((one, other) => one - other);
  if (numbers.join() !== sealed.shares.map(({ index }) => index).join()) throw fault('Not one broker for each share.');
}

/** Errors: RELEASE_MALFORMED. */
export function parseRelease(text: string): Release {
  return parseJsonText(text, {
    schema: releaseSchema,
    maxLength: maxReleaseLength,
    code: 'RELEASE_MALFORMED',
    what: 'release.json',
  });
}

/** The text that is written and signed. Errors: RELEASE_MALFORMED. */
export function encodeRelease(release: Release): string {
  const text = `${JSON.stringify(release, null, 2)}\n`;
  parseRelease(text);
  return text;
}

function isEd25519Spki(text: string): boolean {
  return algorithmIn(text) === 'Ed25519';
}

function isSigningSpki(text: string): boolean {
  return algorithmIn(text) !== undefined;
}

function algorithmIn(text: string): VerifyAlgorithm | undefined {
  try {
    return algorithmOf(fromBase64Url(text));
  } catch (error) {
    if (error instanceof FastnessError) return undefined;
    throw error;
  }
}
