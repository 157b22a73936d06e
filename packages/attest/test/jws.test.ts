import { utf8Encode } from '@fastness/codec';
import { webCryptoVerifier } from '@fastness/codec/x509';
import { forgeJws, forgeKeySet, forgeTokenIssuer, type ForgedJwsAlgorithm } from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import { Checklist } from '../src/checks.ts';
import { parseJws } from '../src/jws/compact.ts';
import { parseJson } from '../src/jws/json.ts';
import { parseJwkSet } from '../src/jws/key-set.ts';
import { verifyJws } from '../src/jws/verify.ts';
import { codeOf } from './support/errors.ts';

const now = new Date('2026-06-01T12:00:00Z');
const all = ['RS256', 'PS256', 'PS384', 'ES256', 'ES384', 'EdDSA', 'Ed25519'] as const;
const keySets = new Map(
  await Promise.all(
    all.map(async (algorithm: ForgedJwsAlgorithm) => {
      const issuer = await forgeTokenIssuer({ now, algorithm });
      const token = await forgeJws({ keys: issuer.keys.leaf, algorithm, claims: { iss: 'forged' } });
      return [algorithm, { token, key: parseJwkSet(utf8Encode(forgeKeySet(issuer)))[0] }] as const;
    }),
  ),
);

describe('signatures of tokens', () => {
  it.each(all.flatMap((algorithm) => all.map((other) => [algorithm, other] as const)))(
    'with %s fit a key for it, and a key for %s only where that is the same',
    async (algorithm, other) => {
      const token = keySets.get(algorithm)?.token ?? '';
      const key = keySets.get(other)?.key;
      if (key === undefined) throw new Error('no key');
      const checks = new Checklist([]);
      const jws = parseJws(token, all, checks);
      const code = await codeOf(verifyJws(jws, key.holder, webCryptoVerifier, checks));
      const kind = (name: string) =>
        name.startsWith('E') && name.includes('d') ? 'Ed25519' : name.replace(/^[RP]S.*/, 'RSA');
      expect(code).toBe(kind(algorithm) === kind(other) ? 'accepted' : 'JWS_KEY_MISMATCH');
    },
  );
});

const limits = { maxBytes: 1000, maxDepth: 3, maxValues: 20 };
const read = (text: string | Uint8Array) => () => parseJson(typeof text === 'string' ? utf8Encode(text) : text, limits);

describe('JSON of tokens', () => {
  it.each(['null', 'true', '-0.5e+3', '"a\\u00e9\\n"', '[]', '{}', ' { "a" : [ 1 , {"b":false} ] }\r\n', '"\u2028"'])(
    'is read as JSON.parse reads it: %s',
    (text) => {
      expect(JSON.stringify(read(text)())).toBe(JSON.stringify(JSON.parse(text)));
    },
  );

  it.each([
    '',
    '{',
    '[1,]',
    '{"a":1,}',
    '{"a"}',
    '{a:1}',
    "{'a':1}",
    '{"a":1}{}',
    '[1 2]',
    '01',
    '+1',
    '.5',
    '1.',
    '1e',
    'NaN',
    '1e999',
    'True',
    '"\u0001"',
    '"\\x41"',
    '"\\ud800"',
    '"a',
    '\ufeff1',
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":2}',
    '{"b":{"a":1,"a":2}}',
    '[1]//',
  ])('is refused: %j', async (text) => {
    expect(await codeOf(read(text))).toBe('JWS_JSON');
  });

  it('is refused past its limits, and where it is not UTF-8', async () => {
    expect(await codeOf(read(`"${'a'.repeat(1000)}"`))).toBe('JWS_LIMIT');
    expect(await codeOf(read('[[[[[]]]]]'))).toBe('JWS_LIMIT');
    expect(await codeOf(read(`[${'1,'.repeat(30)}1]`))).toBe('JWS_LIMIT');
    expect(await codeOf(read(Uint8Array.of(0x22, 0xc3, 0x22)))).toBe('CODEC_MALFORMED');
  });

  it('has members that are nothing but members', () => {
    const value = read('{"__proto__":{"a":1},"toString":2}')();
    expect(Object.getPrototypeOf(value)).toBe(null);
    expect(Object.keys(value ?? {})).toEqual(['__proto__', 'toString']);
    expect('a' in (value as object)).toBe(false);
  });
});

describe('key sets', () => {
  const set = (...keys: object[]) => utf8Encode(JSON.stringify({ keys }));

  it('skip keys of other types and uses, and keys without an id', () => {
    expect(
      parseJwkSet(
        set(
          { kty: 'AKP', kid: 'a' },
          { kty: 'EC', crv: 'secp256k1', kid: 'b', x: '', y: '' },
          { kty: 'OKP', crv: 'X25519', kid: 'c', x: '' },
          { kty: 'RSA', kid: 'd', use: 'enc' },
          { kty: 'RSA', n: 'AQAB', e: 'AQAB' },
        ),
      ),
    ).toEqual([]);
  });

  it.each([
    ['CODEC_MALFORMED', { kty: 'RSA', kid: 'a', n: '!!', e: 'AQAB' }],
    ['JWK_MALFORMED', { kty: 'EC', crv: 'P-256', kid: 'a', x: 'AA', y: 'AA' }],
    ['X509_KEY', { kty: 'OKP', crv: 'Ed25519', kid: 'a', x: 'AA' }],
    ['X509_KEY', { kty: 'RSA', kid: 'a', n: 'AQAB', e: 'AQ' }],
    ['JWK_PRIVATE', { kty: 'oct', kid: 'a', k: 'AA' }],
  ])('refuse with %s: %j', async (code, key) => {
    expect(await codeOf(() => parseJwkSet(set(key)))).toBe(code);
  });

  it('are bounded', async () => {
    const many = Array.from({ length: 65 }, (_, index) => ({ kty: 'x', kid: `${index}` }));
    expect(await codeOf(() => parseJwkSet(set(...many)))).toBe('JWK_MALFORMED');
    expect(await codeOf(() => parseJwkSet(new Uint8Array(300_000)))).toBe('JWS_LIMIT');
  });
});
