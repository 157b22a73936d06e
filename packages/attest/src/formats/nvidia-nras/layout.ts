import { NVIDIA_NRAS_EAT_TYPE } from '../../media-types.ts';
import type { TokenService } from '../token/service.ts';

/** NVIDIA's Remote Attestation Service: tokens are signed with ES384 and live for an hour. */
export const nvidiaNras: TokenService = Object.freeze({
  tee: 'nvidia-nras',
  name: 'NVIDIA Remote Attestation Service',
  evidenceType: NVIDIA_NRAS_EAT_TYPE,
  algorithms: Object.freeze(['ES384'] as const),
  maxLifetimeSeconds: 24 * 3600,
});

/** The issuer of NVIDIA's production service; that of its staging service is another. */
export const NRAS_ISSUER = 'https://nras.attestation.nvidia.com';
/** `sub` of the overall token. */
export const NRAS_SUBJECT = 'NVIDIA-PLATFORM-ATTESTATION';
/** `x-nvidia-ver` of the claim sets that are read: the flags below are those of version 3. */
export const nrasVersions: ReadonlySet<string> = new Set(['3.0']);
/** Bytes of `eat_nonce`, in hex. */
export const NONCE_BYTES = 32;
export const MAX_DEVICES = 64;
/** Bytes of the whole bundle. */
export const MAX_BUNDLE_BYTES = 524_288;

/** What tells the claims of the two kinds of device apart. */
export interface NrasKind {
  readonly kind: 'gpu' | 'switch';
  /** Names of its submodules are this, a hyphen and a number. */
  readonly label: string;
  /** Claims that must be true. */
  readonly flags: readonly string[];
  /** Certificate chains that NRAS must have found valid. */
  readonly chains: readonly string[];
  readonly firmware: string;
  readonly driver?: string;
}

const report = (device: string) => [
  `x-nvidia-${device}-arch-check`,
  `x-nvidia-${device}-attestation-report-parsed`,
  `x-nvidia-${device}-attestation-report-nonce-match`,
  `x-nvidia-${device}-attestation-report-signature-verified`,
  `x-nvidia-${device}-attestation-report-cert-chain-fwid-match`,
];
const reference = (source: string) => [
  `x-nvidia-${source}-rim-fetched`,
  `x-nvidia-${source}-rim-signature-verified`,
  `x-nvidia-${source}-rim-version-match`,
  `x-nvidia-${source}-rim-measurements-available`,
];

export const nrasKinds: readonly NrasKind[] = Object.freeze([
  Object.freeze({
    kind: 'gpu',
    label: 'GPU',
    flags: Object.freeze([
      ...report('gpu'),
      ...reference('gpu-driver'),
      ...reference('gpu-vbios'),
      'x-nvidia-gpu-vbios-index-no-conflict',
    ]),
    chains: Object.freeze([
      'x-nvidia-gpu-attestation-report-cert-chain',
      'x-nvidia-gpu-driver-rim-cert-chain',
      'x-nvidia-gpu-vbios-rim-cert-chain',
    ]),
    firmware: 'x-nvidia-gpu-vbios-version',
    driver: 'x-nvidia-gpu-driver-version',
  } as const),
  Object.freeze({
    kind: 'switch',
    label: 'SWITCH',
    flags: Object.freeze([...report('switch'), ...reference('switch-bios')]),
    chains: Object.freeze(['x-nvidia-switch-attestation-report-cert-chain', 'x-nvidia-switch-bios-rim-cert-chain']),
    firmware: 'x-nvidia-switch-bios-version',
  } as const),
]);
