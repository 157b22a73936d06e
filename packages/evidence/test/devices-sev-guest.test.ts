import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deviceEvidenceDigestOf, parseAttestationPolicy, reportDataFor, verifyEvidence } from '@fastness/attest';
import { decodeSnpEvidence, encodeSnpEndorsements } from '@fastness/attest/formats/snp';
import { concatBytes, fromHex, toHex, u32le } from '@fastness/codec';
import { forgeAmdChain, forgeSnpReport, type ForgedAmdChain } from '@fastness/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collectSession, openSevGuest, type Collector, type SevGuestOptions } from '../src/index.ts';
import { buildFakeIoctl, compilerInstalled, type FakeIoctl } from './support/fake-ioctl.ts';
import { codeOf } from './support/tpm.ts';

const REPORT = 0xc020_5300n;
const EXT_REPORT = 0xc020_5302n;
const now = new Date();
const measurement = new Uint8Array(48).fill(5);

/** What firmware and host answer to one request. */
interface Answer {
  readonly errno?: number;
  readonly hostError?: number;
  readonly firmwareError?: number;
  /** Room that the host wants for its certificates. */
  readonly wants?: number;
  readonly status?: number;
  readonly size?: number;
  readonly report?: Uint8Array;
  readonly table?: Uint8Array;
}
interface Asked {
  readonly request: bigint;
  readonly reportData: Uint8Array;
  readonly privilegeLevel: number;
  readonly room: number;
}

/** The certificate table of the GHCB specification with one entry: the VCEK. */
function certificateTable(der: Uint8Array): Uint8Array {
  const guid = fromHex('63da758de6644564adc5f4b93be8accd');
  return concatBytes(guid, u32le(48), u32le(der.length), new Uint8Array(24), der);
}

