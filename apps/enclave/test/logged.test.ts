import { generateKeyPairSync, sign } from 'node:crypto';
import { fromBase64Url, utf8Encode } from '@fastness/codec';
import { encodeProof, signCheckpoint, verifierKeyOf, webHasher } from '@fastness/log';
import { expect, it } from 'vitest';
import { checkLogged } from '../src/boot/check-logged.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const raw = fromBase64Url(publicKey.export({ format: 'jwk' }).x ?? '');
const key = await verifierKeyOf({ name: 'broker.example', publicKey: raw });
const facts = { releaseDigest: 'a'.repeat(64), leaseId: 'b'.repeat(32), keyConfigDigest: 'c'.repeat(64) };
const expected = { ...facts, logKeys: [key.text], renewal: false };

/** A log of one entry, with a proof of it. */
async function proofOf(entry: string, signer = key, carried = entry): Promise<string> {
  const root = await webHasher.leaf(utf8Encode(entry));
  const checkpoint = await signCheckpoint({
    checkpoint: { origin: signer.name, size: 1, root },
    key: signer,
    sign: async (message) => new Uint8Array(sign(null, message, privateKey)),
  });
  return encodeProof({ index: 0, hashes: [], checkpoint, extra: utf8Encode(carried) });
}

const released = JSON.stringify({ seq: 1, kind: 'key-released', facts: { ...facts, more: 1 } });
const renewed = JSON.stringify({ seq: 1, kind: 'lease-renewed', facts: { ...facts, keyConfigDigest: undefined } });

it('takes the proof of any log that the release names, and of each with its own key only', async () => {
  const named = await verifierKeyOf({ name: 'broker-2.example', publicKey: raw });
  const other = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x ?? '';
  const strange = await verifierKeyOf({ name: 'broker.example', publicKey: fromBase64Url(other) });
  const logKeys = [named.text, key.text];
  await checkLogged({ ...expected, logKeys, proof: await proofOf(released) });
  await checkLogged({ ...expected, logKeys, proof: await proofOf(released, named) });
  for (const keys of [[], [named.text], [named.text, strange.text]]) {
    await expect(checkLogged({ ...expected, logKeys: keys, proof: await proofOf(released) })).rejects.toMatchObject({
      code: 'LOG_NOTE_UNSIGNED',
    });
  }
});

it('takes the proof of this very release, or renewal', async () => {
  await checkLogged({ ...expected, proof: await proofOf(released) });
  await checkLogged({ ...expected, renewal: true, proof: await proofOf(renewed) });
});

it('refuses every other', async () => {
  const another = await verifierKeyOf({ name: 'another.example', publicKey: raw });
  const changed = (change: object): string => JSON.stringify({ kind: 'key-released', facts: { ...facts, ...change } });
  for (const [proof, code] of [
    [undefined, 'LOG_PROOF_MISSING'],
    ['', 'LOG_PROOF_MALFORMED'],
    [await proofOf(renewed), 'LOG_ENTRY_UNEXPECTED'],
    [await proofOf(changed({ releaseDigest: 'd'.repeat(64) })), 'LOG_ENTRY_UNEXPECTED'],
    [await proofOf(changed({ leaseId: 'd'.repeat(32) })), 'LOG_ENTRY_UNEXPECTED'],
    [await proofOf(changed({ keyConfigDigest: 'd'.repeat(64) })), 'LOG_ENTRY_UNEXPECTED'],
    [await proofOf('not JSON'), 'LOG_ENTRY_UNEXPECTED'],
    [await proofOf('[]'), 'LOG_ENTRY_UNEXPECTED'],
    [await proofOf(renewed, key, released), 'LOG_INCLUSION'],
    [await proofOf(released, another), 'LOG_NOTE_UNSIGNED'],
    [(await proofOf(released)).replace('\n1\n', '\n2\n'), 'LOG_NOTE_SIGNATURE'],
  ] as const) {
    await expect(checkLogged({ ...expected, proof }), code).rejects.toMatchObject({ code });
  }
  await expect(checkLogged({ ...expected, renewal: true, proof: await proofOf(released) })).rejects.toMatchObject({
    code: 'LOG_ENTRY_UNEXPECTED',
  });
});

it('takes the entry of the share that was asked for, and of no other', async () => {
  const keyShare = { setId: '0'.repeat(32), index: 2 };
  const logged = async (kind: string, share: object | undefined): Promise<string> =>
    proofOf(JSON.stringify({ kind, facts: { ...facts, keyShare: share } }));
  for (const renewal of [false, true]) {
    const kind = renewal ? 'lease-renewed' : 'key-released';
    await checkLogged({ ...expected, renewal, keyShare, proof: await logged(kind, { ...keyShare, threshold: 2 }) });
    for (const other of [undefined, { ...keyShare, index: 1 }, { ...keyShare, setId: '1'.repeat(32) }]) {
      const proof = await logged(kind, other);
      await expect(checkLogged({ ...expected, renewal, keyShare, proof })).rejects.toMatchObject({
        code: 'LOG_ENTRY_UNEXPECTED',
      });
    }
    const proof = await logged(kind, keyShare);
    await expect(checkLogged({ ...expected, renewal, proof })).rejects.toMatchObject({ code: 'LOG_ENTRY_UNEXPECTED' });
  }
});
