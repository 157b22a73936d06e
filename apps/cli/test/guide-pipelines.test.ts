import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHex } from '@fastness/codec';
import { decodeSnpEndorsements, decodeSnpEvidence } from '@fastness/attest/formats/snp';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepare } from '../../../packages/attest/test/support/forge.ts';

const repository = join(import.meta.dirname, '../../..');
const main = join(repository, 'apps/cli/src/main.ts');

/** Runs a command of the guide in a folder, through a shell, as a pipeline does. */
async function shell(
  command: string,
  cwd: string,
  env: Record<string, string>,
): Promise<{ code: number | null; out: string }> {
  const fastness = `${process.execPath} --disable-warning=ExperimentalWarning --conditions=source ${main}`;
  const child = spawn('sh', ['-c', command.replace(/^fastness/, fastness)], {
    cwd,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (out += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, out };
}

describe('the pipelines of the guide', { timeout: 120_000 }, () => {
  let folder: string;
  let reportData: string;
  let guide: string;
  beforeAll(async () => {
    guide = await readFile(join(repository, 'docs/guide.md'), 'utf8');
    folder = await mkdtemp(join(tmpdir(), 'fastness-pipeline-'));
    // As the guide verifies as of now, so is this forged.
    const { evidence, endorsements, policy, anchors, expectedReportData } = await prepare({
      chain: { now: new Date() },
    });
    const { certificates, crls } = decodeSnpEndorsements(endorsements[0] ?? evidence);
    const write = async (name: string, content: string | Uint8Array | undefined) =>
      writeFile(join(folder, name), content ?? '');
    await write('report.bin', decodeSnpEvidence(evidence).report);
    for (const [index, name] of ['vcek.der', 'ask.der', 'ark.der'].entries()) await write(name, certificates[index]);
    await write('crl.der', crls[0]);
    await write('policy.yaml', stringify(policy));
    await write('anchors.json', JSON.stringify(anchors));
    reportData = toHex(expectedReportData);
  });
  afterAll(async () => rm(folder, { recursive: true, force: true }));

  it('run as they stand there', async () => {
    const block = /<!-- run-attest -->\s+```sh\n([\s\S]*?)```/.exec(guide)?.[1] ?? '';
    const lines = block.trim().split('\n');
    expect(lines.length).toBeGreaterThan(3);
    for (const line of lines) {
      // The forged roots; everything else is what the reader types.
      const command = line.startsWith('fastness policy check') ? line : `${line} --anchors anchors.json`;
      const { code, out } = await shell(command, folder, { REPORT_DATA: reportData });
      expect(`${code} ${out}`).toMatch(/^0 /);
    }
    expect(await readFile(join(folder, 'attest.sarif'), 'utf8')).toContain('"version": "2.1.0"');
    expect(await readFile(join(folder, 'attest.xml'), 'utf8')).toContain('failures="0"');
  });

  it('are what the workflow runs', () => {
    const [, block = ''] = /```yaml\n(- run: fastness[\s\S]*?)```/.exec(guide) ?? [];
    const [, command = ''] = /^- run: (fastness .*)$/m.exec(block) ?? [];
    expect(guide).toContain(`\n${command}\n`);
  });

  it('fail with the code of the class when the evidence answers something else', async () => {
    const command =
      'fastness attest verify report.bin --policy policy.yaml --at now --report-data $REPORT_DATA --endorsements vcek.der ask.der ark.der crl.der --anchors anchors.json';
    const { code, out } = await shell(command, folder, { REPORT_DATA: '00'.repeat(64) });
    expect(code).toBe(5);
    expect(out).toContain('SNP_REPORT_DATA_MISMATCH');
    expect(out).toContain('Next: ');
  });
});
