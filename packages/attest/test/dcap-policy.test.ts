import { describe, expect, it } from 'vitest';
import { parseAttestationPolicy, withMeasurements } from '../src/index.ts';

const mrTd = 'ab'.repeat(48);
const mrEnclave = 'cd'.repeat(32);
const tdx = { measurements: [mrTd], rtmrs: {}, tcbStatuses: ['UpToDate'], minimumTcbEvaluationDataNumber: 17 };
const sgx = { measurements: [mrEnclave], tcbStatuses: ['UpToDate'], minimumTcbEvaluationDataNumber: 17 };
const policy = (sections: object) => ({ version: 1, id: 'test', waivers: [], ...sections });

describe('a policy for Intel evidence', () => {
  it('accepts every field', () => {
    const platform = {
      tcbStatuses: ['UpToDate', 'SWHardeningNeeded', 'OutOfDate'],
      advisories: ['INTEL-SA-00837'],
      fmspcs: { allow: ['00806f050000'], deny: ['b0c06f000000'] },
      ppids: { allow: ['0f'.repeat(16)], deny: ['f0'.repeat(16)] },
    };
    const full = policy({
      tdx: {
        ...tdx,
        ...platform,
        rtmrs: { 0: [mrTd], 1: [mrTd], 2: [mrTd], 3: [mrTd] },
        septVeDisable: 'any',
        serviceTds: [mrTd],
        mrConfigIds: [mrTd],
        mrOwners: [mrTd],
      },
      sgx: { ...sgx, ...platform, signers: [{ mrSigner: mrEnclave, isvProdId: 1, minimumIsvSvn: 2 }] },
      waivers: [{ check: 'TDX_DEBUG_ALLOWED', reason: 'a debugging session' }],
    });
    expect(parseAttestationPolicy(full)).toEqual(full);
  });

  it.each([
    ['no registers', { tdx: { ...tdx, rtmrs: undefined } }],
    ['a fifth register', { tdx: { ...tdx, rtmrs: { 4: [mrTd] } } }],
    ['an unknown field', { tdx: { ...tdx, allowDebug: true } }],
    ['a revoked TCB', { tdx: { ...tdx, tcbStatuses: ['Revoked'] } }],
    ['no statuses', { sgx: { ...sgx, tcbStatuses: [] } }],
    ['no floor', { sgx: { measurements: [mrEnclave], tcbStatuses: ['UpToDate'] } }],
    ['any enclave', { sgx: { tcbStatuses: ['UpToDate'], minimumTcbEvaluationDataNumber: 17 } }],
    ['a measurement of the other TEE', { sgx: { ...sgx, measurements: [mrTd] } }],
    ['upper-case hex', { tdx: { ...tdx, fmspcs: { allow: ['00806F050000'] } } }],
    ['a check that cannot be waived', { tdx, waivers: [{ check: 'DCAP_TCB_INFO_WINDOW', reason: 'no' }] }],
  ])('refuses %s', (_, sections) => {
    expect(() => parseAttestationPolicy(policy(sections))).toThrow(
      expect.objectContaining({ code: 'ATTEST_POLICY_INVALID' }),
    );
  });

  it('takes measurements of a release for its own TEE alone', () => {
    const open = parseAttestationPolicy(
      policy({ tdx: { ...tdx, measurements: 'from-release' }, sgx: { ...sgx, measurements: 'from-release' } }),
    );
    const filled = withMeasurements(open, [mrTd], 'tdx');
    expect(filled.tdx?.measurements).toEqual([mrTd]);
    expect(filled.sgx?.measurements).toBe('from-release');
    expect(() => withMeasurements(open, [mrTd])).toThrow(expect.objectContaining({ code: 'ATTEST_TEE_NOT_ALLOWED' }));
  });
});
