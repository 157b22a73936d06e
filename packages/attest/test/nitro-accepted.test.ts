import { concatBytes, toHex } from '@fastness/codec';
import { forgedPcrs } from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import { parseAttestationPolicy, toEar, trustworthinessOf, verifyEvidence } from '../src/index.ts';
import {
  appraise,
  authenticate,
  parse,
  type AuthenticDocument,
  type ParsedDocument,
} from '../src/formats/nitro/index.ts';
import { codeOf } from './support/errors.ts';
import { after, hexOf, judgeNitro, nitroAnchors, now, prepareNitro, reportData } from './support/nitro-forge.ts';

const nonce = new Uint8Array(32).fill(9);
const zeroPcr0 = new Map([...forgedPcrs(16), [0, new Uint8Array(48)] as const]);
const zeros = { measurements: ['00'.repeat(48)] };

describe('a genuine Nitro document', () => {
  it('of an enclave yields claims', async () => {
    const { claims, waivers, policyId } = await judgeNitro({
      document: { publicKey: new Uint8Array([1, 2, 3]), nonce },
      section: {
        pcrs: { 8: [hexOf(3), hexOf(8)] },
        instances: { allow: ['i-0f0f0f0f0f0f0f0f0'], deny: ['i-00000000'] },
      },
    });
    expect(claims).toMatchObject({
      tee: 'aws-nitro',
      simulated: false,
      vendor: 'AWS',
      identity: { kind: 'instance-id', value: 'i-0f0f0f0f0f0f0f0f0-enc0123456789abcdef' },
      instance: 'i-0f0f0f0f0f0f0f0f0',
      measurement: hexOf(0),
      debug: false,
      reportData: toHex(reportData),
      userData: toHex(reportData),
      nonce: toHex(nonce),
      publicKey: '010203',
      signedAt: after(-1).toISOString(),
      verifiedAt: now.toISOString(),
    });
    expect('pcrs' in claims && Object.keys(claims.pcrs).length).toBe(16);
    expect(waivers).toEqual([]);
    expect(policyId).toBe('forged-documents');
  });

  it('of NitroTPM yields claims, measured by PCR4', async () => {
    const { claims } = await judgeNitro({ kind: 'nitrotpm' });
    expect(claims).toMatchObject({ tee: 'aws-nitrotpm', measurement: hexOf(4), instance: 'i-0f0f0f0f0f0f0f0f0' });
    expect('publicKey' in claims || 'nonce' in claims).toBe(false);
  });

  it('may be tagged, bind through the nonce, and come at the edges of its time', async () => {
    expect(await codeOf(judgeNitro({ document: { tagged: true } }))).toBe('accepted');
    const bound = { document: { userData: new Uint8Array(), nonce: reportData }, section: { binding: 'nonce' } };
    expect(await codeOf(judgeNitro(bound))).toBe('accepted');
    expect(await codeOf(judgeNitro({ document: { timestamp: after(1) } }))).toBe('accepted');
    expect(await codeOf(judgeNitro({ document: { timestamp: after(-5) } }))).toBe('accepted');
    const old = { document: { timestamp: after(-20) }, section: { maxAgeSeconds: 1200 } };
    expect(await codeOf(judgeNitro(old))).toBe('accepted');
  });

  it('may leave optional fields out, and end its map with a break', async () => {
    const left = { document: { fields: (fields: Map<string, unknown>) => void fields.delete('nonce') } };
    expect(await codeOf(judgeNitro(left))).toBe('accepted');
    const open = (payload: Uint8Array) => concatBytes(Uint8Array.of(0xbf), payload.subarray(1), Uint8Array.of(0xff));
    expect(await codeOf(judgeNitro({ document: { payload: open } }))).toBe('accepted');
  });

  it('needs no signature over the known root, and one over any other certificate of its key', async () => {
    const signature = (bytes: Uint8Array) => bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte));
    const chain = { levels: { root: { tamper: { signature } } } };
    expect(await codeOf(judgeNitro({ chain }))).toBe('NITRO_ROOT_SIGNATURE');
    expect(await codeOf(judgeNitro({ anchors: (forged) => nitroAnchors(forged, true) }))).toBe('accepted');
  });

  it('of a debug enclave is accepted under a waiver only, and the result says so', async () => {
    const verdict = await judgeNitro({ document: { pcrs: zeroPcr0 }, section: zeros, waive: ['NITRO_DEBUG'] });
    expect(verdict.claims.debug).toBe(true);
    expect(verdict.waivers).toMatchObject([{ check: 'NITRO_DEBUG', reason: 'because of NITRO_DEBUG', actual: 'zero' }]);
    expect(trustworthinessOf(verdict)).toMatchObject({ configuration: 96, executables: 96, 'runtime-opaque': 96 });
    const unneeded = await judgeNitro({ waive: ['NITRO_DEBUG'] });
    expect(unneeded.waivers).toEqual([]);
  });

  it('becomes an attestation result that warns of what the hypervisor sees', async () => {
    const { evidence, ...options } = await prepareNitro();
    const verdict = await verifyEvidence({ ...options, evidence });
    const ear = toEar(verdict, {
      verifierId: { developer: 'https://example.org', build: '1' },
      policyId: 'p',
      nonce,
      issuedAt: now,
      rawEvidence: evidence,
    });
    expect(ear.ear_status).toBe('warning');
    expect(ear.submods['cpu0']?.ear_trustworthiness_vector).toEqual({
      'instance-identity': 2,
      configuration: 2,
      executables: 3,
      hardware: 2,
      'runtime-opaque': 32,
    });
  });
});

