import { concatBytes, toHex, u16be, u32be } from '@fastness/codec';
import { errorRegistry, type ErrorCode } from '@fastness/codec/errors';
import { forgeEventLog, forgeTpmQuote, startupLocality, tpmSelection, type ForgedEvent } from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import {
  appraise,
  attestationKeyOf,
  authenticate,
  parse,
  parseEventLog,
  replayEventLog,
  type AuthenticQuote,
  type ParsedQuote,
} from '../src/formats/tpm/index.ts';
import { codeOf } from './support/errors.ts';
import { scramble } from './support/scramble.ts';
import {
  judgeTpm,
  nonce,
  p256Keys,
  p384Keys,
  registerHex,
  registers,
  rsaKeys,
  type TpmScenario,
} from './support/tpm-forge.ts';

type Failure = readonly [code: ErrorCode, what: string, scenario: TpmScenario];

const flip = (bytes: Uint8Array, position: number): Uint8Array =>
  bytes.map((byte, index) => (index === position ? byte ^ (1 << (position % 8)) : byte));
const selection = (...banks: Uint8Array[]) => ({ quote: { selection: concatBytes(u32be(banks.length), ...banks) } });
const put = (offset: number, ...octets: number[]) => ({
  quote: {
    signature: (bytes: Uint8Array) =>
      concatBytes(bytes.subarray(0, offset), Uint8Array.of(...octets), bytes.subarray(offset + octets.length)),
  },
});
const event: ForgedEvent = { pcr: 4, type: 4, data: new Uint8Array(4) };
const quoteOf = async (events: readonly ForgedEvent[]) => {
  const eventLog = await forgeEventLog(events);
  const values = new Map([...registers(24).keys()].map((index) => [index, new Uint8Array(32)]));
  for (const [index, value] of await replayEventLog(parseEventLog(eventLog), 'SHA-256'))
    values.set(index, Uint8Array.from(value));
  const accepted = new Map([[4, 'any' as const]]);
  return { quote: { pcrs: { 'SHA-256': values } }, options: { eventLog, accepted, pcrs: { 'SHA-256': values } } };
};
const logged = await quoteOf([event]);
const emptyLog = await forgeEventLog([]);
const otherLog = await forgeEventLog([event, event]);

