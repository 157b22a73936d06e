import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  membershipSchema,
  parseMembership,
  readProposal,
  type Broker,
  type DatabaseLocation,
  type Membership,
  type ProposalView,
} from '../src/index.ts';
import { admin, call, createEnclave, granted, refusalOf, requestKey } from './actors.ts';
import { brokerDatabase, copyOf, edit, freshDatabase } from './databases.ts';
import { assertion, flipped, heldKey, proposals, signed } from './quorum-actors.ts';
import { freshPath, temporaryDirectory } from './temporary.ts';
import { adminToken, createWorld, dawn, keyStoreWith, type TestRelease, type World } from './world.ts';

const directory = temporaryDirectory();
const site = { rpId: 'keys.example.com', origins: ['https://keys.example.com'] };
const ann = heldKey('P-256');
const annSecond = heldKey('Ed25519');
const ben = heldKey('P-384');
const cleo = heldKey('Ed25519');
const dana = heldKey('P-256', site);
const stranger = heldKey('P-256');
const membership: Membership = {
  threshold: 2,
  members: [
    { id: 'ann', keys: [ann.registered, annSecond.registered] },
    { id: 'ben', keys: [ben.registered] },
    { id: 'cleo', keys: [cleo.registered] },
    { id: 'dana', keys: [dana.registered] },
  ],
};
const later = (seconds: number): Date => new Date(dawn.getTime() + seconds * 1000);

let world: World;
let release: TestRelease;
let location: DatabaseLocation;
let auditPath: string;
let broker: Broker;
const place = (of: DatabaseLocation = location): Parameters<World['start']>[0] => ({
  ...brokerDatabase(of),
  auditPath,
});

beforeAll(async () => {
  world = await createWorld(mkdtempSync(join(directory, 'world-')));
  release = await world.release();
});
beforeEach(async () => {
  world.clock.now = dawn;
  location = await freshDatabase(directory);
  auditPath = freshPath(directory, 'quorum.log');
  broker = await world.start({ ...place(), quorum: { membership } });
});
afterEach(() => broker.close());

const restart = async (options: Parameters<World['start']>[0] = {}): Promise<void> => {
  await broker.close();
  broker = await world.start({ ...place(), quorum: { membership }, ...options });
};
const releaseAction = (of: TestRelease): unknown => ({
  kind: 'release',
  registration: { package: of.package, keys: of.keys },
});
const policyAction = (changes: Record<string, unknown> = {}): unknown => ({
  kind: 'policy',
  policy: { ...world.policy, id: 'changed', ...changes },
});
async function approved(action: unknown): Promise<ProposalView> {
  const view = await proposals.created(broker.url, action);
  for (const key of [ann, ben]) expect((await proposals.approve(broker.url, view, key)).status).toBe(200);
  return view;
}

