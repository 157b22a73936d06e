import { generateReceiptKey } from '@fastness/channel';
import type { AttestationBundle } from '@fastness/channel/wire';
import { toBase64Url, utf8Encode } from '@fastness/codec/bytes';
import { beforeAll, describe, expect, it } from 'vitest';
import { createClient, verifyEnclave, type ClientEvent } from '../src/index.ts';
import { expectCode } from '../../channel/test/support/errors.ts';
import { leasedEnclave, type LeasedEnclave, type ShownLease } from './support/broker.ts';
import { now, policyFor } from './support/scenario.ts';
import { startServer } from './support/server.ts';

const nonce = new Uint8Array(32).fill(7);
const mine = policyFor({ client: { deployment: 'this-deployment' } });
let party: LeasedEnclave;
let bundle: AttestationBundle;

beforeAll(async () => {
  party = await leasedEnclave();
  bundle = await party.enclave.attest(toBase64Url(nonce));
});

const verify = async (lease: ShownLease | undefined, options: { policy?: typeof mine; past?: boolean } = {}) =>
  verifyEnclave({
    bundle: lease === undefined ? bundle : { ...bundle, lease },
    nonce,
    policy: options.policy ?? mine,
    now,
    anchors: party.enclave.anchors,
    ...(options.past === undefined ? {} : { past: options.past }),
  });

describe('the class of the verdict', () => {
  it('is this deployment when the broker of the release leased to these keys', async () => {
    const verified = await verify(await party.lease(bundle));
    expect(verified.deployment).toBe('this-deployment');
    expect(verified.lease).toEqual({ issuedAt: now, ttlSeconds: 60 });
    expect(verified.verifyAgainAt).toEqual(new Date(now.getTime() + 60_000));
    expect(verified.checks).toContainEqual(
      expect.objectContaining({ code: 'CLIENT_DEPLOYMENT_UNPROVED', outcome: 'passed' }),
    );
  });

  it('is this deployment when these keys succeed those that were leased to', async () => {
    expect((await verify(await party.afterRotation(bundle))).deployment).toBe('this-deployment');
  });

  it('is any deployment of the release without a lease, where the policy accepts that', async () => {
    const verified = await verify(undefined, { policy: policyFor() });
    expect(verified.deployment).toBe('any-deployment');
    expect(verified.verifyAgainAt).toEqual(verified.validUntil);
    await expectCode(() => verify(undefined), 'CLIENT_DEPLOYMENT_UNPROVED');
  });

  it('does not ask for the end of a lease where an earlier time is judged', async () => {
    const old = await party.lease(bundle, { issuedAt: new Date(now.getTime() - 3600_000) });
    await expectCode(() => verify(old), 'CLIENT_LEASE_TIME');
    expect((await verify(old, { past: true })).deployment).toBe('this-deployment');
  });
});

describe('a lease with one thing wrong', () => {
  const other = new Uint8Array(32).fill(9);
  const minutes = (count: number): Date => new Date(now.getTime() + count * 60_000);
  it.each<[string, string, () => Promise<ShownLease>]>([
    ['CLIENT_LEASE_RELEASE', 'for another release', async () => party.lease(bundle, { releaseDigest: other })],
    ['CLIENT_LEASE_KEYS', 'for other keys', async () => party.lease(bundle, { keyConfigDigest: other })],
    ['CLIENT_LEASE_TIME', 'that ended', async () => party.lease(bundle, { issuedAt: minutes(-7) })],
    ['CLIENT_LEASE_TIME', 'from the future', async () => party.lease(bundle, { issuedAt: minutes(6) })],
    [
      'CHANNEL_LEASE_SIGNATURE',
      'of another broker',
      async () => party.lease(bundle, {}, (await generateReceiptKey()).sign),
    ],
    [
      'CHANNEL_LEASE_MALFORMED',
      'that is none',
      async () => {
        const { first } = await party.afterRotation(bundle);
        return { token: first?.succession ?? '' };
      },
    ],
    ['CLIENT_LEASE_KEYS', 'whose keys vouch for others', async () => party.afterRotation(bundle, { about: other })],
    [
      'CHANNEL_SUCCESSION_SIGNATURE',
      'with a word that another key gave',
      async () => party.afterRotation(bundle, { by: await generateReceiptKey() }),
    ],
    [
      'CHANNEL_SUCCESSION_MALFORMED',
      'with a word that is none',
      async () => {
        const { token, first } = await party.afterRotation(bundle);
        return { token, first: { keyConfig: '', receiptKey: '', ...first, succession: token } };
      },
    ],
    [
      'CLIENT_LEASE_KEYS',
      'to first keys that are not those given',
      async () => {
        const { token } = await party.lease(bundle, { keyConfigDigest: other });
        const { first } = await party.afterRotation(bundle);
        return first === undefined ? { token } : { token, first };
      },
    ],
  ])('is refused with %s: %s', async (code, _what, make) => {
    const lease = await make();
    await expectCode(() => verify(lease), code);
    // Who asks for no deployment is not lied to either.
    await expectCode(() => verify(lease, { policy: policyFor() }), code);
  });
});

