import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { FastnessError } from '@fastness/codec/errors';
import { decodeAnswer, encodeQuestion, type DhcpAnswer, type DhcpLease, type DhcpQuestion } from './message.ts';

/** A way to the servers of a network. */
export interface DhcpPort {
  /** To everybody, or to one server. Throws INIT_NETWORK. */
  send(message: Uint8Array, server?: string): void;
  /** The next message that came, if one did. */
  receive(): Uint8Array | undefined;
  close(): void;
}

export interface DhcpOptions {
  /** A fresh one for every exchange, so that nothing is heard between two. */
  readonly open: () => DhcpPort;
  /** The card's address, 6 bytes. */
  readonly hardware: Uint8Array;
  /** How long each try waits for an answer, in milliseconds; as many tries. Default: 2, 4, 8, 16, 32 and 64 seconds. */
  readonly tries?: readonly number[];
}

const TRIES: readonly number[] = Object.freeze([2000, 4000, 8000, 16_000, 32_000, 64_000]);
const BETWEEN_LOOKS = 20;
/** Messages that are read in a row. More wait until others had their turn. */
const MOST_IN_A_ROW = 32;

/**
 * Finds a server and takes what it offers first (RFC 2131, section 3.1). Throws INIT_DHCP when no usable answer came in any
 * try, with what was wrong with the last one.
 */
export async function obtainLease(options: DhcpOptions): Promise<DhcpLease> {
  return exchange(options, async (port) => {
    let reason = 'no answer';
    for (const patience of options.tries ?? TRIES) {
      try {
        const offer = await ask(port, options, { type: 'discover' }, ['offer'], patience);
        if (offer.type === 'nak') continue;
        const { address, server } = offer.lease;
        const answer = await ask(
          port,
          options,
          { type: 'request', offered: { address, server } },
          ACK_OR_NAK,
          patience,
        );
        if (answer.type === 'nak') reason = 'the server took back its offer';
        else if (answer.lease.address === address) return answer.lease;
        else reason = 'another address than was offered';
      } catch (error) {
        reason = reasonOf(error);
      }
    }
    throw new FastnessError('INIT_DHCP', reason);
  });
}

/**
 * Asks for more time: the server that gave the lease, or everybody (section 4.4.5). Undefined when it is refused. Throws
 * INIT_DHCP when no usable answer came.
 */
export async function renewLease(
  options: DhcpOptions,
  lease: DhcpLease,
  whom: 'server' | 'everybody',
): Promise<DhcpLease | undefined> {
  const [patience = 2000] = options.tries ?? TRIES;
  const to = whom === 'server' ? lease.server : undefined;
  return exchange(options, async (port) => {
    const answer = await ask(port, options, { type: 'request', own: lease.address }, ACK_OR_NAK, patience, to);
    if (answer.type === 'nak') return undefined;
    if (answer.lease.address === lease.address) return answer.lease;
    throw new FastnessError('INIT_DHCP', 'Another address than it had.');
  });
}

const ACK_OR_NAK = ['ack', 'nak'] as const;

async function exchange<T>(options: DhcpOptions, work: (port: DhcpPort) => Promise<T>): Promise<T> {
  const port = options.open();
  try {
    return await work(port);
  } finally {
    port.close();
  }
}

async function ask(
  port: DhcpPort,
  { hardware }: DhcpOptions,
  what: Pick<DhcpQuestion, 'type' | 'own' | 'offered'>,
  wanted: readonly DhcpAnswer['type'][],
  patience: number,
  server?: string,
): Promise<DhcpAnswer> {
  const question = { ...what, hardware, transaction: randomBytes(4).readUInt32BE() };
  const until = performance.now() + patience;
  port.send(encodeQuestion(question), server);
  let refused = new FastnessError('INIT_DHCP', `No answer in ${patience} ms.`);
  for (let read = 1; ; read += 1) {
    const message = port.receive();
    if (message !== undefined) {
      try {
        const answer = decodeAnswer(message, question);
        if (wanted.includes(answer.type)) return answer;
      } catch (error) {
        if (!(error instanceof FastnessError)) throw error;
        refused = error;
      }
    }
    if (message !== undefined && read % MOST_IN_A_ROW !== 0) continue;
    if (performance.now() >= until) throw refused;
    await sleep(BETWEEN_LOOKS);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof FastnessError) return error.detail ?? error.code;
  throw error;
}