describe('what the quorum guards', () => {
  it('the token alone does none of it', async () => {
    expect(refusalOf(await admin.register(broker.url, release))).toBe('QUORUM_REQUIRED');
    const put = (path: string, method: string, json: unknown): ReturnType<typeof call> =>
      call(`${broker.url}/v1/admin/${path}`, { method, token: adminToken, json });
    expect(refusalOf(await put('policy', 'PUT', { policy: world.policy }))).toBe('QUORUM_REQUIRED');
    const destruction = { change: 'schedule-destruction', keyId: 'kek', delaySeconds: 7 * 86_400 };
    expect(refusalOf(await put('wrapping-keys', 'POST', destruction))).toBe('QUORUM_REQUIRED');
  });

  it('a release is registered by proposal, approvals and a separate execution', async () => {
    const view = await proposals.created(broker.url, releaseAction(release));
    expect(view).toMatchObject({ state: 'pending', action: 'release', threshold: 2, approvals: [] });
    expect(view.challenges).toHaveLength(5);
    expect(refusalOf(await proposals.execute(broker.url, view.id))).toBe('QUORUM_APPROVALS_MISSING');
    expect((await proposals.approve(broker.url, view, ann)).body).toEqual({ approvals: 1, threshold: 2 });
    expect(refusalOf(await proposals.execute(broker.url, view.id))).toBe('QUORUM_APPROVALS_MISSING');
    expect((await proposals.approve(broker.url, view, ben)).body).toEqual({ approvals: 2, threshold: 2 });
    expect((await proposals.show(broker.url, view.id)).state).toBe('approved');
    const enclave = await createEnclave();
    expect(refusalOf(await requestKey(broker.url, { world, enclave, release }))).toBe('BROKER_RELEASE_UNKNOWN');
    expect((await proposals.execute(broker.url, view.id)).body).toEqual({ id: view.id, state: 'succeeded' });
    granted(await requestKey(broker.url, { world, enclave, release }));
    expect(refusalOf(await proposals.execute(broker.url, view.id))).toBe('PROPOSAL_STATE');
    expect(refusalOf(await proposals.approve(broker.url, view, cleo))).toBe('PROPOSAL_STATE');
    expect(refusalOf(await proposals.cancel(broker.url, view.id))).toBe('PROPOSAL_STATE');
    const entries = await admin.audit(broker.url);
    expect(entries.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['proposal-created', 'proposal-approved', 'proposal-executing', 'release-registered']),
    );
    expect(entries.find(({ kind }) => kind === 'release-registered')?.facts['proposal']).toBe(view.id);
  });

  it('a key is destroyed by the quorum, and anybody may call it off in time', async () => {
    const view = await approved({ kind: 'key-destruction', keyId: 'kek', delaySeconds: 2 * 86_400 });
    expect((await proposals.execute(broker.url, view.id)).status).toBe(200);
    const json = { change: 'cancel-destruction', keyId: 'kek' };
    const cancelled = await call(`${broker.url}/v1/admin/wrapping-keys`, { method: 'POST', token: adminToken, json });
    expect(cancelled.body).toMatchObject({ state: 'disabled' });
  });

  it('a policy in force survives a restart, with its approvals verified again', async () => {
    const view = await approved(policyAction());
    expect((await proposals.execute(broker.url, view.id)).status).toBe(200);
    await restart();
    const { body } = await call(`${broker.url}/v1/admin/policy`, { token: adminToken });
    expect(body).toMatchObject({ generation: 1, policy: { id: 'changed' } });
  });
});

describe('a policy that the quorum replaced', () => {
  it('does not come back by an approval that somebody held back', async () => {
    const lax = await approved(policyAction({ id: 'lax' }));
    const half = await proposals.created(broker.url, policyAction({ id: 'half-approved' }));
    const other = await approved({ kind: 'key-destruction', keyId: 'kek', delaySeconds: 2 * 86_400 });
    const strict = await approved(policyAction({ id: 'strict' }));
    expect((await proposals.execute(broker.url, strict.id)).status).toBe(200);
    expect(refusalOf(await proposals.execute(broker.url, lax.id))).toBe('PROPOSAL_STATE');
    for (const { id } of [lax, half])
      expect(await proposals.show(broker.url, id)).toMatchObject({ state: 'cancelled', code: 'QUORUM_POLICY_CHANGED' });
    expect((await proposals.show(broker.url, other.id)).state).toBe('approved');
    const { body } = await call(`${broker.url}/v1/admin/policy`, { token: adminToken });
    expect(body).toMatchObject({ generation: 1, policy: { id: 'strict' } });
  });

  it('does not come back by who writes the database', async () => {
    const ids: string[] = [];
    for (const id of ['first', 'second', 'third']) {
      world.clock.now = later(ids.length);
      const view = await approved(policyAction({ id }));
      if (id !== 'third') expect((await proposals.execute(broker.url, view.id)).status).toBe(200);
      ids.push(view.id);
    }
    const [first = '', , third = ''] = ids;
    await broker.close();
    const row = (generation: number, proposal: string): string =>
      `insert into policies select ${generation}, policy, digest, '${proposal}', activated_at from policies where generation = 1`;
    const forged = [
      [row(3, first)],
      [row(3, first), `delete from policies where generation = 1`],
      [`update policies set proposal_id = '${first}' where generation = 2`],
      [`delete from policies where generation = 2`, `update policies set generation = 2`],
      [`update policies set proposal_id = '${third}' where generation = 2`],
    ];
    for (const statements of forged) {
      const copy = await copyOf(directory, location);
      for (const statement of statements) await edit(copy, statement);
      const start = world.start({ ...place(copy), quorum: { membership } });
      await expect(start, statements.join('; ')).rejects.toMatchObject({ code: 'QUORUM_CHAIN_BROKEN' });
    }
    broker = await world.start({ ...place(), quorum: { membership } });
    const { body } = await call(`${broker.url}/v1/admin/policy`, { token: adminToken });
    expect(body).toMatchObject({ generation: 2, policy: { id: 'second' } });
  });
});

