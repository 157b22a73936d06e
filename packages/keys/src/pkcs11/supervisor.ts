import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { concatBytes, utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError, isErrorCode } from '@fastness/codec/errors';
import { encodeFrame, FrameReader, renumberFrame, type Frame } from './frames.ts';
import { operations, outcomes, type OpenMessage, type Operation } from './messages.ts';

export interface SupervisorOptions {
  readonly open: OpenMessage;
  /** A descriptor of this process that the child reads the PIN from; it is 4 there. */
  readonly pinDescriptor?: number;
  /** How long the child may be silent while it owes an answer, milliseconds. */
  readonly silence?: number;
  /** Pause before the second start after a crash, milliseconds; it doubles with every further one, up to `longestPause`. */
  readonly firstPause?: number;
}

export interface RequestOptions {
  /** Whether it may be done twice: then it is asked once more when the child crashes under it. */
  readonly repeatable: boolean;
}

interface Pending {
  readonly operation: Operation;
  /** As it is written, its number apart; wiped once the answer is there. */
  readonly frame: Uint8Array;
  readonly repeatable: boolean;
  repeated: boolean;
  readonly resolve: (fields: readonly Uint8Array[]) => void;
  readonly reject: (error: Error) => void;
}

interface Running {
  readonly process: ChildProcess;
  readonly channel: Socket;
  readonly inFlight: Map<number, Pending>;
  /** Frames that wait for the end of this turn of the event loop. */
  readonly outgoing: Uint8Array[];
  ended: boolean;
}

const defaultSilence = 120_000;
const defaultPause = 100;
const longestPause = 10_000;
const maxPending = 4096;
/** How often in a row the module may die while it starts before the store is given up. */
const maxFailedStarts = 5;
const closePatience = 3000;
/** A process and a module take their time to start, whatever an operation may take. */
const startPatience = 30_000;

/** Refusals that another try would only repeat, or make worse: a token counts wrong PINs. */
const final: ReadonlySet<string> = new Set(['KEYS_HSM_PIN', 'KEYS_HSM_PIN_LOCKED']);

const died: ReadonlySet<string> = new Set(['KEYS_HSM_CRASHED', 'KEYS_HSM_TIMEOUT']);

