import { utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readJsonWithIntegers } from '../src/http/body.ts';
import { canonicalJson } from '../src/rcar/guest-key.ts';
import { openValue, sealValue } from '../src/rcar/sealed-value.ts';
import { createSessions } from '../src/rcar/sessions.ts';
import { errorOf, temporaryDirectory } from './temporary.ts';
import { createWorld, dawn, type World } from './world.ts';

const directory = temporaryDirectory();
let world: World;
beforeAll(async () => {
  world = await createWorld(directory);
});

describe('a sealed resource', () => {
  const bound = { path: 'a/b/c', guests: '[1]' };
  const codeOf = async (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'none',
      (error: unknown) => (error instanceof FastnessError ? error.code : 'other'),
    );

  it('opens where it belongs, and nowhere else', async () => {
    const sealed = await sealValue(world.keyStore, 'kek', utf8Encode('secret'), bound);
    expect(await openValue(world.keyStore, sealed, bound)).toEqual(utf8Encode('secret'));
    for (const other of [
      { ...bound, path: 'a/b/d' },
      { ...bound, guests: '[1,2]' },
    ])
      expect(await codeOf(openValue(world.keyStore, sealed, other))).toBe('RCAR_RESOURCE_UNUSABLE');
    const flipped = sealed.sealed.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    for (const changed of [flipped, 'AAAA', '']) {
      expect(await codeOf(openValue(world.keyStore, { ...sealed, sealed: changed }, bound))).toBe(
        'RCAR_RESOURCE_UNUSABLE',
      );
    }
  });
});

describe('canonical JSON', () => {
  it('sorts members and writes strings as RFC 8785 does', () => {
    const value = { '\u20ac': 'a', '\r': 'b', a: { z: '\u0000\u001f"\\/é😀', b: '' } };
    expect(canonicalJson(value)).toBe('{"\\r":"b","a":{"b":"","z":"\\u0000\\u001f\\"\\\\/é😀"},"€":"a"}');
    expect(errorOf(() => canonicalJson('\ud800')).code).toBe('BROKER_REQUEST_INVALID');
  });
});

describe('numbers of 64 bits', () => {
  it('are read exactly', async () => {
    const body = '{"big":18446744073709551615,"small":7,"not":1.5,"text":"18446744073709551615"}';
    const request = new Request('http://broker/', {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    const read = await readJsonWithIntegers(request, z.looseObject({}), 1000);
    expect(read).toEqual({ big: 0xffff_ffff_ffff_ffffn, small: 7, not: 1.5, text: '18446744073709551615' });
  });
});

describe('sessions', () => {
  it('are bounded: the oldest goes first', () => {
    const sessions = createSessions({ sessionSeconds: 60, maxSessions: 2, now: () => dawn });
    const [first, second, third] = [sessions.begin('sev-snp'), sessions.begin('tdx'), sessions.begin('tdx')];
    expect(errorOf(() => sessions.find(first.id)).code).toBe('RCAR_SESSION_UNKNOWN');
    expect(sessions.find(second.id)).toBe(second);
    expect(sessions.find(third.id)).toBe(third);
  });
});
