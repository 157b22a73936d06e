import { CborTag, type CborValue } from '@fastness/codec/cbor';
import { corimError, readList } from './fields.ts';
import type { CorimKey, CorimKeyKind } from './types.ts';

const kinds: ReadonlyMap<number, readonly [kind: CorimKeyKind, type: 'text' | 'bytes' | 'structure']> = new Map([
  [554, ['pkix-key', 'text']],
  [555, ['pkix-certificate', 'text']],
  [556, ['pkix-path', 'text']],
  [557, ['key-thumbprint', 'structure']],
  [558, ['cose-key', 'structure']],
  [559, ['certificate-thumbprint', 'structure']],
  [560, ['bytes', 'bytes']],
  [561, ['path-thumbprint', 'structure']],
  [562, ['der-certificate', 'bytes']],
]);

/** Reads a list of crypto keys (draft-ietf-rats-corim, section 5.1.4.6) without looking into them. @throws CORIM_KEY */
export function readKeys(value: CborValue | undefined): readonly CorimKey[] {
  const keys = readList(value, 'CORIM_KEY', 'Keys', 64).map((entry): CorimKey => {
    const [kind, type] = (entry instanceof CborTag ? kinds.get(entry.tag) : undefined) ?? [];
    const content = entry instanceof CborTag ? entry.value : undefined;
    const found = typeof content === 'string' ? 'text' : content instanceof Uint8Array ? 'bytes' : 'structure';
    if (kind === undefined || content === undefined || found !== type) {
      throw corimError('CORIM_KEY', 'A key is not of a known kind.');
    }
    return Object.freeze({ kind, value: content });
  });
  return Object.freeze(keys);
}
