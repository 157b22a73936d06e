import type { AttestationBundle } from '@fastness/channel/wire';
import { toBase64Url } from '@fastness/codec/bytes';
import { beforeAll, describe, expect, it } from 'vitest';
import { verifyEnclave, type VerifiedEnclave } from '../src/index.ts';
import { expectCode } from '../../channel/test/support/errors.ts';
import { leasedEnclave, sharedEnclave, type SharedEnclave } from './support/broker.ts';
import { now, policyFor } from './support/scenario.ts';

type Shares = { share: number; token: string }[];

const nonce = new Uint8Array(32).fill(7);
const mine = policyFor({ client: { deployment: 'this-deployment' } });
const minutes = (count: number): Date => new Date(now.getTime() + count * 60_000);
let party: SharedEnclave;
let bundle: AttestationBundle;

beforeAll(async () => {
  party = await sharedEnclave();
  bundle = await party.enclave.attest(toBase64Url(nonce));
});

const verify = async (lease: AttestationBundle['lease'], past = false): Promise<VerifiedEnclave> =>
  verifyEnclave({
    bundle: lease === undefined ? bundle : { ...bundle, lease },
    nonce,
    policy: mine,
    now,
    anchors: party.enclave.anchors,
    past,
  });

describe('the leases of brokers that share a key', () => {
  it('are this deployment when as many as have to agree leased to these keys', async () => {
    const shares = [await party.lease(bundle, 3), await party.lease(bundle, 1)];
    const verified = await verify({ shares });
    expect(verified.deployment).toBe('this-deployment');
    expect(verified.lease).toEqual({ issuedAt: now, ttlSeconds: 60, shares: [3, 1] });
    expect(verified.checks).toContainEqual(
      expect.objectContaining({ code: 'CLIENT_DEPLOYMENT_UNPROVED', outcome: 'passed' }),
    );
  });

  it('count until too few are left: the end of the second longest of three', async () => {
    const shares = [
      await party.lease(bundle, 1, { ttlSeconds: 600 }),
      await party.lease(bundle, 2, { ttlSeconds: 30 }),
      await party.lease(bundle, 3, { ttlSeconds: 90 }),
    ];
    const verified = await verify({ shares });
    expect(verified.lease).toEqual({ issuedAt: now, ttlSeconds: 90, shares: [1, 2, 3] });
    expect(verified.verifyAgainAt).toEqual(new Date(now.getTime() + 90_000));
  });

  it('are asked for, and may have ended where an earlier time is judged', async () => {
    await expectCode(async () => verify(undefined), 'CLIENT_DEPLOYMENT_UNPROVED');
    const old = { shares: [await party.lease(bundle, 1, { issuedAt: minutes(-60) }), await party.lease(bundle, 2)] };
    await expectCode(async () => verify(old), 'CLIENT_LEASE_TIME');
    expect((await verify(old, true)).deployment).toBe('this-deployment');
  });

  const other = new Uint8Array(32).fill(9);
  // Beside two that hold, so that what is wrong is not only that one is missing.
  it.each<[string, string, () => Promise<Shares>]>([
    [
      'CLIENT_LEASE_SHARES',
      'of one broker, twice',
      async () => [await party.lease(bundle, 1), await party.lease(bundle, 1)],
    ],
    ['CLIENT_LEASE_SHARES', 'of one broker alone', async () => [await party.lease(bundle, 2)]],
    ['CHANNEL_LEASE_SIGNATURE', 'of one broker under the number of another', async () => three({}, 1)],
    [
      'CLIENT_LEASE_RELEASE',
      'of a broker that the release does not name',
      async () => [...(await three()), { ...(await party.lease(bundle, 1)), share: 4 }],
    ],
    ['CLIENT_LEASE_RELEASE', 'one of them for another release', async () => three({ releaseDigest: other })],
    ['CLIENT_LEASE_KEYS', 'one of them for other keys', async () => three({ keyConfigDigest: other })],
    ['CLIENT_LEASE_TIME', 'one of them over', async () => three({ issuedAt: minutes(-7) })],
  ])('are refused with %s: %s', async (code, _what, make) => {
    const shares = await make();
    await expectCode(async () => verify({ shares }), code);
  });

  it('are not the lease of one broker, nor the other way round', async () => {
    const [one] = await three();
    await expectCode(async () => verify({ token: one?.token ?? '' }), 'CLIENT_LEASE_RELEASE');
    const single = await leasedEnclave();
    const own = await single.enclave.attest(toBase64Url(nonce));
    const { token } = await single.lease(own);
    const lease = { shares: [{ share: 1, token }] };
    const { anchors } = single.enclave;
    await expectCode(
      async () => verifyEnclave({ bundle: { ...own, lease }, nonce, policy: mine, now, anchors }),
      'CLIENT_LEASE_RELEASE',
    );
  });

  /** Two that hold, and one for share 3 with a thing changed or signed by another broker. */
  async function three(change: Parameters<SharedEnclave['lease']>[2] = {}, by = 3): Promise<Shares> {
    return [await party.lease(bundle, 1), await party.lease(bundle, 2), await party.lease(bundle, 3, change, by)];
  }
});
