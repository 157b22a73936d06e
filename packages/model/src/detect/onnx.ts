import { FastnessError } from '@fastness/codec/errors';
import { FileWindow } from './file-window.ts';

/*
 * onnx.proto, ModelProto: the fields looked at. The wire types are those of Protocol Buffers, "Message Structure".
 */
const irVersionField = 1;
const graphField = 7;
const varint = 0;
const fixed64 = 1;
const lengthDelimited = 2;
const fixed32 = 5;
const maxFields = 100_000;

/**
 * Checks that a file is one ONNX model, from its first byte to its last: a message with an IR version and a graph whose
 * lengths add up to the file's. What the graph holds is the engine's to judge.
 * Errors: MODEL_ONNX_MALFORMED, MODEL_ONNX_TRUNCATED, SEAL_IO.
 */
export function checkOnnxFile(fd: number, size: number): void {
  const file = new FileWindow(fd, size, {
    truncated: 'MODEL_ONNX_TRUNCATED',
    tooLong: 'MODEL_ONNX_MALFORMED',
    limit: size,
  });
  let irVersion: bigint | undefined;
  let graphs = 0;
  for (let fields = 0; file.offset < size; fields += 1) {
    if (fields > maxFields) throw new FastnessError('MODEL_ONNX_MALFORMED', 'It has too many fields.');
    const tag = readVarint(file);
    const field = Number(tag >> 3n);
    const wireType = Number(tag & 7n);
    if (field === irVersionField && wireType === varint) irVersion = readVarint(file);
    else if (field === graphField && wireType === lengthDelimited) graphs += skipField(file, wireType) > 0 ? 1 : 0;
    else skipField(file, wireType);
  }
  if (irVersion === undefined || irVersion < 3n || irVersion > 1000n || graphs !== 1) {
    throw new FastnessError('MODEL_ONNX_MALFORMED', 'It has no IR version from 3 on, or not one graph.');
  }
}

/** Passes over a field's value; how many bytes it had. */
function skipField(file: FileWindow, wireType: number): number {
  const start = file.offset;
  if (wireType === varint) readVarint(file);
  else if (wireType === fixed64) file.skip(8);
  else if (wireType === fixed32) file.skip(4);
  else if (wireType === lengthDelimited) {
    const length = readVarint(file);
    if (length > BigInt(Number.MAX_SAFE_INTEGER)) throw new FastnessError('MODEL_ONNX_MALFORMED', 'A field too long.');
    file.skip(Number(length));
    return Number(length);
  } else throw new FastnessError('MODEL_ONNX_MALFORMED', `A field of wire type ${wireType}.`);
  return file.offset - start;
}

function readVarint(file: FileWindow): bigint {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = file.u8();
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  throw new FastnessError('MODEL_ONNX_MALFORMED', 'A number of more than ten bytes.');
}
