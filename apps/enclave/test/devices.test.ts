import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compilerInstalled } from '../../../packages/evidence/test/support/fake-ioctl.ts';
import { buildFakeNvml } from '../../../packages/evidence/test/support/fake-nvml.ts';
import { chooseDevices } from '../src/boot/collector.ts';
import { parseConfig } from '../src/config.ts';

const devicesOf = (devices?: object) =>
  parseConfig({ listen: { port: 0 }, brokerUrl: 'http://127.0.0.1:7000', modelDir: '/model', devices }).devices;

describe('devices of an enclave', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'fastness-devices-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('are none unless the configuration names them', async () => {
    const { collectors } = await chooseDevices(devicesOf());
    expect([...collectors.keys()]).toEqual([]);
  });

  it('keep it from starting where one that is named is not there', async () => {
    const nvattestCommand = join(folder, 'absent');
    const nvmlLibrary = join(folder, 'absent.so');
    await expect(chooseDevices(devicesOf({ nvidiaGpus: 'nvml', nvmlLibrary }))).rejects.toMatchObject({
      code: 'EVIDENCE_GPU_DRIVER',
    });
    for (const named of [{ nvidiaGpus: 'nvattest' }, { nvidiaSwitches: 'nvattest' }]) {
      const opening = chooseDevices(devicesOf({ ...named, nvattestCommand }));
      await expect(opening).rejects.toMatchObject({ code: 'EVIDENCE_COMMAND_ABSENT' });
    }
  });

  it.skipIf(!compilerInstalled)('are labelled for the collection, and let go of when it ends', async () => {
    const nvml = buildFakeNvml(folder);
    nvml.set([{}, {}]);
    const opened = await chooseDevices(devicesOf({ nvidiaGpus: 'nvml', nvmlLibrary: nvml.library }));
    expect([...opened.collectors].map(([label, { tee }]) => [label, tee])).toEqual([
      ['gpu0', 'nvidia-gpu'],
      ['gpu1', 'nvidia-gpu'],
    ]);
    expect(nvml.open()).toBe(1);
    await opened.close();
    expect(nvml.open()).toBe(0);
  });
});
