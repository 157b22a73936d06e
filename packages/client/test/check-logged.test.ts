import { toBase64Url, toHex, utf8Encode } from '@fastness/codec/bytes';
import { cosign, makeProof, openCheckpoint, parseNote } from '@fastness/log';
import { releaseDigestOf } from '@fastness/model/release';
import { beforeAll, describe, expect, it } from 'vitest';
import { expectCode } from '../../channel/test/support/errors.ts';
import { testKey, type TestKey } from '../../log/test/keys.ts';
import { memoryLog, signedBy } from '../../log/test/memory-log.ts';
import { parseClientPolicy, verifyEnclave, type ClientPolicy } from '../src/index.ts';
import { forgeEnclave, now, policyFor, type ForgedEnclave } from './support/scenario.ts';

const nonce = new Uint8Array(32).fill(7);
let enclave: ForgedEnclave;
let releaseDigest: string;
let log: TestKey;
let namesake: TestKey;
let other: TestKey;
let witnesses: TestKey[];

beforeAll(async () => {
  enclave = await forgeEnclave();
  releaseDigest = toHex(await releaseDigestOf(enclave.release.bundle));
  log = await testKey('log.example');
  namesake = await testKey('log.example');
  other = await testKey('other.example');
  witnesses = await Promise.all(['w1', 'w2', 'w3'].map((name) => testKey(name, 'cosignature/v1')));
});

const before = (seconds: number): Date => new Date(now.getTime() - seconds * 1000);
const entryOf = (kind: string, facts: Record<string, unknown>): string =>
  JSON.stringify({ seq: 3, kind, facts: { leaseId: 'ab', ...facts } });

/** The proof of one entry under a checkpoint; every part can be another one. */
async function proofOf(
  change: {
    entry?: string;
    by?: TestKey;
    cosigned?: readonly [TestKey, Date][];
    edit?: (proof: string) => string;
  } = {},
): Promise<string> {
  const entry = change.entry ?? entryOf('key-released', { releaseDigest });
  const { head, source } = memoryLog(['first', 'second', entry, 'fourth'].map(utf8Encode));
  const by = change.by ?? log;
  let note = await signedBy(by, head);
  const { text } = parseNote(note);
  const cosigned = change.cosigned ?? witnesses.slice(0, 2).map((witness) => [witness, before(60)] as const);
  for (const [{ key, sign }, time] of cosigned) note += await cosign({ text, key, sign, time });
  const checkpoint = await openCheckpoint(note, { logKeys: [by.key] });
  const proof = await makeProof(source, checkpoint, 2);
  return change.edit?.(proof) ?? proof;
}

type Transparency = NonNullable<ClientPolicy['transparency']>;
const asked = (changes: Partial<Transparency> = {}): Transparency => ({
  logKeys: [other.key.text, log.key.text],
  witnesses: { threshold: 2, keys: witnesses.map(({ key }) => key.text) },
  maximumAgeSeconds: 300,
  ...changes,
});

async function verify(logProof: string | undefined, transparency: Transparency | undefined = asked()) {
  const bundle = await enclave.attest(toBase64Url(nonce));
  const policy = parseClientPolicy({ ...policyFor(), ...(transparency === undefined ? {} : { transparency }) });
  return await verifyEnclave({
    bundle: { ...bundle, ...(logProof === undefined ? {} : { logProof }) },
    nonce,
    policy,
    now,
    anchors: enclave.anchors,
  });
}

