import { isCompositeVerdict, type CompositeVerdict } from '@fastness/attest';
import { machineOf } from '@fastness/client';
import { beforeAll, describe, expect, it } from 'vitest';
import { judgeComposite } from '../../../packages/attest/test/support/composite-forge.ts';
import { deviceCards } from '../../console/src/facts.ts';
import { printPeer } from '../src/commands/tls.ts';
import { createOutput } from '../src/support/output.ts';

// What the commands and the console say of a machine whose processor brought devices along.
describe('a machine with two GPUs and a TPM', () => {
  let verdict: CompositeVerdict;
  beforeAll(async () => {
    const gpus = { gpu0: { chain: { chipSerial: 1n } }, gpu1: { chain: { chipSerial: 2n } } };
    const judged = await judgeComposite({ gpus, tpm: {} });
    if (!isCompositeVerdict(judged)) expect.unreachable();
    verdict = judged;
  });

  const printed = (json: boolean): string => {
    let text = '';
    const put = (more: string): void => void (text += more);
    const output = createOutput(json, { out: put, err: put, errIsTerminal: false });
    const spki = new Uint8Array(2);
    const certificate = { verdict, spki, notBefore: new Date(0), notAfter: new Date(86_400_000) };
    printPeer(output, 'tls-verified', 'Verified: tls://a:1 is', { certificate, verdict, spki }, {});
    return text;
  };

  it('is named with its devices', () => {
    expect(machineOf(verdict)).toMatch(/^AMD SEV-SNP \(\w+\) with 2 NVIDIA GPU \(GH100\) and 1 TPM$/u);
  });

  it('is printed by `fastness tls verify` with every device, its measurement and its settings', () => {
    const text = printed(false);
    expect(text).toContain(`Verified: tls://a:1 is ${machineOf(verdict)}`);
    for (const [label, { claims }] of Object.entries(verdict.parts).filter(([part]) => part !== 'cpu0')) {
      expect(text).toContain(`${label}: measurement ${claims.measurement.slice(0, 16)}`);
      expect(text).toContain(`${label}: debug off`);
    }
    expect(text).toMatch(/gpu1: driver [\d.]+, VBIOS [\dA-Z.]+, mode \w+/iu);
    expect(text).toContain('gpu0: confidential computing on');
    expect(text).toContain('tpm0: NOT CONFIDENTIAL');
  });

  it('has its devices in JSON too', () => {
    const { devices } = JSON.parse(printed(true).split('\n')[0] ?? '') as { devices: object };
    expect(Object.keys(devices)).toEqual(['gpu0', 'gpu1', 'tpm0']);
  });

  it('has a card for each in the console', () => {
    const cards = deviceCards(verdict);
    expect(cards.map(({ title }) => title)).toEqual(['Device gpu0', 'Device gpu1', 'Device tpm0']);
    const values = cards.map(({ facts }) => facts.map(({ value }) => value).join('\n'));
    expect(values[0]).toContain('NVIDIA GPU (GH100)');
    expect(values[0]).toContain('confidential computing on');
    expect(values[0]).not.toBe(values[1]);
    expect(deviceCards(verdict.parts['cpu0'] ?? expect.unreachable())).toEqual([]);
  });
});
