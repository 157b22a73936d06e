import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keyConfigDigestOf } from '@fastness/attest';
import {
  hpkeSealTo,
  openLease,
  releasePublicKey,
  sealedKeyToJson,
  shareReleaseAad,
  shareReleaseInfo,
} from '@fastness/channel';
import { keyReleaseRequestSchema, keyReleaseResponseSchema, type KeyReleaseResponse } from '@fastness/channel/wire';
import { fromBase64Url, fromHex, toHex } from '@fastness/codec';
import type { FastnessError } from '@fastness/codec/errors';
import { brokersOf } from '@fastness/model/release';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateEnclaveKeys } from '../src/boot/enclave-keys.ts';
import { obtainKey, type ObtainedKey } from '../src/boot/obtain-key.ts';
import { readSealed } from '../src/boot/sealed-model.ts';
import { parseConfig, type EnclaveConfigInput } from '../src/config.ts';
import { codeOfAsync } from './codes.ts';
import { hasModels, heldOut, triageFile } from './models.ts';
import { connect, start } from './running.ts';
import { createSharedWorld, type SharedWorld } from './shared-world.ts';

type Release = { readonly url: string; readonly body: unknown };

/** A network whose host changes what a broker answers to key releases; renewals pass. */
function hostThat(
  change: (answer: KeyReleaseResponse, asked: Release) => Promise<KeyReleaseResponse> | KeyReleaseResponse,
): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    const url = new Request(input).url;
    if (!url.endsWith('/v1/key-releases') || !response.ok) return response;
    const body: unknown = JSON.parse(typeof init?.body === 'string' ? init.body : 'null');
    const answer = keyReleaseResponseSchema.parse(await response.json());
    return Response.json(await change(answer, { url, body }));
  };
}

