import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parseAttestationPolicy, type AttestationPolicy } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import { resolveCorim, type CorimImport } from './corim.ts';
import { isObject } from './is-object.ts';
import { readStrictText } from './strict-text.ts';

/** A policy, as it is applied, and where it came from. */
export interface LoadedPolicy {
  readonly path: string;
  /** Everything that the file holds, imports filled in; for a client or broker more than the attestation policy. */
  readonly document: unknown;
  readonly policy: AttestationPolicy;
  /** Which part of the file is the attestation policy. */
  readonly kind: 'attestation' | 'client or broker';
  readonly imports: readonly CorimImport[];
}

const maxBytes = 4 * 1024 * 1024;

/** A policy file as it stands, imports filled in; nobody has checked it against a schema. */
type PolicyDocument = Pick<LoadedPolicy, 'document' | 'kind' | 'imports'> & { readonly attestation: unknown };

/**
 * Reads a policy from a JSON or YAML file: an attestation policy, or the policy of a client or broker (it has `ownerKeys`),
 * whose `attestation` is taken. Reference values that sections import from CoRIM files are filled in; `now` is the time as of
 * which those must be valid. Throws CLI_FILE_UNREADABLE, CLI_POLICY_SYNTAX, ATTEST_POLICY_INVALID and the codes of CoRIM.
 */
export async function loadPolicy(path: string, now: Date): Promise<LoadedPolicy> {
  const { document, attestation, kind, imports } = await readPolicyDocument(path, now);
  return { path, document, policy: parseAttestationPolicy(attestation), kind, imports };
}

/** As {@link loadPolicy}, without checking what it says. */
export async function readPolicyDocument(path: string, now: Date): Promise<PolicyDocument> {
  const document = readStrictText(await readText(path), path);
  const nested = isObject(document) && 'ownerKeys' in document && 'attestation' in document;
  const given: unknown = nested ? document['attestation'] : document;
  const { value, imports } = await resolveCorim(given, { folder: dirname(resolve(path)), now });
  return {
    document: nested ? { ...document, attestation: value } : value,
    attestation: value,
    kind: nested ? 'client or broker' : 'attestation',
    imports,
  };
}

async function readText(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > maxBytes) throw new FastnessError('CLI_POLICY_SYNTAX', `${path}: ${size} bytes; at most ${maxBytes}.`);
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (cause) {
    if (cause instanceof FastnessError) throw cause;
    if (cause instanceof TypeError) throw new FastnessError('CLI_POLICY_SYNTAX', `${path}: not UTF-8.`, { cause });
    throw new FastnessError('CLI_FILE_UNREADABLE', path, { cause });
  }
}
