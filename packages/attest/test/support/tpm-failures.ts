import { concatBytes, toHex, u16be, u32be, utf8Encode } from '@fastness/codec';
import { encodeCbor, type CborValue } from '@fastness/codec/cbor';
import type { ErrorCode } from '@fastness/codec/errors';
import { forgeEventLog, tpmSelection, type ForgedEvent } from '@fastness/testkit';
import { flip, nonce, p256Keys, p384Keys, registerHex, registers, rsaKeys, type TpmScenario } from './tpm-forge.ts';

/** A scenario in which exactly one thing is wrong, and the code that must say so. */
export type TpmFailure = readonly [code: ErrorCode, what: string, scenario: TpmScenario];

const selection = (...banks: Uint8Array[]) => ({ quote: { selection: concatBytes(u32be(banks.length), ...banks) } });
const put = (offset: number, ...octets: number[]) => ({
  quote: {
    signature: (bytes: Uint8Array) =>
      concatBytes(bytes.subarray(0, offset), Uint8Array.of(...octets), bytes.subarray(offset + octets.length)),
  },
});
const members = (change: (content: Map<number, CborValue>) => void): TpmScenario => ({
  envelope: (cmw) => {
    const content = new Map<number, CborValue>([
      [1, new Uint8Array(120)],
      [2, new Uint8Array(70)],
      [3, new Map([[11, new Map([[4, new Uint8Array(32)]])]])],
      [5, p256Keys.spki],
    ]);
    change(content);
    return { ...cmw, value: encodeCbor(content) };
  },
});
const event = (register: number, text: string): ForgedEvent => ({
  pcr: register,
  type: 0x8000_0003,
  data: utf8Encode(text),
});
export const digestOf = async (text: string): Promise<string> =>
  toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(utf8Encode(text)))));
/** A boot of three events, two of them in register 4. */
export const boot = [event(0, 'firmware'), event(4, 'loader'), event(4, 'kernel')] as const;
const [loader, kernel, other] = await Promise.all([digestOf('loader'), digestOf('kernel'), digestOf('other')]);
/** Nothing is pinned but what the events make. */
export const bootSection = {
  measurements: [registerHex(12)],
  measurementPcr: 12,
  pcrs: undefined,
};
const booted = (section: object, more: Partial<TpmScenario> = {}): TpmScenario => ({
  events: boot,
  section: { ...bootSection, ...section },
  ...more,
});

/** What is wrong with the evidence itself. */
export const tpmReadFailures: readonly TpmFailure[] = [
  ['ATTEST_EVIDENCE_MALFORMED', 'no map', { envelope: (cmw) => ({ ...cmw, value: encodeCbor([]) }) }],
  ['ATTEST_EVIDENCE_MALFORMED', 'a member more', members((content) => void content.set(9, 1))],
  ['ATTEST_EVIDENCE_MALFORMED', 'a quote that is no bytes', members((content) => void content.set(1, 'quote'))],
  ['ATTEST_EVIDENCE_MALFORMED', 'no signature', members((content) => void content.delete(2))],
  ['ATTEST_EVIDENCE_MALFORMED', 'no registers', members((content) => void content.delete(3))],
  ['ATTEST_EVIDENCE_MALFORMED', 'no key', members((content) => void content.delete(5))],
  [
    'ATTEST_EVIDENCE_MALFORMED',
    'registers of SHA-1',
    members((content) => void content.set(3, new Map([[4, new Map([[4, new Uint8Array(20)]])]]))),
  ],
  [
    'ATTEST_EVIDENCE_MALFORMED',
    'register 24',
    members((content) => void content.set(3, new Map([[11, new Map([[24, new Uint8Array(32)]])]]))),
  ],
  ['EVENT_LOG_MALFORMED', 'half a log', { log: new Uint8Array(31) }],
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
];

const bankDigest = new Uint8Array(await crypto.subtle.digest('SHA-256', concatBytes(...registers(24).values())));

