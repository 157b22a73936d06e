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
import { compare, median, medianRatio, printFigures, printParts, timed, type Figure } from './support.ts';
import type { BrowserTimes } from './browser-page.ts';

const rounds = Number(process.argv[2] ?? 20);
const repetitions = 25;

/**
 * One bare verification with a key that is already imported. `plain`: the call for a signature as evidence carries it, r || s.
 * `fastest`: the same signature in DER and the key by itself, which spares Node two conversions; what no verifier goes below.
 */
function floorsOf({ curve, hash }: Recorded['floor']): { plain: () => void; fastest: () => void } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: curve });
  const message = new Uint8Array(1000);
  const signature = sign(hash, message, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const der = sign(hash, message, privateKey);
  const key: KeyObject = createPublicKey(publicKey.export({ format: 'pem', type: 'spki' }));
  const check = (holds: boolean): void => {
    if (!holds) throw new Error('no floor');
  };
  return {
    plain: () => check(opensslVerify(hash, message, { key, dsaEncoding: 'ieee-p1363' }, signature)),
    fastest: () => check(opensslVerify(hash, message, key, der)),
  };
}

/**
 * Median of single times, and of its rounds the quietest: on a busy machine a mean is mostly what others did meanwhile. Taken
 * for the bare verification as for everything that is measured in it.
 */
const repeated = (work: () => unknown) => async (): Promise<number> => {
  const times: number[] = [];
  for (let count = 0; count < repetitions; count += 1) times.push(await timed(async () => work()));
  return median(times);
};

async function measure(recorded: Recorded, peers: readonly Peer[]): Promise<void> {
  const cache = new VerificationCache();
  const ours = (means: Partial<VerifyEvidenceOptions>) =>
    repeated(async () => verifyEvidence({ ...recorded.options, ...means }));
  const floors = floorsOf(recorded.floor);
  const contenders: Record<string, () => Promise<number>> = {
    floor: repeated(floors.plain),
    fastest: repeated(floors.fastest),
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
  const result = await compare(contenders, rounds, (medians) => Math.min(...medians));
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
  const over = (name: string, signatures: number): number =>
    (result[name] ?? Number.NaN) / (result['fastest'] ?? Number.NaN) / signatures;
  printParts('in verifications by the fastest call: DER, the key by itself', '', {
    'that call, ms': result['fastest'] ?? Number.NaN,
    'uncached, OpenSSL': over('native', 1),
    'chain and collateral cached': over('cached', recorded.fresh),
  });
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
