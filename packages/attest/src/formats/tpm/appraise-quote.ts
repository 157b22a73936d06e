import { equalBytes, fromHex, toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { HashName } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import type { QuoteClaims } from '../../claims/tpm.ts';
import type { QuotePolicy } from '../../policy/tpm.ts';
import { appraiseLog } from './appraise-log.ts';
import { appraiseEvents, appraiseRegisters } from './appraise-registers.ts';
import { BOOT_PCR, MAX_NONCE_BYTES } from './layout.ts';
import type { AuthenticQuote } from './stages.ts';

/** What the claims of every kind of TPM have in common, but for what the kind itself says. */
export type QuoteFacts = Omit<QuoteClaims, 'tee' | 'vendor' | 'identity' | 'debug'>;

/** The argument, as a private copy. Throws ATTEST_ARGUMENT_INVALID unless it has 1 to 64 bytes, as much as TPMs take. */
export function nonceArgument(expected: Uint8Array): Uint8Array {
  if (!(expected instanceof Uint8Array) || expected.length === 0 || expected.length > MAX_NONCE_BYTES) {
    throw new FastnessError(
      'ATTEST_ARGUMENT_INVALID',
      `expectedReportData must be 1 to ${MAX_NONCE_BYTES} bytes for the quote of a TPM.`,
    );
  }
  return expected.slice();
}

/** That the quote was made for this session; comes first of all, because another quote answers no question of this one. */
export function appraiseNonce({ quote }: AuthenticQuote<unknown>, nonce: Uint8Array, checks: Checklist): void {
  checks.require('TPM_NONCE_MISMATCH', equalBytes(fromHex(quote.extraData), nonce), {
    expected: toHex(nonce),
    actual: quote.extraData || 'none',
  });
}

/** Applies what policies for every kind of TPM require of a quote, its registers and its log. */
export async function appraiseQuote(
  authentic: AuthenticQuote<unknown>,
  policy: QuotePolicy & { readonly measurements: readonly string[] },
  checks: Checklist,
): Promise<QuoteFacts> {
  const { quote, at } = authentic;
  const { bank = 'SHA-256', measurementPcr = BOOT_PCR } = policy;
  appraiseClock(authentic, policy, checks);
  const values = requireSelection(authentic, bank, policy, measurementPcr, checks);
  const log = await appraiseLog(authentic.eventLog, bank, values, policy, checks);
  appraiseRegisters(values, bank, measurementPcr, policy, log, checks);
  appraiseEvents(log, bank, policy, checks);
  const { clock, resetCount, restartCount, safe } = quote.clockInfo;
  return Object.freeze({
    simulated: false,
    measurement: values.get(measurementPcr) ?? '',
    measurementPcr,
    bank,
    pcrs: Object.freeze(Object.fromEntries([...values].map(([index, value]) => [`${index}`, value]))),
    reportData: quote.extraData,
    attestationKey: authentic.attestationKeySha256,
    clock: Object.freeze({ milliseconds: `${clock}`, resetCount, restartCount, safe }),
    firmwareVersion: quote.firmwareVersion,
    ...(log === undefined
      ? {}
      : { eventLog: Object.freeze({ events: log.log.events.length, replayedPcrs: log.registers }) }),
    verifiedAt: new Date(at).toISOString(),
  });
}

function appraiseClock({ quote }: AuthenticQuote<unknown>, policy: QuotePolicy, checks: Checklist): void {
  const { safe, resetCount, restartCount } = quote.clockInfo;
  if (policy.safeClock === 'any') {
    checks.notApplicable('TPM_CLOCK_UNSAFE', 'the policy does not ask for a safe clock');
  } else {
    checks.require('TPM_CLOCK_UNSAFE', safe, { expected: 'safe', actual: safe ? 'safe' : 'not safe' });
  }
  equal('TPM_RESET', resetCount, policy.resetCount, checks);
  equal('TPM_RESTART', restartCount, policy.restartCount, checks);
}

function equal(
  code: 'TPM_RESET' | 'TPM_RESTART',
  actual: number,
  expected: number | undefined,
  checks: Checklist,
): void {
  if (expected === undefined) checks.notApplicable(code, 'the policy states no number');
  else checks.require(code, actual === expected, { expected: `${expected}`, actual: `${actual}` });
}

/** Returns the registers of the bank that the quote covers, hex by index: all that the policy needs are among them. */
function requireSelection(
  { pcrs }: AuthenticQuote<unknown>,
  bank: HashName,
  policy: QuotePolicy,
  measurementPcr: number,
  checks: Checklist,
): ReadonlyMap<number, string> {
  const values = new Map(Object.entries(pcrs[bank] ?? {}).map(([index, value]) => [Number(index), value]));
  const { pcrs: pins = {}, events = {}, requiredEvents = {}, quotedPcrs = [], eventLogPcrs = [] } = policy;
  const named = [pins, events, requiredEvents].flatMap((registers) => Object.keys(registers).map(Number));
  const needed = [...new Set([measurementPcr, ...named, ...quotedPcrs, ...eventLogPcrs])].toSorted((a, b) => a - b);
  const missing = needed.filter((index) => !values.has(index));
  checks.require('TPM_PCR_NOT_SELECTED', missing.length === 0, {
    expected: `${bank} PCR${needed.join(', PCR')}`,
    actual: missing.length === 0 ? 'all of them' : `no PCR${missing.join(', no PCR')}`,
  });
  return values;
}
