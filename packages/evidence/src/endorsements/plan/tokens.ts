import {
  AZURE_MAA_TOKEN_TYPE,
  CMW_ENDORSEMENTS,
  CRL_TYPE,
  GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE,
  INTEL_TRUST_AUTHORITY_TOKEN_TYPE,
  JWK_SET_TYPE,
  NVIDIA_NRAS_EAT_TYPE,
  type Cmw,
} from '@fastness/attest';
import { fromBase64, fromBase64Url, utf8Decode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { parseCertificate, parseCrl, type Certificate } from '@fastness/codec/x509';
import { verifyUpToPin } from '../judge.ts';
import { keySetRequest, type KeySetOwner } from '../tokens/key-sets.ts';
import { jsonObject } from '../unsigned.ts';
import { listLocation } from '../vtpm/locations.ts';
import { confidentialSpaceCrlRequest, confidentialSpacePins } from '../vtpm/requests.ts';
import { isCurrentOf } from './vtpm.ts';
import type { Completed, CompleteOptions } from './types.ts';

/** A leaf, two authorities and a root. */
const MAX_CHAIN = 4;

/** Whose keys a token needs that does not carry the certificates of its key. */
const owners: ReadonlyMap<string, (evidence: Cmw) => KeySetOwner> = new Map<string, (evidence: Cmw) => KeySetOwner>([
  [NVIDIA_NRAS_EAT_TYPE, () => ({ service: 'nvidia-nras' })],
  [INTEL_TRUST_AUTHORITY_TOKEN_TYPE, () => ({ service: 'intel-trust-authority' })],
  [GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE, () => ({ service: 'gcp-confidential-space' })],
  [AZURE_MAA_TOKEN_TYPE, (evidence) => ({ service: 'azure-maa', issuer: issuerOf(evidence) })],
]);

/** The lists that certificates above a token name: without them the verifier cannot tell a revoked authority from a good one. */
async function completeLists(
  { endorsements, source, now, prefer = 'given', signal }: CompleteOptions,
  chain: readonly Certificate[],
): Promise<Completed> {
  const given = endorsements.filter(({ type }) => type === CRL_TYPE).map(({ value }) => parseCrl(value));
  const lists = chain.flatMap((certificate, index) => {
    const issuer = chain[index + 1];
    const location = listLocation(certificate);
    if (issuer === undefined || location === undefined) return [];
    const kept = prefer === 'given' && given.some((crl) => isCurrentOf(crl, issuer, now));
    return kept ? [] : [{ location, chain: chain.slice(index + 1) }];
  });
  if (lists.length === 0) return { endorsements: [...endorsements], fetched: [] };
  // Before anything is asked for: a forged certificate could name any address.
  await verifyUpToPin('The token', chain, confidentialSpacePins(source.anchors));
  const fetched = [];
  for (const list of lists) fetched.push(await source.get(confidentialSpaceCrlRequest(list), signal));
  const added = fetched.map(({ item }): Cmw => ({ type: CRL_TYPE, value: item.body, ind: CMW_ENDORSEMENTS }));
  return { endorsements: [...endorsements, ...added], fetched };
}

/** The certificates that a token carries, its own first. None: it carries none, or nothing that can be read as such. */
function chainOf(evidence: Cmw): Certificate[] {
  const { x5c } = partOf(evidence, 0);
  const texts: readonly unknown[] = Array.isArray(x5c) ? x5c : [];
  if (texts.length > MAX_CHAIN) return [];
  try {
    return texts.map((text) => parseCertificate(fromBase64(typeof text === 'string' ? text : '')));
  } catch (cause) {
    throw new FastnessError('ENDORSEMENT_EVIDENCE', 'The certificates of the token cannot be read.', { cause });
  }
}

/** The keys of the service that issued a token. A key id may be given once, so a fetched set replaces those that came along. */
export async function completeToken(options: CompleteOptions): Promise<Completed> {
  const { evidence, endorsements, source, prefer = 'given', signal } = options;
  const given = { endorsements: [...endorsements], fetched: [] };
  const chain = evidence.type === GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE ? chainOf(evidence) : [];
  if (chain.length > 0) return completeLists(options, chain);
  if (endorsements.length > 0 && prefer === 'given') return given;
  const owner = owners.get(evidence.type)?.(evidence);
  if (owner === undefined) return given;
  const keys = await source.get(keySetRequest(owner), signal);
  return { endorsements: [{ type: JWK_SET_TYPE, value: keys.item.body, ind: CMW_ENDORSEMENTS }], fetched: [keys] };
}

function issuerOf(evidence: Cmw): string {
  const { iss } = partOf(evidence, 1);
  return typeof iss === 'string' ? iss : '';
}

/** Header (0) or claims (1) of a compact token. Only says whom to ask: nothing of it was verified. */
function partOf(evidence: Cmw, index: 0 | 1): Readonly<Record<string, unknown>> {
  try {
    return jsonObject('The token', fromBase64Url(utf8Decode(evidence.value).split('.')[index] ?? ''));
  } catch (cause) {
    throw new FastnessError('ENDORSEMENT_EVIDENCE', 'The token cannot be read.', { cause });
  }
}
