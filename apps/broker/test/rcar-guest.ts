import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { ForgedAmdChain, ForgeSnpReportOptions } from '@fastness/testkit';
import { forgeSnpReport } from '@fastness/testkit';
import { fromHex } from '@fastness/codec/bytes';
import { flattenedDecrypt } from 'jose';
import { z } from 'zod';
import { measurement } from './world.ts';

/*
 * A guest that speaks the KBS protocol 0.4.0: written from the protocol, and apart from the broker's own code.
 */

/** The key of a guest. `jwk` has the members that the protocol sends, in any order. */
export interface GuestKeys {
  readonly jwk: Readonly<Record<string, string>>;
  readonly privateKey: KeyObject;
}

export function ecKeys(curve: 'P-256' | 'P-521' | 'P-384' = 'P-256'): GuestKeys {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: curve });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  return { jwk: { kty: 'EC', crv: curve, alg: 'ECDH-ES+A256KW', x, y }, privateKey };
}

export function rsaKeys(bits = 2048): GuestKeys {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: bits });
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
  return { jwk: { kty: 'RSA', alg: 'RSA-OAEP-256', n, e }, privateKey };
}

/** RFC 8785 of what a guest hashes, the members put into order by hand. */
export function guestReportData(nonce: string, jwk: Readonly<Record<string, string>>, additional = ''): Uint8Array {
  const order = jwk['kty'] === 'EC' ? ['alg', 'crv', 'kty', 'x', 'y'] : ['alg', 'e', 'kty', 'n'];
  const key = order.map((name) => `"${name}":${JSON.stringify(jwk[name])}`).join(',');
  const text = `{"additional-evidence":${JSON.stringify(additional)},"nonce":"${nonce}","tee-pubkey":{${key}}}`;
  const padded = new Uint8Array(64);
  padded.set(createHash('sha384').update(text).digest());
  return padded;
}

/** A report as the guest's library writes it to JSON. */
function snpReportJson(report: Uint8Array): Record<string, unknown> {
  const view = new DataView(report.buffer, report.byteOffset);
  const bytes = (offset: number, length: number): number[] => [...report.subarray(offset, offset + length)];
  const version = view.getUint32(0, true);
  const turin = view.getUint8(0x188) === 0x1a;
  const tcb = (at: number): object => {
    const [a = 0, b = 0, c = 0, d = 0, , , e = 0, f = 0] = bytes(at, 8);
    return turin
      ? { fmc: a, bootloader: b, tee: c, snp: d, microcode: f }
      : { fmc: null, bootloader: a, tee: b, snp: e, microcode: f };
  };
  const firmware = (at: number): object => {
    const [build, minor, major] = bytes(at, 3);
    return { major, minor, build };
  };
  const since = <T>(first: number, value: T): T | null => (version >= first ? value : null);
  return {
    version,
    guest_svn: view.getUint32(4, true),
    policy: Number(view.getBigUint64(8, true)),
    family_id: bytes(0x10, 16),
    image_id: bytes(0x20, 16),
    vmpl: view.getUint32(0x30, true),
    sig_algo: view.getUint32(0x34, true),
    current_tcb: tcb(0x38),
    plat_info: Number(view.getBigUint64(0x40, true)),
    key_info: view.getUint32(0x48, true),
    report_data: bytes(0x50, 64),
    measurement: bytes(0x90, 48),
    host_data: bytes(0xc0, 32),
    id_key_digest: bytes(0xe0, 48),
    author_key_digest: bytes(0x110, 48),
    report_id: bytes(0x140, 32),
    report_id_ma: bytes(0x160, 32),
    reported_tcb: tcb(0x180),
    cpuid_fam_id: since(3, view.getUint8(0x188)),
    cpuid_mod_id: since(3, view.getUint8(0x189)),
    cpuid_step: since(3, view.getUint8(0x18a)),
    chip_id: bytes(0x1a0, 64),
    committed_tcb: tcb(0x1e0),
    current: firmware(0x1e8),
    committed: firmware(0x1ec),
    launch_tcb: tcb(0x1f0),
    launch_mit_vector: since(5, Number(view.getBigUint64(0x1f8, true))),
    current_mit_vector: since(5, Number(view.getBigUint64(0x200, true))),
    signature: { r: bytes(0x2a0, 72), s: bytes(0x2e8, 72) },
  };
}

