import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cmwToJson, keyConfigDigestOf, reportDataOf } from '@fastness/attest';
import { generateGatewayKeys } from '@fastness/channel';
import { fromBase64Url, fromHex, toBase64Url } from '@fastness/codec';
import { simulatedCollector, type Collector } from '@fastness/evidence';
import { measureImage, startSimulatedTee, type SimulatedTee } from '@fastness/testkit/simulated-tee';
import { mustRun } from './support/cli.ts';
import { createWorld, signAndApprove, type Service, type World } from './support/world.ts';

// The operator talks to the broker himself, with evidence that is genuine in its signatures and wrong in one thing.

describe('evidence that asks the running broker for a key', { timeout: 600_000 }, () => {
  let world: World;
  let broker: Service;
  let tee: SimulatedTee;
  let stranger: SimulatedTee;
  let folder: string;
  let releaseDigest: string;
  // Any file can be a measured image; this one is what the release of this test names.
  const image = [import.meta.filename];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fastness-evidence-'));
    world = await createWorld({ release: false });
    const measurement = await measureImage(image, { root: import.meta.dirname });
    ({ releaseDigest } = await signAndApprove(world, ['--measurement', measurement]));
    broker = await world.start('broker');
    await mustRun(world.home, ['publish', '--url', broker.url]);
    const start = (stateDir: string, socketPath: string) =>
      startSimulatedTee({ stateDir, socketPath, image, root: import.meta.dirname });
    tee = await start(join(world.home, 'simulated-tee'), join(folder, 'tee.sock'));
    stranger = await start(join(folder, 'stranger'), join(folder, 'stranger.sock'));
  }, 600_000);
  afterAll(async () => {
    await tee[Symbol.asyncDispose]();
    await stranger[Symbol.asyncDispose]();
    await world.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  const challenge = async (): Promise<string> => {
    const response = await fetch(`${broker.url}/v1/challenges`, { method: 'POST' });
    return ((await response.json()) as { nonce: string }).nonce;
  };

  interface Wish {
    readonly nonce: string;
    /** What the report is made for; the request's nonce unless given. */
    readonly reportNonce?: string;
    readonly purpose?: 'key-release' | 'client';
    readonly collector?: Collector;
    readonly edit?: (body: Record<string, unknown>) => void;
  }

  /** Asks for the key as an enclave does; returns 'released' or the code of the refusal. */
  const askForKey = async (wish: Wish): Promise<string> => {
    const keys = await generateGatewayKeys();
    const receiptKey = crypto.getRandomValues(new Uint8Array(32));
    const reportData = await reportDataOf({
      purpose: wish.purpose ?? 'key-release',
      nonce: fromBase64Url(wish.reportNonce ?? wish.nonce),
      keyConfigDigest: await keyConfigDigestOf({ ohttpKeyConfig: keys.keyConfig, receiptKey }),
      releaseDigest: fromHex(releaseDigest),
      deviceEvidenceDigest: null,
    });
    const collector = wish.collector ?? simulatedCollector({ socketPath: tee.socketPath });
    const { evidence, endorsements } = await collector.collect(reportData);
    const body: Record<string, unknown> = {
      nonce: wish.nonce,
      enclaveNonce: toBase64Url(crypto.getRandomValues(new Uint8Array(32))),
      evidence: cmwToJson(evidence),
      endorsements: endorsements.map(cmwToJson),
      keyConfig: toBase64Url(keys.keyConfig),
      receiptKey: toBase64Url(receiptKey),
      releaseDigest,
    };
    wish.edit?.(body);
    const response = await fetch(`${broker.url}/v1/key-releases`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as { code?: string; sealedRoot?: unknown };
    if (response.ok && answer.sealedRoot !== undefined) return 'released';
    expect(answer.sealedRoot).toBeUndefined();
    return answer.code ?? `status ${response.status}`;
  };

  it('gets the key when nothing is wrong, so that the refusals below mean something', async () => {
    expect(await askForKey({ nonce: await challenge() })).toBe('released');
  });

  it('is refused with a nonce that was used before', async () => {
    const nonce = await challenge();
    expect(await askForKey({ nonce })).toBe('released');
    expect(await askForKey({ nonce })).toBe('BROKER_NONCE_REUSED');
  });

  it('is refused with a nonce that the broker never issued', async () => {
    const nonce = toBase64Url(crypto.getRandomValues(new Uint8Array(32)));
    expect(await askForKey({ nonce })).toBe('BROKER_NONCE_UNKNOWN');
  });

  it('is refused with a report made for another nonce', async () => {
    expect(await askForKey({ nonce: await challenge(), reportNonce: await challenge() })).toBe(
      'SNP_REPORT_DATA_MISMATCH',
    );
  });

  it('is refused with a report made for a client', async () => {
    expect(await askForKey({ nonce: await challenge(), purpose: 'client' })).toBe('SNP_REPORT_DATA_MISMATCH');
  });

  it('is refused when the key to seal to is not the one in the report', async () => {
    const other = await generateGatewayKeys();
    const edit = (body: Record<string, unknown>): void => void (body['keyConfig'] = toBase64Url(other.keyConfig));
    expect(await askForKey({ nonce: await challenge(), edit })).toBe('SNP_REPORT_DATA_MISMATCH');
  });

  it('is refused with a report by the key of another machine', async () => {
    const collector = simulatedCollector({ socketPath: stranger.socketPath });
    expect(await askForKey({ nonce: await challenge(), collector })).toBe('SNP_ARK_NOT_PINNED');
  });

  it('is refused with the report of one machine and the certificates of another', async () => {
    const theirs = simulatedCollector({ socketPath: stranger.socketPath });
    const ours = simulatedCollector({ socketPath: tee.socketPath });
    const collector: Collector = {
      ...theirs,
      collect: async (reportData) => {
        const [{ evidence }, { endorsements }] = await Promise.all([
          theirs.collect(reportData),
          ours.collect(reportData),
        ]);
        return { evidence, endorsements };
      },
    };
    expect(await askForKey({ nonce: await challenge(), collector })).not.toBe('released');
  });

  it('is refused with simulated evidence that calls itself genuine', async () => {
    const edit = (body: Record<string, unknown>): void => {
      const [type, ...rest] = body['evidence'] as string[];
      body['evidence'] = [type?.replace('simulated-', '') ?? '', ...rest];
    };
    expect(await askForKey({ nonce: await challenge(), edit })).toMatch(
      /^(?:BROKER_TEE_NOT_IN_RELEASE|SNP_ARK_NOT_PINNED)$/,
    );
  });

  it('is refused with a challenge that is too old', async () => {
    const nonce = await challenge();
    // A challenge lives 60 seconds.
    await sleep(61_000);
    expect(await askForKey({ nonce })).toBe('BROKER_NONCE_EXPIRED');
  });
});
