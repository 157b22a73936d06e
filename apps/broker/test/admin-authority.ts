import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { createHash } from 'node:crypto';
import { TLSSocket } from 'node:tls';
import { encodePem, utf8Encode } from '@fastness/codec/bytes';
import { der } from '@fastness/codec/der';
import {
  basicConstraints,
  forgeCertificate,
  forgeCrl,
  generateKeys,
  keyUsage,
  type ForgeCertificateOptions,
  type ForgedExtension,
  type ForgedKeys,
} from '@fastness/testkit';
import type { Answer } from './actors.ts';
import { dawn } from './world.ts';

const day = 86_400_000;
export const inTime = { notBefore: new Date(dawn.getTime() - day), notAfter: new Date(dawn.getTime() + day) };
const purposes = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const;

/** Extended key usage. */
export function usableFor(...names: (keyof typeof purposes)[]): ForgedExtension {
  return { oid: '2.5.29.37', value: der.sequence(...names.map((name) => der.oid(purposes[name]))) };
}

/** Subject alternative names, by their number in GeneralName. */
export function alternativeNames(...names: [number, string | Uint8Array][]): ForgedExtension {
  const list = names.map(([tag, name]) => der.implicit(tag, typeof name === 'string' ? utf8Encode(name) : name));
  return { oid: '2.5.29.17', value: der.sequence(...list) };
}

export const forClients = [basicConstraints({ ca: false }), keyUsage('digitalSignature'), usableFor('client')];

/** A certificate and its key, as a TLS client or server has them. */
export interface Credential {
  readonly certificate: string;
  readonly privateKey: string;
  readonly spkiSha256: string;
  readonly keys: ForgedKeys;
}

/** An authority for certificates of administrators. */
export interface Authority {
  readonly keys: ForgedKeys;
  readonly pem: string;
  issue(options?: Partial<ForgeCertificateOptions>): Promise<Credential>;
  /** A revocation list, PEM. */
  list(serials: readonly number[], nextUpdate?: Date): Promise<string>;
}

const name = 'Administrators';

/** `validity`: of its own certificate and of those it issues. */
export async function createAuthority(validity: ForgeCertificateOptions['validity'] = inTime): Promise<Authority> {
  const keys = await generateKeys('p-256');
  const extensions = [basicConstraints({ ca: true }), keyUsage('keyCertSign', 'cRLSign')];
  const pem = encodePem(await forgeCertificate({ subject: name, keys, validity, extensions }), 'CERTIFICATE');
  let serial = 1;
  return {
    keys,
    pem,
    async issue(options = {}) {
      serial += 1;
      const subject = options.keys ?? (await generateKeys('p-256'));
      const certificate = await forgeCertificate({
        subject: 'someone',
        keys: subject,
        issuer: { name, keys },
        validity,
        serial,
        extensions: forClients,
        ...options,
      });
      return {
        certificate: encodePem(certificate, 'CERTIFICATE'),
        privateKey: encodePem(subject.pkcs8, 'PRIVATE KEY'),
        spkiSha256: createHash('sha256').update(subject.spki).digest('hex'),
        keys: subject,
      };
    },
    async list(serials, nextUpdate = inTime.notAfter) {
      const thisUpdate = inTime.notBefore;
      const revoked = serials.map((each) => ({ serial: each, date: thisUpdate }));
      return encodePem(await forgeCrl({ issuer: { name, keys }, thisUpdate, nextUpdate, revoked }), 'X509 CRL');
    },
  };
}

/** What a broker listens with. */
export async function serverTls(): Promise<{ certificate: string; privateKey: string }> {
  const authority = await createAuthority();
  return await authority.issue({ subject: 'broker', extensions: [usableFor('server')] });
}

export function write(path: string, text: string): string {
  writeFileSync(path, text);
  return path;
}

/** Connections of one client: a certificate, and one connection that is kept where `keep` says so. */
export function agentOf(credential?: Pick<Credential, 'certificate' | 'privateKey'>, keep = false): Agent {
  return new Agent({
    // The broker's own certificate is not what these tests are about.
    rejectUnauthorized: false,
    keepAlive: keep,
    maxSockets: 1,
    ...(credential === undefined ? {} : { cert: credential.certificate, key: credential.privateKey }),
  });
}

/** A request over TLS with a client's own agent. */
export async function ask(
  agent: Agent,
  url: string,
  options: { method?: string; json?: unknown; token?: string } = {},
): Promise<Answer & { readonly reused: boolean; readonly resumed: boolean }> {
  const { method = 'GET', json, token } = options;
  return await new Promise((resolve, reject) => {
    const headers = {
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const sent = request(url, { method, headers, agent }, (response) => {
      let text = '';
      const resumed = response.socket instanceof TLSSocket && response.socket.isSessionReused();
      response.setEncoding('utf8');
      response.on('data', (part: string) => (text += part));
      response.on('error', reject);
      response.on('end', () => {
        const all = Object.entries(response.headers).map(([key, value]) => [key, String(value)] as [string, string]);
        const body: unknown = JSON.parse(text === '' ? 'null' : text);
        resolve({
          status: response.statusCode ?? 0,
          body,
          headers: new Headers(all),
          reused: sent.reusedSocket,
          resumed,
        });
      });
    });
    sent.on('error', reject);
    sent.end(json === undefined ? undefined : JSON.stringify(json));
  });
}
