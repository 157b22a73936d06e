import { encodePem } from '@fastness/codec';
import { describe, expect, it } from 'vitest';
import { CMW_EVIDENCE, sectionOf, verifyEvidence, type Cmw } from '../src/index.ts';
import { appraise, authenticate, encodeDcapCollateral, parse, type DcapCollateral } from '../src/formats/tdx/index.ts';
import * as sgx from '../src/formats/sgx/index.ts';
import { mergeStatus } from '../src/formats/dcap/tcb.ts';
import { judgeDcap, prepareDcap } from './support/dcap-forge.ts';
import { codeOf } from './support/errors.ts';

/** A copy with one bit changed; the bit moves with the position, so that all eight are sampled. */
function flip(bytes: Uint8Array, position: number): Uint8Array {
  const flipped = bytes.slice();
  flipped[position] = (flipped[position] ?? 0) ^ (1 << ((position * 5 + 3) % 8));
  return flipped;
}

const { chain: _chain, collateral, ...options } = await prepareDcap();
const { chain: _sgxChain, collateral: _sgxCollateral, ...sgxOptions } = await prepareDcap({ kind: 'sgx' });

async function outcomes(
  length: number,
  step: number,
  attempt: (position: number) => Promise<unknown>,
): Promise<Map<string, number[]>> {
  const positions = new Map<string, number[]>();
  for (let position = 0; position < length; position += step) {
    const code = await codeOf(attempt(position));
    positions.set(code, [...(positions.get(code) ?? []), position]);
  }
  return positions;
}

describe('a changed bit', () => {
  it.each([
    ['TDX', options],
    ['SGX', sgxOptions],
  ] as const)('anywhere in the signed part of a %s quote is refused', { timeout: 120_000 }, async (_name, given) => {
    const { evidence } = given;
    // Up to the certificates no byte is free; of those, PEM allows some freedom (space, text around blocks).
    const pem = new TextDecoder('latin1').decode(evidence.value).indexOf('-----BEGIN');
    expect(pem).toBeGreaterThan(900);
    const codes = await outcomes(pem, 2, async (position) =>
      verifyEvidence({ ...given, evidence: { ...evidence, value: flip(evidence.value, position) } }),
    );
    expect(codes.get('accepted')).toBeUndefined();
    expect(codes.get('DCAP_QUOTE_SIGNATURE')?.length).toBeGreaterThan(150);
    expect(codes.get('DCAP_QE_REPORT_SIGNATURE')?.length).toBeGreaterThan(150);
  });

  it('in the certificates changes nothing that counts', { timeout: 120_000 }, async () => {
    const { evidence } = options;
    const pem = new TextDecoder('latin1').decode(evidence.value).indexOf('-----BEGIN');
    const { claims } = await verifyEvidence(options);
    const step = 7;
    for (let position = pem; position < evidence.value.length; position += step) {
      const changed: Cmw = { ...evidence, value: flip(evidence.value, position) };
      const code = await codeOf(async () => {
        const verdict = await verifyEvidence({ ...options, evidence: changed });
        expect(verdict.claims).toEqual(claims);
      });
      // Space at the end of a line and text between blocks mean nothing in PEM.
      if (code === 'accepted') expect(String.fromCharCode(evidence.value[position] ?? 0)).toMatch(/[\s]/);
    }
  });

  it('anywhere in what names the PCK certificate is refused, though nothing signs it', async () => {
    const { evidence, ...named } = await prepareDcap({
      quote: { certificationType: 1 },
      sent: (all, { certificates }) => ({
        ...all,
        pckCertificateChain: certificates.map((der) => encodePem(der, 'CERTIFICATE')).join(''),
      }),
    });
    expect(await codeOf(verifyEvidence({ ...named, evidence }))).toBe('accepted');
    const { value } = evidence;
    // PPID, CPUSVN, PCESVN and PCEID: the last 36 bytes of the quote.
    const codes = await outcomes(36, 1, async (position) =>
      verifyEvidence({ ...named, evidence: { ...evidence, value: flip(value, value.length - 36 + position) } }),
    );
    expect(codes.get('DCAP_PCK_PPID_MISMATCH')).toHaveLength(16);
    expect(codes.get('DCAP_PCK_TCB_MISMATCH')).toHaveLength(20);
  });

  it.each(['tcbInfo', 'qeIdentity', 'rootCaCrl', 'pckCrl'] as const)(
    'in the signed part of %s is refused',
    { timeout: 120_000 },
    async (name) => {
      const original = collateral[name];
      const bytes = typeof original === 'string' ? new TextEncoder().encode(original) : original;
      const codes = await outcomes(bytes.length, 3, async (position) => {
        const changed = flip(bytes, position).map((byte) => (typeof original === 'string' ? byte & 0x7f : byte));
        const value = typeof original === 'string' ? new TextDecoder().decode(changed) : changed;
        const sent = { ...collateral, [name]: value } as DcapCollateral;
        return verifyEvidence({ ...options, endorsements: [encodeDcapCollateral(sent)] });
      });
      const same = codes.get('accepted') ?? [];
      // The signature is hex: a change of case is none. So is a bit that ASCII does not have.
      for (const position of same) {
        const bit = (position * 5 + 3) % 8;
        expect(typeof original === 'string' && (bit === 7 || (bit === 5 && position > bytes.length - 132))).toBe(true);
      }
    },
  );
});

