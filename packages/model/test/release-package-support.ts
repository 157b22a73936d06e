import { geometryOf } from '../src/floe/geometry.ts';
import { approvalPayloadType, type Quorum, type Release, type ReleasePackage } from '../src/release/index.ts';
import { sealedPathOf, type Manifest } from '../src/manifest.ts';
import { forgeBundle, makeStatement, pae, sha256Hex, testKey, type TestKey } from './release-support.ts';

export const now = new Date('2026-11-23T12:00:00Z');
export const modelId = 'acme/model';

const segmentSize = 1024;
const plainSizes = { 'config.json': 2, 'weights/model.gguf': 3000 };

/** Stand-ins for sealed files: only their digests matter to a release. */
export const sealedFiles: Readonly<Record<string, string>> = Object.fromEntries(
  Object.keys(plainSizes).map((path) => [sealedPathOf(path), `ciphertext of ${path}`]),
);

export function makeManifest(change: Partial<Manifest> = {}): Manifest {
  return {
    format: 'fastness/manifest/v1',
    modelId,
    engine: 'llama',
    task: 'generate',
    sealId: '0123456789abcdef',
    files: Object.entries(plainSizes).map(([path, size]) => ({
      path,
      size,
      sealedSize: geometryOf(size, segmentSize).sealedSize,
      sealedPath: sealedPathOf(path),
      floe: { segmentSize },
    })),
    createdAt: '2026-11-01T00:00:00Z',
    ...change,
  };
}

export function makeRelease(change: Partial<Release> = {}): Release {
  return {
    format: 'fastness/release/v1',
    modelId,
    version: 7,
    notBefore: '2026-11-01T00:00:00Z',
    expires: '2026-12-01T00:00:00Z',
    measurements: [{ tee: 'sev-snp', simulated: false, value: 'ab'.repeat(48) }],
    brokerKey: Buffer.from(testKey('Ed25519').spki).toString('base64url'),
    ...change,
  };
}

export const owner = testKey('P-384');
export const approvers = {
  ada: testKey('P-256'),
  grace: testKey('Ed25519'),
  linus: testKey('P-384'),
} as const satisfies Record<string, TestKey>;

/** Two of three. */
export const quorum: Quorum = {
  threshold: 2,
  approvers: Object.entries(approvers).map(([id, key]) => ({ id, publicKey: key.spki })),
};

export interface ApprovalSpec {
  readonly approver: string;
  readonly key: TestKey;
  readonly releaseDigest: string;
  readonly change?: Record<string, unknown>;
  readonly payloadType?: string;
  readonly signatures?: number;
}

export function forgeApproval(spec: ApprovalSpec): string {
  const { approver, key, releaseDigest, change, payloadType = approvalPayloadType, signatures = 1 } = spec;
  const payload = Buffer.from(
    JSON.stringify({
      format: 'fastness/approval/v1',
      releaseDigest,
      approver,
      decision: 'approve',
      at: '2026-11-20T00:00:00Z',
      ...change,
    }),
  );
  const sig = Buffer.from(key.sign(pae(payloadType, payload))).toString('base64');
  return JSON.stringify({
    payload: payload.toString('base64'),
    payloadType,
    signatures: Array.from({ length: signatures }, () => ({ sig, keyid: key.hint })),
  });
}

export function digestOfBundle(bundle: string): string {
  const { dsseEnvelope }: { dsseEnvelope: { payload: string } } = JSON.parse(bundle);
  return sha256Hex(Buffer.from(dsseEnvelope.payload, 'base64'));
}

export interface PackageSpec {
  readonly manifest?: string;
  readonly release?: string;
  /** What the statement lists besides manifest.json and release.json. */
  readonly files?: Readonly<Record<string, string>>;
  /** Changes the list of what is signed. */
  readonly signed?: (files: Record<string, string>) => Record<string, string>;
  readonly serialization?: Record<string, unknown>;
  readonly keys?: readonly TestKey[];
  readonly material?: unknown;
  /** Makes the approvals; by default Ada and Grace approve. */
  readonly approvals?: (releaseDigest: string) => string[];
}

/** A release package that is honest in everything but what `spec` says, with real signatures. */
export function makePackage(spec: PackageSpec = {}): ReleasePackage {
  const manifest = spec.manifest ?? JSON.stringify(makeManifest());
  const release = spec.release ?? JSON.stringify(makeRelease());
  const all = { ...(spec.files ?? sealedFiles), 'manifest.json': manifest, 'release.json': release };
  const bundle = forgeBundle({
    payload: makeStatement(spec.signed?.(all) ?? all, spec.serialization),
    keys: spec.keys ?? [owner],
    ...(spec.material === undefined ? {} : { material: spec.material }),
  });
  const releaseDigest = digestOfBundle(bundle);
  const approvals = spec.approvals?.(releaseDigest) ?? [
    forgeApproval({ approver: 'ada', key: approvers.ada, releaseDigest }),
    forgeApproval({ approver: 'grace', key: approvers.grace, releaseDigest }),
  ];
  return { bundle, manifest, release, approvals };
}
