import { fromBase64Url, toBase64Url } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { parseCertificate, parseCrl } from '@fastness/codec/x509';
import { amdNames, assembleAmdChain, type ForgedAmdChain } from '../snp/chain.ts';
import { forgedProducts } from '../snp/products.ts';
import type { ForgedKeyKind, ForgedKeys } from '../x509/keys.ts';

const FORMAT = 'fastness/simulated-tee/v1';

/** Organization in the names of the simulated certificates: loud wherever someone looks at one. */
export const SIMULATED_ORGANIZATION = 'SIMULATED TEE - no hardware protects anything';

/** What the simulated TEE keeps: its chain with the private keys, and the number of the latest revocation list. */
export interface SimulatedState {
  readonly chain: ForgedAmdChain;
  readonly crlNumber: number;
}

/** The product that the simulated TEE claims to be. */
export const SIMULATED_PRODUCT = 'Genoa';

/** JSON of the state; byte strings in base64url. It holds private keys, which protect nothing. */
export function stateToText({ chain, crlNumber }: SimulatedState): string {
  const { ark, intermediate, leaf } = chain;
  const state = {
    format: FORMAT,
    warning: SIMULATED_ORGANIZATION,
    hwid: toBase64Url(chain.hwid),
    keys: [ark, intermediate, leaf].map(({ keys }) => ({
      kind: keys.kind,
      spki: toBase64Url(keys.spki),
      pkcs8: toBase64Url(keys.pkcs8),
    })),
    certificates: chain.certificates.map(toBase64Url),
    crl: toBase64Url(chain.crl),
    crlNumber,
  };
  return `${JSON.stringify(state, null, 2)}\n`;
}

/** @throws TESTKIT_STATE for anything but a text that {@link stateToText} wrote. */
export async function stateFromText(text: string, now: Date): Promise<SimulatedState> {
  try {
    const state = object(JSON.parse(text));
    const crlNumber = state.get('crlNumber');
    if (state.get('format') !== FORMAT) throw new TypeError('format');
    if (typeof crlNumber !== 'number' || !Number.isSafeInteger(crlNumber)) throw new TypeError('crlNumber');
    const [ark, intermediate, leaf] = list(state.get('keys'), 3).map(keysFrom);
    const [leafDer, intermediateDer, arkDer] = list(state.get('certificates'), 3).map(bytesFrom);
    const crl = bytesFrom(state.get('crl'));
    if (ark === undefined || intermediate === undefined || leaf === undefined) throw new TypeError('keys');
    if (leafDer === undefined || intermediateDer === undefined || arkDer === undefined)
      throw new TypeError('certificates');
    const certificates = [leafDer, intermediateDer, arkDer] as const;
    for (const certificate of certificates) parseCertificate(certificate);
    parseCrl(crl);
    const chain = await assembleAmdChain({
      product: SIMULATED_PRODUCT,
      kind: 'vcek',
      tcb: forgedProducts[SIMULATED_PRODUCT].tcb,
      hwid: bytesFrom(state.get('hwid')),
      cspId: '',
      names: amdNames(SIMULATED_PRODUCT, 'vcek', SIMULATED_ORGANIZATION),
      keys: { ark, intermediate, leaf },
      certificates,
      crl,
      now,
    });
    return { chain, crlNumber };
  } catch (cause) {
    throw new FastnessError('TESTKIT_STATE', undefined, { cause });
  }
}

const kinds: ReadonlyMap<unknown, ForgedKeyKind> = new Map(
  (['rsa-2048', 'rsa-4096', 'p-384'] as const).map((kind) => [kind, kind]),
);

function keysFrom(value: unknown): ForgedKeys {
  const fields = object(value);
  const kind = kinds.get(fields.get('kind'));
  if (kind === undefined) throw new TypeError('kind');
  return { kind, spki: bytesFrom(fields.get('spki')), pkcs8: bytesFrom(fields.get('pkcs8')) };
}

function object(value: unknown): ReadonlyMap<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new TypeError('object');
  return new Map<string, unknown>(Object.entries(value));
}

function bytesFrom(value: unknown): Uint8Array<ArrayBuffer> {
  if (typeof value !== 'string') throw new TypeError('bytes');
  return fromBase64Url(value);
}

function list(value: unknown, length: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length !== length) throw new TypeError('list');
  return value;
}