describe('approvals', () => {
  it('are counted once a person, whichever key is used', async () => {
    const view = await proposals.created(broker.url, policyAction());
    expect((await proposals.approve(broker.url, view, ann)).status).toBe(200);
    for (const key of [ann, annSecond])
      expect(refusalOf(await proposals.approve(broker.url, view, key))).toBe('QUORUM_ALREADY_APPROVED');
    expect(refusalOf(await proposals.execute(broker.url, view.id))).toBe('QUORUM_APPROVALS_MISSING');
  });

  it('bind the key, the proposal and its exact bytes', async () => {
    const { url } = broker;
    const one = await proposals.created(url, policyAction());
    // The same action proposed twice is two proposals.
    const two = await proposals.created(url, policyAction());
    const other = await proposals.created(url, policyAction({ id: 'another' }));
    const send = async (keyId: string, proof: Parameters<typeof proposals.send>[3]): Promise<string> =>
      refusalOf(await proposals.send(url, one.id, keyId, proof));
    for (const view of [two, other]) expect(await send(ann.keyId, signed(view, ann))).toBe('QUORUM_SIGNATURE');
    const own = signed(one, ann);
    expect(await send(annSecond.keyId, own)).toBe('QUORUM_SIGNATURE');
    expect(await send(ben.keyId, own)).toBe('QUORUM_SIGNATURE');
    expect(await send(stranger.keyId, own)).toBe('QUORUM_KEY_UNKNOWN');
    expect(await send(dana.keyId, own)).toBe('QUORUM_KEY_UNKNOWN');
    if (own.kind === 'key') {
      expect(await send(ann.keyId, { kind: 'key', signature: flipped(own.signature) })).toBe('QUORUM_SIGNATURE');
    }
    expect((await proposals.show(url, one.id)).approvals).toEqual([]);
  });

  it('are shown as exactly what they are for: another action or other bytes are refused before anybody signs', async () => {
    const { document, payload } = await proposals.created(broker.url, policyAction());
    expect(readProposal(document, payload).action.kind).toBe('policy');
    for (const [text, action] of [
      [document, payload.replace('"changed"', '"chanced"')],
      [document.replace('"action":"policy"', '"action":"quorum"'), payload],
      [`${document} `, payload],
      [document, payload.replace('{', '{ ')],
    ] as const)
      expect(() => readProposal(text, action)).toThrow(expect.objectContaining({ code: 'PROPOSAL_MISMATCH' }));
  });

  it('by WebAuthn need the challenge, the site, a person who was verified, and a counter that rises', async () => {
    const { url } = broker;
    const view = await proposals.created(url, policyAction());
    const send = async (changes: Parameters<typeof assertion>[2], of = view): Promise<string> => {
      const answer = await proposals.send(url, of.id, dana.keyId, assertion(of, dana, changes));
      return answer.status === 200 ? 'approved' : refusalOf(answer);
    };
    expect(await send({ client: { challenge: 'AAAA' } })).toBe('QUORUM_WEBAUTHN_CHALLENGE');
    expect(await send({ client: { type: 'webauthn.create' } })).toBe('QUORUM_WEBAUTHN_MALFORMED');
    expect(await send({ client: { origin: 'https://keys.example.org' } })).toBe('QUORUM_WEBAUTHN_ORIGIN');
    expect(await send({ client: { crossOrigin: true } })).toBe('QUORUM_WEBAUTHN_ORIGIN');
    expect(await send({ client: { topOrigin: 'https://evil.example' } })).toBe('QUORUM_WEBAUTHN_ORIGIN');
    expect(await send({ rpId: 'example.com' })).toBe('QUORUM_WEBAUTHN_RP_ID');
    expect(await send({ flags: 0x01 })).toBe('QUORUM_WEBAUTHN_USER');
    expect(await send({ flags: 0x04 })).toBe('QUORUM_WEBAUTHN_USER');
    expect(await send({ tail: new Uint8Array(3) })).toBe('QUORUM_WEBAUTHN_MALFORMED');
    expect(await send({ flags: 0x45, tail: new Uint8Array(30) })).toBe('QUORUM_WEBAUTHN_MALFORMED');
    expect(await send({ damage: true })).toBe('QUORUM_SIGNATURE');
    expect(await send({ counter: 7 })).toBe('approved');
    const next = await proposals.created(url, policyAction());
    for (const counter of [0, 6, 7]) expect(await send({ counter }, next)).toBe('QUORUM_WEBAUTHN_COUNTER');
    expect(await send({ counter: 8 }, next)).toBe('approved');
    await proposals.approve(url, next, ben);
    expect((await proposals.execute(url, next.id)).status).toBe(200);
  });
});

