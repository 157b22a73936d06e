import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { concatBytes, u16be, u32be } from '@fastness/codec';
import { afterEach, describe, expect, it } from 'vitest';
import {
  createPrimary,
  getProperty,
  getRandom,
  noPassword,
  nvIncrement,
  nvReadPublic,
  openSwtpmSocket,
  openTpm,
  openTpmDevice,
  pcrRead,
  storageKeyTemplate,
  unseal,
  type Tpm,
  type TpmTransport,
} from '../src/tpm/index.ts';
import { codeOf } from './support/tpm.ts';

/** Something between this program and a TPM that answers what it likes. */
function hostile(answers: readonly Uint8Array[]): { tpm: Tpm; sent: Uint8Array[] } {
  const sent: Uint8Array[] = [];
  const transport: TpmTransport = {
    description: 'hostile',
    exchange: async (command) => {
      sent.push(command.slice());
      return await Promise.resolve((answers[sent.length - 1] ?? answers.at(-1) ?? new Uint8Array(0)).slice());
    },
    close: () => Promise.resolve(),
  };
  return { tpm: openTpm({ transport, retries: 2 }), sent };
}

const answer = (tag: number, code: number, ...body: Uint8Array[]): Uint8Array => {
  const content = concatBytes(...body);
  return concatBytes(u16be(tag), u32be(10 + content.length), u32be(code), content);
};
const plain = (...body: Uint8Array[]): Uint8Array => answer(0x8001, 0, ...body);
const sessions = (...body: Uint8Array[]): Uint8Array => answer(0x8002, 0, ...body);
const acknowledged = Uint8Array.of(0, 0, 1, 0, 0);

describe('answers of a TPM', () => {
  const random = (...bodies: Uint8Array[]): Promise<string> => codeOf(getRandom(hostile(bodies).tpm, 2));

  it('are taken when they are as they must be', async () => {
    expect(await random(plain(u16be(2), u16be(0xabcd)))).toBe('done');
    expect(await codeOf(nvIncrement(hostile([sessions(u32be(0), acknowledged)]).tpm, { index: 0x0150_0000 }))).toBe(
      'done',
    );
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['half a header', plain().subarray(0, 9)],
    ['a size that is too large', concatBytes(u16be(0x8001), u32be(11), u32be(0))],
    ['a size that is too small', concatBytes(plain(u16be(2), u16be(1)), Uint8Array.of(1))],
    ['the tag of another kind of answer', sessions(u32be(4), u16be(2), u16be(1), acknowledged)],
    ['no such tag', answer(0x00c4, 0, u16be(2), u16be(1))],
    ['more bytes than were asked for', plain(u16be(3), Uint8Array.of(1, 2, 3))],
    ['no bytes', plain(u16be(0))],
    ['a length without its bytes', plain(u16be(2), Uint8Array.of(1))],
    ['bytes after the last parameter', plain(u16be(2), Uint8Array.of(1, 2, 3))],
    ['a refusal with content', answer(0x8001, 0x101, Uint8Array.of(0))],
    ['a refusal with sessions', answer(0x8002, 0x101)],
  ])('are refused: %s', async (_what, bytes) => {
    expect(await random(bytes)).toBe('TPM_DEVICE_RESPONSE');
  });

  it.each([
    ['no acknowledgement', sessions(u32be(0))],
    ['two of them', sessions(u32be(0), acknowledged, acknowledged)],
    ['a nonce where there is no session', sessions(u32be(0), u16be(1), Uint8Array.of(7, 1), u16be(0))],
    ['an HMAC where none was asked for', sessions(u32be(0), u16be(0), Uint8Array.of(1), u16be(1), Uint8Array.of(7))],
    ['other attributes', sessions(u32be(0), Uint8Array.of(0, 0, 0, 0, 0))],
    ['parameters where there are none', sessions(u32be(1), Uint8Array.of(7), acknowledged)],
    ['a parameter size past the end', sessions(u32be(6), acknowledged)],
  ])('are refused for an authorised command: %s', async (_what, bytes) => {
    expect(await codeOf(nvIncrement(hostile([bytes]).tpm, { index: 0x0150_0000 }))).toBe('TPM_DEVICE_RESPONSE');
  });

  it('are refused when they are about something else', async () => {
    const nv = (index: number): Uint8Array =>
      concatBytes(u32be(index), u16be(0x000b), u32be(0x0004_0004), u16be(0), u16be(8));
    const name = concatBytes(u16be(0x000b), new Uint8Array(32));
    const sized = (bytes: Uint8Array): Uint8Array => concatBytes(u16be(bytes.length), bytes);
    expect(await codeOf(nvReadPublic(hostile([plain(sized(nv(0x0150_0001)), sized(name))]).tpm, 0x0150_0001))).toBe(
      'TPM_DEVICE_RESPONSE',
    );
    expect(await codeOf(nvReadPublic(hostile([plain(sized(nv(0x0150_0002)), sized(name))]).tpm, 0x0150_0001))).toBe(
      'TPM_DEVICE_RESPONSE',
    );
    expect(await codeOf(getProperty(hostile([plain(Uint8Array.of(0), u32be(1), u32be(0))]).tpm, 0x105))).toBe(
      'TPM_DEVICE_RESPONSE',
    );
    const otherRegister = plain(u32be(1), u32be(1), u16be(0x000b), Uint8Array.of(3, 2, 0, 0), u32be(0));
    expect(await codeOf(pcrRead(hostile([otherRegister]).tpm, { bank: 'SHA-256', indexes: [0] }))).toBe(
      'TPM_DEVICE_RESPONSE',
    );
    const bankIsOff = plain(u32be(1), u32be(1), u16be(0x000c), Uint8Array.of(3, 0, 0, 0), u32be(0));
    expect(await codeOf(pcrRead(hostile([bankIsOff]).tpm, { bank: 'SHA-384', indexes: [0] }))).toBe(
      'TPM_DEVICE_UNSUPPORTED',
    );
    const otherKey = sessions(u32be(0x8000_0000), u32be(12), sized(new Uint8Array(10)), acknowledged);
    expect(await codeOf(createPrimary(hostile([otherKey]).tpm, { template: storageKeyTemplate }))).toBe(
      'TPM_DEVICE_RESPONSE',
    );
  });

  it.each([
    [0x100, 'TPM_DEVICE_NOT_STARTED'],
    [0x101, 'TPM_DEVICE_FAILURE'],
    [0x126, 'TPM_DEVICE_POLICY'],
    [0x143, 'TPM_DEVICE_UNSUPPORTED'],
    [0x149, 'TPM_DEVICE_NV_ACCESS'],
    [0x14a, 'TPM_DEVICE_NV_UNWRITTEN'],
    [0x14b, 'TPM_DEVICE_NV_SPACE'],
    [0x14c, 'TPM_DEVICE_NV_DEFINED'],
    [0x902, 'TPM_DEVICE_FULL'],
    [0x921, 'TPM_DEVICE_LOCKOUT'],
    [0x18b, 'TPM_DEVICE_HANDLE'],
    [0x98e, 'TPM_DEVICE_AUTH'],
    [0x9a2, 'TPM_DEVICE_AUTH'],
    [0x99d, 'TPM_DEVICE_POLICY'],
    [0x1df, 'TPM_DEVICE_REFUSED'],
    [0x12345, 'TPM_DEVICE_REFUSED'],
  ])('that are refusals have a code: 0x%s', async (code, expected) => {
    expect(await codeOf(unseal(hostile([answer(0x8001, code)]).tpm, { handle: 1, auth: noPassword }))).toBe(expected);
  });

  it.each([0x920, 0x922, 0x908])('that ask for another try get it, a limited number of times', async (code) => {
    const busy = answer(0x8001, code);
    const good = plain(u16be(2), u16be(1));
    const patient = hostile([busy, busy, good]);
    expect(await codeOf(getRandom(patient.tpm, 2))).toBe('done');
    expect(patient.sent.map((frame) => frame.join())).toEqual(Array(3).fill(patient.sent[0]?.join()));
    expect(await codeOf(getRandom(hostile([busy]).tpm, 2))).toBe('TPM_DEVICE_BUSY');
  });
});

