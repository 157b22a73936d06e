import { errorRegistry } from '@fastness/codec/errors';
import { describe, expect, it } from 'vitest';
import { toEar, type WaivableCheck } from '../src/index.ts';
import { dcapAccepted, dcapFailures, dcapWaived } from './support/dcap-failures.ts';
import { judgeDcap, prepareDcap } from './support/dcap-forge.ts';
import { codeOf } from './support/errors.ts';

describe('forged Intel evidence with one thing wrong', () => {
  it.each(dcapFailures)('is refused: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeDcap(scenario))).toBe(code);
  });

  it('exists for every check', () => {
    const tested = new Set<string>(dcapFailures.map(([code]) => code));
    const codes = Object.keys(errorRegistry).filter((code) => /^(?:DCAP|TDX|SGX)_/.test(code));
    expect(codes.filter((code) => !tested.has(code))).toEqual([]);
  });
});

describe('forged Intel evidence', () => {
  it.each(dcapAccepted)('is accepted: %s', async (_, scenario) => {
    const { claims, waivers } = await judgeDcap(scenario);
    expect(claims).toMatchObject({ vendor: 'Intel', simulated: false, debug: false });
    expect(waivers).toEqual([]);
  });

  it.each(dcapWaived)('is accepted under a waiver that is reported: %s, %s', async (code, _, scenario) => {
    const waive: WaivableCheck[] = [code as WaivableCheck];
    const verdict = await judgeDcap({ ...scenario, waive });
    expect(verdict.waivers.map(({ check }) => check)).toEqual(waive);
    expect(verdict.claims.debug).toBe(code.endsWith('DEBUG_ALLOWED'));
    const { evidence } = await prepareDcap(scenario);
    const ear = toEar(verdict, {
      verifierId: { developer: 'test', build: '1' },
      policyId: verdict.policyId,
      nonce: new Uint8Array(32),
      issuedAt: new Date(0),
      rawEvidence: evidence,
    });
    expect(ear.ear_status).toBe(code.endsWith('DEBUG_ALLOWED') ? 'contraindicated' : 'warning');
  });

  it('is affirmed in results where its TCB is up to date, and warned of elsewhere', async () => {
    const { evidence } = await prepareDcap();
    const options = {
      verifierId: { developer: 'test', build: '1' },
      policyId: 'test',
      nonce: new Uint8Array(32),
      issuedAt: new Date(0),
      rawEvidence: evidence,
    };
    expect(toEar(await judgeDcap(), options).ear_status).toBe('affirming');
    const outdated = await judgeDcap({
      collateral: {
        qeIdentity: { tcbLevels: [{ tcb: { isvsvn: 1 }, tcbDate: '2020-01-01', tcbStatus: 'OutOfDate' }] },
      },
      section: { tcbStatuses: ['OutOfDate'] },
    });
    expect(toEar(outdated, options).ear_status).toBe('warning');
  });
});
