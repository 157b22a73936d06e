import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deviceEvidenceDigestOf, parseAttestationPolicy, reportDataFor, verifyEvidence } from '@fastness/attest';
import { toHex } from '@fastness/codec';
import { decodeCbor, encodeCbor, type CborValue } from '@fastness/codec/cbor';
import { forgedPcrs, forgeNitroChain, forgeNitroDocument } from '@fastness/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collectSession, NSM_RUNTIME_PCR, nsmRuntimeRegister, openNsm, type NsmCollector } from '../src/index.ts';
import { buildFakeIoctl, compilerInstalled, type FakeIoctl } from './support/fake-ioctl.ts';
import { codeOf } from './support/tpm.ts';

const now = new Date();
const description = new Map<string, CborValue>([
  ['version_major', 1],
  ['version_minor', 0],
  ['version_patch', 0],
  ['module_id', 'i-0123456789abcdef0-enc0123456789abcdef'],
  ['max_pcrs', 32],
  ['locked_pcrs', [0, 1, 2]],
  ['digest', 'SHA384'],
]);
const events = ['configuration', 'release'].map((kind, index) => ({
  kind: kind === 'release' ? ('release' as const) : ('configuration' as const),
  digest: new Uint8Array(32).fill(index),
}));

/** What the module answers to each request: a value, or an errno. */
type Module = (request: CborValue) => CborValue | { readonly errno: number } | { readonly bytes: Uint8Array };

