import { utf8Encode } from '@fastness/codec/bytes';
import { beforeAll, describe, expect, it } from 'vitest';
import { createClient, type ClientEvent } from '../src/index.ts';
import { expectCode } from '../../channel/test/support/errors.ts';
import { forgeEnclave, now, policyFor, type ForgedEnclave } from './support/scenario.ts';
import { startServer, type ServerOptions } from './support/server.ts';

let enclave: ForgedEnclave;

beforeAll(async () => {
  enclave = await forgeEnclave();
});

const url = 'https://enclave.invalid/v1/chat/completions';
const post = { method: 'POST', body: '{"prompt":"secret words"}' };
const answer: ServerOptions['answer'] = () => ({ body: utf8Encode('an answer') });

async function ask(client: object, server: Partial<ServerOptions> = {}) {
  await using running = await startServer({ enclave, answer, ...server });
  const events: ClientEvent[] = [];
  const asking = createClient({
    url: running.url,
    policy: policyFor({ client }),
    anchors: enclave.anchors,
    now: () => now,
    onEvent: (event) => events.push(event),
  });
  let text: string | undefined;
  let error: unknown;
  try {
    const response = await asking.fetch(url, post);
    text = await response.text();
    await asking.getReceipt(response);
  } catch (failure) {
    error = failure;
  }
  const [first, sent] = events;
  return { running, text, error, sent, enclave: first?.type === 'verified' ? first.enclave : undefined };
}

describe('a client whose policy names plain OHTTP', () => {
  it('uses it, proves the answer by its receipt, and says in the verdict what it gives up', async () => {
    const asked = await ask({ protocol: 'ohttp' });
    expect(asked.error).toBeUndefined();
    expect(asked.text).toBe('an answer');
    expect(asked.running.types).toEqual(['message/ohttp-req']);
    expect(asked.sent).toMatchObject({ type: 'sent', protocol: 'ohttp', kem: 0x647a });
    expect(asked.enclave?.protocol).toBe('ohttp');
    expect(asked.enclave?.weaknesses).toHaveLength(3);
  });

  it('takes no chunked answer, under its own media type or under the one asked for', async () => {
    const chunked = await ask({ protocol: 'ohttp' }, { type: 'message/ohttp-chunked-res' });
    await expectCode(() => Promise.reject(chunked.error), 'CLIENT_RESPONSE_TYPE');
  });

  it('does not fall back when the enclave does not answer it', async () => {
    const asked = await ask(
      { protocol: 'ohttp' },
      {
        before: (path, response) => {
          if (path !== '/ohttp') return false;
          response.writeHead(403, { 'content-type': 'application/problem+json' });
          response.end(
            JSON.stringify({ type: 'about:blank', title: 'no', status: 403, code: 'CHANNEL_PROTOCOL_REFUSED' }),
          );
          return true;
        },
      },
    );
    await expectCode(() => Promise.reject(asked.error), 'CHANNEL_PROTOCOL_REFUSED');
    expect(asked.running.log).toEqual(['/attestation', '/ohttp']);
  });
});

describe('a client whose policy names no adapter', () => {
  it('uses chunked OHTTP, though the enclave answers the other', async () => {
    const asked = await ask({});
    expect(asked.error).toBeUndefined();
    expect(asked.running.types).toEqual(['message/ohttp-chunked-req']);
    expect(asked.enclave).toMatchObject({ protocol: 'chunked-ohttp', weaknesses: [] });
  });

  it('takes no answer of the other', async () => {
    const asked = await ask({}, { type: 'message/ohttp-res' });
    await expectCode(() => Promise.reject(asked.error), 'CLIENT_RESPONSE_TYPE');
  });

  it('says when its policy allows X25519', async () => {
    const asked = await ask({ allowX25519: true });
    expect(asked.enclave?.weaknesses.join()).toMatch(/quantum/);
  });
});

it('a policy names adapters that there are', () => {
  for (const protocol of ['chunked', 'ehbp', 'OHTTP', 'http', '', null]) {
    expect(() => policyFor({ client: { protocol } })).toThrow(
      expect.objectContaining({ code: 'CLIENT_POLICY_INVALID' }),
    );
  }
});
