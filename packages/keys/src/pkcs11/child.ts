/*
 * The process that a vendor's module lives in. It reads requests from descriptor 3 and answers them there, one after the
 * other and synchronously: sessions of PKCS #11 take one call at a time, and a module that crashes or hangs takes only
 * this process with it. The PIN is read here and nowhere else. It ends when the other end of descriptor 3 closes.
 */
import { readSync, writeSync } from 'node:fs';
import { utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { z } from 'zod';
import { Answers } from './answers.ts';
import { bindingBytes } from './binding.ts';
import { asKeysError, isSessionLost } from './errors.ts';
import { copyFrame, encodeFrame, type Frame, type PlacedFrame } from './frames.ts';
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
import { RequestStream } from './requests.ts';
import { TokenKeys } from './token-keys.ts';
import { keyIdPattern } from '../wrapped-key.ts';
import { findToken, login } from './token.ts';

const channel = 3;
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

/** Reads texts of a form; the one read last, without looking at it again. */
class RepeatedText {
  readonly #form: RegExp;
  #bytes: Uint8Array = new Uint8Array(0);
  #text = '';

  constructor(form: RegExp) {
    this.#form = form;
  }

  read(bytes: Uint8Array, offset: number, length: number): string {
    const last = this.#bytes;
    let same = last.length === length;
    for (let index = 0; same && index < length; index += 1) same = bytes[offset + index] === last[index];
    if (same) return this.#text;
    const next = bytes.slice(offset, offset + length);
    const text = utf8Decode(next);
    if (!this.#form.test(text)) throw new FastnessError('KEYS_HSM_PROTOCOL');
    this.#text = text;
    this.#bytes = next;
    return text;
  }
}

const unwrapIds = new RepeatedText(keyIdPattern);
const unwrapAlgorithms = new RepeatedText(/^[\x20-\x7e]{0,64}$/);

/** The one operation that has to be fast: from where it arrived to where its answer leaves from. */
function unwrap({ request, spans }: PlacedFrame, { block }: RequestStream, answers: Answers): void {
  const [id, version, algorithm, ciphertext, binding] = spans;
  const whole = id !== undefined && version !== undefined && algorithm !== undefined && spans.length === 5;
  if (!whole || ciphertext === undefined || binding === undefined) throw new FastnessError('KEYS_HSM_PROTOCOL');
  if (version[1] !== 4 || binding[1] !== bindingBytes) throw new FastnessError('KEYS_HSM_PROTOCOL');
  const name = {
    id: unwrapIds.read(block.bytes, id[0], id[1]),
    version: block.view.getUint32(version[0]),
    algorithm: unwrapAlgorithms.read(block.bytes, algorithm[0], algorithm[1]),
  };
  const { keys } = requireOpened();
  answers.place(request, (target) => keys.unwrapTo(name, { block, ciphertext, binding }, target));
}

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
  [operations.probe]: () => {
    const { module, session } = requireOpened();
    return json(probeToken(module, session));
  },
});

/** Answers one request. What went in and out in the clear is wiped. */
function answer(placed: PlacedFrame, requests: RequestStream, answers: Answers): void {
  let frame: Frame | undefined;
  try {
    if (placed.kind === operations.unwrap) {
      unwrap(placed, requests, answers);
      return;
    }
    const handler = handlers[placed.kind];
    if (handler === undefined) throw new FastnessError('KEYS_HSM_PROTOCOL');
    frame = copyFrame(requests.block.bytes, placed);
    answers.put(encodeFrame({ request: placed.request, kind: outcomes.done, fields: handler(frame) }));
  } catch (error) {
    // No answer at all: whoever waits sees the process end, and may ask the next one.
    if (isSessionLost(error)) {
      close();
      process.exit(sessionLostCode);
    }
    const { code, detail } = asKeysError(error);
    const fields = [utf8Encode(code), utf8Encode(detail ?? '')];
    answers.put(encodeFrame({ request: placed.request, kind: outcomes.refused, fields }));
  } finally {
    for (const each of frame?.fields ?? []) each.fill(0);
  }
}

function write(bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length;) offset += writeSync(channel, bytes, offset);
}

function serve(): void {
  const requests = new RequestStream((bytes, offset, length) => {
    const count = readSync(channel, bytes, offset, length, null);
    answers.begin();
    return count;
  });
  const answers = new Answers(write);
  const each = (placed: PlacedFrame): void => {
    answer(placed, requests, answers);
    answers.settle();
  };
  while (requests.read(each)) answers.flush();
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