describe('a Nitro policy', () => {
  const parsePolicy = (section: object) => parseAttestationPolicy({ version: 1, id: 'p', nitro: section, waivers: [] });

  it.each([
    ['no measurements', {}],
    ['an empty list of measurements', { measurements: [] }],
    ['a short measurement', { measurements: ['00'] }],
    ['no register', { ...zeros, pcrs: {} }],
    ['an empty list for a register', { ...zeros, pcrs: { 8: [] } }],
    ['register 32', { ...zeros, pcrs: { 32: zeros.measurements } }],
    ['register 01', { ...zeros, pcrs: { '01': zeros.measurements } }],
    ['an unknown field', { ...zeros, pcr: {} }],
    ['an age of a day', { ...zeros, maxAgeSeconds: 86_400 }],
    ['another binding', { ...zeros, binding: 'public-key' }],
  ])('is refused with %s', async (_, section) => {
    expect(await codeOf(() => parsePolicy(section))).toBe('ATTEST_POLICY_INVALID');
  });

  it('speaks for its own kind of document alone', async () => {
    const options = await prepareNitro({ kind: 'nitrotpm' });
    const policy = parsePolicy({ measurements: [hexOf(4)] });
    expect(await codeOf(verifyEvidence({ ...options, policy }))).toBe('ATTEST_TEE_NOT_ALLOWED');
    const open = parsePolicy({ measurements: 'from-release' });
    const enclave = await prepareNitro();
    expect(await codeOf(verifyEvidence({ ...enclave, policy: open }))).toBe('ATTEST_POLICY_INCOMPLETE');
  });
});

describe('the stages of Nitro', () => {
  it('cannot be skipped', async () => {
    const options = await prepareNitro();
    const parsed = parse(options.evidence);
    // @ts-expect-error a parsed document is not an authentic one
    expect(await codeOf(() => appraise(parsed, options))).toBe('ATTEST_STAGE_SKIPPED');
    const copied = Object.assign(Object.create(null), parsed) as ParsedDocument;
    expect(await codeOf(authenticate(copied, options))).toBe('ATTEST_STAGE_SKIPPED');
    const faked = Object.assign(Object.create(null), parsed, { at: 0, waivers: [] }) as AuthenticDocument;
    expect(await codeOf(() => appraise(faked, options))).toBe('ATTEST_STAGE_SKIPPED');
  });

  it('compare a nonce beside the report data', async () => {
    const options = await prepareNitro({ document: { nonce } });
    const authentic = await authenticate(parse(options.evidence), options);
    const withNonce = (expectedNonce: Uint8Array) => () => appraise(authentic, { ...options, expectedNonce });
    expect(await codeOf(withNonce(nonce))).toBe('accepted');
    expect(await codeOf(withNonce(new Uint8Array(32)))).toBe('NITRO_NONCE_MISMATCH');
    expect(await codeOf(withNonce(new Uint8Array(31)))).toBe('ATTEST_ARGUMENT_INVALID');
    const bare = await prepareNitro();
    const without = await authenticate(parse(bare.evidence), bare);
    expect(await codeOf(() => appraise(without, { ...bare, expectedNonce: nonce }))).toBe('NITRO_NONCE_MISMATCH');
  });

  it('take no endorsements and no short report data', async () => {
    const options = await prepareNitro();
    const stray = { ...options, endorsements: [options.evidence] };
    expect(await codeOf(verifyEvidence(stray))).toBe('ATTEST_ENDORSEMENT_UNSUPPORTED');
    for (const length of [0, 31, 513]) {
      const expectedReportData = new Uint8Array(length);
      expect(await codeOf(verifyEvidence({ ...options, expectedReportData }))).toBe('ATTEST_ARGUMENT_INVALID');
    }
  });
});