/** What is wrong with the key, the signature or the registers that it covers. */
export const tpmAuthenticityFailures: readonly TpmFailure[] = [
  ['TPM_KEY_NOT_PINNED', 'a key that the policy does not name', { section: { attestationKeys: ['00'.repeat(32)] } }],
  ['TPM_KEY', 'an RSA key for ECDSA', { trusted: rsaKeys }],
  ['TPM_KEY', 'an elliptic key for RSASSA', { quote: { keys: rsaKeys, scheme: 'rsassa' }, trusted: p256Keys }],
  ['TPM_SIGNATURE', 'another key', { trusted: p384Keys }],
  [
    'TPM_SIGNATURE',
    'RSASSA as RSAPSS',
    { quote: { keys: rsaKeys, scheme: 'rsassa', signature: put(0, 0x00, 0x16).quote.signature } },
  ],
  ['TPM_SIGNATURE', 'a changed nonce', { sent: (quote) => ({ ...quote, attest: flip(quote.attest, 20) }) }],
  ['TPM_PCR_VALUE', 'a value left out', { sent: (quote) => ({ ...quote, pcrs: { 'SHA-256': registers(23) } }) }],
  ['TPM_PCR_VALUE', 'a short value', { sent: (quote) => ({ ...quote, pcrs: { 'SHA-256': registers(24, 31) } }) }],
  [
    'TPM_PCR_DIGEST',
    'a digest by the hash of the bank, not of the signature',
    {
      quote: {
        keys: p384Keys,
        hash: 'SHA-384',
        beforeSigning: (attest) => concatBytes(attest.subarray(0, -50), u16be(32), bankDigest),
      },
    },
  ],
  [
    'TPM_PCR_DIGEST',
    'another value',
    { sent: (quote) => ({ ...quote, pcrs: { 'SHA-256': registers(24).set(20, new Uint8Array(32)) } }) },
  ],
];

/** What a policy does not accept. */
export const tpmAppraisalFailures: readonly TpmFailure[] = [
  ['TPM_NONCE_MISMATCH', 'for another session', { expectedReportData: new Uint8Array(32) }],
  ['TPM_NONCE_MISMATCH', 'a part of the nonce', { quote: { nonce: nonce.subarray(0, 31) } }],
  ['TPM_NONCE_MISMATCH', 'no nonce', { quote: { nonce: new Uint8Array() } }],
  ['TPM_CLOCK_UNSAFE', 'after a power cut', { quote: { safe: 0 } }],
  ['TPM_RESET', 'another start', { section: { resetCount: 2 } }],
  ['TPM_RESTART', 'resumed', { section: { restartCount: 0 }, quote: { restartCount: 1 } }],
  ['TPM_PCR_NOT_SELECTED', 'a pinned register left out', { quote: { pcrs: { 'SHA-256': registers(7) } } }],
  [
    'TPM_PCR_NOT_SELECTED',
    'a register that must be shown left out',
    {
      quote: { pcrs: { 'SHA-256': registers(10) } },
      section: { quotedPcrs: [10] },
    },
  ],
  [
    'TPM_PCR_NOT_SELECTED',
    'another bank',
    { section: { bank: 'SHA-384', measurements: [registerHex(4, 48)], pcrs: undefined } },
  ],
  ['TPM_MEASUREMENT_NOT_ALLOWED', 'another image', { section: { measurements: [registerHex(5)] } }],
  ['TPM_PCR_NOT_ALLOWED', 'another Secure Boot policy', { section: { pcrs: { 7: [registerHex(6)] } } }],
  ['EVENT_LOG_MISSING', 'a log that is required', { section: { eventLog: 'required' } }],
  ['EVENT_LOG_MISSING', 'a log whose events are listed', { section: { events: { 4: [loader] } } }],
  ['EVENT_LOG_MISSING', 'a log in which an event is required', { section: { requiredEvents: { 4: [loader] } } }],
  ['EVENT_LOG_MISMATCH', 'a log of another boot', booted({}, { log: await forgeEventLog([...boot, event(4, 'x')]) })],
  ['EVENT_LOG_MISMATCH', 'a log without the firmware', booted({}, { log: await forgeEventLog(boot.slice(1)) })],
  [
    'EVENT_LOG_MISMATCH',
    'a register that only software extends',
    booted({}, { log: await forgeEventLog([...boot, event(11, 'phase')]) }),
  ],
  [
    'EVENT_LOG_MISMATCH',
    'a register that the quote does not cover',
    booted(
      { measurementPcr: 0, measurements: [registerHex(0)] },
      { quote: { pcrs: { 'SHA-256': new Map([[0, new Uint8Array(32)]]) } } },
    ),
  ],
  ['EVENT_LOG_BANK', 'a log of SHA-1', booted({}, { log: await forgeEventLog(boot, { legacy: true }) })],
  ['EVENT_LOG_REGISTER', 'a dynamic launch', booted({}, { log: await forgeEventLog([...boot, event(18, 'x')]) })],
  ['EVENT_LOG_EVENTS_NOT_ALLOWED', 'another kernel', booted({ events: { 4: [loader, other] } })],
  ['EVENT_LOG_EVENTS_NOT_ALLOWED', 'an event too many', booted({ events: { 4: [loader] } })],
  ['EVENT_LOG_EVENTS_NOT_ALLOWED', 'an event too few', booted({ events: { 4: [loader, kernel, other] } })],
  ['EVENT_LOG_EVENT_MISSING', 'an event that did not happen', booted({ requiredEvents: { 4: [kernel, other] } })],
  ['EVENT_LOG_EVENT_MISSING', 'in another register', booted({ requiredEvents: { 0: [kernel] } })],
];
