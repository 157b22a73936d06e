import { encodePem, toHex } from '@fastness/codec/bytes';
import type { ForgedAmdChain } from '../snp/chain.ts';
import type { ForgedProduct, ForgedTcb } from '../snp/products.ts';
import type { FakeRoutes } from './fake-service.ts';

/** What AMD's key distribution service has for one product and kind of key; forged, or recorded from the real one. */
export interface KdsMaterial {
  readonly product: ForgedProduct;
  readonly kind: 'vcek' | 'vlek';
  /** PEM: ASK or ASVK, ARK. */
  readonly chain: string;
  /** DER. */
  readonly crl: Uint8Array;
  /** Certificates of chips, DER, with what they are asked for by. */
  readonly vceks?: readonly { readonly hwid: string; readonly tcb: ForgedTcb; readonly certificate: Uint8Array }[];
}

/** The material of a forged chain. */
export function forgedKdsMaterial(chain: ForgedAmdChain): KdsMaterial {
  const { product, kind, tcb, certificates } = chain;
  const [leaf, intermediate, ark] = certificates;
  return {
    product,
    kind,
    chain: encodePem(intermediate, 'CERTIFICATE') + encodePem(ark, 'CERTIFICATE'),
    crl: chain.crl,
    ...(kind === 'vcek' ? { vceks: [{ hwid: toHex(chain.hwid), tcb, certificate: leaf }] } : {}),
  };
}

/** The query that asks for a TCB; written from AMD 57230, chapter 4, apart from the fetcher's own table. */
function asksFor(query: URLSearchParams, product: ForgedProduct, tcb: ForgedTcb): boolean {
  const wanted: Record<string, number> = {
    blSPL: tcb.bootloader,
    teeSPL: tcb.tee,
    snpSPL: tcb.snp,
    ucodeSPL: tcb.microcode,
    ...(product === 'Turin' ? { fmcSPL: tcb.fmc ?? 0 } : {}),
  };
  const names = Object.keys(wanted);
  return [...query.keys()].length === names.length && names.every((name) => query.get(name) === `${wanted[name]}`);
}

/** AMD's KDS: VCEKs by chip and TCB, chains, revocation lists. VLEKs are given to providers alone, so not here. */
export function fakeKds(material: readonly KdsMaterial[]): FakeRoutes {
  return ({ method, path, query }) => {
    const [, kind, version, product, what = ''] = path.split('/');
    const found = material.find((each) => each.kind === kind && each.product === product);
    if (method !== 'GET' || version !== 'v1' || found === undefined) return undefined;
    if (what === 'cert_chain') return { contentType: 'application/x-pem-file', body: found.chain };
    if (what === 'crl') return { contentType: 'application/pkix-crl', body: found.crl };
    const vcek = found.vceks?.find(
      ({ hwid, tcb }) => hwid === what.toLowerCase() && asksFor(query, found.product, tcb),
    );
    return vcek && { contentType: 'application/pkix-cert', body: vcek.certificate };
  };
}
