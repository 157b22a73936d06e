import type { SnpProductName } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import { amdChainRequest, vcekRequest, type AmdKeyKind } from './amd/certificates.ts';
import { amdCrlRequest } from './amd/lists.ts';
import { isSnpProduct } from './amd/products.ts';
import {
  evaluationNumbersRequest,
  qeIdentityRequest,
  tcbInfoRequest,
  type IntelTee,
  type IntelUpdate,
} from './intel/documents.ts';
import { pckCrlRequest, rootCrlRequest, type PckCa } from './intel/lists.ts';
import { storedPckCertificateRequest } from './intel/pck-certificate.ts';
import { storedOcspRequest } from './nvidia/ocsp.ts';
import { RIM_ID, rimRequest } from './nvidia/rim.ts';
import type { EndorsementRequest } from './types.ts';
import { confidentialSpaceCrlRequest, issuerChainRequest, vtpmCrlRequest } from './vtpm/requests.ts';

type Parts = readonly string[];
type Reader = (parts: Parts) => EndorsementRequest | undefined;

/** The kinds of endorsement that travel in bundles, by the first two parts of their subject. */
const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  [
    'amd/chain',
    ([kind, product, ...rest]) =>
      isKind(kind) && isProduct(product) && rest.length === 0 ? amdChainRequest({ kind, product }) : undefined,
  ],
  [
    'amd/crl',
    ([kind, product, ...rest]) =>
      isKind(kind) && isProduct(product) && rest.length === 0 ? amdCrlRequest({ kind, product }) : undefined,
  ],
  [
    'amd/vcek',
    ([product, hwid, tcb, ...rest]) =>
      isProduct(product) && isHex(hwid, product === 'Turin' ? 8 : 64) && isHex(tcb, 8) && rest.length === 0
        ? vcekRequest({ product, hwid, tcb })
        : undefined,
  ],
  [
    'intel/tcb-info',
    ([tee, fmspc, text, ...rest]) => {
      const update = updateOf(text);
      if (!isTee(tee) || !isHex(fmspc, 6) || update === undefined || rest.length > 0) return undefined;
      return tcbInfoRequest({ tee, fmspc, update });
    },
  ],
  [
    'intel/qe-identity',
    ([tee, text, ...rest]) => {
      const update = updateOf(text);
      return isTee(tee) && update !== undefined && rest.length === 0 ? qeIdentityRequest({ tee, update }) : undefined;
    },
  ],
  [
    'intel/tcb-evaluation-numbers',
    ([tee, ...rest]) => (isTee(tee) && rest.length === 0 ? evaluationNumbersRequest({ tee }) : undefined),
  ],
  ['intel/pck-crl', ([ca, ...rest]) => (isCa(ca) && rest.length === 0 ? pckCrlRequest({ ca }) : undefined)],
  [
    'nvidia/rim',
    ([id, ...rest]) => (id !== undefined && RIM_ID.test(id) && rest.length === 0 ? rimRequest({ id }) : undefined),
  ],
  [
    'nvidia/ocsp',
    ([digest, ...rest]) => (isHex(digest, 32) && rest.length === 0 ? storedOcspRequest(digest) : undefined),
  ],
  [
    'vtpm/issuer-chain',
    ([digest, ...rest]) => (isHex(digest, 32) && rest.length === 0 ? issuerChainRequest({ digest }) : undefined),
  ],
  [
    'vtpm/crl',
    ([digest, ...rest]) => (isHex(digest, 32) && rest.length === 0 ? vtpmCrlRequest({ digest }) : undefined),
  ],
  [
    'google/confidential-space-crl',
    ([digest, ...rest]) =>
      isHex(digest, 32) && rest.length === 0 ? confidentialSpaceCrlRequest({ digest }) : undefined,
  ],
  [
    'intel/pck',
    ([pceId, cpuSvn, pceSvn, digest, ...rest]) =>
      isHex(pceId, 2) && isHex(cpuSvn, 16) && isNumber(pceSvn) && isHex(digest, 32) && rest.length === 0
        ? storedPckCertificateRequest({ pceId, cpuSvn, pceSvn: Number(pceSvn), encryptedPpidSha256: digest })
        : undefined,
  ],
  ['intel/root-crl', (parts) => (parts.length === 0 ? rootCrlRequest() : undefined)],
]);

/** What a subject asks for, so that an item which arrives alone can be judged. Throws ENDORSEMENT_SUBJECT_UNKNOWN. */
export function requestOf(subject: string): EndorsementRequest {
  const [vendor = '', kind = '', ...parts] = subject.split('/');
  const request = readers.get(`${vendor}/${kind}`)?.(parts);
  // What is read must be written the same way, or one thing could lie under two names.
  if (request?.subject !== subject)
    throw new FastnessError('ENDORSEMENT_SUBJECT_UNKNOWN', JSON.stringify(subject.slice(0, 200)));
  return request;
}

function isKind(text: string | undefined): text is AmdKeyKind {
  return text === 'vcek' || text === 'vlek';
}

function isProduct(text: string | undefined): text is SnpProductName {
  return text !== undefined && isSnpProduct(text);
}

function isTee(text: string | undefined): text is IntelTee {
  return text === 'sgx' || text === 'tdx';
}

function isCa(text: string | undefined): text is PckCa {
  return text === 'platform' || text === 'processor';
}

function isHex(text: string | undefined, bytes: number): text is string {
  return text !== undefined && text.length === bytes * 2 && /^[0-9a-f]+$/.test(text);
}

function updateOf(text: string | undefined): IntelUpdate | undefined {
  if (text === 'early' || text === 'standard') return text;
  return isNumber(text) ? Number(text) : undefined;
}

function isNumber(text: string | undefined): text is string {
  return text !== undefined && /^(?:0|[1-9]\d{0,5})$/.test(text);
}
