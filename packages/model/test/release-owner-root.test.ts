import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { toBase64Url, utf8Encode } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import { encodeOwnerRoot, followOwnerRoots, ownerRootToSign, type OwnerRoot } from '../src/release/index.ts';

interface Owner {
  readonly text: string;
  readonly key: KeyObject;
}
const now = new Date('2026-11-23T12:00:00Z');
const expires = '2027-01-01T00:00:00Z';

function owner(): Owner {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  return { text: toBase64Url(new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))), key: privateKey };
}
const [a, b, c, d, e] = [owner(), owner(), owner(), owner(), owner()];
const root = (version: number, threshold: number, owners: Owner[], until = expires): OwnerRoot => ({
  format: 'fastness/owners/v1',
  version,
  expires: until,
  threshold,
  keys: owners.map(({ text }) => text),
});

function signedBy(next: OwnerRoot, signers: Owner[], payload = ownerRootToSign(next).payload): string {
  const { signed } = ownerRootToSign(next);
  const signatures = signers.map(({ key }) => ({ signature: new Uint8Array(sign('sha384', signed, key)), keyId: '' }));
  return encodeOwnerRoot(payload, signatures);
}

const first = root(1, 2, [a, b, c]);
const second = root(2, 2, [c, d]);
const third = root(3, 1, [e]);

/** 'version N', or the code of the refusal. */
async function outcome(chain: string[], trusted = first, at = now): Promise<string> {
  try {
    return `version ${(await followOwnerRoots({ trusted, chain, now: at })).root.version}`;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}

describe('sets of owner keys', () => {
  it('follow each other when the old and the new set signed', async () => {
    expect(await outcome([])).toBe('version 1');
    const chain = [signedBy(second, [a, c, d]), signedBy(third, [c, d, e])];
    expect(await outcome(chain)).toBe('version 3');
    const { publicKeys } = await followOwnerRoots({ trusted: first, chain, now });
    expect(publicKeys.map(toBase64Url)).toEqual([e.text]);
  });

  it('are followed as far as somebody offers them, and never back', async () => {
    const chain = [signedBy(second, [a, c, d]), signedBy(third, [c, d, e])];
    const [toSecond = '', toThird = ''] = chain;
    const offered = async (texts: string[], known: string[] = [], minimumVersion = 0): Promise<string> => {
      const options = { trusted: first, chain: known, offered: texts, minimumVersion, now };
      return await followOwnerRoots(options).then(
        ({ root: { version } }) => `version ${version}`,
        (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
      );
    };
    expect(await offered(chain)).toBe('version 3');
    expect(await offered(chain, [toSecond])).toBe('version 3');
    expect(await offered([toSecond], chain)).toBe('version 3');
    expect(await offered([toThird])).toBe('OWNER_ROOT_VERSION');
    expect(await offered(['{}'])).toBe('OWNER_ROOT_MALFORMED');
    expect(await offered([signedBy(second, [c, d])])).toBe('OWNER_ROOT_THRESHOLD');
    expect(await offered([toSecond], [], 2)).toBe('version 2');
    expect(await offered([toSecond], [], 3)).toBe('OWNER_ROOT_ROLLBACK');
    expect(await offered([], [], 2)).toBe('OWNER_ROOT_ROLLBACK');
  });

  it('need the threshold of both sets, and no key counts twice', async () => {
    expect(await outcome([signedBy(second, [c, d])])).toBe('OWNER_ROOT_THRESHOLD');
    expect(await outcome([signedBy(second, [a, b, c])])).toBe('OWNER_ROOT_THRESHOLD');
    expect(await outcome([signedBy(second, [a, a, d, d])])).toBe('OWNER_ROOT_THRESHOLD');
    expect(await outcome([signedBy(second, [d, c, c])])).toBe('OWNER_ROOT_THRESHOLD');
  });

  it('are refused with any signature that is not by one of theirs, or over other bytes', async () => {
    expect(await outcome([signedBy(second, [a, c, d, e])])).toBe('OWNER_ROOT_SIGNATURE');
    const other = utf8Encode(JSON.stringify({ ...second, expires: '2030-01-01T00:00:00Z' }));
    expect(await outcome([signedBy(second, [a, c, d], other)])).toBe('OWNER_ROOT_SIGNATURE');
  });

  it('rise by one version: none is skipped, repeated or taken back', async () => {
    const skipping = root(3, 2, [c, d]);
    expect(await outcome([signedBy(skipping, [a, c, d])])).toBe('OWNER_ROOT_VERSION');
    const step = signedBy(second, [a, c, d]);
    expect(await outcome([step, step])).toBe('OWNER_ROOT_VERSION');
    expect(await outcome([signedBy(root(1, 1, [a]), [a, b])])).toBe('OWNER_ROOT_VERSION');
  });

  it('end; only the last one has to be in time', async () => {
    const old = root(1, 2, [a, b, c], '2026-01-01T00:00:00Z');
    expect(await outcome([], old)).toBe('OWNER_ROOT_EXPIRED');
    expect(await outcome([signedBy(second, [a, c, d])], old)).toBe('version 2');
    expect(await outcome([], first, new Date(expires))).toBe('OWNER_ROOT_EXPIRED');
    expect(await outcome([], first, new Date(Number.NaN))).toBe('OWNER_ROOT_EXPIRED');
  });

  it('are of one form', async () => {
    for (const text of ['{', '{}', signedBy(second, [a, c, d]).replace('owners+json', 'owner+json')])
      expect(await outcome([text])).toBe('OWNER_ROOT_MALFORMED');
    for (const wrong of [root(2, 3, [c, d]), root(2, 2, [c, c])])
      expect(() => ownerRootToSign(wrong)).toThrow(expect.objectContaining({ code: 'OWNER_ROOT_MALFORMED' }));
  });
});
