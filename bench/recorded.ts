import type { VerifyEvidenceOptions } from '@fastness/attest';
import type { DcapCollateral } from '@fastness/attest/formats/tdx';
import { parseCertificate } from '@fastness/codec/x509';
import { dcapCases, dcapOptions } from '../packages/attest/test/support/dcap-cases.ts';
import { nitroOptions, nitroVectors } from '../packages/attest/test/support/nitro-vectors.ts';
import { snpCases, snpOptions } from '../packages/attest/test/support/snp-cases.ts';

/** Recorded evidence with everything that verifies it, and the pieces that other verifiers take. */
export interface Recorded {
  readonly name: string;
  readonly tee: 'sev-snp' | 'tdx' | 'sgx' | 'aws-nitro';
  readonly options: VerifyEvidenceOptions;
  /** The signature that counts as one. */
  readonly floor: { readonly curve: 'P-256' | 'P-384'; readonly hash: 'sha256' | 'sha384' };
  /** Signatures that remain when chain and collateral are known. */
  readonly fresh: number;
  /** What one verification may cost, in bare verifies. */
  readonly goal: number;
  /** Report, quote or document. */
  readonly bytes: Uint8Array;
  /** Certificates, leaf first; SEV-SNP only. */
  readonly certificates: readonly Uint8Array[];
  readonly collateral?: DcapCollateral;
}

export function recordedEvidence(): readonly Recorded[] {
  return [
    snp('Trustee, Milan'),
    snp('Azure, Genoa'),
    dcap('tdx', 'dcap-qvl TDX v4'),
    dcap('sgx', 'dcap-qvl SGX v3'),
    nitro('evervault, enclave'),
  ];
}

function snp(name: string): Recorded {
  const found = named(snpCases, name);
  return {
    name: `AMD SEV-SNP: ${name}`,
    tee: 'sev-snp',
    floor: { curve: 'P-384', hash: 'sha384' },
    fresh: 1,
    goal: 2,
    bytes: found.report(),
    certificates: found.certificates().toSorted((a, b) => Number(isLeaf(b)) - Number(isLeaf(a))),
    options: snpOptions(found),
  };
}

const isLeaf = (der: Uint8Array): boolean => parseCertificate(der).subject.commonName === 'SEV-VCEK';

function dcap(tee: 'tdx' | 'sgx', name: string): Recorded {
  const found = named(dcapCases, name);
  const collateral = found.collateral?.();
  return {
    name: `Intel ${tee.toUpperCase()}: ${found.name}`,
    tee,
    floor: { curve: 'P-256', hash: 'sha256' },
    fresh: 2,
    goal: 40,
    bytes: found.quote(),
    certificates: [],
    ...(collateral === undefined ? {} : { collateral }),
    options: dcapOptions(found),
  };
}

function nitro(name: string): Recorded {
  const found = named(nitroVectors, name);
  return {
    name: `AWS Nitro: ${name}`,
    tee: 'aws-nitro',
    floor: { curve: 'P-384', hash: 'sha384' },
    fresh: 1,
    goal: 6,
    bytes: found.document(),
    certificates: [],
    options: nitroOptions(found),
  };
}

function named<T extends { readonly name: string }>(cases: readonly T[], part: string): T {
  const found = cases.find(({ name }) => name.includes(part));
  if (found === undefined) throw new Error(`no case is named ${part}`);
  return found;
}
