/*
 * The process that a vendor's module lives in. It reads requests from descriptor 3 and answers them there, one after the
 * other and synchronously: sessions of PKCS #11 take one call at a time, and a module that crashes or hangs takes only
 * this process with it. The PIN is read here and nowhere else. It ends when the other end of descriptor 3 closes.
 */
import { readSync, writeSync } from 'node:fs';
import { ByteReader, equalBytes, utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { z } from 'zod';
import { bindingBytes } from './binding.ts';
import { asKeysError, isSessionLost } from './errors.ts';
import { encodeFrame, FrameReader, type Frame } from './frames.ts';
import { loadKoffi } from './memory.ts';
import {
  createSchema,
  destroySchema,
  openSchema,
  operations,
  outcomes,
  retireSchema,
  rotateSchema,
  setStateSchema,
  type OpenMessage,
} from './messages.ts';
import { Module } from './module.ts';
import { readPin } from './pin.ts';
import { probeToken } from './probe.ts';
import { TokenKeys } from './token-keys.ts';
import { keyIdPattern } from '../wrapped-key.ts';
import { findToken, login } from './token.ts';

const channel = 3;
/** Answers wait for each other this long, milliseconds, to share one write... */
const gatherFor = 1;
/** ...and until there are so many: the other process works on them, and asks more, while this one goes on. */
const gatherAtMost = 8;
/** The child ends with this code when the token took the session away. */
const sessionLostCode = 3;

interface Opened {
  readonly module: Module;
  readonly session: bigint;
  readonly keys: TokenKeys;
}

let opened: Opened | undefined;

function open(message: OpenMessage): unknown {
  if (opened !== undefined) throw new FastnessError('KEYS_HSM_PROTOCOL');
  const { modulePath, libraryParameters, match, pinSource, wrapping } = message;
  const module = Module.load(modulePath, libraryParameters);
  const token = findToken(module, {
    ...(match.token === undefined ? {} : { token: match.token }),
    ...(match.manufacturer === undefined ? {} : { manufacturer: match.manufacturer }),
    ...(match.serial === undefined ? {} : { serial: match.serial }),
    ...(match.model === undefined ? {} : { model: match.model }),
    ...(match.slotId === undefined ? {} : { slotId: match.slotId }),
  });
  const session = login(module, token, pinSource === undefined ? undefined : () => readPin(pinSource));
  opened = { module, session, keys: new TokenKeys(module, session, wrapping) };
  return token.facts;
}

function close(): void {
  if (opened === undefined) return;
  const { module, session } = opened;
  opened = undefined;
  for (const end of [
    () => module.call('C_Logout', session),
    () => module.call('C_CloseSession', session),
    () => module.call('C_Finalize', 0),
  ]) {
    try {
      end();
    } catch {
      // Nobody is left to tell, and the process ends anyway.
    }
  }
}

function requireOpened(): Opened {
  if (opened === undefined) throw new FastnessError('KEYS_HSM_PROTOCOL');
  return opened;
}

function field(frame: Frame, index: number): Uint8Array {
  const bytes = frame.fields[index];
  if (bytes === undefined) throw new FastnessError('KEYS_HSM_PROTOCOL');
  return bytes;
}

function text(frame: Frame, index: number): string {
  return utf8Decode(field(frame, index));
}

function message<T>(frame: Frame, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(JSON.parse(text(frame, 0)));
  if (!parsed.success) throw new FastnessError('KEYS_HSM_PROTOCOL');
  return parsed.data;
}

function json(value: unknown): Uint8Array[] {
  return [utf8Encode(JSON.stringify(value))];
}

/** Reads a text; the one read last, without decoding it again. */
class RepeatedText {
  #bytes: Uint8Array = new Uint8Array(0);
  #text = '';

  read(bytes: Uint8Array): string {
    if (equalBytes(bytes, this.#bytes)) return this.#text;
    this.#text = utf8Decode(bytes);
    this.#bytes = bytes.slice();
    return this.#text;
  }
}

const unwrapIds = new RepeatedText();
const unwrapAlgorithms = new RepeatedText();

/** Each operation: the fields of its request to the fields of its answer. */
const handlers: Readonly<Record<number, (frame: Frame) => Uint8Array[]>> = Object.freeze({
  [operations.open]: (frame: Frame) => json(open(message(frame, openSchema))),
  [operations.close]: () => {
    close();
    return [];
  },
  [operations.list]: () => json(requireOpened().keys.list()),
  [operations.create]: (frame: Frame) => {
    const { now, ...spec } = message(frame, createSchema);
    return json(requireOpened().keys.create(spec, new Date(now)));
  },
  [operations.rotate]: (frame: Frame) => {
    const { id, now } = message(frame, rotateSchema);
    return json(requireOpened().keys.rotate(id, new Date(now)));
  },
  [operations.retire]: (frame: Frame) => {
    const { id, before } = message(frame, retireSchema);
    return json(requireOpened().keys.retire(id, before));
  },
  [operations.setState]: (frame: Frame) => {
    const { id, disabled, now } = message(frame, setStateSchema);
    return json(requireOpened().keys.setDisabled(id, disabled, new Date(now)));
  },
  [operations.destroy]: (frame: Frame) => {
    requireOpened().keys.destroy(message(frame, destroySchema).id);
    return [];
  },
  [operations.publicKey]: (frame: Frame) => [requireOpened().keys.publicKey(text(frame, 0))],
  [operations.sign]: (frame: Frame) => [requireOpened().keys.sign(text(frame, 0), field(frame, 1))],
  [operations.wrap]: (frame: Frame) => {
    const { ciphertext, ...header } = requireOpened().keys.wrap(text(frame, 0), field(frame, 1), field(frame, 2));
    return [...json(header), ciphertext];
  },
  // The one that has to be fast: its fields are bytes, checked by what uses them.
  [operations.unwrap]: (frame: Frame) => {
    const id = unwrapIds.read(field(frame, 0));
    if (!keyIdPattern.test(id)) throw new FastnessError('KEYS_HSM_PROTOCOL');
    const version = new ByteReader(field(frame, 1));
    const name = { id, version: version.u32be(), algorithm: unwrapAlgorithms.read(field(frame, 2)) };
    version.end();
    const binding = field(frame, 4);
    if (binding.length !== bindingBytes) throw new FastnessError('KEYS_HSM_PROTOCOL');
    return [requireOpened().keys.unwrap(name, field(frame, 3), binding)];
  },
  [operations.probe]: () => {
    const { module, session } = requireOpened();
    return json(probeToken(module, session));
  },
});

/** The answer to one request, ready to be written. What went in and out in the clear is wiped. */
function answer(frame: Frame): Uint8Array {
  const { request } = frame;
  try {
    const handler = handlers[frame.kind];
    if (handler === undefined) throw new FastnessError('KEYS_HSM_PROTOCOL');
    const fields = handler(frame);
    const bytes = encodeFrame({ request, kind: outcomes.done, fields });
    // A key's public half is kept and must not be wiped.
    if (frame.kind === operations.unwrap) for (const each of fields) each.fill(0);
    return bytes;
  } catch (error) {
    // No answer at all: whoever waits sees the process end, and may ask the next one.
    if (isSessionLost(error)) {
      close();
      process.exit(sessionLostCode);
    }
    const { code, detail } = asKeysError(error);
    return encodeFrame({ request, kind: outcomes.refused, fields: [utf8Encode(code), utf8Encode(detail ?? '')] });
  } finally {
    for (const each of frame.fields) each.fill(0);
  }
}

function write(bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length;) offset += writeSync(channel, bytes, offset);
}

function serve(): void {
  const reader = new FrameReader();
  const chunk = new Uint8Array(65_536);
  for (;;) {
    const count = readSync(channel, chunk);
    if (count === 0) return;
    const waiting: Uint8Array[] = [];
    const flush = (): void => {
      if (waiting.length === 0) return;
      const joined = Buffer.concat(waiting);
      for (const bytes of waiting) bytes.fill(0);
      waiting.length = 0;
      write(joined);
      joined.fill(0);
    };
    let since = performance.now();
    for (const frame of reader.push(chunk.subarray(0, count))) {
      waiting.push(answer(frame));
      const now = performance.now();
      if (waiting.length < gatherAtMost && now - since < gatherFor) continue;
      flush();
      since = now;
    }
    flush();
  }
}

/** No core file of a process that has keys and a PIN in its memory: PR_SET_DUMPABLE of prctl(2). */
function forbidCoreFiles(): void {
  const prctl = loadKoffi().load(null).func('prctl', 'int', ['int', 'ulong', 'ulong', 'ulong', 'ulong']);
  prctl(4, 0, 0, 0, 0);
}

try {
  forbidCoreFiles();
  serve();
} catch {
  // The other end is gone, or speaks nonsense. Nothing may be printed from here.
  process.exitCode = 1;
} finally {
  close();
}
