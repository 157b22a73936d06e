import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createClient,
  parseClientPolicy,
  type ClientOptions,
  type ClientPolicy,
  type FastnessClient,
} from '@fastness/client';
import { FastnessError } from '@fastness/codec/errors';
import type { World } from './world.ts';

export async function clientPolicyOf(world: World): Promise<ClientPolicy> {
  return parseClientPolicy(JSON.parse(await readFile(join(world.home, 'policy/client.json'), 'utf8')));
}

export async function clientOf(world: World, options: Omit<ClientOptions, 'policy'>): Promise<FastnessClient> {
  return createClient({ policy: await clientPolicyOf(world), ...options });
}

/** Sends a chat completion and reads it to its end. */
export async function chat(
  client: FastnessClient,
  content: string,
  extra: Record<string, unknown> = {},
): Promise<string> {
  const response = await client.fetch('https://enclave.invalid/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'triage',
      messages: [{ role: 'user', content }],
      stream: true,
      temperature: 0,
      ...extra,
    }),
  });
  return response.text();
}

/** The code of the FastnessError that `work` ends with, wherever in the chain of causes it is. */
export async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (thrown) {
    for (let error: unknown = thrown; error instanceof Error; error = error.cause) {
      if (error instanceof FastnessError) return error.code;
    }
    throw thrown;
  }
}
