import { fromHex } from '@fastness/codec';
import { encodeGcpConfidentialSpaceEvidence } from '../../../src/formats/gcp-confidential-space/index.ts';
import { encodeKeySet, encodeNvidiaNrasEvidence } from '../../../src/formats/nvidia-nras/index.ts';
import {
  parseAttestationPolicy,
  vendorAnchors,
  type TrustAnchors,
  type VerifyEvidenceOptions,
} from '../../../src/index.ts';
import { readBundle, readToken, tokenVectors } from '../token-vectors.ts';
import type { ConformanceCase } from './case.ts';

/** No list of Google's authority was recorded. */
const noList = [{ check: 'TOKEN_CRL_MISSING', reason: 'not recorded' }];
export const policyOf = (section: object, waivers: readonly object[] = noList) =>
  parseAttestationPolicy({ version: 1, id: 'recorded-tokens', ...section, waivers });

/** What a test changes about the judgement of Google's token. */
export interface GoogleChange {
  readonly token?: string;
  readonly at?: string;
  readonly anchors?: TrustAnchors;
  readonly section?: object;
  readonly nonce?: string;
  readonly waivers?: readonly object[];
}

export const sampleClaims = {
  audiences: ['z08381475938604996746'],
  nonceEncoding: 'hex',
  measurements: ['e2e5e3672f416ac9ca71aa639abf86db0b713729a48c125a925af6c808b20b5d'],
  hardware: ['GCP_INTEL_TDX'],
  projects: ['oak-examples-477357'],
  arguments: ['/usr/local/bin/ctf_sha2'],
  minimumVersion: 250_800,
};

/** Everything that verifies the recorded token of Confidential Space. */
export function googleOptions(change: GoogleChange = {}): VerifyEvidenceOptions {
  return {
    evidence: encodeGcpConfidentialSpaceEvidence(change.token ?? readToken(tokenVectors.confidentialSpace)),
    endorsements: [],
    policy: policyOf({ gcpConfidentialSpace: { ...(change.section ?? sampleClaims) } }, change.waivers),
    anchors: change.anchors ?? vendorAnchors,
    expectedReportData: fromHex(change.nonce ?? '75a91c8dbe289f190d5e70ab1cb70c93cc14d7243f0ef3ff5326a622ead220a6'),
    now: new Date(change.at ?? '2025-09-05T08:30:00Z'),
  };
}

/** What the recorded EAT of NRAS was made for. */
export const nrasNonce = '931d8dd0add203ac3d8b4fbde75e115278eefcdceac5b87671a748f32364dfcb';

/** Everything that verifies a detached EAT of NRAS, about one device, under the keys that are given and pinned. */
export function nrasOptions(
  bundle: string,
  keySets: readonly string[] = [],
  pins: readonly string[] = ['00'.repeat(32)],
): VerifyEvidenceOptions {
  return {
    evidence: encodeNvidiaNrasEvidence(bundle),
    endorsements: keySets.map((set) => encodeKeySet(set)),
    policy: policyOf({
      nvidiaNras: {
        deviceCount: 1,
        kinds: ['gpu', 'switch'],
        models: ['GH100 A01 GSP BROM', 'LS_10 A01 FSP BROM'],
        signingKeys: pins,
      },
    }),
    anchors: vendorAnchors,
    expectedReportData: fromHex(nrasNonce),
    now: new Date('2025-06-11T01:00:00Z'),
  };
}

export const tokenConformance: readonly ConformanceCase[] = [
  {
    tee: 'jwt-gcp',
    row: tokenVectors.confidentialSpace,
    name: 'Confidential Space, PKI token',
    verdict: 'accept',
    options: () => googleOptions(),
  },
  {
    tee: 'jwt-nras',
    row: tokenVectors.nras,
    name: 'NRAS, without the key set of its day',
    verdict: 'TOKEN_KEY_UNKNOWN',
    options: () => nrasOptions(readBundle(tokenVectors.nras)),
  },
  {
    tee: 'jwt-nras',
    row: tokenVectors.nras,
    name: 'NRAS, staging issuer',
    verdict: 'TOKEN_ISSUER_NOT_ALLOWED',
    options: () => nrasOptions(readBundle(tokenVectors.nrasStaging)),
  },
  {
    tee: 'nvidia',
    row: tokenVectors.localVerifier,
    name: 'local verifier, alg none',
    verdict: 'JWS_UNSIGNED',
    options: () => nrasOptions(readBundle(tokenVectors.localVerifier)),
  },
];
