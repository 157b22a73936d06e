import { toHex } from '@fastness/codec';
import { errorRegistry } from '@fastness/codec/errors';
import { forgeRuntimeData, hclReportData } from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import { toEar, VerificationCache, verifyEvidence } from '../src/index.ts';
import {
  appraise,
  authenticate,
  parse,
  type AuthenticMachine,
  type AuthenticQuote,
  type ClaimedMachine,
  type ParsedQuote,
} from '../src/formats/azure-vtpm/index.ts';
import { azureAppraisalFailures, azureAuthenticityFailures, azureReadFailures } from './support/azure-vtpm-failures.ts';
import { hardwareMeasurement, judgeAzureVtpm, prepareAzureVtpm, vmId } from './support/azure-vtpm-forge.ts';
import { codeOf } from './support/errors.ts';
import { scramble } from './support/scramble.ts';
import { flip, nonce, registerHex, rsaKeys } from './support/tpm-forge.ts';
import { unsignedPart } from './support/unsigned.ts';

const failures = [...azureReadFailures, ...azureAuthenticityFailures, ...azureAppraisalFailures];

describe('forged evidence of an Azure confidential VM with one thing wrong', () => {
  it.each(failures)('is refused: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeAzureVtpm(scenario))).toBe(code);
  });

  it('exists for every check', () => {
    const tested = new Set<string>(failures.map(([code]) => code));
    const codes = Object.keys(errorRegistry).filter((code) => code.startsWith('AZURE_VTPM_'));
    expect(codes.filter((code) => !tested.has(code))).toEqual([]);
  });

  it.each(['snp', 'tdx'] as const)('is refused wherever a bit changes, with %s', async (hardware) => {
    const options = await prepareAzureVtpm({ hardware });
    const { evidence } = options;
    const cache = new VerificationCache();
    const accepted: number[] = [];
    for (let position = 0; position < evidence.value.length; position += hardware === 'snp' ? 7 : 13) {
      const changed = { ...evidence, value: flip(evidence.value, position) };
      const code = await codeOf(verifyEvidence({ ...options, cache, evidence: changed }));
      if (code === 'accepted') accepted.push(position);
    }
    const free = unsignedPart(evidence.value);
    expect(accepted.filter((position) => !free(position))).toEqual([]);
  });

  it('is read or refused when it was scrambled, and never crashes a reader', async () => {
    for (const hardware of ['snp', 'tdx'] as const) {
      const { evidence, endorsements } = await prepareAzureVtpm({ hardware });
      const codes = new Set<string>();
      for (let seed = 0; seed < 500; seed += 1) {
        codes.add(await codeOf(() => parse({ ...evidence, value: scramble(evidence.value, seed) }, endorsements)));
      }
      expect(codes.size).toBeGreaterThan(5);
    }
  });
});

describe('genuine evidence of an Azure confidential VM', () => {
  it.each([
    ['snp', 'sev-snp', 'AMD'],
    ['tdx', 'tdx', 'Intel'],
  ] as const)('is accepted with %s, and carries the claims of the hardware', async (hardware, tee, vendor) => {
    const { claims, waivers, checks } = await judgeAzureVtpm({ hardware, section: { vms: { allow: [vmId] } } });
    const bound = await hclReportData(await forgeRuntimeData(rsaKeys));
    expect(claims).toMatchObject({
      tee: 'azure-vtpm',
      vendor: 'Microsoft',
      identity: { kind: 'vm-id', value: vmId },
      secureBoot: true,
      consoleEnabled: true,
      tpmPersisted: true,
      userData: '00'.repeat(64),
      debug: false,
      measurement: registerHex(4),
      reportData: toHex(nonce),
      hardware: { tee, vendor, measurement: toHex(hardwareMeasurement), reportData: toHex(bound) },
    });
    expect(waivers).toEqual([]);
    const codes = checks.map(({ code }) => code);
    const hardwareCode = hardware === 'snp' ? 'SNP_REPORT_SIGNATURE' : 'DCAP_QUOTE_SIGNATURE';
    expect(codes).toContain(hardwareCode);
    // No signature is verified twice.
    for (const code of [hardwareCode, 'TPM_SIGNATURE']) {
      expect(codes.filter((candidate) => candidate === code)).toHaveLength(1);
    }
    expect(JSON.parse(JSON.stringify(claims))).toEqual(claims);
  });

  it('may show a certificate of its key that Azure issued', async () => {
    const { claims } = await judgeAzureVtpm({ certified: true, section: { akCertificate: 'required' } });
    expect(claims.akCertificate).toBe('0123456789ab.ConfidentialVM.Azure.windows.net');
    // Nobody asked, so nobody looked.
    const expired = { levels: { leaf: { validity: { notBefore: new Date(0), notAfter: new Date(1) } } } };
    const unasked = await judgeAzureVtpm({ certified: true, akChain: expired });
    expect(unasked.claims.akCertificate).toBeUndefined();
  });

  it('may run without Secure Boot where the policy says so', async () => {
    const { claims } = await judgeAzureVtpm({
      runtime: (runtime) => ({
        ...runtime,
        'user-data': 'AB',
        'vm-configuration': { 'secure-boot': false, vmUniqueId: vmId, 'something-new': [1] },
      }),
      section: { secureBoot: 'any' },
    });
    expect(claims).toMatchObject({ secureBoot: false, userData: 'ab' });
    expect('consoleEnabled' in claims).toBe(false);
  });

  it('is under the waivers of its hardware, and says so', async () => {
    const options = await prepareAzureVtpm({ debug: true, waive: ['SNP_DEBUG_ALLOWED'] });
    const verdict = await verifyEvidence(options);
    expect(verdict.claims.debug).toBe(true);
    expect(verdict.waivers.map(({ check }) => check)).toEqual(['SNP_DEBUG_ALLOWED']);
    const ear = (of: typeof verdict) =>
      toEar(of, {
        verifierId: { build: 'test', developer: 'https://fastness.invalid' },
        policyId: 'p',
        nonce,
        issuedAt: new Date(0),
        rawEvidence: options.evidence,
      }).ear_status;
    expect(ear(verdict)).toBe('contraindicated');
    expect(ear(await judgeAzureVtpm())).toBe('affirming');
    expect(ear(await judgeAzureVtpm({ hardware: 'tdx' }))).toBe('affirming');
  });

  it('needs every stage', async () => {
    const { policy, anchors, now } = await prepareAzureVtpm();
    const faked = {} as unknown as ParsedQuote<ClaimedMachine> & AuthenticQuote<AuthenticMachine>;
    expect(await codeOf(authenticate(faked, { policy, anchors, now }))).toBe('ATTEST_STAGE_SKIPPED');
    expect(await codeOf(appraise(faked, { policy, expectedReportData: nonce }))).toBe('ATTEST_STAGE_SKIPPED');
  });
});