describe('quotes that are cut short', () => {
  it('are refused at every length', async () => {
    const { evidence } = options;
    const codes = await outcomes(evidence.value.length, 41, async (length) =>
      verifyEvidence({ ...options, evidence: { ...evidence, value: evidence.value.subarray(0, length) } }),
    );
    expect([...codes.keys()]).toEqual(['CODEC_TRUNCATED']);
  });
});

describe('the stages', () => {
  it('take only what the stage before made, for the same TEE', async () => {
    const parsed = parse(options.evidence, options.endorsements);
    const authentic = await authenticate(parsed, options);
    expect(appraise(authentic, options).claims.tee).toBe('tdx');
    expect(await codeOf(authenticate(Object.assign({}, parsed), options))).toBe('ATTEST_STAGE_SKIPPED');
    expect(await codeOf(() => appraise(Object.assign({}, authentic), options))).toBe('ATTEST_STAGE_SKIPPED');
    const enclave = sgx.parse(sgxOptions.evidence, sgxOptions.endorsements);
    expect(await codeOf(authenticate(enclave as unknown as typeof parsed, options))).toBe('ATTEST_STAGE_SKIPPED');
  });

  it('refuse a TEE without a section, and measurements that were not filled in', async () => {
    const { policy } = options;
    expect(await codeOf(verifyEvidence({ ...sgxOptions, policy }))).toBe('ATTEST_TEE_NOT_ALLOWED');
    const open = { ...policy, tdx: { ...sectionOf(policy, 'tdx'), measurements: 'from-release' as const } };
    expect(await codeOf(verifyEvidence({ ...options, policy: open }))).toBe('ATTEST_POLICY_INCOMPLETE');
    expect(await codeOf(judgeDcap({ kind: 'sgx', section: { measurements: undefined, signers: undefined } }))).toBe(
      'ATTEST_POLICY_INVALID',
    );
  });

  it('read one set of collateral', async () => {
    const [endorsement] = options.endorsements;
    const endorsements = [endorsement, endorsement].filter((each) => each !== undefined);
    expect(await codeOf(verifyEvidence({ ...options, endorsements }))).toBe('ATTEST_ENDORSEMENT_MALFORMED');
    const bad: Cmw = { ...endorsements[0], type: endorsement?.type ?? '', value: new Uint8Array(2), ind: CMW_EVIDENCE };
    expect(await codeOf(verifyEvidence({ ...options, endorsements: [bad] }))).toBe('ATTEST_ENDORSEMENT_MALFORMED');
  });
});

describe('merged statuses', () => {
  it.each([
    [['UpToDate', 'UpToDate', 'UpToDate'], 'UpToDate'],
    [['SWHardeningNeeded', 'UpToDate'], 'SWHardeningNeeded'],
    [['UpToDate', 'OutOfDate'], 'OutOfDate'],
    [['SWHardeningNeeded', 'OutOfDate'], 'OutOfDate'],
    [['ConfigurationNeeded', 'OutOfDate'], 'OutOfDateConfigurationNeeded'],
    [['ConfigurationAndSWHardeningNeeded', 'OutOfDate'], 'OutOfDateConfigurationNeeded'],
    [['ConfigurationNeeded', 'SWHardeningNeeded'], 'ConfigurationAndSWHardeningNeeded'],
    [['UpToDate', 'Revoked', 'OutOfDate'], 'Revoked'],
  ] as const)('of %j are %s', (statuses, merged) => {
    expect(mergeStatus(statuses)).toBe(merged);
  });
});
