import { cmwFromJson, EVIDENCE_COLLECTION_TYPE, isCmwCollection } from '@fastness/attest';
import { toBase64Url, toHex } from '@fastness/codec/bytes';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseClientPolicy, verifyEnclave } from '../src/index.ts';
import { expectCode } from '../../channel/test/support/errors.ts';
import {
  forgeEnclave,
  makePackage,
  measurement,
  now,
  packageOf,
  policyFor,
  type AttestChange,
  type ForgedEnclave,
} from './support/scenario.ts';

const nonce = new Uint8Array(32).fill(7);
const text = toBase64Url(nonce);

let enclave: ForgedEnclave;

beforeAll(async () => {
  enclave = await forgeEnclave();
});

async function verify(options: {
  change?: AttestChange;
  policy?: Parameters<typeof policyFor>[0];
  edit?: (bundle: Awaited<ReturnType<ForgedEnclave['attest']>>) => unknown;
  from?: ForgedEnclave;
  at?: Date;
}) {
  const from = options.from ?? enclave;
  const bundle = await from.attest(text, options.change);
  return verifyEnclave({
    bundle: options.edit?.(bundle) ?? bundle,
    nonce,
    policy: policyFor(options.policy),
    now: options.at ?? now,
    anchors: from.anchors,
  });
}

describe('an enclave that meets the policy', () => {
  it('is verified, with keys, digests and every check', async () => {
    const verified = await verify({});
    expect(verified.simulated).toBe(false);
    expect(verified.scope).toBe('any-of-release');
    expect(verified.claims.measurement).toBe(measurement);
    expect(verified.keyConfig).toEqual(enclave.generation.keys.keyConfig);
    expect(verified.receiptKey).toEqual(enclave.generation.receiptKey);
    expect(toHex(verified.keyConfigDigest)).toBe(toHex(enclave.generation.keyConfigDigest));
    expect(verified.release.approvedBy).toEqual(['ada', 'grace']);
    expect(verified.ear.ear_status).toBe('affirming');
    expect(verified.validUntil.toISOString()).toBe('2026-12-01T00:00:00.000Z');
    const codes = verified.checks.map(({ code }) => code);
    expect(codes.slice(0, 4)).toEqual([
      'CLIENT_NONCE_MISMATCH',
      'RELEASE_SIGNATURE',
      'RELEASE_EXPIRED',
      'RELEASE_VERSION_ROLLBACK',
    ]);
    expect(codes).toContain('SNP_REPORT_SIGNATURE');
    expect(codes).toContain('SNP_REPORT_DATA_MISMATCH');
  });

  it('is pinned when the policy names its chip', async () => {
    const chipIds = { allow: [toHex(enclave.chain.hwid)] };
    expect((await verify({ policy: { snp: { chipIds } } })).scope).toBe('pinned');
  });

  it('is verified when policy and release both list its measurement', async () => {
    await verify({ policy: { snp: { measurements: [measurement, 'cd'.repeat(48)] } } });
  });

  it('may send its evidence as a collection, which is then what the receipt names', async () => {
    const collected = (type: string, label: string) => (bundle: Awaited<ReturnType<ForgedEnclave['attest']>>) => ({
      ...bundle,
      evidence: { __cmwc_t: type, [label]: bundle.evidence },
    });
    const verified = await verify({ edit: collected(EVIDENCE_COLLECTION_TYPE, 'cpu0') });
    expect(isCmwCollection(verified.evidence)).toBe(true);
    expect(Object.keys(verified.ear.submods)).toEqual(['cpu0']);
    const alone = await verify({});
    expect(toHex(verified.evidenceDigest)).not.toBe(toHex(alone.evidenceDigest));
    await expectCode(
      () => verify({ edit: collected('tag:example.org,2026:x', 'cpu0') }),
      'ATTEST_COLLECTION_UNSUPPORTED',
    );
    await expectCode(() => verify({ edit: collected(EVIDENCE_COLLECTION_TYPE, 'gpu0') }), 'ATTEST_LABEL_MISMATCH');
    const attestation = {
      nvidiaGpu: { architectures: ['hopper'] },
      devices: [{ kind: 'nvidia-gpu', minimum: 1 }],
    };
    await expectCode(() => verify({ policy: { attestation } }), 'ATTEST_DEVICE_MISSING');
  });

  it('may be simulated when policy and release say so, and is marked', async () => {
    const release = packageOf({ measurements: [{ tee: 'sev-snp', simulated: true, value: measurement }] });
    const from = await forgeEnclave({ release });
    const attestation = { simulated: { arkSpkiSha256: from.chain.arkSpkiSha256 } };
    const bundle = await from.attest(text, { simulated: true });
    const options = { bundle, nonce, policy: policyFor({ attestation }), now, anchors: { snp: [] } };
    const verified = await verifyEnclave(options);
    expect(verified.simulated).toBe(true);
    expect(verified.claims.vendor).toBe('simulated');
  });
});

