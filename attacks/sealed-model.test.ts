import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun, runCli } from './support/cli.ts';
import { flipBit, replaceText, truncate } from './support/files.ts';
import { createWorld, type World } from './support/world.ts';

// The operator owns the disk. Whatever is changed there, the enclave must refuse it before it asks for a key.

const floe = 'files/triage.gguf.floe';
const headerLength = 74;
const mebibyte = 2 ** 20;

describe('a sealed model that the operator damaged', { timeout: 600_000 }, () => {
  let world: World;
  let requests = 0;
  const broker = createServer((_request, response) => {
    requests += 1;
    response.writeHead(503).end();
  });

  beforeAll(async () => {
    world = await createWorld();
    await new Promise<void>((resolve) => broker.listen(0, '127.0.0.1', resolve));
  }, 120_000);
  afterAll(async () => {
    broker.close();
    await world.dispose();
  });

  const cases: [name: string, code: string, damage: (dir: string) => Promise<void>][] = [
    ['first segment: one bit', 'OMS_DIGEST_MISMATCH', (dir) => flipBit(join(dir, floe), headerLength + 100)],
    [
      'second segment: one bit',
      'OMS_DIGEST_MISMATCH',
      (dir) => flipBit(join(dir, floe), headerLength + mebibyte + 100),
    ],
    ['last segment: one bit', 'OMS_DIGEST_MISMATCH', (dir) => flipBit(join(dir, floe), -1)],
    ['header: one bit of its tag', 'OMS_DIGEST_MISMATCH', (dir) => flipBit(join(dir, floe), headerLength - 1)],
    [
      'manifest: one digit',
      'RELEASE_MANIFEST_DIGEST',
      (dir) => replaceText(join(dir, 'manifest.json'), '"createdAt": "20', '"createdAt": "21'),
    ],
    [
      'release: a later end',
      'RELEASE_DOCUMENT_DIGEST',
      (dir) => replaceText(join(dir, 'release.json'), '"expires":', ' "expires":'),
    ],
    ['file cut short', 'OMS_DIGEST_MISMATCH', (dir) => truncate(join(dir, floe), 1)],
    ['file missing', 'OMS_MISSING_FILE', (dir) => rm(join(dir, floe))],
    ['signature missing', 'OMS_IO', (dir) => rm(join(dir, 'model.sig'))],
  ];

  it.each(cases)('%s is refused with %s', async (name, code, damage) => {
    const model = name.replaceAll(/[^a-z]+/g, '-');
    await world.copyModel(model, damage);
    const { port } = broker.address() as AddressInfo;
    const result = await runCli(world.home, [
      'enclave',
      '--model',
      model,
      '--listen',
      'http://127.0.0.1:0',
      '--broker',
      `http://127.0.0.1:${port}`,
    ]);
    expect(result.code).toBe(code);
    expect(result.exitCode).not.toBe(0);
    expect(requests, 'requests for a key').toBe(0);
  });

  it('refuses a file that was swapped with that of another sealing of the same model', async () => {
    await mustRun(world.home, [
      'seal',
      '--model-id',
      'other',
      join(import.meta.dirname, '../models/triage/triage.gguf'),
    ]);
    await world.copyModel('swapped', (dir) => cp(join(world.home, 'models', 'other', floe), join(dir, floe)));
    const result = await runCli(world.home, ['enclave', '--model', 'swapped', '--listen', 'http://127.0.0.1:0']);
    expect(result.code).toBe('OMS_DIGEST_MISMATCH');
  });

  it('does not publish a release whose wrapped key was changed', async () => {
    const service = await world.start('broker');
    await world.copyModel('wrapped', (dir) =>
      replaceText(join(dir, 'keys.json'), '"ciphertext": "', '"ciphertext": "AAAA'),
    );
    const result = await runCli(world.home, ['publish', '--model', 'wrapped', '--url', service.url]);
    expect(result.code).toBe('BROKER_WRAPPED_KEY_UNUSABLE');
    await service.stop();
  });
});
