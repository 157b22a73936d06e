import { createHash, randomBytes } from 'node:crypto';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { equalBytes, toBase64Url, toHex, u64be, utf8Decode, utf8Encode } from '@fastness/codec';
import { swtpmInstalled } from '@fastness/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  defaultCounterIndex,
  encryptingSeal,
  nextHistory,
  openTpmAnchor,
  sealedSecretSchema,
  sealToTpm,
  tpmRecordSeal,
  unsealFromTpm,
  type FreshnessAnchor,
  type RecordSeal,
  type SealedSecret,
} from '../src/freshness/index.ts';
import { decodeRecord, encodeRecord, readingAfterOf } from '../src/freshness/record.ts';
import {
  comparisons,
  create,
  createPrimary,
  encodeSelection,
  flushAll,
  flushContext,
  listHandles,
  nvAttributes,
  nvDefineSpace,
  nvExtend,
  nvIncrement,
  nvUndefineSpace,
  nvWrite,
  pcrExtend,
  pcrRead,
  policyDigest,
  policyNv,
  policyPcr,
  sealedDataTemplate,
  startPolicySession,
  storageKeyTemplate,
  type PcrSelection,
  type Tpm,
} from '../src/tpm/index.ts';
import { codeOf, startTestTpm, type TestTpm } from './support/tpm.ts';

const { authRead, authWrite, ownerRead, noDictionaryAttack, counter, extend } = nvAttributes;
const access = authRead | authWrite | ownerRead | noDictionaryAttack;
const index = defaultCounterIndex;

const sealedJson = (sealed: Uint8Array): { readonly key: unknown } =>
  z.looseObject({ key: z.unknown() }).parse(JSON.parse(utf8Decode(sealed)));
const keyOf = (sealed: Uint8Array): SealedSecret => sealedSecretSchema.parse(sealedJson(sealed).key);

/** Seals records to the registers of `to`, whose values are not those of now, with creation data of `made`. */
function foreignSeal(tpm: Tpm, to: { selection: PcrSelection; digest: Uint8Array }, made: PcrSelection): RecordSeal {
  return {
    async protect(record) {
      const session = await startPolicySession(tpm, 'trial');
      await policyPcr(tpm, { session, ...to });
      const upTo = readingAfterOf(record);
      await policyNv(tpm, { index, session, operand: u64be(upTo), comparison: comparisons.lessOrEqual });
      const template = sealedDataTemplate(await policyDigest(tpm, session));
      await flushContext(tpm, session);
      const parent = await createPrimary(tpm, { template: storageKeyTemplate });
      const data = randomBytes(32);
      const registers = encodeSelection(made);
      const blob = await create(tpm, { parent: parent.handle, template, data, registers });
      await flushContext(tpm, parent.handle);
      const key = {
        format: 'fastness/tpm-sealed/v1',
        bank: to.selection.bank,
        pcrs: to.selection.indexes,
        index,
        upTo: upTo.toString(),
        privateArea: toBase64Url(blob.privateArea),
        publicArea: toBase64Url(blob.publicArea),
        creation: { data: toBase64Url(blob.creation.data), ticket: toBase64Url(blob.creation.ticket) },
      };
      const encrypted = toBase64Url(await encryptingSeal(data).protect(record));
      return utf8Encode(JSON.stringify({ format: 'fastness/tpm-sealed-record/v1', key, record: encrypted }));
    },
    open: () => Promise.reject(new Error('not to be opened')),
  };
}

