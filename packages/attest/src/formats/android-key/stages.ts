import type { Certificate } from '@fastness/codec/x509';
import type { CheckRecord } from '../../checks.ts';
import type { AppliedWaiver } from '../../waivers.ts';
import type { KeyDescription } from './key-description.ts';
import { isObject, stageSkipped } from '../stage.ts';

/**
 * The values that pass from stage to stage: classes with a private field, so that nothing else can take their place. The
 * package exports the types alone; only `parse` and `authenticate` make them.
 */

/** A status list that came as an endorsement: nobody vouches for it unless the policy pins its digest. */
export interface SentStatus {
  readonly json: Uint8Array;
}

/** A chain that was read, and nothing more. Made by `parse` alone. */
export class ParsedKey {
  readonly #sent: readonly SentStatus[];
  /** The attested key first, the root last. */
  readonly chain: readonly Certificate[];
  readonly description: KeyDescription;
  /** Certificates that Google issued to the device in 30 days. Absent: its attestation key was put in at the factory. */
  readonly certificatesIssued: number | undefined;
  readonly checks: readonly CheckRecord[];

  constructor(
    fields: Pick<ParsedKey, 'chain' | 'description' | 'certificatesIssued' | 'checks'>,
    sent: readonly SentStatus[],
  ) {
    this.chain = fields.chain;
    this.description = fields.description;
    this.certificatesIssued = fields.certificatesIssued;
    this.checks = fields.checks;
    this.#sent = sent;
    Object.freeze(this);
  }

  /** Throws ATTEST_STAGE_SKIPPED when `value` does not come from `parse`. */
  static sentWith(value: ParsedKey): readonly SentStatus[] {
    if (!isObject(value) || !(#sent in value)) {
      throw stageSkipped('The chain', 'parse()');
    }
    return value.#sent;
  }
}

/** A key that secure hardware certified by Google vouches for. Made by `authenticate` alone. */
export class AuthenticKey {
  readonly #authentic = true;
  readonly description: KeyDescription;
  /** SubjectPublicKeyInfo of the attested key. */
  readonly spki: Uint8Array;
  /** SHA-256 of the SubjectPublicKeyInfo of the key that attested it, hex. */
  readonly attestationKey: string;
  readonly certificatesIssued: number | undefined;
  /** When authenticity was judged, in milliseconds since 1970. */
  readonly at: number;
  readonly checks: readonly CheckRecord[];
  readonly waivers: readonly AppliedWaiver[];

  constructor(fields: Omit<AuthenticKey, never>) {
    this.description = fields.description;
    this.spki = fields.spki;
    this.attestationKey = fields.attestationKey;
    this.certificatesIssued = fields.certificatesIssued;
    this.at = fields.at;
    this.checks = fields.checks;
    this.waivers = fields.waivers;
    Object.freeze(this);
  }

  /** Throws ATTEST_STAGE_SKIPPED when `value` does not come from `authenticate`. */
  static require(value: AuthenticKey): void {
    if (!isObject(value) || !(#authentic in value) || !value.#authentic) {
      throw stageSkipped('The key', 'authenticate()');
    }
  }
}
