import type { ClaimsBase } from './base.ts';

/** Facts about a key in the secure hardware of an Android device that were authenticated and that the policy accepts. */
export interface AndroidKeyClaims extends ClaimsBase {
  readonly tee: 'android-key';
  readonly simulated: false;
  readonly vendor: 'Google';
  /**
   * SHA-256 of the SubjectPublicKeyInfo of the key that attested. It is no name of a device: keys put in at the factory are
   * shared by at least 100,000 devices, and remotely provisioned ones change every few weeks.
   */
  readonly identity: { readonly kind: 'attestation-key'; readonly value: string };
  /** The verified boot hash, which covers what Verified Boot covers. Empty before attestation version 3. */
  readonly measurement: string;
  /** Whether the boot loader is unlocked, so that any system can run. */
  readonly debug: boolean;
  /** The attestation challenge. */
  readonly reportData: string;
  readonly attestationVersion: number;
  readonly keyMintVersion: number;
  readonly attestationSecurityLevel: 'software' | 'trusted-environment' | 'strongbox';
  readonly keyMintSecurityLevel: 'software' | 'trusted-environment' | 'strongbox';
  /** The attested key, SubjectPublicKeyInfo in hex. Whoever relies on it must see it used. */
  readonly publicKey: string;
  readonly key: {
    readonly algorithm: string;
    readonly purposes: readonly string[];
    readonly origin: string;
    /** Bits. */
    readonly size?: number;
    readonly userAuthentication: boolean;
    readonly rollbackResistant: boolean;
  };
  readonly boot: {
    readonly locked: boolean;
    readonly state: 'verified' | 'self-signed' | 'unverified' | 'failed';
    /** SHA-256 of the key that verified the system, hex. */
    readonly key: string;
  };
  /** As the hardware states them: 150000, YYYYMM, YYYYMMDD. */
  readonly patch: {
    readonly osVersion?: number;
    readonly osPatchLevel?: number;
    readonly vendorPatchLevel?: number;
    readonly bootPatchLevel?: number;
  };
  /** Stated by Android. */
  readonly application?: {
    readonly packages: readonly { readonly name: string; readonly version: number }[];
    readonly signers: readonly string[];
  };
  /** Stated by Android. */
  readonly moduleHash?: string;
  /** Identifiers that the device attests, by name (brand, model, serial, imei, ...). */
  readonly ids: Readonly<Record<string, string>>;
  /** Certificates that Google issued to the device in 30 days. Absent: the attestation key was put in at the factory. */
  readonly certificatesIssued?: number;
  /** Tags of properties that were read over. */
  readonly otherTags: readonly number[];
}
