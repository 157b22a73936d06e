import { factsOf, isErrorCode } from '@fastness/codec/errors';
import { describe, expect, it } from 'vitest';
import { parseAttestationPolicy, waivableChecks, withMeasurements } from '../src/index.ts';
import { waivableChecksOf } from '../src/waivers.ts';

const measurement = 'ab'.repeat(48);
const policy = {
  version: 1,
  id: 'test',
  snp: {
    products: ['Milan'],
    signingKeys: ['vcek'],
    vmpl: [0],
    measurements: [measurement],
    minimumTcb: {},
    smt: 'allow',
  },
  waivers: [],
};
const withSnp = (changes: object) => ({ ...policy, snp: { ...policy.snp, ...changes } });
const withRoot = (changes: object) => ({ ...policy, ...changes });
const gpu = { kind: 'nvidia-gpu', minimum: 1 };
const waiver = { check: 'SNP_CRL_MISSING', reason: 'no network' };

describe('attestation policy', () => {
  it('is read into a frozen copy', () => {
    const source = structuredClone(policy);
    const read = parseAttestationPolicy(source);
    source.snp.measurements.push('tampered');
    expect(read.snp?.measurements).toEqual([measurement]);
    expect(Object.isFrozen(read) && Object.isFrozen(read.snp) && Object.isFrozen(read.snp?.measurements)).toBe(true);
    expect(parseAttestationPolicy(read)).toBe(read);
  });

  it('accepts every field', () => {
    const full = {
      ...withSnp({
        minimumTcb: { Milan: { snp: 24 }, Turin: { fmc: 1 } },
        hostData: ['00'.repeat(32)],
        idKeyDigests: [measurement],
        authorKeyDigests: [measurement],
        chipIds: { allow: ['ab'.repeat(64)], deny: ['cd'.repeat(8)] },
        cspIds: ['CN=provider'],
        requireAliasCheck: true,
        requiredMitigations: '0000000000000003',
        requireProtections: ['ciphertext-hiding'],
        denyProducts: ['Turin'],
      }),
      devices: [gpu, { kind: 'tpm', minimum: 0, maximum: 1 }],
      simulated: { arkSpkiSha256: 'ab'.repeat(32) },
      waivers: [waiver],
    };
    expect(parseAttestationPolicy(full)).toEqual(full);
  });

  it.each([
    ['nothing', undefined],
    ['an unknown field', withRoot({ allowDebug: true })],
    ['an unknown field below', withSnp({ debug: 'refuse' })],
    ['another version', withRoot({ version: 2 })],
    ['no SNP section', { version: 1, id: 'test', waivers: [] }],
    ['no waivers list', { version: 1, id: 'test', snp: policy.snp }],
    ['no measurements', withSnp({ measurements: [] })],
    ['neither products nor denied ones', withSnp({ products: undefined })],
    ['products that are all denied', withSnp({ denyProducts: ['Milan'] })],
    ['devices of an unknown kind', withRoot({ devices: [{ kind: 'toaster', minimum: 1 }] })],
    ['devices of one kind twice', withRoot({ devices: [gpu, gpu] })],
    ['no device at most', withRoot({ devices: [{ ...gpu, minimum: 0, maximum: 0 }] })],
    ['no device exactly', withRoot({ devices: [{ ...gpu, minimum: 0 }] })],
    ['more devices than at most', withRoot({ devices: [{ ...gpu, maximum: 1, minimum: 2 }] })],
    ['a short measurement', withSnp({ measurements: ['ab'] })],
    ['an upper-case measurement', withSnp({ measurements: ['AB'.repeat(48)] })],
    ['a measurement twice', withSnp({ measurements: [measurement, measurement] })],
    ['no products', withSnp({ products: [] })],
    ['an unknown product', withSnp({ products: ['Rome'] })],
    ['no signing keys', withSnp({ signingKeys: [] })],
    ['a VMPL out of range', withSnp({ vmpl: [4] })],
    ['no SMT decision', withSnp({ smt: undefined })],
    ['no floors', withSnp({ minimumTcb: undefined })],
    ['a floor out of range', withSnp({ minimumTcb: { Milan: { snp: 256 } } })],
    ['a misspelt floor', withSnp({ minimumTcb: { Milan: { smp: 24 } } })],
    ['an undefined optional field', withSnp({ hostData: undefined })],
    ['an empty host data list', withSnp({ hostData: [] })],
    ['a waiver without a reason', withRoot({ waivers: [{ check: 'SNP_CRL_MISSING', reason: '' }] })],
    ['a waiver twice', withRoot({ waivers: [waiver, waiver] })],
    ['a waiver of a signature', withRoot({ waivers: [{ check: 'SNP_REPORT_SIGNATURE', reason: 'please' }] })],
    ['a waiver of the report data', withRoot({ waivers: [{ check: 'SNP_REPORT_DATA_MISMATCH', reason: 'please' }] })],
    [
      'a waiver of the simulated root',
      withRoot({ waivers: [{ check: 'SIMULATED_EVIDENCE_REFUSED', reason: 'please' }] }),
    ],
  ])('refuses %s', (_, value) => {
    expect(() => parseAttestationPolicy(value)).toThrow(expect.objectContaining({ code: 'ATTEST_POLICY_INVALID' }));
  });

  it('waives only checks that exist', () => {
    expect(Object.isFrozen(waivableChecks)).toBe(true);
    expect(waivableChecks.every((code) => isErrorCode(code))).toBe(true);
  });

  it('names the checks that a section can waive, and not those of every other', () => {
    const message = messageOf(withRoot({ waivers: [{ check: 'SNP_REPORT_SIGNATURE', reason: 'please' }] }));
    expect(message).toContain('waivers.0.check: SNP_REPORT_SIGNATURE is no check that can be waived');
    expect(message).toContain(`these can: ${waivableChecksOf.snp.join(', ')} for snp`);
    expect(message).not.toContain('NVIDIA');
    expect(messageOf(withRoot({ waivers: [{ check: 7, reason: 'please' }] }))).toContain('expected a check; these can');
    expect(messageOf({ version: 1, id: 'x', waivers: [{ check: 'X', reason: 'please' }] })).toContain('it has none');
  });

  it('knows for every waivable check which sections it is about', () => {
    expect(new Set(Object.values(waivableChecksOf).flat())).toEqual(new Set(waivableChecks));
  });
});

function messageOf(policy: unknown): string {
  try {
    parseAttestationPolicy(policy);
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
}

describe('withMeasurements', () => {
  it('fills in a release and checks what it fills in', () => {
    const open = parseAttestationPolicy(withSnp({ measurements: 'from-release' }));
    expect(withMeasurements(open, [measurement]).snp?.measurements).toEqual([measurement]);
    expect(open.snp?.measurements).toBe('from-release');
    expect(() => withMeasurements(open, [])).toThrow(expect.objectContaining({ code: 'ATTEST_POLICY_INVALID' }));
    expect(() => withMeasurements(open, ['xy'])).toThrow(expect.objectContaining({ code: 'ATTEST_POLICY_INVALID' }));
  });
});

describe('the classes of waivable checks', () => {
  it('tell lists and documents that are missing from ones that are wrong, whatever the vendor', () => {
    const ofLists = waivableChecks.filter((code) => /(?:CRL|OCSP|RIM|STATUS)_(?:MISSING|EXPIRED)$/.test(code));
    expect(ofLists.length).toBeGreaterThan(8);
    for (const code of ofLists)
      expect([code, factsOf(code).class]).toEqual([code, code.endsWith('MISSING') ? 'unavailable' : 'invalid']);
  });
});