/** Evidence of an SEV-SNP guest with the certificates that its host gave it. */
export async function snpEvidenceJson(
  chain: ForgedAmdChain,
  reportData: Uint8Array,
  changes: Partial<ForgeSnpReportOptions> = {},
): Promise<{ attestation_report: Record<string, unknown>; cert_chain: { cert_type: string; data: number[] }[] }> {
  const report = await forgeSnpReport({ chain, reportData, measurement: fromHex(measurement), ...changes });
  const [ark, ask, vcek] = ['ARK', 'ASK', 'VCEK'];
  const entries = [
    [vcek, chain.leaf.certificate],
    [ask, chain.intermediate.certificate],
    [ark, chain.ark.certificate],
    ['CRL', chain.crl],
  ] as const;
  return {
    attestation_report: snpReportJson(report),
    cert_chain: entries.map(([type = '', data]) => ({ cert_type: type, data: [...data] })),
  };
}

export interface GuestAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
  /** The session of a `Set-Cookie`, as `Cookie` sends it back. */
  readonly cookie: string | undefined;
}

const challengeSchema = z.strictObject({ nonce: z.string(), 'extra-params': z.literal('') });
const tokenSchema = z.strictObject({ token: z.string() });

export function createGuest(url: string): {
  send(
    method: string,
    path: string,
    options?: { json?: unknown; headers?: Record<string, string>; body?: string },
  ): Promise<GuestAnswer>;
  auth(changes?: object): Promise<{ nonce: string; cookie: string }>;
  attest(
    session: { nonce: string; cookie: string },
    keys: GuestKeys,
    evidence: unknown,
    changes?: object,
  ): Promise<GuestAnswer>;
} {
  const send: ReturnType<typeof createGuest>['send'] = async (method, path, { json, headers = {}, body } = {}) => {
    const text = body ?? (json === undefined ? undefined : JSON.stringify(json));
    const response = await fetch(`${url}/kbs/v0${path}`, {
      method,
      headers: { ...(text === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(text === undefined ? {} : { body: text }),
    });
    const cookie = response.headers.get('set-cookie')?.split(';', 1)[0];
    return { status: response.status, body: await response.json(), headers: response.headers, cookie };
  };
  return {
    send,
    async auth(changes = {}) {
      const answer = await send('POST', '/auth', {
        json: { version: '0.4.0', tee: 'snp', 'extra-params': {}, ...changes },
      });
      if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
      return { nonce: challengeSchema.parse(answer.body).nonce, cookie: answer.cookie ?? '' };
    },
    attest: async ({ nonce, cookie }, keys, evidence, changes = {}) =>
      send('POST', '/attest', {
        headers: { cookie },
        json: {
          'init-data': null,
          'runtime-data': { nonce, 'tee-pubkey': keys.jwk },
          'tee-evidence': { primary_evidence: evidence, additional_evidence: '' },
          ...changes,
        },
      }),
  };
}

export function tokenOf(answer: GuestAnswer): string {
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return tokenSchema.parse(answer.body).token;
}

const jweSchema = z.strictObject({
  protected: z.string(),
  encrypted_key: z.string(),
  iv: z.string(),
  ciphertext: z.string(),
  tag: z.string(),
});

/** Decrypts a resource; the protected header is written anew before, as guests do. */
export async function openResource(answer: GuestAnswer, keys: GuestKeys): Promise<{ text: string; header: string }> {
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  const jwe = jweSchema.parse(answer.body);
  const header = Buffer.from(jwe.protected, 'base64url').toString('utf8');
  const again = Buffer.from(rewritten(header)).toString('base64url');
  const { plaintext } = await flattenedDecrypt({ ...jwe, protected: again }, keys.privateKey, {
    keyManagementAlgorithms: ['ECDH-ES+A256KW', 'RSA-OAEP-256'],
    contentEncryptionAlgorithms: ['A256GCM'],
  });
  return { text: new TextDecoder().decode(plaintext), header };
}

const headerSchema = z.strictObject({
  alg: z.string(),
  enc: z.string(),
  epk: z.strictObject({ crv: z.string(), kty: z.string(), x: z.string(), y: z.string() }).optional(),
});

function rewritten(header: string): string {
  const { alg, enc, epk } = headerSchema.parse(JSON.parse(header));
  return JSON.stringify(
    epk === undefined ? { alg, enc } : { alg, enc, epk: { crv: epk.crv, kty: epk.kty, x: epk.x, y: epk.y } },
  );
}

/** The error of an answer: its code, its type's last part and its status. */
export function refusal(answer: GuestAnswer): string {
  const { type, detail } = z.strictObject({ type: z.string(), detail: z.string() }).parse(answer.body);
  const prefix = 'https://github.com/confidential-containers/kbs/errors/';
  if (!type.startsWith(prefix)) throw new Error(type);
  return `${answer.status} ${type.slice(prefix.length)} ${detail.split(':', 1)[0] ?? ''}`;
}
