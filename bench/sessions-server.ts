// The enclave's /attestation for bench/sessions.ts: its real listener, admission, batching and answers over forged SEV-SNP
// evidence (real signatures under a forged root), from a quote source that takes QUOTE_MS and serves one caller at a time. No
// model and no lease behind it. Run: sessions-server.ts QUOTE_MS PER_SECOND; prints what a client needs to verify it.
import { setTimeout as sleep } from 'node:timers/promises';
import { reportDataOf, type SessionBinding } from '@fastness/attest';
import { forgeSnpReport, snpEndorsements, snpEvidence } from '@fastness/testkit';
import { fromHex } from '@fastness/codec';
import { releaseDigestOf } from '@fastness/model/release';
import { listen } from '../apps/enclave/src/serve/node-http.ts';
import { createOuter } from '../apps/enclave/src/serve/outer.ts';
import type { Serving } from '../apps/enclave/src/serve/serving.ts';
import { leasedEnclave } from '../packages/client/test/support/broker.ts';
import { measurement, policyFor } from '../packages/client/test/support/scenario.ts';

const [quoteMs = 39, perSecond = 25] = process.argv.slice(2).map(Number);
const party = await leasedEnclave();
const forged = party.enclave;
const { keys, receiptKey, keyConfigDigest: digest } = forged.generation;
const { chain, release } = forged;
const publicKeys = { keyConfig: keys.keyConfig, receiptKey, digest };
const { token } = await party.lease(await forged.attest('A'.repeat(43)));
const serving = {
  release,
  releaseDigest: await releaseDigestOf(release.bundle),
  lease: { assertHeld: () => {}, shown: { token } },
  ring: { first: { public: publicKeys }, current: { keys: { public: publicKeys } } },
} as unknown as Serving;

let last: Promise<unknown> = Promise.resolve();
let quotes = 0;
/** One quote after the other; the signature itself takes a part of the time that a quote takes. */
const collect = (session: SessionBinding) => {
  const mine = last.then(async () => {
    quotes += 1;
    const reportData = await reportDataOf({ ...session, deviceEvidenceDigest: null });
    const made = forgeSnpReport({ chain, reportData, measurement: fromHex(measurement) });
    const [report] = await Promise.all([made, sleep(quoteMs)]);
    return {
      evidence: snpEvidence({ report, simulated: false }),
      endorsements: [snpEndorsements({ certificates: chain.certificates, crls: [chain.crl] })],
    };
  });
  last = mine.catch(() => undefined);
  return mine;
};

const outer = createOuter({
  serving: () => serving,
  health: () => ({ healthy: true, body: { quotes, cpu: process.cpuUsage() } }),
  collect,
  attestation: { waiting: 4096, perSecond, waitMs: 10_000 },
  admission: { concurrent: 64, arriving: 4096, openMs: 5000, arriveMs: 30_000 },
  stallMs: 30_000,
  log: () => {},
});
const { url } = await listen(outer.handler, { whole: outer.whole, host: '127.0.0.1', port: 0 });
process.stdout.write(`${JSON.stringify({ url, anchors: forged.anchors, policy: policyFor() })}\n`);
