import { describe, expect, it } from 'vitest';
import { verifyReceipt } from '@fastness/channel';
import { receiptTrailer } from '@fastness/channel/wire';
import { fromBase64Url, toHex } from '@fastness/codec';
import type { PublicKeys } from '../src/boot/enclave-keys.ts';
import { gatewayAlone, send, type GatewayAlone } from './gateway-alone.ts';

const api = async (request: Request): Promise<Response> => new Response(await request.text());
const request = (text: string): Request =>
  new Request('https://enclave.invalid/v1/models', { method: 'POST', body: text });

/** One request to keys that a client verified; returns the code it was refused with, if it was. */
async function ask({ url }: GatewayAlone, keys: PublicKeys): Promise<string | undefined> {
  const { opened, text } = await send(url, keys.keyConfig, request('hello'));
  if (opened === undefined) return (JSON.parse(text) as { code: string }).code;
  expect(text).toBe('hello');
  const receipt = fromBase64Url((await opened.trailers).get(receiptTrailer) ?? '');
  const claims = await verifyReceipt({ receipt, receiptKey: keys.receiptKey });
  expect(toHex(claims.keyConfigDigest)).toBe(toHex(keys.digest));
  return undefined;
}

describe('keys that are replaced', () => {
  it('fail no request of clients that verified before, under load', async () => {
    const gateway = await gatewayAlone({ api });
    const { ring } = gateway;
    const last = 3;
    const state = { rotations: 0, answered: 0 };
    /** After which rotation each client took the keys that it uses. */
    const verified = [-1, -1, -1, -1];
    const client = async (_: number, index: number): Promise<void> => {
      while (state.rotations < last) {
        // A client keeps what it verified across one rotation, sends once more, then verifies anew.
        verified[index] = state.rotations;
        const keys = ring.current.keys.public;
        for (let more = true; more;) {
          more = state.rotations === verified[index];
          expect(await ask(gateway, keys)).toBeUndefined();
          state.answered += 1;
        }
      }
    };
    const until = async (reached: () => boolean): Promise<void> => {
      while (!reached()) await new Promise((resolve) => setImmediate(resolve));
    };
    const operator = async (): Promise<void> => {
      while (state.rotations < last) {
        // No client keeps its keys across two rotations.
        const enough = state.answered + 8;
        await until(() => state.answered >= enough && verified.every((each) => each === state.rotations));
        await ring.rotate();
        state.rotations += 1;
      }
    };
    await Promise.all([operator(), ...verified.map(client)]);
    expect(state.answered).toBeGreaterThanOrEqual(8 * last);
  }, 120_000);

  it('are refused once the overlap is over, and at once without one', async () => {
    let now = 0;
    const gateway = await gatewayAlone({ api, clock: () => now, overlapMs: 600_000 });
    const { ring } = gateway;
    const first = ring.current.keys.public;
    await ring.rotate();
    expect(await ask(gateway, first)).toBeUndefined();
    now = 600_000;
    expect(await ask(gateway, first)).toBe('CHANNEL_KEY_UNKNOWN');
    const second = ring.current.keys.public;
    await ring.rotate();
    ring.close();
    expect(await ask(gateway, second)).toBe('CHANNEL_KEY_UNKNOWN');
  });

  it('keep their replay cache: a request that was answered before the rotation is no new one after it', async () => {
    const gateway = await gatewayAlone({ api, replayEntries: 2 });
    const { ring } = gateway;
    const keys = ring.current.keys.public;
    expect(await ask(gateway, keys)).toBeUndefined();
    await ring.rotate();
    expect(await ask(gateway, keys)).toBeUndefined();
    // Full since before the rotation: the old keys have answered their last, and the new ones stay.
    const current = ring.current;
    expect(await ask(gateway, keys)).toBe('CHANNEL_KEY_UNKNOWN');
    expect(ring.current).toBe(current);
  });
});
