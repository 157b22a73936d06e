/**
 * Protocol buffers, as far as recorded evidence needs them: varints and length-delimited fields, nothing repeated that is not
 * asked for as such, no unknown wire types, no bytes left over.
 */
interface ProtobufField {
  readonly number: number;
  readonly value: number | Uint8Array;
}

/** Reads every field of a message. Throws for anything but varints of 53 bits and length-delimited fields. */
function readProtobuf(message: Uint8Array): readonly ProtobufField[] {
  const fields: ProtobufField[] = [];
  let offset = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[offset];
      if (byte === undefined || shift > 49) throw new Error('a varint that does not end');
      offset += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (offset < message.length) {
    const key = varint();
    const number = Math.floor(key / 8);
    if (number === 0) throw new Error('field 0');
    if (key % 8 === 0) fields.push({ number, value: varint() });
    else if (key % 8 === 2) {
      const length = varint();
      if (offset + length > message.length) throw new Error(`field ${number} is cut short`);
      fields.push({ number, value: message.slice(offset, offset + length) });
      offset += length;
    } else throw new Error(`wire type ${key % 8}`);
  }
  return fields;
}

/** The bytes of a field that may come several times. */
export function repeatedBytes(message: Uint8Array, number: number): Uint8Array[] {
  return readProtobuf(message).flatMap((field) =>
    field.number === number && field.value instanceof Uint8Array ? [field.value] : [],
  );
}

/** The bytes of a field that comes once. */
export function onlyBytes(message: Uint8Array, number: number): Uint8Array {
  const [value, ...others] = repeatedBytes(message, number);
  if (value === undefined || others.length > 0) throw new Error(`not one field ${number}`);
  return value;
}

/** The number in a field that comes once; 0 when it is left out, as protocol buffers have it. */
export function onlyNumber(message: Uint8Array, number: number): number {
  const values = readProtobuf(message).flatMap((field) =>
    field.number === number && typeof field.value === 'number' ? [field.value] : [],
  );
  if (values.length > 1) throw new Error(`several fields ${number}`);
  return values[0] ?? 0;
}
