import {
  collect,
  createGateway,
  createReplayCache,
  generateGatewayKeys,
  type Gateway,
  type OpenedRequest,
} from '@fastness/channel';
import { beforeAll, describe, expect, it } from 'vitest';
import { codeOf, damageRequests, damageResponses, type Receiver } from './frames/campaign.ts';
import { damages, joined, splitMessage } from './frames/damage.ts';
import { randomFrom } from './traffic/scores.ts';

// Messages that somebody damaged on the way; `npm run attack:frames` sends 10,000 of them to an enclave that runs.

describe('damaged messages', { timeout: 120_000 }, () => {
  let receiver: Receiver;
  beforeAll(async () => {
    const gateway: Gateway = createGateway({ keys: await generateGatewayKeys(), replayCache: createReplayCache({}) });
    const open = async (bytes: Uint8Array<ArrayBuffer>): Promise<OpenedRequest> => {
      const opened = await gateway.open(new Blob([bytes]).stream());
      await collect(opened.request.body, Number.MAX_SAFE_INTEGER);
      return opened;
    };
    receiver = {
      keyConfig: gateway.keys.keyConfig,
      deliver: async (bytes) => open(bytes).then(() => undefined, codeOf),
      answer: async (bytes) => {
        const opened = await open(bytes);
        const body = new Uint8Array(40_000).fill(0x2e);
        const sealed = await collect(opened.sealResponse({ status: 200, body }), Number.MAX_SAFE_INTEGER);
        return new Uint8Array(sealed ?? []);
      },
    };
  });

  it('are all refused by the enclave’s end, each for a stated reason', async () => {
    const { codes, accepted } = await damageRequests(receiver, 240, randomFrom(1));
    expect(accepted).toEqual([]);
    expect(codes['CHANNEL_REPLAYED']).toBe(20);
    expect(Object.keys(codes).filter((code) => !code.startsWith('CHANNEL_') && code !== 'UNCHANGED')).toEqual([]);
  });

  it('are all refused by the client’s end', async () => {
    const { codes, accepted } = await damageResponses(receiver, 480, randomFrom(2));
    expect(accepted).toEqual([]);
    expect(codes['CHANNEL_RESPONSE_MISMATCH']).toBeGreaterThan(10);
    expect(codes['CHANNEL_TRUNCATED']).toBeGreaterThan(10);
    expect(Object.keys(codes).filter((code) => !code.startsWith('CHANNEL_') && code !== 'UNCHANGED')).toEqual([]);
  });

  it('are damaged in fact', () => {
    const chunk = (length: number): Uint8Array<ArrayBuffer> =>
      Uint8Array.of(length, ...Array<number>(length).fill(length));
    const bytes = joined([Uint8Array.of(9, 9), chunk(20), chunk(30), Uint8Array.of(0, 1, 2, 3)]);
    const message = splitMessage(bytes, 2);
    expect(message.chunks.map(({ length }) => length)).toEqual([21, 31, 4]);
    const random = randomFrom(3);
    for (const damage of Object.values(damages)) {
      const same = Array.from({ length: 50 }, () => Buffer.compare(damage(message, random), bytes) === 0);
      expect(same.filter(Boolean)).toEqual([]);
    }
  });
});
