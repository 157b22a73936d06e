import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAttestationPolicy, reportDataOf, verifyEvidence } from '@fastness/attest';
import { encodeSnpEndorsements } from '@fastness/attest/formats/snp';
import { fromHex, toHex } from '@fastness/codec';
import { forgeAmdChain, forgeSnpReport } from '@fastness/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collectSession, openConfigfsTsm, type Collector, type ConfigfsTsmOptions } from '../src/index.ts';
import { codeOf } from './support/tpm.ts';

let base: string;
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'fastness-tsm-'));
});
afterAll(() => rm(base, { recursive: true, force: true }));

const fresh = async (): Promise<string> => {
  const folder = join(base, toHex(new Uint8Array(randomBytes(6))));
  await mkdir(folder);
  return folder;
};

/** What a kernel does when an entry is made: its attributes appear, and a read of `outblob` makes the report. */
function kernel(options: {
  readonly provider?: string;
  readonly answer?: (inblob: Uint8Array) => Promise<Uint8Array> | Uint8Array;
  readonly auxblob?: Uint8Array;
  /** Generations that reads after the first report see. */
  readonly generations?: readonly string[];
}): NonNullable<ConfigfsTsmOptions['makeEntry']> {
  const { provider = 'sev_guest', answer = (inblob) => inblob, auxblob, generations = [] } = options;
  let entries = 0;
  return async (entry) => {
    await mkdir(entry);
    const at = (name: string): string => join(entry, name);
    await Promise.all([
      writeFile(at('provider'), `${provider}\n`),
      writeFile(at('generation'), '0\n'),
      writeFile(at('inblob'), ''),
      ...(auxblob === undefined ? [] : [writeFile(at('auxblob'), auxblob)]),
    ]);
    entries += 1;
    // The first entry only asks for the provider.
    if (entries === 1) return;
    execFileSync('mkfifo', [at('outblob')]);
    void (async () => {
      for (let round = 0; round <= generations.length; round += 1) {
        // Opens once somebody reads, and what was written to the entry is there by then.
        await using pipe = await open(at('outblob'), 'w');
        const report = await answer(new Uint8Array(await readFile(at('inblob'))));
        const next = generations[round];
        if (next !== undefined) {
          await writeFile(at('generation'), `${next}\n`);
          // A pipe of its own for the next read, or its report would end up in this one.
          execFileSync('mkfifo', [at('next')]);
          await rename(at('next'), at('outblob'));
        }
        await pipe.writeFile(report);
      }
    })().catch(() => {});
  };
}
async function opened(options: Parameters<typeof kernel>[0], more: ConfigfsTsmOptions = {}): Promise<Collector> {
  const collector = await openConfigfsTsm({ root: await fresh(), makeEntry: kernel(options), ...more });
  if (collector === undefined) throw new Error('no collector');
  return collector;
}
const now = new Date();
const session = () => ({
  purpose: 'client' as const,
  nonce: new Uint8Array(randomBytes(32)),
  keyConfigDigest: new Uint8Array(32).fill(1),
  releaseDigest: new Uint8Array(32).fill(2),
});

describe('reports through configfs-tsm', () => {
  it('of SEV-SNP are accepted by the verifier, bound to the session', async () => {
    const chain = await forgeAmdChain({ product: 'Genoa', kind: 'vcek', now });
    const measurement = new Uint8Array(48).fill(5);
    const { product, arkSpkiSha256: spkiSha256 } = chain;
    const collector = await opened({ answer: (reportData) => forgeSnpReport({ chain, reportData, measurement }) });
    expect(collector.tee).toBe('sev-snp');
    const asked = session();
    const { evidence } = await collectSession({ cpu: collector }, asked);
    const verdict = await verifyEvidence({
      evidence,
      endorsements: [encodeSnpEndorsements({ certificates: chain.certificates, crls: [chain.crl] })],
      policy: parseAttestationPolicy({
        version: 1,
        id: 'tsm',
        snp: {
          products: [product],
          signingKeys: ['vcek'],
          vmpl: [0],
          measurements: [toHex(measurement)],
          minimumTcb: {},
          smt: 'allow',
        },
        waivers: [],
      }),
      anchors: { snp: [{ name: 'forged', product, spkiSha256, certificateSha256: spkiSha256, source: 'this test' }] },
      session: asked,
      now,
    });
    const expected = await reportDataOf({ ...asked, deviceEvidenceDigest: null });
    expect(verdict.claims.reportData).toBe(toHex(expected));
  });

  it('of TDX and CCA are wrapped as what they are', async () => {
    for (const [provider, tee] of [
      ['tdx_guest', 'tdx'],
      ['arm_cca_guest', 'arm-cca'],
    ] as const) {
      const collector = await opened({ provider });
      const { evidence } = await collector.collect(new Uint8Array(64).fill(4));
      expect([collector.tee, toHex(evidence.value)]).toEqual([tee, '04'.repeat(64)]);
    }
  });

  it('are made anew when somebody else wrote to the entry', async () => {
    let reports = 0;
    const answer = (inblob: Uint8Array): Uint8Array => {
      reports += 1;
      return inblob;
    };
    const collector = await opened({ provider: 'tdx_guest', answer, generations: ['7'] });
    const { evidence } = await collector.collect(fromHex('0a'.repeat(64)));
    expect([reports, toHex(evidence.value)]).toEqual([2, '0a'.repeat(64)]);
  });

  it('leave no entry behind that can be removed', async () => {
    const root = await fresh();
    const makeEntry = async (path: string): Promise<void> => {
      await mkdir(path);
      throw new Error('full');
    };
    expect(await openConfigfsTsm({ root, makeEntry })).toBeUndefined();
    expect((await readdir(root)).length).toBeLessThanOrEqual(1);
  });

  it('are not there without the interface or its provider', async () => {
    expect(await openConfigfsTsm({ root: join(base, 'missing') })).toBeUndefined();
  });

  it('are refused: another provider, another size, nothing, far too much', async () => {
    const root = await fresh();
    const unknown = openConfigfsTsm({ root, makeEntry: kernel({ provider: 'new_guest' }) });
    expect(await codeOf(unknown)).toBe('EVIDENCE_PROVIDER_UNKNOWN');
    const tdx = { provider: 'tdx_guest' };
    const short = (async () => (await opened(tdx)).collect(new Uint8Array(32)))();
    expect(await codeOf(short)).toBe('EVIDENCE_REPORT_DATA');
    const empty = (async () =>
      (await opened({ ...tdx, answer: () => new Uint8Array(0) })).collect(new Uint8Array(64)))();
    expect(await codeOf(empty)).toBe('EVIDENCE_RESPONSE');
    const large = (async () =>
      (await opened({ ...tdx, answer: () => new Uint8Array(2 << 20) })).collect(new Uint8Array(64)))();
    expect(await codeOf(large)).toBe('EVIDENCE_RESPONSE');
    const noLevel = (async () => (await opened(tdx, { privilegeLevel: 1 })).collect(new Uint8Array(64)))();
    expect(await codeOf(noLevel)).toBe('EVIDENCE_REFUSED');
  });
});
