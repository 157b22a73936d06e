import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { cmwFromJson, parseAttestationPolicy, verifyEvidence, type AttestationVerdict } from '@fastness/attest';
import { decodePem } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { parseCertificate } from '@fastness/codec/x509';
import { simulatedTrust, startSimulatedTee, type SimulatedTee } from '@fastness/testkit/simulated-tee';
import { describe, expect, test } from 'vitest';
import { expectCode, temporaryFolder } from './support.ts';

const folder = await temporaryFolder();
const stateDir = join(folder, 'state');
const now = new Date('2026-06-15T12:00:00Z');
const image = [join(import.meta.dirname, 'support.ts')];
const root = import.meta.dirname;
const warnings: string[] = [];
type Changes = Partial<Parameters<typeof startSimulatedTee>[0]>;
const start = async (changes: Changes = {}): Promise<SimulatedTee> =>
  startSimulatedTee({
    stateDir,
    socketPath: join(folder, 'tee.sock'),
    image,
    root,
    rsaBits: 2048,
    now: () => now,
    warn: (line) => warnings.push(line),
    ...changes,
  });

async function withTee(work: (tee: SimulatedTee) => Promise<void>, changes: Changes = {}): Promise<void> {
  const tee = await start(changes);
  try {
    await work(tee);
  } finally {
    await tee.close();
  }
}

async function ask(socketPath: string, text: string): Promise<Record<string, unknown>> {
  const socket = connect(socketPath);
  socket.write(text);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return JSON.parse(answer);
}
const request = (reportData: string): string => `${JSON.stringify({ op: 'report', reportData })}\n`;
const reportData = 'ab'.repeat(64);

/** Asks for evidence and verifies it under a policy that names the simulated root, unless `trusted` is false. */
async function verify(tee: SimulatedTee, options: { at?: Date; trusted?: boolean } = {}): Promise<AttestationVerdict> {
  const { evidence, endorsements } = await ask(tee.socketPath, request(reportData));
  const policy = parseAttestationPolicy({
    version: 1,
    id: 'test',
    snp: {
      products: ['Genoa'],
      signingKeys: ['vcek'],
      vmpl: [0],
      measurements: [tee.measurement],
      minimumTcb: {},
      requireAliasCheck: true,
      smt: 'allow',
    },
    ...(options.trusted === false ? {} : { simulated: { arkSpkiSha256: tee.arkSpkiSha256 } }),
    waivers: [],
  });
  return verifyEvidence({
    evidence: cmwFromJson(evidence),
    endorsements: (Array.isArray(endorsements) ? endorsements : []).map((each) => cmwFromJson(each)),
    policy,
    anchors: { snp: [] },
    expectedReportData: Buffer.from(reportData, 'hex'),
    now: options.at ?? now,
  });
}

