import { encodePem, toHex } from '@fastness/codec/bytes';
import type { ForgedIntelChain } from '../intel/chain.ts';
import type { ForgedCollateral } from '../intel/collateral.ts';
import type { FakeAnswer } from './answer.ts';
import type { FakeRoutes } from './fake-service.ts';

/** What Intel's service, or a PCCS, has to give out for one kind of platform; forged, or recorded from the real one. */
export interface PcsMaterial {
  readonly tee: 'sgx' | 'tdx';
  /** 12 hex digits, lower-case. */
  readonly fmspc: string;
  readonly ca: 'platform' | 'processor';
  /** Text of the answers, as Intel signed it. */
  readonly tcbInfo: string;
  readonly qeIdentity: string;
  /** PEM: signer and root. */
  readonly tcbInfoIssuerChain: string;
  readonly qeIdentityIssuerChain: string;
  /** DER. */
  readonly pckCrl: Uint8Array;
  readonly rootCaCrl: Uint8Array;
  /** PEM: PCK CA and root. */
  readonly pckCrlIssuerChain: string;
  /** Asked for by this value of `update`; absent: by any. */
  readonly update?: string;
  /** Text of the answer about TCB evaluation data numbers, signed like the rest. */
  readonly evaluationNumbers?: string;
  /** PEM of the PCK certificate, served to whoever sends an encrypted PPID. */
  readonly pckCertificate?: string;
}

/** The material of a forged chain and its collateral. */
export function forgedPcsMaterial(options: {
  readonly chain: ForgedIntelChain;
  readonly collateral: ForgedCollateral;
  readonly tee: 'sgx' | 'tdx';
  readonly ca?: 'platform' | 'processor';
}): PcsMaterial {
  const { chain, collateral, tee, ca = 'platform' } = options;
  const [pck, issuer, root] = chain.certificates;
  return {
    ...collateral,
    tee,
    fmspc: chain.platform.fmspc,
    ca,
    pckCrlIssuerChain: encodePem(issuer, 'CERTIFICATE') + encodePem(root, 'CERTIFICATE'),
    pckCertificate: encodePem(pck, 'CERTIFICATE'),
  };
}

export interface FakePcsOptions {
  readonly material: readonly PcsMaterial[];
  /** As a PCCS: serves the root list itself and in hex, PCK certificates by encrypted PPID, and lists in PEM if `pem`. */
  readonly pccs?: boolean;
  readonly pem?: boolean;
}

const json = (body: string, headers: Record<string, string>): FakeAnswer => ({
  contentType: 'application/json',
  headers: { 'request-id': 'forged', ...headers },
  body,
});
const encoded = (chain: string): string => encodeURIComponent(chain);

/** Intel's PCS, API version 4, and with `pccs` the caching service of the same paths. */
export function fakePcs({ material, pccs = false, pem = false }: FakePcsOptions): FakeRoutes {
  return ({ method, path, query }) => {
    if (method !== 'GET') return { status: 405, body: '' };
    const [, tee = ''] = path.split('/');
    const byTee = material.filter((each) => each.tee === tee);
    const update = query.get('update') ?? query.get('tcbEvaluationDataNumber') ?? 'standard';
    const chosen = byTee.filter((each) => each.update === undefined || each.update === update);
    const [any] = material;
    switch (path) {
      case '/sgx/certification/v4/tcb':
      case '/tdx/certification/v4/tcb': {
        const found = chosen.find(({ fmspc }) => fmspc === query.get('fmspc'));
        return found && json(found.tcbInfo, { 'TCB-Info-Issuer-Chain': encoded(found.tcbInfoIssuerChain) });
      }
      case '/sgx/certification/v4/qe/identity':
      case '/tdx/certification/v4/qe/identity': {
        const [found] = chosen;
        return (
          found && json(found.qeIdentity, { 'SGX-Enclave-Identity-Issuer-Chain': encoded(found.qeIdentityIssuerChain) })
        );
      }
      case '/sgx/certification/v4/tcbevaluationdatanumbers':
      case '/tdx/certification/v4/tcbevaluationdatanumbers': {
        const found = byTee.find(({ evaluationNumbers }) => evaluationNumbers !== undefined);
        const headers = { 'TCB-Evaluation-Data-Numbers-Issuer-Chain': encoded(found?.tcbInfoIssuerChain ?? '') };
        return found && json(found.evaluationNumbers ?? '', headers);
      }
      case '/sgx/certification/v4/pckcrl': {
        const found = material.find(({ ca }) => ca === query.get('ca'));
        const headers = { 'SGX-PCK-CRL-Issuer-Chain': encoded(found?.pckCrlIssuerChain ?? '') };
        if (found === undefined) return undefined;
        return pem
          ? { contentType: 'application/x-pem-file', headers, body: encodePem(found.pckCrl, 'X509 CRL') }
          : { contentType: 'application/pkix-crl', headers, body: found.pckCrl };
      }
      case '/IntelSGXRootCA.der':
        return any && { contentType: 'application/pkix-crl', body: any.rootCaCrl };
      case '/sgx/certification/v4/rootcacrl':
        return pccs && any ? { contentType: 'text/plain', body: toHex(any.rootCaCrl) } : undefined;
      case '/sgx/certification/v4/pckcert': {
        if (!pccs || any?.pckCertificate === undefined || !query.has('encrypted_ppid')) return undefined;
        const headers = { 'SGX-PCK-Certificate-Issuer-Chain': encoded(any.pckCrlIssuerChain) };
        return { contentType: 'application/x-pem-file', headers, body: any.pckCertificate };
      }
      default:
        return undefined;
    }
  };
}