describe('the end of a proposal', () => {
  it('expired or cancelled, it can be neither approved nor executed', async () => {
    const { url } = broker;
    const old = await proposals.created(url, policyAction(), 600);
    for (const key of [ann, ben]) await proposals.approve(url, old, key);
    const gone = await proposals.created(url, policyAction());
    expect((await proposals.cancel(url, gone.id)).status).toBe(200);
    expect(refusalOf(await proposals.approve(url, gone, ann))).toBe('PROPOSAL_STATE');
    world.clock.now = later(600);
    expect(refusalOf(await proposals.approve(url, old, cleo))).toBe('PROPOSAL_EXPIRED');
    expect(refusalOf(await proposals.execute(url, old.id))).toBe('PROPOSAL_EXPIRED');
    expect((await proposals.show(url, old.id)).state).toBe('expired');
    for (const seconds of [59, 31 * 86_400])
      expect(refusalOf(await proposals.create(url, policyAction(), seconds))).toBe('PROPOSAL_INVALID');
    expect(refusalOf(await proposals.execute(url, 'ab'.repeat(16)))).toBe('PROPOSAL_UNKNOWN');
  });

  it('failed, when what it does is refused by then', async () => {
    const view = await approved(releaseAction(release));
    expect((await admin.revoke(broker.url, 'release', release.digestHex)).status).toBe(200);
    expect(refusalOf(await proposals.execute(broker.url, view.id))).toBe('BROKER_RELEASE_REVOKED');
    expect(await proposals.show(broker.url, view.id)).toMatchObject({
      state: 'failed',
      code: 'BROKER_RELEASE_REVOKED',
    });
    expect(refusalOf(await proposals.execute(broker.url, view.id))).toBe('PROPOSAL_STATE');
  });

  it('executed once, however many ask at the same time', async () => {
    const view = await approved(policyAction());
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => proposals.execute(broker.url, view.id)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const changes = (await admin.audit(broker.url)).filter(({ kind }) => kind === 'policy-changed');
    expect(changes).toHaveLength(1);
    expect((await proposals.show(broker.url, view.id)).state).toBe('succeeded');
  });

  it('cut off between its beginning and its effect, it is executed once after all', async () => {
    let broken = true;
    await restart({
      keyStore: keyStoreWith(world.keyStore, {
        unwrap: (wrapped, context) =>
          broken ? Promise.reject(new Error('cut off')) : world.keyStore.unwrap(wrapped, context),
      }),
    });
    broken = false;
    const view = await approved(releaseAction(release));
    broken = true;
    expect(refusalOf(await proposals.execute(broker.url, view.id))).toBe('BROKER_KEY_STORE');
    expect((await proposals.show(broker.url, view.id)).state).toBe('executing');
    await restart();
    expect((await proposals.execute(broker.url, view.id)).status).toBe(200);
    expect(refusalOf(await proposals.execute(broker.url, view.id))).toBe('PROPOSAL_STATE');
    const registered = (await admin.audit(broker.url)).filter(({ kind }) => kind === 'release-registered');
    expect(registered).toHaveLength(1);
  });
});

