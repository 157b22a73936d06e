import { existsSync } from 'node:fs';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { evidenceFormats, formatOf, isCmwCollection } from '@fastness/attest';
import { encodePem, toBase64Url, utf8Encode } from '@fastness/codec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runJudgement } from '../src/support/attest/run-judgement.ts';
import { loadEndorsements } from '../src/support/attest/endorsement-files.ts';
import { formatNames, loadEvidence } from '../src/support/attest/evidence-file.ts';
import { prepareToken } from '../../../packages/attest/test/support/token-forge.ts';
import { vectorsRoot } from '../../../packages/attest/test/support/vectors.ts';

const evidence = join(vectorsRoot, 'evidence');
const sdk = 'nvidia/NVIDIA__attestation-sdk';

/** Recorded files as the tools of their vendors wrote them, and the kind that each is recognised as. */
const recorded: readonly (readonly [file: string, tee: string])[] = [
  ['snp/google__go-sev-guest/verify/testdata/attestation.bin', 'sev-snp'],
  ['snp/confidential-containers__trustee/deps/verifier/test_data/snp/test-vlek-report.bin', 'sev-snp'],
  ['snp/virtee__sev/tests/certs_data/report_milan.hex', 'sev-snp'],
  ['sgx/Phala-Network__dcap-qvl/sample/sgx_quote', 'sgx'],
  ['tdx/Phala-Network__dcap-qvl/sample/tdx_quote', 'tdx'],
  ['tdx/Phala-Network__dcap-qvl/sample/tdx-quote.hex', 'tdx'],
  ['tdx/canvasxyz__teekit/packages/qvl/test/sampleQuotes/tdx-v4-azure', 'tdx'],
  ['tdx/confidential-containers__trustee/deps/verifier/test_data/tdx_quote_5.dat', 'tdx'],
  ['nitro/evervault__attestation-doc-validation/test-data/valid-attestation-doc-base64', 'aws-nitro'],
  ['psa/veraison__services/scheme/psa-iot/test/token/psa.good.cose', 'arm-psa'],
  ['cca/veraison__services/scheme/arm-cca/test/evidence/cca-good.cbor', 'arm-cca'],
  ['cca/confidential-containers__trustee/deps/verifier/test_data/cca/misc/cca-example-token.cbor', 'arm-cca'],
  ['android/android__keyattestation/testdata/akita/sdk34/TEE_EC_NONE.pem', 'android-key'],
  ['jwt/project-oak__oak/ctf_sha2/confidential_space/samples/sample.jwt', 'gcp-confidential-space'],
  [
    'jwt/NVIDIA__attestation-sdk/nv-attestation-sdk-cpp/unit-tests/testdata/sample_attestation_data/hopperClaimsv3_detached_eat.json',
    'nvidia-nras',
  ],
  [`${sdk}/common-test-data/serialized_test_evidence/hopper_evidence_cert_hold.json`, 'nvidia-gpu'],
];

describe('--format', () => {
  it('takes every kind of evidence by its name', () => {
    for (const { tee } of evidenceFormats) expect(formatNames).toContain(tee);
    expect(new Set(formatNames).size).toBe(formatNames.length);
  });
});

describe('a file', () => {
  it('that is larger than any evidence is refused for its size, not as a stranger', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'fastness-large-')), 'disk.img');
    await writeFile(path, '');
    // Sparse: it takes no space.
    await truncate(path, 64 * 1024 * 1024);
    await expect(loadEvidence(path, 'auto')).rejects.toMatchObject({ code: 'CLI_FILE_TOO_LARGE', exitCode: 9 });
    await rm(dirname(path), { recursive: true });
  });
});

describe('evidence of several devices', () => {
  it('is told from one, and from a stranger', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'fastness-devices-')), 'gpus.json');
    const entry = { arch: 'HOPPER', certificate: 'AA==', evidence: 'AA==' };
    await writeFile(path, JSON.stringify([entry, entry]));
    await expect(loadEvidence(path, 'auto')).rejects.toThrow('evidence of 2 devices: give one of them');
    await rm(dirname(path), { recursive: true });
  });
});

describe('certificates inside JSON', () => {
  it('are no chain of an Android key', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'fastness-json-')), 'tpm.json');
    const pem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    await writeFile(path, JSON.stringify({ tpm: { certificate: pem } }));
    await expect(loadEvidence(path, 'auto')).rejects.toMatchObject({ code: 'CLI_NOT_RECOGNISED' });
    await rm(dirname(path), { recursive: true });
  });
});