describe('connections to a TPM', () => {
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  });
  const folder = (): string => {
    const path = mkdtempSync(join(tmpdir(), 'fastness-tpm-'));
    cleanups.push(() => {
      rmSync(path, { recursive: true, force: true });
    });
    return path;
  };
  /** A socket that answers each command with these bytes, in these pieces. */
  const listening = async (pieces: readonly Uint8Array[]): Promise<string> => {
    const path = join(folder(), 'tpm.sock');
    const server = createServer((socket) => {
      socket.on('data', () => {
        for (const piece of pieces) socket.write(piece);
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(path, resolve);
    });
    cleanups.push(() => server.close());
    return path;
  };
  const connected = async (path: string, timeoutMs = 5000): Promise<Tpm> => {
    const tpm = openTpm({ transport: await openSwtpmSocket(path), timeoutMs });
    cleanups.push(() => tpm.close());
    return tpm;
  };

  it('need something to connect to', async () => {
    expect(await codeOf(openSwtpmSocket(join(folder(), 'none')))).toBe('TPM_DEVICE_UNREACHABLE');
    expect(await codeOf(openTpmDevice(join(folder(), 'none')))).toBe('TPM_DEVICE_UNREACHABLE');
  });

  it('put an answer together that comes in pieces', async () => {
    const frame = plain(u16be(2), u16be(1));
    const tpm = await connected(await listening([frame.subarray(0, 3), frame.subarray(3, 11), frame.subarray(11)]));
    expect(await codeOf(getRandom(tpm, 2))).toBe('done');
  });

  it('end with an answer that is too long, and with one that nobody asked for', async () => {
    const frame = plain(u16be(2), u16be(1));
    const long = await connected(await listening([concatBytes(u16be(0x8001), u32be(5000), u32be(0))]));
    expect(await codeOf(getRandom(long, 2))).toBe('TPM_DEVICE_RESPONSE');
    const two = await connected(await listening([concatBytes(frame, frame)]));
    expect(await codeOf(getRandom(two, 2))).toBe('TPM_DEVICE_RESPONSE');
    expect(await codeOf(getRandom(two, 2))).toBe('TPM_DEVICE_RESPONSE');
  });

  it('take no answer that comes too late for the answer to the next command', async () => {
    const tpm = await connected(await listening([]), 50);
    const both = await Promise.all([codeOf(getRandom(tpm, 2)), codeOf(getRandom(tpm, 2))]);
    expect(both).toEqual(['TPM_DEVICE_TIMEOUT', 'TPM_DEVICE_TIMEOUT']);
  });

  it('let commands in progress end when they are closed, and take no other', async () => {
    const tpm = await connected(await listening([plain(u16be(2), u16be(1))]));
    const last = codeOf(getRandom(tpm, 2));
    await tpm.close();
    expect(await last).toBe('done');
    expect(await codeOf(getRandom(tpm, 2))).toBe('TPM_DEVICE_CLOSED');
    await tpm.close();
  });
});
