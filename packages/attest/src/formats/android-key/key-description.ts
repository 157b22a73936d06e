import { toHex } from '@fastness/codec';
import { derTags, readDerSequence, type DerReader } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';
import { readAuthorizationList, type AuthorizationList } from './authorization-list.ts';
import { securityLevels, type SecurityLevel } from './layout.ts';

/** The attestation extension. */
export interface KeyDescription {
  readonly attestationVersion: number;
  /** Where the attestation was made. */
  readonly attestationSecurityLevel: SecurityLevel;
  readonly keyMintVersion: number;
  /** Where the key lives. */
  readonly keyMintSecurityLevel: SecurityLevel;
  /** What the application asked to have attested: the verifier's challenge. */
  readonly challenge: Uint8Array;
  /** Hex; empty unless the system asked for it. */
  readonly uniqueId: string;
  /** What Android enforces, and so whoever controls Android states. */
  readonly softwareEnforced: AuthorizationList;
  /** What the secure hardware enforces. */
  readonly hardwareEnforced: AuthorizationList;
}

/** Reads a KeyDescription that fills `value`, as strict DER. Throws ANDROID_LEVEL, ANDROID_TAG_ORDER, CODEC_.... */
export function readKeyDescription(value: Uint8Array): KeyDescription {
  return readDerSequence(value, (fields) =>
    Object.freeze({
      attestationVersion: fields.smallInteger(),
      attestationSecurityLevel: level(fields),
      keyMintVersion: fields.smallInteger(),
      keyMintSecurityLevel: level(fields),
      challenge: fields.octetString().slice(),
      uniqueId: toHex(fields.octetString()),
      softwareEnforced: readAuthorizationList(fields.expect(derTags.sequence).content),
      hardwareEnforced: readAuthorizationList(fields.expect(derTags.sequence).content),
    }),
  );
}

function level(fields: DerReader): SecurityLevel {
  const { content } = fields.expect(derTags.enumerated);
  const found = content.length === 1 ? securityLevels[content[0] ?? -1] : undefined;
  if (found === undefined) throw new FastnessError('ANDROID_LEVEL', `Level ${toHex(content.subarray(0, 4))}.`);
  return found;
}
