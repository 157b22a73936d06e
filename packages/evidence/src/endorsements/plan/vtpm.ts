import {
  AZURE_VTPM_EVIDENCE_TYPE,
  CMW_EVIDENCE,
  DCAP_COLLATERAL_TYPE,
  SNP_ENDORSEMENTS_TYPE,
  TDX_QUOTE_TYPE,
  VTPM_ENDORSEMENTS_TYPE,
  type Cmw,
} from '@fastness/attest';
import { encodeVtpmEndorsements } from '@fastness/attest/formats/gcp-vtpm';
import { encodeSnpEvidence, REPORT_BYTES } from '@fastness/attest/formats/snp';
import { equalBytes } from '@fastness/codec/bytes';
import { decodeCbor, type CborMap, type CborValue } from '@fastness/codec/cbor';
import { FastnessError } from '@fastness/codec/errors';
import { parseCertificate, parseCrl, type Certificate, type Crl } from '@fastness/codec/x509';
import { readChain, verifyUpToPin } from '../judge.ts';
import type { Endorsement } from '../types.ts';
import { issuerLocation, listLocation } from '../vtpm/locations.ts';
import { issuerCertificateRequest, issuerChainRequest, vtpmCrlRequest } from '../vtpm/requests.ts';
import { completeDcap } from './dcap.ts';
import { completeSnp } from './snp.ts';
import type { Completed, CompleteOptions } from './types.ts';

const MAX_ABOVE = 4;
/** An HCL report begins with a header of 32 bytes; the hardware's report follows. */
const HCL_HEADER = 32;

/** What a virtual TPM lacks: certificates above its attestation key, their lists, and for Azure what its hardware needs. */
export async function completeVtpm(options: CompleteOptions): Promise<Completed> {
  const azure = options.evidence.type === AZURE_VTPM_EVIDENCE_TYPE;
  const members = mapOf(options.evidence.value);
  const certificates = bytesIn(members.get(azure ? 7 : 5));
  const ofKey = options.endorsements.filter(({ type }) => type === VTPM_ENDORSEMENTS_TYPE);
  const above = certificates.length === 0 ? undefined : await completeAbove(options, certificates, ofKey);
  const hardware = azure ? await completeHardware(options) : undefined;
  return {
    endorsements: [...(above?.endorsements ?? ofKey), ...(hardware?.endorsements ?? [])],
    fetched: [...(above?.fetched ?? []), ...(hardware?.fetched ?? [])],
  };
}

/** The hardware below an Azure VM is verified as if it had come by itself, and is completed the same way. */
async function completeHardware(options: CompleteOptions): Promise<Completed> {
  const evidence = hardwareOf(options.evidence);
  const own = (type: string) => options.endorsements.filter((endorsement) => endorsement.type === type);
  return evidence.type === TDX_QUOTE_TYPE
    ? completeDcap({ ...options, evidence, endorsements: own(DCAP_COLLATERAL_TYPE) })
    : completeSnp({ ...options, evidence, endorsements: own(SNP_ENDORSEMENTS_TYPE) });
}

/** The evidence of the hardware inside that of an Azure VM. */
export function hardwareOf(azure: Cmw): Cmw {
  const members = mapOf(azure.value);
  const [hcl, quote] = [members.get(5), members.get(6)];
  if (quote instanceof Uint8Array) return { type: TDX_QUOTE_TYPE, value: quote, ind: CMW_EVIDENCE };
  if (!(hcl instanceof Uint8Array)) throw new FastnessError('ENDORSEMENT_EVIDENCE', 'No HCL report.');
  return encodeSnpEvidence({ report: hcl.slice(HCL_HEADER, HCL_HEADER + REPORT_BYTES) });
}

async function completeAbove(
  { source, now, prefer = 'given', signal }: CompleteOptions,
  sent: readonly Uint8Array[],
  given: readonly Cmw[],
): Promise<Completed> {
  const { anchors } = source;
  const read = given.map(({ value }) => mapOf(value));
  const [leaf, ...pool] = await readChain('The attestation key', [
    ...sent,
    ...read.flatMap((map) => bytesIn(map.get(1))),
  ]);
  const crls = read.flatMap((map) => bytesIn(map.get(2))).map((der) => parseCrl(der));
  if (leaf === undefined) return { endorsements: [...given], fetched: [] };

  const fetched: Endorsement[] = [];
  const added: { certificates: Uint8Array[]; crls: Uint8Array[] } = { certificates: [], crls: [] };
  const loose: { location: string; found: Endorsement; place: number }[] = [];
  const chain = [leaf];
  for (let current = leaf; chain.length <= MAX_ABOVE && !isSelfIssued(current);) {
    let issuer = pool.find(({ subject }) => equalBytes(subject.raw, current.issuer.raw));
    const location = issuer === undefined ? issuerLocation(current) : undefined;
    if (location !== undefined) {
      const kept = await source.stored(issuerChainRequest({ location }));
      const found = kept ?? (await source.get(issuerCertificateRequest({ location }), signal));
      issuer = parseCertificate(found.item.body);
      added.certificates.push(found.item.body);
      if (kept === undefined) loose.push({ location, found, place: chain.length });
      else fetched.push(kept);
    }
    // A certificate that names no place for its issuer leaves the gap to the verifier, which says so.
    if (issuer === undefined) return { endorsements: [...given], fetched: [] };
    chain.push(issuer);
    current = issuer;
  }
  const lists = chain.flatMap((certificate, index) => {
    const issuer = chain[index + 1];
    const location = listLocation(certificate);
    if (issuer === undefined || location === undefined) return [];
    const kept = prefer === 'given' && crls.some((crl) => isCurrentOf(crl, issuer, now));
    return kept ? [] : [{ location, above: chain.slice(index + 1) }];
  });
  // Before anything more is asked for or kept: a forged certificate could name any number of addresses.
  if (loose.length + lists.length > 0) {
    await verifyUpToPin('The attestation key', chain, [...(anchors.gcpVtpm ?? []), ...(anchors.azureVtpm ?? [])]);
  }
  for (const { location, found, place } of loose) {
    const request = issuerChainRequest({ location });
    const issuerChain = chain.slice(place + 1).map(({ raw }) => raw);
    const { subject, mediaType } = request;
    const judged = await source.put(request, { ...found.item, subject, mediaType, issuerChain });
    fetched.push({ ...judged, from: found.from });
  }
  for (const { location, above } of lists) {
    const list = await source.get(vtpmCrlRequest({ location, chain: above }), signal);
    fetched.push(list);
    added.crls.push(list.item.body);
  }
  if (fetched.length === 0) return { endorsements: [...given], fetched: [] };
  return { endorsements: [...given, encodeVtpmEndorsements(added)], fetched };
}

function isSelfIssued({ subject, issuer }: Certificate): boolean {
  return equalBytes(subject.raw, issuer.raw);
}

/** Whether a list is the one of this authority, and in its time. */
export function isCurrentOf({ issuer, thisUpdate, nextUpdate }: Crl, authority: Certificate, now: Date): boolean {
  if (!equalBytes(issuer.raw, authority.subject.raw)) return false;
  return nextUpdate !== undefined && thisUpdate <= now && now <= nextUpdate;
}

function mapOf(value: Uint8Array): CborMap {
  const content = decodeCbor(value.slice());
  if (!(content instanceof Map)) throw new FastnessError('ATTEST_EVIDENCE_MALFORMED', 'Expected a CBOR map.');
  return content;
}

function bytesIn(value: CborValue | undefined): Uint8Array[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  return list.filter((item) => item instanceof Uint8Array);
}
