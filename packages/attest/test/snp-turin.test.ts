import { toHex } from '@fastness/codec';
import { parseCertificate } from '@fastness/codec/x509';
import { describe, expect, it } from 'vitest';
import { Checklist } from '../src/checks.ts';
import { selectChain } from '../src/formats/snp/certificates.ts';
import { checkChainShape, checkValidity } from '../src/formats/snp/chain.ts';
import { checkEndorsementKey } from '../src/formats/snp/endorsement-key.ts';
import { readFields } from '../src/formats/snp/fields.ts';
import { REPORT_BYTES, reportLayout } from '../src/formats/snp/layout.ts';
import { selectCrls } from '../src/formats/snp/revocation.ts';
import { verifySignatures } from '../src/formats/snp/signatures.ts';
import { decodeTcb } from '../src/formats/snp/tcb.ts';
import { amdAnchors } from '../src/index.ts';
import { requireSignatures } from '../src/signatures.ts';
import { readCertificates, vectorsPresent } from './support/vectors.ts';

const folder = 'snp/virtee__sev/tests/certs_data';
const now = new Date('2025-06-01');

/** No Turin report is recorded, only a VCEK with its chain: everything but the report's own signature. */
describe.skipIf(!vectorsPresent)('recorded Turin VCEK', () => {
  const load = () =>
    [...readCertificates(`${folder}/vcek_turin.der`), ...readCertificates(`${folder}/cert_chain_turin`)].map((der) =>
      parseCertificate(der),
    );

  it('chains to the pinned ARK', async () => {
    const checks = new Checklist([]);
    const chain = await selectChain(load(), 'vcek', amdAnchors.snp, checks, {});
    expect(chain.product.name).toBe('Turin');
    checkChainShape(chain, checks);
    checkValidity(chain, now, checks);
    const signed = { message: new Uint8Array(672), signature: new Uint8Array(96) };
    const { chain: outcomes } = await verifySignatures(chain, selectCrls([], chain), signed, {});
    requireSignatures(outcomes.slice(0, 3), checks);
    expect(() => requireSignatures(outcomes, checks)).toThrow(
      expect.objectContaining({ code: 'SNP_REPORT_SIGNATURE' }),
    );
  });

  it('certifies a chip id of 8 bytes and a TCB in the layout of Turin', async () => {
    const checks = new Checklist([]);
    const chain = await selectChain(load(), 'vcek', amdAnchors.snp, checks, {});
    const report = new Uint8Array(REPORT_BYTES);
    const set = (name: keyof typeof reportLayout, ...bytes: number[]) => report.set(bytes, reportLayout[name].offset);
    set('version', 3);
    set('reportedTcb', 0, 0, 0, 0, 0, 0, 0, 9);
    set('cpuid', 0x1a, 0x02, 0x01);
    set('chipId', 0x1e, 0x55, 0x0a, 0x8e, 0xe5, 0xcf, 0x9f, 0x4d);
    const identity = checkEndorsementKey(chain, 'vcek', readFields(report), checks);
    expect(identity).toEqual({ kind: 'chip-id', value: '1e550a8ee5cf9f4d' });
    expect(decodeTcb(chain.product, toHex(report.subarray(0x180, 0x188)))).toEqual({
      fmc: 0,
      bootloader: 0,
      tee: 0,
      snp: 0,
      microcode: 9,
    });

    set('chipId', 0x1e, 0x55, 0x0a, 0x8e, 0xe5, 0xcf, 0x9f, 0x4d, 1);
    expect(() => checkEndorsementKey(chain, 'vcek', readFields(report), checks)).toThrow(
      expect.objectContaining({ code: 'SNP_HWID_MISMATCH' }),
    );
  });
});
