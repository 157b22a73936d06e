import type { Crl } from '@fastness/codec/x509';
import type { CheckRecord } from '../../checks.ts';
import type { Jws } from '../../jws/compact.ts';
import type { JsonObject } from '../../jws/json.ts';
import type { Jwk } from '../../jws/key-set.ts';
import type { AppliedWaiver } from '../../waivers.ts';
import type { TokenTee } from './service.ts';
import { isObject, stageSkipped } from '../stage.ts';

/**
 * The values that pass from stage to stage. They are classes with a private field, so that neither the compiler nor plain
 * JavaScript lets anything else take their place; each names its service, so that a token of one service cannot be appraised
 * as that of another. The package exports the types alone.
 */

/** One signed token and what it says. */
export interface TokenPart {
  readonly jws: Jws;
  readonly claims: JsonObject;
}

/** What came along to verify a token with: transport, trusted for nothing. */
export interface TokenEndorsements {
  readonly keys: readonly Jwk[];
  readonly lists: readonly Crl[];
}

/** A token that was read, and nothing more: every claim is one of whoever sent it. */
export class ParsedToken {
  readonly #endorsements: TokenEndorsements;
  readonly tee: TokenTee;
  readonly token: TokenPart;
  /** Tokens that came detached from the first (NRAS, one for each device), by name. */
  readonly parts: ReadonlyMap<string, TokenPart>;
  readonly checks: readonly CheckRecord[];

  constructor(fields: Pick<ParsedToken, 'tee' | 'token' | 'parts' | 'checks'>, endorsements: TokenEndorsements) {
    this.tee = fields.tee;
    this.token = fields.token;
    this.parts = fields.parts;
    this.checks = fields.checks;
    this.#endorsements = endorsements;
    Object.freeze(this);
  }

  /** What came with it. Throws ATTEST_STAGE_SKIPPED when `value` was not parsed as a token of this service. */
  static endorsementsOf(value: ParsedToken, tee: TokenTee): TokenEndorsements {
    if (!isObject(value) || !(#endorsements in value) || value.tee !== tee) {
      throw stageSkipped(`The token`, `parse() of ${tee}`);
    }
    return value.#endorsements;
  }
}

/** The key that signed a token, and why it counts. */
export interface TokenSigner {
  readonly spkiSha256: string;
  /** The key itself is pinned, or an authority that certified it. */
  readonly trustedBy: 'pinned-key' | 'pinned-authority';
}

/** A token that its issuer signed. Whether what it says is acceptable is another question. */
export class AuthenticToken {
  readonly #authentic = true;
  readonly tee: TokenTee;
  readonly issuer: string;
  readonly signer: TokenSigner;
  readonly claims: JsonObject;
  /** Claims of detached tokens, by name; each signed by its issuer too. */
  readonly parts: ReadonlyMap<string, JsonObject>;
  /** SHA-256 of each detached token's text, hex, by name. */
  readonly partDigests: ReadonlyMap<string, string>;
  /** Seconds since 1970. */
  readonly issuedAt: number;
  readonly expiresAt: number;
  /** When authenticity was judged, in milliseconds since 1970. */
  readonly at: number;
  readonly checks: readonly CheckRecord[];
  readonly waivers: readonly AppliedWaiver[];

  constructor(fields: Omit<AuthenticToken, never>) {
    this.tee = fields.tee;
    this.issuer = fields.issuer;
    this.signer = fields.signer;
    this.claims = fields.claims;
    this.parts = fields.parts;
    this.partDigests = fields.partDigests;
    this.issuedAt = fields.issuedAt;
    this.expiresAt = fields.expiresAt;
    this.at = fields.at;
    this.checks = fields.checks;
    this.waivers = fields.waivers;
    Object.freeze(this);
  }

  /** Throws ATTEST_STAGE_SKIPPED when `value` was not authenticated as a token of this service. */
  static require(value: AuthenticToken, tee: TokenTee): void {
    if (!isObject(value) || !(#authentic in value) || !value.#authentic || value.tee !== tee) {
      throw stageSkipped(`The token`, `authenticate() of ${tee}`);
    }
  }
}
