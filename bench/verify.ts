// Verifications of recorded evidence over the bare signature verifications of its vendor, beside published verifiers on the
// same evidence. Run: npm run bench:verify. Needs the recorded vectors; the peers are installed on the first run.
import { verify as opensslVerify, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { VerificationCache, verifyEvidence, type VerifyEvidenceOptions } from '@fastness/attest';
import { nativeVerifier } from '@fastness/evidence/native-verifier';
import { vectorsPresent } from '../packages/attest/test/support/vectors.ts';
import { loadPeers, type Peer } from './peers.ts';
import { recordedEvidence, type Recorded } from './recorded.ts';
import { compare, printFigures, timed, type Figure } from './support.ts';

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
    native: ours({ signatures: nativeVerifier }),
    web: ours({}),
    cached: ours({ signatures: nativeVerifier, cache }),
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

if (!vectorsPresent) {
  process.stderr.write(
    'The recorded vectors are not there (FASTNESS_VECTORS), and without them there is nothing to verify.\n',
  );
  process.exitCode = 1;
} else {
  const peers = await loadPeers();
  for (const recorded of recordedEvidence()) await measure(recorded, peers);
}
