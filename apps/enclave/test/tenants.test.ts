import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect, sealRequest } from '@fastness/channel';
import { newApiKey, type Access, type NewApiKey, type TenantLimits } from '@fastness/model';
import { TenantGate, type Gate } from '../src/access/gate.ts';
import { TenantLimit } from '../src/access/tenant-usage.ts';
import { Tenants } from '../src/access/tenants.ts';
import type { Engine, EngineRuntime } from '../src/engine/engine.ts';
import { engineRuntime } from '../src/engine/select.ts';
import { createInnerApi } from '../src/serve/inner/app.ts';
import { codeOf, codeOfAsync } from './codes.ts';
import { gatewayAlone, send } from './gateway-alone.ts';
import { hasModels, heldOut, limits, triageFile, triageFiles } from './models.ts';
import { connect, start } from './running.ts';
import { createWorld, type World } from './world.ts';

const noon = Date.parse('2026-11-23T12:00:00Z');
const ids = { alice: 'A'.repeat(22), bob: 'B'.repeat(22) };

const tenantOf = (id: string, key: NewApiKey, tenantLimits: TenantLimits = {}): Access['tenants'][number] => ({
  id,
  keys: [{ id: key.id, sha256: key.sha256 }],
  limits: tenantLimits,
});
const bearer = (key: string): Headers => new Headers({ authorization: `Bearer ${key}` });

/** A gate whose time stands still unless told. */
function gateOf(tenants: Access['tenants'], expires = '2026-12-01T00:00:00Z') {
  const time = { ms: noon };
  const gate = new TenantGate(() => time.ms);
  gate.keepTime(() => new Date(time.ms));
  gate.use({ tenants, expires });
  return { gate, time, enter: (key: string) => gate.enter(bearer(key)) };
}

/** The code and the seconds of a refusal that waiting ends. */
function refusal(work: () => unknown): [string, number] {
  try {
    work();
  } catch (error) {
    if (error instanceof TenantLimit) return [error.error.code, error.retryAfter];
    throw error;
  }
  throw new Error('it was let in');
}

describe('the gate of an enclave with tenants', () => {
  const [alice, bob] = [newApiKey(), newApiKey()];

  it('lets in who has a key, and tells tenants apart', () => {
    const { enter } = gateOf([tenantOf(ids.alice, alice), tenantOf(ids.bob, bob)]);
    const [one, two, again] = [enter(alice.key), enter(bob.key), enter(alice.key)];
    expect(one.tenant).toEqual(again.tenant);
    expect(one.tenant.id).not.toBe(two.tenant.id);
    expect(one.tenant.salt).not.toBe(two.tenant.salt);
    expect(one.tenant.salt).toHaveLength(43);
    expect(JSON.stringify(one.tenant)).not.toContain(ids.alice);
  });

  it.each([
    ['no header', new Headers()],
    ['another scheme', new Headers({ authorization: `Basic ${alice.key}` })],
    ['the name of a key with another secret', bearer(`fsk_${alice.id}_${bob.key.slice(21)}`)],
    ['a key that nobody made', bearer(newApiKey().key)],
    ['a key without its last character', bearer(alice.key.slice(0, -1))],
    ['no text at all behind the scheme', new Headers({ authorization: 'Bearer ' })],
  ])('refuses %s', (_name, headers) => {
    const { gate } = gateOf([tenantOf(ids.alice, alice), tenantOf(ids.bob, bob)]);
    expect(codeOf(() => gate.enter(headers))).toBe('ENCLAVE_API_KEY');
  });

  it('refuses everybody when the list has expired, and before there is a time', () => {
    const { enter, time } = gateOf([tenantOf(ids.alice, alice)]);
    time.ms = Date.parse('2026-12-01T00:00:00Z');
    expect(codeOf(() => enter(alice.key))).toBe('ENCLAVE_ACCESS_EXPIRED');
    const early = new TenantGate(() => 0);
    early.use({ tenants: [tenantOf(ids.alice, alice)], expires: '2026-12-01T00:00:00Z' });
    expect(codeOf(() => early.enter(bearer(alice.key)))).toBe('ENCLAVE_ACCESS_EXPIRED');
  });

  it('counts requests a minute as a bucket that fills evenly', () => {
    const { enter, time } = gateOf([tenantOf(ids.alice, alice, { requestsPerMinute: 2 }), tenantOf(ids.bob, bob)]);
    enter(alice.key).leave();
    enter(alice.key).leave();
    expect(refusal(() => enter(alice.key))).toEqual(['ENCLAVE_TENANT_REQUESTS', 30]);
    enter(bob.key).leave();
    time.ms += 20_000;
    expect(refusal(() => enter(alice.key))).toEqual(['ENCLAVE_TENANT_REQUESTS', 10]);
    time.ms += 10_000;
    enter(alice.key).leave();
    expect(refusal(() => enter(alice.key))).toEqual(['ENCLAVE_TENANT_REQUESTS', 30]);
    time.ms += 3600_000;
    enter(alice.key).leave();
    enter(alice.key).leave();
    expect(refusal(() => enter(alice.key))).toEqual(['ENCLAVE_TENANT_REQUESTS', 30]);
  });

  it('counts tokens in days of UTC, those of cut requests by their bytes', () => {
    const { enter, time } = gateOf([tenantOf(ids.alice, alice, { tokensPerDay: 100 })]);
    const whole = enter(alice.key);
    whole.began();
    whole.made(5);
    whole.total(60);
    whole.leave();
    whole.leave();
    const cut = enter(alice.key);
    cut.bytes = 120;
    cut.began();
    cut.made(9);
    cut.leave();
    // 60 and 30 + 9: one token is left, and a request that was refused before it began takes none.
    const refused = enter(alice.key);
    refused.bytes = 4000;
    refused.leave();
    const last = enter(alice.key);
    last.total(1);
    last.leave();
    expect(refusal(() => enter(alice.key))).toEqual(['ENCLAVE_TENANT_TOKENS', 12 * 3600]);
    time.ms = Date.parse('2026-11-24T00:00:00Z');
    enter(alice.key).leave();
  });

  it('counts requests at the same time', () => {
    const { enter } = gateOf([tenantOf(ids.alice, alice, { concurrent: 1 })]);
    const running = enter(alice.key);
    expect(refusal(() => enter(alice.key))).toEqual(['ENCLAVE_TENANT_CONCURRENT', 1]);
    running.leave();
    running.leave();
    const next = enter(alice.key);
    expect(refusal(() => enter(alice.key))).toEqual(['ENCLAVE_TENANT_CONCURRENT', 1]);
    next.leave();
  });

  it('follows a new list: what was used stays used, who is gone is refused', () => {
    const { gate, enter } = gateOf([
      tenantOf(ids.alice, alice, { requestsPerMinute: 1 }),
      tenantOf(ids.bob, bob, { concurrent: 1 }),
    ]);
    const running = enter(bob.key);
    enter(alice.key).leave();
    gate.use({ tenants: [tenantOf(ids.alice, alice, { requestsPerMinute: 1 })], expires: '2026-12-01T00:00:00Z' });
    expect(refusal(() => enter(alice.key))).toEqual(['ENCLAVE_TENANT_REQUESTS', 60]);
    expect(codeOf(() => enter(bob.key))).toBe('ENCLAVE_API_KEY');
    running.leave();
  });
});

