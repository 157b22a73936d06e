import { CborTag, decodeCbor, type CborMap, type CborValue } from '@fastness/codec/cbor';
import type { Checklist } from '../../checks.ts';
import { describe } from '../arm/claims.ts';
import {
  CMW_COLLECTION_TAG,
  COLLECTION_TAG,
  EAT_CWT,
  MAX_CCA_TOKEN_BYTES,
  PLATFORM_TOKEN,
  REALM_TOKEN,
} from './layout.ts';

/** The two tokens of a collection. */
export interface CcaCollection {
  readonly platform: Uint8Array;
  readonly realm: Uint8Array;
}

/** What names a collection's own type (RFC 9999, section 3.3). */
const COLLECTION_TYPE = '__cmwc_t';

/**
 * Reads the collection: tag 399 with the tokens as byte strings, or tag 907 with each token in a CMW record. Nothing else may
 * be in it but, with 907, the text that names its type.
 */
export function readCollection(bytes: Uint8Array, checks: Checklist): CcaCollection {
  const outer = decodeCbor(bytes, {
    keyOrder: 'any',
    limits: { maxBytes: MAX_CCA_TOKEN_BYTES, maxDepth: 4, maxItems: 32 },
  });
  const tag = outer instanceof CborTag ? outer.tag : undefined;
  const content = outer instanceof CborTag ? outer.value : undefined;
  const map = content instanceof Map ? (content as CborMap) : undefined;
  checks.require('CCA_COLLECTION', map !== undefined && (tag === COLLECTION_TAG || tag === CMW_COLLECTION_TAG), {
    expected: `a map with tag ${COLLECTION_TAG} or ${CMW_COLLECTION_TAG}`,
    actual: `${describe(content)} with ${tag === undefined ? 'no tag' : `tag ${tag}`}`,
  });
  const records = tag === CMW_COLLECTION_TAG;
  const platform = readMember(map.get(PLATFORM_TOKEN), records);
  const realm = readMember(map.get(REALM_TOKEN), records);
  const typed = records && typeof map.get(COLLECTION_TYPE) === 'string';
  const sound = platform !== undefined && realm !== undefined && map.size === (typed ? 3 : 2);
  checks.require('CCA_COLLECTION_MEMBER', sound, {
    expected: `${PLATFORM_TOKEN} and ${REALM_TOKEN}, and nothing else`,
    actual: `${platform === undefined ? 'no' : 'a'} platform token, ${realm === undefined ? 'no' : 'a'} realm token, ${map.size} members`,
  });
  return { platform, realm };
}

function readMember(value: CborValue | undefined, record: boolean): Uint8Array | undefined {
  if (!record) return value instanceof Uint8Array ? value : undefined;
  const [type, token, indicator]: readonly unknown[] = Array.isArray(value) && value.length <= 3 ? value : [];
  const sound = EAT_CWT.includes(type) && (indicator === undefined || typeof indicator === 'number');
  return sound && token instanceof Uint8Array ? token : undefined;
}
