import { concatBytes, toHex, u16be, u32be } from '@fastness/codec';
import { errorRegistry, FastnessError } from '@fastness/codec/errors';
import { forgeEventLog } from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import { checksOf, parseAttestationPolicy, toEar, verifyEvidence } from '../src/index.ts';
import {
  appraise,
  attestationKeyOf,
  authenticate,
  parse,
  type AuthenticQuote,
  type ClaimedKey,
  type ParsedQuote,
} from '../src/formats/tpm/index.ts';
import { codeOf } from './support/errors.ts';
import { scramble } from './support/scramble.ts';
import {
  boot,
  bootSection,
  digestOf,
  tpmAppraisalFailures,
  tpmAuthenticityFailures,
  tpmReadFailures,
} from './support/tpm-failures.ts';
import {
  flip,
  judgeTpm,
  nonce,
  p256Keys,
  p384Keys,
  prepareTpm,
  registerHex,
  registers,
  rsaKeys,
} from './support/tpm-forge.ts';
import { unsignedPart } from './support/unsigned.ts';

describe('a forged TPM quote with one thing wrong', () => {
  it.each(tpmReadFailures)('is not read: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeTpm(scenario))).toBe(code);
  });

  it.each(tpmAuthenticityFailures)('is not authentic: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeTpm(scenario))).toBe(code);
  });

  it.each(tpmAppraisalFailures)('is not acceptable: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeTpm(scenario))).toBe(code);
  });

  it('exists for every check', () => {
    const failures = [...tpmReadFailures, ...tpmAuthenticityFailures, ...tpmAppraisalFailures];
    const tested = new Set<string>(failures.map(([code]) => code));
    // Tested with the public area of a key, which evidence does not hold.
    for (const code of ['TPM_PUBLIC', 'TPM_KEY_ATTRIBUTES']) tested.add(code);
    const codes = Object.keys(errorRegistry).filter(
      (code) => code.startsWith('TPM_') && !/^TPM_(?:AK|DEVICE)_/.test(code) && !tested.has(code),
    );
    expect(codes).toEqual([]);
  });

  it('is refused wherever a bit changes', async () => {
    const options = await prepareTpm({ events: boot, section: bootSection });
    expect(await codeOf(verifyEvidence(options))).toBe('accepted');
    const { evidence } = options;
    const accepted: number[] = [];
    for (let position = 0; position < evidence.value.length; position += 3) {
      const changed = { ...evidence, value: flip(evidence.value, position) };
      const code = await codeOf(verifyEvidence({ ...options, evidence: changed }));
      if (code === 'accepted') accepted.push(position);
    }
    // No signature covers the data of events, only the digests that are extended; SHA-1 and SHA-384 are not replayed.
    const free = unsignedPart(evidence.value, await forgeEventLog(boot));
    expect(accepted.filter((position) => !free(position))).toEqual([]);
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
    const { claims, checks, waivers } = await judgeTpm({ quote: { scheme, keys, hash }, section: { resetCount: 3 } });
    expect(claims).toMatchObject({
      tee: 'tpm',
      vendor: 'none',
      simulated: false,
      debug: false,
      measurement: registerHex(4),
      measurementPcr: 4,
      bank: 'SHA-256',
      reportData: toHex(nonce),
      clock: { milliseconds: '123456', resetCount: 3, restartCount: 0, safe: true },
    });
    expect(claims.identity).toEqual({ kind: 'attestation-key', value: claims.attestationKey });
    expect(Object.keys(claims.pcrs)).toHaveLength(24);
    expect(claims.eventLog).toBeUndefined();
    expect([waivers, checks.filter(({ outcome }) => outcome === 'waived')]).toEqual([[], []]);
    expect(JSON.parse(JSON.stringify(claims))).toEqual(claims);
  });

  it('may cover several banks; only that of the policy counts', async () => {
    const pcrs = { 'SHA-256': registers(24), 'SHA-384': registers(24, 48) };
    expect(await codeOf(judgeTpm({ quote: { pcrs } }))).toBe('accepted');
    const section = { bank: 'SHA-384', measurements: [registerHex(4, 48)], pcrs: { 7: [registerHex(7, 48)] } };
    const { claims } = await judgeTpm({ quote: { pcrs }, section });
    expect(claims).toMatchObject({ bank: 'SHA-384', measurement: registerHex(4, 48) });
  });

  it('may have an unsafe clock, and registers that are only shown, where the policy says so', async () => {
    expect(await codeOf(judgeTpm({ quote: { safe: 0 }, section: { safeClock: 'any' } }))).toBe('accepted');
    expect(await codeOf(judgeTpm({ section: { quotedPcrs: [0, 23], restartCount: 0 } }))).toBe('accepted');
  });

  it('may come with a log that explains its registers', async () => {
    const [loader, kernel] = await Promise.all([digestOf('loader'), digestOf('kernel')]);
    const { claims } = await judgeTpm({
      events: boot,
      section: { ...bootSection, events: { 4: [loader, kernel] }, requiredEvents: { 4: [kernel] } },
    });
    expect(claims.eventLog).toEqual({ events: 3, replayedPcrs: [0, 1, 2, 3, 4, 5, 6, 7] });
    const extended = { ...bootSection, eventLogPcrs: [0, 4] };
    const more = [...boot, { pcr: 11, type: 5, data: new Uint8Array(1) }];
    const { claims: later } = await judgeTpm({
      events: boot,
      log: await forgeEventLog(more),
      section: extended,
    });
    expect(later.eventLog).toEqual({ events: 4, replayedPcrs: [0, 4] });
  });

  it('has a nonce of 1 to 64 bytes', async () => {
    for (const length of [1, 2, 20, 32, 48, 64]) {
      const asked = new Uint8Array(length).fill(7);
      expect(await codeOf(judgeTpm({ quote: { nonce: asked }, expectedReportData: asked }))).toBe('accepted');
    }
    for (const length of [0, 65]) {
      const asked = new Uint8Array(length);
      expect(await codeOf(judgeTpm({ expectedReportData: asked }))).toBe('ATTEST_ARGUMENT_INVALID');
    }
  });

  it('makes an attestation result that is a warning at best', async () => {
    const options = await prepareTpm();
    const verdict = await verifyEvidence(options);
    const ear = toEar(verdict, {
      verifierId: { build: 'test', developer: 'https://fastness.invalid' },
      policyId: 'p',
      nonce,
      issuedAt: new Date(0),
      rawEvidence: options.evidence,
    });
    expect(ear).toMatchObject({ ear_status: 'warning' });
  });

  it('needs every stage, and a policy that is complete', async () => {
    const faked = {} as unknown as ParsedQuote<ClaimedKey> & AuthenticQuote<undefined>;
    const { policy, evidence } = await prepareTpm();
    const now = new Date(0);
    expect(await codeOf(authenticate(faked, { policy, now }))).toBe('ATTEST_STAGE_SKIPPED');
    expect(await codeOf(appraise(faked, { policy, expectedReportData: nonce }))).toBe('ATTEST_STAGE_SKIPPED');
    const authentic = await authenticate(parse(evidence), { policy, now });
    expect(await codeOf(appraise(authentic, { policy, expectedReportData: nonce }))).toBe('accepted');
    // Nobody changes a register between the stages.
    const parts = [authentic, authentic.quote, authentic.pcrs, authentic.pcrs['SHA-256'], authentic.checks];
    expect(parts.every((part) => Object.isFrozen(part))).toBe(true);
    const open = parseAttestationPolicy({ ...policy, tpm: { ...policy.tpm, measurements: 'from-release' } });
    expect(await codeOf(appraise(authentic, { policy: open, expectedReportData: nonce }))).toBe(
      'ATTEST_POLICY_INCOMPLETE',
    );
    expect(await codeOf(() => parse({ ...evidence, type: 'application/vnd.fastness.sgx-quote' }))).toBe(
      'ATTEST_EVIDENCE_UNSUPPORTED',
    );
  });

  it('is judged by policies whose digests are of the bank', async () => {
    for (const section of [
      { measurements: [registerHex(4, 48)] },
      { bank: 'SHA-384' },
      { pcrs: { 7: [registerHex(7, 64)] } },
      { events: { 4: [registerHex(7, 48)] } },
      { requiredEvents: { 4: [registerHex(7, 48)] } },
      { pcrs: {} },
      { pcrs: { 24: [registerHex(4)] } },
      { attestationKeys: [] },
    ]) {
      expect(await codeOf(judgeTpm({ section }))).toBe('ATTEST_POLICY_INVALID');
    }
  });
});