const failures: readonly Failure[] = [
  ['TPM_SIZE', 'a long structure', { sent: (quote) => ({ ...quote, attest: new Uint8Array(2049) }) }],
  ['TPM_MAGIC', 'data that a key signed from outside', { quote: { magic: 0x01020304 } }],
  ['TPM_TYPE', 'a certification', { quote: { type: 0x8017 } }],
  ['TPM_CLOCK_FLAG', 'neither yes nor no', { quote: { safe: 2 } }],
  ['TPM_SELECTION', 'no bank', selection()],
  ['TPM_SELECTION', 'nine banks', selection(...Array.from({ length: 9 }, () => tpmSelection(11, 1)))],
  ['TPM_SELECTION', 'a bank twice', selection(tpmSelection(11, 1), tpmSelection(11, 2))],
  ['TPM_SELECTION', 'register 24', selection(concatBytes(u16be(11), Uint8Array.of(4, 1, 0, 0, 1)))],
  ['TPM_BANK', 'SHA-1', selection(tpmSelection(4, 1))],
  [
    'CODEC_TRAILING',
    'a byte after the structure',
    { quote: { beforeSigning: (bytes) => concatBytes(bytes, new Uint8Array(1)) } },
  ],
  [
    'CODEC_TRAILING',
    'a byte after the signature',
    { quote: { signature: (bytes) => concatBytes(bytes, new Uint8Array(1)) } },
  ],
  ['CODEC_TRUNCATED', 'half a structure', { sent: (quote) => ({ ...quote, attest: quote.attest.subarray(0, 60) }) }],
  ['TPM_SCHEME', 'HMAC', put(0, 0x00, 0x05)],
  ['TPM_HASH', 'SHA-1', put(2, 0x00, 0x04)],
  [
    'TPM_COORDINATE',
    'an empty half',
    { quote: { signature: (bytes) => concatBytes(bytes.subarray(0, 4), new Uint8Array(2), bytes.subarray(38)) } },
  ],
  ['TPM_KEY', 'an RSA key for ECDSA', { trusted: rsaKeys }],
  ['TPM_KEY', 'an elliptic key for RSASSA', { quote: { keys: rsaKeys, scheme: 'rsassa' }, trusted: p256Keys }],
  ['TPM_SIGNATURE', 'another key', { trusted: p384Keys }],
  [
    'TPM_SIGNATURE',
    'RSASSA as RSAPSS',
    { quote: { keys: rsaKeys, scheme: 'rsassa', signature: put(0, 0x00, 0x16).quote.signature } },
  ],
  ['TPM_SIGNATURE', 'a changed nonce', { sent: (quote) => ({ ...quote, attest: flip(quote.attest, 20) }) }],
  ['TPM_NONCE_MISMATCH', 'for another session', { options: { expectedNonce: new Uint8Array(32) } }],
  ['TPM_NONCE_MISMATCH', 'no nonce', { quote: { nonce: new Uint8Array() } }],
  ['TPM_CLOCK_UNSAFE', 'after a power cut', { quote: { safe: 0 } }],
  ['TPM_RESET', 'another start', { options: { resetCount: 2 } }],
  ['TPM_PCR_NOT_SELECTED', 'a register left out', { quote: { pcrs: { 'SHA-256': registers(7) } } }],
  ['TPM_PCR_NOT_SELECTED', 'another bank', { options: { bank: 'SHA-384' } }],
  ['TPM_PCR_VALUE', 'a value left out', { options: { pcrs: { 'SHA-256': registers(23) } } }],
  ['TPM_PCR_VALUE', 'a short value', { options: { pcrs: { 'SHA-256': registers(24, 31) } } }],
  ['TPM_PCR_DIGEST', 'another value', { options: { pcrs: { 'SHA-256': registers(24).set(20, new Uint8Array(32)) } } }],
  ['TPM_PCR_NOT_ALLOWED', 'a value that is not listed', { options: { accepted: new Map([[4, [registerHex(5)]]]) } }],
  ['TPM_PCR_NOT_ALLOWED', 'an empty list', { options: { accepted: new Map([[4, []]]) } }],
  ['TPM_LOG_MISMATCH', 'an event more', { ...logged, options: { ...logged.options, eventLog: otherLog } }],
  ['TPM_LOG_MISMATCH', 'an event left out', { ...logged, options: { ...logged.options, eventLog: emptyLog } }],
  [
    'TPM_LOG_BANK',
    'a bank that the log lacks',
    {
      quote: { pcrs: { 'SHA-512': registers(24, 64) } },
      options: {
        bank: 'SHA-512',
        accepted: new Map([[4, 'any']]),
        pcrs: { 'SHA-512': registers(24, 64) },
        eventLog: emptyLog,
      },
    },
  ],
];

describe('a forged TPM quote with one thing wrong', () => {
  it.each(failures)('is refused: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeTpm(scenario))).toBe(code);
  });

  it('exists for every check', () => {
    const tested = new Set<string>(failures.map(([code]) => code));
    // Tested below, with public areas and logs.
    for (const code of ['TPM_PUBLIC', 'TPM_KEY_ATTRIBUTES', 'TPM_LOG_LIMIT', 'TPM_LOG_MALFORMED', 'TPM_LOG_PCR'])
      tested.add(code);
    const codes = Object.keys(errorRegistry).filter((code) => code.startsWith('TPM_'));
    expect(codes.filter((code) => !tested.has(code))).toEqual([]);
  });

  it('is refused wherever a bit changes', async () => {
    const codes = new Set<string>();
    for (let position = 0; position < 130; position += 1) {
      codes.add(
        await codeOf(
          judgeTpm({ sent: (quote) => ({ ...quote, attest: flip(quote.attest, position % quote.attest.length) }) }),
        ),
      );
    }
    for (let position = 0; position < 72; position += 1) {
      codes.add(
        await codeOf(judgeTpm({ sent: (quote) => ({ ...quote, signature: flip(quote.signature, position) }) })),
      );
    }
    expect(codes.has('accepted')).toBe(false);
  });
});

