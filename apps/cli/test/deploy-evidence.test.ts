import { join } from 'node:path';
import {
  parseAttestationPolicy,
  verifyEvidence,
  verifyRecordedEvidence,
  type AttestationPolicy,
  type VerifyEvidenceOptions,
  type WaivableCheck,
} from '@fastness/attest';
import { parse as parseTdx } from '@fastness/attest/formats/tdx';
import { toHex } from '@fastness/codec';
import { describe, expect, it } from 'vitest';
import { googleOptions } from '../../../packages/attest/test/support/conformance/tokens.ts';
import { dcapCases, dcapOptions } from '../../../packages/attest/test/support/dcap-cases.ts';
import { codeOf } from '../../../packages/attest/test/support/errors.ts';
import { measurement, prepare } from '../../../packages/attest/test/support/forge.ts';
import { nitroOptions, nitroVectors } from '../../../packages/attest/test/support/nitro-vectors.ts';
import { nvidiaCases, nvidiaOptions } from '../../../packages/attest/test/support/nvidia-cases.ts';
import { fieldOf, snpCases, snpOptions, wrap } from '../../../packages/attest/test/support/snp-cases.ts';
import { tpmCases, tpmOptions } from '../../../packages/attest/test/support/tpm-cases.ts';
import { vectorsPresent } from '../../../packages/attest/test/support/vectors.ts';
import { loadPolicy } from '../src/support/attest/policy-file.ts';

// The policies under deploy/, each with the evidence of its platform that was recorded or forged, after its reference values
// were put in, as the recipe says. Nothing else of a policy is changed but what `recording` names, and why.

const deploy = join(import.meta.dirname, '../../../deploy');
const policyOf = async (path: string): Promise<AttestationPolicy> =>
  (await loadPolicy(join(deploy, path), new Date())).policy;

/** Members of sections that replace those of the policy. */
type Changes = Readonly<Record<string, object>>;

function changed(policy: AttestationPolicy, changes: Changes, waive: readonly WaivableCheck[] = []): AttestationPolicy {
  const sections = Object.entries(changes).map(([name, members]) => [
    name,
    { ...(Reflect.get(policy, name) as object), ...members },
  ]);
  const waivers = waive.map((check) => ({ check, reason: 'no list of that time was recorded' }));
  return parseAttestationPolicy({ ...policy, ...Object.fromEntries(sections), waivers });
}

interface Recorded {
  readonly path: string;
  readonly name: string;
  readonly options: () => VerifyEvidenceOptions;
  /** Reference values: what the recipe says to put in. */
  readonly references: () => Changes;
  /** What this recording has in another way than the platform of the recipe, or lacks. */
  readonly recording?: () => Changes;
  /** Lists that were not recorded; without the waiver the evidence is refused by this code. */
  readonly missing?: WaivableCheck;
  /** The refusal while the reference values are those of the file. */
  readonly unfilled: string;
}

