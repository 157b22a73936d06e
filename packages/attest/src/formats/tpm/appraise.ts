import { concatBytes, plainBytes, toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { HashName } from '@fastness/codec/x509';
import { anyOf, Checklist, type CheckRecord } from '../../checks.ts';
import { digestBytes } from './algorithms.ts';
import type { TpmQuote } from './attest.ts';
import { parseEventLog, replayEventLog, type EventLog } from './event-log.ts';
import { AuthenticQuote } from './stages.ts';

/** Registers by bank and index, as they came with the quote. Untrusted until the quote's digest covers them. */
export type PcrValues = Readonly<Partial<Record<HashName, ReadonlyMap<number, Uint8Array>>>>;

export interface AppraiseQuoteOptions {
  /** What the quote must have been asked with. Not empty; 16 random bytes or more make it fresh. */
  readonly expectedNonce: Uint8Array;
  readonly pcrs: PcrValues;
  /** The bank whose registers count, and the values accepted in each register that must be quoted: at least one. */
  readonly bank: HashName;
  readonly accepted: ReadonlyMap<number, readonly string[] | 'any'>;
  /** Absent: the log is not looked at, and the verdict has none. */
  readonly eventLog?: Uint8Array;
  /** Starts of the TPM that an earlier quote of the same boot stated. Absent: not compared. */
  readonly resetCount?: number;
  /** Whether `clockInfo.safe` must be set; a TPM clears it after an unorderly shutdown, which hosts can cause. */
  readonly requireSafeClock: boolean;
}

/** Facts of a quote that was authenticated and accepted. */
export interface TpmQuoteVerdict {
  readonly quote: TpmQuote;
  /** The registers of the bank that the quote covers, hex by index. */
  readonly pcrs: ReadonlyMap<number, string>;
  /**
   * Present when a log was given. Every register that it extends was quoted and equals its replay, and every quoted register
   * from 0 to 7 that it does not extend is zero. What software extended later into other registers need not be in it.
   */
  readonly eventLog?: EventLog;
  readonly checks: readonly CheckRecord[];
}

/** Registers that firmware extends and its log explains. */
const FIRMWARE_PCRS = 7;

/**
 * Applies requirements to an authentic quote: nonce first, then the registers that it covers and their values. The digest in
 * a quote is made with the hash of the signing scheme, not with that of the bank (TPM 2.0 Library, part 3, section 18.4).
 * Throws the TPM_ code of the first requirement that is not met, ATTEST_ARGUMENT_INVALID, ATTEST_STAGE_SKIPPED.
 */
export async function appraise(authentic: AuthenticQuote, options: AppraiseQuoteOptions): Promise<TpmQuoteVerdict> {
  const { hash } = AuthenticQuote.signatureOf(authentic);
  const { quote } = authentic;
  const { accepted, bank, expectedNonce } = options;
  if (!(expectedNonce instanceof Uint8Array) || expectedNonce.length === 0) {
    throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'expectedNonce must not be empty.');
  }
  if (accepted.size === 0) throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'accepted must name a register.');
  const checks: Checklist = new Checklist([], { checks: authentic.checks, waivers: [] });

  const nonce = toHex(expectedNonce);
  checks.require('TPM_NONCE_MISMATCH', quote.extraData === nonce, { expected: nonce, actual: quote.extraData });
  appraiseClock(quote, options, checks);
  const selected = quote.selections.find((selection) => selection.bank === bank)?.indexes ?? [];
  const missing = [...accepted.keys()].filter((index) => !selected.includes(index));
  checks.require('TPM_PCR_NOT_SELECTED', missing.length === 0, {
    expected: `${bank} PCR${[...accepted.keys()].join(', PCR')}`,
    actual: missing.length === 0 ? 'all of them' : `no PCR${missing.join(', no PCR')}`,
  });
  const values = await requireDigest(quote, options.pcrs, hash, checks);
  const pcrs = new Map(selected.map((index) => [index, toHex(values.get(`${bank} ${index}`) ?? new Uint8Array())]));
  for (const [index, list] of accepted) {
    if (list === 'any') continue;
    const actual = pcrs.get(index) ?? 'none';
    checks.require('TPM_PCR_NOT_ALLOWED', list.includes(actual), { expected: `PCR${index} ${anyOf(list)}`, actual });
  }
  const eventLog = await appraiseLog(options, pcrs, checks);
  return Object.freeze({
    quote,
    pcrs,
    ...(eventLog === undefined ? {} : { eventLog }),
    checks: checks.results().checks,
  });
}

function appraiseClock({ clockInfo }: TpmQuote, options: AppraiseQuoteOptions, checks: Checklist): void {
  if (options.requireSafeClock) {
    checks.require('TPM_CLOCK_UNSAFE', clockInfo.safe, {
      expected: 'safe',
      actual: clockInfo.safe ? 'safe' : 'not safe',
    });
  } else {
    checks.notApplicable('TPM_CLOCK_UNSAFE', 'a safe clock is not required');
  }
  const { resetCount } = options;
  if (resetCount === undefined) checks.notApplicable('TPM_RESET', 'no earlier quote is given');
  else
    checks.require('TPM_RESET', clockInfo.resetCount === resetCount, {
      expected: `${resetCount}`,
      actual: `${clockInfo.resetCount}`,
    });
}

/** Returns the selected registers under "bank index", all of them covered by the digest. */
async function requireDigest(
  quote: TpmQuote,
  pcrs: PcrValues,
  hash: HashName,
  checks: Checklist,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const values = new Map<string, Uint8Array>();
  for (const { bank, indexes } of quote.selections) {
    for (const index of indexes) {
      const value = pcrs[bank]?.get(index);
      checks.require('TPM_PCR_VALUE', value !== undefined && value.length === digestBytes[bank], {
        expected: `${bank} PCR${index} of ${digestBytes[bank]} bytes`,
        actual: value === undefined ? 'nothing' : `${value.length} bytes`,
      });
      values.set(`${bank} ${index}`, value.slice());
    }
  }
  const joined = plainBytes(concatBytes(...values.values()));
  const digest = toHex(new Uint8Array(await globalThis.crypto.subtle.digest(hash, joined)));
  checks.require('TPM_PCR_DIGEST', digest === quote.pcrDigest, { expected: quote.pcrDigest, actual: digest });
  return values;
}

async function appraiseLog(
  { eventLog, bank }: AppraiseQuoteOptions,
  pcrs: ReadonlyMap<number, string>,
  checks: Checklist,
): Promise<EventLog | undefined> {
  if (eventLog === undefined) {
    checks.notApplicable('TPM_LOG_MISMATCH', 'no log is given');
    return undefined;
  }
  const log = parseEventLog(eventLog.slice());
  const replayed = await replayEventLog(log, bank);
  for (const [index, value] of replayed) {
    requireReplay(index, toHex(value), pcrs.get(index) ?? 'not quoted', checks);
  }
  // Leaving the events of a register out must not hide them.
  const zero = '00'.repeat(digestBytes[bank]);
  for (const [index, value] of pcrs) {
    if (index <= FIRMWARE_PCRS && !replayed.has(index)) requireReplay(index, zero, value, checks);
  }
  return log;
}

function requireReplay(index: number, expected: string, actual: string, checks: Checklist): void {
  checks.require('TPM_LOG_MISMATCH', actual === expected, { expected: `PCR${index} ${expected}`, actual });
}