describe.skipIf(!hasModels)('tenants through the channel', { timeout: 120_000 }, () => {
  const [alice, bob] = [newApiKey(), newApiKey()];
  let runtime: EngineRuntime;
  let engine: Engine;
  beforeAll(async () => {
    runtime = await engineRuntime('llama');
    engine = await runtime.load({ files: triageFiles(), task: 'generate', limits });
  });
  afterAll(async () => {
    await engine.close();
    await runtime.close();
  });

  const served = async (gate: Gate) =>
    gatewayAlone({
      api: createInnerApi(
        {
          engine,
          modelId: 'triage',
          limits: {
            bodyBytes: 65_536,
            messages: 8,
            inputs: 4,
            maxTokens: 200,
            requestSeconds: 300,
            tokensPerFrame: 8,
            frameDelayMs: 60_000,
          },
          now: () => new Date(noon),
          gate,
          lease: new AbortController().signal,
        },
        (error) => {
          throw error;
        },
      ),
    });
  const question = (key: string | undefined, changes: object = {}): Request =>
    new Request('https://enclave.invalid/v1/chat/completions', {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      },
      body: JSON.stringify({
        model: 'triage',
        messages: [{ role: 'user', content: heldOut().note }],
        temperature: 0,
        max_tokens: 4,
        ...changes,
      }),
    });

  it('looks the same from outside whoever asks, and whether the key is good', async () => {
    const { gate } = gateOf([tenantOf(ids.alice, alice), tenantOf(ids.bob, bob, { requestsPerMinute: 1 })]);
    const gateway = await served(gate.enter);
    const { keyConfig } = gateway.ring.current.keys.public;
    const requests = await Promise.all(
      [alice.key, bob.key, newApiKey().key].map(async (key) => {
        const { body } = await sealRequest({ keyConfig, request: question(key) });
        return (await collect(body, 2 ** 20))?.length;
      }),
    );
    expect(new Set(requests).size).toBe(1);
    const answers = [];
    for (const key of [alice.key, bob.key, bob.key, newApiKey().key, undefined]) {
      answers.push(await send(gateway.url, keyConfig, question(key)));
    }
    expect(answers.map(({ opened }) => opened?.status)).toEqual([200, 200, 429, 401, 401]);
    expect(answers[0]?.seen.bytes.length).toBe(answers[1]?.seen.bytes.length);
    for (const { seen } of answers) expect([seen.status, seen.type]).toEqual([200, answers[0]?.seen.type]);
    expect(JSON.parse(answers[3]?.text ?? '')).toMatchObject({
      error: { code: 'invalid_api_key', fastness_code: 'ENCLAVE_API_KEY', type: 'authentication_error' },
    });
    expect(JSON.parse(answers[2]?.text ?? '')).toMatchObject({
      error: { code: 'rate_limit_exceeded', fastness_code: 'ENCLAVE_TENANT_REQUESTS', type: 'rate_limit_error' },
    });
    expect(answers[2]?.opened?.headers.get('retry-after')).toBe('60');
  });

  it('charges what answers say that they used, streams included, and nothing for what was refused', async () => {
    const used = async (changes: object): Promise<number> => {
      const { gate } = gateOf([tenantOf(ids.alice, alice)]);
      const gateway = await served(gate.enter);
      const { text } = await send(
        gateway.url,
        gateway.ring.current.keys.public.keyConfig,
        question(alice.key, changes),
      );
      return Number(/"total_tokens":(\d+)/u.exec(text)?.[1]);
    };
    const stream = { stream: true, stream_options: { include_usage: true } };
    for (const changes of [{}, stream]) {
      const tokens = await used(changes);
      // The first request leaves one token, so a second is let in; with one token less it is not.
      for (const [tokensPerDay, second] of [
        [tokens + 1, 200],
        [tokens, 429],
      ] as const) {
        const { gate } = gateOf([tenantOf(ids.alice, alice, { tokensPerDay, concurrent: 1 })]);
        const gateway = await served(gate.enter);
        const ask = async (more: object) =>
          (await send(gateway.url, gateway.ring.current.keys.public.keyConfig, question(alice.key, more))).opened
            ?.status;
        expect(await ask({ ...changes, model: 'another' })).toBe(404);
        expect(await ask({ ...changes, max_tokens: 201 })).toBe(400);
        expect(await ask(changes)).toBe(200);
        expect(await ask(changes)).toBe(second);
      }
    }
  });
});

