import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { isCmwCollection, formatOf, readEar } from '@fastness/attest';
import { encodeDcapCollateral } from '@fastness/attest/formats/tdx';
import { encodeSnpEndorsements } from '@fastness/attest/formats/snp';
import { toBase64, toBase64Url, toHex, utf8Encode } from '@fastness/codec/bytes';
import {
  forgeAmdChain,
  forgeCollateral,
  forgeIntelChain,
  forgeQuote,
  tdBody,
  type ForgedAmdChain,
  type ForgedIntelChain,
} from '@fastness/testkit';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { signJwt } from '../src/jwt.ts';
import { platformName } from '../src/platform.ts';
import type { Broker } from '../src/index.ts';
import { admin, call, challenge, createEnclave, granted, refusalOf, requestKey } from './actors.ts';
import {
  createGuest,
  ecKeys,
  guestReportData,
  openResource,
  refusal,
  rsaKeys,
  snpEvidenceJson,
  tokenOf,
  type GuestAnswer,
  type GuestKeys,
} from './rcar-guest.ts';
import {
  bootedTd,
  bootWith,
  goodBoot,
  logOf,
  pinnedBoot,
  type Boot,
} from '../../../packages/attest/test/support/tdx-boot.ts';
import { temporaryDirectory } from './temporary.ts';
import { adminToken, createWorld, dawn, keyStoreWith, measurement, type World } from './world.ts';

const directory = temporaryDirectory();
const secret = 'the resource 🔑';
const mrTd = new Uint8Array(48).fill(0x7d);
const [pinned, goodLog] = await Promise.all([pinnedBoot(goodBoot, [2]), logOf(goodBoot)]);
let world: World;
let broker: Broker;
let intel: ForgedIntelChain;
let turin: ForgedAmdChain;
let guest: ReturnType<typeof createGuest>;
let breakKeyStore = false;

async function register(changes: object = {}, url = broker.url) {
  const json = {
    path: 'default/key/one',
    value: toBase64Url(utf8Encode(secret)),
    wrappingKey: 'kek',
    guests: [
      { tee: 'sev-snp', measurement },
      { tee: 'tdx', measurement: toHex(mrTd) },
    ],
    ...changes,
  };
  return await call(`${url}/v1/admin/resources`, { method: 'PUT', token: adminToken, json });
}

beforeAll(async () => {
  world = await createWorld(directory);
  intel = await forgeIntelChain({ now: dawn });
  turin = await forgeAmdChain({ product: 'Turin', kind: 'vcek', now: dawn });
  const collateral = await forgeCollateral({ chain: intel, tee: 'tdx', now: dawn });
  const { attestation } = world.policy;
  // Many requests in little time, all from one address.
  const rate = { perSecond: 1000, burst: 1000 };
  const rates = { perAddress: rate, global: rate };
  broker = await world.start({
    rcar: {},
    limits: { rates: { challenge: rates, keyRelease: rates, admin: rates, adminFailure: rates } },
    policy: {
      ...world.policy,
      attestation: {
        ...attestation,
        ...(attestation.snp && { snp: { ...attestation.snp, products: ['Genoa', 'Turin'] } }),
        tdx: {
          measurements: 'from-release',
          rtmrs: {},
          eventLogRtmrs: [0, 1, 2],
          requiredEvents: { 2: pinned.events[2] ?? [] },
          tcbStatuses: ['UpToDate'],
          minimumTcbEvaluationDataNumber: 0,
        },
      },
    },
    anchors: {
      ...world.anchors,
      snp: [
        ...(world.anchors.snp ?? []),
        {
          name: 'ARK-Turin',
          product: 'Turin',
          spkiSha256: turin.arkSpkiSha256,
          certificateSha256: '',
          source: 'this test',
        },
      ],
      intel: [
        { name: 'forged', spkiSha256: intel.rootSpkiSha256, certificateSha256: '00'.repeat(32), source: 'this test' },
      ],
    },
    // Guests send no collateral, and hosts often no more than the VCEK.
    completeEndorsements: (evidence, given) =>
      Promise.resolve([
        ...given,
        !isCmwCollection(evidence) && formatOf(evidence).tee === 'tdx'
          ? encodeDcapCollateral(collateral)
          : encodeSnpEndorsements({
              certificates: [world.chain.intermediate.certificate, world.chain.ark.certificate],
              crls: [world.chain.crl],
            }),
      ]),
    keyStore: keyStoreWith(world.keyStore, {
      unwrap: async (wrapped, context) => {
        if (breakKeyStore) throw new Error('the store is gone');
        return await world.keyStore.unwrap(wrapped, context);
      },
    }),
  });
  guest = createGuest(broker.url);
  expect((await register()).status).toBe(200);
});
afterAll(() => broker.close());
beforeEach(() => {
  world.clock.now = dawn;
});

