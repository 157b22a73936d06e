import { randomBytes } from 'node:crypto';
import { cmwToJson, keyConfigDigestOf, reportDataOf, type Cmw } from '@fastness/attest';
import { generateGatewayKeys, type GatewayKeys } from '@fastness/channel';
import type { KeyReleaseRequest } from '@fastness/channel/wire';
import { fromBase64Url, fromHex, toBase64Url } from '@fastness/codec/bytes';
import {
  forgeSnpReport,
  snpEndorsements,
  snpEvidence,
  type ForgedAmdChain,
  type ForgeSnpReportOptions,
} from '@fastness/testkit';
import { measurement, simulatedMeasurement, type TestRelease, type World } from './world.ts';

/** An enclave's side of the exchange: its keys, the evidence it would collect, the request it would send. */
export interface TestEnclave {
  readonly keys: GatewayKeys;
  readonly receiptKey: Uint8Array;
  readonly keyConfigDigest: Uint8Array;
}

export async function createEnclave(): Promise<TestEnclave> {
  const keys = await generateGatewayKeys();
  const receiptKey = new Uint8Array(randomBytes(32));
  const keyConfigDigest = await keyConfigDigestOf({ ohttpKeyConfig: keys.keyConfig, receiptKey });
  return { keys, receiptKey, keyConfigDigest };
}

export interface AttestOptions {
  readonly world: Pick<World, 'chain' | 'simulated'>;
  readonly enclave: TestEnclave;
  readonly release: Pick<TestRelease, 'digest' | 'digestHex'>;
  readonly nonce: string;
  readonly simulated?: boolean;
  readonly chain?: ForgedAmdChain;
  readonly leaseId?: string;
  readonly enclaveNonce?: Uint8Array;
  /** Replaces what goes into report data. */
  readonly bind?: Partial<Parameters<typeof reportDataOf>[0]>;
  /** Replaces what goes into the report. */
  readonly report?: Partial<ForgeSnpReportOptions>;
  /** Replaces members of the request. */
  readonly request?: Partial<KeyReleaseRequest>;
  readonly evidence?: (evidence: Cmw) => Cmw;
}

export async function attest(options: AttestOptions): Promise<KeyReleaseRequest> {
  const { world, enclave, release, nonce, simulated = false } = options;
  const chain = options.chain ?? (simulated ? world.simulated : world.chain);
  const reportData = await reportDataOf({
    purpose: 'key-release',
    nonce: fromBase64Url(nonce),
    keyConfigDigest: enclave.keyConfigDigest,
    releaseDigest: release.digest,
    deviceEvidenceDigest: null,
    ...options.bind,
  });
  const report = await forgeSnpReport({
    chain,
    reportData,
    measurement: fromHex(simulated ? simulatedMeasurement : measurement),
    ...options.report,
  });
  const evidence = snpEvidence({ report, simulated });
  return {
    nonce,
    enclaveNonce: toBase64Url(options.enclaveNonce ?? randomBytes(32)),
    evidence: cmwToJson(options.evidence?.(evidence) ?? evidence),
    endorsements: [cmwToJson(snpEndorsements({ certificates: chain.certificates, crls: [chain.crl] }))],
    keyConfig: toBase64Url(enclave.keys.keyConfig),
    receiptKey: toBase64Url(enclave.receiptKey),
    releaseDigest: release.digestHex,
    ...(options.leaseId === undefined ? {} : { leaseId: options.leaseId }),
    ...options.request,
  };
}
