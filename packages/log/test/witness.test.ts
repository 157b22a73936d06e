import { utf8Encode } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import {
  createWitness,
  encodeAddCheckpoint,
  makeConsistencyProof,
  openCheckpoint,
  parseAddCheckpoint,
  requestCosignature,
  type TreeHead,
  type Witness,
  type WitnessStore,
} from '../src/index.ts';
import { testKey, type TestKey } from './keys.ts';
import { memoryLog, signedBy } from './memory-log.ts';
import { entriesOf } from './oracle.ts';

const log = await testKey('log.example');
const stranger = await testKey('log.example');
const entries = entriesOf(300);
const now = new Date('2026-11-23T12:00:00Z');

function memoryStore(): WitnessStore & { readonly heads: Map<string, TreeHead> } {
  const heads = new Map<string, TreeHead>();
  return {
    heads,
    read: async (origin) => heads.get(origin),
    write: async (origin, head) => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      heads.set(origin, head);
    },
  };
}

async function newWitness(store: WitnessStore = memoryStore()): Promise<Witness> {
  const { key, sign } = await testKey('witness.example', 'cosignature/v1');
  return createWitness({ key, sign, logs: [{ logKeys: [log.key] }], store, now: () => now });
}

async function request(size: number, oldSize: number, options: { by?: TestKey; of?: Uint8Array[] } = {}) {
  const { head, source } = memoryLog((options.of ?? entries).slice(0, size));
  const proof = oldSize <= size ? await makeConsistencyProof(source, oldSize, size) : [];
  return encodeAddCheckpoint({ oldSize, proof, checkpoint: await signedBy(options.by ?? log, head) });
}

