// Verifications of recorded evidence over the bare signature verifications of its vendor, beside published verifiers on the
// same evidence. Run: npm run bench:verify. Needs the recorded vectors; the peers are installed on the first run.
import { verify as opensslVerify, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { VerificationCache, verifyEvidence, type VerifyEvidenceOptions } from '@fastness/attest';
import { nativeMeans } from '@fastness/evidence/native-verifier';
import { bundleForBrowser, chromiumPresent, withPage } from '../packages/attest/test/support/browser/chromium.ts';
import { toWire } from '../packages/attest/test/support/browser/wire.ts';
import { vectorsPresent } from '../packages/attest/test/support/vectors.ts';
import { loadPeers, type Peer } from './peers.ts';
import { recordedEvidence, type Recorded } from './recorded.ts';
import { compare, median, medianRatio, printFigures, timed, type Figure } from './support.ts';
import type { BrowserTimes } from './browser-page.ts';

const rounds = Number(process.argv[2] ?? 7);
const repetitions = 100;

/** One bare verification with a key that is already imported: what no verifier can go below. */
function floorOf({ curve, hash }: Recorded['floor']): () => void {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: curve });
  const message = new Uint8Array(1000);
  const signature = sign(hash, message, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const key: KeyObject = createPublicKey(publicKey.export({ format: 'pem', type: 'spki' }));
  return () => {
    if (!opensslVerify(hash, message, { key, dsaEncoding: 'ieee-p1363' }, signature)) throw new Error('no floor');
  };
}

const repeated = (work: () => unknown) => async (): Promise<number> =>
  (await timed(async () => {
    for (let count = 0; count < repetitions; count += 1) await work();
  })) / repetitions;

async function measure(recorded: Recorded, peers: readonly Peer[]): Promise<void> {
  const cache = new VerificationCache();
  const ours = (means: Partial<VerifyEvidenceOptions>) =>
    repeated(async () => verifyEvidence({ ...recorded.options, ...means }));
  const contenders: Record<string, () => Promise<number>> = {
    floor: repeated(floorOf(recorded.floor)),
    native: ours(nativeMeans),
    web: ours({}),
    cached: ours({ ...nativeMeans, cache }),
  };
  const refusals: string[] = [];
  for (const peer of peers) {
    try {
      const judge = peer.judge(recorded);
      if (judge === undefined) continue;
      await judge();
      contenders[peer.name] = repeated(judge);
    } catch (error) {
      refusals.push(`  ${peer.name} does not accept it: ${String(error).split('\n')[0]?.slice(0, 120) ?? ''}`);
    }
  }
  const result = await compare(contenders, rounds);
  const against = `bare ${recorded.floor.curve} verify (OpenSSL)`;
  const reference = result['floor'] ?? Number.NaN;
  const figure = (name: string, value = Number.NaN, goal?: string): Figure => ({
    name,
    value,
    against,
    reference,
    unit: 'ms',
    ...(goal === undefined ? {} : { goal }),
  });
  printFigures(recorded.name, [
    figure('uncached, OpenSSL', result['native'], `<= ${recorded.goal}`),
    figure('uncached, WebCrypto', result['web']),
    {
      ...figure('chain and collateral cached', result['cached'], '<= 1.5'),
      against: `${recorded.fresh} bare verifies`,
      reference: reference * recorded.fresh,
    },
    ...peers.filter(({ name }) => name in contenders).map(({ name }) => figure(name, result[name])),
  ]);
  for (const refusal of refusals) process.stdout.write(`${refusal}\n`);
}

/** The same evidence in headless Chromium, where WebCrypto is all there is. */
async function measureInChromium(all: readonly Recorded[]): Promise<void> {
  const script = await bundleForBrowser(new URL('browser-page.ts', import.meta.url));
  await withPage(script, async (page, version) => {
    for (const { name, options, floor, fresh, goal } of all) {
      const samples: BrowserTimes[] = [];
      for (let round = 0; round <= rounds; round += 1) {
        const call = { wire: toWire(options), curve: floor.curve, repetitions };
        const sample = await page.evaluate(
          async ({ wire, curve, repetitions: times }) => globalThis.measure(wire, curve, times),
          call,
        );
        if (round > 0) samples.push(sample);
      }
      const floors = samples.map((sample) => sample.floor);
      const figure = (
        what: string,
        values: number[],
        references: number[],
        against: string,
        limit: string,
      ): Figure => ({
        name: what,
        value: median(values),
        against,
        reference: median(references),
        unit: 'ms',
        goal: limit,
        ratio: medianRatio(values, references),
      });
      const uncached = samples.map((sample) => sample.uncached);
      const cached = samples.map((sample) => sample.cached);
      const remaining = floors.map((value) => value * fresh);
      printFigures(`${name}, in Chromium ${version}`, [
        figure('uncached', uncached, floors, `bare ${floor.curve} verify (WebCrypto)`, `<= ${goal}`),
        figure('chain and collateral cached', cached, remaining, `${fresh} bare verifies`, '<= 1.5'),
      ]);
    }
  });
}

if (!vectorsPresent) {
  process.stderr.write(
    'The recorded vectors are not there (FASTNESS_VECTORS), and without them there is nothing to verify.\n',
  );
  process.exitCode = 1;
} else {
  const peers = await loadPeers();
  const all = recordedEvidence();
  for (const recorded of all) await measure(recorded, peers);
  if (chromiumPresent) await measureInChromium(all);
  else process.stdout.write('\nChromium is not there, so nothing was measured in a browser.\n');
}