/** A session with its SNP evidence sent. */
async function attested(
  keys: GuestKeys,
  options: {
    evidence?: (made: Awaited<ReturnType<typeof snpEvidenceJson>>) => unknown;
    report?: Parameters<typeof snpEvidenceJson>[2];
    bind?: (nonce: string) => Uint8Array;
    chain?: World['chain'];
    change?: (nonce: string) => object;
  } = {},
): Promise<{ answer: GuestAnswer; cookie: string; nonce: string }> {
  const session = await guest.auth();
  const reportData = options.bind?.(session.nonce) ?? guestReportData(session.nonce, keys.jwk);
  const made = await snpEvidenceJson(options.chain ?? world.chain, reportData, options.report);
  const evidence = options.evidence?.(made) ?? made;
  const answer = await guest.attest(session, keys, evidence, options.change?.(session.nonce));
  return { answer, ...session };
}

const bearer = (token: string): { headers: Record<string, string> } => ({
  headers: { authorization: `Bearer ${token}` },
});
const resource = '/resource/default/key/one';

describe('a guest', () => {
  it.each([
    ['P-256', () => ecKeys('P-256')],
    ['P-521', () => ecKeys('P-521')],
    ['RSA-OAEP-256', () => rsaKeys()],
  ])('fetches a resource by cookie and by token (%s)', async (_name, make) => {
    const keys = make();
    const { answer, cookie } = await attested(keys);
    const token = tokenOf(answer);
    expect(answer.cookie).toBe(cookie);
    for (const way of [{ headers: { cookie } }, bearer(token)]) {
      const fetched = await guest.send('GET', resource, way);
      expect(fetched.headers.get('content-type')).toBe('application/json');
      const { text, header } = await openResource(fetched, keys);
      expect(text).toBe(secret);
      expect(header).toMatch(
        keys.jwk['kty'] === 'EC'
          ? /^\{"alg":"ECDH-ES\+A256KW","enc":"A256GCM","epk":\{"crv":"P-\d{3}","kty":"EC","x":"[\w-]+","y":"[\w-]+"\}\}$/
          : /^\{"alg":"RSA-OAEP-256","enc":"A256GCM"\}$/,
      );
    }
  });

  describe('of a TD', () => {
    /** Evidence of a TD that has booted this way, with the log that it sends. */
    const attestTd = async (
      boot: Boot,
      log: (area: Uint8Array) => string | null,
    ): Promise<[GuestAnswer, GuestKeys]> => {
      const keys = ecKeys();
      const session = await guest.auth({ tee: 'tdx' });
      const { td, eventLog } = await bootedTd(boot);
      const body = tdBody({ ...td, mrTd, reportData: guestReportData(session.nonce, keys.jwk) }, 'td-1.0');
      const quote = toBase64(await forgeQuote({ chain: intel, version: 4, body }));
      return [await guest.attest(session, keys, { quote, cc_eventlog: log(eventLog) }), keys];
    };

    it('fetches the same resource, with the log of its boot', async () => {
      const [answer, keys] = await attestTd(goodBoot, toBase64);
      const { text } = await openResource(await guest.send('GET', resource, bearer(tokenOf(answer))), keys);
      expect(text).toBe(secret);
    });

    it.each<[string, Boot, (area: Uint8Array) => string | null, string]>([
      ['another archive', bootWith('archive', 'another'), toBase64, 'no archive'],
      ['no log', goodBoot, () => null, 'EVENT_LOG_MISSING'],
      ['an empty log', goodBoot, () => '', 'EVENT_LOG_MISSING'],
      ['a log that is no base64', goodBoot, () => '?', 'cc_eventlog'],
      ['a log of another boot', bootWith('kernel', 'another'), () => toBase64(goodLog), 'EVENT_LOG_MISMATCH'],
    ])('with %s gets nothing', async (_, boot, log, said) => {
      const [answer] = await attestTd(boot, log);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(JSON.stringify(answer.body)).toContain(said);
    });
  });

  it('gets challenge and cookie in the form of the protocol', async () => {
    const answer = await guest.send('POST', '/auth', {
      json: { version: '0.4.0', tee: 'snp', 'extra-params': { 'supported-hash-algorithms': ['sha384'] } },
    });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ nonce: expect.stringMatching(/^[A-Za-z0-9+/]{43}=$/), 'extra-params': '' });
    expect(answer.headers.get('set-cookie')).toBe(`${answer.cookie}; Expires=Mon, 23 Nov 2026 12:05:00 GMT`);
    expect(answer.cookie).toMatch(/^kbs-session-id=[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
  });

  it('gets the token it has when it attests again, without another verification', async () => {
    const keys = ecKeys();
    const { answer, cookie, nonce } = await attested(keys);
    const again = await guest.attest({ cookie, nonce }, keys, { nothing: true });
    expect(tokenOf(again)).toBe(tokenOf(answer));
  });

  it('is described by an EAR with its key where Trustee looks for it', async () => {
    const keys = ecKeys();
    const claims = decodeJwt(tokenOf((await attested(keys)).answer));
    expect(claims['tee-pubkey']).toEqual(keys.jwk);
    expect(claims.exp).toBe((claims.iat ?? 0) + 300);
    expect(claims).not.toHaveProperty('ear_raw_evidence');
    expect(readEar(claims)).toMatchObject({ status: 'affirming', submodules: { cpu0: { status: 'affirming' } } });
  });

  it('may be a Turin machine, and a host may send only the VCEK', async () => {
    const keys = ecKeys();
    const answer = await attested(keys, { evidence: (made) => ({ ...made, cert_chain: made.cert_chain.slice(0, 1) }) });
    tokenOf(answer.answer);
    const onTurin = await attested(keys, { chain: turin });
    tokenOf(onTurin.answer);
  });

  it('has its init data checked against its evidence', async () => {
    const keys = ecKeys();
    const body = 'version = "0.1.0"\nalgorithm = "sha256"\n\n[data]\nx = "1"\n';
    const hostData = new Uint8Array(createHash('sha256').update(body).digest());
    const send = (format: string, text: string) => () => ({ 'init-data': { format, body: text } });
    // Which members a change replaces is up to the guest; the rest of the request stays.
    const good = await attested(keys, { report: { hostData }, change: send('toml', body) });
    tokenOf(good.answer);
    const other = await attested(keys, { report: { hostData }, change: send('toml', `${body} `) });
    expect(refusal(other.answer)).toBe('401 AttestationError RCAR_INIT_DATA_MISMATCH');
    const unnamed = await attested(keys, {
      report: { hostData },
      change: send('toml', '[data]\nalgorithm = "sha256"'),
    });
    expect(refusal(unnamed.answer)).toBe('401 AttestationError RCAR_INIT_DATA_INVALID');
  });
});

