import { toBase64Url } from '@fastness/codec';
import type { ErrorCode } from '@fastness/codec/errors';
import {
  basicConstraints,
  forgeKeySet,
  forgeTokenCrl,
  generateKeys,
  keyUsage,
  sharedKeys,
  tokenSerials,
  type ForgedTokenIssuer,
  type TokenLevel,
} from '@fastness/testkit';
import { after, MAA_ISSUER, now, put, reportData, type TokenScenario } from './token-forge.ts';

/** A scenario in which exactly one thing is wrong, and the code that must say so. */
export type TokenFailure = readonly [code: ErrorCode, what: string, scenario: TokenScenario];

const [strangerRsa, weakRsa, p256, p384] = await Promise.all([
  sharedKeys('a stranger', 'rsa-2048'),
  sharedKeys('token root', 'rsa-2048'),
  generateKeys('p-256'),
  generateKeys('p-384'),
]);
const maa = (change: Omit<TokenScenario, 'service'>): TokenScenario => ({ service: 'azure-maa', ...change });
const google = (change: Omit<TokenScenario, 'service'>): TokenScenario => ({
  service: 'gcp-confidential-space',
  ...change,
});
const header = (members: object) => maa({ jws: { header: { ...members } } });
const part = (index: number, value: (part: string) => string) => (token: string) =>
  token
    .split('.')
    .map((each, place) => (place === index ? value(each) : each))
    .join('.');
const encode = (text: string) => toBase64Url(new TextEncoder().encode(text));
const flipLast = (bytes: Uint8Array): Uint8Array =>
  bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte));
const seconds = (date: Date) => Math.floor(date.getTime() / 1000);

