import type { OcspResponse } from '@fastness/codec/ocsp';
import type { Certificate } from '@fastness/codec/x509';
import type { CheckRecord } from '../../checks.ts';
import type { AppliedWaiver } from '../../waivers.ts';
import type { NvidiaChip, NvidiaDevice } from './device.ts';
import type { NvidiaSettings } from './evidence.ts';
import type { NvidiaKind } from './layout.ts';
import type { NvidiaReport } from './report.ts';
import type { RimDocument } from './rim/document.ts';
import type { SelectedRim } from './rim/select.ts';
import { isObject, stageSkipped } from '../stage.ts';

/**
 * The values that pass from stage to stage. They are classes with a private field for one reason: neither the compiler nor
 * plain JavaScript lets anything else take their place, so no policy ever sees a report that was not authenticated. The
 * package exports the types alone; only `parse` and `authenticate` make them.
 */

/** What the report's signature is checked against. */
export interface SignedReport {
  /** The bytes that the signature covers. */
  readonly message: Uint8Array;
  /** r and s, big-endian, 48 bytes each. */
  readonly signature: Uint8Array;
}

/** Evidence that was read, and nothing more: every field is a claim of whoever sent it. Made by `parse` alone. */
export class ParsedReport {
  readonly #signed: SignedReport;
  readonly kind: NvidiaKind;
  readonly report: NvidiaReport;
  readonly chip: NvidiaChip;
  /** Leaf first, root last. */
  readonly certificates: readonly Certificate[];
  readonly settings: NvidiaSettings | undefined;
  readonly rims: readonly RimDocument[];
  readonly ocspResponses: readonly OcspResponse[];
  readonly checks: readonly CheckRecord[];

  constructor(
    fields: Pick<
      ParsedReport,
      'kind' | 'report' | 'chip' | 'certificates' | 'settings' | 'rims' | 'ocspResponses' | 'checks'
    >,
    signed: SignedReport,
  ) {
    this.kind = fields.kind;
    this.report = fields.report;
    this.chip = fields.chip;
    this.certificates = fields.certificates;
    this.settings = fields.settings;
    this.rims = fields.rims;
    this.ocspResponses = fields.ocspResponses;
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
  readonly kind: NvidiaKind;
  readonly report: NvidiaReport;
  readonly device: NvidiaDevice;
  /** Not signed by the device. */
  readonly settings: NvidiaSettings | undefined;
  /** Documents of the device's versions that NVIDIA signed. */
  readonly rims: readonly SelectedRim[];
  /** SHA-384 of the measurement record, hex. */
  readonly measurement: string;
  /** When authenticity was judged, in milliseconds since 1970. */
  readonly at: number;
  readonly checks: readonly CheckRecord[];
  readonly waivers: readonly AppliedWaiver[];

  constructor(
    fields: Pick<
      AuthenticReport,
      'kind' | 'report' | 'device' | 'settings' | 'rims' | 'measurement' | 'at' | 'checks' | 'waivers'
    >,
  ) {
    this.kind = fields.kind;
    this.report = fields.report;
    this.device = fields.device;
    this.settings = fields.settings;
    this.rims = fields.rims;
    this.measurement = fields.measurement;
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