describe('an auth request', () => {
  it.each([
    ['another version', { version: '0.1.1' }, 'RCAR_VERSION_UNSUPPORTED'],
    ['a later version', { version: '0.4.1' }, 'RCAR_VERSION_UNSUPPORTED'],
    ['a version before it', { version: '0.4.0-rc1' }, 'RCAR_VERSION_UNSUPPORTED'],
    ['the sample TEE', { tee: 'sample' }, 'RCAR_SAMPLE_REFUSED'],
    ['the sample device', { tee: 'sample-device' }, 'RCAR_SAMPLE_REFUSED'],
    ['a TEE in the older spelling', { tee: 'azsnpvtpm' }, 'RCAR_TEE_UNSUPPORTED'],
    ['a TEE in the newer spelling', { tee: 'az-snp-vtpm' }, 'RCAR_TEE_UNSUPPORTED'],
    ['no TEE at all', { tee: 'toaster' }, 'RCAR_TEE_UNKNOWN'],
    ['another shape', { tee: 7 }, 'BROKER_REQUEST_INVALID'],
  ])('with %s is refused', async (_name, change, code) => {
    const answer = await guest.send('POST', '/auth', {
      json: { version: '0.4.0', tee: 'snp', 'extra-params': '', ...change },
    });
    expect(refusal(answer)).toBe(`401 AttestationError ${code}`);
  });

  it('has a limit on its body', async () => {
    const answer = await guest.send('POST', '/auth', {
      json: { version: '0.4.0', tee: 'snp', 'extra-params': 'x'.repeat(5000) },
    });
    expect(refusal(answer)).toBe('413 AttestationError BROKER_BODY_LIMIT');
  });
});

