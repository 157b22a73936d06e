import { reportDataOf, type SessionBinding, type TrustAnchors } from '@fastness/attest';
import { signLease } from '@fastness/channel';
import type { ClientPolicy } from '@fastness/client';
import { fromHex, toBase64Url } from '@fastness/codec';
import { newApiKey } from '@fastness/model';
import { releaseDigestOf } from '@fastness/model/release';
import { startRelay } from '@fastness/relay';
import { forgeAmdChain, forgeSnpReport, snpEndorsements, snpEvidence } from '@fastness/testkit';
import { makeManifest, makePackage, makeRelease } from '../../../../packages/model/test/release-package-support.ts';
import { anchorsOf, measurement, policyFor } from '../../../../packages/client/test/support/scenario.ts';
import { TenantGate } from '../../../enclave/src/access/gate.ts';
import { generateEnclaveKeys } from '../../../enclave/src/boot/enclave-keys.ts';
import { engineRuntime } from '../../../enclave/src/engine/select.ts';
import { listenDirectTls } from '../../../enclave/src/serve/direct-tls.ts';
import { createInnerApi } from '../../../enclave/src/serve/inner/app.ts';
import { KeyRing } from '../../../enclave/src/serve/key-ring.ts';
import { listen } from '../../../enclave/src/serve/node-http.ts';
import { createOuter } from '../../../enclave/src/serve/outer.ts';
import type { Serving } from '../../../enclave/src/serve/serving.ts';
import { limits, triageFiles } from '../../../enclave/test/models.ts';

const host = '127.0.0.1';
const day = 86_400_000;

/** An enclave that passes for genuine where its root counts: AMD's format, not the simulated TEE's, under a root made here. */
export interface GenuineEnclave extends AsyncDisposable {
  /** Of the relay in front of it. */
  readonly relay: string;
  /** Its own address, where TLS ends inside. */
  readonly direct: string;
  /** Of the one tenant that is let in. */
  readonly apiKey: string;
  readonly policy: ClientPolicy;
  readonly anchors: TrustAnchors;
}

/**
 * The parts of the enclave that face clients, with the engine and its model, behind the relay, on evidence forged as of now. What
 * is not here is the start: broker and sealed model.
 * @param origin of the page that may ask the relay
 */
export async function startGenuineEnclave(origin: string): Promise<GenuineEnclave> {
  await using stack = new AsyncDisposableStack();
  const now = new Date();
  const chain = await forgeAmdChain({ product: 'Milan', kind: 'vcek', now });
  const { subtle } = globalThis.crypto;
  const broker = await subtle.generateKey('Ed25519', true, ['sign', 'verify']);
  if (!('privateKey' in broker)) throw new TypeError('no key pair');
  const modelId = 'triage';
  const release = makePackage({
    manifest: JSON.stringify(makeManifest({ modelId })),
    release: JSON.stringify(
      makeRelease({
        modelId,
        notBefore: new Date(now.getTime() - day).toISOString(),
        expires: new Date(now.getTime() + 30 * day).toISOString(),
        brokerKey: toBase64Url(new Uint8Array(await subtle.exportKey('spki', broker.publicKey))),
      }),
    ),
  });
  const releaseDigest = await releaseDigestOf(release.bundle);

  const collect = async (session: SessionBinding) => {
    const reportData = await reportDataOf({ ...session, deviceEvidenceDigest: null });
    const report = await forgeSnpReport({ chain, reportData, measurement: fromHex(measurement) });
    const { certificates, crl } = chain;
    return { evidence: snpEvidence({ report }), endorsements: [snpEndorsements({ certificates, crls: [crl] })] };
  };
  const keys = await generateEnclaveKeys();
  const { digest: keyConfigDigest } = keys.public;
  const born = { purpose: 'key-release', nonce: new Uint8Array(32), keyConfigDigest, releaseDigest } as const;
  const ring = await KeyRing.create({
    keys,
    evidence: (await collect(born)).evidence,
    releaseDigest,
    collect,
    replayEntries: 1024,
    chunkInterval: 20,
    requestBytes: 2 ** 20,
    clock: () => performance.now(),
    now: () => new Date(),
    overlapMs: 600_000,
  });
  stack.defer(() => ring.close());
  const token = await signLease({
    claims: {
      leaseId: 'l-1',
      releaseDigest,
      keyConfigDigest,
      enclaveNonce: new Uint8Array(32),
      ttlSeconds: 3600,
      issuedAt: now,
    },
    sign: async (bytes) => new Uint8Array(await subtle.sign('Ed25519', broker.privateKey, new Uint8Array(bytes))),
  });

  const runtime = await engineRuntime('llama');
  stack.defer(() => runtime.close());
  const engine = await runtime.load({ files: triageFiles(), task: 'generate', limits });
  stack.defer(() => engine.close());
  const { key: apiKey, id, sha256 } = newApiKey();
  const gate = new TenantGate(() => performance.now());
  gate.keepTime(() => new Date());
  gate.use({
    tenants: [{ id: 'ward-7', keys: [{ id, sha256 }], limits: {} }],
    expires: new Date(now.getTime() + day).toISOString(),
  });
  const api = createInnerApi(
    {
      engine,
      modelId,
      limits: {
        bodyBytes: 65_536,
        messages: 8,
        inputs: 4,
        maxTokens: 200,
        requestSeconds: 300,
        tokensPerFrame: 8,
        frameDelayMs: 60_000,
      },
      now: () => new Date(),
      shape: undefined,
      gate: gate.enter,
      lease: new AbortController().signal,
    },
    () => undefined,
  );
  const part: Pick<Serving, 'api' | 'ring' | 'shape' | 'release' | 'releaseDigest'> & { lease: unknown } = {
    api,
    ring,
    shape: undefined,
    release,
    releaseDigest,
    lease: { assertHeld: () => undefined, shown: { token: toBase64Url(token) } },
  };
  const { handler, whole } = createOuter({
    serving: () => part as unknown as Serving,
    health: () => ({ healthy: true, body: {} }),
    collect,
    attestation: { waiting: 64, perSecond: 1000, waitMs: 60_000 },
    admission: { concurrent: 64, arriving: 64, openMs: 60_000, arriveMs: 60_000 },
    stallMs: 60_000,
    log: () => undefined,
  });
  const inner = await listen(handler, { whole, host, port: 0 });
  stack.defer(() => inner.close(0));
  const direct = await listenDirectTls(handler, { whole, host, port: 0, log: () => undefined });
  stack.defer(() => direct.close(0));
  const relay = await startRelay({ listen: { host, port: 0 }, upstream: inner.url, allowedOrigins: [origin] });
  stack.defer(() => relay.close());
  const kept = stack.move();
  return {
    relay: relay.url,
    direct: direct.url,
    apiKey,
    policy: policyFor(),
    anchors: anchorsOf(chain),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
