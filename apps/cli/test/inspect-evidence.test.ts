import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cmwCollectionToJson, cmwToJson, isCmwCollection } from '@fastness/attest';
import { hardwareFactsOf } from '@fastness/client';
import { utf8Encode } from '@fastness/codec';
import { describe, expect, it } from 'vitest';
import { describeBytes } from '../src/support/describe.ts';
import { prepareAzureVtpm } from '../../../packages/attest/test/support/azure-vtpm-forge.ts';
import { prepareComposite } from '../../../packages/attest/test/support/composite-forge.ts';
import { judgeDcap, prepareDcap } from '../../../packages/attest/test/support/dcap-forge.ts';
import { bootedTd, goodBoot, pinnedBoot } from '../../../packages/attest/test/support/tdx-boot.ts';
import { prepareGcpVtpm } from '../../../packages/attest/test/support/gcp-vtpm-forge.ts';
import { prepareNitro } from '../../../packages/attest/test/support/nitro-forge.ts';
import { prepareToken } from '../../../packages/attest/test/support/token-forge.ts';
import { prepareTpm } from '../../../packages/attest/test/support/tpm-forge.ts';
import { vectorsRoot } from '../../../packages/attest/test/support/vectors.ts';

const describeText = (text: string) => describeBytes(utf8Encode(text), utf8Encode(text).length);

describe('evidence as a CMW', () => {
  it.each([
    ['Intel TDX quote', () => prepareDcap(), 'body.mrTd'],
    ['Intel SGX quote', () => prepareDcap({ kind: 'sgx' }), 'body.mrEnclave'],
    ['AWS Nitro Enclaves attestation document', () => prepareNitro(), 'document.pcrs.0'],
    ['TPM 2.0 quote', () => prepareTpm(), 'quote.extraData'],
    ['TPM quote of a Google Cloud VM', () => prepareGcpVtpm(), 'trust.instance.projectId'],
    ['TPM quote of an Azure confidential VM', () => prepareAzureVtpm(), 'trust.runtime.attestationKey'],
    ['Microsoft Azure Attestation token', () => prepareToken({ service: 'azure-maa' }), 'token.claims.iss'],
    ['Intel Trust Authority token', () => prepareToken({ service: 'intel-trust-authority' }), 'token.claims.iss'],
  ] as const)('is named and shown: %s', async (kind, prepare, member) => {
    const { evidence } = await prepare();
    if (isCmwCollection(evidence)) throw new Error('a collection');
    const described = describeText(JSON.stringify(cmwToJson(evidence)));
    expect(described.kind).toBe(kind);
    expect(described.facts['type']).toBe(evidence.type);
    expect(memberOf(described.facts, member)).toBeTypeOf('string');
    // It is for people and for JSON: no bytes, no bigint, nothing endless.
    expect(JSON.stringify(described.facts).length).toBeLessThan(16_000);
  });

  it('of a trust domain is shown with the events of its boot, in words', async () => {
    const { evidence } = await prepareDcap(await bootedTd(goodBoot));
    if (isCmwCollection(evidence)) throw new Error('a collection');
    const { kind, facts } = describeText(JSON.stringify(cmwToJson(evidence)));
    expect(kind).toBe('Intel TDX quote');
    expect(facts['eventLog']).toMatchObject({ RTMR0: { 'event 1': expect.any(String) as unknown } });
    expect(Object.keys(Object(memberOf(facts, 'eventLog.RTMR3')) as object)).toEqual(['event 1', 'event 2']);
  });

  it('of a trust domain is said to have the events that the policy lists, once it was verified', async () => {
    const { claims } = await judgeDcap({ ...(await bootedTd(goodBoot)), section: await pinnedBoot(goodBoot) });
    expect(hardwareFactsOf(claims)).toEqual(
      expect.arrayContaining([
        'event log: 7 events, replayed to RTMR0, RTMR1, RTMR2, RTMR3',
        'RTMR2 has what the policy lists: command line, archive',
      ]),
    );
  });

  it('is shown part by part where it is a collection', async () => {
    const { evidence } = await prepareComposite();
    if (!isCmwCollection(evidence)) throw new Error('one record');
    const { kind, facts } = describeText(JSON.stringify(cmwCollectionToJson(evidence)));
    expect(kind).toContain('Collection');
    expect(Object.keys(facts)).toEqual([...evidence.records.keys()]);
  });

  it('of a kind that nobody reads is refused by name', () => {
    expect(() => describeText('["application/vnd.example+cbor","AAAA"]')).toThrow(
      expect.objectContaining({ code: 'ATTEST_EVIDENCE_UNSUPPORTED' }),
    );
    expect(() => describeText('[1,2,3]')).toThrow(expect.objectContaining({ code: 'CLI_NOT_RECOGNISED' }));
  });
});

const root = join(vectorsRoot, 'evidence');

describe.skipIf(!existsSync(root))('recorded evidence in files of its vendor', () => {
  it.each([
    ['snp/virtee__sev/tests/certs_data/report_milan.hex', 'SEV-SNP attestation report'],
    ['sgx/Phala-Network__dcap-qvl/sample/sgx_quote', 'Intel SGX quote'],
    ['tdx/Phala-Network__dcap-qvl/sample/tdx-quote.hex', 'Intel TDX quote'],
    [
      'nitro/evervault__attestation-doc-validation/test-data/valid-attestation-doc-base64',
      'AWS Nitro Enclaves attestation document',
    ],
    ['psa/veraison__services/scheme/psa-iot/test/token/psa.good.cose', 'Arm PSA token'],
    ['cca/veraison__services/scheme/arm-cca/test/evidence/cca-good.cbor', 'Arm CCA token'],
    ['android/android__keyattestation/testdata/akita/sdk34/TEE_EC_NONE.pem', 'Android key attestation'],
    ['jwt/project-oak__oak/ctf_sha2/confidential_space/samples/sample.jwt', 'Google Confidential Space token'],
    [
      'jwt/NVIDIA__attestation-sdk/nv-attestation-sdk-cpp/unit-tests/testdata/sample_attestation_data/hopperClaimsv3_detached_eat.json',
      'NVIDIA NRAS detached EAT',
    ],
    [
      'nvidia/NVIDIA__attestation-sdk/common-test-data/serialized_test_evidence/hopper_evidence_cert_hold.json',
      'NVIDIA GPU attestation report',
    ],
  ])('%s is %s', (file, kind) => {
    const bytes = new Uint8Array(readFileSync(join(root, file)));
    const described = describeBytes(bytes, bytes.length);
    expect(described.kind).toBe(kind);
    expect(JSON.stringify(described.facts).length).toBeLessThan(16_000);
  });
});

function memberOf(facts: unknown, path: string): unknown {
  let value = facts;
  for (const name of path.split('.')) {
    value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  }
  return value;
}
