import { toHex } from '@fastness/codec';
import { CborTag, decodeCbor, type CborValue } from '@fastness/codec/cbor';
import { readComid, readTagId } from './comid.ts';
import { corimError, readBytes, readList, readMap, readTime } from './fields.ts';
import { corimLimits, corimTags, MAX_COMIDS } from './layout.ts';
import type { Comid, Corim, CorimValidity } from './types.ts';

/** Throws unless manifests of this profile are wanted. */
export type RequireProfile = (profile: string | undefined) => void;

/**
 * Reads an unsigned CoRIM: tag 501 and its map (draft-ietf-rats-corim, section 4.1), with CoMIDs alone as tags; CoSWID and
 * CoTL are refused, as a list of valid tags must not be overlooked. Entities and dependent manifests are not read. Says
 * nothing about who wrote it. `requireProfile` is called before the tags are read, as a profile can change what they hold.
 * @throws CORIM_TYPE, CORIM_MAP, CORIM_TAG_UNSUPPORTED and what CoMIDs throw; CODEC_*
 */
export function readCorim(bytes: Uint8Array, requireProfile: RequireProfile): Corim {
  const outer = decodeCbor(bytes, { keyOrder: 'any', limits: corimLimits });
  if (!(outer instanceof CborTag) || outer.tag !== corimTags.unsignedCorim) {
    throw corimError('CORIM_TYPE', outer instanceof CborTag ? `Tag ${outer.tag}.` : 'No tag.');
  }
  const map = readMap(outer.value, [0, 1, 2, 3, 4, 5], 'CORIM_MAP', 'The manifest');
  const profile = readProfile(map.get(3));
  requireProfile(profile);
  return Object.freeze({
    id: readTagId(map.get(0)),
    ...(profile === undefined ? {} : { profile }),
    ...(map.has(4) ? { validity: readValidity(map.get(4), 'CORIM_MAP') } : {}),
    comids: Object.freeze(readList(map.get(1), 'CORIM_MAP', 'Tags', MAX_COMIDS).map((tag) => readTag(tag))),
  });
}

function readTag(tag: CborValue): Comid {
  if (!(tag instanceof CborTag)) throw corimError('CORIM_MAP', 'A tag of the manifest has no CBOR tag.');
  if (tag.tag !== corimTags.comid) throw corimError('CORIM_TAG_UNSUPPORTED', `Tag ${tag.tag}.`);
  return readComid(readBytes(tag.value, 'CORIM_MAP', 'A CoMID'));
}

/** A URI with tag 32 (older manifests leave it out), or an OID. */
function readProfile(value: CborValue | undefined): string | undefined {
  if (value === undefined) return undefined;
  const content = value instanceof CborTag ? value.value : value;
  const tag = value instanceof CborTag ? value.tag : corimTags.uri;
  if (tag === corimTags.uri && typeof content === 'string' && content.length <= 1024) return content;
  if (tag === corimTags.oid && content instanceof Uint8Array && content.length <= 64) return `oid:${toHex(content)}`;
  throw corimError('CORIM_MAP', 'The profile must be a URI or an OID.');
}

/** Reads a validity-map (section 7.3). */
export function readValidity(value: CborValue | undefined, code: 'CORIM_MAP' | 'CORIM_HEADER'): CorimValidity {
  const map = readMap(value, [0, 1], code, 'A validity');
  const notAfter = readTime(map.get(1), code, 'The end of a validity');
  if (!map.has(0)) return Object.freeze({ notAfter });
  return Object.freeze({ notBefore: readTime(map.get(0), code, 'The start of a validity'), notAfter });
}

/** Both ends are included. */
export function isValidAt({ notBefore = -Infinity, notAfter }: CorimValidity, now: Date): boolean {
  const seconds = now.getTime() / 1000;
  return notBefore <= seconds && seconds < notAfter + 1;
}
