import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fakePcs } from '@fastness/testkit/services';
import { forgeCollateral } from '@fastness/testkit';
import { openEndorsementCache, tcbInfoRequest } from '../src/endorsements/index.ts';
import {
  codeOf,
  fake,
  forgedIntel,
  intelAt,
  later,
  now,
  sourceFor,
  temporaryDirectory,
} from './support/endorsements.ts';
import { cacheWorld as world } from './support/cache-world.ts';

const key = new Uint8Array(32).fill(0x4b);

describe('endorsements from before a revocation', () => {
  it('are refused once a newer list was seen, from the network', async () => {
    const { request, source, serve, setTime, directory } = await world();
    await serve(7, later(-1));
    await (await source()).get(request);
    setTime(later(2));
    await serve(6, later(-2));
    // The copy that is still valid serves on.
    expect(await (await source()).get(request)).toMatchObject({
      from: 'cache',
      refreshFailed: 'ENDORSEMENT_ROLLED_BACK',
    });
    await rm(join(directory, 'entries'), { recursive: true });
    expect(await codeOf((await source()).get(request))).toBe('ENDORSEMENT_ROLLED_BACK');
  });

  it.each([
    ['an older number, issued later', 6, 0],
    ['an older date under a higher number', 8, -2],
  ] as const)('are refused with %s', async (_what, number, issuedAt) => {
    const { request, source, serve, directory } = await world();
    await serve(7, later(-1));
    await (await source()).get(request);
    await rm(join(directory, 'entries'), { recursive: true });
    await serve(number, later(issuedAt));
    expect(await codeOf((await source()).get(request))).toBe('ENDORSEMENT_ROLLED_BACK');
  });

  it('are dropped when an old copy of the cache is put back', async () => {
    const { request, source, serve, setTime, entryFile } = await world();
    await serve(6, later(-2));
    await (await source()).get(request);
    const file = await entryFile();
    const old = await readFile(file);
    setTime(later(1.5));
    await serve(7, later(-1));
    expect((await (await source()).get(request)).judgement.number).toBe(7n);
    await writeFile(file, old);
    const again = await (await source()).get(request);
    expect(again).toMatchObject({ from: 'network', judgement: { number: 7n } });
    await writeFile(file, old);
    expect(await codeOf((await source({ offline: true })).get(request))).toBe('ENDORSEMENT_OFFLINE');
  });

  it('are refused for TCB info by number and by date', async () => {
    const { anchors, chain, material } = await forgedIntel();
    const service = await fake(fakePcs({ material: [material] }));
    const cache = await openEndorsementCache({ directory: await temporaryDirectory() });
    const request = tcbInfoRequest({ tee: 'tdx', fmspc: chain.platform.fmspc });
    const answer = async (tcbInfo: object): Promise<string> => {
      const collateral = await forgeCollateral({ chain, tee: 'tdx', now, tcbInfo });
      service.serve(fakePcs({ material: [{ ...material, tcbInfo: collateral.tcbInfo }] }));
      await cache.drop(request.subject);
      return codeOf(sourceFor({ anchors, services: intelAt(service), cache }).get(request));
    };
    expect(await answer({ tcbEvaluationDataNumber: 20 })).toBe('none');
    expect(await answer({ tcbEvaluationDataNumber: 19 })).toBe('ENDORSEMENT_ROLLED_BACK');
    expect(await answer({ tcbEvaluationDataNumber: 20, issueDate: later(-5).toISOString() })).toBe(
      'ENDORSEMENT_ROLLED_BACK',
    );
    expect(await answer({ tcbEvaluationDataNumber: 21 })).toBe('none');
    // Another recovery is another subject: `early` runs ahead of `standard`.
    expect(request.subject).not.toBe(
      tcbInfoRequest({ tee: 'tdx', fmspc: chain.platform.fmspc, update: 'early' }).subject,
    );
  });

  it('with a key, marks that the host made up do not count, and those it moved neither', async () => {
    const { request, source, serve, directory } = await world({ key });
    await serve(7, later(-1));
    await (await source()).get(request);
    const [folder] = await readdir(join(directory, 'marks'));
    const marks = join(directory, 'marks', folder ?? '');
    await writeFile(join(marks, `number-${'9'.repeat(50)}`), new Uint8Array(32));
    await rm(join(directory, 'entries'), { recursive: true });
    expect((await (await source()).get(request)).from).toBe('network');
  });

  it('give way to a newer copy that another process kept meanwhile', async () => {
    const { request, source, serve, service } = await world();
    await serve(7, later(-1));
    const [slow, quick] = [await source(), await source()];
    await serve(6, later(-2));
    const quickIsDone = Promise.withResolvers<void>();
    service.fail({ kind: 'held', until: quickIsDone.promise }, { times: 1 });
    const before = service.requests.length;
    const waiting = slow.get(request);
    // The slow answer is the older list; while it is on its way, the newer one is seen and kept.
    await expect.poll(() => service.requests.length).toBe(before + 1);
    await serve(7, later(-1));
    expect((await quick.get(request)).judgement.number).toBe(7n);
    quickIsDone.resolve();
    expect(await waiting).toMatchObject({
      from: 'cache',
      judgement: { number: 7n },
      refreshFailed: 'ENDORSEMENT_ROLLED_BACK',
    });
  });

  it('are remembered by every process at once: the highest mark wins', async () => {
    const directory = await temporaryDirectory();
    const script = fileURLToPath(new URL('support/raise-marks.ts', import.meta.url));
    const processes = [0, 1, 2].map((offset) =>
      spawn(process.execPath, ['--conditions=source', script, directory, `${offset}`, '60'], { stdio: 'inherit' }),
    );
    const codes = await Promise.all(processes.map(async (child) => (await once(child, 'exit'))[0] as number));
    expect(codes).toEqual([0, 0, 0]);
    const cache = await openEndorsementCache({ directory });
    const at = (number: bigint) => ({ issued: now, number });
    expect(await codeOf(cache.marks.check('shared', at(181n)))).toBe('ENDORSEMENT_ROLLED_BACK');
    expect(await codeOf(cache.marks.check('shared', at(182n)))).toBe('none');
  });
});
