import type { CheckRecord } from '../../checks.ts';
import type { AppliedWaiver } from '../../waivers.ts';
import type { ArmEndorsement } from '../arm/endorsements.ts';
import type { ArmMessage } from '../arm/message.ts';
import type { CcaPlatform } from './platform.ts';
import type { CcaRealm } from './realm.ts';
import { isObject, stageSkipped } from '../stage.ts';

/**
 * The values that pass from stage to stage: classes with a private field, so that neither the compiler nor plain JavaScript
 * lets anything else take their place. The package exports the types alone; only `parse` and `authenticate` make them.
 */

/** The two messages of a token. */
export interface CcaMessages {
  readonly platform: ArmMessage;
  readonly realm: ArmMessage;
}

/** A token that was read, and nothing more: every claim is one of whoever sent it. Made by `parse` alone. */
export class ParsedToken {
  readonly #messages: CcaMessages;
  readonly platform: CcaPlatform;
  readonly realm: CcaRealm;
  readonly checks: readonly CheckRecord[];

  constructor(fields: Pick<ParsedToken, 'platform' | 'realm' | 'checks'>, messages: CcaMessages) {
    this.platform = fields.platform;
    this.realm = fields.realm;
    this.checks = fields.checks;
    this.#messages = messages;
    Object.freeze(this);
  }

  /** Throws ATTEST_STAGE_SKIPPED when `value` does not come from `parse`. */
  static messagesOf(value: ParsedToken): CcaMessages {
    if (!isObject(value) || !(#messages in value)) {
      throw stageSkipped('The token', 'parse()');
    }
    return value.#messages;
  }
}

/** A token that the endorsed key of its platform and the bound key of its realm signed. Whether it is acceptable is another question. Made by `authenticate` alone. */
export class AuthenticToken {
  readonly #authentic = true;
  readonly platform: CcaPlatform;
  readonly realm: CcaRealm;
  readonly endorser: string;
  /** Reference states of the platform's implementation. */
  readonly references: ArmEndorsement['references'];
  /** When authenticity was judged, in milliseconds since 1970. */
  readonly at: number;
  readonly checks: readonly CheckRecord[];
  readonly waivers: readonly AppliedWaiver[];

  constructor(
    fields: Pick<AuthenticToken, 'platform' | 'realm' | 'endorser' | 'references' | 'at' | 'checks' | 'waivers'>,
  ) {
    this.platform = fields.platform;
    this.realm = fields.realm;
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
