import { writeFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli, startCli } from './support/cli.ts';
import { createWorld, startStack, type Stack, type World } from './support/world.ts';

// What policies refuse, what needs a credential, and a broker that is not there.

const anyPort = 'http://127.0.0.1:0';

describe('policies and services', { timeout: 600_000 }, () => {
  let world: World;
  let stack: Stack;

  beforeAll(async () => {
    world = await createWorld();
    stack = await startStack(world);
  }, 600_000);
  afterAll(async () => {
    await world.dispose();
  });

  it('verifies the untouched enclave, so that the refusals below mean something', async () => {
    const result = await runCli(world.home, ['verify', stack.relay.url]);
    expect(result.exitCode).toBe(0);
    expect(result.events.find((event) => event['event'] === 'enclave-verified')?.['simulated']).toBe(true);
  });

  it('a production policy of a client refuses simulated evidence', async () => {
    const policy = JSON.parse(await readFile(join(world.home, 'policy/client.json'), 'utf8')) as {
      attestation: Record<string, unknown>;
    };
    delete policy.attestation['simulated'];
    const file = join(world.home, 'policy/production.json');
    await writeFile(file, JSON.stringify(policy));
    for (const command of [
      ['verify', stack.relay.url],
      ['chat', '--url', stack.relay.url],
    ]) {
      const result = await runCli(world.home, [...command, '--policy', file], 'hello');
      expect(result.code).toBe('SIMULATED_EVIDENCE_REFUSED');
      expect(result.exitCode).toBe(5);
    }
  });

  it('a production policy of the broker refuses simulated evidence', async () => {
    await stack.broker.stop();
    await world.editJson('policy/broker.json', (policy) => {
      delete (policy['attestation'] as Record<string, unknown>)['simulated'];
    });
    const broker = await world.start('broker');
    const result = await runCli(world.home, ['enclave', '--listen', anyPort, '--broker', broker.url]);
    expect(result.code).toBe('SIMULATED_EVIDENCE_REFUSED');
    await broker.stop();
  });

  it('an enclave without a broker waits, says so, and serves once the broker is there', async () => {
    // The test before took the simulated root out; the client's policy still has it.
    const client = JSON.parse(await readFile(join(world.home, 'policy/client.json'), 'utf8')) as {
      attestation: unknown;
    };
    await world.editJson('policy/broker.json', (policy) => {
      policy['attestation'] = client.attestation;
    });
    const port = new URL(stack.broker.url).port;
    const enclave = startCli(world.home, ['enclave', '--listen', anyPort, '--broker', stack.broker.url]);
    try {
      await expect.poll(() => enclave.stderr(), { timeout: 240_000 }).toContain('ENCLAVE_BROKER_UNAVAILABLE');
      await world.start('broker', ['--listen', `http://127.0.0.1:${port}`]);
      await enclave.waitFor((event) => event['event'] === 'listening', 90_000);
    } finally {
      await enclave.stop();
    }
  });

  it.each([
    ['PUT', '/v1/admin/releases'],
    ['POST', '/v1/admin/revocations'],
    ['GET', '/v1/admin/audit'],
    ['GET', '/v1/admin/leases'],
  ])('%s %s needs a credential', async (method, path) => {
    for (const headers of [{}, { authorization: 'Bearer wrong' }] as Record<string, string>[]) {
      const response = await fetch(new URL(path, stack.broker.url), { method, headers });
      expect(response.status).toBe(401);
      expect(response.headers.get('content-type')).toContain('application/problem+json');
      expect(await response.json()).toMatchObject({ code: 'BROKER_ADMIN_UNAUTHORIZED' });
    }
  });
});
