import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Cmw, CmwCollection } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import { fakeKds, forgedKdsMaterial, startFakeService, type FakeService } from '@fastness/testkit/services';
import { completeEndorsements, createEndorsementSource, type Completed } from '@fastness/evidence/endorsements';
import { expectCode } from '../../channel/test/support/errors.ts';
import { createClient, verifyReceiptBundle, type CompleteClientEndorsements } from '../src/index.ts';
import { forgeEnclave, now, policyFor, type ForgedEnclave } from './support/scenario.ts';
import { startServer } from './support/server.ts';

let enclave: ForgedEnclave;
beforeAll(async () => {
  const whole = await forgeEnclave();
  // An enclave that sends its report and nothing else.
  enclave = { ...whole, attest: async (...args) => ({ ...(await whole.attest(...args)), endorsements: [] }) };
});

async function withClient(
  complete: CompleteClientEndorsements | undefined,
  work: (client: ReturnType<typeof createClient>) => Promise<void>,
): Promise<void> {
  const server = await startServer({ enclave, answer: async () => Promise.resolve({ body: new Uint8Array(0) }) });
  onTestFinished(async () => server[Symbol.asyncDispose]());
  await work(
    createClient({
      url: server.url,
      policy: policyFor(),
      anchors: enclave.anchors,
      now: () => now,
      ...(complete === undefined ? {} : { completeEndorsements: complete }),
    }),
  );
}

/** Fetches from a fake of AMD's service. */
function fetching(kds: FakeService): CompleteClientEndorsements {
  const source = createEndorsementSource({
    anchors: enclave.anchors,
    services: { amd: kds.url },
    now: () => now,
    http: { attempts: 1 },
  });
  return async (evidence: Cmw | CmwCollection, endorsements: readonly Cmw[]) => {
    const completed: Completed = await completeEndorsements({ evidence, endorsements, source, now });
    return completed.endorsements;
  };
}

describe('a client that fetches endorsements', () => {
  it('verifies an enclave that sends none, and its receipts hold what was fetched', async () => {
    await withClient(undefined, async (client) => expectCode(() => client.verify(), 'SNP_LEAF_MISSING'));
    const kds = await startFakeService(fakeKds([forgedKdsMaterial(enclave.chain)]));
    onTestFinished(async () => kds.close());
    await withClient(fetching(kds), async (client) => {
      const verified = await client.verify();
      expect(verified.verdict.claims.tee).toBe('sev-snp');
      expect(verified.bundle.endorsements).toHaveLength(1);
      const response = await client.fetch('https://enclave.invalid/v1/models');
      await response.arrayBuffer();
      const asked = kds.requests.length;
      const receipt = await verifyReceiptBundle({
        bundle: await client.getReceipt(response),
        policy: policyFor(),
        now,
        anchors: enclave.anchors,
      });
      expect(receipt.enclave.releaseDigest).toEqual(verified.releaseDigest);
      expect(kds.requests).toHaveLength(asked);
    });
  });

  it('verifies nothing and sends nothing when they cannot be fetched', async () => {
    const kds = await startFakeService(() => ({ status: 503, body: '' }));
    onTestFinished(async () => kds.close());
    await withClient(fetching(kds), async (client) => {
      await expectCode(() => client.verify(), 'ENDORSEMENT_UNAVAILABLE');
      await expectCode(() => client.fetch('https://enclave.invalid/v1/models'), 'ENDORSEMENT_UNAVAILABLE');
    });
  });

  it('gives no say to whoever completes: what it returns is verified', async () => {
    await withClient(
      async () => Promise.resolve([]),
      async (client) => expectCode(() => client.verify(), 'SNP_LEAF_MISSING'),
    );
    await withClient(
      async () => Promise.reject(new FastnessError('ENDORSEMENT_OFFLINE')),
      async (client) => expectCode(() => client.verify(), 'ENDORSEMENT_OFFLINE'),
    );
  });
});
