import { JWK_SET_TYPE } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import { under } from '../http/url.ts';
import { requireSame } from '../judge.ts';
import type { EndorsementServices } from '../services.ts';
import type { EndorsementRequest } from '../types.ts';
import { jsonObject, unsignedRequest } from '../unsigned.ts';

/** Attestation services whose keys are published as JWK sets; of Azure's many issuers, the one whose `iss` is named. */
export type KeySetOwner =
  | { readonly service: 'nvidia-nras' | 'intel-trust-authority' | 'gcp-confidential-space' }
  | { readonly service: 'azure-maa'; readonly issuer: string };

const MAX_KEY_SET = 262_144;
const MAX_CONFIGURATION = 65_536;
/** Issuers of Azure Attestation: shared ones of a region, and those of customers. Others are not asked: tokens name them. */
const MAA_ISSUER = /^https:\/\/[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,2}\.attest\.azure\.(?:net|us|cn)$/;

/** Where each service publishes its keys; `jku` in a token says nothing. */
const keyAddresses: Readonly<Record<KeySetOwner['service'], (services: EndorsementServices, issuer: string) => URL>> =
  Object.freeze({
    'nvidia-nras': ({ nvidiaNras }) => under(nvidiaNras, '/.well-known/jwks.json'),
    'intel-trust-authority': ({ intelTrustAuthority }) => under(intelTrustAuthority, '/certs'),
    'gcp-confidential-space': ({ googleConfidentialSpaceKeys }) => under(googleConfidentialSpaceKeys, ''),
    'azure-maa': ({ azureMaa }, issuer) => under(azureMaa ?? issuer, '/certs'),
  });

/**
 * The keys of an attestation service. Transport only: tokens count if the key that signed them is pinned, or certified by a
 * pinned authority, and never because it was in this set.
 */
export function keySetRequest(owner: KeySetOwner): EndorsementRequest {
  const { service } = owner;
  const issuer = issuerOf(owner);
  const subject = issuer === '' ? `keys/${service}` : `keys/${service}/${new URL(issuer).host}`;
  return unsignedRequest({
    subject,
    mediaType: JWK_SET_TYPE,
    maxBytes: MAX_KEY_SET,
    url: (services) => keyAddresses[service](services, issuer),
    check: (body) => {
      const { keys } = jsonObject(subject, body);
      if (!Array.isArray(keys)) throw new FastnessError('ENDORSEMENT_RESPONSE', `${subject}: not a set of keys.`);
    },
  });
}

/** What an OpenID provider says about itself; its issuer must be the one that was asked. */
export function openIdConfigurationRequest(
  owner: Extract<KeySetOwner, { service: 'azure-maa' }> | { readonly service: 'gcp-confidential-space' },
): EndorsementRequest {
  const { service } = owner;
  const issuer = service === 'azure-maa' ? issuerOf(owner) : 'https://confidentialcomputing.googleapis.com';
  const subject = `openid/${service}/${new URL(issuer).host}`;
  return unsignedRequest({
    subject,
    mediaType: 'application/json',
    maxBytes: MAX_CONFIGURATION,
    url: ({ azureMaa, googleConfidentialSpace }) =>
      under(
        service === 'azure-maa' ? (azureMaa ?? issuer) : googleConfidentialSpace,
        '/.well-known/openid-configuration',
      ),
    check: (body) => {
      const { issuer: stated, jwks_uri: keys } = jsonObject(subject, body);
      requireSame('A provider', issuer, typeof stated === 'string' ? stated.slice(0, 512) : 'without a name');
      if (typeof keys !== 'string' || !keys.startsWith('https://')) {
        throw new FastnessError('ENDORSEMENT_RESPONSE', `${subject}: no address of its keys.`);
      }
    },
  });
}

function issuerOf(owner: KeySetOwner): string {
  if (owner.service !== 'azure-maa') return '';
  if (!MAA_ISSUER.test(owner.issuer)) {
    throw new FastnessError('ENDORSEMENT_EVIDENCE', 'The issuer of the token is none of Azure Attestation.');
  }
  return owner.issuer;
}
