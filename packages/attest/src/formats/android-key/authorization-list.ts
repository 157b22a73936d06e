import { toHex, utf8Decode } from '@fastness/codec';
import { derTags, type DerReader } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';
import { readApplicationId, type ApplicationId } from './application-id.ts';
import { bootStates, idTags, type BootState } from './layout.ts';
import { readTagged } from './tagged.ts';

/** What the boot loader told the secure hardware. */
export interface RootOfTrust {
  /** SHA-256 of the key that verified the system, hex; may be empty on an unlocked device. */
  readonly verifiedBootKey: string;
  readonly deviceLocked: boolean;
  readonly verifiedBootState: BootState;
  /** Digest of everything that Verified Boot covers, hex. Absent before version 3. */
  readonly verifiedBootHash?: string;
}

/** One list of properties: those that the secure hardware enforces, or those that Android does. */
export interface AuthorizationList {
  readonly purposes?: readonly number[];
  readonly algorithm?: number;
  readonly keySize?: number;
  readonly ecCurve?: number;
  /** Whether the key can be used without the user having authenticated. */
  readonly noAuthRequired: boolean;
  readonly origin?: number;
  readonly rollbackResistant: boolean;
  readonly rootOfTrust?: RootOfTrust;
  /** For instance 150000. */
  readonly osVersion?: number;
  /** YYYYMM. */
  readonly osPatchLevel?: number;
  /** YYYYMMDD, on old devices YYYYMM. */
  readonly vendorPatchLevel?: number;
  readonly bootPatchLevel?: number;
  readonly applicationId?: ApplicationId;
  readonly ids: Readonly<Record<string, string>>;
  /** SHA-256 over the names and digests of Android's modules (APEX), hex. */
  readonly moduleHash?: string;
  /** Tags that this reader does not interpret. */
  readonly otherTags: readonly number[];
}

type Draft = { -readonly [Name in keyof AuthorizationList]?: AuthorizationList[Name] };
type Read = (value: DerReader, draft: Draft) => void;

/** Readers by tag (KeyMint, Tag.aidl). A tag that is not here is noted and its value left alone. */
const readers: ReadonlyMap<number, Read> = new Map<number, Read>([
  [1, (value, draft) => void (draft.purposes = integers(value))],
  [2, (value, draft) => void (draft.algorithm = value.smallInteger())],
  [3, (value, draft) => void (draft.keySize = value.smallInteger())],
  [10, (value, draft) => void (draft.ecCurve = value.smallInteger())],
  [503, (value, draft) => void (draft.noAuthRequired = flag(value))],
  [702, (value, draft) => void (draft.origin = value.smallInteger())],
  [703, (value, draft) => void (draft.rollbackResistant = flag(value))],
  [704, (value, draft) => void (draft.rootOfTrust = readRootOfTrust(value))],
  [705, (value, draft) => void (draft.osVersion = value.smallInteger())],
  [706, (value, draft) => void (draft.osPatchLevel = value.smallInteger())],
  [709, (value, draft) => void (draft.applicationId = readApplicationId(value.octetString()))],
  [718, (value, draft) => void (draft.vendorPatchLevel = value.smallInteger())],
  [719, (value, draft) => void (draft.bootPatchLevel = value.smallInteger())],
  [724, (value, draft) => void (draft.moduleHash = toHex(value.octetString()))],
]);

/** Reads an AuthorizationList. Throws ANDROID_TAG_ORDER, ANDROID_ROOT_OF_TRUST, CODEC_.... */
export function readAuthorizationList(list: Uint8Array): AuthorizationList {
  const draft: Draft = {};
  const ids: Record<string, string> = {};
  const otherTags: number[] = [];
  for (const [tag, value] of readTagged(list)) {
    const read = readers.get(tag);
    const id = idTags.get(tag);
    if (read !== undefined) read(value, draft);
    else if (id !== undefined) ids[id] = utf8Decode(value.octetString());
    else {
      otherTags.push(tag);
      value.element();
    }
    value.end();
  }
  return Object.freeze({
    noAuthRequired: false,
    rollbackResistant: false,
    ...draft,
    ids: Object.freeze(ids),
    otherTags: Object.freeze(otherTags),
  });
}

function readRootOfTrust(value: DerReader): RootOfTrust {
  const fields = value.sequence();
  const verifiedBootKey = toHex(fields.octetString());
  const deviceLocked = fields.boolean();
  const state = fields.expect(derTags.enumerated).content;
  const verifiedBootHash = fields.remaining > 0 ? toHex(fields.octetString()) : undefined;
  fields.end();
  const verifiedBootState = state.length === 1 ? bootStates[state[0] ?? -1] : undefined;
  if (verifiedBootState === undefined)
    throw new FastnessError('ANDROID_ROOT_OF_TRUST', `Boot state ${toHex(state.subarray(0, 4))}.`);
  return Object.freeze({
    verifiedBootKey,
    deviceLocked,
    verifiedBootState,
    ...(verifiedBootHash === undefined ? {} : { verifiedBootHash }),
  });
}

function integers(value: DerReader): readonly number[] {
  const set = value.set();
  const list: number[] = [];
  while (set.remaining > 0) list.push(set.smallInteger());
  return Object.freeze(list);
}

/** A property whose presence is its value. */
function flag(value: DerReader): true {
  value.null();
  return true;
}
