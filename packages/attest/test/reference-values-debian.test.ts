import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { predictSnp, predictTdx } from '../src/reference-values/index.ts';

const path = '/usr/share/ovmf/OVMF.fd';
const firmware = existsSync(path) ? new Uint8Array(readFileSync(path)) : new Uint8Array(0);
/** Of Debian's package ovmf 2022.11-6+deb12u2: what other programs compute is known of no other. */
const known = '7b456907dd0786d415999e801a1ac4637b8ed4d7cf5378cfc6edbe5e574dd773';
const present = createHash('sha256').update(firmware).digest('hex') === known;

describe.skipIf(!present)(`the firmware of Debian 12 (${present ? path : 'another, or none, is installed'})`, () => {
  it('has the launch digest that virtee/sev-snp-measure 0.0.13 computes', async () => {
    const { launchDigest } = await predictSnp(firmware, { processors: 2, processor: 'EPYC-Milan' });
    expect(launchDigest).toBe(
      'a175292a4a09fcfb760c5bd80c93ed667dbaafce6247d0f21fc06638658b3ebf2804d3019e2abed05cb6a9efe0a7464e',
    );
  });

  it('has the MRTDs that Fraunhofer-AISEC/measured-boot-tools computes for QEMU 9.2.0 and 8.2.2', async () => {
    expect((await predictTdx(firmware, { order: 'page' })).mrtd).toBe(
      '4c7206f0f483c524f12c366c711e9049030a8d47c471ee5aa9c4999a08de4057fb887fed0744d5631a212967fb231c47',
    );
    expect((await predictTdx(firmware, { order: 'section' })).mrtd).toBe(
      'acccbcc870a381adab0d3919d90a7f268ac3b0364771f202ed4bb4e892d045b33db3b32e6924cba830a724eed443f7e1',
    );
  });
});