describe('a session', () => {
  const url = 'https://enclave.invalid/v1/models';

  /** An enclave that leases, with a stream that the test goes on with, and a clock that the test sets. */
  async function session(
    work: (parts: {
      client: ReturnType<typeof createClient>;
      clock: { now: Date };
      events: ClientEvent[];
      more: () => void;
      revoked: { is: boolean };
    }) => Promise<void>,
  ): Promise<void> {
    const clock = { now };
    const revoked = { is: false };
    const gate = Promise.withResolvers<void>();
    const events: ClientEvent[] = [];
    const { enclave } = party;
    const leasing: typeof enclave = {
      ...enclave,
      attest: async (text, change) => {
        const made = await enclave.attest(text, change);
        // A broker that revoked renews nothing: the last lease is what the enclave still has to show.
        const issuedAt = revoked.is ? now : clock.now;
        return { ...made, lease: await party.lease(made, { issuedAt }) };
      },
    };
    const server = await startServer({
      enclave: leasing,
      answer: () => ({
        body: new ReadableStream<Uint8Array>({
          start: (controller) => controller.enqueue(utf8Encode('first ')),
          pull: async (controller) => {
            await gate.promise;
            controller.enqueue(utf8Encode('second'));
            controller.close();
          },
        }),
      }),
    });
    const client = createClient({
      url: server.url,
      policy: mine,
      anchors: enclave.anchors,
      now: () => clock.now,
      onEvent: (event) => events.push(event),
    });
    try {
      await work({ client, clock, events, more: gate.resolve, revoked });
    } finally {
      await server[Symbol.asyncDispose]();
    }
  }

  const verifications = (events: readonly ClientEvent[]): number =>
    events.filter(({ type }) => type === 'verified').length;

  it('is verified anew when its lease would end, and no stream notices', async () => {
    await session(async ({ client, clock, events, more }) => {
      const stream = await client.fetch(url);
      await client.fetch(url).then(async (response) => response.body?.cancel());
      expect(verifications(events)).toBe(1);
      clock.now = new Date(now.getTime() + 60_000);
      await client.fetch(url).then(async (response) => response.body?.cancel());
      expect(verifications(events)).toBe(2);
      more();
      expect(await stream.text()).toBe('first second');
    });
  });

  it('ends when the broker renews nothing any more', async () => {
    await session(async ({ client, clock, revoked }) => {
      await client.verify();
      revoked.is = true;
      clock.now = new Date(now.getTime() + 10 * 60_000);
      await expectCode(() => client.fetch(url), 'CLIENT_LEASE_TIME');
    });
  });

  it('is verified anew under another policy, and no stream notices', async () => {
    await session(async ({ client, events, more }) => {
      const stream = await client.fetch(url);
      client.setPolicy({ ...mine, model: 'another/model' });
      await expectCode(() => client.fetch(url), 'CLIENT_MODEL_MISMATCH');
      client.setPolicy(mine);
      await client.fetch(url).then(async (response) => response.body?.cancel());
      expect(verifications(events)).toBe(2);
      more();
      expect(await stream.text()).toBe('first second');
    });
  });

  it('gives out nothing that was verified under a policy that has been replaced meanwhile', async () => {
    await session(async ({ client, events }) => {
      const waiting = client.verify();
      client.setPolicy({ ...mine, model: 'another/model' });
      await expectCode(() => waiting, 'CLIENT_MODEL_MISMATCH');
      expect(verifications(events)).toBe(0);
    });
  });
});
