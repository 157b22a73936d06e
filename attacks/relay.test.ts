import type { FastnessClient } from '@fastness/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, codeOf, chat } from './support/client.ts';
import { evilRelay, joinBytes, splitResponse, type Tampering } from './support/evil-relay.ts';
import { createWorld, startStack, type Stack, type World } from './support/world.ts';

// The relay and the network are the attacker's: they replay, reorder, cut, swap and change what passes.

const note = '72F c/o chest pain since this morning. Denies SOB. BP 84/52.';

const askShort = (client: FastnessClient): Promise<string> => chat(client, note);

/** An answer of many chunks: the prompt sends the model round in circles. A short answer may fit in two. */
const askLong = async (client: FastnessClient): Promise<string> => {
  const response = await client.fetch('https://enclave.invalid/v1/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'triage',
      prompt: 'and '.repeat(48),
      max_tokens: 300,
      stream: true,
      temperature: 0,
    }),
  });
  return response.text();
};

describe('an evil relay between a client and the running enclave', { timeout: 600_000 }, () => {
  let world: World;
  let stack: Stack;

  beforeAll(async () => {
    world = await createWorld();
    stack = await startStack(world);
  }, 600_000);
  afterAll(async () => {
    await world.dispose();
  });

  const attack = async (tampering: Tampering, ask = askShort): Promise<string | undefined> =>
    codeOf(clientOf(world, { url: stack.relay.url, fetch: evilRelay(tampering).fetch }).then(ask));

  it('hands everything on and is not noticed, so that the refusals below mean something', async () => {
    const relay = evilRelay();
    const client = await clientOf(world, { url: stack.relay.url, fetch: relay.fetch });
    expect(await askLong(client)).toContain('[DONE]');
    expect(splitResponse(relay.responses[0] ?? new Uint8Array()).chunks.length).toBeGreaterThan(3);
  });

  it('replays a request: the enclave refuses it', async () => {
    const relay = evilRelay();
    const client = await clientOf(world, { url: stack.relay.url, fetch: relay.fetch });
    await chat(client, note);
    const response = await fetch(`${stack.relay.url}/ohttp`, {
      method: 'POST',
      headers: { 'content-type': 'message/ohttp-chunked-req' },
      body: relay.requests[0] ?? null,
    });
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({ code: 'CHANNEL_REPLAYED' });
  });

  it('reorders two chunks of a response', async () => {
    const swap = (body: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => {
      const { nonce, chunks } = splitResponse(body);
      const [first, second, third, ...rest] = chunks;
      if (first === undefined || second === undefined || third === undefined) throw new Error('too few chunks');
      return joinBytes([nonce, first, third, second, ...rest]);
    };
    expect(await attack({ response: swap }, askLong)).toBe('CHANNEL_CHUNK_TAG');
  });

  it('cuts a response after a whole chunk', async () => {
    const cut = (body: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => {
      const { nonce, chunks } = splitResponse(body);
      return joinBytes([nonce, ...chunks.slice(0, -1)]);
    };
    expect(await attack({ response: cut })).toBe('CHANNEL_TRUNCATED');
  });

  it('flips a bit of a response', async () => {
    const flip = (body: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => {
      const changed = body.slice();
      const index = changed.length - 20;
      changed[index] = (changed[index] ?? 0) ^ 1;
      return changed;
    };
    expect(await attack({ response: flip })).toBe('CHANNEL_CHUNK_TAG');
  });

  it('flips a bit of a request', async () => {
    const flip = (body: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => {
      const changed = body.slice();
      changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
      return changed;
    };
    expect(await attack({ request: flip })).toBe('CHANNEL_REQUEST_UNOPENABLE');
  });

  it('gives one user the response of another', async () => {
    const other = evilRelay();
    await chat(
      await clientOf(world, { url: stack.relay.url, fetch: other.fetch }),
      'Ankle sprain while running, walks with a limp.',
    );
    expect(await attack({ response: () => other.responses[0] ?? new Uint8Array() })).toBe('CHANNEL_RESPONSE_MISMATCH');
  });

  it('sends the request of one user in place of another, who does not take the answer for his', async () => {
    const other = evilRelay();
    const stranger = await clientOf(world, { url: stack.relay.url, fetch: other.fetch });
    await stranger.verify();
    // The stranger's request is held back and sent in place of the victim's.
    let held: Uint8Array<ArrayBuffer> | undefined;
    const holding = clientOf(world, {
      url: stack.relay.url,
      fetch: evilRelay({
        request: (body) => {
          held = body;
          throw new Error('held back');
        },
      }).fetch,
    });
    await expect(holding.then((client) => chat(client, 'Ankle sprain while running.'))).rejects.toThrow();
    expect(held).toBeDefined();
    expect(await attack({ request: (body) => held ?? body })).toBe('CHANNEL_RESPONSE_MISMATCH');
  });

  it('puts its own key into the attestation', async () => {
    const stranger = await clientOf(world, { url: stack.relay.url });
    const { keyConfig } = await stranger.verify();
    const swapped = keyConfig.slice();
    // Byte 5 is inside the first public key.
    swapped[60] = (swapped[60] ?? 0) ^ 1;
    const text = Buffer.from(swapped).toString('base64url');
    expect(await attack({ attestation: (bundle) => ({ ...bundle, keyConfig: text }) })).toBe(
      'SNP_REPORT_DATA_MISMATCH',
    );
  });

  it('answers with an attestation that was made for somebody else', async () => {
    let kept: Record<string, unknown> | undefined;
    await (
      await clientOf(world, {
        url: stack.relay.url,
        fetch: evilRelay({ attestation: (bundle) => (kept = bundle) }).fetch,
      })
    ).verify();
    expect(await attack({ attestation: () => kept ?? {} })).toBe('CLIENT_NONCE_MISMATCH');
    expect(await attack({ attestation: (bundle) => ({ ...kept, nonce: bundle['nonce'] }) })).toBe(
      'SNP_REPORT_DATA_MISMATCH',
    );
  });

  it('takes an approval out of the attestation', async () => {
    const fewer = (bundle: Record<string, unknown>): Record<string, unknown> => {
      const release = bundle['release'] as { approvals: string[] };
      return { ...bundle, release: { ...release, approvals: release.approvals.slice(1) } };
    };
    expect(await attack({ attestation: fewer })).toBe('APPROVAL_MISSING');
  });

  it('a request above the limits is refused, and the enclave goes on', async () => {
    const client = await clientOf(world, { url: stack.relay.url });
    const huge = await client.fetch('https://enclave.invalid/v1/chat/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'triage', messages: [{ role: 'user', content: 'x'.repeat(1_200_000) }] }),
    });
    expect(huge.status).toBeGreaterThanOrEqual(400);
    expect(huge.status).toBeLessThan(500);
    expect(await huge.text()).toContain('ENCLAVE_TOO_LARGE');
    const flood = await fetch(`${stack.relay.url}/ohttp`, {
      method: 'POST',
      headers: { 'content-type': 'message/ohttp-chunked-req' },
      body: new Uint8Array(64 * 2 ** 20),
    }).catch(() => undefined);
    // The relay may answer, or close the connection on a body that it will not take.
    if (flood !== undefined) expect(await flood.json()).toMatchObject({ code: 'RELAY_BODY_LIMIT' });
    expect(await chat(client, note)).toContain('[DONE]');
  });
});
