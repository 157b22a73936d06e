import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TrustAnchors } from '@fastness/attest';
import {
  createClient,
  parseClientPolicy,
  type ClientMemory,
  type ClientPolicy,
  type CompleteClientEndorsements,
  type FastnessClient,
} from '@fastness/client';
import { FastnessError } from '@fastness/codec/errors';
import { apiKeyId } from '@fastness/model';
import { readPolicyDocument } from './attest/policy-file.ts';
import { readHomeConfig, readText, writeFileAtomic, type Home } from './home.ts';

export interface ClientOptions {
  readonly url?: string;
  readonly policy?: string;
  /** A file with the API key: keys do not belong on command lines, which everybody on the machine can read. */
  readonly apiKeyFile?: string;
  /** The URL is the enclave's own, and TLS must end there. */
  readonly directTls?: boolean;
  /** Roots of the vendors. Default: theirs, pinned. */
  readonly anchors?: TrustAnchors;
  /** Adds endorsements that the enclave did not send. */
  readonly completeEndorsements?: CompleteClientEndorsements;
}

/** What this client accepts: the policy file (JSON or YAML) named in the options, or the home's. */
export async function readClientPolicy(home: Home, options: Pick<ClientOptions, 'policy'>): Promise<ClientPolicy> {
  const { document } = await readPolicyDocument(options.policy ?? home.clientPolicyFile, new Date());
  return parseClientPolicy(document);
}

/** A client under the home's policy, or under the policy file named in the options. */
export async function clientForHome(home: Home, options: ClientOptions): Promise<FastnessClient> {
  const policy = await readClientPolicy(home, options);
  const url = options.url ?? (await readHomeConfig(home)).relayUrl;
  const { apiKeyFile, completeEndorsements, anchors } = options;
  return createClient({
    url,
    policy,
    ...(apiKeyFile === undefined ? {} : { apiKey: await readApiKey(apiKeyFile) }),
    directTls: options.directTls ?? false,
    ...(anchors === undefined ? {} : { anchors }),
    ...(completeEndorsements === undefined ? {} : { completeEndorsements }),
    // Who follows sets of owner keys must not be led back to an earlier one by a new start.
    ...(policy.ownerRoots === undefined ? {} : { memory: memoryIn(join(home.path, 'client-memory.json')) }),
  });
}

/** The key alone, with a line end or without. */
async function readApiKey(file: string): Promise<string> {
  const key = (await readText(file)).trim();
  if (apiKeyId(key) === undefined) throw new FastnessError('CLI_USAGE', `${file} holds no API key.`);
  return key;
}

function memoryIn(file: string): ClientMemory {
  return {
    read: async () => (existsSync(file) ? await readText(file) : undefined),
    write: (text) => writeFileAtomic(file, text),
  };
}