describe.skipIf(!hasModels)('an enclave whose key three brokers share', { timeout: 300_000 }, () => {
  let world: SharedWorld;
  let key: Uint8Array;
  beforeAll(async () => {
    world = await createSharedWorld(triageFile);
    for (const broker of world.brokers) await broker.start();
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  /** Asks for the key as a booting enclave does. */
  async function obtain(network: typeof fetch = fetch, changes: Partial<EnclaveConfigInput> = {}) {
    const events: { event: string; share?: unknown; code?: unknown; detail?: unknown }[] = [];
    const closing = new AbortController();
    const asking = {
      config: parseConfig(world.config(changes)),
      sealed: await readSealed(world.modelDir, closing.signal),
      collect: world.collect,
      clock: () => performance.now(),
      fetch: network,
      signal: closing.signal,
      log: (_: string, event: string, fields: object = {}) => void events.push({ event, ...fields }),
      onTrouble: () => {},
    };
    const keys = await generateEnclaveKeys();
    return { events, closing, key: obtainKey(asking, keys) };
  }
  const give = (obtained: ObtainedKey): void => obtained.hold({ onRenewed: () => {}, onTrouble: () => {} }).end();
  const of = (share: number): string => world.brokers[share - 1]?.url ?? '';

  it('joins the same key out of whichever two shares come first', async () => {
    const all = await (await obtain()).key;
    key = all.root.slice();
    expect(key.length).toBe(32);
    give(all);
    for (const absent of [1, 2, 3]) {
      const two = Object.entries(world.config().brokerUrls ?? {}).filter(([share]) => Number(share) !== absent);
      const { root, ...rest } = await (await obtain(fetch, { brokerUrls: Object.fromEntries(two) })).key;
      expect(root).toEqual(key);
      give({ root, ...rest });
    }
  });

  /** A share of the host's making, sealed to the enclave as the broker would. */
  async function forge(asked: unknown, share: Uint8Array, index: number): Promise<KeyReleaseResponse['sealedShare']> {
    const request = keyReleaseRequestSchema.parse(asked);
    const keyConfig = fromBase64Url(request.keyConfig);
    const { release } = await readSealed(world.modelDir, new AbortController().signal);
    const aad = shareReleaseAad({
      releaseDigest: fromHex(request.releaseDigest),
      keyConfigDigest: await keyConfigDigestOf({
        ohttpKeyConfig: keyConfig,
        receiptKey: fromBase64Url(request.receiptKey),
      }),
      enclaveNonce: fromBase64Url(request.enclaveNonce),
      setId: release.keyShares?.setId ?? '',
      index,
    });
    const publicKey = releasePublicKey({ keyConfig });
    return {
      index,
      ...sealedKeyToJson(await hpkeSealTo({ publicKey, info: shareReleaseInfo, aad, plaintext: share })),
    };
  }

  const lies: [string, string, (answer: KeyReleaseResponse, asked: Release) => Promise<KeyReleaseResponse>][] = [
    [
      'a share of other bytes',
      'KEY_SHARE_MISMATCH',
      async (answer, { body }) => ({ ...answer, sealedShare: await forge(body, new Uint8Array(33).fill(7), 1) }),
    ],
    [
      'a share that says it is another',
      'ENCLAVE_SHARE_MISSING',
      async ({ sealedShare, ...answer }) => ({
        ...answer,
        ...(sealedShare === undefined ? {} : { sealedShare: { ...sealedShare, index: 2 } }),
      }),
    ],
    [
      'a share that was sealed as another',
      'CHANNEL_SEALED_KEY',
      async (answer, { body }) => {
        const forged = await forge(body, new Uint8Array(33), 2);
        return { ...answer, ...(forged === undefined ? {} : { sealedShare: { ...forged, index: 1 } }) };
      },
    ],
    [
      'a whole key',
      'ENCLAVE_SHARE_MISSING',
      async ({ sealedShare, ...answer }) => ({
        ...answer,
        sealedRoot: { enc: sealedShare?.enc ?? '', ciphertext: sealedShare?.ciphertext ?? '' },
      }),
    ],
    [
      'no proof of its log',
      'LOG_PROOF_MISSING',
      async ({ logProof, ...answer }) => (expect(logProof).toBeDefined(), answer),
    ],
  ];

  it.each(lies)('names a broker that answers with %s, and opens with the others', async (_, code, lie) => {
    const host = hostThat((answer, asked) => (asked.url.startsWith(of(1)) ? lie(answer, asked) : answer));
    const { events, key: asked, closing } = await obtain(host);
    const obtained = await asked;
    expect(obtained.root).toEqual(key);
    const refused = () => events.find(({ event }) => event === 'share-refused');
    await expect.poll(refused, { timeout: 250_000 }).toMatchObject({ share: 1, code });
    give(obtained);
    closing.abort();
  });

  it('does not take the answer of one broker as that of another', async () => {
    const swapped: typeof fetch = (input, init) =>
      fetch(new Request(input).url.replace(of(1), 'swap').replace(of(2), of(1)).replace('swap', of(2)), init);
    const { key: asked } = await obtain(swapped);
    const error = await asked.then(give, (refused: FastnessError) => refused);
    expect(error).toMatchObject({ code: 'ENCLAVE_TOO_FEW_SHARES' });
    // Signed by the other's key: neither counts, and one is not enough.
    expect(error?.detail).toBe(
      '2 needed, 3 asked; share 1: CHANNEL_LEASE_SIGNATURE; share 2: CHANNEL_LEASE_SIGNATURE.',
    );
  });

  it('is told before it asks anybody that its configuration cannot do', async () => {
    const { key: few } = await obtain(fetch, { brokerUrls: { 2: of(2) } });
    expect(await codeOfAsync(few)).toBe('ENCLAVE_CONFIG');
  });

  it.each([
    ['manifest.json', 'RELEASE_MANIFEST_DIGEST'],
    ['release.json', 'RELEASE_DOCUMENT_DIGEST'],
  ])('does not open a model in whose %s the host lowered the threshold', async (name, code) => {
    const dir = `${world.modelDir}-lowered`;
    cpSync(world.modelDir, dir, { recursive: true });
    const text = readFileSync(join(dir, name), 'utf8');
    expect(text).toContain('"threshold": 2');
    writeFileSync(join(dir, name), text.replace('"threshold": 2', '"threshold": 1'));
    expect(await codeOfAsync(readSealed(dir, new AbortController().signal))).toBe(code);
    rmSync(dir, { recursive: true });
  });

  /** An enclave whose clock the test can push ahead: leases end when it is told, not when a machine is slow. */
  async function run() {
    let ahead = 0;
    const enclave = await start(world.config(), { clock: () => performance.now() + ahead });
    const until = (event: string, share?: number, code?: string): Promise<void> =>
      expect
        .poll(
          () =>
            enclave.events.some(
              (line) =>
                line.event === event && line['share'] === share && (code === undefined || line['code'] === code),
            ),
          { timeout: 250_000 },
        )
        .toBe(true);
    return { enclave, until, push: (seconds: number) => void (ahead += seconds * 1000) };
  }

  const answer = async (url: string): Promise<string> => {
    const channel = await connect(url, world);
    const response = await channel.fetch('https://enclave.invalid/v1/chat/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'triage', messages: [{ role: 'user', content: heldOut().note }], temperature: 0 }),
    });
    return response.text();
  };

  /** The numbers of the brokers whose leases a client is shown, each signed by the broker of its share, for these keys. */
  const sharesShown = async (url: string): Promise<number[]> => {
    const { bundle, keyConfigDigest } = await connect(url, world);
    const { release } = await readSealed(world.modelDir, new AbortController().signal);
    const shown = bundle.lease !== undefined && 'shares' in bundle.lease ? bundle.lease.shares : [];
    for (const { share, token } of shown) {
      const broker = brokersOf(release).find((each) => each.share === share);
      const claims = await openLease({ lease: fromBase64Url(token), brokerKey: broker?.brokerKey ?? new Uint8Array() });
      expect(claims.keyConfigDigest).toEqual(keyConfigDigest);
      expect(toHex(claims.releaseDigest)).toBe(world.releaseDigest);
    }
    return shown.map(({ share }) => share).toSorted((one, other) => one - other);
  };

  it('serves while two of them are there, whichever two', async () => {
    const [, two, three] = world.brokers;
    await two.stop();
    await two.start(600);
    await three.stop();
    const { enclave, until, push } = await run();
    await until('share-withheld', 3, 'ENCLAVE_BROKER_UNAVAILABLE');
    await enclave.until('serving');
    expect(await answer(enclave.url)).toContain('level=');
    // The third comes back and counts from then on, so the second may go, and its lease run out.
    await three.start();
    await until('share-received', 3);
    await two.stop();
    push(601);
    await until('share-lapsed', 2);
    expect(enclave.state).toBe('serving');
    // Clients are shown the leases that live, and no other.
    expect(await sharesShown(enclave.url)).toEqual([1, 3]);
    expect(await answer(enclave.url)).toContain('level=');
    await enclave.close();
    await two.start(600);
  });

  it('stops when one revokes and no two are left, and begins again when two agree', async () => {
    const [one, two] = world.brokers;
    await two.stop();
    await one.stop();
    // The shortest that a policy can have: the revocation reaches the enclave when it renews.
    await one.start(10);
    const { enclave, until, push } = await run();
    await enclave.until('serving');
    await one.revokeRelease();
    await until('share-refused', 1, 'BROKER_RELEASE_REVOKED');
    await until('lease-lost', undefined, 'ENCLAVE_TOO_FEW_LEASES');
    await enclave.until('waiting-for-broker');
    expect((await fetch(`${enclave.url}/attestation`, { method: 'POST', body: '{}' })).status).toBe(503);

    await two.start(600);
    await enclave.until('serving');
    expect(await answer(enclave.url)).toContain('level=');
    // The second revokes as well: from then on there is no way to begin again.
    await two.revokeRelease();
    push(601);
    expect(await enclave.ended).toMatchObject({
      code: 'ENCLAVE_TOO_FEW_SHARES',
      detail: '2 needed, 3 asked; share 1: BROKER_RELEASE_REVOKED; share 2: BROKER_RELEASE_REVOKED.',
    });
  });
});
