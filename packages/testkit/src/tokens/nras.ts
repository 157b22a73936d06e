import { toHex, utf8Encode } from '@fastness/codec/bytes';
import type { ForgedClaims } from './claims.ts';
import type { ForgedTokenIssuer } from './issuer.ts';
import { forgeJws, type ForgeJwsOptions } from './jws.ts';

export interface ForgeNrasOptions {
  readonly issuer: ForgedTokenIssuer;
  readonly now: Date;
  readonly nonce: Uint8Array;
  /** Names of devices. Default: one GPU. */
  readonly devices?: readonly string[];
  /** Edits the claims of a device before they are signed. */
  readonly device?: (claims: ForgedClaims, name: string) => void;
  /** Edits the claims of the overall token before they are signed; the digests are in place. */
  readonly overall?: (claims: ForgedClaims) => void;
  /** What the tokens of devices, or the overall one, are signed with instead. */
  readonly deviceJws?: Partial<ForgeJwsOptions>;
  readonly overallJws?: Partial<ForgeJwsOptions>;
  /** Edits the bundle after everything was signed. */
  readonly bundle?: (bundle: [['JWT', string], Record<string, string>]) => unknown;
}

const ISSUER = 'https://nras.attestation.nvidia.com';

/** Forges a detached EAT bundle as NVIDIA's service returns it. @returns JSON */
export async function forgeNrasBundle(options: ForgeNrasOptions): Promise<string> {
  const { issuer, now, nonce, devices = ['GPU-0'] } = options;
  const iat = Math.floor(now.getTime() / 1000) - 30;
  const common = { iss: ISSUER, iat, nbf: iat, exp: iat + 3600, eat_nonce: toHex(nonce) };
  const sign = async (claims: ForgedClaims, jws: Partial<ForgeJwsOptions> = {}) =>
    forgeJws({ keys: issuer.keys.leaf, algorithm: issuer.algorithm, keyId: issuer.keyId, claims, ...jws });
  const detached: Record<string, string> = {};
  const submods: ForgedClaims = {};
  for (const [index, name] of devices.entries()) {
    const claims = { ...common, jti: `device-${index}`, ...deviceClaims(name, index) };
    options.device?.(claims, name);
    const token = await sign(claims, options.deviceJws);
    detached[name] = token;
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', utf8Encode(token)));
    submods[name] = ['DIGEST', ['SHA-256', toHex(digest)]];
  }
  const overall = {
    ...common,
    sub: 'NVIDIA-PLATFORM-ATTESTATION',
    jti: 'overall',
    'x-nvidia-ver': '3.0',
    'x-nvidia-overall-att-result': true,
    submods,
  };
  options.overall?.(overall);
  const bundle: [['JWT', string], Record<string, string>] = [
    ['JWT', await sign(overall, options.overallJws)],
    detached,
  ];
  return JSON.stringify(options.bundle?.(bundle) ?? bundle);
}

const chain = Object.freeze({
  'x-nvidia-cert-status': 'valid',
  'x-nvidia-cert-ocsp-status': 'good',
  'x-nvidia-cert-expiration-date': '9999-12-31T23:59:59Z',
  'x-nvidia-cert-revocation-reason': null,
});

function deviceClaims(name: string, index: number): ForgedClaims {
  const kind = name.startsWith('SWITCH') ? 'switch' : 'gpu';
  const references = kind === 'gpu' ? ['gpu-driver', 'gpu-vbios'] : ['switch-bios'];
  const flags = [
    `x-nvidia-${kind}-arch-check`,
    ...['parsed', 'nonce-match', 'signature-verified', 'cert-chain-fwid-match'].map(
      (check) => `x-nvidia-${kind}-attestation-report-${check}`,
    ),
    ...references.flatMap((source) =>
      ['fetched', 'schema-validated', 'signature-verified', 'version-match', 'measurements-available'].map(
        (check) => `x-nvidia-${source}-rim-${check}`,
      ),
    ),
    ...(kind === 'gpu' ? ['x-nvidia-gpu-vbios-index-no-conflict'] : []),
  ];
  return {
    measres: 'success',
    secboot: true,
    dbgstat: 'disabled',
    hwmodel: kind === 'gpu' ? 'GH100 A01 GSP BROM' : 'LS_10 A01 FSP BROM',
    ueid: `${478_176_379_000 + index}`,
    oemid: '5703',
    'x-nvidia-attestation-warning': null,
    [`x-nvidia-${kind}-attestation-report-cert-chain`]: { ...chain },
    ...Object.fromEntries(references.map((source) => [`x-nvidia-${source}-rim-cert-chain`, { ...chain }])),
    ...Object.fromEntries(flags.map((flag) => [flag, true])),
    ...(kind === 'gpu'
      ? { 'x-nvidia-gpu-driver-version': '550.90.07', 'x-nvidia-gpu-vbios-version': '96.00.9F.00.01' }
      : { 'x-nvidia-switch-bios-version': '96.10.55.00.01' }),
  };
}