describe.skipIf(!compilerInstalled)('documents of the Nitro security module', () => {
  let folder: string;
  let fake: FakeIoctl;
  let path: string;
  let asked: CborValue[];
  /** Bytes that the device says it answered, in place of those that it did. */
  let length: bigint | undefined;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'fastness-nsm-'));
    path = join(folder, 'nsm');
    writeFileSync(path, '');
    fake = buildFakeIoctl(folder, 32);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** struct nsm_raw, as the kernel reads and writes it. */
  const play = (module: Module): void => {
    asked = [];
    length = undefined;
    fake.answer((request, { view }) => {
      expect(request).toBe(0xc020_0a00n);
      const size = Number(view.getBigUint64(8, true));
      const question = decodeCbor(fake.memoryAt(view.getBigUint64(0, true), size).bytes.slice());
      asked.push(question);
      const answer = question === 'DescribeNSM' && asked.length === 1 ? describing() : module(question);
      if (typeof answer === 'object' && answer !== null && 'errno' in answer) return -answer.errno;
      const bytes =
        typeof answer === 'object' && answer !== null && 'bytes' in answer ? answer.bytes : encodeCbor(answer);
      const room = Number(view.getBigUint64(24, true));
      fake.memoryAt(view.getBigUint64(16, true), room).bytes.set(bytes);
      view.setBigUint64(24, length ?? BigInt(bytes.length), true);
      return 0;
    });
  };
  const describing = (): CborValue => new Map([['DescribeNSM', description]]);
  const opened = async (module: Module): Promise<NsmCollector> => {
    play(module);
    return await openNsm({ path, library: fake.library, pauseMs: 1 });
  };
  const codeFor = async (module: Module): Promise<string> =>
    await codeOf((await opened(module)).collect(new Uint8Array(64)));

  it('are accepted by the verifier, bound to the session, with what was measured at run time', async () => {
    const session = {
      purpose: 'client' as const,
      nonce: new Uint8Array(randomBytes(32)),
      keyConfigDigest: new Uint8Array(32).fill(1),
      releaseDigest: new Uint8Array(32).fill(2),
    };
    const chain = await forgeNitroChain({ now });
    const pcrs = forgedPcrs(32);
    pcrs.set(NSM_RUNTIME_PCR, new Uint8Array(48));
    const register = Buffer.from(nsmRuntimeRegister(events), 'hex');
    const userData = await reportDataFor('aws-nitro', {
      ...session,
      deviceEvidenceDigest: await deviceEvidenceDigestOf(new Map()),
    });
    const document = await forgeNitroDocument({
      chain,
      timestamp: now,
      userData,
      pcrs: new Map([...pcrs, [NSM_RUNTIME_PCR, new Uint8Array(register)]]),
    });
    let value: Uint8Array = new Uint8Array(48);
    const collector = await opened((request) => {
      const [name, fields] = [...(request as ReadonlyMap<string, ReadonlyMap<string, CborValue>>)][0] ?? [];
      if (name === 'Attestation') {
        expect(fields?.get('user_data')).toEqual(userData);
        return new Map([['Attestation', new Map([['document', document]])]]);
      }
      expect(fields?.get('index')).toBe(NSM_RUNTIME_PCR);
      if (name === 'LockPCR') return 'LockPCR';
      if (name === 'DescribePCR') {
        return new Map([
          [
            'DescribePCR',
            new Map<string, CborValue>([
              ['lock', true],
              ['data', value],
            ]),
          ],
        ]);
      }
      expect(name).toBe('ExtendPCR');
      const data = fields?.get('data') as Uint8Array;
      value = new Uint8Array(createHash('sha384').update(value).update(data).digest());
      return new Map([['ExtendPCR', new Map([['data', value]])]]);
    });
    for (const event of events) await collector.extend?.(event);
    expect(toHex(value)).toBe(nsmRuntimeRegister(events));
    await collector.lock();
    expect(await collector.register(NSM_RUNTIME_PCR)).toEqual({ value, locked: true });
    const { evidence } = await collectSession({ cpu: collector }, session);
    const verify = (registers: Record<number, string[]>) =>
      verifyEvidence({
        evidence,
        endorsements: [],
        policy: parseAttestationPolicy({
          version: 1,
          id: 'nsm',
          nitro: { measurements: [toHex(pcrs.get(0) ?? new Uint8Array())], pcrs: registers },
          waivers: [],
        }),
        anchors: {
          nitro: [
            { name: 'forged', spkiSha256: chain.rootSpkiSha256, certificateSha256: '00'.repeat(32), source: 'a test' },
          ],
        },
        session,
        now,
      });
    const { claims } = await verify({ [NSM_RUNTIME_PCR]: [nsmRuntimeRegister(events)] });
    expect(claims).toMatchObject({ tee: 'aws-nitro', simulated: false, reportData: toHex(userData) });
    expect(await codeOf(verify({ [NSM_RUNTIME_PCR]: [nsmRuntimeRegister(events.slice(1))] }))).toBe(
      'NITRO_PCR_NOT_ALLOWED',
    );
  });

  it('tells what the module is', async () => {
    const collector = await opened(() => describing());
    expect(await collector.describe()).toMatchObject({ version: '1.0.0', registers: 32, locked: [0, 1, 2] });
    expect((await collector.detect()).detail).toContain('i-0123456789abcdef0');
  });

  it('are asked for again while the device is busy, and not for ever', async () => {
    const answers: Awaited<ReturnType<Module>>[] = [{ errno: 4 }, { errno: 16 }, { errno: 11 }];
    const document = new Map([['Attestation', new Map([['document', Uint8Array.of(1)]])]]);
    const collector = await opened(() => answers.shift() ?? document);
    expect((await collector.collect(new Uint8Array(64))).evidence.value).toEqual(Uint8Array.of(1));
    expect(asked.length).toBe(5);
    expect(await codeFor(() => ({ errno: 16 }))).toBe('EVIDENCE_TIMEOUT');
  });

  it('are refused where the module or the kernel refuses, or answers something else', async () => {
    const answered = (fields: CborValue): CborValue => new Map([['Attestation', fields]]);
    const document = (value: CborValue): CborValue => answered(new Map([['document', value]]));
    const cases: readonly (readonly [Module, string])[] = [
      [() => new Map([['Error', 'InvalidOperation']]), 'EVIDENCE_REFUSED'],
      [() => ({ errno: 5 }), 'EVIDENCE_REFUSED'],
      [() => describing(), 'EVIDENCE_RESPONSE'],
      [() => answered('document'), 'EVIDENCE_RESPONSE'],
      [() => answered(new Map()), 'EVIDENCE_RESPONSE'],
      [() => document('text'), 'EVIDENCE_RESPONSE'],
      [() => document(new Uint8Array()), 'EVIDENCE_RESPONSE'],
      [() => ({ bytes: new Uint8Array() }), 'EVIDENCE_RESPONSE'],
      [() => ({ bytes: encodeCbor(document(new Uint8Array(9))).subarray(0, 20) }), 'EVIDENCE_RESPONSE'],
    ];
    for (const [module, code] of cases) expect(await codeFor(module)).toBe(code);
    // A length beyond the room that there was must not become a read beyond it.
    const collector = await opened(() => document(new Uint8Array(9)));
    length = 0x3001n;
    expect(await codeOf(collector.collect(new Uint8Array(64)))).toBe('EVIDENCE_RESPONSE');
    await expect(
      (await opened(() => new Map([['Error', 'InvalidOperation']]))).collect(new Uint8Array(64)),
    ).rejects.toThrow('InvalidOperation');
    await expect((await opened(() => ({ errno: 5 }))).collect(new Uint8Array(64))).rejects.toThrow('EIO');
    const extending = await opened(() => new Map([['ExtendPCR', new Map()]]));
    const event = { kind: 'release' as const, digest: new Uint8Array(32) };
    expect(await codeOf(Promise.resolve(extending.extend?.(event)))).toBe('EVIDENCE_RESPONSE');
    const locking = await opened(() => new Map([['Error', 'ReadOnlyIndex']]));
    await expect(locking.lock()).rejects.toThrow('ReadOnlyIndex');
    expect(await codeOf((await opened(() => 'ExtendPCR')).lock())).toBe('EVIDENCE_RESPONSE');
    const shown = (fields: readonly (readonly [string, CborValue])[]) => async () =>
      (await opened(() => new Map([['DescribePCR', new Map(fields)]]))).register(16);
    expect(
      await codeOf(
        shown([
          ['lock', true],
          ['data', new Uint8Array(47)],
        ])(),
      ),
    ).toBe('EVIDENCE_RESPONSE');
    expect(
      await codeOf(
        shown([
          ['lock', 1],
          ['data', new Uint8Array(48)],
        ])(),
      ),
    ).toBe('EVIDENCE_RESPONSE');
    expect(await codeOf(collector.collect(new Uint8Array(32)))).toBe('EVIDENCE_REPORT_DATA');
  });

  it('need the device, and a library to call', async () => {
    expect(await codeOf(openNsm({ path: join(folder, 'absent'), library: fake.library }))).toBe('EVIDENCE_UNREACHABLE');
    expect(await codeOf(openNsm({ path, library: join(folder, 'absent.so') }))).toBe('EVIDENCE_NATIVE');
    // The real kernel, and a file that is no device.
    expect(await codeOf(openNsm({ path }))).toBe('EVIDENCE_REFUSED');
  });
});
