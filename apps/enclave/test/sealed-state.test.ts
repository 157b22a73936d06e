import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { nvUndefineSpace, openSwtpmSocket, openTpm, pcrExtend, type Tpm } from '@fastness/evidence/tpm';
import { encodeProof, signCheckpoint, verifierKeyOf } from '@fastness/log';
import { startSwtpm, swtpmInstalled, type RunningSwtpm } from '@fastness/testkit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openSealedState, type SealedState } from '../src/boot/sealed-state.ts';
import { sealedStateSchema, type SealedStateConfig } from '../src/boot/sealed-state-config.ts';
import { hasModels, triageFile } from './models.ts';
import { start } from './running.ts';
import { createWorld } from './world.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const noon = new Date('2026-11-23T12:00:00Z');
const at = (minutes: number): Date => new Date(noon.getTime() + minutes * 60_000);

/** A proof, as far as the state reads it: the enclave has verified it by then. */
async function proofOf(origin: string, size: number): Promise<string> {
  const key = await verifierKeyOf({ name: origin, publicKey: new Uint8Array(32) });
  const sign = async (): Promise<Uint8Array> => new Uint8Array(64);
  const checkpoint = await signCheckpoint({ checkpoint: { origin, size, root: new Uint8Array(32) }, key, sign });
  return encodeProof({ index: 0, hashes: [], checkpoint });
}

