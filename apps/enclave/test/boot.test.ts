import { generateKeyPairSync, sign } from 'node:crypto';
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { amdAnchors, keyConfigDigestOf } from '@fastness/attest';
import {
  evidenceDigestOf,
  hpkeSealTo,
  keyReleaseAad,
  keyReleaseInfo,
  releasePublicKey,
  requestDigestOf,
  responseDigestOf,
  sealedKeyToJson,
  signLease,
  verifyReceipt,
  verifySuccession,
} from '@fastness/channel';
import { keyReleaseRequestSchema, keyReleaseResponseSchema, mediaTypes } from '@fastness/channel/wire';
import { fromBase64Url, fromHex, toBase64Url, toHex, utf8Decode } from '@fastness/codec';
import { verifyTlsCertificate } from '@fastness/channel/tls';
import type { FastnessError } from '@fastness/codec/errors';
import { parseVerifierKey, verifyProof } from '@fastness/log';
import { classifierDir, hasModels, heldOut, triageFile } from './models.ts';
import { certificateAt, connect, policyOf, start } from './running.ts';
import { createWorld, type World } from './world.ts';

const note = hasModels ? heldOut().note : '';
const request = { model: 'triage', messages: [{ role: 'user' as const, content: note }], temperature: 0 };
const sdkOf = (channel: { fetch: typeof fetch }) =>
  new OpenAI({ apiKey: 'unused', baseURL: 'https://enclave.invalid/v1', maxRetries: 0, fetch: channel.fetch });