/**
 * Keeps one child alive and carries requests to it. A child that ends is replaced when the next request comes, after a
 * pause that grows; requests that it owed are asked once more where that is harmless, and fail with KEYS_HSM_CRASHED elsewhere.
 * The PIN never passes through here, only where it lies.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  #running: Promise<Running> | undefined;
  #current: Running | undefined;
  /** The current one, once it has its token. */
  #opened: Running | undefined;
  #next = 1;
  #pending = 0;
  #crashes = 0;
  #failedStarts = 0;
  #given: FastnessError | undefined;
  #closed = false;
  #watch: NodeJS.Timeout | undefined;
  /** What the first child said of its token: a later one must say the same. */
  #identity: string | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** The process id of the child, while there is one. */
  get childId(): number | undefined {
    return this.#current?.process.pid;
  }

  /** Starts the child and returns what it says of its token, JSON. Errors: those of opening. */
  async start(): Promise<string> {
    try {
      await this.#ready();
    } catch (error) {
      this.#closed = true;
      throw error;
    }
    return this.#identity ?? '';
  }

  /**
   * The fields of the answer; the caller wipes them. `fields` are copied before this returns.
   * Errors: KEYS_CLOSED, KEYS_HSM_BUSY, KEYS_HSM_CRASHED, KEYS_HSM_TIMEOUT, and what the child refuses with.
   */
  async request(
    operation: Operation,
    fields: readonly Uint8Array[],
    { repeatable }: RequestOptions,
  ): Promise<readonly Uint8Array[]> {
    if (this.#closed) throw new FastnessError('KEYS_CLOSED');
    if (this.#pending >= maxPending) throw new FastnessError('KEYS_HSM_BUSY', `${maxPending} requests wait.`);
    const frame = encodeFrame({ request: 0, kind: operations[operation], fields });
    this.#pending += 1;
    try {
      return await new Promise<readonly Uint8Array[]>((resolve, reject) => {
        const pending = { operation, frame, repeatable, repeated: false, resolve, reject };
        const running = this.#opened;
        if (running === undefined || running.ended) void this.#submit(pending);
        else this.#send(running, pending);
      });
    } finally {
      this.#pending -= 1;
      frame.fill(0);
    }
  }

  /** Lets the child finish what it has, log out and end; ends it by force when it does not. */
  async close(): Promise<void> {
    if (this.#closed && this.#current === undefined) return;
    this.#closed = true;
    const running = this.#current;
    if (running === undefined || running.ended) return;
    const ended = new Promise<void>((resolve) => running.process.once('exit', () => resolve()));
    running.process.ref();
    flush(running);
    // Not through `request`: that refuses by now. End of the stream is the same wish, after all that was asked before.
    running.channel.end(encodeFrame({ request: 0, kind: operations.close, fields: [] }));
    const patience = setTimeout(() => running.process.kill('SIGKILL'), closePatience);
    await ended;
    clearTimeout(patience);
  }

  async #submit(pending: Pending): Promise<void> {
    try {
      const running = await this.#ready();
      if (running.ended) this.#lost(pending, 'KEYS_HSM_CRASHED', 'It was not asked yet.', true);
      else this.#send(running, pending);
    } catch (error) {
      pending.reject(asError(error));
    }
  }

  #send(running: Running, pending: Pending): void {
    const request = this.#next;
    this.#next = request === 0xffff_ffff ? 1 : request + 1;
    renumberFrame(pending.frame, request);
    if (running.inFlight.size === 0) this.#hold(running, pending.operation === 'open');
    running.inFlight.set(request, pending);
    // Requests of one turn of the event loop go out together.
    if (running.outgoing.push(pending.frame) === 1) process.nextTick(() => flush(running));
  }

  #ready(): Promise<Running> {
    if (this.#given !== undefined) return Promise.reject(this.#given);
    this.#running ??= this.#start().catch((error: unknown) => {
      this.#running = undefined;
      throw error;
    });
    return this.#running;
  }

  async #start(): Promise<Running> {
    if (this.#crashes > 1) {
      const pause = (this.#options.firstPause ?? defaultPause) * 2 ** Math.min(this.#crashes - 2, 16);
      await delay(Math.min(pause, longestPause));
      if (this.#closed) throw new FastnessError('KEYS_CLOSED');
    }
    const running = this.#spawn();
    this.#current = running;
    try {
      const facts = await this.#open(running);
      if (this.#identity !== undefined && this.#identity !== facts) {
        throw new FastnessError('KEYS_HSM_TOKEN', 'Another token is in its place.');
      }
      this.#identity = facts;
      this.#failedStarts = 0;
      this.#opened = running;
      return running;
    } catch (error) {
      running.process.kill('SIGKILL');
      const refusal = asError(error);
      if (refusal instanceof FastnessError) {
        // A start that died may have tried the PIN; one that was refused for something else has not.
        if (died.has(refusal.code)) this.#failedStarts += 1;
        if (final.has(refusal.code) || this.#failedStarts >= maxFailedStarts) this.#given = refusal;
      }
      throw refusal;
    }
  }

  async #open(running: Running): Promise<string> {
    const [facts] = await new Promise<readonly Uint8Array[]>((resolve, reject) => {
      const fields = [utf8Encode(JSON.stringify(this.#options.open))];
      const frame = encodeFrame({ request: 0, kind: operations.open, fields });
      this.#send(running, { operation: 'open', frame, repeatable: false, repeated: true, resolve, reject });
    });
    return utf8Decode(facts ?? new Uint8Array(0));
  }

  #spawn(): Running {
    const source = import.meta.url.endsWith('.ts');
    const program = new URL(source ? './child.ts' : './child.js', import.meta.url);
    const { pinDescriptor } = this.#options;
    const child = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        ...(source ? ['--conditions=source'] : []),
        '--max-old-space-size=128',
        program.pathname,
      ],
      {
        // A module's own prints go nowhere: nobody knows what they hold.
        stdio: ['ignore', 'ignore', 'ignore', 'pipe', ...(pinDescriptor === undefined ? [] : [pinDescriptor])],
        // A session of its own: Ctrl-C reaches this process only, which then closes the child in order.
        detached: true,
        env: environment(),
      },
    );
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what 'pipe' makes
    const channel = child.stdio[3] as Socket;
    const running: Running = { process: child, channel, inFlight: new Map(), outgoing: [], ended: false };
    const reader = new FrameReader();
    channel.on('data', (chunk: Buffer) => {
      try {
        for (const frame of reader.push(chunk)) this.#answered(running, frame);
      } catch {
        child.kill('SIGKILL');
      }
    });
    // The end of the process says it all.
    channel.on('error', () => child.kill('SIGKILL'));
    child.on('error', () => this.#ended(running, 'It could not be started.'));
    child.on('exit', (code, signal) => {
      this.#ended(running, signal === null ? `It ended with ${code}.` : `It ended by ${signal}.`);
    });
    child.unref();
    channel.unref();
    return running;
  }

  #answered(running: Running, frame: Frame): void {
    if (frame.request === 0) return;
    const pending = running.inFlight.get(frame.request);
    if (pending === undefined) throw new FastnessError('KEYS_HSM_PROTOCOL');
    running.inFlight.delete(frame.request);
    if (running.inFlight.size === 0) this.#release(running);
    else this.#watch?.refresh();
    if (frame.kind === outcomes.done) {
      if (pending.operation !== 'open') this.#crashes = 0;
      pending.resolve(frame.fields);
      return;
    }
    pending.reject(refusalOf(frame));
  }

  #ended(running: Running, detail: string): void {
    if (running.ended) return;
    running.ended = true;
    this.#release(running);
    if (this.#current === running) {
      this.#current = undefined;
      this.#opened = undefined;
      this.#running = undefined;
    }
    this.#crashes += 1;
    running.channel.destroy();
    const owed = [...running.inFlight.values()];
    running.inFlight.clear();
    for (const pending of owed) this.#lost(pending, 'KEYS_HSM_CRASHED', detail, pending.repeatable);
  }

  #lost(pending: Pending, code: 'KEYS_HSM_CRASHED' | 'KEYS_HSM_TIMEOUT', detail: string, again: boolean): void {
    if (!again || pending.repeated || this.#closed) {
      pending.reject(new FastnessError(code, detail));
      return;
    }
    pending.repeated = true;
    void this.#submit(pending);
  }

  /** While an answer is owed, the child keeps this process alive, and is watched. */
  #hold(running: Running, starting: boolean): void {
    running.process.ref();
    running.channel.ref();
    clearTimeout(this.#watch);
    this.#watch = setTimeout(
      () => {
        // The oldest request is the one it hangs on; asking it again would hang the next child.
        const [first] = running.inFlight.entries();
        if (first !== undefined) {
          running.inFlight.delete(first[0]);
          first[1].reject(new FastnessError('KEYS_HSM_TIMEOUT'));
        }
        running.process.kill('SIGKILL');
      },
      Math.max(this.#options.silence ?? defaultSilence, starting ? startPatience : 0),
    );
  }

  #release(running: Running): void {
    running.process.unref();
    running.channel.unref();
    clearTimeout(this.#watch);
  }
}

function flush({ channel, outgoing, ended }: Running): void {
  // The frames themselves are kept until they are answered: they may have to be sent once more.
  const joined = concatBytes(...outgoing);
  outgoing.length = 0;
  if (ended) joined.fill(0);
  else channel.write(joined, () => joined.fill(0));
}

/** What the child inherits: modules find their configuration there. Options of Node would run code in it. */
function environment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, NODE_V8_COVERAGE: _coverage, ...rest } = process.env;
  return rest;
}

function refusalOf(frame: Frame): FastnessError {
  const [code, detail] = frame.fields.map((field) => new TextDecoder().decode(field));
  if (!isErrorCode(code) || !code.startsWith('KEYS_')) return new FastnessError('KEYS_HSM_PROTOCOL');
  // Printable by what the child makes; checked, because a module shares its memory.
  const line = detail?.replaceAll(/[^\x20-\x7e]/g, ' ').slice(0, 300);
  return new FastnessError(code, line === '' ? undefined : line);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new FastnessError('KEYS_HSM_FAILED');
}
