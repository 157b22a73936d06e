import { cmwToJson, keyConfigDigestOf, reportDataOf, type TrustAnchors } from '@fastness/attest';
import {
  createGateway,
  createReceiptIssuer,
  createReplayCache,
  evidenceDigestOf,
  generateGatewayKeys,
  generateReceiptKey,
  type Gateway,
  type GatewayKeys,
  type ReceiptIssuer,
  type ReceiptKey,
} from '@fastness/channel';
import type { AttestationBundle } from '@fastness/channel/wire';
import { fromBase64Url, fromHex, toBase64Url } from '@fastness/codec/bytes';
import { releaseDigestOf, type Release, type ReleasePackage } from '@fastness/model/release';
import { forgeAmdChain, forgeSnpReport, snpEndorsements, snpEvidence, type ForgedAmdChain } from '@fastness/testkit';
import { approvers, makePackage, makeRelease, owner, quorum } from '../../../model/test/release-package-support.ts';
import { parseClientPolicy, type ClientPolicy } from '../../src/index.ts';

export { approvers, makePackage, makeRelease, owner, quorum };

/** The time of every test. */
export const now = new Date('2026-11-23T12:00:00.000Z');
export const measurement = 'ab'.repeat(48);

/** Keys of an enclave with what works on them. */
interface Generation {
  readonly keys: GatewayKeys;
  readonly receipt: ReceiptKey;
  readonly receiptKey: Uint8Array;
  readonly keyConfigDigest: Uint8Array;
  readonly gateway: Gateway;
  readonly receipts: ReceiptIssuer;
}

/** An enclave on forged hardware: real signatures under a root that the test pins. */
export interface ForgedEnclave {
  readonly chain: ForgedAmdChain;
  readonly anchors: Required<Pick<TrustAnchors, 'snp'>>;
  readonly release: ReleasePackage;
  generation: Generation;
  readonly rotate: () => Promise<void>;
  /** Answers `POST /attestation`; `change` makes exactly one thing wrong. */
  readonly attest: (nonce: string, change?: AttestChange) => Promise<AttestationBundle>;
}

export interface AttestChange {
  readonly measurement?: string;
  readonly simulated?: boolean;
  readonly purpose?: 'client' | 'key-release';
  /** Evidence for another nonce. */
  readonly evidenceNonce?: Uint8Array;
  readonly releaseDigest?: Uint8Array;
}

export function anchorsOf(chain: ForgedAmdChain): Required<Pick<TrustAnchors, 'snp'>> {
  const { product, arkSpkiSha256: spkiSha256 } = chain;
  const certificateSha256 = '00'.repeat(32);
  return { snp: [{ name: `ARK-${product}`, product, spkiSha256, certificateSha256, source: 'a test' }] };
}

async function newGeneration(releaseDigest: Uint8Array, previous?: GatewayKeys): Promise<Generation> {
  const keys = await generateGatewayKeys(previous === undefined ? {} : { previous });
  const receipt = await generateReceiptKey();
  const keyConfigDigest = await keyConfigDigestOf({ ohttpKeyConfig: keys.keyConfig, receiptKey: receipt.publicKey });
  const evidenceDigest = await evidenceDigestOf({ type: 'application/own', value: new Uint8Array(1) });
  return {
    keys,
    receipt,
    receiptKey: receipt.publicKey,
    keyConfigDigest,
    gateway: createGateway({ keys, replayCache: createReplayCache(), protocols: ['chunked-ohttp', 'ohttp'] }),
    receipts: createReceiptIssuer({
      receiptKey: receipt,
      releaseDigest,
      keyConfigDigest,
      evidenceDigest,
      now: () => now,
    }),
  };
}

export async function forgeEnclave(options: { release?: ReleasePackage } = {}): Promise<ForgedEnclave> {
  const chain = await forgeAmdChain({ product: 'Milan', kind: 'vcek', now });
  const release = options.release ?? makePackage();
  const releaseDigest = await releaseDigestOf(release.bundle);
  const enclave: ForgedEnclave = {
    chain,
    anchors: anchorsOf(chain),
    release,
    generation: await newGeneration(releaseDigest),
    rotate: async () => {
      enclave.generation = await newGeneration(releaseDigest, enclave.generation.keys);
    },
    attest: async (nonce, change = {}) => {
      const { keys, receiptKey, keyConfigDigest } = enclave.generation;
      const reportData = await reportDataOf({
        purpose: change.purpose ?? 'client',
        nonce: change.evidenceNonce ?? fromBase64Url(nonce),
        keyConfigDigest,
        releaseDigest: change.releaseDigest ?? releaseDigest,
        deviceEvidenceDigest: null,
      });
      const report = await forgeSnpReport({
        chain,
        reportData,
        measurement: fromHex(change.measurement ?? measurement),
      });
      const simulated = change.simulated ?? false;
      return {
        format: 'fastness/attestation/v1',
        nonce,
        evidence: cmwToJson(snpEvidence({ report, simulated })),
        endorsements: [cmwToJson(snpEndorsements({ certificates: chain.certificates, crls: [chain.crl] }))],
        keyConfig: toBase64Url(keys.keyConfig),
        receiptKey: toBase64Url(receiptKey),
        release,
      };
    },
  };
  return enclave;
}

/** A policy that the forged enclave meets, less what `change` says. */
export function policyFor(change: { client?: object; attestation?: object; snp?: object } = {}): ClientPolicy {
  return parseClientPolicy({
    version: 1,
    ownerKeys: [toBase64Url(owner.spki)],
    quorum: {
      threshold: quorum.threshold,
      approvers: quorum.approvers.map(({ id, publicKey }) => ({ id, publicKey: toBase64Url(publicKey) })),
    },
    attestation: {
      version: 1,
      id: 'client-test',
      snp: {
        products: ['Milan'],
        signingKeys: ['vcek'],
        vmpl: [0],
        measurements: 'from-release',
        minimumTcb: {},
        smt: 'allow',
        ...change.snp,
      },
      waivers: [],
      ...change.attestation,
    },
    ...change.client,
  });
}

/** A release package with members of release.json replaced. */
export function packageOf(change: Partial<Release>): ReleasePackage {
  return makePackage({ release: JSON.stringify(makeRelease(change)) });
}