describe.skipIf(!hasModels)('an enclave with a real broker and a simulated TEE', () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld({ source: triageFile, engine: 'llama', task: 'generate' });
    await world.startBroker();
    await world.register();
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  it('waits for its broker, opens the model in memory, answers through the channel and signs a receipt', async () => {
    const began = Date.now();
    // Nothing listens on its port until it starts again, on the same one.
    await world.broker?.close();
    const enclave = await start(world.config({ tls: { port: 0 } }));
    await enclave.until('waiting-for-broker');
    expect((await fetch(`${enclave.url}/health`)).status).toBe(503);
    const early = await fetch(`${enclave.url}/attestation`, { method: 'POST', body: '{}' });
    expect(await early.json()).toMatchObject({ code: 'ENCLAVE_NOT_SERVING', status: 503 });
    await expect
      .poll(() =>
        enclave.events.some(
          ({ event, code }) => event === 'waiting-for-broker' && code === 'ENCLAVE_BROKER_UNAVAILABLE',
        ),
      )
      .toBe(true);
    await world.startBroker();
    await enclave.until('serving');

    const health: unknown = await (await fetch(`${enclave.url}/health`)).json();
    // Nothing else: anybody may ask, through the relay too.
    expect(health).toEqual({
      status: 'serving',
      simulated: true,
      warning: expect.stringContaining('SIMULATED'),
      model: 'triage',
      release: { digest: world.releaseDigest, version: 1 },
      lease: { secondsLeft: expect.any(Number) },
    });
    expect(enclave.events.find(({ event }) => event === 'opened')).toMatchObject({ memory: 'memfd' });
    expect(enclave.events.some(({ event }) => event === 'SIMULATED')).toBe(true);

    const channel = await connect(enclave.url, world);
    expect(channel.verdict.claims).toMatchObject({ simulated: true, measurement: world.tee.measurement });
    // The same enclave at its second address: the certificate carries evidence for its key.
    const raw = await certificateAt(enclave.tlsUrl ?? '');
    const attestation = policyOf(world);
    const releaseDigest = fromHex(world.releaseDigest);
    const peer = { attestation, anchors: amdAnchors, releaseDigest };
    expect((await verifyTlsCertificate({ raw, peer, now: new Date() })).verdict.claims.simulated).toBe(true);
    // For clients whose policy names the log: the proof that the broker gave.
    const proven = await verifyProof({
      proof: channel.bundle.logProof ?? '',
      trust: { logKeys: [await parseVerifierKey(world.broker?.logKey ?? '')] },
    });
    expect(JSON.parse(utf8Decode(proven.entry))).toMatchObject({ facts: { releaseDigest: world.releaseDigest } });
    const sdk = sdkOf(channel);
    const whole = await sdk.chat.completions.create(request);
    expect(whole.choices[0]?.message.content).toMatch(/^level=/u);
    let text = '';
    for await (const chunk of await sdk.chat.completions.create({ ...request, stream: true }))
      text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toBe(whole.choices[0]?.message.content);
    expect((await sdk.models.list()).data[0]?.id).toBe('triage');

    await expect.poll(() => channel.receipts.length).toBe(3);
    for (const { receipt, request: sent, status, body } of channel.receipts) {
      const claims = await verifyReceipt({ receipt: fromBase64Url(receipt), receiptKey: channel.receiptKey });
      expect(toHex(claims.releaseDigest)).toBe(world.releaseDigest);
      expect(toHex(claims.keyConfigDigest)).toBe(toHex(channel.keyConfigDigest));
      expect(toHex(claims.requestDigest)).toBe(toHex(await requestDigestOf(sent)));
      expect(toHex(claims.responseDigest)).toBe(toHex(await responseDigestOf({ status, body })));
      expect(toHex(claims.evidenceDigest)).toBe(toHex(await evidenceDigestOf(channel.evidence)));
      // Receipts count whole seconds.
      expect(claims.issuedAt.getTime()).toBeGreaterThan(began - 1000);
      expect(claims.issuedAt.getTime()).toBeLessThanOrEqual(Date.now());
    }
    // Nothing of a prompt or an answer is in the log.
    const logged = JSON.stringify(enclave.events);
    expect(logged).not.toContain(note.slice(0, 20));
    expect(logged).not.toContain(whole.choices[0]?.message.content?.slice(0, 20));
    await enclave.close();
    expect(await enclave.ended).toBeUndefined();
  });

  it('asks for fresh evidence every time, and refuses a nonce that is none', async () => {
    const enclave = await start(world.config());
    await enclave.until('serving');
    const [one, two] = [await connect(enclave.url, world), await connect(enclave.url, world)];
    expect(toHex(one.evidence.value)).not.toBe(toHex(two.evidence.value));
    const bad = await fetch(`${enclave.url}/attestation`, { method: 'POST', body: JSON.stringify({ nonce: 'short' }) });
    expect(await bad.json()).toMatchObject({ code: 'CHANNEL_WIRE_MALFORMED' });
    const large = await fetch(`${enclave.url}/attestation`, { method: 'POST', body: 'x'.repeat(5000) });
    expect(await large.json()).toMatchObject({ code: 'CHANNEL_WIRE_TOO_LARGE' });
    expect((await fetch(`${enclave.url}/v1/models`)).status).toBe(404);
    expect((await fetch(`${enclave.url}/ohttp`)).status).toBe(405);
    const plain = await fetch(`${enclave.url}/ohttp`, {
      method: 'POST',
      headers: { 'content-type': mediaTypes.chunkedRequest },
      body: 'plain text',
    });
    expect(await plain.json()).toMatchObject({ code: expect.stringMatching(/^CHANNEL_/u) });
    await enclave.close();
  });

  it('replaces its keys when the replay cache is full; clients verify anew', async () => {
    const enclave = await start(world.config({ limits: { replayEntries: 2, attestationsPerSecond: 1000 } }));
    await enclave.until('serving');
    const channel = await connect(enclave.url, world);
    const sdk = sdkOf(channel);
    await sdk.models.list();
    await sdk.models.list();
    await expect(channel.fetch('https://enclave.invalid/v1/models')).rejects.toMatchObject({
      problem: { code: 'CHANNEL_KEY_UNKNOWN' },
    });
    await expect(channel.fetch('https://enclave.invalid/v1/models')).rejects.toMatchObject({
      problem: { code: 'CHANNEL_KEY_UNKNOWN' },
    });
    const again = await connect(enclave.url, world);
    expect(toHex(again.keyConfigDigest)).not.toBe(toHex(channel.keyConfigDigest));
    expect((await sdkOf(again).models.list()).data).toHaveLength(1);
    await enclave.close();
  });

  it('frees what a client held that went away', async () => {
    const enclave = await start(
      world.config({ limits: { tokensPerFrame: 1, concurrent: 2, attestationsPerSecond: 1000 } }),
    );
    await enclave.until('serving');
    const channel = await connect(enclave.url, world);
    const ask = (body: object, signal: AbortSignal | null = null): Promise<Response> =>
      channel.fetch('https://enclave.invalid/v1/chat/completions', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...request, ...body }),
        signal,
      });
    for (let round = 0; round < 6; round++) {
      const controller = new AbortController();
      await expect
        .poll(async () => {
          const response = await ask({ stream: true }, controller.signal);
          await response.body?.getReader().read();
          return response.status;
        })
        .toBe(200);
      controller.abort();
    }
    await expect.poll(async () => (await ask({ max_tokens: 1 })).status).toBe(200);
    await enclave.close();
  });

  it('ends with the code of the broker when it is refused', async () => {
    const other = await createWorld({ source: triageFile, engine: 'llama', task: 'generate' });
    await other.startBroker();
    const enclave = await start(other.config());
    expect((await enclave.ended)?.code).toBe('BROKER_RELEASE_UNKNOWN');
    await other[Symbol.asyncDispose]();
  });

  // The host owns the network, so it can play the broker and supply a key: then it could read what the enclave keeps under it.
  it.each([
    ['with a lease of its own', 'CHANNEL_LEASE_SIGNATURE', true],
    ['behind the lease of the broker', 'FLOE_HEADER_TAG', false],
  ])('does not serve under a key that its host supplies %s', async (_, code, ownLease) => {
    const own = generateKeyPairSync('ed25519').privateKey;
    const host: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (!new Request(input).url.endsWith('/v1/key-releases')) return response;
      const answer = keyReleaseResponseSchema.parse(await response.json());
      const asked = keyReleaseRequestSchema.parse(JSON.parse(typeof init?.body === 'string' ? init.body : ''));
      const keyConfig = fromBase64Url(asked.keyConfig);
      const binding = {
        releaseDigest: fromHex(asked.releaseDigest),
        keyConfigDigest: await keyConfigDigestOf({
          ohttpKeyConfig: keyConfig,
          receiptKey: fromBase64Url(asked.receiptKey),
        }),
        enclaveNonce: fromBase64Url(asked.enclaveNonce),
      };
      const sealed = await hpkeSealTo({
        publicKey: releasePublicKey({ keyConfig }),
        info: keyReleaseInfo,
        aad: keyReleaseAad(binding),
        plaintext: new Uint8Array(32).fill(7),
      });
      const claims = { ...binding, leaseId: 'host', ttlSeconds: 60, issuedAt: new Date() };
      const lease = ownLease
        ? toBase64Url(
            await signLease({ claims, sign: (bytes) => Promise.resolve(new Uint8Array(sign(null, bytes, own))) }),
          )
        : answer.lease;
      return Response.json({ ...answer, lease, sealedRoot: sealedKeyToJson(sealed) });
    };
    const enclave = await start(world.config(), { fetch: host });
    await expect.poll(() => enclave.events.map((event) => event['code']), { timeout: 60_000 }).toContain(code);
    expect(enclave.state).not.toBe('serving');
    await enclave.close();
  });

  it('tells its host no word of an engine that does not load the model', async () => {
    // Cut behind the header, so that the engine would name a tensor.
    const folder = mkdtempSync(join(tmpdir(), 'fastness-cut-'));
    const source = join(folder, 'cut.gguf');
    writeFileSync(source, readFileSync(triageFile).subarray(0, 500_000));
    const other = await createWorld({ source, engine: 'llama', task: 'generate' });
    await other.startBroker();
    await other.register();
    const enclave = await start(other.config());
    expect(await enclave.ended).toMatchObject({ code: 'MODEL_DOES_NOT_LOAD', detail: undefined });
    expect(enclave.events.at(-1)).toMatchObject({ code: 'MODEL_DOES_NOT_LOAD', detail: undefined });
    expect(JSON.stringify(enclave.events)).not.toMatch(/tensor|bounds/u);
    await other[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  it('tells its host no number of tokens', async () => {
    const enclave = await start(world.config({ engine: { sequences: 1, contextLength: 32 } }));
    await enclave.until('serving');
    const sdk = sdkOf(await connect(enclave.url, world));
    await expect(sdk.completions.create({ model: 'triage', prompt: 'leak '.repeat(200) })).rejects.toThrow(/tokens/u);
    const failed = enclave.events.filter(({ event }) => event === 'request-failed');
    expect(failed).toEqual([{ level: 'warn', event: 'request-failed', code: 'ENCLAVE_CONTEXT_LENGTH' }]);
    await enclave.close();
  });

  describe('before it asks for a key', () => {
    const damaged = async (damage: (dir: string) => void): Promise<FastnessError | undefined> => {
      const dir = join(world.directory, 'damaged');
      rmSync(dir, { recursive: true, force: true });
      cpSync(world.modelDir, dir, { recursive: true });
      damage(dir);
      const asked: unknown[] = [];
      const enclave = await start(world.config({ modelDir: dir }), {
        fetch: async (...call) => {
          asked.push(call);
          throw new Error('nobody should ask');
        },
      });
      const error = await enclave.ended;
      expect(asked).toEqual([]);
      return error;
    };
    const change = (path: string, from: string, to: string) => (dir: string) => {
      const file = join(dir, path);
      writeFileSync(file, readFileSync(file, 'utf8').replace(from, to));
    };

    it.each<[string, string, (dir: string) => void]>([
      [
        'a changed sealed file',
        'OMS_DIGEST_MISMATCH',
        (dir) => appendFileSync(join(dir, 'files/triage.gguf.floe'), 'x'),
      ],
      ['a missing sealed file', 'OMS_MISSING_FILE', (dir) => rmSync(join(dir, 'files/triage.gguf.floe'))],
      ['a file nobody signed', 'OMS_UNSIGNED_FILE', (dir) => writeFileSync(join(dir, 'files/extra.floe'), 'x')],
      ['a changed manifest', 'RELEASE_MANIFEST_DIGEST', change('manifest.json', 'generate', 'embed')],
      ['a changed release', 'RELEASE_DOCUMENT_DIGEST', change('release.json', '"version": 1', '"version": 2')],
      ['a signature that is none', 'OMS_MALFORMED', (dir) => writeFileSync(join(dir, 'model.sig'), '{}')],
      ['no signature', 'OMS_IO', (dir) => rmSync(join(dir, 'model.sig'))],
    ])('it refuses %s', async (_name, code, damage) => {
      expect((await damaged(damage))?.code).toBe(code);
    });

    it('it refuses to go on without a TEE', async () => {
      const enclave = await start(
        world.config({ evidence: { kind: 'simulated', socketPath: join(world.directory, 'none.sock') } }),
      );
      expect((await enclave.ended)?.code).toBe('EVIDENCE_UNREACHABLE');
    });
  });
});

describe.skipIf(!hasModels)('the lease of an enclave', () => {
  it('is lost with an unreachable broker, and asked for anew once it is back', async () => {
    const world = await createWorld({ source: triageFile, engine: 'llama', task: 'generate', ttlSeconds: 10 });
    await world.startBroker();
    await world.register();
    const enclave = await start(world.config({ keyRotationSeconds: 1, keyOverlapSeconds: 0 }));
    await enclave.until('serving');
    const first = await connect(enclave.url, world);
    // Renewal finds the keys old enough to replace; the lease stays that of the first keys.
    await expect
      .poll(() => enclave.events.some(({ event }) => event === 'keys-rotated'), { timeout: 60_000 })
      .toBe(true);
    await expect(first.fetch('https://enclave.invalid/v1/models')).rejects.toMatchObject({
      problem: { code: 'CHANNEL_KEY_UNKNOWN' },
    });
    const channel = await connect(enclave.url, world);
    // The lease names the first keys; they vouch for the new ones.
    const { first: before } = channel.bundle.lease ?? {};
    expect(before?.keyConfig).toBe(first.bundle.keyConfig);
    const [succession, receiptKey] = [before?.succession ?? '', before?.receiptKey ?? ''].map(fromBase64Url);
    expect(succession).toBeDefined();
    if (succession !== undefined && receiptKey !== undefined)
      expect(await verifySuccession({ succession, receiptKey })).toEqual(channel.keyConfigDigest);
    expect((await sdkOf(channel).models.list()).data).toHaveLength(1);
    await world.broker?.close();
    await enclave.until('lease-lost');
    await expect(channel.fetch('https://enclave.invalid/v1/models')).rejects.toMatchObject({
      problem: { status: 503, code: 'ENCLAVE_LEASE_LOST' },
    });
    await world.startBroker();
    await enclave.until('serving');
    // The keys are new ones: what the client verified is gone.
    await expect(channel.fetch('https://enclave.invalid/v1/models')).rejects.toMatchObject({
      problem: { code: expect.stringMatching(/^CHANNEL_(?:KEY_UNKNOWN|REQUEST_UNOPENABLE)$/u) },
    });
    const again = await connect(enclave.url, world);
    expect((await sdkOf(again).models.list()).data).toHaveLength(1);

    // Revocation: the next renewal is refused, and the enclave ends.
    await world.revoke('release', world.releaseDigest);
    expect((await enclave.ended)?.code).toBe('BROKER_RELEASE_REVOKED');
    await world[Symbol.asyncDispose]();
  });
});

describe.skipIf(!hasModels)('an enclave around a classifier', () => {
  it('opens several files and classifies', async () => {
    const world = await createWorld({ source: classifierDir, engine: 'onnx', task: 'classify' });
    await world.startBroker();
    await world.register();
    const enclave = await start(world.config());
    await enclave.until('serving');
    const channel = await connect(enclave.url, world);
    const response = await channel.fetch('https://enclave.invalid/v1/classifications', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'triage', input: note }),
    });
    expect(await response.json()).toMatchObject({ data: [{ label: expect.stringMatching(/^level-/u) }] });
    await enclave.close();
    await world[Symbol.asyncDispose]();
  });
});