describe('a policy that names logs', () => {
  it('accepts a release whose use is logged and witnessed, and says where', async () => {
    for (const kind of ['key-released', 'lease-renewed'] as const) {
      const { logged, checks } = await verify(await proofOf({ entry: entryOf(kind, { releaseDigest }) }));
      expect(logged).toEqual({
        origin: 'log.example',
        index: 2,
        size: 4,
        kind,
        cosigned: ['w1', 'w2'].map((name) => ({ name, time: before(60) })),
      });
      expect(checks.find(({ code }) => code === 'CLIENT_RELEASE_UNLOGGED')).toMatchObject({ outcome: 'passed' });
    }
  });

  it('asks for no witnesses and no age unless it says so, and for nothing where it is silent', async () => {
    const { witnesses: _, maximumAgeSeconds: __, ...logOnly } = asked();
    expect((await verify(await proofOf({ cosigned: [] }), logOnly)).logged?.cosigned).toEqual([]);
    const { maximumAgeSeconds: ___, ...ageless } = asked();
    const old = await proofOf({ cosigned: witnesses.map((witness) => [witness, new Date(0)]) });
    expect((await verify(old, ageless)).logged?.index).toBe(2);
    const bundle = await enclave.attest(toBase64Url(nonce));
    const silent = await verifyEnclave({ bundle, nonce, policy: policyFor(), now, anchors: enclave.anchors });
    expect(silent).not.toHaveProperty('logged');
    expect(silent.checks.find(({ code }) => code === 'CLIENT_RELEASE_UNLOGGED')?.outcome).toBe('not-applicable');
  });

  it('refuses everything else, each with its code', async () => {
    const at = (...names: readonly [TestKey | undefined, number][]) =>
      names.flatMap(([witness, seconds]): [TestKey, Date][] =>
        witness === undefined ? [] : [[witness, before(seconds)]],
      );
    const [first, second, third] = witnesses;
    const twin = await (async (): Promise<TestKey | undefined> => {
      if (first === undefined) return undefined;
      return { ...first, key: { ...(await testKey('w9', 'cosignature/v1')).key } };
    })();
    const cases: [string, Promise<string | undefined>][] = [
      ['CLIENT_RELEASE_UNLOGGED', Promise.resolve(undefined)],
      ['CLIENT_LOG_FOREIGN', proofOf({ by: await testKey('third.example') })],
      ['LOG_NOTE_UNSIGNED', proofOf({ by: namesake, cosigned: [] })],
      ['LOG_ENTRY_UNEXPECTED', proofOf({ entry: entryOf('key-released', { releaseDigest: '00'.repeat(32) }) })],
      ['LOG_ENTRY_UNEXPECTED', proofOf({ entry: entryOf('refused', { releaseDigest }) })],
      ['LOG_ENTRY_UNEXPECTED', proofOf({ entry: 'not an entry' })],
      ['LOG_INCLUSION', proofOf({ edit: (proof) => proof.replace('index 2', 'index 1') })],
      ['LOG_PROOF_MALFORMED', proofOf({ edit: (proof) => proof.replace('index 2', 'index') })],
      ['LOG_COSIGNATURES', proofOf({ cosigned: at([first, 60]) })],
      // A witness that the policy does not name counts for nothing.
      ['LOG_COSIGNATURES', proofOf({ cosigned: at([first, 60], [twin, 60]) })],
      [
        'LOG_NOTE_SIGNATURE',
        proofOf({ edit: (proof) => proof.replace(/(?<=— w1 .{20})./, (c) => (c === 'A' ? 'B' : 'A')) }),
      ],
      ['CLIENT_LOG_PROOF_OLD', proofOf({ cosigned: at([first, 60], [second, 301], [third, 400]) })],
    ];
    for (const [code, proof] of cases) await expectCode(async () => verify(await proof), code);
  });

  it('is one that can be met', () => {
    for (const wrong of [
      asked({ witnesses: { threshold: 4, keys: witnesses.map(({ key }) => key.text) } }),
      asked({ logKeys: [] }),
      asked({ logKeys: ['log.example'] }),
      { logKeys: [log.key.text], maximumAgeSeconds: 300 },
    ]) {
      expect(() => parseClientPolicy({ ...policyFor(), transparency: wrong })).toThrow(
        expect.objectContaining({ code: 'CLIENT_POLICY_INVALID' }),
      );
    }
  });
});