function named<T extends { readonly name: string }>(cases: readonly T[], name: string): T {
  const found = cases.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no case ${name}`);
  return found;
}

const genoa = () => named(snpCases, 'Veraison, Genoa, configfs-tsm with its certificate table');
const tdx = () => named(dcapCases, 'dcap-qvl TDX v4, full collateral');
const cos = () => named(dcapCases, 'go-tdx-guest COS 113, event log, padded');
const azureSnp = () => named(tpmCases, 'Trustee, Azure with SEV-SNP, v1');
const azureTdx = () => named(tpmCases, 'Trustee, Azure with TDX, where SEPT_VE_DISABLE is not required');
const enclave = () => named(nitroVectors, 'evervault, enclave');
const instance = () => named(nitroVectors, 'vaportpm, NitroTPM');

/** Recorded before Intel's eighteenth evaluation of TCBs. */
const earlier = { minimumTcbEvaluationDataNumber: 17 };

const measurementsOf = (options: VerifyEvidenceOptions, section: 'snp' | 'tdx'): object => ({
  measurements: options.policy[section]?.measurements,
});
const rtmrsOf = (options: VerifyEvidenceOptions): object => {
  const { body } = parseTdx('value' in options.evidence ? options.evidence : (undefined as never));
  return { rtmrs: { 1: [body.rtmrs[1]], 2: [body.rtmrs[2]] } };
};
const hostData = (): object => ({ hostData: [toHex(fieldOf(genoa().report(), 'hostData'))] });
const mrConfigId = (options: VerifyEvidenceOptions): object => ({
  mrConfigIds: [parseTdx('value' in options.evidence ? options.evidence : (undefined as never)).body.mrConfigId],
});
const registers = (of: AttestationPolicy['tpm'] | AttestationPolicy['nitro'], ...indexes: number[]): object => ({
  measurements: of?.measurements,
  pcrs: Object.fromEntries(indexes.map((index) => [index, Reflect.get(of?.pcrs ?? {}, `${index}`)])),
});

const recorded: readonly Recorded[] = [
  {
    path: 'azure/policy.yaml',
    name: 'Azure, SEV-SNP',
    options: () => tpmOptions(azureSnp()),
    references: () => {
      const { azureVtpm, snp } = tpmOptions(azureSnp()).policy;
      return { azureVtpm: registers(azureVtpm, 9, 11), snp: { measurements: snp?.measurements } };
    },
    // Recorded on DCasv5, a generation before; no log of the boot was recorded.
    recording: () => ({ azureVtpm: { eventLog: 'if-sent' }, snp: { products: ['Milan'], minimumTcb: {} } }),
    unfilled: 'ATTEST_POLICY_INCOMPLETE',
  },
  {
    path: 'azure/policy-tdx.yaml',
    name: 'Azure, TDX',
    options: () => tpmOptions(azureTdx()),
    references: () => {
      const { azureVtpm, tdx: section } = tpmOptions(azureTdx()).policy;
      return { azureVtpm: registers(azureVtpm, 9, 11), tdx: { measurements: section?.measurements } };
    },
    // Its machine lacked fixes by the time that its collateral is of.
    recording: () => ({ azureVtpm: { eventLog: 'if-sent' }, tdx: { tcbStatuses: ['OutOfDate'], ...earlier } }),
    missing: 'DCAP_CRL_MISSING',
    unfilled: 'ATTEST_POLICY_INCOMPLETE',
  },
  {
    path: 'aws/policy-enclave.yaml',
    name: 'AWS Nitro Enclave',
    options: () => nitroOptions(enclave()),
    references: () => ({ nitro: registers(nitroOptions(enclave()).policy.nitro, 1, 2) }),
    // Of another program: it binds by nonce, an hour lies between the document and the judgement, and nothing extended register 16.
    recording: () => ({ nitro: { binding: 'nonce', maxAgeSeconds: 10_800 } }),
    unfilled: 'ATTEST_POLICY_INCOMPLETE',
  },
  {
    path: 'aws/policy-nitrotpm.yaml',
    name: 'EC2 with NitroTPM',
    options: () => nitroOptions(instance()),
    references: () => ({ nitroTpm: registers(nitroOptions(instance()).policy.nitroTpm, 9, 11) }),
    recording: () => ({ nitroTpm: { binding: 'nonce', maxAgeSeconds: 10_800 } }),
    unfilled: 'ATTEST_POLICY_INCOMPLETE',
  },
  {
    path: 'gcp/policy-tdx.yaml',
    name: 'Google, TDX',
    options: () => dcapOptions(cos()),
    references: () => ({ tdx: { ...measurementsOf(dcapOptions(cos()), 'tdx'), ...rtmrsOf(dcapOptions(cos())) } }),
    recording: () => ({ tdx: earlier }),
    missing: 'DCAP_CRL_MISSING',
    unfilled: 'ATTEST_POLICY_INCOMPLETE',
  },
  {
    path: 'gcp/policy-confidential-space.yaml',
    name: 'Google, Confidential Space',
    options: () => googleOptions(),
    references: () => {
      const { audiences, measurements } = googleOptions().policy.gcpConfidentialSpace ?? {};
      return { gcpConfidentialSpace: { audiences, measurements } };
    },
    // Its producer wrote the nonce in hex.
    recording: () => ({ gcpConfidentialSpace: { nonceEncoding: 'hex' } }),
    missing: 'TOKEN_CRL_MISSING',
    unfilled: 'TOKEN_AUDIENCE',
  },
  {
    path: 'bare-metal/policy-snp.yaml',
    name: 'SEV-SNP, Genoa',
    options: () => snpOptions(genoa()),
    references: () => ({ snp: measurementsOf(snpOptions(genoa()), 'snp') }),
    unfilled: 'ATTEST_POLICY_INCOMPLETE',
  },
  {
    path: 'bare-metal/policy-tdx.yaml',
    name: 'TDX',
    options: () => dcapOptions(tdx()),
    references: () => ({ tdx: { ...measurementsOf(dcapOptions(tdx()), 'tdx'), ...rtmrsOf(dcapOptions(tdx())) } }),
    recording: () => ({ tdx: earlier }),
    unfilled: 'ATTEST_POLICY_INCOMPLETE',
  },
  {
    path: 'kubernetes/policy.yaml',
    name: 'SEV-SNP, Genoa',
    options: () => snpOptions(genoa()),
    references: () => ({ snp: { ...measurementsOf(snpOptions(genoa()), 'snp'), ...hostData() } }),
    unfilled: 'ATTEST_POLICY_INCOMPLETE',
  },
  {
    path: 'kubernetes/policy.yaml',
    name: 'TDX',
    options: () => dcapOptions(tdx()),
    references: () => {
      const options = dcapOptions(tdx());
      return { tdx: { ...measurementsOf(options, 'tdx'), ...rtmrsOf(options), ...mrConfigId(options) } };
    },
    recording: () => ({ tdx: earlier }),
    unfilled: 'ATTEST_POLICY_INCOMPLETE',
  },
];

const merge = (first: Changes, second: Changes = {}): Changes =>
  Object.fromEntries(
    [...new Set([...Object.keys(first), ...Object.keys(second)])].map((name) => [
      name,
      { ...first[name], ...second[name] },
    ]),
  );

describe.skipIf(!vectorsPresent)('recorded evidence under the policies of the recipes', () => {
  it.each(recorded)('is accepted with its reference values: $path, $name', async (one) => {
    const policy = await policyOf(one.path);
    const changes = merge(one.references(), one.recording?.());
    const waive = one.missing === undefined ? [] : [one.missing];
    const { claims, waivers } = await verifyEvidence({ ...one.options(), policy: changed(policy, changes, waive) });
    expect(claims).toMatchObject({ simulated: false, debug: false });
    expect(new Set(waivers.map(({ check }) => check))).toEqual(new Set(waive));
  });

  it.each(recorded)('is refused with the values of the file: $path, $name', async (one) => {
    const policy = changed(
      await policyOf(one.path),
      one.recording?.() ?? {},
      one.missing === undefined ? [] : [one.missing],
    );
    expect(await codeOf(verifyEvidence({ ...one.options(), policy }))).toBe(one.unfilled);
  });

  it.each(recorded.filter(({ missing }) => missing !== undefined))(
    'is refused without lists of its time: $path, $name',
    async (one) => {
      const policy = changed(await policyOf(one.path), merge(one.references(), one.recording?.()));
      expect(await codeOf(verifyEvidence({ ...one.options(), policy }))).toBe(one.missing);
    },
  );

  it.each(['bare-metal/policy-snp.yaml', 'kubernetes/policy.yaml'])(
    'of SEV-SNP is refused without its list: %s',
    async (path) => {
      const options = snpOptions(genoa());
      const policy = changed(await policyOf(path), { snp: { ...measurementsOf(options, 'snp'), ...hostData() } });
      const without = { ...options, ...wrap(genoa(), { crl: false }), policy };
      expect(await codeOf(verifyEvidence(without))).toBe('SNP_CRL_MISSING');
    },
  );

  it('of Azure is refused on a generation that the policy does not list', async () => {
    const one = named(recorded, 'Azure, SEV-SNP');
    const changes = merge(one.references(), { azureVtpm: { eventLog: 'if-sent' } });
    const policy = changed(await policyOf(one.path), changes);
    expect(await codeOf(verifyEvidence({ ...one.options(), policy }))).toBe('SNP_PRODUCT_NOT_ALLOWED');
  });

  it('of debugging is refused: Nitro, TDX, SEV-SNP', async () => {
    const nitro = named(nitroVectors, 'dstack, debug enclave');
    const own = nitroOptions(nitro);
    const enclaves = changed(await policyOf('aws/policy-enclave.yaml'), {
      nitro: { ...registers(own.policy.nitro, 1, 2), binding: own.policy.nitro?.binding, maxAgeSeconds: 10_800 },
    });
    expect(await codeOf(verifyEvidence({ ...own, policy: enclaves }))).toBe('NITRO_DEBUG');
    const td = dcapOptions(named(dcapCases, 'trustee TDX v4, debug'));
    for (const path of ['bare-metal/policy-tdx.yaml', 'gcp/policy-tdx.yaml', 'kubernetes/policy.yaml']) {
      const values = {
        ...measurementsOf(td, 'tdx'),
        ...rtmrsOf(td),
        ...(path.startsWith('kube') ? mrConfigId(td) : {}),
      };
      const policy = changed(await policyOf(path), { tdx: values }, ['DCAP_CRL_MISSING']);
      expect(await codeOf(verifyEvidence({ ...td, policy }))).toBe('TDX_DEBUG_ALLOWED');
    }
  });

  it('of an H100 is authentic under the section for GPUs, and refused without documents of its time', async () => {
    const { nvidiaGpu } = await policyOf('bare-metal/policy-snp-gpu.yaml');
    const one = nvidiaCases.find(
      ({ verdict, claims }) => verdict === 'accept' && claims !== undefined && 'mode' in claims,
    );
    if (one === undefined) throw new Error('no report');
    const { mode } = one.claims as { mode: string };
    const judged = async (waived: readonly WaivableCheck[]) => {
      const section = { ...nvidiaGpu, modes: [mode] };
      const waivers = waived.map((check) => ({ check, reason: 'not recorded' }));
      const policy = parseAttestationPolicy({ version: 1, id: 'gpu-alone', nvidiaGpu: section, waivers });
      return codeOf(verifyEvidence({ ...nvidiaOptions(one), policy }));
    };
    expect(await judged(one.waived)).toBe('accepted');
    expect(await judged([])).toMatch(/^NVIDIA_/);
  });
});

describe('forged evidence under the policies of the recipes', () => {
  const direct = ['bare-metal/policy-snp.yaml', 'kubernetes/policy.yaml'];
  const all = [...new Set(recorded.map(({ path }) => path)), 'bare-metal/policy-snp-gpu.yaml'];
  const judge = async (path: string, scenario: Parameters<typeof prepare>[0] = {}): Promise<string> => {
    const { chain: _, ...options } = await prepare({
      product: 'Genoa',
      ...scenario,
      report: { platformInfo: 0x21n, ...scenario.report },
    });
    const filled = {
      measurements: [toHex(measurement)],
      ...(path.startsWith('kube') ? { hostData: ['00'.repeat(32)] } : {}),
    };
    return codeOf(verifyEvidence({ ...options, policy: changed(await policyOf(path), { snp: filled }) }));
  };

  it.each(direct)('of SEV-SNP is accepted, and refused for debugging or without its list: %s', async (path) => {
    expect(await judge(path)).toBe('accepted');
    expect(await judge(path, { report: { policy: 0xb_0000n } })).toBe('SNP_DEBUG_ALLOWED');
    expect(await judge(path, { crls: () => [] })).toBe('SNP_CRL_MISSING');
    expect(await judge(path, { product: 'Milan' })).toBe('SNP_PRODUCT_NOT_ALLOWED');
  });

  it.each(all)('of the simulated TEE is refused: %s', async (path) => {
    const { chain: _, ...options } = await prepare({ simulated: true });
    const policy = await policyOf(path);
    // Filled in, and without devices: it is refused for what it is.
    const filled = policy.snp === undefined ? policy : changed(policy, { snp: { measurements: [toHex(measurement)] } });
    const { devices: _devices, ...alone } = filled;
    const attempt = verifyRecordedEvidence({
      ...options,
      policy: parseAttestationPolicy(alone),
      reason: 'nothing answers',
    });
    expect(await codeOf(attempt)).toBe(
      policy.snp === undefined ? 'ATTEST_TEE_NOT_ALLOWED' : 'SIMULATED_EVIDENCE_REFUSED',
    );
  });
});