describe('the simulated TEE', () => {
  test('makes evidence that verifies under the policy that names it, and says what it is', async () =>
    withTee(async (tee) => {
      expect(warnings[0]).toBe('SIMULATED TEE: no hardware protects anything here');
      const { claims } = await verify(tee);
      expect(claims).toMatchObject({
        simulated: true,
        vendor: 'simulated',
        vmpl: 0,
        debug: false,
        migratable: false,
        measurement: tee.measurement,
        reportData,
        reportVersion: 5,
        identity: { kind: 'chip-id', value: tee.chipId },
      });
      const { arkPem, arkSpkiSha256 } = await simulatedTrust(stateDir);
      expect(arkSpkiSha256).toBe(tee.arkSpkiSha256);
      const [ark] = decodePem(arkPem, 'CERTIFICATE');
      const { subject } = parseCertificate(ark ?? new Uint8Array());
      expect(new TextDecoder('latin1').decode(subject.raw)).toContain('SIMULATED');
    }));

  test('is refused by a policy that does not name it', async () =>
    withTee(async (tee) => {
      await expectCode('SIMULATED_EVIDENCE_REFUSED', () => verify(tee, { trusted: false }));
    }));

  test('keeps its state, readable by its owner only', async () => {
    const first = await start();
    await first.close();
    await withTee(async (again) => {
      expect([again.arkSpkiSha256, again.chipId, again.measurement]).toEqual([
        first.arkSpkiSha256,
        first.chipId,
        first.measurement,
      ]);
      expect((await stat(stateDir)).mode & 0o777).toBe(0o700);
      expect((await stat(join(stateDir, 'state.json'))).mode & 0o777).toBe(0o600);
      expect((await stat(again.socketPath)).mode & 0o777).toBe(0o600);
      expect(await readdir(stateDir)).toEqual(['state.json']);
    });
    const other = await simulatedTrust(join(folder, 'other'), { rsaBits: 2048, now });
    expect(other.arkSpkiSha256).not.toBe(first.arkSpkiSha256);
  });

  test('started several times at once on a new folder, all use one state', async () => {
    const fresh = join(folder, 'race');
    const trusts = await Promise.all([1, 2, 3].map(async () => simulatedTrust(fresh, { rsaBits: 2048, now })));
    expect(new Set(trusts.map(({ arkSpkiSha256 }) => arkSpkiSha256)).size).toBe(1);
    expect(await readdir(fresh)).toEqual(['state.json']);
  });

  test('issues its revocation list anew before the old one ends', async () => {
    const day = 24 * 3600 * 1000;
    let time = now;
    await withTee(
      async (tee) => {
        for (const days of [0, 25, 365]) {
          time = new Date(now.getTime() + days * day);
          await verify(tee, { at: time });
        }
        const stored: { crlNumber: number } = JSON.parse(await readFile(join(stateDir, 'state.json'), 'utf8'));
        expect(stored.crlNumber).toBe(3);
        time = now;
        await verify(tee);
      },
      { now: () => time },
    );
  });

  test.each([
    ['63 bytes', request('ab'.repeat(63))],
    ['65 bytes', request('ab'.repeat(65))],
    ['upper case', request('AB'.repeat(64))],
    ['no hex', request('zz'.repeat(64))],
    ['another operation', `${JSON.stringify({ op: 'derive', reportData })}\n`],
    ['another member', `${JSON.stringify({ op: 'report', reportData, vmpl: 1 })}\n`],
    ['no JSON', 'hello\n'],
    ['no object', '"report"\n'],
    ['null', 'null\n'],
    ['a long line', `${' '.repeat(600)}\n`],
    ['much without a line', 'x'.repeat(10_000)],
    ['two lines', request(reportData).repeat(2)],
  ])('refuses a request with %s', async (_, text) =>
    withTee(async (tee) => {
      const { error, evidence } = await ask(tee.socketPath, text);
      expect(evidence).toBeUndefined();
      expect(FastnessError.fromProblem(error)?.code).toBe('TESTKIT_REQUEST');
    }),
  );

  test('replaces a socket that was left over, but not one in use', async () => {
    const socketPath = join(folder, 'left.sock');
    await writeFile(socketPath, '');
    await withTee(
      async (tee) => {
        await verify(tee);
        await expectCode('TESTKIT_SOCKET_IN_USE', () => start({ socketPath }));
      },
      { socketPath },
    );
    await expectCode('TESTKIT_SOCKET_PATH', () => start({ socketPath: join(folder, 'x'.repeat(100)) }));
  });

  test('refuses state that others can read or that it did not write', async () => {
    const broken = join(folder, 'broken');
    await mkdir(broken);
    await writeFile(join(broken, 'state.json'), '{"format":"other"}', { mode: 0o600 });
    await expectCode('TESTKIT_STATE', () => simulatedTrust(broken));
    await writeFile(join(broken, 'state.json'), 'no json');
    await expectCode('TESTKIT_STATE', () => simulatedTrust(broken));
    const good = await readFile(join(stateDir, 'state.json'), 'utf8');
    await writeFile(join(broken, 'state.json'), good.replace('"certificates"', '"certificate"'));
    await expectCode('TESTKIT_STATE', () => simulatedTrust(broken));
    await writeFile(join(broken, 'state.json'), good);
    await chmod(join(broken, 'state.json'), 0o644);
    await expectCode('TESTKIT_STATE_PERMISSIONS', () => simulatedTrust(broken));
  });
});
