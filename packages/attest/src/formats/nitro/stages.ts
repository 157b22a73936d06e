import type { Sign1 } from '@fastness/codec/cose';
import type { Certificate } from '@fastness/codec/x509';
import type { CheckRecord } from '../../checks.ts';
import type { AppliedWaiver } from '../../waivers.ts';
import type { NitroDocument } from './document.ts';
import type { NitroKind } from './layout.ts';
import { isObject, stageSkipped } from '../stage.ts';

/**
 * The values that pass from stage to stage. They are classes with a private field for one reason: neither the compiler nor
 * plain JavaScript lets anything else take their place, so no policy ever sees a document that was not authenticated. The
 * package exports the types alone; only `parse` and `authenticate` make them.
 */

/** A document that was read, and nothing more: every field is a claim of whoever sent it. Made by `parse` alone. */
export class ParsedDocument {
  readonly #message: Sign1;
  readonly kind: NitroKind;
  readonly document: NitroDocument;
  readonly leaf: Certificate;
  /** Root first, issuer of the leaf last. */
  readonly authorities: readonly Certificate[];
  readonly checks: readonly CheckRecord[];

  constructor(fields: Pick<ParsedDocument, 'kind' | 'document' | 'leaf' | 'authorities' | 'checks'>, message: Sign1) {
    this.kind = fields.kind;
    this.document = fields.document;
    this.leaf = fields.leaf;
    this.authorities = fields.authorities;
    this.checks = fields.checks;
    this.#message = message;
    Object.freeze(this);
  }

  /** Throws ATTEST_STAGE_SKIPPED when `value` does not come from `parse`. */
  static messageOf(value: ParsedDocument): Sign1 {
    if (!isObject(value) || !(#message in value)) {
      throw stageSkipped('The document', 'parse()');
    }
    return value.#message;
  }
}

/** A document that a pinned root vouches for. Whether it is acceptable is another question. Made by `authenticate` alone. */
export class AuthenticDocument {
  readonly #authentic = true;
  readonly kind: NitroKind;
  readonly document: NitroDocument;
  /** When authenticity was judged, in milliseconds since 1970; freshness is judged by the same time. */
  readonly at: number;
  readonly checks: readonly CheckRecord[];
  readonly waivers: readonly AppliedWaiver[];

  constructor(fields: Pick<AuthenticDocument, 'kind' | 'document' | 'at' | 'checks' | 'waivers'>) {
    this.kind = fields.kind;
    this.document = fields.document;
    this.at = fields.at;
    this.checks = fields.checks;
    this.waivers = fields.waivers;
    Object.freeze(this);
  }

  /** Throws ATTEST_STAGE_SKIPPED when `value` does not come from `authenticate`. */
  static require(value: AuthenticDocument): void {
    if (!isObject(value) || !(#authentic in value) || !value.#authentic) {
      throw stageSkipped('The document', 'authenticate()');
    }
  }
}