describe('a genuine TPM quote', () => {
  it.each([
    ['ecdsa', p256Keys, 'SHA-256'],
    ['ecdsa', p384Keys, 'SHA-384'],
    ['rsassa', rsaKeys, 'SHA-256'],
    ['rsapss', rsaKeys, 'SHA-256'],
    ['rsassa', rsaKeys, 'SHA-512'],
  ] as const)('is accepted: %s, %#', async (scheme, keys, hash) => {
    const { quote, pcrs, checks } = await judgeTpm({ quote: { scheme, keys, hash }, options: { resetCount: 3 } });
    expect(quote).toMatchObject({ extraData: toHex(nonce), clockInfo: { resetCount: 3, restartCount: 0, safe: true } });
    expect(pcrs.get(4)).toBe(registerHex(4));
    expect(checks.every(({ outcome }) => outcome !== 'waived')).toBe(true);
  });

  it('may cover several banks, and come with a log that explains its registers', async () => {
    const pcrs = { 'SHA-256': registers(24), 'SHA-384': registers(24, 48) };
    expect(await codeOf(judgeTpm({ quote: { pcrs } }))).toBe('accepted');
    const { eventLog } = await judgeTpm(logged);
    expect(eventLog?.events.length).toBe(1);
    expect(await codeOf(judgeTpm({ quote: { safe: 0 }, options: { requireSafeClock: false } }))).toBe('accepted');
  });

  it('needs a nonce, a register and every stage', async () => {
    expect(await codeOf(judgeTpm({ options: { expectedNonce: new Uint8Array() } }))).toBe('ATTEST_ARGUMENT_INVALID');
    expect(await codeOf(judgeTpm({ options: { accepted: new Map() } }))).toBe('ATTEST_ARGUMENT_INVALID');
    const faked = {} as unknown as ParsedQuote & AuthenticQuote;
    const options = {
      expectedNonce: nonce,
      pcrs: {},
      bank: 'SHA-256',
      accepted: new Map(),
      requireSafeClock: true,
    } as const;
    expect(await codeOf(authenticate(faked, { attestationKey: p256Keys.spki }))).toBe('ATTEST_STAGE_SKIPPED');
    expect(await codeOf(appraise(faked, options))).toBe('ATTEST_STAGE_SKIPPED');
    expect(await codeOf(() => parse({ attest: new Uint8Array(), signature: new Uint8Array() }))).toBe(
      'CODEC_TRUNCATED',
    );
  });
});

/** A TPMT_PUBLIC of an RSA key. */
const publicArea = (fields: { type?: number; attributes?: number; symmetric?: number; tail?: Uint8Array } = {}) =>
  concatBytes(
    u16be(fields.type ?? 1),
    u16be(0x0b),
    u32be(fields.attributes ?? 0x00050072),
    u16be(0),
    u16be(fields.symmetric ?? 0x10),
    u16be(0x14),
    u16be(0x0b),
    u16be(2048),
    u32be(0),
    u16be(256),
    new Uint8Array(256).fill(0xc1),
    fields.tail ?? new Uint8Array(),
  );

describe('scrambled structures of a TPM', () => {
  it('are read or refused, and never crash a reader', async () => {
    const quote = await forgeTpmQuote({ keys: p256Keys, scheme: 'ecdsa', nonce, pcrs: { 'SHA-256': registers(24) } });
    const log = await forgeEventLog([startupLocality(3), event, event]);
    for (let seed = 0; seed < 1500; seed += 1) {
      const sent = { attest: scramble(quote.attest, seed), signature: scramble(quote.signature, seed) };
      const attempts = [
        () => parse({ ...quote, attest: sent.attest }),
        () => parse({ ...quote, signature: sent.signature }),
        () => attestationKeyOf(scramble(publicArea(), seed)),
        () => replayEventLog(parseEventLog(scramble(log, seed)), 'SHA-256'),
      ];
      for (const attempt of attempts) expect(await codeOf(attempt)).not.toMatch(/^ATTEST_/);
      const authentic = async () => authenticate(parse(sent), { attestationKey: p256Keys.spki });
      expect(await codeOf(authentic)).not.toBe('accepted');
    }
  });
});

