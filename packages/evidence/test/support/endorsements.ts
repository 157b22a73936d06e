import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { FastnessError } from '@fastness/codec/errors';
import type { TrustAnchors } from '@fastness/attest';
import { forgeAmdChain, forgeCollateral, forgeIntelChain, type ForgeAmdChainOptions } from '@fastness/testkit';
import {
  fakeKds,
  fakePcs,
  forgedKdsMaterial,
  forgedPcsMaterial,
  startFakeService,
  type FakeRoutes,
  type FakeService,
} from '@fastness/testkit/services';
import {
  createEndorsementSource,
  vendorServices,
  type EndorsementServices,
  type EndorsementSource,
  type EndorsementSourceOptions,
} from '../../src/endorsements/index.ts';
import { now } from '../../../attest/test/support/forge.ts';

export { now };
export const DAY: number = 24 * 3600 * 1000;
export const later = (days: number): Date => new Date(now.getTime() + days * DAY);

/** The code of the error that something ends in; `none` when it does not. */
export async function codeOf(attempt: Promise<unknown> | (() => Promise<unknown>)): Promise<string> {
  try {
    await (typeof attempt === 'function' ? attempt() : attempt);
    return 'none';
  } catch (error) {
    if (error instanceof FastnessError) return error.code;
    throw error;
  }
}

/** A fake service that ends with its test. */
export async function fake(routes: FakeRoutes): Promise<FakeService> {
  const service = await startFakeService(routes);
  onTestFinished(async () => service.close());
  return service;
}

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'fastness-endorsements-'));
  onTestFinished(async () => rm(directory, { recursive: true, force: true }));
  return directory;
}

export interface SourceSetup extends Omit<EndorsementSourceOptions, 'services' | 'now' | 'http'> {
  readonly services: Partial<EndorsementServices>;
  readonly at?: () => Date;
  readonly http?: EndorsementSourceOptions['http'];
}

/** Where every service lies that a test does not name: no test may reach a vendor. */
const nowhere: Partial<EndorsementServices> = {
  ...Object.fromEntries(Object.keys(vendorServices).map((name) => [name, 'http://127.0.0.1:1'])),
  azureMaa: 'http://127.0.0.1:1',
  vtpmMirror: 'http://127.0.0.1:1',
};

/** A source that waits for nobody: pauses between attempts are recorded in `pauses` and skipped. */
export function sourceFor(setup: SourceSetup): EndorsementSource & { readonly pauses: number[] } {
  const { at = () => now, http, services, ...options } = setup;
  const pauses: number[] = [];
  const source = createEndorsementSource({
    ...options,
    services: { ...nowhere, ...services },
    now: at,
    http: {
      timeoutMs: 10_000,
      random: () => 1,
      sleep: async (ms) => {
        pauses.push(ms);
        await Promise.resolve();
      },
      ...http,
    },
  });
  return { ...source, pauses };
}

/** A forged AMD root with its service. */
export async function forgedAmd(options: Partial<ForgeAmdChainOptions> = {}) {
  const chain = await forgeAmdChain({ product: 'Genoa', kind: 'vcek', now, ...options });
  const { product, arkSpkiSha256 } = chain;
  const anchors: TrustAnchors = {
    snp: [
      {
        name: `ARK-${product}`,
        product,
        spkiSha256: arkSpkiSha256,
        certificateSha256: '00'.repeat(32),
        source: 'a test',
      },
    ],
  };
  const material = forgedKdsMaterial(chain);
  return { chain, anchors, material, routes: fakeKds([material]) };
}

/** A forged Intel root with its service for one kind of platform. */
export async function forgedIntel(tee: 'sgx' | 'tdx' = 'tdx', ca: 'platform' | 'processor' = 'platform') {
  const chain = await forgeIntelChain({ now, issuer: ca });
  const collateral = await forgeCollateral({ chain, tee, now });
  const anchors: TrustAnchors = {
    intel: [
      {
        name: 'Intel SGX Root CA',
        spkiSha256: chain.rootSpkiSha256,
        certificateSha256: '00'.repeat(32),
        source: 'a test',
      },
    ],
  };
  const material = forgedPcsMaterial({ chain, collateral, tee, ca });
  return { chain, collateral, anchors, material, routes: fakePcs({ material: [material] }) };
}

/** Both addresses of a fake of Intel's service. */
export function intelAt(service: FakeService): Partial<EndorsementServices> {
  return { intel: service.url, intelRootCrl: `${service.url}/IntelSGXRootCA.der` };
}