/** What is wrong with a token whoever issued it; shown with tokens of Azure Attestation. */
export const jwsFailures: readonly TokenFailure[] = [
  ['JWS_SIZE', 'longer than any token', maa({ text: (token) => token + 'A'.repeat(66_000) })],
  ['JWS_SHAPE', 'two parts', maa({ text: (token) => token.split('.').slice(0, 2).join('.') })],
  ['JWS_SHAPE', 'five parts, as encrypted tokens have', maa({ text: (token) => `${token}.AA.AA` })],
  ['JWS_SHAPE', 'no header', maa({ text: part(0, () => '') })],
  ['JWS_SHAPE', 'no payload', maa({ text: part(1, () => '') })],
  ['CODEC_MALFORMED', 'white space at the end', maa({ text: (token) => `${token}\n` })],
  ['CODEC_MALFORMED', 'padding', maa({ text: part(0, () => `${encode('{"a":1}')}==`) })],
  ['CODEC_MALFORMED', 'the alphabet of plain base64', maa({ text: part(2, (signature) => `+/${signature.slice(2)}`) })],
  ['CODEC_NOT_CANONICAL', 'unused bits', maa({ text: part(0, () => 'e30B'.slice(0, 2).concat('1')) })],
  ['JWS_JSON', 'a header that is a list', maa({ jws: { headerText: () => '[]' } })],
  [
    'JWS_JSON',
    'a header that names its algorithm twice',
    maa({ jws: { headerText: (json) => json.replace('{', '{"alg":"RS256",') } }),
  ],
  ['JWS_JSON', 'a payload that is no JSON', maa({ jws: { claims: 'iss' } })],
  ['JWS_JSON', 'a payload that names its issuer twice', maa({ jws: { claims: `{"iss":"a","iss":"${MAA_ISSUER}"}` } })],
  [
    'CODEC_MALFORMED',
    'a payload that is not UTF-8',
    maa({ text: part(1, () => toBase64Url(Uint8Array.of(0x22, 0xff, 0x22))) }),
  ],
  ['JWS_LIMIT', 'a payload nested too deeply', maa({ jws: { claims: `{"a":${'['.repeat(40)}${']'.repeat(40)}}` } })],
  ['JWS_UNSIGNED', 'alg none', header({ alg: 'none' })],
  ['JWS_UNSIGNED', 'alg none without a signature', maa({ jws: { header: { alg: 'None' } }, text: part(2, () => '') })],
  ['JWS_ALGORITHM', 'HS256', header({ alg: 'HS256' })],
  ['JWS_ALGORITHM', 'an algorithm of another service', header({ alg: 'ES384' })],
  ['JWS_ALGORITHM', 'no algorithm', header({ alg: undefined })],
  ['JWS_HEADER', 'another kind of object', header({ typ: 'dpop+jwt' })],
  ['JWS_HEADER', 'a key id that is a number', header({ kid: 7 })],
  ['JWS_CRITICAL', 'crit', header({ crit: ['exp'] })],
  ['JWS_CRITICAL', 'b64', header({ b64: false })],
  ['JWS_EMBEDDED_KEY', 'jwk', header({ jwk: {} })],
  ['JWS_EMBEDDED_KEY', 'x5u', header({ x5u: 'https://attacker.example' })],
  ['JWS_X5C', 'an empty list', header({ x5c: [] })],
  ['JWS_X5C', 'no text', header({ x5c: [1] })],
  ['JWS_X5C', 'too many', header({ x5c: ['', '', '', '', '', '', ''] })],
  ['JWS_SIGNATURE', 'a changed signature', maa({ jws: { signature: flipLast } })],
  ['JWS_SIGNATURE', 'changed claims', maa({ text: part(1, () => encode(JSON.stringify({ iss: MAA_ISSUER }))) })],
  ['JWS_SIGNATURE', 'another key', maa({ jws: { keys: strangerRsa } })],
  [
    'JWS_SIGNATURE',
    'an ES384 signature that is too long',
    {
      service: 'nvidia-nras',
      nras: { overallJws: { signature: (bytes) => new Uint8Array([...bytes, 0]) } },
    },
  ],
  [
    'JWS_KEY_MISMATCH',
    'an EC key for RS256',
    maa({ jws: { keys: strangerRsa }, issuer: { levels: { leaf: { keys: p256 } } } }),
  ],
  [
    'JWS_KEY_MISMATCH',
    'P-256 for ES384',
    {
      service: 'nvidia-nras',
      issuer: { levels: { leaf: { keys: p256 } } },
      nras: { deviceJws: { keys: p384 }, overallJws: { keys: p384 } },
    },
  ],
  ['JWK_MALFORMED', 'no list of keys', maa({ keySets: () => ['{}'] })],
  ['JWK_MALFORMED', 'a key that is no object', maa({ keySets: () => ['{"keys":[1]}'] })],
  [
    'JWK_MALFORMED',
    'a key without its modulus',
    maa({ keySets: (issuer) => [forgeKeySet(issuer, { members: { n: '' } })] }),
  ],
  [
    'JWK_MALFORMED',
    'a key that its certificate does not hold',
    maa({ keySets: (issuer) => [forgeKeySet({ ...issuer, x5c: [issuer.certificates.root] }, { chain: true })] }),
  ],
  ['JWK_PRIVATE', 'a private key', maa({ keySets: (issuer) => [forgeKeySet(issuer, { members: { d: 'AQ' } })] })],
  ['JWK_DUPLICATE', 'one key id in two sets', maa({ keySets: (issuer) => [forgeKeySet(issuer), forgeKeySet(issuer)] })],
];

const level = (name: TokenLevel, change: object): TokenScenario => google({ issuer: { levels: { [name]: change } } });
const period = (from: number, to: number) => ({ validity: { notBefore: after(from), notAfter: after(to) } });
const unknownExtension = { oid: '1.2.3.4', critical: true, value: new Uint8Array([5, 0]) };
const ca = (pathLength?: number) => basicConstraints({ ca: true, ...(pathLength === undefined ? {} : { pathLength }) });

const crl = (change: Partial<Parameters<typeof forgeTokenCrl>[1]>) => async (issuer: ForgedTokenIssuer) => [
  await forgeTokenCrl(issuer, { now, ...change }),
];

