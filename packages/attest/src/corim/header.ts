import { decodeCbor, type CborMap } from '@fastness/codec/cbor';
import type { Sign1 } from '@fastness/codec/cose';
import { coseSignatures } from '../cose-signatures.ts';
import { corimError, readBytes, readMap, readText } from './fields.ts';
import { CORIM_CONTENT_TYPE, corimLimits } from './layout.ts';
import { readValidity } from './read.ts';
import type { CorimValidity } from './types.ts';

/** Protected header parameters of a signed manifest (draft-ietf-rats-corim, section 4.2.1). */
const CONTENT_TYPE = 3;
const META = 8;
const CWT_CLAIMS = 15;
/** A hash envelope signs a digest of the manifest; these parameters name it. */
const HASH_ENVELOPE = [258, 259, 260];

/** What a signer says of itself. It counts for nothing: which key signed is what counts. */
export interface CorimSignerClaims {
  readonly name: string;
  readonly validity?: CorimValidity;
}

/**
 * Reads the protected header of a signed manifest: its content, who signed it and for how long. Where `CWT-Claims` and
 * `corim-meta` are both there, both must say the same.
 * @throws CORIM_ALGORITHM, CORIM_PAYLOAD, CORIM_HEADER
 */
export function readCorimHeader({ algorithm, protectedHeader, unprotected }: Sign1): CorimSignerClaims {
  if (!coseSignatures.has(algorithm)) throw corimError('CORIM_ALGORITHM', `Algorithm ${algorithm}.`);
  if (HASH_ENVELOPE.some((label) => protectedHeader.has(label))) {
    throw corimError('CORIM_PAYLOAD', 'A hash envelope instead of the manifest.');
  }
  if (protectedHeader.get(CONTENT_TYPE) !== CORIM_CONTENT_TYPE) {
    throw corimError('CORIM_HEADER', `The content type is not ${CORIM_CONTENT_TYPE}.`);
  }
  if (unprotected.has(META) || unprotected.has(CWT_CLAIMS)) {
    throw corimError('CORIM_HEADER', 'Who signed is not protected.');
  }
  const meta = protectedHeader.has(META) ? readMeta(protectedHeader) : undefined;
  const cwt = protectedHeader.has(CWT_CLAIMS) ? readCwtClaims(protectedHeader) : undefined;
  const claims = meta ?? cwt;
  if (claims === undefined) throw corimError('CORIM_HEADER', 'Neither corim-meta nor CWT-Claims are there.');
  if (meta !== undefined && cwt !== undefined && JSON.stringify(meta) !== JSON.stringify(cwt)) {
    throw corimError('CORIM_HEADER', 'corim-meta and CWT-Claims contradict each other.');
  }
  return Object.freeze(claims);
}

function readMeta(header: CborMap): CorimSignerClaims {
  const bytes = readBytes(header.get(META), 'CORIM_HEADER', 'corim-meta');
  const decoded = decodeCbor(bytes, { keyOrder: 'any', limits: corimLimits });
  const meta = readMap(decoded, [0, 1], 'CORIM_HEADER', 'corim-meta');
  const signer = meta.get(0);
  const name = signer instanceof Map ? readText(signer.get(0), 'CORIM_HEADER', 'The name of the signer') : undefined;
  if (name === undefined) throw corimError('CORIM_HEADER', 'corim-meta names no signer.');
  return { name, ...(meta.has(1) ? { validity: readValidity(meta.get(1), 'CORIM_HEADER') } : {}) };
}

/** `iss`, `exp` and `nbf` (RFC 8392), of which `exp` alone ends a validity. Claims beside them are left alone. */
function readCwtClaims(header: CborMap): CorimSignerClaims {
  const value = header.get(CWT_CLAIMS);
  const map = value instanceof Map ? (value as CborMap) : undefined;
  const [notAfter, notBefore] = [map?.get(4), map?.get(5)];
  const bad = [notAfter, notBefore].some((time) => time !== undefined && typeof time !== 'number');
  if (map === undefined || bad) throw corimError('CORIM_HEADER', 'CWT-Claims are no map, or their times no integers.');
  const name = readText(map.get(1), 'CORIM_HEADER', 'The issuer');
  if (typeof notAfter !== 'number' && typeof notBefore !== 'number') return { name };
  const start = typeof notBefore === 'number' ? { notBefore } : {};
  return { name, validity: { ...start, notAfter: typeof notAfter === 'number' ? notAfter : Number.MAX_SAFE_INTEGER } };
}
