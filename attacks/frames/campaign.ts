import { collect, sealRequest, type SealedRequest } from '@fastness/channel';
import { FastnessError } from '@fastness/codec/errors';
import { damages, splitMessage, type Damage } from './damage.ts';

/** What became of one damaged message; `undefined` means that it was taken for a good one. */
export type Refusal = string | undefined;

/** How a message reaches whoever must refuse it, and what they say. */
export interface Receiver {
  readonly keyConfig: Uint8Array;
  /** Delivers a request and gives the code of its refusal. */
  readonly deliver: (bytes: Uint8Array<ArrayBuffer>, sealed: SealedRequest) => Promise<Refusal>;
  /** A good sealed response to a request. */
  readonly answer: (bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array<ArrayBuffer>>;
}

export interface Outcome {
  /** Refusals by code, and how many messages were taken for good ones. */
  readonly codes: Readonly<Record<string, number>>;
  readonly accepted: readonly string[];
}

/** key id 1, KEM 2, KDF 2, AEAD 2; the encapsulated key of X-Wing: ML-KEM-768 and X25519. */
const requestHead = 7 + 1120;
const responseHead = 32;
/** Longer than a chunk, so that there are several to confuse. */
const bodyBytes = 40_000;

async function sealOne(keyConfig: Uint8Array): Promise<{ sealed: SealedRequest; bytes: Uint8Array<ArrayBuffer> }> {
  const sealed = await sealRequest({
    keyConfig,
    request: {
      method: 'POST',
      path: '/v1/chat/completions',
      headers: new Headers({ 'content-type': 'application/json' }),
      body: new Uint8Array(bodyBytes).fill(0x20),
    },
  });
  const bytes = await collect(sealed.body, Number.MAX_SAFE_INTEGER);
  return { sealed, bytes: new Uint8Array(bytes ?? []) };
}

/** Damages `count` requests, every way in turn, the last way being to send a good one a second time. */
export async function damageRequests(receiver: Receiver, count: number, random: () => number): Promise<Outcome> {
  const ways = [...Object.entries(damages), ['replayed', undefined] as const];
  return tally(count, async (index) => {
    const [name, damage] = ways[index % ways.length] ?? ways[0] ?? ['', undefined];
    const { sealed, bytes } = await sealOne(receiver.keyConfig);
    if (damage === undefined) {
      await receiver.answer(bytes);
      return [name, await receiver.deliver(bytes, sealed)];
    }
    const damaged = damage(splitMessage(bytes, requestHead), random);
    return [name, Buffer.compare(damaged, bytes) === 0 ? 'UNCHANGED' : await receiver.deliver(damaged, sealed)];
  });
}

/** Damages `count` responses, and gives each to the client whose they are; another client's response is one way more. */
export async function damageResponses(receiver: Receiver, count: number, random: () => number): Promise<Outcome> {
  const ways: [string, Damage | undefined][] = [...Object.entries(damages), ['of another request', undefined]];
  const many = ways.length * 8;
  let current: { sealed: SealedRequest; response: Uint8Array<ArrayBuffer> } | undefined;
  let other: Uint8Array<ArrayBuffer> | undefined;
  return tally(count, async (index) => {
    if (index % many === 0 || current === undefined) {
      other = current?.response;
      const { sealed, bytes } = await sealOne(receiver.keyConfig);
      current = { sealed, response: await receiver.answer(bytes) };
    }
    const { sealed, response } = current;
    const [name, damage] = ways[index % ways.length] ?? ['', undefined];
    const damaged = damage === undefined ? other : damage(splitMessage(response, responseHead), random);
    if (damaged === undefined || Buffer.compare(damaged, response) === 0) return [name, 'UNCHANGED'];
    try {
      const opened = await sealed.openResponse(new Blob([damaged]).stream());
      await collect(opened.body, Number.MAX_SAFE_INTEGER);
      return [name, undefined];
    } catch (error) {
      return [name, codeOf(error)];
    }
  });
}

/** Only a stated refusal is one; anything else that is thrown is a fault of ours and stops the campaign. */
export function codeOf(error: unknown): string {
  if (error instanceof FastnessError) return error.code;
  throw error;
}

async function tally(count: number, one: (index: number) => Promise<[string, Refusal]>): Promise<Outcome> {
  const codes: Record<string, number> = {};
  const accepted: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const [name, refusal] = await one(index);
    if (refusal === undefined) accepted.push(name);
    else codes[refusal] = (codes[refusal] ?? 0) + 1;
  }
  return { codes, accepted };
}
