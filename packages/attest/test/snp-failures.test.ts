import { errorRegistry } from '@fastness/codec/errors';
import { describe, expect, it } from 'vitest';
import { codeOf } from './support/errors.ts';
import { judge } from './support/forge.ts';
import { appraisalFailures } from './support/snp-failures-appraise.ts';
import { certificateFailures } from './support/snp-failures-certificates.ts';
import { leafFailures } from './support/snp-failures-leaf.ts';
import { signatureFailures } from './support/snp-failures-signatures.ts';

const authentication = [...certificateFailures, ...signatureFailures, ...leafFailures];

describe('forged evidence with one thing wrong', () => {
  it.each(authentication)('is not authentic: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judge(scenario))).toBe(code);
  });

  it.each(appraisalFailures)('is not acceptable: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judge(scenario))).toBe(code);
  });

  it('is accepted with nothing wrong', async () => {
    expect(await codeOf(judge())).toBe('accepted');
    expect(await codeOf(judge({ kind: 'vlek' }))).toBe('accepted');
  });

  it('exists for every check', () => {
    const tested = new Set<string>([...authentication, ...appraisalFailures].map(([code]) => code));
    // Tested with the certificate table itself.
    tested.add('SNP_CERT_TABLE_MALFORMED');
    const codes = Object.keys(errorRegistry).filter((code) => code.startsWith('SNP_'));
    expect(codes.filter((code) => !tested.has(code))).toEqual([]);
  });
});