describe('an enclave is refused', () => {
  it('when it answers another nonce', async () => {
    await expectCode(
      () => verify({ edit: (bundle) => ({ ...bundle, nonce: toBase64Url(new Uint8Array(32)) }) }),
      'CLIENT_NONCE_MISMATCH',
    );
  });

  it('when its evidence is for another nonce, purpose or release', async () => {
    const changes: AttestChange[] = [
      { evidenceNonce: new Uint8Array(32) },
      { purpose: 'key-release' },
      { releaseDigest: new Uint8Array(32) },
    ];
    for (const change of changes) await expectCode(() => verify({ change }), 'SNP_REPORT_DATA_MISMATCH');
  });

  it('when a relay put other keys into the bundle', async () => {
    const other = await forgeEnclave();
    const keyConfig = toBase64Url(other.generation.keys.keyConfig);
    const receiptKey = toBase64Url(other.generation.receiptKey);
    for (const part of [{ keyConfig }, { receiptKey }]) {
      await expectCode(() => verify({ edit: (bundle) => ({ ...bundle, ...part }) }), 'SNP_REPORT_DATA_MISMATCH');
    }
  });

  it('when a relay put another release of the same owner into the bundle', async () => {
    const release = packageOf({ version: 8 });
    await expectCode(() => verify({ edit: (bundle) => ({ ...bundle, release }) }), 'SNP_REPORT_DATA_MISMATCH');
  });

  it('when the release lists no such measurement', async () => {
    await expectCode(() => verify({ change: { measurement: 'cd'.repeat(48) } }), 'SNP_MEASUREMENT_NOT_ALLOWED');
  });

  it('when policy and release have no measurement in common', async () => {
    const policy = { snp: { measurements: ['cd'.repeat(48)] } };
    await expectCode(() => verify({ policy }), 'CLIENT_MEASUREMENT_UNLISTED');
  });

  it('when it is simulated and the policy does not say so', async () => {
    await expectCode(() => verify({ change: { simulated: true } }), 'SIMULATED_EVIDENCE_REFUSED');
  });

  it('when it is simulated and the release lists its measurement as that of hardware', async () => {
    const policy = { attestation: { simulated: { arkSpkiSha256: enclave.chain.arkSpkiSha256 } } };
    await expectCode(() => verify({ change: { simulated: true }, policy }), 'CLIENT_MEASUREMENT_UNLISTED');
  });

  it('when it is hardware and the release lists its measurement as simulated', async () => {
    const from = await forgeEnclave({
      release: packageOf({ measurements: [{ tee: 'sev-snp', simulated: true, value: measurement }] }),
    });
    await expectCode(() => verify({ from }), 'CLIENT_MEASUREMENT_UNLISTED');
  });

  it('when its root is not pinned', async () => {
    const other = await forgeEnclave();
    const bundle = await other.attest(text);
    const options = { bundle, nonce, policy: policyFor(), now };
    await expectCode(() => verifyEnclave({ ...options, anchors: { snp: [] } }), 'SNP_ARK_NOT_PINNED');
    await expectCode(() => verifyEnclave(options), 'SNP_ARK_NOT_PINNED');
  });

  it('when the owner is another', async () => {
    const policy = { client: { ownerKeys: [policyFor().quorum.approvers[2]?.publicKey] } };
    await expectCode(() => verify({ policy }), 'RELEASE_OWNER_UNKNOWN');
  });

  it('when approvals are missing', async () => {
    const from = await forgeEnclave({ release: makePackage({ approvals: () => [] }) });
    await expectCode(() => verify({ from }), 'APPROVAL_MISSING');
  });

  it('when the release has ended', async () => {
    await expectCode(() => verify({ at: new Date('2026-12-01T00:00:00Z') }), 'RELEASE_EXPIRED');
  });

  it('when the release is older than the policy allows', async () => {
    await expectCode(() => verify({ policy: { client: { minimumVersion: 8 } } }), 'RELEASE_VERSION_ROLLBACK');
  });

  it('when it serves another model', async () => {
    await expectCode(() => verify({ policy: { client: { model: 'acme/other' } } }), 'CLIENT_MODEL_MISMATCH');
  });

  it('when the release does not promise the shape of traffic that the policy asks for', async () => {
    const asking = (traffic: string) => ({ policy: { client: { traffic } } });
    await expectCode(() => verify(asking('balanced')), 'CLIENT_TRAFFIC');
    const from = await forgeEnclave({ release: packageOf({ traffic: 'balanced' }) });
    await expectCode(() => verify({ from, ...asking('strict') }), 'CLIENT_TRAFFIC');
    const { checks } = await verify({ from, ...asking('balanced') });
    expect(checks.find(({ code }) => code === 'CLIENT_TRAFFIC')).toMatchObject({
      outcome: 'passed',
      actual: 'balanced',
    });
  });

  it('when the bundle does not follow its schema', async () => {
    await expectCode(() => verify({ edit: (bundle) => ({ ...bundle, extra: 1 }) }), 'CHANNEL_WIRE_MALFORMED');
    await expectCode(() => verify({ edit: () => 'text' }), 'CHANNEL_WIRE_MALFORMED');
  });

  it('when one bit of its evidence was changed, wherever it is', async () => {
    const bundle = await enclave.attest(text);
    const { type, value: bytes } = cmwFromJson(bundle.evidence);
    for (let at = 0; at < bytes.length; at += 61) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ 4;
      const options = { nonce, policy: policyFor(), now, anchors: enclave.anchors };
      const evidence: [string, string] = [type, toBase64Url(changed)];
      const outcome = verifyEnclave({ ...options, bundle: { ...bundle, evidence } });
      await expect(outcome).rejects.toMatchObject({ name: 'FastnessError' });
    }
  });
});

describe('a client policy', () => {
  it.each([
    [{ version: 2 }, 'version'],
    [{ ownerKeys: [] }, 'ownerKeys'],
    [{ ownerKeys: ['not base64url!'] }, 'ownerKeys.0'],
    [{ allowX25519: 'yes' }, 'allowX25519'],
    [{ minimumVersion: 0 }, 'minimumVersion'],
    [{ quorum: { threshold: 2, approvers: [{ id: 'a', publicKey: 'A'.repeat(20) }] } }, 'quorum'],
    [{ quorum: { threshold: 0, approvers: [{ id: 'a', publicKey: 'A'.repeat(20) }] } }, 'quorum.threshold'],
    [{ attestation: {} }, 'attestation.version'],
    [{ misspelt: true }, 'misspelt'],
  ])('is refused with %o, naming the member', async (change, member) => {
    const policy = { ...policyFor(), ...change };
    await expectCode(() => parseClientPolicy(policy), 'CLIENT_POLICY_INVALID');
    expect(() => parseClientPolicy(policy)).toThrow(member);
  });
});