/** Who vouches for the token, and when; shown with tokens of Azure Attestation and, for chains, of Google. */
export const trustFailures: readonly TokenFailure[] = [
  ['TOKEN_ISSUER_NOT_ALLOWED', 'another instance', maa({ claims: put('https://evil.weu.attest.azure.net', 'iss') })],
  ['TOKEN_ISSUER_NOT_ALLOWED', 'no issuer', maa({ claims: put(undefined, 'iss') })],
  ['TOKEN_ISSUER_NOT_ALLOWED', 'a slash more', maa({ claims: put(`${MAA_ISSUER}/`, 'iss') })],
  [
    'TOKEN_ISSUER_NOT_ALLOWED',
    'the staging service of NVIDIA',
    { service: 'nvidia-nras', claims: put('https://nras.attestation-stg.nvidia.com', 'iss') },
  ],
  [
    'TOKEN_ISSUER_NOT_ALLOWED',
    'the staging service for a device',
    { service: 'nvidia-nras', nras: { device: put('https://nras.attestation-stg.nvidia.com', 'iss') } },
  ],
  ['TOKEN_KEY_UNKNOWN', 'no key set', maa({ keySets: () => [] })],
  ['TOKEN_KEY_UNKNOWN', 'another key id', header({ kid: 'another' })],
  ['TOKEN_KEY_UNKNOWN', 'no key id', header({ kid: undefined })],
  [
    'TOKEN_KEY_UNKNOWN',
    'a key for another algorithm',
    maa({ keySets: (issuer) => [forgeKeySet(issuer, { members: { alg: 'PS256' } })] }),
  ],
  [
    'TOKEN_KEY_UNKNOWN',
    'a key for encryption',
    maa({ keySets: (issuer) => [forgeKeySet(issuer, { members: { use: 'enc' } })] }),
  ],
  [
    'TOKEN_KEY_NOT_PINNED',
    'a pin of another key',
    maa({ section: () => ({ issuers: [{ issuer: MAA_ISSUER, signingKeys: ['00'.repeat(32)] }] }) }),
  ],
  ['TOKEN_KEY_NOT_PINNED', 'a key set, and no pin', maa({ section: () => ({ issuers: [{ issuer: MAA_ISSUER }] }) })],
  [
    'TOKEN_KEY_NOT_PINNED',
    'the pins of another issuer',
    maa({
      section: ({ pins }) => ({
        issuers: [
          { issuer: 'https://other.example', signingKeys: [pins.leaf] },
          { issuer: MAA_ISSUER, signingKeys: ['00'.repeat(32)] },
        ],
      }),
    }),
  ],
  ['TOKEN_KEY_NOT_PINNED', 'no anchors', google({ anchors: () => ({}) })],
  ['TOKEN_KEY_NOT_PINNED', 'another root under the same name', level('root', { keys: strangerRsa, issuer: undefined })],
  [
    'TOKEN_KEY_NOT_PINNED',
    'an anchor for another service',
    google({
      anchors: ({ pins }) => ({
        tokens: [{ tee: 'azure-maa', kind: 'authority', name: 'x', spkiSha256: pins.root, source: 'a test' }],
      }),
    }),
  ],
  [
    'TOKEN_KEY_NOT_PINNED',
    'an anchor that may sign, and only certifies',
    google({
      anchors: ({ pins }) => ({
        tokens: [{ tee: 'gcp-confidential-space', kind: 'key', name: 'x', spkiSha256: pins.root, source: 'a test' }],
      }),
    }),
  ],
  [
    'TOKEN_CHAIN_NAMES',
    'a leaf of another issuer',
    level('leaf', { issuer: { name: 'somebody else', keys: weakRsa } }),
  ],
  ['TOKEN_CHAIN_EXTENSION', 'in the leaf', level('leaf', { extensions: [unknownExtension] })],
  ['TOKEN_CHAIN_EXTENSION', 'in an authority', level('intermediate', { extensions: [ca(), unknownExtension] })],
  ['TOKEN_LEAF_CONSTRAINTS', 'an authority', level('leaf', { extensions: [ca()] })],
  ['TOKEN_LEAF_CONSTRAINTS', 'not for signatures', level('leaf', { extensions: [keyUsage('keyEncipherment')] })],
  ['TOKEN_AUTHORITY_CONSTRAINTS', 'no authority', level('intermediate', { extensions: [keyUsage('keyCertSign')] })],
  [
    'TOKEN_AUTHORITY_CONSTRAINTS',
    'not for certificates',
    level('intermediate', { extensions: [ca(), keyUsage('cRLSign')] }),
  ],
  [
    'TOKEN_AUTHORITY_CONSTRAINTS',
    'a root for none below',
    level('root', { extensions: [ca(0), keyUsage('keyCertSign')] }),
  ],
  ...(['leaf', 'intermediate', 'root'] as const).flatMap((name): TokenFailure[] => [
    ['TOKEN_CHAIN_VALIDITY', `${name}, not yet`, level(name, period(60, 9999))],
    ['TOKEN_CHAIN_VALIDITY', `${name}, no longer`, level(name, period(-9999, -60))],
  ]),
  ['TOKEN_CHAIN_SIGNATURE', 'a changed leaf', level('leaf', { tamper: { signature: flipLast } })],
  ['TOKEN_CHAIN_SIGNATURE', 'a changed intermediate', level('intermediate', { tamper: { signature: flipLast } })],
  ['TOKEN_CRL_MISSING', 'no list', google({ lists: async () => [] })],
  [
    'TOKEN_CRL_MISSING',
    'a list of somebody else',
    google({ lists: crl({ issuer: { name: 'somebody else', keys: strangerRsa } }) }),
  ],
  ['TOKEN_CRL_SIGNATURE', 'a changed list', google({ lists: crl({ tamper: { signature: flipLast } }) })],
  [
    'TOKEN_CRL_SIGNATURE',
    'a list of another key',
    google({ lists: crl({ issuer: { name: 'Forged token root', keys: strangerRsa } }) }),
  ],
  [
    'TOKEN_CRL_SIGNATURE',
    'a root that may not sign lists',
    level('root', { extensions: [ca(), keyUsage('keyCertSign')] }),
  ],
  ['TOKEN_CRL_WINDOW', 'from the future', google({ lists: crl({ thisUpdate: after(60) }) })],
  ['TOKEN_CRL_WINDOW', 'over', google({ lists: crl({ nextUpdate: after(-60) }) })],
  ['TOKEN_CRL_WINDOW', 'without an end', google({ lists: crl({ nextUpdate: null }) })],
  ['TOKEN_CHAIN_REVOKED', 'the intermediate', google({ lists: crl({ revoked: [tokenSerials.intermediate] }) })],
  ['TOKEN_TIMES', 'no exp', maa({ claims: put(undefined, 'exp') })],
  ['TOKEN_TIMES', 'iat as text', maa({ claims: put('now', 'iat') })],
  ['TOKEN_TIMES', 'nbf as text', maa({ claims: put('now', 'nbf') })],
  ['TOKEN_EXPIRED', 'a second ago', maa({ claims: put(seconds(after(-1)), 'exp') })],
  ['TOKEN_EXPIRED', 'now', maa({ claims: put(seconds(now), 'exp') })],
  ['TOKEN_EXPIRED', 'that of a device', { service: 'nvidia-nras', nras: { device: put(seconds(after(-1)), 'exp') } }],
  ['TOKEN_NOT_YET_VALID', 'nbf two minutes ahead', maa({ claims: put(seconds(after(120)), 'nbf') })],
  ['TOKEN_NOT_YET_VALID', 'iat two minutes ahead', maa({ claims: put(seconds(after(120)), 'iat') })],
  ['TOKEN_LIFETIME', 'a day', maa({ claims: put(seconds(after(86_400)), 'exp') })],
  ['TOKEN_NONCE_MISMATCH', 'another session', maa({ expectedReportData: reportData.toReversed() })],
  ['TOKEN_NONCE_MISMATCH', 'a part of it', maa({ expectedReportData: reportData.slice(0, 32) })],
  ['TOKEN_AUDIENCE', 'an audience, and the policy has none', maa({ claims: put('https://other.example', 'aud') })],
  ['TOKEN_AUDIENCE', 'another audience', google({ claims: put('https://other.example', 'aud') })],
  ['TOKEN_AUDIENCE', 'no audience', google({ claims: put(undefined, 'aud') })],
  ['TOKEN_STALE', 'older than the policy says', maa({ section: () => ({ maxAgeSeconds: 20 }) })],
  ['TOKEN_DETACHED', 'no list', { service: 'nvidia-nras', nras: { bundle: () => ({}) } }],
  [
    'TOKEN_DETACHED',
    'another label',
    { service: 'nvidia-nras', nras: { bundle: ([[, token], rest]) => [['CWT', token], rest] } },
  ],
  ['TOKEN_DETACHED', 'no device', { service: 'nvidia-nras', nras: { bundle: ([main]) => [main, {}] } }],
  [
    'TOKEN_DETACHED',
    'a device that is no text',
    { service: 'nvidia-nras', nras: { bundle: ([main]) => [main, { 'GPU-0': 1 }] } },
  ],
];