describe('a witness', () => {
  it('cosigns what continues what it cosigned', async () => {
    const witness = await newWitness();
    for (const [oldSize, size] of [
      [0, 0],
      [0, 7],
      [7, 7],
      [7, 256],
      [256, 300],
    ] as const) {
      const answer = await witness.addCheckpoint(await request(size, oldSize));
      expect(answer.status, `${oldSize} to ${size}`).toBe(200);
      const note = (await signedBy(log, memoryLog(entries.slice(0, size)).head)) + answer.body;
      const trust = { logKeys: [log.key], witnesses: { keys: [witness.key], threshold: 1 } };
      expect((await openCheckpoint(note, trust)).verified[1]?.time).toEqual(now);
    }
  });

  it('answers with the statuses of the specification', async () => {
    const witness = await newWitness();
    const status = async (body: Uint8Array): Promise<number> => (await witness.addCheckpoint(body)).status;
    expect(await status(utf8Encode('old 0\n'))).toBe(400);
    expect(await status(await request(5, 0, { by: await testKey('other.example') }))).toBe(404);
    expect(await status(await request(5, 0, { by: stranger }))).toBe(403);
    expect(await status(await request(5, 6))).toBe(400);
    expect(await status(await request(100, 0))).toBe(200);
    const conflict = await witness.addCheckpoint(await request(120, 50));
    expect(conflict).toEqual({ status: 409, contentType: 'text/x.tlog.size', body: '100\n' });
    // A rollback cannot be asked for: its old size is either not the witness's or above the new one.
    expect(await status(await request(50, 100))).toBe(400);
    expect(await status(await request(50, 50))).toBe(409);
    const fork = entries.with(3, entries[0]!);
    expect(await status(await request(100, 100, { of: fork }))).toBe(409);
    expect(await status(await request(200, 100, { of: fork }))).toBe(422);
    const { head } = memoryLog(entries.slice(0, 200));
    const unproven = encodeAddCheckpoint({ oldSize: 100, proof: [], checkpoint: await signedBy(log, head) });
    expect(await status(unproven)).toBe(422);
    expect(await status(await request(200, 100))).toBe(200);
    const empty = await newWitness();
    const odd = await signedBy(log, { size: 0, root: new Uint8Array(32) });
    expect((await empty.addCheckpoint(encodeAddCheckpoint({ oldSize: 0, proof: [], checkpoint: odd }))).status).toBe(
      409,
    );
  });

  it('takes one step at a time, whatever comes at once', async () => {
    const store = memoryStore();
    const witness = await newWitness(store);
    const bodies = await Promise.all(Array.from({ length: 20 }, async (_, index) => request(index + 1, 0)));
    const answers = await Promise.all(bodies.map(async (body) => witness.addCheckpoint(body)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    // Whichever was verified first.
    expect(store.heads.get('log.example')?.size).toBe(answers.findIndex(({ status }) => status === 200) + 1);
  });

  it('cosigns nothing that it could not keep', async () => {
    const witness = await newWitness({
      read: async () => undefined,
      write: async () => {
        throw new Error('disk full');
      },
    });
    await expect(witness.addCheckpoint(await request(5, 0))).rejects.toThrow('disk full');
  });

  it('reads no request that is spelt otherwise', async () => {
    const good = new TextDecoder().decode(await request(200, 100));
    for (const text of [
      good.replace('old 100', 'old 0100'),
      good.replace('old 100', 'Old 100'),
      good.replace('old 100\n', ''),
      good.replace('old 100\n', 'old 100\nAAAA\n'),
      good.replace('old 100\n', `old 100\n${`${'A'.repeat(43)}=\n`.repeat(64)}`),
      good.replace('old 100\n', `old 100\n*\n`),
      `${good}${' '.repeat(70_000)}`,
    ]) {
      expect(() => parseAddCheckpoint(utf8Encode(text))).toThrow(
        expect.objectContaining({ code: 'LOG_WITNESS_REQUEST' }),
      );
    }
  });
});

describe('asking a witness', () => {
  const served = (witness: Witness): typeof fetch =>
    (async (_url: URL, init: { body: Uint8Array }) => {
      const { status, contentType, body } = await witness.addCheckpoint(init.body);
      return new Response(body, { status, headers: { 'content-type': contentType } });
    }) as typeof fetch;
  const ask = async (witness: Witness, size: number, fetch = served(witness), key = witness.key) => {
    const { head, source } = memoryLog(entries.slice(0, size));
    return await requestCosignature({
      witness: { url: 'http://witness.example/prefix', key },
      checkpoint: { note: await signedBy(log, head), size },
      oldSize: 0,
      prove: async (oldSize) => makeConsistencyProof(source, oldSize, size),
      fetch,
    });
  };

  it('starts from where the witness stands', async () => {
    const witness = await newWitness();
    expect((await ask(witness, 100)).time).toEqual(now);
    const { line } = await ask(witness, 200);
    const note = (await signedBy(log, memoryLog(entries.slice(0, 200)).head)) + line;
    const trust = { logKeys: [log.key], witnesses: { keys: [witness.key], threshold: 1 } };
    await openCheckpoint(note, trust);
    await expect(ask(witness, 150)).rejects.toMatchObject({ code: 'LOG_WITNESS_CONFLICT' });
  });

  it('believes no answer but a cosignature of this witness on this checkpoint', async () => {
    const witness = await newWitness();
    const other = await newWitness();
    const answer =
      (body: string, status = 200): typeof fetch =>
      async () =>
        new Response(body, { status });
    const { line } = await ask(other, 99);
    for (const [fetch, code] of [
      [answer(''), 'LOG_NOTE_UNSIGNED'],
      [answer(line), 'LOG_NOTE_UNSIGNED'],
      [answer('no line\n'), 'LOG_NOTE_MALFORMED'],
      [answer('', 404), 'LOG_WITNESS_UNKNOWN'],
      [answer('', 422), 'LOG_WITNESS_INCONSISTENT'],
      [answer('', 403), 'LOG_WITNESS_REFUSED'],
      [answer('100\n', 409), 'LOG_WITNESS_CONFLICT'],
      [answer('x'.repeat(100_000)), 'LOG_WITNESS_REFUSED'],
      [async () => Promise.reject(new TypeError('refused')), 'LOG_UNAVAILABLE'],
    ] as const) {
      await expect(ask(witness, 100, fetch)).rejects.toMatchObject({ code });
    }
    await expect(ask(other, 100, answer(line), other.key)).rejects.toMatchObject({ code: 'LOG_NOTE_SIGNATURE' });
  });
});
