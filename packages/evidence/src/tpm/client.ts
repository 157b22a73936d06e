import { setTimeout as sleep } from 'node:timers/promises';
import { ByteReader, concatBytes, u16be, u32be } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { handles as permanent, MAX_FRAME_BYTES, tags } from './constants.ts';
import { asksForRetry, refusal } from './response-code.ts';
import type { TpmTransport } from './transport.ts';

/**
 * How a command is authorised: by a password (which crosses the bus in clear), or by a policy session. A policy session ends
 * with the command unless `keep` is set.
 */
export type TpmAuthorisation =
  | { readonly kind: 'password'; readonly value: Uint8Array }
  | { readonly kind: 'policy'; readonly session: number; readonly keep?: boolean };

export interface TpmCommand {
  /** TPM_CC. */
  readonly code: number;
  /** For messages. */
  readonly name: string;
  readonly handles?: readonly number[];
  /** For the first handles, in their order. */
  readonly auths?: readonly TpmAuthorisation[];
  readonly parameters?: Uint8Array;
  /** Whether the answer begins with a handle. */
  readonly returnsHandle?: boolean;
}

/** Reads the parameters of an answer; bytes that it leaves are an error. `handle` is 0 where none is returned. */
type ReadAnswer<T> = (parameters: ByteReader, handle: number) => T;

/** An open TPM. Commands are sent one at a time, in the order in which they were called for. */
export interface Tpm extends AsyncDisposable {
  /** For messages: the path of the device or socket. */
  readonly description: string;
  /** Throws a TPM_DEVICE_ code. */
  run<T>(command: TpmCommand, read: ReadAnswer<T>): Promise<T>;
  /** Waits for the commands that were called for. Those that come later throw TPM_DEVICE_CLOSED. */
  close(): Promise<void>;
}

export interface OpenTpmOptions {
  readonly transport: TpmTransport;
  /** Milliseconds that one command may take; making a key can take a minute on hardware. Default: 120,000. */
  readonly timeoutMs?: number;
  /** How often a command is sent again when the TPM asks for it, with pauses that double from 10 ms to 1 s. Default: 12. */
  readonly retries?: number;
}