describe('tokens', () => {
  it('take the list of the authority above them as the service publishes it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fastness-list-'));
    const [list] = (await prepareToken({ service: 'gcp-confidential-space' })).endorsements;
    const { evidence: token } = await prepareToken({ service: 'gcp-confidential-space' });
    if (list === undefined) throw new Error('no list was forged');
    for (const [name, bytes] of [
      ['list.crl', list.value],
      ['list.pem', utf8Encode(encodePem(list.value, 'X509 CRL'))],
    ] as const) {
      await writeFile(join(folder, name), bytes);
      expect(await loadEndorsements([join(folder, name)], token)).toEqual([list]);
    }
    await rm(folder, { recursive: true });
  });

  const jws = (claims: object) =>
    [{ alg: 'RS256' }, claims, 'signature'].map((part) => toBase64Url(utf8Encode(JSON.stringify(part)))).join('.');
  it.each([
    ['azure-maa', { 'x-ms-ver': '1.0' }],
    ['intel-trust-authority', { attester_type: 'TDX', attester_tcb_status: 'UpToDate' }],
    ['gcp-confidential-space', { attester_tcb: ['INTEL'], submods: { confidential_space: {} } }],
  ])('of %s are told by what only they say', async (tee, claims) => {
    const path = join(await mkdtemp(join(tmpdir(), 'fastness-token-')), 'token.jwt');
    await writeFile(path, `${jws(claims)}\n`);
    const { evidence: found } = await loadEvidence(path, 'auto');
    expect(isCmwCollection(found) ? 'a collection' : formatOf(found).tee).toBe(tee);
    await writeFile(path, jws({ sub: 'somebody' }));
    await expect(loadEvidence(path, 'auto')).rejects.toMatchObject({ code: 'CLI_NOT_RECOGNISED' });
    await rm(dirname(path), { recursive: true });
  });
});

describe.skipIf(!existsSync(evidence))('recorded evidence in files of its vendor', () => {
  it.each(recorded)('%s is %s', async (file, tee) => {
    const { evidence: found } = await loadEvidence(join(evidence, file), 'auto');
    expect(isCmwCollection(found) ? 'a collection' : formatOf(found).tee).toBe(tee);
    expect((await loadEvidence(join(evidence, file), tee)).evidence).toEqual(found);
    const other = tee === 'sgx' ? 'tdx' : 'sgx';
    await expect(loadEvidence(join(evidence, file), other)).rejects.toMatchObject({ code: 'CLI_NOT_RECOGNISED' });
  });
});

const qvl = 'Phala-Network__dcap-qvl/sample';
const intel = { tcbStatuses: ['UpToDate'], minimumTcbEvaluationDataNumber: 0 };

describe.skipIf(!existsSync(evidence))('recorded evidence under the roots of its vendor', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fastness-recorded-'));
  });
  afterAll(async () => rm(folder, { recursive: true, force: true }));

  it.each([
    ['tdx', { ...intel, rtmrs: {} }, 48, `tdx/${qvl}/tdx_quote`, [`tdx/${qvl}/tdx_quote_collateral.json`]],
    [
      'sgx',
      { ...intel, tcbStatuses: ['ConfigurationAndSWHardeningNeeded'] },
      32,
      `sgx/${qvl}/sgx_quote`,
      [`sgx/${qvl}/sgx_quote_collateral.json`],
    ],
  ])(
    '%s is accepted once the policy names what the refusal found',
    async (section, rest, bytes, file, endorsements) => {
      const judge = async (measurement: string, at: string) => {
        const policy = { version: 1, id: 'recorded', [section]: { ...rest, measurements: [measurement] }, waivers: [] };
        await writeFile(join(folder, 'policy.json'), JSON.stringify(policy));
        const options = {
          policy: join(folder, 'policy.json'),
          at,
          withoutNonce: 'recorded elsewhere',
          endorsements: endorsements.map((name) => join(evidence, name)),
        };
        return runJudgement(join(evidence, file), options, new AbortController().signal);
      };
      const { error, checks } = await judge('00'.repeat(bytes), '2025-06-25T00:00:00Z');
      expect(error?.code).toBe(`${section.toUpperCase()}_MEASUREMENT_NOT_ALLOWED`);
      const found = checks.at(-1)?.actual ?? '';
      const accepted = await judge(found, '2025-06-25T00:00:00Z');
      expect(accepted.error).toBeUndefined();
      expect(accepted.waivers.map(({ check }) => check)).toEqual(['ATTEST_BINDING_UNCHECKED']);
      expect((await judge(found, '2049-01-01T00:00:00Z')).error?.exitCode).toBe(4);
    },
  );
});
