import { FastnessError } from '@fastness/codec/errors';
import type { CheckRecord } from '../../checks.ts';
import type { TpmQuote } from './attest.ts';
import type { TpmSignature } from './signature.ts';

/**
 * The values that pass from stage to stage: classes with a private field, so that neither the compiler nor plain JavaScript
 * lets anything else take their place. The package exports the types alone.
 */

/** What a quote's signature covers, and the signature. */
export interface SignedQuote {
  readonly message: Uint8Array;
  readonly signature: TpmSignature;
}

/** A quote that was read, and nothing more. Made by `parse` alone. */
export class ParsedQuote {
  readonly #signed: SignedQuote;
  readonly quote: TpmQuote;
  readonly checks: readonly CheckRecord[];

  constructor(fields: Pick<ParsedQuote, 'quote' | 'checks'>, signed: SignedQuote) {
    this.quote = fields.quote;
    this.checks = fields.checks;
    this.#signed = signed;
    Object.freeze(this);
  }

  /** Throws ATTEST_STAGE_SKIPPED when `value` does not come from `parse`. */
  static signedPartOf(value: ParsedQuote): SignedQuote {
    if (typeof value !== 'object' || value === null || !(#signed in value)) {
      throw new FastnessError('ATTEST_STAGE_SKIPPED', 'The quote does not come from parse().');
    }
    return value.#signed;
  }
}

/** A quote that the given attestation key signed. Made by `authenticate` alone. */
export class AuthenticQuote {
  readonly #signed: SignedQuote;
  readonly quote: TpmQuote;
  readonly checks: readonly CheckRecord[];

  constructor(fields: Pick<AuthenticQuote, 'quote' | 'checks'>, signed: SignedQuote) {
    this.quote = fields.quote;
    this.checks = fields.checks;
    this.#signed = signed;
    Object.freeze(this);
  }

  /** Throws ATTEST_STAGE_SKIPPED when `value` does not come from `authenticate`. */
  static signatureOf(value: AuthenticQuote): TpmSignature {
    if (typeof value !== 'object' || value === null || !(#signed in value)) {
      throw new FastnessError('ATTEST_STAGE_SKIPPED', 'The quote does not come from authenticate().');
    }
    return value.#signed.signature;
  }
}
