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
  /** Everything that the file holds; for the policy of a client or broker more than the attestation policy. */
  readonly document: unknown;
  readonly policy: AttestationPolicy;
  /** Which part of the file is the attestation policy. */
  readonly kind: 'attestation' | 'client or broker';
  readonly imports: readonly CorimImport[];
}

const maxBytes = 4 * 1024 * 1024;

/**
 * Reads a policy from a JSON or YAML file: an attestation policy, or the policy of a client or broker, whose `attestation` is
 * taken. `now`: the time as of which imported manifests must be valid. Reference values that it imports from CoRIM files (member `corim` of a section) are filled in.
 * Throws CLI_FILE_UNREADABLE, CLI_POLICY_SYNTAX, ATTEST_POLICY_INVALID and the codes of CoRIM.
 */
export async function loadPolicy(path: string, now: Date): Promise<LoadedPolicy> {
  const document = readStrictText(await readText(path), path);
  const inner = isObject(document) ? document['attestation'] : undefined;
  const { value, imports } = await resolveCorim(inner ?? document, { folder: dirname(resolve(path)), now });
  return {
    path,
    document,
    policy: parseAttestationPolicy(value),
    kind: inner === undefined ? 'attestation' : 'client or broker',
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
