import { createHash } from 'node:crypto';
import {
  AZURE_VTPM_EVIDENCE_TYPE,
  GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE,
  GCP_VTPM_EVIDENCE_TYPE,
  isCmwCollection,
  NVIDIA_GPU_EVIDENCE_TYPE,
  NVIDIA_NVSWITCH_EVIDENCE_TYPE,
  SGX_QUOTE_TYPE,
  SNP_EVIDENCE_TYPE,
  TDX_EVIDENCE_TYPE,
  TDX_QUOTE_TYPE,
  TSM_REPORT_TYPE,
  type Cmw,
  type CmwCollection,
} from '@fastness/attest';
import { encodeCrl } from '@fastness/attest/formats/gcp-confidential-space';
import { encodeDcapCollateral, readPckFacts } from '@fastness/attest/formats/dcap';
import { encodeVtpmEndorsements } from '@fastness/attest/formats/gcp-vtpm';
import { encodeNvidiaEndorsements, neededEndorsements } from '@fastness/attest/formats/nvidia';
import { parse as parseSgx } from '@fastness/attest/formats/sgx';
import { encodeSnpEndorsements, parse as parseSnp } from '@fastness/attest/formats/snp';
import { parse as parseTdx } from '@fastness/attest/formats/tdx';
import { encodePem, utf8Decode } from '@fastness/codec/bytes';
import { certificatesOf } from '../amd/certificates.ts';
import { hardwareOf } from '../plan/vtpm.ts';
import type { EndorsementItem } from '../types.ts';
import { pckCertificatesOf } from '../intel/pck-certificate.ts';
import { decodeEndorsementBundle } from './format.ts';

/** An item, and what follows the kind in its subject. */
interface Found {
  readonly item: EndorsementItem;
  readonly parts: readonly string[];
}
/** Whether an item belongs to the evidence at hand. */
type Wanted = (kind: string, parts: readonly string[]) => boolean;

/**
 * The content of a bundle as endorsements for `verifyEvidence`, which judges them; nothing is verified here. With
 * `evidence`, what belongs to it: use this wherever a bundle may be of more than one machine. Without, everything: one
 * envelope for AMD, and one for each kind of Intel platform and CA.
 * Throws ENDORSEMENT_BUNDLE_UNKNOWN, ENDORSEMENT_BUNDLE_MALFORMED, and for evidence that cannot be read the codes of its
 * format.
 */
export function readEndorsementBundle(
  bytes: Uint8Array,
  options: { readonly evidence?: Cmw | CmwCollection } = {},
): Cmw[] {
  const { items } = decodeEndorsementBundle(bytes);
  const { evidence } = options;
  const records = evidence === undefined ? [] : isCmwCollection(evidence) ? [...evidence.records.values()] : [evidence];
  const filters = records.map((record) => wantedBy(record, items));
  const wanted: Wanted = (kind, parts) => evidence === undefined || filters.some((wants) => wants(kind, parts));
  const find = (kind: string): Found[] =>
    items
      .filter(({ subject }) => subject === kind || subject.startsWith(`${kind}/`))
      .map((item) => ({ item, parts: item.subject.split('/').slice(2) }))
      .filter(({ parts }) => wanted(kind, parts));
  const collateral = dcapEnvelopes(find);
  // A quote takes one set; where the bundle has several recoveries, the one that Intel hands out by default.
  return [
    ...snpEnvelopes(find),
    ...(evidence === undefined ? collateral : collateral.slice(0, 1)),
    ...nvidiaEnvelopes(find),
    ...vtpmEnvelopes(find),
    ...find('google/confidential-space-crl').map(({ item }) => encodeCrl(item.body)),
  ];
}

function snpEnvelopes(find: (kind: string) => readonly Found[]): Cmw[] {
  const certificates = [
    ...find('amd/vcek').map(({ item }) => item.body),
    ...find('amd/chain').flatMap(({ item }) => certificatesOf(item.body)),
  ];
  // The list of a product is one, whichever of its two addresses it came from.
  const crls = find('amd/crl').map(({ item }) => item.body);
  return certificates.length + crls.length === 0 ? [] : [encodeSnpEndorsements({ certificates, crls })];
}

function dcapEnvelopes(find: (kind: string) => readonly Found[]): Cmw[] {
  const [root] = find('intel/root-crl');
  // Of several certificates none is anybody's in particular: which one it is, evidence says.
  const named = find('intel/pck');
  const [pckOf] = named.length === 1 ? named : [];
  const lists: readonly (Found | undefined)[] = find('intel/pck-crl');
  const byDefault = (found: Found) => (found.parts[2] === 'standard' ? 0 : 1);
  const infos = find('intel/tcb-info').toSorted((a, b) => byDefault(a) - byDefault(b));
  return infos.flatMap(({ item: tcbInfo, parts: [tee, , update] }) => {
    const identity = find('intel/qe-identity').find(({ parts }) => parts[0] === tee && parts[1] === update);
    if (identity === undefined) return [];
    return (lists.length === 0 ? [undefined] : lists).map((pck) =>
      encodeDcapCollateral({
        tcbInfo: utf8Decode(tcbInfo.body),
        tcbInfoIssuerChain: pemOf(tcbInfo),
        qeIdentity: utf8Decode(identity.item.body),
        qeIdentityIssuerChain: pemOf(identity.item),
        ...(root === undefined ? {} : { rootCaCrl: root.item.body }),
        ...(pck === undefined ? {} : { pckCrl: pck.item.body }),
        ...(pckOf === undefined ? {} : { pckCertificateChain: utf8Decode(pckOf.item.body) + pemOf(pckOf.item) }),
      }),
    );
  });
}

