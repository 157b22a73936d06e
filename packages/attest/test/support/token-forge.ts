import {
  forgeConfidentialSpaceClaims,
  forgedValues,
  forgeItaClaims,
  forgeJws,
  forgeKeySet,
  forgeMaaClaims,
  forgeNrasBundle,
  forgeTokenCrl,
  forgeTokenIssuer,
  type ForgedClaims,
  type ForgedTokenIssuer,
  type ForgeJwsOptions,
  type ForgeNrasOptions,
  type ForgeTokenIssuerOptions,
} from '@fastness/testkit';
import {
  AZURE_MAA_TOKEN_TYPE,
  CMW_ENDORSEMENTS,
  CMW_EVIDENCE,
  CRL_TYPE,
  GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE,
  INTEL_TRUST_AUTHORITY_TOKEN_TYPE,
  JWK_SET_TYPE,
  NVIDIA_NRAS_EAT_TYPE,
  parseAttestationPolicy,
  verifyEvidence,
  type AttestationVerdict,
  type Cmw,
  type TrustAnchors,
  type VerifyEvidenceOptions,
  type WaivableCheck,
} from '../../src/index.ts';

/** The time at which forged tokens are judged. */
export const now = new Date('2026-06-01T12:00:00Z');
export const after = (seconds: number): Date => new Date(now.getTime() + seconds * 1000);
export const reportData = Uint8Array.from({ length: 64 }, (_, index) => index + 1);
export const nonce = reportData.slice(0, 32);
export const MAA_ISSUER = 'https://forged.weu.attest.azure.net';
const ITA_ISSUER = 'https://portal.trustauthority.intel.com';

type TokenService = 'azure-maa' | 'intel-trust-authority' | 'gcp-confidential-space' | 'nvidia-nras';

/** A token that is genuine in every respect but the ones named here. */
export interface TokenScenario {
  readonly service: TokenService;
  /** The TEE of Azure's and Intel's tokens. Default: SEV-SNP and TDX. */
  readonly type?: 'sgx' | 'sevsnpvm' | 'tdxvm' | 'tdx';
  readonly nested?: boolean;
  readonly version?: 1 | 2;
  readonly issuer?: Partial<ForgeTokenIssuerOptions>;
  /** Edits the claims before they are signed. */
  readonly claims?: (claims: ForgedClaims) => void;
  readonly jws?: Partial<ForgeJwsOptions>;
  readonly nras?: Partial<ForgeNrasOptions>;
  /** Replaces the finished evidence. */
  readonly text?: (text: string) => string;
  /** Revocation lists that come along, DER. Default: a current one of the root of Google's chain. */
  readonly lists?: (issuer: ForgedTokenIssuer) => Promise<readonly Uint8Array[]>;
  /** Key sets that come along. */
  readonly keySets?: (issuer: ForgedTokenIssuer) => readonly string[];
  /** Members of the section that replace those of a policy the token meets; undefined takes one out. */
  readonly section?: (issuer: ForgedTokenIssuer) => object;
  readonly waive?: readonly WaivableCheck[];
  readonly anchors?: (issuer: ForgedTokenIssuer) => TrustAnchors;
  /** What the token binds. Default: `reportData`, NRAS `nonce`. */
  readonly bound?: Uint8Array;
  readonly expectedReportData?: Uint8Array;
  readonly at?: Date;
}

const facts = {
  'azure-maa': { section: 'azureMaa', type: AZURE_MAA_TOKEN_TYPE, algorithm: 'RS256' },
  'intel-trust-authority': {
    section: 'intelTrustAuthority',
    type: INTEL_TRUST_AUTHORITY_TOKEN_TYPE,
    algorithm: 'PS384',
  },
  'gcp-confidential-space': {
    section: 'gcpConfidentialSpace',
    type: GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE,
    algorithm: 'RS256',
  },
  'nvidia-nras': { section: 'nvidiaNras', type: NVIDIA_NRAS_EAT_TYPE, algorithm: 'ES384' },
} as const;

