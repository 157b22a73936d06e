import { createClient, parseClientPolicy, type FastnessClient } from '@fastness/client';
import { readHomeConfig, readJson, type Home } from './home.ts';

export interface ClientOptions {
  readonly url?: string;
  readonly policy?: string;
}

/** A client under the home's policy, or under the policy file named in the options. */
export async function clientForHome(home: Home, options: ClientOptions): Promise<FastnessClient> {
  const policy = parseClientPolicy(await readJson(options.policy ?? home.clientPolicyFile));
  const url = options.url ?? (await readHomeConfig(home)).relayUrl;
  return createClient({ url, policy });
}
