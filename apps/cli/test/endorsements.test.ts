import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cmwToJson, parseAttestationPolicy } from '@fastness/attest';
import { toHex } from '@fastness/codec';
import {
  forgeAmdChain,
  forgeCollateral,
  forgeIntelChain,
  forgeQuote,
  forgeSnpReport,
  snpEvidence,
  tdBody,
} from '@fastness/testkit';
import {
  fakeKds,
  fakePcs,
  forgedKdsMaterial,
  forgedPcsMaterial,
  startFakeService,
  type FakeService,
} from '@fastness/testkit/services';
import { runCli, type CliResult } from '../../../attacks/support/cli.ts';
import { attestCommand } from '../src/commands/attest.ts';
import { endorsementsCommand } from '../src/commands/endorsements.ts';
import { runInProcess } from './support/in-process.ts';

const measurement = new Uint8Array(48).fill(0x6d);
const reportData = new Uint8Array(64).fill(0x72);
const source = { certificateSha256: '00'.repeat(32), source: 'a test' };

let folder: string;
let kds: FakeService;
let pcs: FakeService;
const at = (name: string): string => join(folder, name);
const write = async (name: string, content: unknown): Promise<void> =>
  writeFile(at(name), content instanceof Uint8Array ? content : JSON.stringify(content));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fastness-endorsements-cli-'));
  const now = new Date();
  const amd = await forgeAmdChain({ product: 'Genoa', kind: 'vcek', now });
  const intel = await forgeIntelChain({ now });
  const collateral = await forgeCollateral({ chain: intel, tee: 'tdx', now });
  kds = await startFakeService(fakeKds([forgedKdsMaterial(amd)]));
  pcs = await startFakeService(
    fakePcs({ material: [forgedPcsMaterial({ chain: intel, collateral, tee: 'tdx' })], pccs: true }),
  );
  const report = await forgeSnpReport({ chain: amd, reportData, measurement });
  await write('snp.bin', report);
  await write('simulated.json', cmwToJson(snpEvidence({ report, simulated: true })));
  await write(
    'tdx.bin',
    await forgeQuote({ chain: intel, version: 4, body: tdBody({ mrTd: measurement, reportData }, 'td-1.0') }),
  );
  await write('anchors.json', {
    snp: [{ name: 'ARK-Genoa', product: 'Genoa', spkiSha256: amd.arkSpkiSha256, ...source }],
    intel: [{ name: 'Intel SGX Root CA', spkiSha256: intel.rootSpkiSha256, ...source }],
  });
  const measurements = [toHex(measurement)];
  await write(
    'policy.json',
    parseAttestationPolicy({
      version: 1,
      id: 'test',
      snp: { products: ['Genoa'], signingKeys: ['vcek'], vmpl: [0], measurements, minimumTcb: {}, smt: 'allow' },
      tdx: { measurements, rtmrs: {}, tcbStatuses: ['UpToDate'], minimumTcbEvaluationDataNumber: 20 },
      waivers: [],
    }),
  );
});
afterAll(async () => {
  await kds.close();
  await pcs.close();
  await rm(folder, { recursive: true, force: true });
});

const commands = { attest: attestCommand, endorsements: endorsementsCommand };
const run = async (name: keyof typeof commands, ...args: string[]): Promise<CliResult> =>
  runInProcess(commands[name], at('home'), [name, ...args]);
const services = (): string[] => ['--kds', kds.url, '--pccs', pcs.url];
const anchors = (): string[] => ['--anchors', at('anchors.json')];
const verify = async (file: string, ...args: string[]): Promise<CliResult> => {
  const policy = ['--policy', at('policy.json'), '--at', 'now', '--report-data', toHex(reportData)];
  return run('attest', 'verify', at(file), ...policy, ...anchors(), ...args);
};
const eventsOf = ({ events }: CliResult, name: string) => events.filter(({ event }) => event === name);

