import { readFile } from 'node:fs/promises';
import { FastnessError } from '@fastness/codec/errors';
import { describe, expect, it } from 'vitest';
import { evaluateReleasePolicy, parseReleasePolicy, type JsonValue } from '../src/cloud/release-policy.ts';

const authority = 'https://sharedweu.weu.attest.azure.net';

const policyOf = (...allOf: unknown[]) => ({ version: '1.0.0', anyOf: [{ authority, allOf }] });

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'accepted';
  } catch (error) {
    return error instanceof FastnessError ? error.code : String(error);
  }
}

const judge = (condition: unknown, claims: Record<string, JsonValue>, issuer = authority): string =>
  codeOf(() => evaluateReleasePolicy(parseReleasePolicy(policyOf(condition)), { authority: issuer, claims }));

describe('release policies: what is read', () => {
  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['text', JSON.stringify(policyOf({ claim: 'a', equals: 1 }))],
    ['a list', [policyOf({ claim: 'a', equals: 1 })]],
    ['no version', { anyOf: policyOf({ claim: 'a', equals: 1 }).anyOf }],
    ['another version', { ...policyOf({ claim: 'a', equals: 1 }), version: '2.0.0' }],
    ['a version that is a number', { ...policyOf({ claim: 'a', equals: 1 }), version: 1 }],
    ['no rules', { version: '1.0.0', anyOf: [] }],
    ['no anyOf', { version: '1.0.0' }],
    ['allOf in its place', { version: '1.0.0', allOf: policyOf({ claim: 'a', equals: 1 }).anyOf }],
    ['something more', { ...policyOf({ claim: 'a', equals: 1 }), noneOf: [] }],
    ['a rule that is no object', { version: '1.0.0', anyOf: [5] }],
    ['no authority', { version: '1.0.0', anyOf: [{ allOf: [{ claim: 'a', equals: 1 }] }] }],
    [
      'an authority without TLS',
      { version: '1.0.0', anyOf: [{ authority: 'http://a.example', allOf: [{ claim: 'a', equals: 1 }] }] },
    ],
    [
      'an authority that is no address',
      { version: '1.0.0', anyOf: [{ authority: 'x', allOf: [{ claim: 'a', equals: 1 }] }] },
    ],
    [
      'an authority with a user',
      { version: '1.0.0', anyOf: [{ authority: 'https://u@a.example', allOf: [{ claim: 'a', equals: 1 }] }] },
    ],
    [
      'an authority with a query',
      { version: '1.0.0', anyOf: [{ authority: 'https://a.example?x', allOf: [{ claim: 'a', equals: 1 }] }] },
    ],
    ['no conditions at all', { version: '1.0.0', anyOf: [{ authority }] }],
    ['an empty allOf', policyOf()],
    [
      'allOf and anyOf',
      {
        version: '1.0.0',
        anyOf: [{ authority, allOf: [{ claim: 'a', equals: 1 }], anyOf: [{ claim: 'a', equals: 1 }] }],
      },
    ],
    [
      'something more in a rule',
      { version: '1.0.0', anyOf: [{ authority, allOf: [{ claim: 'a', equals: 1 }], note: 1 }] },
    ],
    ['a condition that is no object', policyOf('a')],
    ['no claim', policyOf({ equals: 1 })],
    ['a claim that is no text', policyOf({ claim: 1, equals: 1 })],
    ['an empty claim', policyOf({ claim: '', equals: 1 })],
    ['a path with a gap', policyOf({ claim: 'a..b', equals: 1 })],
    ['a path that is too long', policyOf({ claim: 'a.a.a.a.a.a.a.a.a', equals: 1 })],
    ['no operator', policyOf({ claim: 'a' })],
    ['two operators', policyOf({ claim: 'a', greater: 1, less: 3 })],
    ['a group with a claim', policyOf({ claim: 'a', allOf: [{ claim: 'a', equals: 1 }] })],
    ['equals null', policyOf({ claim: 'a', equals: null })],
    ['equals a list', policyOf({ claim: 'a', equals: [1] })],
    ['equals an object', policyOf({ claim: 'a', equals: {} })],
    ['less than text', policyOf({ claim: 'a', less: '1' })],
    ['lessOrEquals true', policyOf({ claim: 'a', lessOrEquals: true })],
    ['greater than text', policyOf({ claim: 'a', greater: 'x' })],
    ['greaterOrEquals null', policyOf({ claim: 'a', greaterOrEquals: null })],
    ['greater than no number', policyOf({ claim: 'a', greater: Number.NaN })],
    ['equals infinity', policyOf({ claim: 'a', equals: Number.POSITIVE_INFINITY })],
    ['exists of text', policyOf({ claim: 'a', exists: 'true' })],
    ['exists of a number', policyOf({ claim: 'a', exists: 1 })],
    ['an operand that is too long', policyOf({ claim: 'a', equals: 'x'.repeat(1025) })],
    ['too many conditions', policyOf(...Array.from({ length: 257 }, () => ({ claim: 'a', equals: 1 })))],
    [
      'too many conditions over all rules',
      {
        version: '1.0.0',
        anyOf: Array.from({ length: 9 }, () => ({
          authority,
          allOf: Array.from({ length: 30 }, () => ({ claim: 'a', equals: 1 })),
        })),
      },
    ],
    [
      'deep nesting',
      policyOf(Array.from({ length: 9 }).reduce<unknown>((inner) => ({ anyOf: [inner] }), { claim: 'a', equals: 1 })),
    ],
  ])('refuses %s', (_, policy) => {
    expect(codeOf(() => parseReleasePolicy(policy))).toBe('RELEASE_POLICY_MALFORMED');
  });

  it.each(['Equals', 'eq', 'in', 'notExists', 'matches', '__proto__', 'constructor', 'toString', ''])(
    'refuses the operator %j',
    (operator) => {
      const policy: unknown = JSON.parse(
        JSON.stringify(policyOf({ claim: 'a' })).replace('"claim":"a"', `"claim":"a","${operator}":1`),
      );
      expect(codeOf(() => parseReleasePolicy(policy))).toBe('RELEASE_POLICY_OPERATOR');
    },
  );

  it('refuses an operator that is not known beside one that is', () => {
    expect(codeOf(() => parseReleasePolicy(policyOf({ claim: 'a', equals: 1, unless: 2 })))).toBe(
      'RELEASE_POLICY_OPERATOR',
    );
  });

  it('reads versions 1.0 and 1.0.0, and an authority with or without its slash as one', () => {
    for (const version of ['1.0', '1.0.0', '1.2.3'])
      parseReleasePolicy({ ...policyOf({ claim: 'a', equals: 1 }), version });
    const rules = [{ authority: `${authority}/`, allOf: [{ claim: 'a', equals: 1 }] }];
    expect(parseReleasePolicy({ version: '1.0.0', anyOf: rules }).anyOf[0]?.authority).toBe(authority);
    expect(judge({ claim: 'a', equals: 1 }, { a: 1 }, `${authority}/`)).toBe('accepted');
  });

  it('cannot be changed once read', () => {
    const policy = parseReleasePolicy(policyOf({ claim: 'a', equals: 1 }));
    expect(Object.isFrozen(policy) && Object.isFrozen(policy.anyOf) && Object.isFrozen(policy.anyOf[0])).toBe(true);
    expect(Object.isFrozen(policy.anyOf[0]?.conditions) && Object.isFrozen(policy.anyOf[0]?.conditions[0])).toBe(true);
  });
});