describe.skipIf(!compilerInstalled)('reports of /dev/sev-guest', () => {
  let folder: string;
  let fake: FakeIoctl;
  let path: string;
  let chain: ForgedAmdChain;
  let asked: Asked[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fastness-sev-'));
    path = join(folder, 'sev-guest');
    writeFileSync(path, '');
    fake = buildFakeIoctl(folder, 32);
    chain = await forgeAmdChain({ product: 'Genoa', kind: 'vcek', now });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** struct snp_guest_request_ioctl and what it points to, as the kernel reads and writes them. */
  const opened = (answerTo: (asked: Asked) => Answer, options: SevGuestOptions = {}): Collector => {
    asked = [];
    fake.answer((request, call) => {
      expect(call.view.getUint8(0)).toBe(1);
      const extended = request === EXT_REPORT;
      const question = fake.memoryAt(call.view.getBigUint64(8, true), extended ? 112 : 96);
      const room = extended ? question.view.getUint32(104, true) : 0;
      const one = {
        request,
        reportData: question.bytes.slice(0, 64),
        privilegeLevel: question.view.getUint32(64, true),
        room,
      };
      asked.push(one);
      const answer = answerTo(one);
      call.view.setUint32(24, answer.firmwareError ?? 0, true);
      call.view.setUint32(28, answer.hostError ?? 0, true);
      if (answer.wants !== undefined) question.view.setUint32(104, answer.wants, true);
      if (answer.errno !== undefined) return -answer.errno;
      const response = fake.memoryAt(call.view.getBigUint64(16, true), 4000);
      const report = answer.report ?? new Uint8Array(1184).fill(1);
      response.view.setUint32(0, answer.status ?? 0, true);
      response.view.setUint32(4, answer.size ?? report.length, true);
      response.bytes.set(report, 32);
      if (answer.table !== undefined) fake.memoryAt(question.view.getBigUint64(96, true), room).bytes.set(answer.table);
      return 0;
    });
    return openSevGuest({ path, library: fake.library, pauseMs: 1, ...options });
  };
  const codeFor = (answerTo: (asked: Asked) => Answer, options?: SevGuestOptions): Promise<string> =>
    codeOf(opened(answerTo, options).collect(new Uint8Array(64)));

  it('are accepted by the verifier, bound to the session, with the certificate of the host', async () => {
    const session = {
      purpose: 'client' as const,
      nonce: new Uint8Array(randomBytes(32)),
      keyConfigDigest: new Uint8Array(32).fill(1),
      releaseDigest: new Uint8Array(32).fill(2),
    };
    const [vcek, ...above] = chain.certificates;
    const deviceEvidenceDigest = await deviceEvidenceDigestOf(new Map());
    const reportData = await reportDataFor('sev-snp', { ...session, deviceEvidenceDigest });
    const report = await forgeSnpReport({ chain, reportData, measurement });
    const collector = opened(() => ({ report, table: certificateTable(vcek) }));
    const { evidence } = await collectSession({ cpu: collector }, session);
    expect(asked).toEqual([{ request: EXT_REPORT, reportData, privilegeLevel: 0, room: 4096 }]);
    const { product, arkSpkiSha256: spkiSha256 } = chain;
    const { claims } = await verifyEvidence({
      evidence,
      // What the host did not bring; the leaf comes with the evidence.
      endorsements: [encodeSnpEndorsements({ certificates: above, crls: [chain.crl] })],
      policy: parseAttestationPolicy({
        version: 1,
        id: 'sev-guest',
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
      anchors: {
        snp: [{ name: 'forged', product, spkiSha256, certificateSha256: '00'.repeat(32), source: 'a test' }],
      },
      session,
      now,
    });
    expect(claims).toMatchObject({ tee: 'sev-snp', simulated: false, reportData: toHex(reportData) });
  });

  it('are asked for again with as much room as the host needs, once', async () => {
    const table = certificateTable(new Uint8Array(5000).fill(7));
    const small = { errno: 28, hostError: 1, wants: 0x2000 };
    const collector = opened(({ room }) => (room < 0x2000 ? small : { table }));
    const { evidence } = await collector.collect(new Uint8Array(64));
    expect(asked.map(({ room }) => room)).toEqual([0x1000, 0x2000]);
    expect(decodeSnpEvidence(evidence).certificates[0]?.length).toBe(5000);
    // More than the kernel takes, no more than there was, and no whole pages.
    for (const wants of [0x5000, 0x1000, 0x1800]) {
      expect(await codeFor(() => ({ ...small, wants }))).toBe('EVIDENCE_RESPONSE');
      expect(asked.length).toBe(1);
    }
  });

  it('come without certificates where the host has none, or cannot be asked for any', async () => {
    const collector = opened(() => ({}), { privilegeLevel: 2 });
    expect(decodeSnpEvidence((await collector.collect(new Uint8Array(64))).evidence).certificates).toEqual([]);
    expect(asked[0]?.privilegeLevel).toBe(2);
    const plain = opened(({ request }) => (request === REPORT ? {} : { errno: 25 }));
    const { evidence } = await plain.collect(new Uint8Array(64).fill(9));
    expect(decodeSnpEvidence(evidence)).toMatchObject({ certificates: [] });
    expect(asked.map(({ request, reportData }) => [request, reportData[0]])).toEqual([
      [EXT_REPORT, 9],
      [REPORT, 9],
    ]);
  });

  it('are asked for again while firmware, host or kernel are busy, and not for ever', async () => {
    const busy: Answer[] = [{ errno: 4 }, { errno: 16 }, { errno: 5, hostError: 2 }];
    await opened(() => busy.shift() ?? {}).collect(new Uint8Array(64));
    expect(asked.length).toBe(4);
    expect(await codeFor(() => ({ errno: 5, hostError: 2 }))).toBe('EVIDENCE_TIMEOUT');
  });

  it('are refused where firmware or host refuse, or answer something else', async () => {
    const refusing = opened(() => ({ errno: 5, firmwareError: 22 }));
    await expect(refusing.collect(new Uint8Array(64))).rejects.toThrow('EIO, firmware error 22, host error 0');
    const cases: readonly (readonly [Answer, string])[] = [
      [{ errno: 5, firmwareError: 22 }, 'EVIDENCE_REFUSED'],
      [{ errno: 5, hostError: 0x8000_0000 }, 'EVIDENCE_REFUSED'],
      [{ status: 0x16 }, 'EVIDENCE_REFUSED'],
      [{ size: 1183 }, 'EVIDENCE_RESPONSE'],
      [{ size: 0xffff_ffff }, 'EVIDENCE_RESPONSE'],
      [{ table: new Uint8Array(4096).fill(0xff) }, 'SNP_CERT_TABLE_MALFORMED'],
    ];
    for (const [answer, code] of cases) expect(await codeFor(() => answer)).toBe(code);
    expect(await codeOf(opened(() => ({})).collect(new Uint8Array(32)))).toBe('EVIDENCE_REPORT_DATA');
    expect(await codeFor(() => ({}), { path: join(folder, 'absent') })).toBe('EVIDENCE_UNREACHABLE');
  });
});