describe('an attest request', () => {
  const keys = ecKeys();
  const rsa1024 = rsaKeys(1024);
  const evidenceOver = (bind: (nonce: string) => Uint8Array) => ({ bind });
  it.each<[string, string, Parameters<typeof attested>[1]]>([
    [
      'bound to another nonce',
      'SNP_REPORT_DATA_MISMATCH',
      evidenceOver(() => guestReportData(toBase64(new Uint8Array(32)), keys.jwk)),
    ],
    ['bound to another key', 'SNP_REPORT_DATA_MISMATCH', evidenceOver((nonce) => guestReportData(nonce, ecKeys().jwk))],
    [
      'bound to other additional evidence',
      'SNP_REPORT_DATA_MISMATCH',
      evidenceOver((nonce) => guestReportData(nonce, keys.jwk, '{}')),
    ],
    ['bound to nothing', 'SNP_REPORT_DATA_MISMATCH', evidenceOver(() => new Uint8Array(64))],
    ['of another measurement', 'SNP_MEASUREMENT_NOT_ALLOWED', { report: { measurement: new Uint8Array(48).fill(9) } }],
    ['of a debug guest', 'SNP_DEBUG_ALLOWED', { report: { policy: 0xb0000n } }],
    [
      'with a byte of the signature changed',
      'SNP_REPORT_SIGNATURE',
      {
        report: {
          tamper: (report) => {
            report[0x2a0] = (report[0x2a0] ?? 0) ^ 1;
          },
        },
      },
    ],
    [
      'with a field that says something else',
      'SNP_REPORT_SIGNATURE',
      { evidence: (made) => ({ ...made, attestation_report: { ...made.attestation_report, guest_svn: 7 } }) },
    ],
    ['without a report', 'RCAR_EVIDENCE_MALFORMED', { evidence: () => ({ cert_chain: [] }) }],
    ['with an unknown member', 'RCAR_EVIDENCE_MALFORMED', { evidence: (made) => ({ ...made, more: 1 }) }],
    [
      'with another nonce',
      'RCAR_NONCE_MISMATCH',
      { change: () => ({ 'runtime-data': { nonce: toBase64(new Uint8Array(32)), 'tee-pubkey': keys.jwk } }) },
    ],
    [
      'with a key of RSA1_5',
      'RCAR_KEY_UNSUPPORTED',
      { change: (nonce) => ({ 'runtime-data': { nonce, 'tee-pubkey': { ...rsaKeys().jwk, alg: 'RSA1_5' } } }) },
    ],
    [
      'with a key on P-384',
      'RCAR_KEY_UNSUPPORTED',
      { change: (nonce) => ({ 'runtime-data': { nonce, 'tee-pubkey': ecKeys('P-384').jwk } }) },
    ],
    [
      'with a point off the curve',
      'RCAR_KEY_INVALID',
      { change: (nonce) => ({ 'runtime-data': { nonce, 'tee-pubkey': { ...keys.jwk, y: keys.jwk['x'] } } }) },
    ],
    [
      'with a short coordinate',
      'RCAR_KEY_INVALID',
      { change: (nonce) => ({ 'runtime-data': { nonce, 'tee-pubkey': { ...keys.jwk, x: 'AAAA' } } }) },
    ],
    [
      'with a short RSA key',
      'RCAR_KEY_INVALID',
      { change: (nonce) => ({ 'runtime-data': { nonce, 'tee-pubkey': rsa1024.jwk } }) },
    ],
    [
      'with a private key',
      'BROKER_REQUEST_INVALID',
      { change: (nonce) => ({ 'runtime-data': { nonce, 'tee-pubkey': { ...keys.jwk, d: 'AAAA' } } }) },
    ],
  ])('%s is refused', async (_name, code, options) => {
    expect(refusal((await attested(keys, options)).answer)).toBe(`401 AttestationError ${code}`);
  });

  it('with evidence of devices is refused', async () => {
    const session = await guest.auth();
    const additional = JSON.stringify({ nvidia: {} });
    const made = await snpEvidenceJson(world.chain, guestReportData(session.nonce, keys.jwk, additional));
    const change = { 'tee-evidence': { primary_evidence: made, additional_evidence: additional } };
    expect(refusal(await guest.attest(session, keys, made, change))).toBe(
      '401 AttestationError RCAR_ADDITIONAL_EVIDENCE_UNSUPPORTED',
    );
  });

  it('ends its session when it is refused', async () => {
    const { cookie, nonce } = await attested(keys, { bind: () => new Uint8Array(64) });
    const made = await snpEvidenceJson(world.chain, guestReportData(nonce, keys.jwk));
    expect(refusal(await guest.attest({ cookie, nonce }, keys, made))).toBe(
      '401 AttestationError RCAR_SESSION_UNKNOWN',
    );
  });

  it('is not verified twice at once', async () => {
    const session = await guest.auth();
    const made = await snpEvidenceJson(world.chain, guestReportData(session.nonce, keys.jwk));
    const answers = await Promise.all([guest.attest(session, keys, made), guest.attest(session, keys, made)]);
    const [ok, busy] = answers.toSorted((a, b) => a.status - b.status);
    expect(ok?.status).toBe(200);
    // The second may also come after the first; then it gets the same token.
    if (busy?.status !== 200) expect(busy && refusal(busy)).toBe('401 AttestationError RCAR_SESSION_BUSY');
  });

  it('needs its session, once and in time', async () => {
    const session = await guest.auth();
    const send = async (cookie: string) => refusal(await guest.attest({ ...session, cookie }, keys, {}));
    expect(await send('')).toBe('401 AttestationError RCAR_SESSION_MISSING');
    expect(await send(`${session.cookie}; ${session.cookie}`)).toBe('401 AttestationError RCAR_SESSION_MISSING');
    expect(await send(`kbs-session-id=${'0'.repeat(32)}`)).toBe('401 AttestationError RCAR_SESSION_UNKNOWN');
    world.clock.now = new Date(dawn.getTime() + 300_000);
    expect(await send(session.cookie)).toBe('401 AttestationError RCAR_SESSION_EXPIRED');
  });

  it('is refused when no resource is registered for its TEE', async () => {
    const other = await world.start({ rcar: {} });
    const bare = createGuest(other.url);
    const session = await bare.auth();
    const made = await snpEvidenceJson(world.chain, guestReportData(session.nonce, keys.jwk));
    expect(refusal(await bare.attest(session, keys, made))).toBe('401 AttestationError RCAR_NOTHING_REGISTERED');
    await other.close();
  });
});

