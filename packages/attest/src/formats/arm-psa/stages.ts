import type { CheckRecord } from '../../checks.ts';
import type { AppliedWaiver } from '../../waivers.ts';
import type { ArmEndorsement } from '../arm/endorsements.ts';
import type { ArmMessage } from '../arm/message.ts';
import type { PsaToken } from './token.ts';
import { isObject, stageSkipped } from '../stage.ts';

/**
 * The values that pass from stage to stage: classes with a private field, so that neither the compiler nor plain JavaScript
 * lets anything else take their place. The package exports the types alone; only `parse` and `authenticate` make them.
 */

/** A token that was read, and nothing more: every claim is one of whoever sent it. Made by `parse` alone. */
export class ParsedToken {
  readonly #message: ArmMessage;
  readonly token: PsaToken;
  readonly checks: readonly CheckRecord[];

  constructor(fields: Pick<ParsedToken, 'token' | 'checks'>, message: ArmMessage) {
    this.token = fields.token;
    this.checks = fields.checks;
    this.#message = message;
    Object.freeze(this);
  }

  /** Throws ATTEST_STAGE_SKIPPED when `value` does not come from `parse`. */
  static messageOf(value: ParsedToken): ArmMessage {
    if (!isObject(value) || !(#message in value)) {
      throw stageSkipped('The token', 'parse()');
    }
    return value.#message;
  }
}

/** A token signed with the endorsed key of its device. Whether it is acceptable is another question. Made by `authenticate` alone. */
export class AuthenticToken {
  readonly #authentic = true;
  readonly token: PsaToken;
  readonly endorser: string;
  /** Reference states of the device's implementation. */
  readonly references: ArmEndorsement['references'];
  /** When authenticity was judged, in milliseconds since 1970. */
  readonly at: number;
  readonly checks: readonly CheckRecord[];
  readonly waivers: readonly AppliedWaiver[];

  constructor(fields: Pick<AuthenticToken, 'token' | 'endorser' | 'references' | 'at' | 'checks' | 'waivers'>) {
    this.token = fields.token;
    this.endorser = fields.endorser;
    this.references = fields.references;
    this.at = fields.at;
    this.checks = fields.checks;
    this.waivers = fields.waivers;
    Object.freeze(this);
  }

  /** Throws ATTEST_STAGE_SKIPPED when `value` does not come from `authenticate`. */
  static require(value: AuthenticToken): void {
    if (!isObject(value) || !(#authentic in value) || !value.#authentic) {
      throw stageSkipped('The token', 'authenticate()');
    }
  }
}