describe('fastness endorsements', { timeout: 120_000 }, () => {
  it('bundles on one machine what another verifies with, offline', async () => {
    const bundled = await run(
      'endorsements',
      'bundle',
      at('snp.bin'),
      at('tdx.bin'),
      '--out',
      at('fleet.json'),
      ...services(),
      ...anchors(),
    );
    expect(bundled).toMatchObject({ exitCode: 0, code: undefined });
    expect(eventsOf(bundled, 'endorsement')).toHaveLength(7);
    expect(eventsOf(bundled, 'endorsement')[0]).toMatchObject({ from: 'network', subject: 'amd/chain/vcek/Genoa' });
    expect(eventsOf(bundled, 'bundled')).toMatchObject([{ items: 7 }]);
    const asked = kds.requests.length + pcs.requests.length;

    for (const file of ['snp.bin', 'tdx.bin']) {
      const verified = await verify(file, '--endorsements', at('fleet.json'));
      expect(verified).toMatchObject({ exitCode: 0, code: undefined });
    }
    // The one that runs as a process of its own, through main.ts.
    const shown = await runCli(at('home'), ['endorsements', 'show', at('fleet.json')]);
    expect(shown.exitCode).toBe(0);
    expect(eventsOf(shown, 'result')[0]).toMatchObject({ verified: false, expired: 0 });
    expect(JSON.stringify(eventsOf(shown, 'warning'))).toContain('Nothing here was verified');

    const site = at('air-gapped');
    expect((await verify('tdx.bin', '--endorsements-cache', site, '--offline')).code).toBe('ENDORSEMENT_OFFLINE');
    const imported = await run('endorsements', 'import', at('fleet.json'), '--endorsements-cache', site, ...anchors());
    expect(imported).toMatchObject({ exitCode: 0 });
    expect(eventsOf(imported, 'imported')).toHaveLength(7);
    for (const file of ['snp.bin', 'tdx.bin']) {
      expect(await verify(file, '--endorsements-cache', site, '--offline')).toMatchObject({ exitCode: 0 });
    }
    expect(kds.requests.length + pcs.requests.length).toBe(asked);
  });

  it('does not judge evidence of last week by lists of today', async () => {
    const lastWeek = new Date(Date.now() - 7 * 24 * 3600 * 1000).toISOString();
    const verified = await verify('tdx.bin', '--at', lastWeek, '--endorsements-cache', at('archive'), ...services());
    expect(verified).toMatchObject({ code: 'ENDORSEMENT_STALE', exitCode: 4 });
  });

  it('fetches into the cache of the home, and from there the second time', async () => {
    const fetchSnp = async () => run('endorsements', 'fetch', at('snp.bin'), ...services(), ...anchors());
    expect((await fetchSnp()).exitCode).toBe(0);
    const again = await fetchSnp();
    expect(eventsOf(again, 'endorsement').map(({ from }) => from)).toEqual(['cache', 'cache', 'cache']);
  });

  it('bundles by name, without evidence', async () => {
    const names = ['amd/crl/vcek/Genoa', 'intel/root-crl', 'intel/qe-identity/tdx/standard'];
    const args = ['--subject', ...names, '--out', at('names.json'), '--endorsements-cache', at('names')];
    const bundled = await run('endorsements', 'bundle', ...args, ...services(), ...anchors());
    expect(bundled).toMatchObject({ exitCode: 0, code: undefined });
    expect(eventsOf(bundled, 'bundled')).toMatchObject([{ items: 5 }]);
  });

  it('verifies with what it fetches', async () => {
    expect(await verify('snp.bin')).toMatchObject({ exitCode: 7, code: 'SNP_LEAF_MISSING' });
    expect(await verify('tdx.bin')).toMatchObject({ exitCode: 7, code: 'DCAP_COLLATERAL_MISSING' });
    for (const file of ['snp.bin', 'tdx.bin']) {
      const verified = await verify(file, '--endorsements-cache', at('fresh'), ...services());
      expect(verified).toMatchObject({ exitCode: 0, code: undefined });
    }
  });

  it('accepts nothing that could not be fetched', async () => {
    kds.fail({ kind: 'status', status: 403 });
    try {
      const refused = await verify('snp.bin', '--endorsements-cache', at('empty'), ...services());
      expect(refused).toMatchObject({ code: 'ENDORSEMENT_REFUSED', exitCode: 6 });
      kds.recover();
      kds.fail({ kind: 'status', status: 429, retryAfter: '600' });
      const limited = await verify('snp.bin', '--endorsements-cache', at('empty'), ...services());
      expect(limited).toMatchObject({ code: 'ENDORSEMENT_RATE_LIMITED', exitCode: 9 });
    } finally {
      kds.recover();
    }
  });

  it('takes endorsements of no other root', async () => {
    const args = ['fetch', at('snp.bin'), '--endorsements-cache', at('strangers'), ...services()];
    expect(await run('endorsements', ...args)).toMatchObject({ code: 'ENDORSEMENT_UNAUTHENTIC', exitCode: 4 });
  });

  it('imports the good items of a bundle, names the others, and fails', async () => {
    const bundle = JSON.parse(await readFile(at('fleet.json'), 'utf8')) as {
      items: { subject: string; body: string }[];
    };
    const [chain, crl] = bundle.items;
    if (chain === undefined || crl === undefined) throw new Error('no items');
    crl.body = `${crl.body.slice(0, -8)}AAAAAAAA`;
    await write('spoiled.json', bundle);
    const imported = await run(
      'endorsements',
      'import',
      at('spoiled.json'),
      '--endorsements-cache',
      at('spoiled'),
      ...anchors(),
    );
    expect(imported).toMatchObject({ exitCode: 4 });
    expect(eventsOf(imported, 'imported')).toHaveLength(6);
    expect(eventsOf(imported, 'result')[0]).toMatchObject({ kept: 6, refused: 1 });
    expect(JSON.stringify(eventsOf(imported, 'warning'))).toContain(crl.subject);
  });

  it.each([
    ['no evidence', ['fetch'], 'CLI_USAGE', 2],
    ['a recovery that is none', ['fetch', 'snp.bin', '--update', 'soon'], 'CLI_USAGE', 2],
    ['no file to write', ['bundle', 'snp.bin'], 'CLI_USAGE', 2],
    ['a file that is not there', ['show', 'missing.json'], 'CLI_FILE_UNREADABLE', 2],
    ['a file that is no bundle', ['show', 'policy.json'], 'ENDORSEMENT_BUNDLE_UNKNOWN', 3],
    ['a service over plain http', ['fetch', 'snp.bin', '--kds', 'http://kds.example'], 'ENDORSEMENT_URL', 2],
  ])('says what is wrong with %s', async (_what, args, code, exitCode) => {
    const [command = '', file, ...rest] = args;
    const result = await run('endorsements', command, ...(file === undefined ? [] : [at(file)]), ...rest);
    expect(result).toMatchObject({ code, exitCode });
  });

  it('says that simulated evidence needs nothing', async () => {
    const result = await run('endorsements', 'fetch', at('simulated.json'), ...services());
    expect(result.exitCode).toBe(0);
    expect(JSON.stringify(eventsOf(result, 'warning'))).toContain('needs nothing');
  });
});