describe.skipIf(!hasModels)('an enclave whose release lets in tenants alone', { timeout: 120_000 }, () => {
  const [alice, bob] = [newApiKey(), newApiKey()];
  let world: World;
  beforeAll(async () => {
    world = await createWorld({ source: triageFile, engine: 'llama', task: 'generate', tenantsOnly: true });
    await world.startBroker();
    await world.register();
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  it('does not start without a list, or with one that somebody else made', async () => {
    const alone = await start(world.config());
    expect(await alone.ended).toMatchObject({ code: 'ENCLAVE_ACCESS_MISSING' });
    const release = { modelId: 'triage', access: { key: '', leastVersion: 1 } };
    await world.letIn({ tenants: [] });
    const options = { dir: world.modelDir, clock: () => 0, log: () => {} };
    expect(await codeOfAsync(Tenants.open({ ...options, release }))).toBe('OMS_KEY_UNSUPPORTED');
  });

  it('answers them and nobody else, and follows newer lists but no older ones', async () => {
    await world.letIn({ version: 2, tenants: [tenantOf(ids.alice, alice)] });
    const enclave = await start(world.config({ traffic: { profile: 'off' } }));
    await enclave.until('serving');
    const channel = await connect(enclave.url, world);
    const models = async (apiKey: string) =>
      new OpenAI({ apiKey, baseURL: 'https://enclave.invalid/v1', maxRetries: 0, fetch: channel.fetch }).models.list();
    expect((await models(alice.key)).data).toHaveLength(1);
    await expect(models(bob.key)).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
    await enclave.close();

    const events: string[] = [];
    const tenants = await Tenants.open({
      dir: world.modelDir,
      release: {
        modelId: 'triage',
        access: { key: await world.ownerKey(), leastVersion: 2 },
      },
      clock: () => 0,
      log: (_level, event, fields) => events.push(`${event} ${fields?.['code'] ?? fields?.['version']}`),
    });
    const gate = tenants?.under(() => new Date());
    await tenants?.refresh();
    await world.letIn({ version: 1, tenants: [tenantOf(ids.bob, bob)] });
    await tenants?.refresh();
    expect(codeOf(() => gate?.(bearer(bob.key)))).toBe('ENCLAVE_API_KEY');
    await world.letIn({ version: 3, tenants: [tenantOf(ids.bob, bob)] });
    await tenants?.refresh();
    gate?.(bearer(bob.key)).leave();
    expect(codeOf(() => gate?.(bearer(alice.key)))).toBe('ENCLAVE_API_KEY');
    expect(events).toEqual(['tenants 2', 'tenants-not-read ACCESS_OLDER', 'tenants 3']);
  });
});
