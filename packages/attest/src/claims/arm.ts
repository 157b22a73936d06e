import type { ClaimsBase } from './base.ts';
import type { ArmCcaHash } from '../policy/arm-cca.ts';
import type { ArmPsaProfile } from '../policy/arm-psa.ts';

/** State in the life of a root of trust (RFC 9783, section 4.3.1): the claim, and what its upper byte means. */
export interface ArmLifecycle {
  readonly value: number;
  readonly state:
    | 'unknown'
    | 'assembly-and-test'
    | 'rot-provisioning'
    | 'secured'
    | 'non-rot-debug'
    | 'recoverable-rot-debug'
    | 'decommissioned';
}

/** One piece of measured firmware, as the token lists it. Hex is lower-case. */
export interface ArmSoftwareComponent {
  /** Its role, for instance BL, PRoT, RMM. */
  readonly type?: string;
  readonly version?: string;
  /** How it was measured, as the token says. */
  readonly algorithm?: string;
  /** Hash of the key that signed it. */
  readonly signerId?: string;
  /** Its hash: 32, 48 or 64 bytes. */
  readonly measurement: string;
}

/** What both Arm tokens say about the root of trust that signed them. */
interface ArmClaimsBase extends ClaimsBase {
  readonly simulated: false;
  /** The architecture. Who vouches for the device is `endorser`. */
  readonly vendor: 'Arm';
  /** The instance id: a UEID of 33 bytes. */
  readonly identity: { readonly kind: 'instance-id'; readonly value: string };
  /** Whose word the attestation key rests on: `policy`, or the key that signed the CoRIM (SHA-256 of its SPKI, hex). */
  readonly endorser: string;
  /** The hardware of the product, 32 bytes. */
  readonly implementationId: string;
  readonly lifecycle: ArmLifecycle;
  /** The firmware, in the order of the token. */
  readonly softwareComponents: readonly ArmSoftwareComponent[];
  /** Where the device says its verifier is. A hint that nobody followed. */
  readonly verificationService?: string;
}

/** Facts about a PSA device that were authenticated and that the policy accepts. JSON-safe. */
export interface ArmPsaClaims extends ArmClaimsBase {
  readonly tee: 'arm-psa';
  /** Digest over all software components: see `armPsaMeasurement`. Hex, 32 bytes. */
  readonly measurement: string;
  /** The nonce, hex; 32, 48 or 64 bytes. It was compared. */
  readonly reportData: string;
  readonly profile: ArmPsaProfile;
  /** Who asked for the token: positive inside the secure processing environment, negative outside. */
  readonly clientId: number;
  /** Differs from boot to boot, hex. */
  readonly bootSeed?: string;
  readonly certificationReference?: string;
}

/** Facts about an Arm CCA realm and its platform that were authenticated and that the policy accepts. JSON-safe. */
export interface ArmCcaClaims extends ArmClaimsBase {
  readonly tee: 'arm-cca';
  /** Realm initial measurement (RIM): memory and state of the realm at its activation. Hex, 32, 48 or 64 bytes. */
  readonly measurement: string;
  /** The challenge of the realm token, hex, 64 bytes. It was compared. */
  readonly reportData: string;
  readonly platformProfile: string;
  readonly realmProfile?: string;
  /** Chosen options of the platform, its memory protection among them; the vendor's format. Hex. */
  readonly configuration: string;
  /** Whether components were added to the platform at run time. Absent: the token does not say. */
  readonly platformExtended?: boolean;
  /** Algorithm of the measurements of the realm. */
  readonly hashAlgorithm: ArmCcaHash;
  /** Extensible measurements 0 to 3, hex. Those that the policy does not list were not compared. */
  readonly rems: readonly string[];
  /** Chosen by the host at creation, hex, 64 bytes. Compared only if the policy lists some. */
  readonly personalizationValue: string;
  /** The realm's own id, where its token has one. Hex. */
  readonly realmInstanceId?: string;
  /** Whether the realm's memory has an encryption key of its own. Absent: the token does not say. */
  readonly memoryEncryption?: 'private' | 'shared';
  /** Whether firmware of the platform may be replaced while the realm runs. Absent: the token does not say. */
  readonly liveFirmwareActivation?: boolean;
  /** Hash of the description of devices that are assigned to the realm, hex. Absent: none, or the token does not say. */
  readonly devicesHash?: string;
}