describe('the public area of an attestation key', () => {
  it('is read only for a restricted signing key', async () => {
    expect(attestationKeyOf(publicArea()).length).toBe(294);
    for (const [code, fields] of [
      ['TPM_KEY_ATTRIBUTES', { attributes: 0x00040072 }],
      ['TPM_KEY_ATTRIBUTES', { attributes: 0x00030072 }],
      ['TPM_KEY_ATTRIBUTES', { attributes: 0x00070072 }],
      ['TPM_KEY_ATTRIBUTES', { attributes: 0x00050070 }],
      ['TPM_PUBLIC', { symmetric: 6 }],
      ['TPM_PUBLIC', { type: 8 }],
      ['TPM_PUBLIC', { type: 0x23 }],
      ['CODEC_TRAILING', { tail: new Uint8Array(1) }],
    ] as const) {
      expect(await codeOf(() => attestationKeyOf(publicArea(fields)))).toBe(code);
    }
  });
});

describe('a TCG event log', () => {
  const sha256 = async (bytes: Uint8Array) =>
    new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes)));

  it('replays to registers, from the locality that it states', async () => {
    const log = parseEventLog(await forgeEventLog([startupLocality(3), { ...event, pcr: 0 }, event, event]));
    expect(log.banks).toEqual(['SHA-1', 'SHA-256', 'SHA-384']);
    const replayed = await replayEventLog(log, 'SHA-256');
    const digest = await sha256(event.data);
    const initial = new Uint8Array(32);
    initial[31] = 3;
    expect(replayed.get(0)).toEqual(await sha256(concatBytes(initial, digest)));
    const once = await sha256(concatBytes(new Uint8Array(32), digest));
    expect(replayed.get(4)).toEqual(await sha256(concatBytes(once, digest)));
    expect([...replayed.keys()]).toEqual([0, 4]);
    expect(await codeOf(replayEventLog(log, 'SHA-512'))).toBe('TPM_LOG_BANK');
  });

  it('is refused when it breaks its format', async () => {
    const good = await forgeEventLog([event]);
    const at = (position: number, value: number) => good.map((byte, index) => (index === position ? value : byte));
    const start = good.length - (12 + 22 + 34 + 50 + 4 + 4);
    for (const [code, bytes] of [
      ['TPM_LOG_LIMIT', new Uint8Array((1 << 22) + 1)],
      ['TPM_LOG_PCR', await forgeEventLog([{ ...event, pcr: 24 }])],
      ['TPM_LOG_PCR', await forgeEventLog([{ ...event, pcr: 17 }])],
      ['TPM_LOG_MALFORMED', at(start + 8, 2)],
      ['TPM_LOG_MALFORMED', at(start + 12, 0x0b)],
      [
        'TPM_LOG_MALFORMED',
        await forgeEventLog([], { header: (data) => data.map((byte, index) => (index === 24 ? 9 : byte)) }),
      ],
      [
        'TPM_LOG_MALFORMED',
        await forgeEventLog([], { header: (data) => data.map((byte, index) => (index === 30 ? 21 : byte)) }),
      ],
      ['CODEC_TRAILING', await forgeEventLog([], { header: (data) => concatBytes(data, new Uint8Array(1)) })],
      ['CODEC_TRUNCATED', good.subarray(0, -1)],
      ['CODEC_TRUNCATED', new Uint8Array()],
    ] as const) {
      expect(await codeOf(() => parseEventLog(bytes))).toBe(code);
    }
    const late = parseEventLog(await forgeEventLog([{ ...event, pcr: 0 }, startupLocality(3)]));
    expect(await codeOf(replayEventLog(late, 'SHA-256'))).toBe('TPM_LOG_MALFORMED');
  });
});
