import { decodePem, equalBytes, utf8Decode } from '@fastness/codec';
import { decodeCbor } from '@fastness/codec/cbor';
import { decodeSign1, verifySign1 } from '@fastness/codec/cose';
import { FastnessError } from '@fastness/codec/errors';
import { importSpki, parseCertificate } from '@fastness/codec/x509';

/** ES256, ES384, ES512. */
const algorithms = Object.freeze([-7, -35, -36]);
const limits = Object.freeze({ maxBytes: 32_768, maxDepth: 4, maxItems: 40_000 });

/**
 * The certificate, DER, of whoever signed an enclave image: the first of the signatures in the section, the only one that is
 * looked at when an enclave starts, has to be of `register0`.
 * Throws IMAGE_EIF_SIGNATURE.
 */
export async function signerOf(section: Uint8Array, register0: Uint8Array): Promise<Uint8Array> {
  try {
    const list = decodeCbor(section, { limits, keyOrder: 'any' });
    const [entry]: readonly unknown[] = Array.isArray(list) ? list : [];
    const first = fieldsOf(entry, ['signing_certificate', 'signature']);
    const [der, ...rest] = decodePem(utf8Decode(bytesOf(first[0])), 'CERTIFICATE');
    if (der === undefined || rest.length > 0) throw refused('It does not have one certificate.');
    const payload = await verifySign1({
      message: decodeSign1(bytesOf(first[1]), { limits }),
      publicKey: await importSpki(parseCertificate(der)),
      algorithms,
    });
    const [index, value] = fieldsOf(decodeCbor(payload, { limits, keyOrder: 'any' }), [
      'register_index',
      'register_value',
    ]);
    if (index !== 0) throw refused('It is not of register 0.');
    if (!equalBytes(bytesOf(value), register0)) throw refused('It is of another image.');
    return der;
  } catch (cause) {
    if (!(cause instanceof FastnessError)) throw cause;
    throw cause.code === 'IMAGE_EIF_SIGNATURE' ? cause : refused('It does not hold.', cause);
  }
}

function fieldsOf(value: unknown, names: readonly [string, string]): readonly [unknown, unknown] {
  if (!(value instanceof Map) || value.size !== 2 || !names.every((name) => value.has(name))) {
    throw refused(`It does not have just ${names.join(' and ')}.`);
  }
  return [value.get(names[0]), value.get(names[1])];
}

/** Tools write bytes as lists of numbers. */
function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  const list: readonly unknown[] = Array.isArray(value) ? value : [undefined];
  return Uint8Array.from(list, (each) => {
    if (typeof each !== 'number' || !Number.isInteger(each) || each < 0 || each > 255) {
      throw refused('A field does not hold bytes.');
    }
    return each;
  });
}

function refused(detail: string, cause?: unknown): FastnessError {
  return new FastnessError('IMAGE_EIF_SIGNATURE', detail, cause === undefined ? undefined : { cause });
}