describe('release policies: what they let pass', () => {
  const yes = 'accepted';
  const no = 'RELEASE_POLICY_UNMET';
  it.each<[unknown, Record<string, JsonValue>, string]>([
    [{ claim: 'a', equals: 'x' }, { a: 'x' }, yes],
    [{ claim: 'a', equals: 'x' }, { a: 'X' }, no],
    [{ claim: 'a', equals: 'x' }, { a: 'x ' }, no],
    [{ claim: 'a', equals: 'x' }, {}, no],
    [{ claim: 'a', equals: 'true' }, { a: true }, no],
    [{ claim: 'a', equals: true }, { a: 'true' }, no],
    [{ claim: 'a', equals: true }, { a: true }, yes],
    [{ claim: 'a', equals: true }, { a: 1 }, no],
    [{ claim: 'a', equals: false }, { a: false }, yes],
    [{ claim: 'a', equals: false }, {}, no],
    [{ claim: 'a', equals: false }, { a: null }, no],
    [{ claim: 'a', equals: 1 }, { a: 1 }, yes],
    [{ claim: 'a', equals: 1 }, { a: '1' }, no],
    [{ claim: 'a', equals: 0 }, { a: false }, no],
    [{ claim: 'a', equals: 'x' }, { a: ['x'] }, no],
    [{ claim: 'a', notEquals: 'x' }, { a: 'y' }, yes],
    [{ claim: 'a', notEquals: 'x' }, { a: 'x' }, no],
    [{ claim: 'a', notEquals: 'x' }, { a: 1 }, yes],
    [{ claim: 'a', notEquals: 'x' }, {}, no],
    [{ claim: 'a', notEquals: 'x' }, { a: null }, no],
    [{ claim: 'a', notEquals: 'x' }, { a: {} }, no],
    [{ claim: 'a', notEquals: 'x' }, { a: ['y'] }, no],
    [{ claim: 'a', less: 5 }, { a: 4 }, yes],
    [{ claim: 'a', less: 5 }, { a: 5 }, no],
    [{ claim: 'a', less: 5 }, { a: '4' }, no],
    [{ claim: 'a', less: 5 }, {}, no],
    [{ claim: 'a', less: 5 }, { a: null }, no],
    [{ claim: 'a', less: 5 }, { a: false }, no],
    [{ claim: 'a', lessOrEquals: 5 }, { a: 5 }, yes],
    [{ claim: 'a', lessOrEquals: 5 }, { a: 6 }, no],
    [{ claim: 'a', lessOrEquals: 5 }, { a: '5' }, no],
    [{ claim: 'a', greater: 5 }, { a: 6 }, yes],
    [{ claim: 'a', greater: 5 }, { a: 5 }, no],
    [{ claim: 'a', greater: 5 }, { a: true }, no],
    [{ claim: 'a', greater: -1 }, { a: [] }, no],
    [{ claim: 'a', greaterOrEquals: 5 }, { a: 5 }, yes],
    [{ claim: 'a', greaterOrEquals: 5 }, { a: 4.9 }, no],
    [{ claim: 'a', greaterOrEquals: 5 }, { a: '10' }, no],
    [{ claim: 'a', exists: true }, { a: 'x' }, yes],
    [{ claim: 'a', exists: true }, { a: null }, yes],
    [{ claim: 'a', exists: true }, { a: false }, yes],
    [{ claim: 'a', exists: true }, {}, no],
    [{ claim: 'a', exists: false }, {}, yes],
    [{ claim: 'a', exists: false }, { a: null }, no],
    [{ claim: 'a.b', equals: 1 }, { a: { b: 1 } }, yes],
    [{ claim: 'a.b', equals: 1 }, { 'a.b': 1 }, yes],
    [{ claim: 'a.b', equals: 1 }, { 'a.b': 2, a: { b: 1 } }, no],
    [{ claim: 'a.b.c', equals: 1 }, { 'a.b': { c: 1 } }, yes],
    [{ claim: 'a.b.c', equals: 1 }, { a: { 'b.c': 1 } }, yes],
    [{ claim: 'a.b', equals: 1 }, { a: [1] }, no],
    [{ claim: 'a.length', equals: 1 }, { a: 'x' }, no],
    [{ claim: 'a.length', exists: true }, { a: [1] }, no],
    [{ claim: 'a.0', equals: 1 }, { a: [1] }, no],
    [{ claim: 'constructor', exists: true }, {}, no],
    [{ claim: '__proto__', exists: true }, {}, no],
    [{ claim: 'a.toString', exists: true }, { a: {} }, no],
    [
      {
        anyOf: [
          { claim: 'a', equals: 1 },
          { claim: 'b', equals: 1 },
        ],
      },
      { b: 1 },
      yes,
    ],
    [
      {
        anyOf: [
          { claim: 'a', equals: 1 },
          { claim: 'b', equals: 1 },
        ],
      },
      { c: 1 },
      no,
    ],
    [
      {
        allOf: [
          { claim: 'a', equals: 1 },
          { claim: 'b', equals: 1 },
        ],
      },
      { a: 1, b: 1 },
      yes,
    ],
    [
      {
        allOf: [
          { claim: 'a', equals: 1 },
          { claim: 'b', equals: 1 },
        ],
      },
      { a: 1 },
      no,
    ],
    [
      {
        anyOf: [
          {
            allOf: [
              { claim: 'a', equals: 1 },
              { claim: 'b', less: 3 },
            ],
          },
          { claim: 'c', exists: true },
        ],
      },
      { a: 1, b: 2 },
      yes,
    ],
  ])('%j over %j: %s', (condition, claims, expected) => {
    expect(judge(condition, claims)).toBe(expected);
  });

  it('goes by the authority: claims of another issuer satisfy nothing', () => {
    for (const issuer of [
      'https://other.attest.azure.net',
      `${authority}.evil.example`,
      `${authority}/x`,
      authority.toUpperCase().replace('HTTPS', 'https'),
    ]) {
      expect(judge({ claim: 'a', exists: false }, {}, issuer)).toBe(no);
    }
    expect(judge({ claim: 'a', exists: false }, {}, 'not an address')).toBe('RELEASE_POLICY_MALFORMED');
  });

  it('says which rule let the claims pass, and where each failed, without their values', () => {
    const other = 'https://other.attest.azure.net';
    const policy = parseReleasePolicy({
      version: '1.0.0',
      anyOf: [
        { authority: other, allOf: [{ claim: 'a', equals: 1 }] },
        {
          authority,
          allOf: [
            { claim: 'a', equals: 1 },
            { claim: 'tee.debug', equals: false },
          ],
        },
        { authority, anyOf: [{ claim: 'b', equals: 1 }] },
      ],
    });
    expect(evaluateReleasePolicy(policy, { authority, claims: { b: 1 } })).toEqual({ rule: 2, authority });
    expect(evaluateReleasePolicy(policy, { authority, claims: { a: 1, tee: { debug: false } } })).toEqual({
      rule: 1,
      authority,
    });
    const claims = { a: 1, tee: { debug: 'sensitive value' } };
    try {
      evaluateReleasePolicy(policy, { authority, claims });
      expect.unreachable();
    } catch (error) {
      if (!(error instanceof FastnessError)) throw error;
      expect(error.detail).toBe('anyOf[0]: another authority; anyOf[1]: tee.debug equals; anyOf[2]: none of 1');
      expect(error.message).not.toContain('sensitive');
    }
  });

  it('judges a policy as confidential VMs are given it', () => {
    const policy = parseReleasePolicy({
      version: '1.0.0',
      anyOf: [
        {
          authority,
          allOf: [
            { claim: 'x-ms-isolation-tee.x-ms-attestation-type', equals: 'sevsnpvm' },
            { claim: 'x-ms-isolation-tee.x-ms-compliance-status', equals: 'azure-compliant-cvm' },
            { claim: 'x-ms-isolation-tee.x-ms-sevsnpvm-guestsvn', greaterOrEquals: 8 },
            { claim: 'x-ms-isolation-tee.x-ms-sevsnpvm-is-debuggable', equals: false },
          ],
        },
      ],
    });
    const tee = {
      'x-ms-attestation-type': 'sevsnpvm',
      'x-ms-compliance-status': 'azure-compliant-cvm',
      'x-ms-sevsnpvm-guestsvn': 8,
      'x-ms-sevsnpvm-is-debuggable': false,
    };
    const judged = (changes: Record<string, JsonValue>) =>
      codeOf(() =>
        evaluateReleasePolicy(policy, { authority, claims: { 'x-ms-isolation-tee': { ...tee, ...changes } } }),
      );
    expect(judged({})).toBe(yes);
    expect(judged({ 'x-ms-sevsnpvm-guestsvn': 7 })).toBe(no);
    expect(judged({ 'x-ms-sevsnpvm-guestsvn': '8' })).toBe(no);
    expect(judged({ 'x-ms-sevsnpvm-is-debuggable': true })).toBe(no);
    expect(judged({ 'x-ms-attestation-type': 'tdxvm' })).toBe(no);
  });

  it('runs in a browser: it imports nothing of Node', async () => {
    const source = await readFile(new URL('../src/cloud/release-policy.ts', import.meta.url), 'utf8');
    expect(source.match(/from '[^']+'/g)).toEqual(["from '@fastness/codec/errors'"]);
    expect(source).not.toMatch(/\bBuffer\b|\bprocess\./);
  });
});