describe('a resource', () => {
  const keys = ecKeys();

  it('needs an attested session or a token of this broker, in time', async () => {
    expect(refusal(await guest.send('GET', resource))).toBe('401 TokenNotFound RCAR_TOKEN_MISSING');
    const { cookie } = await guest.auth();
    expect(refusal(await guest.send('GET', resource, { headers: { cookie } }))).toBe(
      '401 TokenNotFound RCAR_SESSION_NOT_ATTESTED',
    );
    const token = tokenOf((await attested(keys)).answer);
    const [header = '', claims = '', signature = ''] = token.split('.');
    const none = toBase64Url(utf8Encode(JSON.stringify({ alg: 'none', typ: 'eat+jwt' })));
    const flipped = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    for (const forged of [`${header}.${claims}.${flipped}`, `${none}.${claims}.`, 'x', `${header}.${claims}`]) {
      expect(refusal(await guest.send('GET', resource, bearer(forged)))).toBe(
        '401 TokenVerifierError RCAR_TOKEN_INVALID',
      );
    }
    world.clock.now = new Date(dawn.getTime() + 301_000);
    expect(refusal(await guest.send('GET', resource, bearer(token)))).toBe('401 TokenVerifierError RCAR_TOKEN_EXPIRED');
  });

  it('does not open for the attestation result of a key release, which the same key signs', async () => {
    const enclave = await createEnclave();
    const release = await admin.registered(broker.url, await world.release());
    await challenge(broker.url);
    const { ear } = granted(await requestKey(broker.url, { world, enclave, release }));
    expect(refusal(await guest.send('GET', resource, bearer(ear)))).toBe('401 TokenVerifierError RCAR_TOKEN_INVALID');
  });

  it('does not open for a token that was issued under another policy', async () => {
    const claims = decodeJwt(tokenOf((await attested(keys)).answer));
    const signer = {
      publicKey: world.brokerKey,
      keyId: 'ab',
      sign: async (message: Uint8Array) => world.keyStore.sign('broker', message),
    };
    const facts = { ...(claims['fastness_rcar'] as object), policyDigest: '0'.repeat(64) };
    const token = await signJwt(signer, 'eat+jwt', { ...claims, fastness_rcar: facts });
    expect(refusal(await guest.send('GET', resource, bearer(token)))).toBe(
      '401 TokenVerifierError RCAR_TOKEN_POLICY_CHANGED',
    );
  });

  it('opens only for the guests it is registered for', async () => {
    const token = tokenOf((await attested(keys)).answer);
    const guests = [{ tee: 'sev-snp', measurement: 'ee'.repeat(48) }];
    expect((await register({ path: 'default/key/other', guests })).status).toBe(200);
    const get = async (path: string) => refusal(await guest.send('GET', path, bearer(token)));
    expect(await get('/resource/default/key/other')).toBe('401 PolicyDeny RCAR_RESOURCE_DENIED');
    expect(await get('/resource/default/key/none')).toBe('401 PluginInternalError RCAR_RESOURCE_UNKNOWN');
    expect(await get('/resource/default/key')).toBe('404 InvalidRequestPath RCAR_PATH_INVALID');
    expect(await get('/resource/default/%2e%2e%2fkey/one')).toBe('404 InvalidRequestPath RCAR_PATH_INVALID');
    expect(await get(`${resource}?x=1`)).toBe('404 InvalidRequestPath RCAR_PATH_INVALID');
    expect(await get('/pkcs11/default/key/one')).toBe('404 PluginNotFound BROKER_ROUTE_UNKNOWN');
  });

  it('is in the audit log before it leaves, and so is what did not leave', async () => {
    const { answer } = await attested(keys);
    const token = tokenOf(answer);
    await guest.send('GET', resource, bearer(token));
    const released = (await admin.audit(broker.url)).at(-1);
    const platform = platformName({ kind: 'chip-id', value: toHex(world.chain.hwid) });
    expect(released).toMatchObject({
      kind: 'resource-released',
      facts: { resource: 'default/key/one', tee: 'sev-snp', measurement, platform, token: decodeJwt(token).jti },
    });
    expect(JSON.stringify(await admin.audit(broker.url))).not.toContain(toBase64Url(utf8Encode(secret)));
    breakKeyStore = true;
    const refused = await guest.send('GET', resource, bearer(token));
    breakKeyStore = false;
    expect(refusal(refused)).toBe('503 AttestationError BROKER_KEY_STORE');
    const kinds = (await admin.audit(broker.url)).slice(-3).map(({ kind }) => kind);
    expect(kinds).toEqual(['resource-released', 'resource-withheld', 'refused']);
  });

  it('is listed without its value, replaced and removed by administrators alone', async () => {
    expect(refusalOf(await call(`${broker.url}/v1/admin/resources`))).toBe('BROKER_ADMIN_UNAUTHORIZED');
    expect((await register({ path: 'a/b/c', value: toBase64Url(randomBytes(60_000)) })).status).toBe(200);
    const listed = await call(`${broker.url}/v1/admin/resources?after=a/b/b&limit=1`, { token: adminToken });
    expect(listed.body).toMatchObject({ resources: [{ path: 'a/b/c', wrappingKey: 'kek', wrappingKeyVersion: 1 }] });
    const remove = async () => call(`${broker.url}/v1/admin/resources/a/b/c`, { method: 'DELETE', token: adminToken });
    expect((await remove()).body).toEqual({ removed: 'a/b/c' });
    expect(refusalOf(await remove())).toBe('RCAR_RESOURCE_UNKNOWN');
    expect(refusalOf(await register({ wrappingKey: 'nobody' }))).toBe('RCAR_RESOURCE_UNUSABLE');
    expect(refusalOf(await register({ path: 'a/../c' }))).toBe('BROKER_REQUEST_INVALID');
    expect(refusalOf(await register({ guests: [] }))).toBe('BROKER_REQUEST_INVALID');
  });

  it('does not open on a platform that was revoked, token or not', async () => {
    const token = tokenOf((await attested(keys)).answer);
    expect((await admin.revoke(broker.url, 'platform', toHex(world.chain.hwid))).status).toBe(200);
    expect(refusal(await guest.send('GET', resource, bearer(token)))).toBe('401 PolicyDeny BROKER_PLATFORM_REVOKED');
  });
});

