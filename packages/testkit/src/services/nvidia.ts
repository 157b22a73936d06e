import { createHash } from 'node:crypto';
import { toBase64, toHex } from '@fastness/codec/bytes';
import { DerReader } from '@fastness/codec/der';
import { forgeChainOcsp, type ForgeChainOcspOptions } from '../nvidia/endorsements.ts';
import type { ForgedNvidiaChain } from '../nvidia/chain.ts';
import type { FakeRoutes } from './fake-service.ts';

/** NVIDIA's RIM service: documents by their names, as JSON with base64 and digest. */
export function fakeRim(documents: ReadonlyMap<string, Uint8Array>): FakeRoutes {
  return ({ method, path }) => {
    const id = decodeURIComponent(path.replace(/^\/v1\/rim\//, ''));
    const document = documents.get(id);
    if (method !== 'GET' || document === undefined) return undefined;
    const answer = {
      id,
      rim: toBase64(document),
      sha256: createHash('sha256').update(document).digest('hex'),
      last_updated: '2026-01-01T00:00:00',
      rim_format: 'TCG',
      request_id: '00000000-0000-0000-0000-000000000000',
    };
    return { contentType: 'application/json', body: JSON.stringify(answer) };
  };
}

/** What a client asked an OCSP responder. */
export interface SeenOcspRequest {
  /** Hex, without leading zeros. */
  readonly serial: string;
  readonly nonce: Uint8Array | undefined;
}

/** NVIDIA's OCSP responder. `answer` makes the response; undefined becomes status 404. */
export function fakeOcsp(answer: (request: SeenOcspRequest) => Promise<Uint8Array | undefined>): FakeRoutes {
  return async ({ method, headers, body }) => {
    if (method !== 'POST' || headers['content-type'] !== 'application/ocsp-request') return { status: 400, body: '' };
    const response = await answer(readOcspRequest(body));
    return response && { contentType: 'application/ocsp-response', body: response };
  };
}

/** Answers about every certificate of a forged chain but its root. */
export function forgedOcspResponder<Level extends string>(
  options: Omit<ForgeChainOcspOptions<Level>, 'nonce'>,
): (request: SeenOcspRequest) => Promise<Uint8Array | undefined> {
  const { chain, levels } = options;
  return async ({ serial, nonce }) => {
    const place = levels.findIndex((level) => serialOf(chain, level) === serial);
    const pair = levels.slice(place, place + 2);
    if (place < 0 || pair.length < 2) return undefined;
    const [response] = await forgeChainOcsp({ ...options, levels: pair, ...(nonce === undefined ? {} : { nonce }) });
    return response;
  };
}

function serialOf<Level extends string>(chain: ForgedNvidiaChain<Level>, level: Level): string {
  return chain.serials[level].toString(16);
}

/** RFC 6960, section 4.1.1, read apart from the writer that the fetcher has. */
function readOcspRequest(der: Uint8Array): SeenOcspRequest {
  const tbs = new DerReader(der).sequence().sequence();
  const certificateId = tbs.sequence().sequence().sequence();
  certificateId.sequence();
  certificateId.octetString();
  certificateId.octetString();
  const serial = toHex(certificateId.integer()).replace(/^0+(?=.)/, '');
  const extension = tbs.explicit(2)?.sequence().sequence();
  extension?.oid();
  const value = extension?.octetString();
  return { serial, nonce: value === undefined ? undefined : new DerReader(value).octetString() };
}
