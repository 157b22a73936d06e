import type { Certificate } from '@fastness/codec/x509';
import type { CheckRecord } from '../../checks.ts';
import type { EventLog, ReplayedRtmrLog } from '../../event-log/index.ts';
import type { AppliedWaiver } from '../../waivers.ts';
import type { PckReference } from './certification.ts';
import type { ParsedCollateral } from './collateral.ts';
import type { EnclaveReport } from './enclave-report.ts';
import type { DcapFlavour } from './flavour.ts';
import type { PckFacts } from './pck.ts';
import type { Quote } from './quote.ts';
import type { TcbAssessment } from './tcb.ts';
import { isObject, stageSkipped } from '../stage.ts';

/**
 * The values that pass from stage to stage. They are classes with a private field for one reason: neither the compiler nor
 * plain JavaScript lets anything else take their place, so no policy ever sees a quote that was not authenticated.
 */

/** A quote and its collateral that were read, and nothing more. `Body` is what the quote is about. */
export class ParsedQuote<Body> {
  readonly #quote: Quote;
  readonly #flavour: DcapFlavour;
  readonly version: number;
  readonly body: Body;
  readonly qeReport: EnclaveReport;
  /** PCK certificate, its issuer, the root, as far as they came. */
  readonly certificates: readonly Certificate[];
  readonly collateral: ParsedCollateral | undefined;
  /** Of a TD, where one was sent. Nothing vouches for it. */
  readonly eventLog: EventLog | undefined;
  /** What names the PCK certificate, where the quote does not carry it. */
  readonly reference: PckReference | undefined;
  /** The quoting enclave's id for its platform, 16 bytes. */
  readonly qeId: Uint8Array;
  readonly checks: readonly CheckRecord[];

  constructor(
    fields: Pick<ParsedQuote<Body>, 'body' | 'qeReport' | 'certificates' | 'collateral' | 'eventLog' | 'checks'>,
    quote: Quote,
    flavour: DcapFlavour,
  ) {
    this.version = quote.version;
    this.body = fields.body;
    this.qeReport = fields.qeReport;
    this.certificates = fields.certificates;
    this.collateral = fields.collateral;
    this.eventLog = fields.eventLog;
    this.reference = quote.reference;
    this.qeId = quote.qeId;
    this.checks = fields.checks;
    this.#quote = quote;
    this.#flavour = flavour;
    Object.freeze(this);
  }

  /** Throws ATTEST_STAGE_SKIPPED when `value` does not come from `parse` of this TEE. */
  static quoteOf<Body>(value: ParsedQuote<Body>, flavour: DcapFlavour): Quote {
    if (!isObject(value) || !(#quote in value) || value.#flavour !== flavour) {
      throw stageSkipped('The quote', 'parse() of this TEE');
    }
    return value.#quote;
  }
}

/** A quote that a pinned root vouches for, on a platform whose TCB Intel has assessed. Made by `authenticate` alone. */
export class AuthenticQuote<Body> {
  readonly #flavour: DcapFlavour;
  readonly version: number;
  readonly body: Body;
  readonly pck: PckFacts;
  /** Platform, quoting enclave and, for TDX, module together. */
  readonly tcb: TcbAssessment;
  /** The lower one of TCB info and QE identity. */
  readonly tcbEvaluationDataNumber: number;
  /** Not authentic by itself: its events are as good as the registers of the body, where the two agree. */
  readonly eventLog: ReplayedRtmrLog | undefined;
  /** When authenticity was judged, in milliseconds since 1970. */
  readonly at: number;
  readonly checks: readonly CheckRecord[];
  readonly waivers: readonly AppliedWaiver[];

  constructor(
    fields: Pick<
      AuthenticQuote<Body>,
      'version' | 'body' | 'pck' | 'tcb' | 'tcbEvaluationDataNumber' | 'eventLog' | 'at' | 'checks' | 'waivers'
    >,
    flavour: DcapFlavour,
  ) {
    this.version = fields.version;
    this.body = fields.body;
    this.pck = fields.pck;
    this.tcb = fields.tcb;
    this.tcbEvaluationDataNumber = fields.tcbEvaluationDataNumber;
    this.eventLog = fields.eventLog;
    this.at = fields.at;
    this.checks = fields.checks;
    this.waivers = fields.waivers;
    this.#flavour = flavour;
    Object.freeze(this);
  }

  /** Throws ATTEST_STAGE_SKIPPED when `value` does not come from `authenticate` of this TEE. */
  static require<Body>(value: AuthenticQuote<Body>, flavour: DcapFlavour): void {
    if (!isObject(value) || !(#flavour in value) || value.#flavour !== flavour) {
      throw stageSkipped('The quote', 'authenticate() of this TEE');
    }
  }
}