describe('a register that differs', () => {
  const message = async (attempt: Promise<unknown>): Promise<string> => {
    try {
      await attempt;
      return 'accepted';
    } catch (error) {
      return error instanceof FastnessError ? `${error.code} ${error.message}` : 'another error';
    }
  };

  it('is named, with every other that does', async () => {
    const section = { measurements: [registerHex(5)], pcrs: { 7: [registerHex(6)], 0: [registerHex(0)] } };
    const text = await message(judgeTpm({ section }));
    expect(text).toContain('TPM_MEASUREMENT_NOT_ALLOWED');
    expect(text).toContain(`PCR4 ${registerHex(5)}; PCR7 ${registerHex(6)}; found PCR4 ${registerHex(4)}; PCR7`);
    expect(text).not.toContain('PCR0');
  });

  it('is explained by its first event that differs', async () => {
    const [loader, kernel, other] = await Promise.all([digestOf('loader'), digestOf('kernel'), digestOf('other')]);
    const section = { ...bootSection, pcrs: { 4: [registerHex(4)] }, events: { 4: [loader, other] } };
    const attempt = judgeTpm({ events: boot, section });
    expect(await message(attempt)).toContain(
      `event 2 (EV_EFI_BOOT_SERVICES_APPLICATION) of PCR4: expected ${other}; found ${kernel}`,
    );
    const error: unknown = await attempt.catch((cause: unknown) => cause);
    expect(checksOf(error)?.failed).toMatchObject({ code: 'TPM_PCR_NOT_ALLOWED' });
    expect(checksOf(error)?.before.map(({ code }) => code)).toContain('EVENT_LOG_MISMATCH');
    const contradiction = { ...section, events: { 4: [loader, kernel] } };
    expect(await message(judgeTpm({ events: boot, section: contradiction }))).toContain('contradicts itself');
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

describe('scrambled evidence of a TPM', () => {
  it('is read or refused, and never crashes a reader', async () => {
    const { evidence } = await prepareTpm({ events: boot });
    const codes = new Set<string>();
    for (let seed = 0; seed < 3000; seed += 1) {
      codes.add(await codeOf(() => parse({ ...evidence, value: scramble(evidence.value, seed) })));
      expect(await codeOf(() => attestationKeyOf(scramble(publicArea(), seed)))).not.toMatch(/^ATTEST_/);
    }
    expect(codes.size).toBeGreaterThan(5);
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
