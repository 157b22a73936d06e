import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli, type CliResult } from '../../../attacks/support/cli.ts';
import { forgedFolder, type ForgedFolder } from './support/forged.ts';

let folder: ForgedFolder;
beforeAll(async () => {
  folder = await forgedFolder();
});
afterAll(async () => rm(dirname(folder.path('x')), { recursive: true, force: true }));

const run = async (...args: string[]): Promise<CliResult> => runCli(folder.path('no-home'), args);
const terms = (reportData = folder.reportData): string[] => [
  '--policy',
  folder.path('snp.policy.json'),
  '--anchors',
  folder.path('snp.anchors.json'),
  '--at',
  folder.at,
  '--report-data',
  reportData,
  '--endorsements',
  folder.path('snp.endorsements.json'),
];
const resultOf = ({ events }: CliResult) => events.find((event) => event['event'] === 'result');
const warningsOf = ({ events }: CliResult) =>
  events.filter((event) => event['event'] === 'warning').map((event) => String(event['text']));

describe('fastness attest verify, as a pipeline runs it', () => {
  it('accepts with exit code 0 and one JSON object', async () => {
    const result = await run('attest', 'verify', folder.path('snp.bin'), ...terms());
    expect(result).toMatchObject({ exitCode: 0, code: undefined, stderr: '' });
    expect(resultOf(result)).toMatchObject({
      outcome: 'accepted',
      policyId: 'forged-evidence',
      waivers: [],
      simulated: false,
    });
    // Whoever reads the result must see that the roots were not the vendors'.
    expect(warningsOf(result)).toEqual([expect.stringContaining('snp.anchors.json')]);
  });

  it('refuses with the exit code of the class, and still writes its reports', async () => {
    const [sarif, junit] = [folder.path('out.sarif'), folder.path('out.xml')];
    const result = await run(
      'attest',
      'verify',
      folder.path('snp.bin'),
      ...terms('00'.repeat(64)),
      '--sarif',
      sarif,
      '--junit',
      junit,
    );
    expect(result).toMatchObject({ exitCode: 5, code: 'SNP_REPORT_DATA_MISMATCH' });
    expect(resultOf(result)).toMatchObject({ outcome: 'refused', error: { code: 'SNP_REPORT_DATA_MISMATCH' } });
    expect(await readFile(sarif, 'utf8')).toContain('"level": "error"');
    expect(await readFile(junit, 'utf8')).toContain('failures="1"');
  });

  it('shows the simulated TEE for what it is', async () => {
    const result = await run(
      'attest',
      'verify',
      folder.path('simulated.cmw.json'),
      '--policy',
      folder.path('simulated.policy.json'),
      '--at',
      folder.at,
      '--without-nonce',
      'an example',
      '--endorsements',
      folder.path('simulated.endorsements.json'),
    );
    expect(result.exitCode).toBe(0);
    expect(warningsOf(result)).toEqual([
      'Waived: ATTEST_BINDING_UNCHECKED (an example)',
      expect.stringContaining('SIMULATED'),
    ]);
  });

  it('gives standard output to one report alone', async () => {
    const result = await run('attest', 'verify', folder.path('snp.bin'), ...terms(), '--sarif', '-');
    expect(result).toMatchObject({ exitCode: 2, code: 'CLI_USAGE' });
  });

  it('says what is missing', async () => {
    expect(await run('attest', 'verify')).toMatchObject({ exitCode: 2, code: 'CLI_USAGE' });
    expect(await run('attest', 'verify', folder.path('snp.bin'))).toMatchObject({ exitCode: 2, code: 'CLI_USAGE' });
    expect(await run('attest', 'nonsense')).toMatchObject({ exitCode: 2, code: 'CLI_USAGE' });
  });
});

describe('fastness policy', () => {
  it('explains a refusal check by check', async () => {
    const result = await run('policy', 'explain', folder.path('snp.bin'), ...terms('11'.repeat(64)));
    expect(result).toMatchObject({ exitCode: 5, code: 'SNP_REPORT_DATA_MISMATCH' });
    expect(resultOf(result)).toMatchObject({ outcome: 'refused' });
  });

  it('checks the policy that init wrote', async () => {
    const home = join(dirname(folder.path('x')), 'home');
    expect((await runCli(home, ['init'])).exitCode).toBe(0);
    const result = await run('policy', 'check', join(home, 'policy/client.json'));
    expect(result.exitCode).toBe(0);
    expect(resultOf(result)).toMatchObject({ kind: 'client or broker', id: 'fastness-simulated', complete: false });
    expect(warningsOf(result).some((text) => text.startsWith('simulated:'))).toBe(true);
  });
});