describe('the quorum itself', () => {
  const [erin, finn, gus] = [heldKey('P-256'), heldKey('P-256'), heldKey('Ed25519')];
  const successors: Membership = {
    threshold: 3,
    members: [erin, finn, gus].map(({ registered }, index) => ({ id: `new-${index}`, keys: [registered] })),
  };

  it('is replaced by the old members, which ends all they had open; only the new ones decide from then on', async () => {
    const open = await approved(policyAction());
    const view = await proposals.created(broker.url, { kind: 'quorum', membership: successors });
    expect(
      refusalOf(await proposals.send(broker.url, view.id, erin.keyId, { kind: 'key', signature: 'AAAAAAAAAAAA' })),
    ).toBe('QUORUM_KEY_UNKNOWN');
    for (const key of [ann, cleo]) await proposals.approve(broker.url, view, key);
    expect((await proposals.execute(broker.url, view.id)).status).toBe(200);
    expect(await proposals.show(broker.url, open.id)).toMatchObject({
      state: 'cancelled',
      code: 'QUORUM_MEMBERSHIP_CHANGED',
    });
    // The configuration names the first members; the database leads on from them.
    await restart();
    const { body } = await call(`${broker.url}/v1/admin/quorum`, { token: adminToken });
    expect(body).toMatchObject({ generation: 1, membership: { threshold: 3 } });
    const next = await proposals.created(broker.url, policyAction());
    expect(
      refusalOf(await proposals.send(broker.url, next.id, ann.keyId, { kind: 'key', signature: 'AAAAAAAAAAAA' })),
    ).toBe('QUORUM_KEY_UNKNOWN');
    for (const key of [erin, finn, gus]) expect((await proposals.approve(broker.url, next, key)).status).toBe(200);
    expect((await proposals.execute(broker.url, next.id)).status).toBe(200);
    await restart();
  });

  it('does not come back from an older database, nor from one that somebody wrote into', async () => {
    await broker.close();
    const before = await copyOf(directory, location);
    broker = await world.start({ ...place(), quorum: { membership } });
    const view = await approved({ kind: 'quorum', membership: successors });
    expect((await proposals.execute(broker.url, view.id)).status).toBe(200);
    await broker.close();

    const start = (of: DatabaseLocation): Promise<Broker> => world.start({ ...place(of), quorum: { membership } });
    await expect(start(before)).rejects.toMatchObject({ code: 'QUORUM_STATE_BEHIND' });

    const forged = [
      `delete from proposal_approvals where member = 'ben'`,
      `update proposals set payload = replace(payload, '"threshold":3', '"threshold":2')`,
      `update proposals set document = replace(document, '"generation":0', '"generation":9')`,
      `update proposal_challenges set nonce = '${'A'.repeat(43)}'`,
      `update memberships set generation = 2`,
      `update memberships set proposal_id = '${'0'.repeat(32)}'`,
    ];
    for (const statement of forged) {
      const copy = await copyOf(directory, location);
      await edit(copy, statement);
      await expect(start(copy), statement).rejects.toMatchObject({ code: 'QUORUM_CHAIN_BROKEN' });
    }
    broker = await start(location);
  });

  it('is 3 to 16 people with keys of their own, and a threshold from 2', async () => {
    const members = membership.members;
    const cases: [string, unknown][] = [
      ['two members', { threshold: 2, members: members.slice(0, 2) }],
      [
        'seventeen members',
        {
          threshold: 2,
          members: Array.from({ length: 17 }, (_, index) => ({
            id: `m${index}`,
            keys: [heldKey('Ed25519').registered],
          })),
        },
      ],
      ['threshold 1', { ...membership, threshold: 1 }],
      ['threshold 5 of 4', { ...membership, threshold: 5 }],
      ['a name twice', { threshold: 2, members: [...members, { id: 'ann', keys: [stranger.registered] }] }],
      ['a key twice', { threshold: 2, members: [...members, { id: 'eve', keys: [ann.registered] }] }],
      [
        'a key twice, as WebAuthn',
        {
          threshold: 2,
          members: [
            ...members,
            { id: 'eve', keys: [{ kind: 'webauthn', publicKey: ann.registered.publicKey, ...site }] },
          ],
        },
      ],
      ['no key', { threshold: 2, members: [...members, { id: 'eve', keys: [] }] }],
      [
        'a broken key',
        { threshold: 2, members: [...members, { id: 'eve', keys: [{ kind: 'key', publicKey: 'A'.repeat(60) }] }] },
      ],
    ];
    for (const [name, value] of cases)
      await expect(parseMembership(value, 0), name).rejects.toMatchObject({ code: 'QUORUM_INVALID' });
    expect((await parseMembership(membership, 0)).keys.size).toBe(5);
    expect(membershipSchema.parse(membership)).toEqual(membership);
  });
});

it('there are no proposals without a quorum', async () => {
  const alone = await world.start();
  expect(refusalOf(await proposals.create(alone.url, policyAction()))).toBe('QUORUM_NOT_CONFIGURED');
  await alone.close();
});
