import {
  AZURE_MAA_TOKEN_TYPE,
  CMW_ENDORSEMENTS,
  GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE,
  INTEL_TRUST_AUTHORITY_TOKEN_TYPE,
  JWK_SET_TYPE,
  NVIDIA_NRAS_EAT_TYPE,
  type Cmw,
} from '@fastness/attest';
import { fromBase64Url, utf8Decode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { keySetRequest, type KeySetOwner } from '../tokens/key-sets.ts';
import { jsonObject } from '../unsigned.ts';
import type { Completed, CompleteOptions } from './types.ts';

/** Whose keys a token needs. Undefined: it carries the certificates of its key. */
const owners: ReadonlyMap<string, (evidence: Cmw) => KeySetOwner | undefined> = new Map<
  string,
  (evidence: Cmw) => KeySetOwner | undefined
>([
  [NVIDIA_NRAS_EAT_TYPE, () => ({ service: 'nvidia-nras' })],
  [INTEL_TRUST_AUTHORITY_TOKEN_TYPE, () => ({ service: 'intel-trust-authority' })],
  [
    GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE,
    (evidence) => ('x5c' in partOf(evidence, 0) ? undefined : { service: 'gcp-confidential-space' }),
  ],
  [AZURE_MAA_TOKEN_TYPE, (evidence) => ({ service: 'azure-maa', issuer: issuerOf(evidence) })],
]);

/** The keys of the service that issued a token. A key id may be given once, so a fetched set replaces those that came along. */
export async function completeToken(options: CompleteOptions): Promise<Completed> {
  const { evidence, endorsements, source, prefer = 'given', signal } = options;
  const given = { endorsements: [...endorsements], fetched: [] };
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
