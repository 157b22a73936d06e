import { utf8Encode } from '@fastness/codec/bytes';

const most = 64;
const longest = 128;
const known = new Map<string, Uint8Array>();

/**
 * UTF-8 of a name: of a key, an algorithm, a label. They come again with every operation, so those seen last are kept, and
 * nothing secret may be given. The bytes are shared: whoever gets them must not write to them, nor wipe them.
 */
export function nameBytes(name: string): Uint8Array {
  const found = known.get(name);
  if (found !== undefined) return found;
  const bytes = utf8Encode(name);
  if (name.length <= longest) {
    if (known.size >= most) known.clear();
    known.set(name, bytes);
  }
  return bytes;
}