/** Everything that `verifyEvidence` takes, with real signatures. */
export async function prepareToken(scenario: TokenScenario): Promise<VerifyEvidenceOptions> {
  const { service } = scenario;
  const { section, type, algorithm } = facts[service];
  const issuer = await forgeTokenIssuer({ now, algorithm, ...scenario.issuer });
  const text = await (service === 'nvidia-nras' ? nrasText(scenario, issuer) : tokenText(scenario, issuer));
  const sets =
    scenario.keySets ?? (service === 'gcp-confidential-space' ? () => [] : (forged) => [forgeKeySet(forged)]);
  const lists = scenario.lists ?? (async (forged) => [await forgeTokenCrl(forged, { now })]);
  const members = { ...sectionOf(scenario, issuer), ...scenario.section?.(issuer) };
  return {
    evidence: { type, value: new TextEncoder().encode(scenario.text?.(text) ?? text), ind: CMW_EVIDENCE },
    endorsements: [
      ...sets(issuer).map((set) => endorsement(JWK_SET_TYPE, new TextEncoder().encode(set))),
      ...(await lists(issuer)).map((der) => endorsement(CRL_TYPE, der)),
    ],
    policy: parseAttestationPolicy({
      version: 1,
      id: 'forged-tokens',
      [section]: Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)),
      waivers: (scenario.waive ?? []).map((check) => ({ check, reason: `because of ${check}` })),
    }),
    anchors: (scenario.anchors ?? rootAnchors)(issuer),
    expectedReportData: scenario.expectedReportData ?? (service === 'nvidia-nras' ? nonce : reportData),
    now: scenario.at ?? now,
  };
}

export async function judgeToken(scenario: TokenScenario): Promise<AttestationVerdict> {
  return verifyEvidence(await prepareToken(scenario));
}

function endorsement(type: string, value: Uint8Array): Cmw {
  return { type, value, ind: CMW_ENDORSEMENTS };
}

/** Pins the root of a forged issuer as Google's. */
export function rootAnchors(issuer: ForgedTokenIssuer): TrustAnchors {
  const common = { tee: 'gcp-confidential-space', kind: 'authority', source: 'a test' } as const;
  return { tokens: [{ ...common, name: 'forged', spkiSha256: issuer.pins.root }] };
}

async function tokenText(scenario: TokenScenario, issuer: ForgedTokenIssuer): Promise<string> {
  const claims = claimsOf(scenario);
  scenario.claims?.(claims);
  return forgeJws({
    keys: issuer.keys.leaf,
    algorithm: issuer.algorithm,
    keyId: issuer.keyId,
    ...(scenario.service === 'gcp-confidential-space' ? { certificates: issuer.x5c } : {}),
    claims,
    ...scenario.jws,
  });
}

function claimsOf({ service, type, nested = false, version = 2, bound }: TokenScenario): ForgedClaims {
  const common = { now, reportData: bound ?? reportData };
  if (service === 'gcp-confidential-space') return forgeConfidentialSpaceClaims(common);
  if (service === 'intel-trust-authority')
    return forgeItaClaims({ ...common, issuer: ITA_ISSUER, type: type === 'sgx' ? 'sgx' : 'tdx', version });
  return forgeMaaClaims({
    ...common,
    issuer: MAA_ISSUER,
    type: type === 'sgx' || type === 'tdxvm' ? type : 'sevsnpvm',
    nested,
  });
}

async function nrasText({ nras, claims, bound }: TokenScenario, issuer: ForgedTokenIssuer): Promise<string> {
  return forgeNrasBundle({
    issuer,
    now,
    nonce: bound ?? nonce,
    ...(claims === undefined ? {} : { overall: claims }),
    ...nras,
  });
}

function sectionOf({ service, nested = false }: TokenScenario, { pins }: ForgedTokenIssuer): object {
  const signingKeys = [pins.leaf];
  const { mrEnclave, launchMeasurement, mrTd, imageDigest } = forgedValues;
  switch (service) {
    case 'azure-maa':
      return {
        issuers: [{ issuer: MAA_ISSUER, signingKeys }],
        tees: ['sgx', 'sev-snp', 'tdx'],
        binding: nested ? 'runtime-nonce' : 'report-data',
        measurements: [mrEnclave, launchMeasurement, mrTd],
        ...(nested ? { nested: 'allow' } : {}),
      };
    case 'intel-trust-authority':
      return {
        issuers: [{ issuer: ITA_ISSUER, signingKeys }],
        tees: ['sgx', 'tdx'],
        binding: 'held-data',
        measurements: [mrEnclave, mrTd],
        tcbStatuses: ['UpToDate'],
      };
    case 'gcp-confidential-space':
      return {
        audiences: ['https://verifier.example'],
        measurements: [imageDigest],
        hardware: ['GCP_INTEL_TDX'],
      };
    case 'nvidia-nras':
      break;
  }
  return {
    signingKeys,
    deviceCount: 1,
    kinds: ['gpu', 'switch'],
    models: ['GH100 A01 GSP BROM', 'LS_10 A01 FSP BROM'],
  };
}

/** Puts a value at a path of claims; undefined takes the claim out. */
export function put(value: unknown, ...path: string[]): (claims: ForgedClaims) => void {
  return (claims) => {
    let place: ForgedClaims = claims;
    for (const name of path.slice(0, -1)) {
      const inner = place[name];
      if (typeof inner !== 'object' || inner === null) throw new Error(`no object at ${name}`);
      place = inner as ForgedClaims;
    }
    place[path.at(-1) ?? ''] = value;
  };
}
