import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { ByteReader, concatBytes, toHex, u16be, u32be } from '@fastness/codec';

/** What the module behind the TPM makes of a request: what then stands at the beginning of the index, or a code of refusal. */
export type NitroModule = (request: Uint8Array) => Promise<Uint8Array | number>;

/** A NitroTPM on a socket, as far as the collector speaks with one: frames, indices, registers and AWS's command. */
export interface FakeNitroTpm {
  readonly path: string;
  module: NitroModule;
  /** "NitroTPM" in eight characters, or another name. */
  vendor: string;
  /** Done before the next command of this code. */
  before: { readonly code: number; readonly work: () => void } | undefined;
  /** Indices that are defined, by number. */
  readonly indices: Map<number, Index>;
  /** Of register 15, by bank (TPM_ALG_ID). */
  readonly registers: Map<number, Uint8Array>;
  stop(): Promise<void>;
}

interface Index {
  attributes: number;
  readonly content: Uint8Array;
}

const NO_SESSIONS = 0x8001;
const SESSIONS = 0x8002;
/** An empty password, as part 1 of the specification writes it. */
const PASSWORD = '400000090000000000';
const ACKNOWLEDGED = Uint8Array.of(0, 0, 1, 0, 0);
const WRITTEN = 1 << 29;
const hashes: ReadonlyMap<number, string> = new Map([
  [0x0b, 'sha256'],
  [0x0c, 'sha384'],
]);
/** TPM_RC: a handle that is unknown, an index that is defined, a command that is unknown. */
const UNKNOWN_HANDLE = 0x18b;
const DEFINED = 0x14c;
const UNKNOWN_COMMAND = 0x143;
const empty = new Uint8Array(0);

export async function startFakeNitroTpm(path: string): Promise<FakeNitroTpm> {
  const registers = new Map([...hashes].map(([bank, hash]) => [bank, new Uint8Array(hash === 'sha256' ? 32 : 48)]));
  const server = createServer((socket) => {
    let received: Uint8Array = empty;
    let turn = Promise.resolve();
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      received = concatBytes(received, chunk);
      while (received.length >= 10) {
        const size = new DataView(received.buffer, received.byteOffset).getUint32(2);
        if (received.length < size) return;
        const frame = received.slice(0, size);
        received = received.slice(size);
        turn = turn.then(async () => void socket.write(await answerTo(fake, frame)));
      }
    });
  });
  const fake: FakeNitroTpm = {
    path,
    module: async () => UNKNOWN_COMMAND,
    vendor: 'NitroTPM',
    before: undefined,
    indices: new Map(),
    registers,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return fake;
}

async function answerTo(fake: FakeNitroTpm, frame: Uint8Array): Promise<Uint8Array> {
  const reader = new ByteReader(frame);
  const tag = reader.u16be();
  reader.u32be();
  const code = reader.u32be();
  if (fake.before?.code === code) {
    const { work } = fake.before;
    fake.before = undefined;
    work();
  }
  const sized = (): Uint8Array => reader.take(reader.u16be());
  /** The password of every command that has one. */
  const authorised = (): void => {
    if (tag !== SESSIONS || toHex(reader.take(reader.u32be())) !== PASSWORD) throw new Error('another authorisation');
  };
  const done = (...parameters: readonly Uint8Array[]): Uint8Array => {
    const content = concatBytes(...parameters);
    const body = tag === SESSIONS ? concatBytes(u32be(content.length), content, ACKNOWLEDGED) : content;
    reader.end();
    return concatBytes(u16be(tag), u32be(10 + body.length), u32be(0), body);
  };
  const refused = (reason: number): Uint8Array => concatBytes(u16be(NO_SESSIONS), u32be(10), u32be(reason));
  switch (code) {
    case 0x17a: {
      reader.u32be();
      const property = reader.u32be();
      reader.u32be();
      const at = (property - 0x106) * 4;
      const value = new DataView(new TextEncoder().encode(fake.vendor).buffer).getUint32(at);
      return done(Uint8Array.of(0), u32be(6), u32be(1), u32be(property), u32be(value));
    }
    case 0x169: {
      const number = reader.u32be();
      const index = fake.indices.get(number);
      if (index === undefined) return refused(UNKNOWN_HANDLE);
      const area = concatBytes(
        u32be(number),
        u16be(0x0b),
        u32be(index.attributes >>> 0),
        u16be(0),
        u16be(index.content.length),
      );
      const name = concatBytes(u16be(0x0b), createHash('sha256').update(area).digest());
      return done(u16be(area.length), area, u16be(name.length), name);
    }
    case 0x12a: {
      reader.u32be();
      authorised();
      sized();
      const area = new ByteReader(sized());
      const number = area.u32be();
      area.u16be();
      const attributes = area.u32be();
      area.take(area.u16be());
      if (fake.indices.has(number)) return refused(DEFINED);
      // What was never written is all ones.
      fake.indices.set(number, { attributes, content: new Uint8Array(area.u16be()).fill(0xff) });
      return done();
    }
    case 0x122: {
      reader.u32be();
      const number = reader.u32be();
      authorised();
      return fake.indices.delete(number) ? done() : refused(UNKNOWN_HANDLE);
    }
    case 0x137: {
      const index = fake.indices.get(reader.u32be());
      reader.u32be();
      authorised();
      const data = sized();
      if (index === undefined) return refused(UNKNOWN_HANDLE);
      index.content.set(data, reader.u16be());
      index.attributes |= WRITTEN;
      return done();
    }
    case 0x14e: {
      const index = fake.indices.get(reader.u32be());
      reader.u32be();
      authorised();
      const size = reader.u16be();
      const offset = reader.u16be();
      if (index === undefined) return refused(UNKNOWN_HANDLE);
      return done(u16be(size), index.content.slice(offset, offset + size));
    }
    case 0x2000_0001: {
      const [authority, number] = [reader.u32be(), reader.u32be()];
      authorised();
      const index = fake.indices.get(number);
      if (index === undefined || authority !== number) return refused(UNKNOWN_HANDLE);
      const answer = await fake.module(index.content.slice());
      if (typeof answer === 'number') return refused(answer);
      index.content.set(answer);
      return done();
    }
    case 0x17e: {
      reader.u32be();
      const bank = reader.u16be();
      const mask = reader.take(reader.u8());
      const value = fake.registers.get(bank) ?? empty;
      const selection = concatBytes(u32be(1), u16be(bank), Uint8Array.of(mask.length), mask);
      return done(u32be(1), selection, u32be(1), u16be(value.length), value);
    }
    case 0x182: {
      reader.u32be();
      authorised();
      reader.u32be();
      const bank = reader.u16be();
      const hash = createHash(hashes.get(bank) ?? '').update(fake.registers.get(bank) ?? empty);
      fake.registers.set(bank, new Uint8Array(hash.update(reader.take(reader.remaining)).digest()));
      return done();
    }
    default:
      return refused(UNKNOWN_COMMAND);
  }
}