/** A TPM over a transport. It must have been started, by the firmware or by `startup`. */
export function openTpm({ transport, timeoutMs = 120_000, retries = 12 }: OpenTpmOptions): Tpm {
  let queue: Promise<unknown> = Promise.resolve();
  let failure: FastnessError | undefined;
  let closing: Promise<void> | undefined;

  const exchange = async (command: TpmCommand): Promise<Uint8Array> => {
    if (failure !== undefined) throw failure;
    const frame = encodeCommand(command);
    try {
      for (let attempt = 0; ; attempt += 1) {
        const answer = await transport.exchange(frame.slice(), timeoutMs).catch((error: unknown) => {
          // The answer to this command may still come, and would be taken for the next one's.
          failure = error instanceof FastnessError ? error : new FastnessError('TPM_DEVICE_UNREACHABLE');
          throw failure;
        });
        if (attempt >= retries || !asksForRetry(codeOf(answer))) return answer;
        await sleep(Math.min(1000, 10 * 2 ** attempt));
      }
    } finally {
      // It may hold a password or a secret to be sealed.
      frame.fill(0);
    }
  };
  const close = async (): Promise<void> => {
    await queue;
    await transport.close();
  };
  return {
    description: transport.description,
    run: async (command, read) => {
      if (closing !== undefined) throw new FastnessError('TPM_DEVICE_CLOSED', transport.description);
      const answer = queue.then(() => exchange(command));
      queue = answer.catch(() => {});
      return decodeAnswer(command, await answer, read);
    },
    close: () => (closing ??= close()),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

/** TPM2B: a length of two bytes, and the bytes. */
export function sized(bytes: Uint8Array): Uint8Array {
  return concatBytes(u16be(bytes.length), bytes);
}

/** The bytes of a TPM2B, as a copy. */
export function readSized(reader: ByteReader, most = MAX_FRAME_BYTES): Uint8Array {
  const length = reader.u16be();
  if (length > most) throw new FastnessError('CODEC_LIMIT', `${length} bytes, at most ${most} expected.`);
  return reader.take(length).slice();
}

/** `tag16 size32 code32 handles [authSize32 auths] parameters` (part 1, section 18). */
function encodeCommand({ code, name, handles = [], auths = [], parameters }: TpmCommand): Uint8Array {
  const authorisation = concatBytes(...auths.map(encodeAuthorisation));
  const body = concatBytes(
    ...handles.map((handle) => u32be(handle)),
    ...(auths.length === 0 ? [] : [u32be(authorisation.length), authorisation]),
    parameters ?? new Uint8Array(0),
  );
  const size = 10 + body.length;
  if (size > MAX_FRAME_BYTES) throw new FastnessError('TPM_DEVICE_ARGUMENT', `${name}: a command of ${size} bytes.`);
  const frame = concatBytes(
    u16be(auths.length === 0 ? tags.noSessions : tags.sessions),
    u32be(size),
    u32be(code),
    body,
  );
  authorisation.fill(0);
  body.fill(0);
  return frame;
}

/** TPMS_AUTH_COMMAND: session, nonce (none), attributes, password or nothing. */
function encodeAuthorisation(auth: TpmAuthorisation): Uint8Array {
  if (auth.kind === 'password') {
    return concatBytes(u32be(permanent.password), u16be(0), Uint8Array.of(0), sized(auth.value));
  }
  return concatBytes(u32be(auth.session), u16be(0), Uint8Array.of(auth.keep === true ? 1 : 0), u16be(0));
}

function codeOf(answer: Uint8Array): number {
  return answer.length < 10 ? -1 : new DataView(answer.buffer, answer.byteOffset).getUint32(6);
}

/** Reads an answer strictly: tag, size, handle, size of the parameters, one acknowledgement for each authorisation. */
function decodeAnswer<T>(command: TpmCommand, answer: Uint8Array, read: ReadAnswer<T>): T {
  const { name, auths = [], returnsHandle = false } = command;
  const malformed = (what: string, cause?: unknown): FastnessError =>
    new FastnessError('TPM_DEVICE_RESPONSE', `${name}: ${what}.`, { cause });
  try {
    const reader = new ByteReader(answer);
    const tag = reader.u16be();
    const size = reader.u32be();
    const code = reader.u32be();
    if (size !== answer.length) throw malformed(`${answer.length} bytes that say they are ${size}`);
    if (code !== 0) {
      // Of a version-1 device, 0x00c4: anything but "no sessions" is not what a refusal looks like.
      if (tag !== tags.noSessions || reader.remaining > 0) throw malformed('a refusal with content');
      throw refusal(name, code);
    }
    if (tag !== (auths.length === 0 ? tags.noSessions : tags.sessions)) throw malformed(`tag 0x${tag.toString(16)}`);
    const handle = returnsHandle ? reader.u32be() : 0;
    const length = auths.length === 0 ? reader.remaining : reader.u32be();
    const parameters = new ByteReader(reader.take(length));
    for (const auth of auths) readAcknowledgement(reader, auth);
    reader.end();
    const result = read(parameters, handle);
    parameters.end();
    return result;
  } catch (error) {
    if (error instanceof FastnessError && !error.code.startsWith('CODEC_')) throw error;
    throw malformed('a structure of another shape', error);
  } finally {
    answer.fill(0);
  }
}

/** TPMS_AUTH_RESPONSE. Sessions without HMAC acknowledge with nothing; a password session is always said to go on. */
function readAcknowledgement(reader: ByteReader, auth: TpmAuthorisation): void {
  const nonce = reader.u16be();
  reader.take(nonce);
  const attributes = reader.u8();
  const hmac = reader.u16be();
  reader.take(hmac);
  const goesOn = auth.kind === 'password' || auth.keep === true;
  const expectedNonce = auth.kind === 'password' ? nonce === 0 : nonce <= 64;
  if (!expectedNonce || hmac !== 0 || attributes !== (goesOn ? 1 : 0)) {
    throw new FastnessError('CODEC_VALUE', 'An acknowledgement of another authorisation.');
  }
}
