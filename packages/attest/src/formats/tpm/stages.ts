import type { HashName } from '@fastness/codec/x509';
import type { CheckRecord } from '../../checks.ts';
import type { EventLog } from '../../event-log/index.ts';
import type { Tee } from '../../tees.ts';
import type { AppliedWaiver } from '../../waivers.ts';
import type { TpmQuote } from './attest.ts';
import type { PcrValues } from './content.ts';
import type { TpmSignature } from './signature.ts';
import { isObject, stageSkipped } from '../stage.ts';

/**
 * The values that pass from stage to stage, for every kind of TPM: classes with a private field, so that neither the compiler
 * nor plain JavaScript lets anything else take their place. `Trust` is what the kind adds: in a parsed quote where the trust
 * in the key may come from, in an authentic one where it came from. The package exports the types alone.
 */

/** What a quote's signature covers, and the signature. */
export interface SignedQuote {
  readonly message: Uint8Array;
  readonly signature: TpmSignature;
}

/** Registers by bank and index, hex. Text, so that nobody changes them between the stages. */
export type QuotedPcrs = Readonly<Partial<Record<HashName, Readonly<Record<string, string>>>>>;

/** A quote that was read, and nothing more. Made by `parse` alone. */
export class ParsedQuote<Trust> {
  readonly #signed: SignedQuote;
  readonly #tee: Tee;
  readonly quote: TpmQuote;
  readonly pcrs: PcrValues;
  readonly eventLog: EventLog | undefined;
  readonly trust: Trust;
  readonly checks: readonly CheckRecord[];

  constructor(
    fields: Pick<ParsedQuote<Trust>, 'quote' | 'pcrs' | 'eventLog' | 'trust' | 'checks'>,
    signed: SignedQuote,
    tee: Tee,
  ) {
    this.quote = fields.quote;
    this.pcrs = fields.pcrs;
    this.eventLog = fields.eventLog;
    this.trust = fields.trust;
    this.checks = fields.checks;
    this.#signed = signed;
    this.#tee = tee;
    Object.freeze(this);
  }

  /** Throws ATTEST_STAGE_SKIPPED when `value` does not come from `parse` of this TEE. */
  static signedPartOf<Trust>(value: ParsedQuote<Trust>, tee: Tee): SignedQuote {
    if (!isObject(value) || !(#signed in value) || value.#tee !== tee) {
      throw stageSkipped('The quote', 'parse() of this TEE');
    }
    return value.#signed;
  }
}

/** A quote and registers that a trusted attestation key vouches for. Made by `authenticate` alone. */
export class AuthenticQuote<Trust> {
  readonly #tee: Tee;
  readonly quote: TpmQuote;
  /** Every quoted register, hex by bank and index; the digest of the quote covers them. */
  readonly pcrs: QuotedPcrs;
  /** Not authentic by itself: nothing vouches for it until it was replayed. */
  readonly eventLog: EventLog | undefined;
  /** SHA-256 of the attestation key's SubjectPublicKeyInfo, hex. */
  readonly attestationKeySha256: string;
  readonly trust: Trust;
  /** When authenticity was judged, in milliseconds since 1970. */
  readonly at: number;
  readonly checks: readonly CheckRecord[];
  readonly waivers: readonly AppliedWaiver[];

  constructor(
    fields: Pick<
      AuthenticQuote<Trust>,
      'quote' | 'pcrs' | 'eventLog' | 'attestationKeySha256' | 'trust' | 'at' | 'checks' | 'waivers'
    >,
    tee: Tee,
  ) {
    this.quote = fields.quote;
    this.pcrs = fields.pcrs;
    this.eventLog = fields.eventLog;
    this.attestationKeySha256 = fields.attestationKeySha256;
    this.trust = fields.trust;
    this.at = fields.at;
    this.checks = fields.checks;
    this.waivers = fields.waivers;
    this.#tee = tee;
    Object.freeze(this);
  }

  /** Throws ATTEST_STAGE_SKIPPED when `value` does not come from `authenticate` of this TEE. */
  static require<Trust>(value: AuthenticQuote<Trust>, tee: Tee): void {
    if (!isObject(value) || !(#tee in value) || value.#tee !== tee) {
      throw stageSkipped('The quote', 'authenticate() of this TEE');
    }
  }
}