describe.skipIf(!swtpmInstalled)('what an enclave remembers in a TPM (skipped without Debian swtpm)', () => {
  let folder: string;
  let emulator: RunningSwtpm;
  let config: SealedStateConfig;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fastness-sealed-state-'));
    emulator = await startSwtpm(folder);
    config = sealedStateSchema.parse({ path: join(folder, 'remembered'), tpm: `tpm:swtpm:${emulator.socketPath}` });
  });
  afterAll(async () => {
    await emulator.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  async function opened<T>(work: (state: SealedState) => Promise<T> | T): Promise<T> {
    await using state = await openSealedState(config);
    return await work(state);
  }
  const codeOf = async (work: Promise<unknown>): Promise<string> =>
    await work.then(
      () => 'done',
      (error: unknown) => (error instanceof FastnessError ? error.code : String(error)),
    );
  const release = (version: number, modelId = 'triage') => ({ modelId, version });
  async function withTpm(work: (tpm: Tpm) => Promise<unknown>): Promise<void> {
    const tpm = openTpm({ transport: await openSwtpmSocket(emulator.socketPath) });
    await work(tpm);
    await tpm.close();
  }
  const put = (name: string): void => copyFileSync(join(folder, name), config.path);
  const keep = (name: string): void => copyFileSync(config.path, join(folder, name));

  it('never goes back: release, time of the broker, length of its log, each with its code', async () => {
    await opened(async (state) => {
      expect(state.found).toBe('new');
      expect(state.trust).toContain('VIRTUAL');
      await state.accept(release(3), [{ issuedAt: noon, logProof: await proofOf('log.example', 10) }]);
      await state.accept(release(7, 'other'), [{ issuedAt: at(1), logProof: await proofOf('second.example', 2) }]);
    });
    await opened(async (state) => {
      expect(state.found).toBe('current');
      state.checkRelease(release(3));
      state.checkRelease(release(1, 'constructor'));
      expect(() => state.checkRelease(release(2))).toThrow(expect.objectContaining({ code: 'ENCLAVE_RELEASE_OLDER' }));
      const grant = { issuedAt: at(2), logProof: await proofOf('log.example', 12) };
      expect(await codeOf(state.accept(release(6, 'other'), [grant]))).toBe('ENCLAVE_RELEASE_OLDER');
      expect(await codeOf(state.accept(release(3), [{ ...grant, issuedAt: at(-5) }]))).toBe('ENCLAVE_BROKER_OLDER');
      const short = { ...grant, logProof: await proofOf('log.example', 9) };
      expect(await codeOf(state.accept(release(3), [short]))).toBe('ENCLAVE_LOG_OLDER');
      // What was refused is not remembered; a clock that was set right a little is no old broker.
      await state.accept(release(3), [{ ...grant, issuedAt: at(-3) }]);
      await state.accept(release(4), [{ issuedAt: at(3) }]);
    });
  });

  it('takes no list of tenants older than that of the last key, for its model alone', async () => {
    await opened(async (state) => {
      state.checkAccess('triage', 1);
      await state.accept(release(4), [{ issuedAt: at(3) }], 5);
    });
    await opened(async (state) => {
      for (const [modelId, version] of [
        ['triage', 5],
        ['triage', undefined],
        ['other', 1],
        ['constructor', 1],
      ] as const) {
        state.checkAccess(modelId, version);
      }
      expect(() => state.checkAccess('triage', 4)).toThrow(expect.objectContaining({ code: 'ACCESS_OLDER' }));
      expect(await codeOf(state.accept(release(4), [{ issuedAt: at(3) }], 4))).toBe('ACCESS_OLDER');
      // A release that lets everybody in forgets nothing.
      await state.accept(release(4), [{ issuedAt: at(3) }]);
      expect(() => state.checkAccess('triage', 4)).toThrow(expect.objectContaining({ code: 'ACCESS_OLDER' }));
    });
  });

  it('opens in the newest file only, and says nothing to who reads it', async () => {
    keep('four');
    await opened(async (state) => state.accept(release(5), [{ issuedAt: at(4) }]));
    expect(readFileSync(config.path, 'utf8')).not.toMatch(/triage|log\.example|releases/);
    keep('five');
    put('four');
    expect(await codeOf(opened(() => undefined))).toBe('FRESHNESS_SEALED');
    const five = readFileSync(join(folder, 'five'), 'utf8');
    for (const wrong of ['', '{}', five.replace(/(?<="record":".{40})./, (c) => (c === 'A' ? 'B' : 'A'))]) {
      writeFileSync(config.path, wrong);
      expect(await codeOf(opened(() => undefined))).toBe('FRESHNESS_RECORD_INVALID');
    }
    rmSync(config.path);
    expect(await codeOf(opened(() => undefined))).toBe('FRESHNESS_RECORD_MISSING');
    put('five');
    await opened((state) =>
      expect(() => state.checkRelease(release(4))).toThrow(expect.objectContaining({ code: 'ENCLAVE_RELEASE_OLDER' })),
    );
  });

  it('does not open under other software, or without its counter', async () => {
    await withTpm((tpm) => pcrExtend(tpm, { index: 23, bank: 'SHA-256', digest: new Uint8Array(32).fill(1) }));
    await opened(() => undefined);
    await withTpm((tpm) => pcrExtend(tpm, { index: 4, bank: 'SHA-256', digest: new Uint8Array(32).fill(1) }));
    expect(await codeOf(opened(() => undefined))).toBe('FRESHNESS_SEALED');
    await withTpm((tpm) => nvUndefineSpace(tpm, { index: config.index }));
    expect(await codeOf(opened(() => undefined))).toBe('FRESHNESS_ANCHOR_MISSING');
  });
});

describe.skipIf(!swtpmInstalled || !hasModels)('an enclave with a sealed state', () => {
  it('starts, remembers, and refuses an older release before it asks for a key', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fastness-sealed-enclave-'));
    const emulator = await startSwtpm(folder);
    await using world = await createWorld({ source: triageFile, engine: 'llama', task: 'generate', tenantsOnly: true });
    await world.letIn({ version: 3 });
    await world.startBroker();
    await world.register();
    const sealedState = { path: join(folder, 'remembered'), tpm: `tpm:swtpm:${emulator.socketPath}` };
    const enclave = await start(world.config({ sealedState }));
    await Promise.race([enclave.until('serving'), enclave.ended.then((error) => expect(error).toBeUndefined())]);
    await enclave.close();
    expect(enclave.events.find(({ event }) => event === 'sealed-state')).toMatchObject({ found: 'new' });
    await world.letIn({ version: 2 });
    expect(await (await start(world.config({ sealedState }))).ended).toMatchObject({ code: 'ACCESS_OLDER' });
    await world.letIn({ version: 3 });
    {
      // As after a start with a newer release.
      await using state = await openSealedState(sealedStateSchema.parse(sealedState));
      await state.accept({ modelId: 'triage', version: 2 }, [{ issuedAt: new Date() }]);
    }
    const again = await start(world.config({ sealedState }));
    expect(await again.ended).toMatchObject({ code: 'ENCLAVE_RELEASE_OLDER' });
    expect(again.events.some(({ event }) => event === 'waiting-for-broker')).toBe(false);
    await emulator.kill();
    rmSync(folder, { recursive: true, force: true });
  });
});
