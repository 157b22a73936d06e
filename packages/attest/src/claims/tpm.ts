import type { ClaimsBase, PlatformIdentity } from './base.ts';

/** What claims about quotes of every kind of TPM have in common. */
export interface QuoteClaims extends ClaimsBase {
  readonly simulated: false;
  /** Value of the measurement register (PCR4 unless the policy says otherwise), hex. */
  readonly measurement: string;
  readonly measurementPcr: number;
  /** Bank of the registers. */
  readonly bank: 'SHA-256' | 'SHA-384' | 'SHA-512';
  /** Every register of the bank that the quote covers, hex by index. Those that the policy does not list were not compared. */
  readonly pcrs: Readonly<Record<string, string>>;
  /** The nonce of the quote (extraData), hex. It was compared. */
  readonly reportData: string;
  /** SHA-256 of the attestation key's SubjectPublicKeyInfo, hex. */
  readonly attestationKey: string;
  readonly clock: {
    /** Milliseconds that the TPM has been powered, as decimal text. */
    readonly milliseconds: string;
    /** Starts of the TPM. */
    readonly resetCount: number;
    /** Resumptions since the last start. */
    readonly restartCount: number;
    readonly safe: boolean;
  };
  /** 8 bytes, hex; the maker of the TPM says what they mean. */
  readonly firmwareVersion: string;
  /** Present when a log came with the quote. It replays to the registers named here; nothing is said of its other events. */
  readonly eventLog?: { readonly events: number; readonly replayedPcrs: readonly number[] };
}

/** Facts about a TPM whose attestation key the policy pins. JSON-safe. */
export interface TpmClaims extends QuoteClaims {
  readonly tee: 'tpm';
  /** Nobody but the author of the policy vouches for the key. */
  readonly vendor: 'none';
  readonly debug: false;
  readonly identity: PlatformIdentity & { readonly kind: 'attestation-key' };
}
