import type { Tee } from '../tees.ts';

/**
 * Who vouched: one processor, or a provider that hides which one. `value` is lower-case hex unless the kind says otherwise.
 * - `chip-id`: AMD chip, 64 bytes, on Turin 8.
 * - `csp-id`: the provider, as the VLEK certificate names it.
 * - `ppid`: Intel platform provisioning id, 16 bytes.
 * - `nvidia-device-id`: serial number of the certificate of an NVIDIA chip's own key.
 * - `instance-id`: an AWS enclave's module id (text), or the UEID or instance id of an Arm token.
 * - `attestation-key`: an Android attestation key, SHA-256 of its SubjectPublicKeyInfo; of a batch of devices, or of one for weeks.
 * - `token-issuer`: an attestation service that does not say which machine it saw; its `iss` (text).
 * - `ueid`: NVIDIA devices, the decimal UEIDs sorted and joined with commas.
 * - `attestation-key`: SHA-256 of the SubjectPublicKeyInfo of a TPM's pinned key.
 * - `gce-instance`: projects/<id>/zones/<zone>/instances/<id> (text).
 * - `vm-id`: unique id of an Azure VM (text).
 */
export interface PlatformIdentity {
  readonly kind:
    | 'chip-id'
    | 'csp-id'
    | 'ppid'
    | 'nvidia-device-id'
    | 'instance-id'
    | 'attestation-key'
    | 'token-issuer'
    | 'ueid'
    | 'gce-instance'
    | 'vm-id';
  readonly value: string;
}

/** What the claims of every TEE have in common. JSON-safe. Hex is lower-case. */
export interface ClaimsBase {
  readonly tee: Tee;
  /** True: the evidence comes from the simulated TEE, and no hardware protects anything. */
  readonly simulated: boolean;
  /** Whose root vouches for the evidence. */
  readonly vendor: string;
  readonly identity: PlatformIdentity;
  /** The measurement that a release lists for this TEE, hex. What it covers is said at the claims of each TEE. */
  readonly measurement: string;
  /** Whether the host or a debugger can look inside. True only under a waiver. */
  readonly debug: boolean;
  /** What the attester bound into the evidence (nonce, keys, release), hex. It was compared. */
  readonly reportData: string;
  /** When the verifier decided, ISO 8601. */
  readonly verifiedAt: string;
}
