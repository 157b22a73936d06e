import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { fromBase64Url, toBase64Url } from '@fastness/codec/bytes';
import { expect } from 'vitest';
import {
  approvalMessage,
  challengeOf,
  keyIdOf,
  proposalViewSchema,
  type Membership,
  type Proof,
  type ProposalView,
} from '../src/index.ts';
import { call, type Answer } from './actors.ts';
import { adminToken } from './world.ts';

type Curve = 'P-256' | 'P-384' | 'Ed25519';

/** A key of a member, as its holder has it. */
export interface HeldKey {
  readonly registered: Membership['members'][number]['keys'][number];
  readonly keyId: string;
  sign(message: Uint8Array): Uint8Array;
}

export function heldKey(curve: Curve, webauthn?: { rpId: string; origins: string[] }): HeldKey {
  const { publicKey, privateKey } =
    curve === 'Ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: curve });
  const text = toBase64Url(new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })));
  const registered = webauthn
    ? ({ kind: 'webauthn', publicKey: text, ...webauthn } as const)
    : ({ kind: 'key', publicKey: text } as const);
  return { registered, keyId: keyIdOf(registered), sign: (message) => signWith(curve, privateKey, message) };
}

function signWith(curve: Curve, key: KeyObject, message: Uint8Array): Uint8Array {
  const hash = { 'P-256': 'sha256', 'P-384': 'sha384', Ed25519: null }[curve];
  return new Uint8Array(sign(hash, message, key));
}

export const proposals = {
  async create(url: string, action: unknown, lifetimeSeconds?: number): Promise<Answer> {
    const json = { action, reason: 'for this test', ...(lifetimeSeconds === undefined ? {} : { lifetimeSeconds }) };
    return await call(`${url}/v1/admin/proposals`, { method: 'POST', token: adminToken, json });
  },
  async created(url: string, action: unknown, lifetimeSeconds?: number): Promise<ProposalView> {
    const answer = await proposals.create(url, action, lifetimeSeconds);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    return proposalViewSchema.parse(answer.body);
  },
  async show(url: string, id: string): Promise<ProposalView> {
    const answer = await call(`${url}/v1/admin/proposals/${id}`, { token: adminToken });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    return proposalViewSchema.parse(answer.body);
  },
  async send(url: string, id: string, keyId: string, proof: Proof): Promise<Answer> {
    const json = { keyId, proof };
    return await call(`${url}/v1/admin/proposals/${id}/approvals`, { method: 'POST', token: adminToken, json });
  },
  async approve(url: string, view: ProposalView, key: HeldKey): Promise<Answer> {
    return await proposals.send(url, view.id, key.keyId, signed(view, key));
  },
  async execute(url: string, id: string): Promise<Answer> {
    return await call(`${url}/v1/admin/proposals/${id}/execution`, { method: 'POST', token: adminToken });
  },
  async cancel(url: string, id: string): Promise<Answer> {
    return await call(`${url}/v1/admin/proposals/${id}/cancellation`, { method: 'POST', token: adminToken });
  },
};

function challengeIn(view: ProposalView, key: HeldKey): Uint8Array {
  const found = view.challenges.find(({ keyId }) => keyId === key.keyId);
  if (found === undefined) throw new Error('no challenge for this key');
  return challengeOf({ proposalDigest: view.digest, member: found.member, keyId: key.keyId, nonce: found.nonce });
}

export function signed(view: ProposalView, key: HeldKey): Proof {
  return { kind: 'key', signature: toBase64Url(key.sign(approvalMessage(challengeIn(view, key)))) };
}

/** What an authenticator and a browser make of a challenge; `changes` breaks one thing. */
export function assertion(
  view: ProposalView,
  key: HeldKey,
  changes: {
    counter?: number;
    flags?: number;
    rpId?: string;
    client?: Record<string, unknown>;
    tail?: Uint8Array;
    damage?: boolean;
  } = {},
): Proof {
  const { registered } = key;
  if (registered.kind !== 'webauthn') throw new Error('not a WebAuthn key');
  const client = {
    type: 'webauthn.get',
    challenge: toBase64Url(challengeIn(view, key)),
    origin: registered.origins[0],
    crossOrigin: false,
    ...changes.client,
  };
  const clientData = Buffer.from(JSON.stringify(client));
  const head = Buffer.alloc(37);
  createHash('sha256')
    .update(changes.rpId ?? registered.rpId)
    .digest()
    .copy(head);
  head[32] = changes.flags ?? 0x05;
  head.writeUInt32BE(changes.counter ?? 0, 33);
  const data = Buffer.concat([head, changes.tail ?? new Uint8Array()]);
  const signature = key.sign(Buffer.concat([data, createHash('sha256').update(clientData).digest()]));
  if (changes.damage === true) signature[10] = (signature[10] ?? 0) ^ 1;
  return {
    kind: 'webauthn',
    assertion: {
      clientDataJSON: clientData.toString('base64url'),
      authenticatorData: data.toString('base64url'),
      signature: toBase64Url(signature),
    },
  };
}

export const flipped = (text: string): string => {
  const bytes = fromBase64Url(text);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  return toBase64Url(bytes);
};
