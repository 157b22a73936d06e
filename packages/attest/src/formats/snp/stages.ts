import type { Certificate, Crl } from '@fastness/codec/x509';
import type { CheckRecord } from '../../checks.ts';
import type { SnpIdentity, SnpTcb } from '../../claims/snp.ts';
import type { AppliedWaiver } from '../../waivers.ts';
import type { SnpProduct } from './products.ts';
import type { SnpReport } from './report.ts';
import { isObject, stageSkipped } from '../stage.ts';

/**
 * The values that pass from stage to stage. They are classes with a private field for one reason: neither the compiler nor
 * plain JavaScript lets anything else take their place, so no policy ever sees a report that was not authenticated. The
 * package exports the types alone; only `parse` and `authenticate` make them.
 */

/** What the report's signature is checked against. */
export interface SignedReport {
  /** The bytes that the signature covers. */
  readonly message: Uint8Array<ArrayBuffer>;
  /** r and s, big-endian, 48 bytes each. */
  readonly signature: Uint8Array<ArrayBuffer>;
}

/** Evidence that was read, and nothing more: every field is a claim of whoever sent it. Made by `parse` alone. */
export class ParsedReport {
  readonly #signed: SignedReport;
  readonly simulated: boolean;
  readonly report: SnpReport;
  readonly certificates: readonly Certificate[];
  readonly crls: readonly Crl[];
  readonly checks: readonly CheckRecord[];

  constructor(
    fields: Pick<ParsedReport, 'simulated' | 'report' | 'certificates' | 'crls' | 'checks'>,
    signed: SignedReport,
  ) {
    this.simulated = fields.simulated;
    this.report = fields.report;
    this.certificates = fields.certificates;
    this.crls = fields.crls;
    this.checks = fields.checks;
    this.#signed = signed;
    Object.freeze(this);
  }

  /** Throws ATTEST_STAGE_SKIPPED when `value` does not come from `parse`. */
  static signedPartOf(value: ParsedReport): SignedReport {
    if (!isObject(value) || !(#signed in value)) {
      throw stageSkipped('The report', 'parse()');
    }
    return value.#signed;
  }
}

/** A report that a pinned root vouches for. Whether it is acceptable is another question. Made by `authenticate` alone. */
export class AuthenticReport {
  readonly #authentic = true;
  readonly simulated: boolean;
  readonly report: SnpReport;
  readonly product: SnpProduct;
  readonly signingKey: 'vcek' | 'vlek';
  readonly identity: SnpIdentity;
  readonly tcb: {
    readonly reported: SnpTcb;
    readonly committed: SnpTcb;
    readonly current: SnpTcb;
    readonly launch: SnpTcb;
  };
  /** When authenticity was judged, in milliseconds since 1970; the claims say so. */
  readonly at: number;
  readonly checks: readonly CheckRecord[];
  readonly waivers: readonly AppliedWaiver[];

  constructor(
    fields: Pick<
      AuthenticReport,
      'simulated' | 'report' | 'product' | 'signingKey' | 'identity' | 'tcb' | 'at' | 'checks' | 'waivers'
    >,
  ) {
    this.simulated = fields.simulated;
    this.report = fields.report;
    this.product = fields.product;
    this.signingKey = fields.signingKey;
    this.identity = fields.identity;
    this.tcb = fields.tcb;
    this.at = fields.at;
    this.checks = fields.checks;
    this.waivers = fields.waivers;
    Object.freeze(this);
  }

  /** Throws ATTEST_STAGE_SKIPPED when `value` does not come from `authenticate`. */
  static require(value: AuthenticReport): void {
    if (!isObject(value) || !(#authentic in value) || !value.#authentic) {
      throw stageSkipped('The report', 'authenticate()');
    }
  }
}
