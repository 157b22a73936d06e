import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SIMULATED_SNP_EVIDENCE_TYPE, SNP_ENDORSEMENTS_TYPE, SNP_EVIDENCE_TYPE } from '@fastness/attest';
import { decodeCbor } from '@fastness/codec/cbor';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { detectCollector, simulatedCollector } from '@fastness/evidence';
import { startSimulatedTee } from '@fastness/testkit/simulated-tee';
import { afterAll, afterEach, describe, expect, test } from 'vitest';

const folder = await mkdtemp(join(tmpdir(), 'fastness-'));
const socketPath = join(folder, 'tee.sock');
const reportData = Uint8Array.from({ length: 64 }, (_, index) => index);
let stop = async (): Promise<void> => undefined;

afterEach(async () => stop());
afterAll(async () => rm(folder, { recursive: true, force: true }));

async function expectCode(code: ErrorCode, work: () => unknown): Promise<FastnessError> {
  let caught: unknown;
  try {
    await work();
  } catch (error) {
    caught = error;
  }
  if (!(caught instanceof FastnessError)) throw caught ?? new Error(`${code} expected, nothing thrown`);
  expect(caught.code).toBe(code);
  return caught;
}

/** Something that answers on the socket, as `handle` likes. */
async function impostor(handle: (socket: Socket) => void): Promise<void> {
  await stop();
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => socket.destroy());
    handle(socket);
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  stop = async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    stop = async () => undefined;
  };
}
const answering = (text: string | Uint8Array) => async (): Promise<void> =>
  impostor((socket) => void socket.once('data', () => socket.end(text)));
const collector = simulatedCollector({ socketPath, timeoutMs: 500 });
const good = [SIMULATED_SNP_EVIDENCE_TYPE, 'AA', 4];
const line = (value: unknown): string => `${JSON.stringify(value)}\n`;

describe('the simulated collector', () => {
  test('collects from the simulated TEE', async () => {
    const image = [join(import.meta.dirname, 'collector.test.ts')];
    const options = {
      stateDir: join(folder, 'state'),
      socketPath,
      image,
      rsaBits: 2048,
      warn: () => undefined,
    } as const;
    const tee = await startSimulatedTee(options);
    try {
      expect(await collector.detect()).toMatchObject({ present: true });
      const found = await detectCollector({ environment: { FASTNESS_SIMULATED_TEE: socketPath } });
      expect([found.name, found.simulated]).toEqual(['simulated-sev-snp', true]);
      const { evidence, endorsements } = await found.collect(reportData);
      expect([evidence.type, evidence.ind]).toEqual([SIMULATED_SNP_EVIDENCE_TYPE, 4]);
      expect(endorsements.map(({ type, ind }) => [type, ind])).toEqual([[SNP_ENDORSEMENTS_TYPE, 2]]);
      const fields = decodeCbor(evidence.value);
      const report: unknown = fields instanceof Map ? fields.get(1) : undefined;
      expect(report instanceof Uint8Array && report.subarray(0x50, 0x90)).toEqual(reportData);
    } finally {
      await tee.close();
    }
    expect(await collector.detect()).toMatchObject({ present: false });
  });

  test.each([0, 63, 65])('refuses %d bytes of report data', async (length) => {
    await expectCode('EVIDENCE_REPORT_DATA', () => collector.collect(new Uint8Array(length)));
  });

  test('says when nothing is there', async () => {
    const error = await expectCode('EVIDENCE_UNREACHABLE', () => collector.collect(reportData));
    expect(error.class).toBe('unavailable');
    await writeFile(join(folder, 'file'), '');
    await expectCode('EVIDENCE_UNREACHABLE', () =>
      simulatedCollector({ socketPath: join(folder, 'file') }).collect(reportData),
    );
  });

  test('gives up on silence and on a trickle', async () => {
    await impostor(() => undefined);
    await expectCode('EVIDENCE_TIMEOUT', () => collector.collect(reportData));
    await impostor((socket) => {
      const timer = setInterval(() => socket.write(' '), 50);
      socket.once('close', () => clearInterval(timer));
    });
    await expectCode('EVIDENCE_TIMEOUT', () => collector.collect(reportData));
  });

  test('passes a refusal on', async () => {
    await answering(line({ error: new FastnessError('TESTKIT_REQUEST').toProblem() }))();
    const error = await expectCode('EVIDENCE_REFUSED', () => collector.collect(reportData));
    expect(error.detail).toBe('TESTKIT_REQUEST');
  });

  test.each([
    ['nothing', ''],
    ['no line feed', JSON.stringify({ evidence: good, endorsements: [] })],
    ['two lines', line({ evidence: good, endorsements: [] }).repeat(2)],
    ['no JSON', 'hello\n'],
    ['no object', 'null\n'],
    ['no UTF-8', Uint8Array.of(0xff, 0x0a)],
    ['no evidence', line({ endorsements: [] })],
    ['no endorsements', line({ evidence: good })],
    ['endorsements of another type', line({ evidence: good, endorsements: {} })],
    ['evidence that is no wrapper', line({ evidence: 'AA', endorsements: [] })],
    ['an endorsement that is no wrapper', line({ evidence: good, endorsements: [[1, 2]] })],
    ['nine endorsements', line({ evidence: good, endorsements: Array.from({ length: 9 }, () => good) })],
    ['more than a mebibyte', ' '.repeat(2 ** 20 + 2)],
  ])('refuses an answer of %s', async (_, text) => {
    await answering(text)();
    await expectCode('EVIDENCE_RESPONSE', () => collector.collect(reportData));
  });

  test('does not let the socket speak for hardware', async () => {
    await answering(line({ evidence: [SNP_EVIDENCE_TYPE, 'AA', 4], endorsements: [] }))();
    await expectCode('EVIDENCE_NOT_SIMULATED', () => collector.collect(reportData));
  });
});

describe('detectCollector', () => {
  test('says that there is no TEE', async () => {
    for (const environment of [{}, { FASTNESS_SIMULATED_TEE: '' }]) {
      const error = await expectCode('EVIDENCE_NO_TEE', () => detectCollector({ environment, devices: [] }));
      expect(error.next).toContain('simulated TEE');
    }
  });
  test('takes the first device that is there, and the one that is named before all', async () => {
    const device = { ...collector, name: 'device' };
    const devices = [
      { name: 'a device that is not there', open: async () => undefined },
      { name: 'a device', open: async () => device },
      { name: 'another', open: async () => collector },
    ];
    expect((await detectCollector({ environment: {}, devices })).name).toBe('device');
    const environment = { FASTNESS_SIMULATED_TEE: join(folder, 'nothing') };
    await expectCode('EVIDENCE_UNREACHABLE', () => detectCollector({ environment, devices }));
  });
  test('says when the one named does not answer', async () => {
    const environment = { FASTNESS_SIMULATED_TEE: join(folder, 'nothing') };
    await expectCode('EVIDENCE_UNREACHABLE', () => detectCollector({ environment }));
  });
});