// A real TPM 2.0 emulator; where Debian's swtpm is not installed, nothing here runs.
describe.skipIf(!swtpmInstalled)('an anchor in a TPM', () => {
  let world: TestTpm;
  const open = async (): Promise<FreshnessAnchor> => await openTpmAnchor({ tpm: world.tpm, virtual: true });
  beforeEach(async () => {
    world = await startTestTpm();
  });
  afterEach(() => world.end());

  it('is made once, rises by one, and keeps where it stands over a power cut', async () => {
    const anchor = await open();
    expect(await anchor.identity()).toBeUndefined();
    await anchor.provision();
    expect(await codeOf(anchor.provision())).toBe('FRESHNESS_ANCHOR_CHANGED');
    const identity = await anchor.identity();
    const start = await anchor.read();
    const digest = randomBytes(32);
    const next = await anchor.advance(start, digest);
    expect(next.value).toBe(start.value + 1n);
    expect(toHex(next.history)).toBe(toHex(nextHistory(start.history, digest)));
    // Asked again, as after an answer that was lost, it stays where it is.
    expect(await anchor.advance(start, digest)).toEqual(next);
    expect(await codeOf(anchor.advance(start, randomBytes(32)))).toBe('FRESHNESS_ANCHOR_MOVED');
    expect(await codeOf(anchor.advance({ ...next, value: next.value + 1n }, digest))).toBe('FRESHNESS_ANCHOR_MOVED');
    await anchor[Symbol.asyncDispose]();
    await world.restart();
    const again = await open();
    expect(await again.identity()).toBe(identity);
    expect(await again.read()).toEqual(next);
  });

  it('finishes a step that was left between history and counter, and notices any other', async () => {
    const anchor = await open();
    await anchor.provision();
    const start = await anchor.read();
    const digest = randomBytes(32);
    await nvExtend(world.tpm, { index: index + 1, data: digest });
    expect(await codeOf(anchor.advance(start, randomBytes(32)))).toBe('FRESHNESS_ANCHOR_MOVED');
    const next = await anchor.advance(start, digest);
    await nvIncrement(world.tpm, { index });
    expect(await codeOf(anchor.advance(next, digest))).toBe('FRESHNESS_ANCHOR_MOVED');
  });

  it('finishes making itself when that was interrupted', async () => {
    await nvDefineSpace(world.tpm, { index, attributes: access | counter, size: 8 });
    await nvDefineSpace(world.tpm, { index: index + 1, attributes: access | extend, size: 32 });
    await nvExtend(world.tpm, { index: index + 1, data: new Uint8Array(32) });
    const anchor = await open();
    expect(await anchor.identity()).toBeUndefined();
    await anchor.provision();
    expect(await anchor.identity()).toBeDefined();
  });

  it('goes on above its old value when it is defined again, with another history', async () => {
    const anchor = await open();
    await anchor.provision();
    const before = await anchor.advance(await anchor.read(), randomBytes(32));
    for (const each of [index, index + 1]) await nvUndefineSpace(world.tpm, { index: each });
    expect(await anchor.identity()).toBeUndefined();
    expect(await codeOf(anchor.read())).toBe('FRESHNESS_ANCHOR_MISSING');
    await anchor.provision();
    const after = await anchor.read();
    expect(after.value > before.value).toBe(true);
    expect(equalBytes(after.history, before.history)).toBe(false);
  });

  it('does not accept other kinds of index at its place, whatever they hold', async () => {
    const anchor = await open();
    await anchor.provision();
    for (const each of [index, index + 1]) await nvUndefineSpace(world.tpm, { index: each });
    await nvDefineSpace(world.tpm, { index, attributes: access, size: 8 });
    await nvWrite(world.tpm, { index, data: new Uint8Array(8) });
    expect(await codeOf(anchor.identity())).toBe('FRESHNESS_ANCHOR_CHANGED');
    expect(await codeOf(anchor.provision())).toBe('FRESHNESS_ANCHOR_CHANGED');
    expect(await codeOf(anchor.read())).not.toBe('done');
  });

  it('notices that its history alone was made again', async () => {
    const anchor = await open();
    await anchor.provision();
    await nvUndefineSpace(world.tpm, { index: index + 1 });
    expect(await codeOf(anchor.identity())).toBe('FRESHNESS_ANCHOR_CHANGED');
    await nvDefineSpace(world.tpm, { index: index + 1, attributes: access | extend, size: 32 });
    expect(await codeOf(anchor.identity())).toBe('FRESHNESS_ANCHOR_CHANGED');
  });

  it('asks for its password', async () => {
    const password = randomBytes(16);
    const anchor = await openTpmAnchor({ tpm: world.tpm, virtual: false, password });
    await anchor.provision();
    await anchor.advance(await anchor.read(), randomBytes(32));
    const stranger = await open();
    expect(await codeOf(stranger.read())).toBe('TPM_DEVICE_AUTH');
  });

  it('in another TPM is another anchor', async () => {
    const anchor = await open();
    await anchor.provision();
    const identity = await anchor.identity();
    await world.emulator.kill();
    rmSync(world.emulator.stateDirectory, { recursive: true });
    await world.restart();
    const other = await open();
    await other.provision();
    expect(await other.identity()).not.toBe(identity);
  });

  it('of a virtual TPM goes back with its state folder: nothing in the TPM can notice', async () => {
    const anchor = await open();
    await anchor.provision();
    const identity = await anchor.identity();
    const old = await anchor.read();
    const backup = join(world.directory, 'backup');
    cpSync(world.emulator.stateDirectory, backup, { recursive: true });
    await anchor.advance(old, randomBytes(32));
    await world.emulator.kill();
    rmSync(world.emulator.stateDirectory, { recursive: true });
    cpSync(backup, world.emulator.stateDirectory, { recursive: true });
    await world.restart();
    const restored = await open();
    expect(await restored.identity()).toBe(identity);
    expect(await restored.read()).toEqual(old);
    expect(restored.trust).toMatch(/VIRTUAL/);
  });

  it('releases a sealed secret until the counter has gone past it', async () => {
    const anchor = await open();
    await anchor.provision();
    const start = await anchor.read();
    const secret = randomBytes(32);
    const selection = { bank: 'SHA-256', indexes: [7, 14] } as const;
    const sealed = await sealToTpm(world.tpm, { secret, selection, upTo: start.value + 1n });
    expect(toHex(await unsealFromTpm(world.tpm, sealed))).toBe(toHex(secret));
    const next = await anchor.advance(start, randomBytes(32));
    expect(toHex(await unsealFromTpm(world.tpm, sealed))).toBe(toHex(secret));
    await anchor.advance(next, randomBytes(32));
    expect(await codeOf(unsealFromTpm(world.tpm, sealed))).toBe('FRESHNESS_SEALED');
    expect(await codeOf(unsealFromTpm(world.tpm, { ...sealed, upTo: `${start.value + 9n}` }))).toBe('FRESHNESS_SEALED');
    expect(await listHandles(world.tpm, 0x8000_0000)).toHaveLength(1);
    expect(await listHandles(world.tpm, 0x0300_0000)).toEqual([]);
  });

  it('releases a sealed secret to the software it was sealed for, and on its own TPM', async () => {
    const anchor = await open();
    await anchor.provision();
    const { value } = await anchor.read();
    const secret = randomBytes(128);
    const selection = { bank: 'SHA-256', indexes: [7, 14] } as const;
    const sealed = await sealToTpm(world.tpm, { secret, selection, upTo: value });
    expect(toHex(await unsealFromTpm(world.tpm, sealed))).toBe(toHex(secret));
    await pcrExtend(world.tpm, { index: 14, bank: 'SHA-256', digest: randomBytes(32) });
    expect(await codeOf(unsealFromTpm(world.tpm, sealed))).toBe('FRESHNESS_SEALED');
    expect(await codeOf(unsealFromTpm(world.tpm, { ...sealed, pcrs: [7] }))).toBe('FRESHNESS_SEALED');
    await world.restart();
    expect(toHex(await unsealFromTpm(world.tpm, sealed))).toBe(toHex(secret));
    await world.emulator.kill();
    rmSync(world.emulator.stateDirectory, { recursive: true });
    const other = await world.restart();
    expect(await codeOf(unsealFromTpm(other, sealed))).toBe('TPM_DEVICE_REFUSED');
  });

  it('takes no record that other software made, whatever that sealed it to', async () => {
    const anchor = await open();
    await anchor.provision();
    const own = { bank: 'SHA-256', indexes: [7, 14] } as const;
    const any = { bank: 'SHA-256', indexes: [23] } as const;
    const record = { anchor: (await anchor.identity()) ?? '', from: await anchor.read(), content: randomBytes(8) };
    const genuine = await encodeRecord(record, tpmRecordSeal({ tpm: world.tpm, selection: own }));
    const values = [...(await pcrRead(world.tpm, own)).values()];
    // Other software runs. It may talk to the TPM, and knows the values that the registers had.
    await pcrExtend(world.tpm, { index: 14, bank: 'SHA-256', digest: randomBytes(32) });
    const mine = { ...record, content: utf8Encode('version 1') };
    const toOwn = { selection: own, digest: createHash('sha256').update(Buffer.concat(values)).digest() };
    const toAny = await encodeRecord(mine, tpmRecordSeal({ tpm: world.tpm, selection: any }));
    const forged = [
      toAny,
      await encodeRecord(mine, foreignSeal(world.tpm, toOwn, own)),
      await encodeRecord(mine, foreignSeal(world.tpm, toOwn, any)),
    ];
    await world.restart();
    const seal = tpmRecordSeal({ tpm: world.tpm, selection: own });
    expect(toHex((await decodeRecord(genuine, seal)).content)).toBe(toHex(record.content));
    for (const each of forged) expect(await codeOf(decodeRecord(each, seal))).toBe('FRESHNESS_RECORD_INVALID');
    const { creation, ...key } = keyOf(genuine);
    for (const other of [{}, { creation: keyOf(toAny).creation }, { creation: { ...creation, ticket: '' } }]) {
      const text = JSON.stringify({ ...sealedJson(genuine), key: { ...key, ...other } });
      expect(await codeOf(decodeRecord(utf8Encode(text), seal))).toBe('FRESHNESS_RECORD_INVALID');
    }
    expect(await listHandles(world.tpm, 0x8000_0000)).toEqual([]);
  });

  it('has room again after programs that were killed', async () => {
    for (let killed = 0; killed < 3; killed += 1) await open();
    expect(await codeOf(open())).toBe('TPM_DEVICE_FULL');
    await flushAll(world.tpm);
    expect(await codeOf(open())).toBe('done');
  });
});
