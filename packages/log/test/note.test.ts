import { toBase64 } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import {
  cosign,
  openCheckpoint,
  openNote,
  parseNote,
  parseVerifierKey,
  signCheckpoint,
  signNote,
} from '../src/index.ts';
import { testKey } from './keys.ts';

// The example of golang.org/x/mod/sumdb/note, which defined the format first.
const goKey = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const goText = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const goNote = `${goText}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;

// A checkpoint of a public test log of Certificate Transparency (arche2025h1.staging.ct.transparency.dev) with the
// cosignature of a public witness, whose key transparency-dev/formats has in its tests.
const witnessKey = 'remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2';
const cosignedNote = `arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
`;

const codeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'accepted',
    (error: { code: string }) => error.code,
  );
const root = new Uint8Array(32).fill(7);

describe('signed notes', () => {
  it('verifies the example of the Go package', async () => {
    const opened = await openNote(goNote, [await parseVerifierKey(goKey)]);
    expect(opened.text).toBe(goText);
    expect(opened.verified.map(({ key }) => key.text)).toEqual([goKey]);
  });

  it('verifies the cosignature of a public witness on a public log', async () => {
    const opened = await openNote(cosignedNote, [await parseVerifierKey(witnessKey)]);
    expect(opened.verified[0]?.time?.toISOString()).toBe('2026-05-23T21:50:24.000Z');
    const other = cosignedNote.replace('1432088532', '1432088533');
    expect(await codeOf(openNote(other, [await parseVerifierKey(witnessKey)]))).toBe('LOG_NOTE_SIGNATURE');
  });

  it('reads no key that is spelt wrongly', async () => {
    for (const text of [
      '',
      'PeterNeumann',
      goKey.replace('c74f', 'c74e'),
      goKey.replace('PeterNeumann', 'PeterNeuman'),
      goKey.replace('+AR', '+BR'),
      goKey.replace('+AR', '+AA'),
      goKey.slice(0, -4),
      goKey.replace('Neumann', ' Neumann'),
    ]) {
      expect(await codeOf(parseVerifierKey(text)), text).toBe('LOG_KEY_MALFORMED');
    }
  });

  it('refuses what is no note', async () => {
    const signature = goNote.slice(goNote.indexOf('—'));
    for (const note of [
      '',
      goText,
      goNote.slice(0, -1),
      goNote.replace('\n\n', '\n'),
      `${goText}\n`,
      `${goText}\n${signature}x\n`,
      `${goText}\n-${signature.slice(1)}`,
      goNote.replace('If', 'I\tf'),
      goNote.replace('If', '\ud800'),
      `${goText}\n— PeterNeumann AAAA\n`,
      `${goText}\n— Peter+Neumann x08go/ZJ\n`,
      `${goText}\n${signature.repeat(65)}`,
      `${'x'.repeat(300_000)}\n\n${signature}`,
    ]) {
      expect(await codeOf((async () => parseNote(note))()), note.slice(0, 80)).toBe('LOG_NOTE_MALFORMED');
    }
  });

  it('ignores keys it does not know and refuses a bad signature of one it does', async () => {
    const log = await testKey('log.example');
    const other = await testKey('log.example');
    const note = await signNote({ text: 'text\n', key: log.key, sign: log.sign });
    expect(await codeOf(openNote(note, [other.key]))).toBe('LOG_NOTE_UNSIGNED');
    expect(await codeOf(openNote(note, []))).toBe('LOG_NOTE_UNSIGNED');
    const both = note + (await signNote({ text: 'text\n', key: other.key, sign: other.sign })).slice(6);
    expect((await openNote(both, [other.key])).verified).toHaveLength(1);
    expect((await openNote(both, [other.key, log.key])).verified).toHaveLength(2);
    const forged = await signNote({ text: 'text\n', key: log.key, sign: other.sign });
    expect(await codeOf(openNote(forged, [log.key]))).toBe('LOG_NOTE_SIGNATURE');
    expect(await codeOf(openNote(both.replace('text', 'Text'), [log.key]))).toBe('LOG_NOTE_SIGNATURE');
  });

  it('keeps the two kinds of signature apart', async () => {
    const plain = await testKey('one.example');
    const witness = { ...plain, key: (await testKey('one.example', 'cosignature/v1')).key };
    expect(await codeOf(signNote({ text: 'text\n', key: witness.key, sign: plain.sign }))).toBe('LOG_KEY_MALFORMED');
    expect(await codeOf(cosign({ text: 'text\n', key: plain.key, sign: plain.sign, time: new Date(0) }))).toBe(
      'LOG_KEY_MALFORMED',
    );
  });
});

describe('checkpoints', () => {
  it('needs the signature of the log, its origin, and as many witnesses as the policy says', async () => {
    const log = await testKey('log.example');
    const witnesses = await Promise.all(['w1', 'w2', 'w3'].map(async (name) => testKey(name, 'cosignature/v1')));
    const checkpoint = { origin: 'log.example', size: 5, root };
    const note = await signCheckpoint({ checkpoint, key: log.key, sign: log.sign });
    const text = note.slice(0, note.lastIndexOf('\n\n') + 1);
    const lines = await Promise.all(
      witnesses.map(async ({ key, sign }) => cosign({ text, key, sign, time: new Date(1_700_000_000_000) })),
    );
    const trust = { logKeys: [log.key], witnesses: { keys: witnesses.map(({ key }) => key), threshold: 2 } };
    const opened = await openCheckpoint(note + lines.join(''), trust);
    expect(opened).toMatchObject({ origin: 'log.example', size: 5, root });
    expect(opened.verified.map(({ time }) => time?.getTime())).toEqual([undefined, ...Array<number>(3).fill(17e11)]);
    expect(await codeOf(openCheckpoint(note + lines.slice(1).join(''), trust))).toBe('accepted');
    expect(await codeOf(openCheckpoint(note + lines.slice(2).join(''), trust))).toBe('LOG_COSIGNATURES');
    const twice = note + (lines[0] ?? '') + (lines[0] ?? '');
    expect(await codeOf(openCheckpoint(twice, trust))).toBe('LOG_COSIGNATURES');
    expect(await codeOf(openCheckpoint(`${text}\n${lines.join('')}`, trust))).toBe('LOG_NOTE_UNSIGNED');
    expect(await codeOf(openCheckpoint(note, { ...trust, origin: 'other.example' }))).toBe('LOG_ORIGIN');
    expect(await codeOf(openCheckpoint(note, { logKeys: trust.witnesses.keys }))).toBe('LOG_KEY_MALFORMED');
  });

  it('counts one witness key under two names once', async () => {
    const log = await testKey('log.example');
    const witness = await testKey('w1', 'cosignature/v1');
    const { verifierKeyOf } = await import('../src/index.ts');
    const alias = await verifierKeyOf({
      name: 'w2',
      publicKey: witness.key.publicKey,
      algorithm: 'cosignature/v1',
    });
    const note = await signCheckpoint({ checkpoint: { origin: 'log.example', size: 5, root }, ...log });
    const text = note.slice(0, note.lastIndexOf('\n\n') + 1);
    const time = new Date(0);
    const lines = [
      await cosign({ text, key: witness.key, sign: witness.sign, time }),
      await cosign({ text, key: alias, sign: witness.sign, time }),
    ].join('');
    const trust = { logKeys: [log.key], witnesses: { keys: [witness.key, alias], threshold: 2 } };
    expect(await codeOf(openCheckpoint(note + lines, trust))).toBe('LOG_COSIGNATURES');
  });

  it('refuses a note that is no checkpoint', async () => {
    const log = await testKey('log.example');
    const base64 = toBase64(root);
    for (const text of [
      'log.example\n5\n',
      `\n5\n${base64}\n`,
      `log.example\n05\n${base64}\n`,
      `log.example\n-5\n${base64}\n`,
      `log.example\n5.0\n${base64}\n`,
      `log.example\n99999999999999999\n${base64}\n`,
      `log.example\n5\n${base64.slice(4)}\n`,
      `log.example\n5\n${base64} \n`,
      `log.example\n5\n${base64}\n\n`,
    ]) {
      const note = await signNote({ text, key: log.key, sign: log.sign });
      expect(await codeOf(openCheckpoint(note, { logKeys: [log.key] })), text).toBe('LOG_CHECKPOINT_MALFORMED');
    }
    const extended = await signNote({ text: `log.example\n5\n${base64}\nmore\n`, key: log.key, sign: log.sign });
    expect(await openCheckpoint(extended, { logKeys: [log.key] })).toMatchObject({ extensions: ['more'] });
  });
});