function nvidiaEnvelopes(find: (kind: string) => readonly Found[]): Cmw[] {
  const rims = find('nvidia/rim').map(({ item }) => item.body);
  const ocspResponses = find('nvidia/ocsp').map(({ item }) => item.body);
  return rims.length + ocspResponses.length === 0 ? [] : [encodeNvidiaEndorsements({ rims, ocspResponses })];
}

function vtpmEnvelopes(find: (kind: string) => readonly Found[]): Cmw[] {
  const certificates = find('vtpm/issuer-chain').map(({ item }) => item.body);
  const crls = find('vtpm/crl').map(({ item }) => item.body);
  return certificates.length + crls.length === 0 ? [] : [encodeVtpmEndorsements({ certificates, crls })];
}

function wantedBy(evidence: Cmw, items: readonly EndorsementItem[]): Wanted {
  switch (evidence.type) {
    case SNP_EVIDENCE_TYPE:
    case TSM_REPORT_TYPE:
      return wantedBySnp(evidence);
    case TDX_QUOTE_TYPE:
    case TDX_EVIDENCE_TYPE:
    case SGX_QUOTE_TYPE:
      return wantedByQuote(evidence, items);
    case NVIDIA_GPU_EVIDENCE_TYPE:
    case NVIDIA_NVSWITCH_EVIDENCE_TYPE:
      return wantedByNvidia(evidence);
    case GCP_VTPM_EVIDENCE_TYPE:
      return (kind) => kind.startsWith('vtpm/');
    case AZURE_VTPM_EVIDENCE_TYPE: {
      const ofHardware = wantedBy(hardwareOf(evidence), items);
      return (kind, parts) => kind.startsWith('vtpm/') || ofHardware(kind, parts);
    }
    case GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE:
      return (kind) => kind === 'google/confidential-space-crl';
    default:
      return () => false;
  }
}

/** Chip and TCB name one VCEK, and its product the rest. Without one in the bundle, every product's chain is handed on. */
function wantedBySnp(evidence: Cmw): Wanted {
  const { report } = parseSnp(evidence);
  return (kind, parts) => {
    if (kind === 'amd/vcek') {
      const [, hwid = '-', tcb] = parts;
      return (
        tcb === report.tcb.reported && report.chipId.startsWith(hwid) && /^0*$/.test(report.chipId.slice(hwid.length))
      );
    }
    return kind.startsWith('amd/') && parts[0] === (report.signingKey === 1 ? 'vlek' : 'vcek');
  };
}

/** The documents that the report names, and answers about its chain and theirs. */
function wantedByNvidia(evidence: Cmw): Wanted {
  const ids = new Set(neededEndorsements(evidence).rims.map(({ id }) => id));
  return (kind, [name = '']) => (kind === 'nvidia/rim' ? ids.has(name) : kind === 'nvidia/ocsp');
}

function wantedByQuote(evidence: Cmw, items: readonly EndorsementItem[]): Wanted {
  const tee = evidence.type === SGX_QUOTE_TYPE ? 'sgx' : 'tdx';
  const { certificates, reference } = tee === 'tdx' ? parseTdx(evidence) : parseSgx(evidence);
  const encrypted = reference?.encryptedPpid;
  const ppid = encrypted === undefined ? undefined : createHash('sha256').update(encrypted).digest('hex');
  const pckName = `intel/pck/${reference?.pceId}/${reference?.cpuSvn}/${reference?.pceSvn}/${ppid}`;
  const pck = items.find(({ subject }) => subject === pckName);
  const [leaf, issuer] = pck === undefined ? certificates : pckCertificatesOf(pck);
  const fmspc = leaf === undefined ? undefined : readPckFacts(leaf).fmspc;
  const ca = (issuer?.subject.commonName ?? '').endsWith('Processor CA') ? 'processor' : 'platform';
  return (kind, parts) => {
    switch (kind) {
      case 'intel/tcb-info':
        return parts[0] === tee && parts[1] === fmspc;
      case 'intel/qe-identity':
        return parts[0] === tee;
      case 'intel/pck':
        return pck !== undefined && `intel/pck/${parts.join('/')}` === pckName;
      case 'intel/pck-crl':
        return parts[0] === ca;
      default:
        return kind === 'intel/root-crl';
    }
  };
}

function pemOf({ issuerChain }: EndorsementItem): string {
  return issuerChain.map((der) => encodePem(der, 'CERTIFICATE')).join('');
}
