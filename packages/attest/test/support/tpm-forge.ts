import { toHex } from '@fastness/codec';
import {
  forgeEventLog,
  forgeTpmQuote,
  generateKeys,
  sharedKeys,
  type ForgedEvent,
  type ForgedKeys,
  type ForgeTpmQuoteOptions,
} from '@fastness/testkit';
import {
  parseAttestationPolicy,
  verifyEvidence,
  type AttestationVerdict,
  type Cmw,
  type TpmClaims,
  type VerifyEvidenceOptions,
} from '../../src/index.ts';
import { encodeTpmEvidence, type TpmEvidence } from '../../src/formats/tpm/index.ts';
import { parseEventLog, replayToPcrs } from '../../src/event-log/index.ts';

/** The time at which forged evidence is judged. */
export const now = new Date('2026-06-01T12:00:00Z');
export const after = (days: number): Date => new Date(now.getTime() + days * 86_400_000);
export const nonce = new Uint8Array(32).fill(0x5a);
export const [rsaKeys, p256Keys, p384Keys] = await Promise.all([
  sharedKeys('an attestation key', 'rsa-2048'),
  generateKeys('p-256'),
  generateKeys('p-384'),
]);

/** Registers 0 to `count` - 1, each filled with 0x10 and its index. */
export function registers(count: number, bytes = 32): Map<number, Uint8Array> {
  return new Map(Array.from({ length: count }, (_, index) => [index, new Uint8Array(bytes).fill(0x10 + index)]));
}
export const registerHex = (index: number, bytes = 32): string => toHex(new Uint8Array(bytes).fill(0x10 + index));
export const sha256Hex = async (bytes: Uint8Array): Promise<string> =>
  toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))));

/** What makes a quote and its section: the same for every kind of TPM. */
export interface QuoteScenario {
  readonly quote?: Partial<ForgeTpmQuoteOptions>;
  /** Events of the boot: the registers from 0 to 7 hold their replay, and the log is sent. */
  readonly events?: readonly ForgedEvent[];
  /** The log that is sent, where it is not that of `events`. */
  readonly log?: Uint8Array;
  /** Members of the section that replace those of a policy the evidence meets; undefined leaves a member out. */
  readonly section?: object;
  readonly waive?: readonly string[];
  readonly expectedReportData?: Uint8Array;
  readonly at?: Date;
}

/** A quote that is genuine in every respect but the ones named here. */
export interface TpmScenario extends QuoteScenario {
  /** Edits what is sent. */
  readonly sent?: (evidence: TpmEvidence) => TpmEvidence;
  readonly envelope?: (evidence: Cmw) => Cmw;
  /** The key that is sent and pinned. Default: the one that signed. */
  readonly trusted?: ForgedKeys;
}

/** A quote with its registers and log, by `keys`. */
export async function forgeQuoteContent(scenario: QuoteScenario, keys: ForgedKeys) {
  const { quote, events } = scenario;
  const log = events === undefined ? scenario.log : (scenario.log ?? (await forgeEventLog(events)));
  const pcrs = quote?.pcrs ?? { 'SHA-256': events === undefined ? registers(24) : await bootedRegisters(events) };
  const scheme = keys.kind.startsWith('rsa') ? ('rsassa' as const) : ('ecdsa' as const);
  const forged = await forgeTpmQuote({ keys, scheme, nonce, pcrs, ...quote });
  return { ...forged, pcrs, ...(log === undefined ? {} : { eventLog: log }) };
}

/** All 24 registers after a boot with these events; those above 7 that no event extends are not zero. */
async function bootedRegisters(events: readonly ForgedEvent[]): Promise<Map<number, Uint8Array>> {
  const values = new Map([...registers(24)].map(([index, value]) => [index, index <= 7 ? new Uint8Array(32) : value]));
  const replayed = await replayToPcrs(parseEventLog(await forgeEventLog(events)), 'SHA-256');
  for (const [index, value] of replayed) values.set(index, hexBytes(value));
  return values;
}

/** Members that every section for a TPM needs, for a quote of the default registers. */
export const quoteSection = { measurements: [registerHex(4)], pcrs: { 7: [registerHex(7)] } };

export async function prepareTpm(scenario: TpmScenario = {}): Promise<VerifyEvidenceOptions> {
  const keys = scenario.quote?.keys ?? p256Keys;
  const content = await forgeQuoteContent(scenario, keys);
  const { spki } = scenario.trusted ?? keys;
  const evidence = { ...content, attestationKey: spki };
  const cmw = encodeTpmEvidence(scenario.sent?.(evidence) ?? evidence);
  return {
    evidence: scenario.envelope?.(cmw) ?? cmw,
    endorsements: [],
    policy: policyOf(
      'tpm',
      { ...quoteSection, attestationKeys: [await sha256Hex(spki)], ...scenario.section },
      scenario,
    ),
    anchors: {},
    expectedReportData: scenario.expectedReportData ?? nonce,
    now: scenario.at ?? now,
  };
}

export async function judgeTpm(scenario: TpmScenario = {}): Promise<AttestationVerdict & { claims: TpmClaims }> {
  const verdict = await verifyEvidence(await prepareTpm(scenario));
  const { claims } = verdict;
  if (claims.tee !== 'tpm') throw new Error('claims of something else');
  return { ...verdict, claims };
}

/** A policy with these sections. Members that are undefined are left out: policies know no undefined. */
export function policyOf(name: string, section: object, scenario: QuoteScenario, others: object = {}) {
  return parseAttestationPolicy({
    version: 1,
    id: 'forged-quotes',
    [name]: Object.fromEntries(Object.entries(section).filter(([, value]) => value !== undefined)),
    ...others,
    waivers: (scenario.waive ?? []).map((check) => ({ check, reason: `because of ${check}` })),
  });
}

function hexBytes(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (octet) => Number.parseInt(octet, 16));
}

/** A copy with one bit changed. */
export const flip = (bytes: Uint8Array, position: number): Uint8Array =>
  bytes.map((byte, index) => (index === position ? byte ^ (1 << (position % 8)) : byte));