describe('the endpoints', () => {
  it('are not there unless they are configured', async () => {
    const plain = await world.start();
    for (const path of ['/kbs/v0/auth', '/v1/admin/resources']) {
      const answer = await call(`${plain.url}${path}`, { method: 'PUT', token: adminToken, json: {} });
      expect(refusalOf(answer)).toBe('BROKER_ROUTE_UNKNOWN');
    }
    await plain.close();
  });

  it('have nothing to administer: where Trustee takes policies and resources there is no route here', async () => {
    const client = createGuest(broker.url);
    for (const path of ['/attestation-policy', '/resource-policy', '/reference-value', '/resource/default/key/one']) {
      for (const token of [{}, { authorization: `Bearer ${adminToken}` }]) {
        const answer = await client.send('POST', path, { json: {}, headers: token });
        expect(refusal(answer), path).toMatch(/^404 \w+ (?:BROKER_ROUTE_UNKNOWN|RCAR_PATH_INVALID)$/);
      }
    }
  });

  it('limit requests', async () => {
    const rate = { perSecond: 0.01, burst: 1 };
    const limited = await world.start({
      rcar: {},
      limits: { rates: { challenge: { perAddress: rate, global: rate } } },
    });
    const client = createGuest(limited.url);
    await client.auth();
    const second = await client.send('POST', '/auth', { json: {} });
    expect(refusal(second)).toBe('429 AttestationError BROKER_RATE_LIMIT');
    expect(second.headers.get('retry-after')).toBe('100');
    await limited.close();
  });
});

const vectors = process.env['FASTNESS_VECTORS'] ?? new URL('../../../../shared/vectors', import.meta.url).pathname;
const recorded = `${vectors}/kbs/example.token.json`;
describe.skipIf(!existsSync(recorded))('the recorded token of Trustee', () => {
  it('is read as an attestation result, and opens nothing', async () => {
    const claims: unknown = JSON.parse(readFileSync(recorded, 'utf8'));
    expect(readEar(claims)).toMatchObject({ status: 'contraindicated' });
    const signer = {
      publicKey: world.brokerKey,
      keyId: 'ab',
      sign: async (message: Uint8Array) => world.keyStore.sign('broker', message),
    };
    // Even this broker's signature would not make it one of its tokens.
    const later = { ...(claims as object), exp: dawn.getTime() / 1000 + 60 };
    for (const each of [claims, later]) {
      const token = await signJwt(signer, 'eat+jwt', each as object);
      expect(refusal(await guest.send('GET', resource, bearer(token)))).toMatch(/RCAR_TOKEN_(?:INVALID|EXPIRED)$/);
    }
  });
});
