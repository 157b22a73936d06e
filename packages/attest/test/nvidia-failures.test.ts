import { errorRegistry } from '@fastness/codec/errors';
import { describe, expect, it } from 'vitest';
import { codeOf } from './support/errors.ts';
import { appraisalFailures } from './support/nvidia-failures-appraise.ts';
import { documentFailures, ocspFailures } from './support/nvidia-failures-endorsements.ts';
import { deviceFailures, envelopeFailures, messageFailures } from './support/nvidia-failures-report.ts';
import { judgeNvidia } from './support/nvidia-forge.ts';

describe('forged NVIDIA reports with one thing wrong', () => {
  it.each([...envelopeFailures, ...messageFailures])('are not read: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeNvidia(scenario))).toBe(code);
  });

  it.each(deviceFailures)('are not authentic: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeNvidia(scenario))).toBe(code);
  });

  it.each(documentFailures)('have no documents to rely on: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeNvidia(scenario))).toBe(code);
  });

  it.each(ocspFailures)('may be revoked: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeNvidia(scenario))).toBe(code);
  });

  it.each(appraisalFailures)('are not acceptable: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeNvidia(scenario))).toBe(code);
  });

  it('exist for every check', () => {
    const failures = [
      ...messageFailures,
      ...deviceFailures,
      ...documentFailures,
      ...ocspFailures,
      ...appraisalFailures,
    ];
    const tested = new Set<string>(failures.map(([code]) => code));
    // Tested with the accepted reports: it takes several.
    tested.add('NVIDIA_DEVICE_REPEATED');
    const codes = Object.keys(errorRegistry).filter((code) => code.startsWith('NVIDIA_'));
    expect(codes.filter((code) => !tested.has(code))).toEqual([]);
  });
});
